"""
What happens to a person: screens over the years, what they show, what is found afterwards, death.

This is medicine as public figures tell it, not yet records: some screens are missed, some done
elsewhere, some cancers missed, and a facility reports only a part of what followed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from app.simulation.people import Person, meet
from app.simulation.places import Facility, Places
from app.simulation.plan import Plan, dice

BASELINE = (
    ("0",) * 12
    + ("1",) * 350
    + ("2",) * 468
    + ("3",) * 100
    + ("4A",) * 42
    + ("4B",) * 20
    + ("4X",) * 8
)
ANNUAL = (
    ("0",) * 8
    + ("1",) * 400
    + ("2",) * 508
    + ("3",) * 48
    + ("4A",) * 22
    + ("4B",) * 10
    + ("4X",) * 4
)
SUSPICIOUS = ("3", "4A", "4B", "4X")
CANCER = {"0": 0.01, "1": 0.001, "2": 0.003, "3": 0.02, "4A": 0.11, "4B": 0.30, "4X": 0.42}
STAGES = ("IA1", "IA1", "IA2", "IA2", "IA3", "IB", "IIA", "IIB", "IIIA", "IIIB", "IVA", "IVB", "99")
TUMOURS = {
    "IA1": ("T1a", "N0", "M0"),
    "IA2": ("T1b", "N0", "M0"),
    "IA3": ("T1c", "N0", "M0"),
    "IB": ("T2a", "N0", "M0"),
    "IIA": ("T2b", "N0", "M0"),
    "IIB": ("T3", "N0", "M0"),
    "IIIA": ("T2a", "N2", "M0"),
    "IIIB": ("T3", "N2", "M0"),
    "IVA": ("T3", "N2", "M1a"),
    "IVB": ("T4", "N3", "M1c"),
}
TISSUE = ("2",) * 12 + ("3",) * 2 + ("5",) + ("9",)
NOT_CANCER = ("1",) * 6 + ("7",) * 2 + ("6",)
OTHER_FINDINGS = (
    (["1"],) * 10
    + (["6"],) * 6
    + (["0"],) * 2
    + (["1", "6"],) * 3
    + (["2"],)
    + (["3"],) * 2
    + (["5"],)
    + (["4"],)
)
RECALLS = ("I", "N", "M", "E", "OBa", "U")


class Procedure:
    """What a follow-up was, in the registry's codes."""

    LOW_DOSE_CT = "ldct"
    ROUTINE_CT = "routine"
    PET = "pet"
    BRONCHOSCOPY = "bronchoscopy"
    BIOPSY = "biopsy"
    RESECTION = "resection"


@dataclass(slots=True)
class FollowUp:
    """Something done after a screen because of it; tissue, if any was taken."""

    serial: int
    on: date
    procedure: str
    tissue: str | None = None
    histology: str | None = None
    stage: str | None = None


@dataclass(slots=True)
class Screen:
    """One screening exam of a person at a facility."""

    person: Person
    facility: Facility
    on: date
    first: bool
    category: str
    smoking: str
    quit_on: date | None
    pack_years: float
    serial: int = 0
    follow_ups: list[FollowUp] = field(default_factory=list)
    cancer: bool = False


class Population:
    """People and what happens to them, one after another, from a plan's seed."""

    def __init__(self, plan: Plan, places: Places) -> None:
        self._plan = plan
        self._places = places
        self._facilities = places.facilities
        self._days = (plan.until - plan.since).days

    def courses(self) -> Iterator[tuple[Random, list[Screen]]]:
        """Each person's screens in time, with the dice that decide how they are reported."""
        serial = 0
        screens = 0
        block = 0
        while True:
            rng = dice("people", self._plan.seed, block)
            block += 1
            for _ in range(1_000):
                course = self._course(rng, serial)
                serial += 1
                for screen in course:
                    screen.serial = screens
                    screens += 1
                yield rng, course

    def _course(self, rng: Random, serial: int) -> list[Screen]:
        draw = rng.random
        plan = self._plan
        home = self._places.at(draw())
        elsewhere = self._places.at(draw()) if draw() < 0.14 else None
        day = plan.since + timedelta(days=int(self._days * draw() ** 0.8))
        person = meet(rng, serial, plan.seed, day, home, None if elsewhere == home else elsewhere)
        smoking, quit_on, pack_years = person.smoking, person.quit_on, person.pack_years
        course: list[Screen] = []
        follow_ups = 0
        while True:
            moved = person.elsewhere is not None and course and draw() < 0.45
            place = person.elsewhere if moved and person.elsewhere is not None else home
            facility = self._facilities[place]
            first = not course and draw() < 0.93
            category = (BASELINE if first else ANNUAL)[int(draw() * 1000)]
            screen = Screen(person, facility, day, first, category, smoking, quit_on, pack_years)
            course.append(screen)
            screen.cancer = draw() < CANCER[category]
            if category in SUSPICIOUS or screen.cancer:
                follow_ups = self._look_further(rng, screen, follow_ups)
            if screen.cancer:
                if draw() < 0.25:
                    person.dies_on = day + timedelta(days=120 + int(draw() * 600))
                    person.dies_of_cancer = True
                break
            if draw() < 0.008:
                person.dies_on = day + timedelta(days=20 + int(draw() * 330))
                break
            if draw() < facility.returns:
                gap = int(rng.gauss(380.0, 32.0))
            elif draw() < 0.35:
                gap = 480 + int(draw() * 400)
            else:
                break
            gap = max(gap, 240)
            day += timedelta(days=gap)
            if day > plan.until:
                break
            if smoking in "14" and draw() < facility.quits:
                smoking, quit_on = "2", day - timedelta(days=15 + int(draw() * (gap - 20)))
            elif smoking == "2" and draw() < 0.02:
                smoking, quit_on = "1", None
            if smoking == "1":
                pack_years = round(pack_years + person.packs_a_day * gap / 365.25, 1)
        if person.dies_on is not None and person.dies_on > plan.until:
            person.dies_on = None
        return course

    def _look_further(self, rng: Random, screen: Screen, serial: int) -> int:
        """What is done about a suspicious screen, as far as it is reported and has happened."""
        draw = rng.random
        if draw() > screen.facility.reports_follow_up:
            return serial
        made: list[FollowUp] = []
        category = screen.category
        day = screen.on
        if category == "3":
            day += timedelta(days=int(rng.gauss(190.0, 28.0)))
            made.append(FollowUp(0, day, Procedure.LOW_DOSE_CT))
        elif category == "4A":
            day += timedelta(days=int(rng.gauss(98.0, 24.0)))
            made.append(FollowUp(0, day, Procedure.LOW_DOSE_CT if draw() < 0.7 else Procedure.PET))
        elif category in ("4B", "4X"):
            day += timedelta(days=8 + int(draw() * 80))
            made.append(FollowUp(0, day, Procedure.PET if draw() < 0.6 else Procedure.ROUTINE_CT))
        else:
            day += timedelta(days=90 + int(draw() * 300))
        tissue = screen.cancer or (category in ("4A", "4B", "4X") and draw() < 0.3)
        if tissue:
            day += timedelta(days=5 + int(draw() * 45))
            procedure = Procedure.BIOPSY if draw() < 0.6 else Procedure.BRONCHOSCOPY
            found = FollowUp(0, day, procedure)
            if screen.cancer:
                found.tissue = TISSUE[int(draw() * len(TISSUE))]
                found.histology = "3" if found.tissue == "9" else "2" if draw() < 0.12 else "1"
                found.stage = STAGES[int(draw() * len(STAGES))]
                made.append(found)
                if found.stage in ("IA1", "IA2", "IA3", "IB", "IIA") and draw() < 0.7:
                    day += timedelta(days=10 + int(draw() * 40))
                    made.append(
                        FollowUp(
                            0, day, Procedure.RESECTION, found.tissue, found.histology, found.stage
                        )
                    )
            else:
                found.tissue = NOT_CANCER[int(draw() * len(NOT_CANCER))]
                made.append(found)
        for follow_up in made:
            if 320 < (follow_up.on - screen.on).days <= 365:
                # Nobody's year ends while its exam is being dated anew (see reporting).
                follow_up.on = screen.on + timedelta(days=320)
            if screen.on < follow_up.on <= self._plan.until:
                follow_up.serial = serial
                serial += 1
                screen.follow_ups.append(follow_up)
        return serial
