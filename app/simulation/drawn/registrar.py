"""
Who fills in the forms: one entry of a form, and what is told again of the same.

Keys are unlike each other across all that is filled in, but for a few that are left to the form's
other key. The dice are those of the subject or facility that the entry is about.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from random import Random
from typing import Any

from app.errors import Unprocessable
from app.registries.schema import Definition, Form
from app.simulation.drawn.flaws import EMPTY, Flaws
from app.simulation.drawn.rows import columns_of
from app.simulation.drawn.sound import Sound
from app.simulation.drawn.subjects import Subject
from app.simulation.drawn.values import Moment, day_of, fitted
from app.simulation.entries import Elements, Entry, Expected
from app.simulation.people import code
from app.simulation.places import Places
from app.simulation.plan import Plan

_OTHERWISE = 0.15
"""How often an entry has the form's other key."""
_SAVED = 0.5
"""The share of the elements that a draft has."""
_PATIENCE = 40
"""Entries of a form that cannot be made sound before nothing more is tried, if most cannot."""


class Registrar:
    """Fills in the forms of a registry, for every facility of a nation."""

    def __init__(self, plan: Plan, definition: Definition, places: Places, today: date) -> None:
        self._seed, self._definition, self._places = plan.seed, definition, places
        self._today = today
        forms = definition.entry_forms
        self._sound = {form.id: Sound(definition, form, plan.seed, plan.until) for form in forms}
        self._flaws = {
            form.id: Flaws(definition, form, self._sound[form.id], today) for form in forms
        }
        self._keys: set[tuple[int, str, str]] = set()
        self._serial = 0
        self._asked: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._stays = {form.id: self._staying(form) for form in forms}

    @property
    def planted(self) -> dict[str, dict[str, int]]:
        """Form -> kind of flaw -> how often it was planted."""
        return {form: dict(sorted(flaws.planted.items())) for form, flaws in self._flaws.items()}

    def beside(self, entry: Entry, case: Elements) -> list[Expected]:
        """What is found in a follow-up only when its case is known."""
        checks = self._sound[entry.form].checks
        if not checks.looks_at_parent or entry.action != "submit":
            return []
        return checks.beside(entry.elements, self._today, case)

    def entry(
        self, rng: Random, form: Form, subject: Subject, place: int, on: date, wave: int,
        liked: Mapping[str, Any] = EMPTY, case: Entry | None = None, own: Mapping[str, Any] = EMPTY,
    ) -> Entry | None:  # fmt: skip
        """
        A sound entry, with what is `liked` where it may be and `own` elements it must have; a
        follow-up's is of a case. None where it would have another's key.
        """
        facility = self._places.facilities[place]
        fixed = {**subject.identity(form, place, facility.number), **own}
        if form.period is not None and form.by_id[form.period].type == "date":
            fixed.setdefault(form.period, day_of(form.by_id[form.period], on))
        if case is not None:
            for name in self._of_parent(form):
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
                parent=case.elements if case is not None else None, liked={**kept, **liked}, free=free,
            )  # fmt: skip
        except Unprocessable:
            self._failed[form.id] += 1
            if (
                self._failed[form.id] > _PATIENCE
                and 2 * self._failed[form.id] > self._asked[form.id]
            ):
                raise
            return None
        subject.learn(form, elements)
        key = self._key(form, elements)
        if (place, form.id, key) in self._keys and form.key:
            return None
        self._keys.add((place, form.id, key))
        entry = Entry(
            facility=place, form=form.id, action="submit", elements=elements, key=key, wave=wave,
            person=subject.serial,
        )  # fmt: skip
        entry.findings = tuple(self._sound[form.id].checks.findings(elements, self._today, {}))
        if case is not None:
            entry.key, entry.follow_up = case.key, key
        return entry

    def flawed(
        self, rng: Random, form: Form, subject: Subject, sound: Entry, on: date,
        parent: Elements | None = None,
    ) -> Entry:  # fmt: skip
        """The entry with a planted flaw; what is accepted all the same is what the truth has."""
        moment = self._moment(subject, sound.facility, on)
        door = self._places.facilities[sound.facility].door
        moment.row = self._sound[form.id].checks.rows.of(sound.elements, self._today, parent)
        elements, found = self._flaws[form.id].plant(rng, moment, sound.elements, door, parent)
        made = again(sound, elements, sound.wave)
        made.findings = found
        return made

    def amended(
        self, rng: Random, form: Form, subject: Subject, made: Entry, on: date, wave: int
    ) -> Entry:
        """The entry with something else told, and sound as before."""
        moment = self._moment(subject, made.facility, on)
        told = self._sound[form.id].amended(
            rng, moment, made.elements, self._today, None, self._stays[form.id]
        )
        return again(made, told, wave)

    def draft(self, rng: Random, form: Form, made: Entry) -> Entry:
        """What was saved of the entry before it was whole."""
        stays = self._stays[form.id]
        told = {
            name: value
            for name, value in made.elements.items()
            if name in stays or rng.random() < _SAVED
        }
        saved = again(made, told, made.wave)
        saved.action, saved.findings = "save", ()
        return saved

    def withdrawn(self, form: Form, made: Entry, wave: int) -> Entry:
        """The entry that takes another back: what says which it is."""
        facility = form.with_identity("facility")
        names = {
            *form.key,
            *form.otherwise_key,
            *self._of_parent(form),
            facility.id if facility else "",
        }
        told = {name: value for name, value in made.elements.items() if name in names}
        gone = again(made, told, wave)
        gone.action, gone.findings = "withdraw", ()
        return gone

    def _staying(self, form: Form) -> frozenset[str]:
        """What no correction alters: who, which, when, and what follow-ups are held against."""
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
        return frozenset(
            {
                *form.key,
                *form.otherwise_key,
                *self._of_parent(form),
                *told,
                *read,
                form.period or "",
            }
        )

    def _of_parent(self, form: Form) -> tuple[str, ...]:
        """The key of the form that a follow-up's case has."""
        return self._definition.form(form.parent).key if form.parent else ()

    def _moment(self, subject: Subject, place: int, on: date) -> Moment:
        return Moment(self._places.facilities[place], on, {}, str(subject.serial))

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
                told[name] = fitted(element, rng, kind + code(1, self._serial, self._seed))
        if form.otherwise_key and rng.random() < _OTHERWISE:
            parent = self._of_parent(form)
            for name in form.key:
                if name not in parent and not form.by_id[name].required:
                    told[name] = None
        return told

    def _key(self, form: Form, elements: Elements) -> str:
        own = form.key
        other = bool(form.otherwise_key) and any(one not in elements for one in own)
        names = dict.fromkeys((*self._of_parent(form), *(form.otherwise_key if other else own)))
        parts = [str(elements.get(one, "")) for one in names]
        return " ".join([*parts, "otherwise"] if other else parts)


def again(entry: Entry, elements: Elements, wave: int) -> Entry:
    """Another entry about the same, which tells these elements."""
    return Entry(
        facility=entry.facility, form=entry.form, action="submit", elements=elements,
        key=entry.key, wave=wave, person=entry.person, follow_up=entry.follow_up,
        findings=entry.findings if elements is entry.elements else (),
    )  # fmt: skip
