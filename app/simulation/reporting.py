"""
How facilities report what happened: in waves, late, twice, corrected, withdrawn, out of order.

A wave is one round of deliveries: within a facility the files of a wave are sent after those of
the wave before, so that what must become of each entry is known beforehand.
"""

from datetime import timedelta
from random import Random

from app.simulation.courses import Screen
from app.simulation.entries import LAST_WAVE, Elements, Entry, Writer, exam_id
from app.simulation.flaws import Flaws
from app.simulation.plan import Plan
from app.simulation.usual import Usual

_IDENTITY = (
    "patient_ssn",
    "refused_to_answer_ssn",
    "other_id",
    "patient_first_name",
    "patient_last_name",
    "patient_middle_name",
    "patient_dob",
    "patient_sex",
)


class Reporting:
    """Turns the courses of people into the entries their facilities send."""

    def __init__(self, plan: Plan, writer: Writer, flaws: Flaws) -> None:
        self._plan = plan
        self._writer = writer
        self._flaws = flaws
        exam, follow_up = writer.exam, writer.follow_up
        self._usual = {
            form.id: Usual(writer.definition, form)
            for form in (exam, follow_up)
            if form is not None
        }
        self._recent = plan.until - timedelta(days=240)

    def report(self, rng: Random, course: list[Screen]) -> list[Entry]:
        """Every entry about one person, each facility's in the order in which it sends them."""
        entries: list[Entry] = []
        last = course[-1]
        seen: set[int] = set()
        for screen in course:
            place = screen.facility.place
            confused = place not in seen and rng.random() < 0.08 and self._known(entries, place)
            seen.add(place)
            self._report_screen(rng, screen, entries, last is screen, confused)
        for entry in entries:
            if entry.action != "withdraw":
                self._warn(entry)
        return entries

    @staticmethod
    def _known(entries: list[Entry], elsewhere: int) -> bool:
        """Whether another facility will have told of this person's number and birth date before."""
        return any(
            one.facility != elsewhere
            and one.action == "submit"
            and one.follow_up is None
            and one.wave < LAST_WAVE
            and not one.findings
            and "patient_ssn" in one.elements
            for one in entries
        )

    def _warn(self, entry: Entry) -> None:
        """Add what is unusual in the entry, wherever no flaw was planted."""
        flawed = {one.place for one in entry.findings}
        entry.findings += tuple(
            one
            for one in self._usual[entry.form].warnings(entry.elements)
            if one.place not in flawed and not (entry.action == "save" and one.code == "rule")
        )

    def _report_screen(
        self, rng: Random, screen: Screen, entries: list[Entry], last: bool, confused: bool
    ) -> None:
        draw = rng.random
        wave = 1 if screen.on > self._recent else 0
        if draw() < 0.02 or confused:
            wave = LAST_WAVE
        elements = self._writer.report_exam(rng, screen)
        self._identify(rng, elements, confused)
        if confused and "patient_ssn" in elements:
            # Another facility wrote the birth date down wrongly: the registry must not guess.
            wrong = screen.person.birth + timedelta(days=1 + int(draw() * 9))
            elements["patient_dob"] = wrong.isoformat()
        exam = self._entry(screen, elements, wave)
        if draw() < 0.012 and not self._drafted(rng, screen, exam, entries):
            return
        wave = exam.wave
        early = self._follow_ups(rng, screen, entries, wave)
        flawed = draw() < self._plan.flawed
        if flawed:
            self._flaws.flaw_exam(rng, exam)
        entries.append(exam)
        entries += early
        rejected = any(one.severity == "reject" for one in exam.findings)
        if rejected:
            if wave < LAST_WAVE and draw() < 0.55:
                entries.append(self._entry(screen, elements, wave + 1))
            return
        self._afterwards(rng, screen, exam, entries, last, self._plan.flawed > 0 and flawed)

    @staticmethod
    def _identify(rng: Random, elements: Elements, confused: bool) -> None:
        """Now and then a facility gives only one of the two identifiers."""
        if confused or "patient_ssn" not in elements:
            return
        told = rng.random()
        if told < 0.03:
            del elements["patient_ssn"]
            elements["refused_to_answer_ssn"] = "Y"
        elif told < 0.06:
            elements.pop("other_id", None)

    def _drafted(self, rng: Random, screen: Screen, exam: Entry, entries: list[Entry]) -> bool:
        """A draft first; whether it is submitted at all."""
        draft = {
            name: value
            for name, value in exam.elements.items()
            if name in _IDENTITY
            or name in (*self._writer.exam.key, "facility_id")
            or rng.random() < 0.5
        }
        saved = self._entry(screen, draft, exam.wave)
        saved.action = "save"
        entries.append(saved)
        if exam.wave == LAST_WAVE or rng.random() < 0.4:
            return False
        exam.wave += 1
        return True

    def _follow_ups(
        self, rng: Random, screen: Screen, entries: list[Entry], wave: int
    ) -> list[Entry]:
        """The follow-ups: some before their exam (added at once), the others returned."""
        if self._writer.follow_up is None:
            return []
        later: list[Entry] = []
        draw = rng.random
        for found in screen.follow_ups:
            elements = self._writer.report_follow_up(rng, screen, found)
            entry = self._entry(screen, elements, wave)
            entry.form = self._writer.follow_up.id
            entry.follow_up = elements.get("follow_up_unique_id", str(found.serial))
            if draw() < self._plan.flawed:
                self._flaws.flaw_follow_up(rng, entry)
            if draw() < 0.07:
                entry.wave = max(wave - (draw() < 0.5), 0)
                entries.append(entry)
                continue
            if wave < LAST_WAVE and draw() < 0.5:
                entry.wave = wave + 1
            later.append(entry)
            if not entry.findings and draw() < 0.03:
                again = self._entry(screen, elements, entry.wave)
                again.form, again.follow_up = entry.form, entry.follow_up
                if draw() < 0.4:
                    again.action = "withdraw"
                    again.elements = {
                        name: value
                        for name, value in elements.items()
                        if name in (*self._writer.follow_up.key, "facility_id")
                    }
                later.append(again)
        return later

    def _afterwards(
        self,
        rng: Random,
        screen: Screen,
        exam: Entry,
        entries: list[Entry],
        last: bool,
        flawed: bool,
    ) -> None:
        """What is sent about an accepted exam later on."""
        draw = rng.random
        elements = exam.elements
        wave = exam.wave if draw() < 0.3 else min(exam.wave + 1, LAST_WAVE)
        if draw() < 0.015 and not flawed:
            entries.append(self._entry(screen, elements, wave))
        if draw() < 0.025 and not flawed:
            elements = self._amend(rng, screen, elements)
            entries.append(self._entry(screen, elements, wave))
        if last and screen.person.dies_on is not None and not flawed:
            elements = self._tell_death(rng, screen, elements)
            entries.append(self._entry(screen, elements, min(wave + 1, LAST_WAVE)))
        if draw() < 0.004:
            draft = self._entry(
                screen, dict(elements) | {"ct_scanner_model": "to be completed"}, LAST_WAVE
            )
            draft.action = "save"
            entries.append(draft)
        elif draw() < 0.007:
            gone = self._entry(
                screen,
                {
                    name: value
                    for name, value in elements.items()
                    if name in (*self._writer.exam.key, "facility_id")
                },
                LAST_WAVE,
            )
            gone.action = "withdraw"
            entries.append(gone)

    def _amend(self, rng: Random, screen: Screen, elements: Elements) -> Elements:
        """A corrected copy: another reading, dose, smoking history or day."""
        told = dict(elements)
        match rng.randrange(4):
            case 0 if told.get("ct_exam_result_lung_rads") in ("1", "2", "3", "4A"):
                told["ct_exam_result_lung_rads"] = rng.choice(
                    [
                        one
                        for one in ("1", "2", "3", "4A")
                        if one != told["ct_exam_result_lung_rads"]
                    ]
                )
            case 1 if "number_of_packs_year_smoking" in told:
                told["number_of_packs_year_smoking"] = 10 + rng.randrange(60)
            case 2:
                day = screen.on - timedelta(days=1 + rng.randrange(40))
                told["exam_date"] = day.isoformat()
            case _:
                told["ctdivol"] = 0.6 + 2.0 * rng.random()
        return self._writer.fit_exam(told)

    def _tell_death(self, rng: Random, screen: Screen, elements: Elements) -> Elements:
        soon = screen.follow_ups and rng.random() < 0.05
        return self._writer.report_death(screen, elements, "Y" if soon else "N")

    def _entry(self, screen: Screen, elements: Elements, wave: int) -> Entry:
        return Entry(
            facility=screen.facility.place,
            form=self._writer.exam.id,
            action="submit",
            elements=elements,
            key=exam_id(screen.serial, self._plan.seed),
            wave=wave,
            person=screen.person.serial,
        )
