"""
What is reported of a registry's subjects: courses of cases and follow-ups, drawn from its definition.

Some subjects go through what the worked examples of the measures tell, at other times and places, so
that rare branches come to be. Deliveries come in waves: a facility sends those of one wave after those
of the wave before, so that what must become of each entry is known beforehand.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from random import Random
from typing import Any

from app.errors import Unprocessable
from app.registries.profile import Bell, FormProfile
from app.registries.schema import Definition, Element, Form
from app.simulation.drawn import examples
from app.simulation.drawn.examples import Course, Told
from app.simulation.drawn.flaws import EMPTY, Flaws
from app.simulation.drawn.rows import columns_of
from app.simulation.drawn.sound import Sound
from app.simulation.drawn.subjects import Subject, meet
from app.simulation.drawn.values import Moment, day_of, fitted, listed
from app.simulation.entries import Elements, Entry, Expected
from app.simulation.people import code
from app.simulation.places import Places
from app.simulation.plan import Plan, dice

WAVES = 3
_LAST = WAVES - 1
_TWO_PLACES = 0.14
_AS_EXAMPLE = 0.25
_LATE = 0.02
_AHEAD = 0.06
"""Follow-ups that come before their case."""
_CORRECTED = 0.55
_DRAFTED, _AGAIN, _AMENDED, _WITHDRAWN = 0.012, 0.015, 0.03, 0.008
_LATE_ON_LIST, _AMENDED_ON_LIST, _WITHDRAWN_OF_LIST = 0.25, 0.3, 0.1
"""How often a list that cases follow says something late, says otherwise, or says it no more."""
_REGISTERED = 0.3
"""How often a subject is also registered by an entry of its own."""
_PATIENCE = 40
"""Entries of a form that cannot be made sound before nothing more is tried, if most cannot."""
_PLAIN = FormProfile()


class Courses:
    """Subjects of a nation, one after another, and every entry about each."""

    def __init__(self, plan: Plan, definition: Definition, places: Places, today: date) -> None:
        self._plan, self._definition, self._places = plan, definition, places
        self._today = today
        forms = definition.entry_forms
        self._sound = {form.id: Sound(definition, form, plan.seed, plan.until) for form in forms}
        self._flaws = {
            form.id: Flaws(definition, form, self._sound[form.id], today) for form in forms
        }
        self._cases = [form for form in forms if form.level == "case"]
        self._counted = frozenset(form.id for form in self._cases)
        self._weights = [self._profile(form).share for form in self._cases]
        self._examples = examples.courses(definition)
        self._first = int(any(form.level == "facility-list" for form in forms))
        """The wave of whatever may refer to a list, which comes in the one before."""
        # What is known without an entry of the list may wait for it, and follow it.
        every = [one for form in forms for one in _elements_of(form)]
        self._followed = {one.from_list.list for one in every if one.from_list} - {
            one.list for one in every
        }
        self._days = (plan.until - plan.since).days
        self._keys: set[tuple[int, str, str]] = set()
        self._serial = 0
        self._asked: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._stays = {form.id: self._staying(form) for form in forms}

    @property
    def planted(self) -> dict[str, dict[str, int]]:
        """Form -> kind of flaw -> how often it was planted."""
        return {form: dict(sorted(flaws.planted.items())) for form, flaws in self._flaws.items()}

    def __iter__(self) -> Iterator[list[Entry]]:
        yield from self._of_facilities()
        serial, left = 0, self._plan.cases
        while left > 0:
            rng = dice("drawn", self._plan.seed, serial)
            entries = self._of_subject(rng, serial, left)
            left -= len({(one.facility, one.key) for one in entries if one.form in self._counted})
            yield entries
            serial += 1

    def beside(self, entry: Entry, case: Elements) -> list[Expected]:
        """What is found in a follow-up only when its case is known."""
        checks = self._sound[entry.form].checks
        if not checks.looks_at_parent or entry.action != "submit":
            return []
        return checks.beside(entry.elements, self._today, case)

    def _profile(self, form: Form) -> FormProfile:
        return self._definition.simulation.forms.get(form.id, _PLAIN)

    def _staying(self, form: Form) -> frozenset[str]:
        """What no correction alters: who, which, when, and what follow-ups are held against."""
        parent = self._definition.form(form.parent).key if form.parent else ()
        behind = {name: one.id for one in form.all_elements for name in columns_of(one)}
        read = {
            behind[name.removeprefix("parent_")]
            for other in self._definition.follow_up_forms(form.id)
            for check in self._sound[other.id].checks.all
            for name in check.reads
            if name.startswith("parent_") and name.removeprefix("parent_") in behind
        }
        told = {one.id for one in form.all_elements if one.identity is not None}
        computed = self._sound[form.id].checks.rows.own.computed
        for name in list(read):
            columns = computed[name][0].expression.columns if name in computed else frozenset()
            read |= {behind.get(column, column) for column in columns}
        return frozenset({*form.key, *form.otherwise_key, *parent, *told, *read, form.period or ""})

    # --- facilities' own records ---

    def _of_facilities(self) -> Iterator[list[Entry]]:
        """Each facility's own records, for a year of months."""
        forms = [one for one in self._definition.entry_forms if one.of_facility]
        for facility in self._places.facilities if forms else ():
            entries: list[Entry] = []
            rng = dice("facility", self._plan.seed, facility.place)
            for form in forms:
                if form.level == "facility-list":
                    entries += self._list(rng, form, facility.place)
                    continue
                # Without a key a facility has one record, which later ones amend.
                for months in range(12 if form.key else 2):
                    day = (self._plan.until.replace(day=1) - timedelta(days=30 * months)).replace(
                        day=1
                    )
                    nobody = Subject(-1 - facility.place, self._plan.seed, day, False, 0, None)
                    made = self._entry(rng, form, nobody, facility.place, day, {}, None)
                    if made is not None:
                        made.key = made.key if form.key else "its own"
                        entries.append(made)
            yield entries

    def _list(self, rng: Random, form: Form, place: int) -> Iterator[Entry]:
        """What is on a facility's own list."""
        day = self._plan.since
        nobody = Subject(-1 - place, self._plan.seed, day, False, 0, None)
        for name in listed(form, self._places.facilities[place], self._plan.seed):
            own = {form.key[0]: name}
            made = self._entry(rng, form, nobody, place, day, {}, None, own)
            if made is None:
                continue
            made.wave = 0
            if form.id not in self._followed:
                yield made
                continue
            if rng.random() < _LATE_ON_LIST:  # the cases of before follow
                made.wave = _LAST
                yield made
                continue
            yield made
            again = rng.random()
            if again < _AMENDED_ON_LIST:
                moment = self._moment(nobody, place, day)
                stays = self._stays[form.id]
                told = self._sound[form.id].amended(
                    rng, moment, made.elements, self._today, None, stays
                )
                yield self._like(made, told, _LAST)
            elif again < _AMENDED_ON_LIST + _WITHDRAWN_OF_LIST:
                gone = self._like(made, made.elements, _LAST)
                self._withdraw(form, gone)
                yield gone

    # --- subjects ---

    def _of_subject(self, rng: Random, serial: int, most: int) -> list[Entry]:
        home = self._places.at(rng.random())
        elsewhere = self._places.at(rng.random()) if rng.random() < _TWO_PLACES else None
        day = self._plan.since + timedelta(days=int(self._days * rng.random() ** 0.8))
        subject = meet(
            rng, serial, self._plan.seed, day, home, None if elsewhere == home else elsewhere
        )
        entries: list[Entry] = []
        told = self._examples and rng.random() < _AS_EXAMPLE
        course = rng.choice(self._examples) if told else self._course(rng)
        own = {one.facility for one in course}
        places = dict(zip(sorted(own), (home, subject.elsewhere or home), strict=False))
        length = max((one.days for one in course), default=0)
        day = min(day, self._plan.until - timedelta(days=length))
        taken: set[tuple[str, str]] = set()
        for one in course[:most]:
            on = day + timedelta(days=one.days)
            moved = not told and subject.elsewhere is not None and rng.random() < 0.4
            place = subject.elsewhere if moved else places.get(one.facility, home)
            if place is not None:
                self._report(rng, subject, place, on, one, entries, taken)
        self._register(rng, subject, entries)
        return entries

    def _course(self, rng: Random) -> Course:
        """Cases of a subject, one after another."""
        (form,) = rng.choices(self._cases, self._weights if any(self._weights) else None)
        profile = self._profile(form)
        made: list[Told] = []
        days = 0
        while True:
            follow_ups = tuple(
                Told(other.id, "", _days(rng, its.after), {})
                for other in self._definition.follow_up_forms(form.id)
                for its in (self._profile(other),)
                for _ in range(_count(rng, its.many))
            )
            made.append(Told(form.id, "", days, {}, follow_ups))
            days += max(_days(rng, profile.every), 1)
            if rng.random() >= profile.again or days > self._days:
                return tuple(made)

    def _register(self, rng: Random, subject: Subject, entries: list[Entry]) -> None:
        """An entry about the person alone, at each facility that knows it."""
        for form in self._definition.entry_forms:
            if form.level != "subject" or rng.random() >= _REGISTERED:
                continue
            for place in sorted({one.facility for one in entries}):
                on = self._plan.until - timedelta(days=rng.randrange(1, 60))
                made = self._entry(rng, form, subject, place, on, {}, None)
                if made is None:
                    continue
                if not form.key:
                    made.key = f"person {subject.serial}"
                if rng.random() < self._plan.flawed:
                    made = self._flawed(rng, form, subject, made, on)
                entries.append(made)

    def _report(
        self, rng: Random, subject: Subject, place: int, on: date, told: Told, entries: list[Entry],
        taken: set[tuple[str, str]],
    ) -> None:  # fmt: skip
        form = self._definition.form(told.form)
        liked = self._moved(form, told, on)
        made = self._entry(rng, form, subject, place, on, liked, None)
        if made is None:
            return
        on = _told_day(form, made, on)
        if form.period is not None:
            day = str(made.elements.get(form.period))
            if (form.id, day) in taken:
                return  # two on one day have no order that the truth could know
            taken.add((form.id, day))
        wave = 1 if self._first or on > self._plan.until - timedelta(days=240) else 0
        made.wave = _LAST if rng.random() < _LATE else wave
        if not form.typed:  # what comes of images is neither drafted, mistyped nor corrected
            early, late = self._follow_ups(rng, subject, made, on, told)
            entries += [*early, made, *late]
            return
        if rng.random() < _DRAFTED and made.wave < _LAST:
            entries.append(self._draft(rng, form, made))
            made.wave += 1
        sound, elements = made, made.elements
        flawed = rng.random() < self._plan.flawed
        if flawed:
            made = self._flawed(rng, form, subject, sound, on)
        early, late = self._follow_ups(rng, subject, sound, on, told)
        entries += early
        entries.append(made)
        entries += late
        if any(one.severity == "reject" for one in made.findings):
            if made.wave < _LAST and rng.random() < _CORRECTED:
                entries.append(self._like(sound, elements, made.wave + 1))
            return
        if not flawed:
            self._afterwards(rng, form, subject, sound, on, entries)

    def _follow_ups(
        self, rng: Random, subject: Subject, case: Entry, on: date, told: Told
    ) -> tuple[list[Entry], list[Entry]]:
        """Those that come before their case, and those that come after it."""
        early: list[Entry] = []
        late: list[Entry] = []
        for one in told.follow_ups:
            form = self._definition.form(one.form)
            day = min(on + timedelta(days=one.days), self._plan.until)
            liked = self._moved(form, one, day)
            made = self._entry(rng, form, subject, case.facility, day, liked, case)
            if made is None:
                continue
            made.wave = case.wave
            sound = made
            flawed = rng.random() < self._plan.flawed
            if flawed:
                made = self._flawed(rng, form, subject, sound, day, case.elements)
            if rng.random() < _AHEAD:
                made.wave = max(case.wave - (rng.random() < 0.5), self._first)
                early.append(made)
                continue
            if case.wave < _LAST and rng.random() < 0.5:
                made.wave = case.wave + 1
            late.append(made)
            if not flawed and not made.findings and rng.random() < _WITHDRAWN + _AGAIN:
                again = self._like(sound, sound.elements, made.wave)
                if rng.random() < 0.4:
                    self._withdraw(form, again)
                late.append(again)
        return early, late

    def _afterwards(
        self, rng: Random, form: Form, subject: Subject, made: Entry, on: date, entries: list[Entry]
    ) -> None:
        """What is sent about an accepted case later on."""
        wave = made.wave if rng.random() < 0.3 else min(made.wave + 1, _LAST)
        if rng.random() < _AGAIN:
            entries.append(self._like(made, made.elements, wave))
        if rng.random() < _AMENDED:
            moment = self._moment(subject, made.facility, on)
            told = self._sound[form.id].amended(
                rng, moment, made.elements, self._today, None, self._stays[form.id]
            )
            entries.append(self._like(made, told, wave))
        if rng.random() < _WITHDRAWN:
            gone = self._like(made, made.elements, _LAST)
            self._withdraw(form, gone)
            entries.append(gone)

    # --- entries ---

    def _moved(self, form: Form, told: Told, on: date) -> dict[str, Any]:
        """What an example likes, at the time of this case."""
        day = told.liked.get(form.period or "")
        if day is None:
            return {}
        return examples.moved(form, told.liked, (on - date.fromisoformat(day)).days)

    def _moment(self, subject: Subject, place: int, on: date) -> Moment:
        return Moment(self._places.facilities[place], on, {}, str(subject.serial))

    def _entry(
        self, rng: Random, form: Form, subject: Subject, place: int, on: date,
        liked: dict[str, Any], case: Entry | None, own: Mapping[str, Any] = EMPTY,
    ) -> Entry | None:  # fmt: skip
        """A sound entry, with `own` elements it must have; None where it would have another's key."""
        facility = self._places.facilities[place]
        fixed = {**subject.identity(form, place, facility.number), **own}
        if form.period is not None and form.by_id[form.period].type == "date":
            fixed.setdefault(form.period, day_of(form.by_id[form.period], on))
        if case is not None and form.parent is not None:
            for name in self._definition.form(form.parent).key:
                if name in case.elements:
                    fixed[name] = case.elements[name]
        fixed |= self._which(rng, form, fixed)
        kept = {name: value for name, value in subject.kept.items() if name in form.by_id}
        free = [
            one.id
            for one in form.all_elements
            if (one.identity == "birth_date" and not subject.known)
            or (one.id == form.period and one.id not in form.key)
        ]
        self._asked[form.id] += 1
        try:
            elements = self._sound[form.id].entry(
                rng, self._moment(subject, place, on), fixed, self._today,
                parent=case.elements if case is not None else None, liked=kept | liked, free=free,
            )  # fmt: skip
        except Unprocessable:
            self._failed[form.id] += 1
            if (
                self._failed[form.id] > _PATIENCE
                and 2 * self._failed[form.id] > self._asked[form.id]
            ):
                raise
            return None
        self._remember(form, subject, elements)
        key = self._key(form, elements)
        if (place, form.id, key) in self._keys and form.key:
            return None
        self._keys.add((place, form.id, key))
        entry = Entry(
            facility=place, form=form.id, action="submit", elements=elements, key=key,
            wave=self._first,
            person=subject.serial,
        )  # fmt: skip
        entry.findings = tuple(self._sound[form.id].checks.findings(elements, self._today, {}))
        if case is not None:
            entry.key, entry.follow_up = case.key, key
        return entry

    def _which(self, rng: Random, form: Form, fixed: dict[str, Any]) -> dict[str, Any]:
        """The elements of a key that nothing else gives."""
        told: dict[str, Any] = {}
        for name in form.key:
            element = form.by_id[name]
            if name in fixed or element.type not in ("text", "integer"):
                continue
            self._serial += 1
            if element.type == "integer":
                told[name] = 100_000 + self._serial
            else:
                kind = "ZX" if element.identity == "accession" else "ZF"
                told[name] = fitted(element, rng, kind + code(1, self._serial, self._plan.seed))
        if form.otherwise_key and rng.random() < 0.15:
            parent = self._definition.form(form.parent).key if form.parent else ()
            for name in form.key:
                if name not in parent and not form.by_id[name].required:
                    told[name] = None
        return told

    def _key(self, form: Form, elements: Elements) -> str:
        own = form.key
        other = bool(form.otherwise_key) and any(one not in elements for one in own)
        names = form.otherwise_key if other else own
        parent = self._definition.form(form.parent).key if form.parent else ()
        parts = [str(elements.get(one, "")) for one in dict.fromkeys((*parent, *names))]
        return " ".join([*parts, "otherwise"] if other else parts)

    @staticmethod
    def _remember(form: Form, subject: Subject, elements: Elements) -> None:
        """What is told of the person itself stays as it was first told."""
        for one in form.all_elements:
            if one.identity == "birth_date" and one.id in elements:
                subject.born = date.fromisoformat(elements[one.id])
        for part in (form, *form.included):
            if part.level == "subject":
                for one in part.elements:
                    if one.id in elements and one.identity is None:
                        subject.kept.setdefault(one.id, elements[one.id])
        subject.known = True

    def _flawed(
        self, rng: Random, form: Form, subject: Subject, sound: Entry, on: date,
        parent: Elements | None = None,
    ) -> Entry:  # fmt: skip
        """The entry with a planted flaw; what is accepted all the same is what the truth has."""
        moment = self._moment(subject, sound.facility, on)
        door = self._places.facilities[sound.facility].door
        moment.row = self._sound[form.id].checks.rows.of(sound.elements, self._today, parent)
        elements, found = self._flaws[form.id].plant(rng, moment, sound.elements, door, parent)
        made = self._like(sound, elements, sound.wave)
        made.findings = found
        return made

    def _draft(self, rng: Random, form: Form, made: Entry) -> Entry:
        stays = self._stays[form.id]
        told = {
            name: value
            for name, value in made.elements.items()
            if name in stays or rng.random() < 0.5
        }
        saved = self._like(made, told, made.wave)
        saved.action, saved.findings = "save", ()
        return saved

    def _withdraw(self, form: Form, entry: Entry) -> None:
        parent = self._definition.form(form.parent).key if form.parent else ()
        facility = form.with_identity("facility")
        names = {*form.key, *form.otherwise_key, *parent, facility.id if facility else ""}
        entry.action, entry.findings = "withdraw", ()
        entry.elements = {name: value for name, value in entry.elements.items() if name in names}

    @staticmethod
    def _like(entry: Entry, elements: Elements, wave: int) -> Entry:
        """Another entry about the same."""
        return Entry(
            facility=entry.facility, form=entry.form, action="submit", elements=elements,
            key=entry.key, wave=wave, person=entry.person, follow_up=entry.follow_up,
            findings=entry.findings if elements is entry.elements else (),
        )  # fmt: skip


def _elements_of(form: Form) -> Iterator[Element]:
    """The elements of a form and of its rows."""
    yield from form.all_elements
    for chain in form.group_paths.values():
        yield from chain[-1].elements


def _told_day(form: Form, entry: Entry, on: date) -> date:
    """The day that an entry tells, which another than the one it was drawn for may have become."""
    element = form.by_id.get(form.period or "")
    if element is None or element.precision != "day" or element.id not in entry.elements:
        return on
    return date.fromisoformat(entry.elements[element.id])


def _days(rng: Random, bell: Bell) -> int:
    return max(round(rng.gauss(bell.mean, bell.spread)), 0)


def _count(rng: Random, mean: float) -> int:
    """A Poisson number of this mean, of at most twelve."""
    limit, made, product = math.exp(-mean), 0, rng.random()
    while product > limit and made < 12:
        made += 1
        product *= rng.random()
    return made
