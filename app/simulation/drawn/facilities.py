"""
What facilities tell of themselves: the months and years of each, and what is on its own lists.

Whatever may refer to a list comes in a wave after it, but for some entries of a list that cases follow:
those come late, are amended or withdrawn, and the cases of before change with them.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from app.registries.schema import Definition, Element, Form
from app.simulation.drawn.registrar import Registrar
from app.simulation.drawn.subjects import Subject
from app.simulation.drawn.values import listed
from app.simulation.entries import LAST_WAVE, Entry
from app.simulation.places import Facility, Places
from app.simulation.plan import Plan, dice

_LATE, _AMENDED, _WITHDRAWN = 0.25, 0.3, 0.1
"""How often a list that cases follow says something late, says otherwise, or says it no more."""


def first_wave(definition: Definition) -> int:
    """The wave of whatever may refer to a list, which comes in the one before."""
    return int(any(form.level == "facility-list" for form in definition.entry_forms))


class Records:
    """Each facility's own records, for a year of months, and its lists."""

    def __init__(
        self, plan: Plan, definition: Definition, places: Places, registrar: Registrar
    ) -> None:
        self._plan, self._places, self._registrar = plan, places, registrar
        self._forms = [one for one in definition.entry_forms if one.of_facility]
        self._wave = first_wave(definition)
        # What is known without an entry of the list may wait for it, and follow it.
        every = [one for form in definition.entry_forms for one in _elements_of(form)]
        self._followed = {one.from_list.list for one in every if one.from_list} - {
            one.list for one in every
        }

    def __iter__(self) -> Iterator[list[Entry]]:
        for facility in self._places.facilities if self._forms else ():
            rng = dice("facility", self._plan.seed, facility.place)
            entries: list[Entry] = []
            for form in self._forms:
                on_list = form.level == "facility-list"
                entries += (self._on_list if on_list else self._by_month)(rng, form, facility)
            yield entries

    def _by_month(self, rng: Random, form: Form, facility: Facility) -> Iterator[Entry]:
        """What is told of each month; without a key of one record, which later ones amend."""
        for months in range(12 if form.key else 2):
            day = (self._plan.until.replace(day=1) - timedelta(days=30 * months)).replace(day=1)
            nobody = self._nobody(facility, day)
            made = self._registrar.entry(rng, form, nobody, facility.place, day, self._wave)
            if made is not None:
                made.key = made.key if form.key else "its own"
                yield made

    def _on_list(self, rng: Random, form: Form, facility: Facility) -> Iterator[Entry]:
        """What is on a facility's own list, and what becomes of it."""
        day = self._plan.since
        nobody = self._nobody(facility, day)
        for name in listed(form, facility, self._plan.seed):
            own = {form.key[0]: name}
            made = self._registrar.entry(rng, form, nobody, facility.place, day, 0, own=own)
            if made is None:
                continue
            followed = form.id in self._followed
            late = followed and rng.random() < _LATE
            if late:  # the cases of before follow
                made.wave = LAST_WAVE
            yield made
            if late or not followed:
                continue
            later = rng.random()
            if later < _AMENDED:
                yield self._registrar.amended(rng, form, nobody, made, day, LAST_WAVE)
            elif later < _AMENDED + _WITHDRAWN:
                yield self._registrar.withdrawn(form, made, LAST_WAVE)

    def _nobody(self, facility: Facility, day: date) -> Subject:
        return Subject(-1 - facility.place, self._plan.seed, day, False, 0, None)


def _elements_of(form: Form) -> Iterator[Element]:
    """The elements of a form and of its rows."""
    yield from form.all_elements
    for chain in form.group_paths.values():
        yield from chain[-1].elements
