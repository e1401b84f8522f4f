"""
What is reported of a registry's subjects: courses of cases and follow-ups, drawn from its definition.

Some subjects go through what the worked examples of the measures tell, at other times and places, so
that rare branches come to be. What must become of each entry is known beforehand, by the wave in which
it is sent.
"""

import math
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from app.registries.profile import Bell, FormProfile
from app.registries.schema import Definition, Form
from app.simulation.drawn import examples
from app.simulation.drawn.examples import Course, Told
from app.simulation.drawn.facilities import Records, first_wave
from app.simulation.drawn.registrar import Registrar, again
from app.simulation.drawn.subjects import Subject, meet
from app.simulation.entries import LAST_WAVE, Elements, Entry, Expected
from app.simulation.places import Places
from app.simulation.plan import Plan, dice

_TWO_PLACES = 0.14
_AS_EXAMPLE = 0.25
_LATE = 0.02
_AHEAD = 0.06
"""Follow-ups that come before their case."""
_CORRECTED = 0.55
_DRAFTED, _AGAIN, _AMENDED, _WITHDRAWN = 0.012, 0.015, 0.03, 0.008
_REGISTERED = 0.3
"""How often a subject is also registered by an entry of its own."""
_PLAIN = FormProfile()


class Courses:
    """Facilities and subjects of a nation, one after another, and every entry about each."""

    def __init__(self, plan: Plan, definition: Definition, places: Places, today: date) -> None:
        self._plan, self._definition, self._places = plan, definition, places
        self._registrar = Registrar(plan, definition, places, today)
        self._cases = [form for form in definition.entry_forms if form.level == "case"]
        self._counted = frozenset(form.id for form in self._cases)
        self._weights = [self._profile(form).share for form in self._cases]
        self._examples = examples.courses(definition)
        self._first = first_wave(definition)
        self._days = (plan.until - plan.since).days

    @property
    def planted(self) -> dict[str, dict[str, int]]:
        """Form -> kind of flaw -> how often it was planted."""
        return self._registrar.planted

    def __iter__(self) -> Iterator[list[Entry]]:
        yield from Records(self._plan, self._definition, self._places, self._registrar)
        serial, left = 0, self._plan.cases
        while left > 0:
            rng = dice("drawn", self._plan.seed, serial)
            entries = self._of_subject(rng, serial, left)
            left -= len({(one.facility, one.key) for one in entries if one.form in self._counted})
            yield entries
            serial += 1

    def beside(self, entry: Entry, case: Elements) -> list[Expected]:
        """What is found in a follow-up only when its case is known."""
        return self._registrar.beside(entry, case)

    def _profile(self, form: Form) -> FormProfile:
        return self._definition.simulation.forms.get(form.id, _PLAIN)

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
                made = self._registrar.entry(rng, form, subject, place, on, self._first)
                if made is None:
                    continue
                if not form.key:
                    made.key = f"person {subject.serial}"
                if rng.random() < self._plan.flawed:
                    made = self._registrar.flawed(rng, form, subject, made, on)
                entries.append(made)

    def _report(
        self, rng: Random, subject: Subject, place: int, on: date, told: Told, entries: list[Entry],
        taken: set[tuple[str, str]],
    ) -> None:  # fmt: skip
        form = self._definition.form(told.form)
        liked = self._moved(form, told, on)
        made = self._registrar.entry(rng, form, subject, place, on, self._first, liked)
        if made is None:
            return
        on = _told_day(form, made, on)
        if form.period is not None:
            day = str(made.elements.get(form.period))
            if (form.id, day) in taken:
                return  # two on one day have no order that the truth could know
            taken.add((form.id, day))
        wave = 1 if self._first or on > self._plan.until - timedelta(days=240) else 0
        made.wave = LAST_WAVE if rng.random() < _LATE else wave
        if not form.typed:  # what comes of images is neither drafted, mistyped nor corrected
            early, late = self._follow_ups(rng, subject, made, on, told)
            entries += [*early, made, *late]
            return
        if rng.random() < _DRAFTED and made.wave < LAST_WAVE:
            entries.append(self._registrar.draft(rng, form, made))
            made.wave += 1
        sound, elements = made, made.elements
        flawed = rng.random() < self._plan.flawed
        if flawed:
            made = self._registrar.flawed(rng, form, subject, sound, on)
        early, late = self._follow_ups(rng, subject, sound, on, told)
        entries += early
        entries.append(made)
        entries += late
        if any(one.severity == "reject" for one in made.findings):
            if made.wave < LAST_WAVE and rng.random() < _CORRECTED:
                entries.append(again(sound, elements, made.wave + 1))
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
            made = self._registrar.entry(
                rng, form, subject, case.facility, day, case.wave, liked, case
            )
            if made is None:
                continue
            sound = made
            flawed = rng.random() < self._plan.flawed
            if flawed:
                made = self._registrar.flawed(rng, form, subject, sound, day, case.elements)
            if rng.random() < _AHEAD:
                made.wave = max(case.wave - (rng.random() < 0.5), self._first)
                early.append(made)
                continue
            if case.wave < LAST_WAVE and rng.random() < 0.5:
                made.wave = case.wave + 1
            late.append(made)
            if not flawed and not made.findings and rng.random() < _WITHDRAWN + _AGAIN:
                if rng.random() < 0.4:
                    late.append(self._registrar.withdrawn(form, sound, made.wave))
                else:
                    late.append(again(sound, sound.elements, made.wave))
        return early, late

    def _afterwards(
        self, rng: Random, form: Form, subject: Subject, made: Entry, on: date, entries: list[Entry]
    ) -> None:
        """What is sent about an accepted case later on."""
        wave = made.wave if rng.random() < 0.3 else min(made.wave + 1, LAST_WAVE)
        if rng.random() < _AGAIN:
            entries.append(again(made, made.elements, wave))
        if rng.random() < _AMENDED:
            entries.append(self._registrar.amended(rng, form, subject, made, on, wave))
        if rng.random() < _WITHDRAWN:
            entries.append(self._registrar.withdrawn(form, made, LAST_WAVE))

    def _moved(self, form: Form, told: Told, on: date) -> dict[str, Any]:
        """What an example likes, at the time of this case."""
        day = told.liked.get(form.period or "")
        if day is None:
            return {}
        return examples.moved(form, told.liked, (on - date.fromisoformat(day)).days)


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
