"""
Planted flaws: one thing made wrong in a sound entry, and everything that must be found because of it.

Every kind of flaw that a form can carry has its turn: values of a wrong type, out of range, of no value
set, left out where needed, given where out of place, against each rule, unknown to the form, of nobody.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import date
from random import Random
from types import MappingProxyType
from typing import Any

from app.registries.entries import rows_of
from app.registries.findings import FindingCode, Severity
from app.registries.rows import PARENT
from app.registries.schema import Definition, Element, Form
from app.simulation.drawn import spoils
from app.simulation.drawn.checks import Check
from app.simulation.drawn.sound import Sound
from app.simulation.drawn.spoils import Spoil, Spoiled, expected
from app.simulation.drawn.values import Moment
from app.simulation.entries import Elements, Expected

NAMED_DOORS = frozenset({"json", "ndjson", "single", "fhir"})
"""Where an element travels by its name, entry by entry."""
ONLY_NAMED = frozenset({"unknown element", "no rows"})
"""What cannot be said elsewhere."""

EMPTY: Mapping[str, None] = MappingProxyType({})


class Flaws:
    """Plants flaws in entries of one form, each kind in its turn."""

    def __init__(self, definition: Definition, form: Form, sound: Sound, today: date) -> None:
        """Of a form, or of the rows of a group if `sound` makes these."""
        form = sound.form
        self._definition, self._form, self._sound, self._today = definition, form, sound, today
        self._own = {one.id for one in (sound.chain[-1] if sound.chain else form).elements}
        parent = definition.form(form.parent).key if form.parent else ()
        self._key = frozenset((*form.key, *parent))
        self._keys = self._key | frozenset(form.otherwise_key)
        self._alone: set[str] = set()
        self._kinds = dict(self._listed())
        self._turn: list[str] = []
        self.planted: dict[str, int] = dict.fromkeys(self._kinds, 0)
        """Kind of flaw -> how often it was planted."""

    def plant(
        self, rng: Random, moment: Moment, elements: Elements, door: str, parent: Elements | None
    ) -> tuple[Elements, tuple[Expected, ...]]:
        """The entry with a flaw, now and then with two, and all that must be found in it."""
        told, found, unusable = dict(elements), list[Expected](), dict[str, None]()
        wanted = 2 if rng.random() < 0.1 else 1
        done = 0
        for _ in range(2 * len(self._kinds)):
            kind = self._next(rng)
            if kind in ONLY_NAMED and door not in NAMED_DOORS:
                continue
            alone = kind in self._alone
            if alone and done:
                continue
            spoiled = self._kinds[kind](rng, moment, dict(told), parent)
            if spoiled is None:
                continue
            if not spoiled.found and not spoiled.later and not self._told(spoiled.elements):
                continue
            if {one.place for one in spoiled.found} & {one.place for one in found}:
                continue
            if spoiled.unusable is not None and spoiled.unusable in unusable:
                continue
            told = spoiled.elements
            found += spoiled.found
            if spoiled.unusable is not None:
                unusable[spoiled.unusable] = None
            self.planted[kind] += 1
            done += 1
            if done == wanted or alone:
                break
        return told, (*found, *self._told(told, found, unusable))

    def _told(
        self, told: Elements, found: Sequence[Expected] = (), unusable: Mapping[str, None] = EMPTY
    ) -> list[Expected]:
        """What must be found beside what is wrong with single values."""
        checks = self._sound.checks
        more = checks.findings(told, self._today, unusable)
        rejected = any(one.severity == Severity.REJECT for one in (*found, *more))
        if not rejected and not checks.says_who(told):
            more.append(expected(checks.identity_place, FindingCode.NO_IDENTITY))
        return more

    def _next(self, rng: Random) -> str:
        if not self._turn:
            self._turn = list(self._kinds)
            rng.shuffle(self._turn)
        return self._turn.pop()

    def _listed(self) -> Iterator[tuple[str, Spoil]]:
        form, in_rows = self._form, bool(self._sound.chain)
        sent = [
            one
            for one in form.all_elements
            if one.computed is None
            and one.identity != "facility"
            and (not in_rows or one.id in self._own)
        ]
        plain = [one for one in sent if one.id not in self._keys and one.identity is None]

        def each(kind: str, some: list[Element], spoil: Callable[..., Any]) -> Iterator[Any]:
            def one_of(rng: Random, moment: Moment, told: Elements, _: Any) -> Spoiled | None:
                given = [one for one in some if one.id in told]
                made: Spoiled | None = spoil(rng, rng.choice(given), told) if given else None
                return made

            if some:
                yield kind, one_of

        needed = [one for one in sent if one.required or (
            one.id in form.key and not form.otherwise_key
        )]  # fmt: skip
        yield from each("left out", needed, spoils.left_out)
        conditional = [one for one in plain if one.required_when and not one.required]
        yield from each("left out though needed", conditional, spoils.taken_away)
        self._alone.add("left out though needed")
        for kind in ("code", "codes"):
            some = [one for one in sent if one.type == kind and one.list is None]
            yield from each(f"unknown {kind}", some, self._unknown_code)
        yield from each("repeated code", [o for o in sent if o.type == "codes"], self._repeated)
        exclusive = [one for one in sent if one.type == "codes" and self._exclusive(one)]
        yield from each("beside an exclusive code", exclusive, self._beside_exclusive)
        retired = [one for one in plain if one.type == "code" and self._retired(one)]
        yield from each("retired code", retired, self._use_retired)
        yield from each(
            "word for a whole number", [o for o in sent if o.type == "integer"], spoils.word
        )
        yield from each("word for a number", [o for o in sent if o.type == "decimal"], spoils.word)
        yield from each("word for a boolean", [o for o in sent if o.type == "boolean"], spoils.word)
        yield from each("part of a whole", [o for o in sent if o.type == "integer"], spoils.half)
        finer = [one for one in plain if one.type == "decimal" and one.scale < 6]
        yield from each("too many decimals", finer, spoils.too_fine)
        limited = [o for o in sent if o.type in ("integer", "decimal") and o.range and o.range.hard]
        yield from each("out of range", limited, spoils.too_much)
        unusual = [one for one in plain if spoils.odd(one) is not None]
        yield from each("unusual", unusual, spoils.unusual)
        yield from each("no day", [one for one in sent if one.type == "date"], spoils.no_day)
        times = [one for one in sent if one.type == "datetime"]
        yield from each("no time of day", times, spoils.no_moment)
        yield from each("no NPI", [one for one in sent if one.type == "npi"], spoils.no_npi)
        yield from each("too long", [one for one in sent if one.type == "text"], spoils.too_long)
        patterned = [one for one in sent if one.type == "text" and spoils.against(one) is not None]
        yield from each("against the pattern", patterned, spoils.against_pattern)
        alone: dict[str, Spoil] = {}
        if hidden := [one for one in plain if one.relevant_when]:
            alone["out of place"] = self._out_of_place(hidden)
        for check in self._sound.checks.all:
            if check.rule is not None:
                alone[f"against rule {check.rule}"] = self._against(check)
        if not in_rows:
            alone["unknown element"] = spoils.stranger
            if not self._sound.checks.says_who({}):
                alone["of nobody"] = self._nobody
            for group in form.all_groups:
                alone["no rows"] = _no_rows(group.id)
                if group.at_least:
                    yield f"{group.id} left out", _no_group(group.id)
            for path, sound in self._sound.groups.items():
                inner = Flaws(self._definition, form, sound, self._today)
                for kind, spoil in inner.kinds.items():
                    alone[f"{path}: {kind}"] = _in_a_row(path, spoil, inner.own)
        self._alone |= alone.keys()
        yield from alone.items()

    @property
    def kinds(self) -> Mapping[str, Spoil]:
        """Each kind of flaw, and how it is made."""
        return self._kinds

    @property
    def own(self) -> Set[str]:
        """The elements that can carry a flaw."""
        return self._own

    # --- kinds that need the definition ---

    def _unknown_code(self, _: Random, element: Element, told: Elements) -> Spoiled | None:
        values = self._definition.value_set(element)
        assert values is not None
        wrong = next(one for one in ("QQ", "QZ", "ZQX") if one not in values.labels)
        value = [wrong] if element.type == "codes" else wrong
        return spoils.changed(told, element, value, FindingCode.NOT_IN_VALUE_SET)

    def _exclusive(self, element: Element) -> list[str]:
        values = self._definition.value_set(element)
        alone = [one for one in values.exclusive if one in values.allowed] if values else []
        return alone if values and len(alone) < len(values.allowed) else []

    def _beside_exclusive(self, rng: Random, element: Element, told: Elements) -> Spoiled | None:
        values = self._definition.value_set(element)
        assert values is not None
        alone = self._exclusive(element)
        others = [one for one in values.allowed if one not in values.exclusive]
        wrong = [rng.choice(others), rng.choice(alone)]
        return spoils.changed(told, element, wrong, FindingCode.EXCLUSIVE_CODE)

    def _repeated(self, rng: Random, element: Element, told: Elements) -> Spoiled | None:
        codes = told.get(element.id)
        if not isinstance(codes, list):
            return None
        return spoils.changed(told, element, [codes[0], codes[0]], FindingCode.REPEATED_CODE)

    def _retired(self, element: Element) -> list[str]:
        values = self._definition.value_set(element)
        return [one.code for one in values.codes if one.retired] if values else []

    def _use_retired(self, rng: Random, element: Element, told: Elements) -> Spoiled | None:
        if element.id not in told:
            return None
        told[element.id] = rng.choice(self._retired(element))
        return Spoiled(told, expected(element.id, FindingCode.RETIRED_CODE))

    def _out_of_place(self, hidden: list[Element]) -> Spoil:
        def spoil(rng: Random, moment: Moment, told: Elements, _: Any) -> Spoiled | None:
            element = rng.choice(hidden)
            if element.id in told:
                return None
            told[element.id] = self._sound.values.any(element, rng, moment)
            return Spoiled(told)

        return spoil

    def _against(self, check: Check) -> Spoil:
        later = any(name.startswith(PARENT) for name in check.reads)
        stay: frozenset[str] = frozenset()
        if check.severity is not Severity.REJECT:
            # It is accepted: who and when must stay what the truth takes them for.
            who = {one.id for one in self._form.all_elements if one.identity is not None}
            when = (
                {self._form.period} if self._form.level == "case" and self._form.period else set()
            )
            stay = frozenset(who | when)

        def spoil(
            rng: Random, moment: Moment, told: Elements, parent: Elements | None
        ) -> Spoiled | None:
            wrong = self._sound.breaking(
                rng, moment, told, self._today, check, stay | self._fixed(told), parent
            )
            return Spoiled(wrong, later=later) if wrong is not None else None

        return spoil

    def _fixed(self, told: Elements) -> frozenset[str]:
        """What a flaw leaves as it is: the key, or what stands for it; of a row what is around it."""
        if self._sound.chain:
            return frozenset(self._form.by_id.keys() - self._own)
        return self._key if self._key <= told.keys() else self._keys

    def _nobody(self, rng: Random, moment: Moment, told: Elements, _: Any) -> Spoiled | None:
        for one in self._form.all_elements:
            if one.identity in ("national_id", "local_id"):
                if one.required or one.id in self._keys:
                    return None
                told.pop(one.id, None)
        return Spoiled(told)


def _no_rows(group: str) -> Spoil:
    def spoil(_: Random, __: Moment, told: Elements, ___: Any) -> Spoiled | None:
        if group not in told:
            return None
        told[group] = "none"
        return Spoiled(told, expected(group, FindingCode.NOT_ROWS), unusable=group)

    return spoil


def _no_group(group: str) -> Spoil:
    def spoil(_: Random, __: Moment, told: Elements, ___: Any) -> Spoiled | None:
        if told.pop(group, None) is None:
            return None
        return Spoiled(told, expected(group, FindingCode.MISSING), unusable=group)

    return spoil


def _in_a_row(path: str, spoil: Spoil, own: Set[str]) -> Spoil:
    """A flaw in some row of a group."""

    def in_a_row(rng: Random, moment: Moment, told: Elements, _: Any) -> Spoiled | None:
        told = copy.deepcopy(told)
        rows = rows_of(told, path)
        if not rows:
            return None
        one = rng.choice(rows)
        spoiled = spoil(rng, moment, {**one.around, **one.row}, None)
        if spoiled is None or not own & spoiled.elements.keys():
            return None  # a row of nothing would be no row
        for name in own:
            one.row.pop(name, None)
        one.row.update({name: value for name, value in spoiled.elements.items() if name in own})
        found = [replace(each, place=one.place + each.place) for each in spoiled.found]
        unusable = None if spoiled.unusable is None else one.place + spoiled.unusable
        return Spoiled(told, *found, unusable=unusable)

    return in_a_row
