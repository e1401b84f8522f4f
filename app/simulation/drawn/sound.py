"""
Sound entries: drawn element by element, and mended until nothing is wrong with them.

An entry is drawn in an order in which each element comes after those that its conditions read. What is
wrong across elements is then mended by trying other values, one element at a time: each time a check
that is broken is taken at random, and of some values for one of the elements that it reads the one
that leaves the least broken is kept. Most entries need none of it, and few more than three steps.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from app.errors import Unprocessable
from app.registries import expressions
from app.registries.entries import rows_of
from app.registries.findings import Severity
from app.registries.schema import Definition, Element, Form, Group
from app.registries.values.numbers import usual_limits
from app.simulation.drawn import times
from app.simulation.drawn.checks import Check, Checks
from app.simulation.drawn.rows import columns_of, day_of_moment, reader, spelled
from app.simulation.drawn.values import Moment, Values, day_of
from app.simulation.entries import Elements
from app.simulation.meaning import Meaning

STEPS = 80
DRAWS = 12
CANDIDATES = 8
MOST_ROWS = 4
"""Rows of a group, where it need not have more."""


class Sound:
    """Makes sound entries of one form."""

    def __init__(
        self, definition: Definition, form: Form, seed: int, until: date, group: str | None = None
    ) -> None:
        """`until` is the last day on which anything sound happens; with a group, of its rows."""
        self.groups = {
            path: Sound(definition, form, seed, until, path)
            for path in form.group_paths
            if group is None
        }
        self.checks = Checks(definition, form, group)
        self.values = Values(definition, form, seed, group)
        self.chain = form.group_paths[group] if group is not None else ()
        form = self.checks.form
        self.form, self._until = form, until
        columns = self.checks.rows.columns
        self._relevant = {
            one.id: Meaning(expressions.compile(one.relevant_when, columns))
            for one in form.all_elements
            if one.relevant_when is not None
        }
        self._required = {
            one.id: Meaning(expressions.compile(one.required_when, columns))
            for one in form.all_elements
            if one.required_when is not None
        }
        self._behind = {name: one.id for one in form.all_elements for name in columns_of(one)}
        self._keyed = frozenset((*form.key, *form.otherwise_key))
        self._order = tuple(self._ordered())
        self._moved: dict[tuple[int, frozenset[str]], list[Element]] = {}
        self._sentinels = {
            one.id: [reader(one)(said) for said in one.unknown] for one in form.all_elements
        }
        self._limits = {
            one.id: usual_limits(one)
            for one in form.all_elements
            if one.type in ("integer", "decimal")
        }
        self._read = {one.id: reader(one) for one in form.all_elements if one.computed is None}

    def _ordered(self) -> Iterable[Element]:
        """Elements after those that their conditions and distributions read."""
        left = [one for one in self.form.all_elements if one.computed is None]
        own = {one.id for one in left}
        reads = {one.id: self._reads(one) & own for one in left}
        placed: set[str] = set()
        while left:
            ready = [one for one in left if reads[one.id] <= placed] or left[:1]
            for one in ready:
                yield one
                placed.add(one.id)
            left = [one for one in left if one.id not in placed]

    def _reads(self, element: Element) -> set[str]:
        found: set[str] = set()
        for meaning in (self._relevant.get(element.id), self._required.get(element.id)):
            found |= meaning.expression.columns if meaning is not None else set()
        draw = self.values.draws[element.id]
        texts = [draw.equals, *(text for one in draw.cases for text in (one.when, one.equals))]
        for text in filter(None, texts):
            found |= expressions.compile(text, self.checks.rows.columns).columns
        found |= {one.after for one in (draw, *draw.cases) if one.after is not None}
        for name, (meaning, _) in self.checks.rows.own.computed.items():
            if name in found:
                found |= meaning.expression.columns
        return {self._behind.get(one, one) for one in found} - {element.id}

    def entry(
        self,
        rng: Random,
        moment: Moment,
        fixed: Mapping[str, Any],
        received_on: date,
        *,
        parent: Elements | None = None,
        liked: Mapping[str, Any] | None = None,
        free: Iterable[str] = (),
    ) -> Elements:
        """
        A sound entry: nothing is found in it, not even something unusual.

        `fixed` is given and stays, apart from what is named in `free`; `liked` are values to begin
        with. Raises `Unprocessable`, with the rules that were in the way, when none is found.
        """
        stay = frozenset(fixed) - frozenset(free)
        blocked: list[Check] = []
        for attempt in range(DRAWS):
            like = liked if liked is not None and attempt < DRAWS // 2 else {}
            elements = self._drawn(rng, moment, fixed, received_on, parent, like)
            blocked = self._mend(rng, moment, elements, received_on, parent, stay)
            if not blocked:
                break
        soft = all(one.severity is not Severity.REJECT for one in blocked)
        if soft:
            return self._with_rows(rng, moment, elements, received_on)
        named = sorted({one.rule or f"{one.place} ({one.code})" for one in blocked})
        raise Unprocessable(
            f"No sound entry of the form `{self.form.id}` was found: {', '.join(named)} stood in the"
            " way. Say in simulation.yaml how the elements it reads are spread."
        )

    def _with_rows(
        self, rng: Random, moment: Moment, elements: Elements, received_on: date
    ) -> Elements:
        """The entry with rows of its groups, and rows inside those, each sound where it stands."""
        around = self.checks.around(elements, self.checks.rows.of(elements, received_on))
        for sound in self.groups.values():
            *above, group = sound.chain
            path = ".".join(one.id for one in above)
            outer = rows_of({**around, **elements}, path) if above else None
            places = [(elements, around)] if outer is None else [
                (one.row, {**one.around, **one.row}) for one in outer
            ]  # fmt: skip
            for here, known in places:
                if made := sound.some(rng, moment, known, received_on):
                    here[group.id] = made
        return elements

    def some(
        self, rng: Random, moment: Moment, around: Elements, received_on: date
    ) -> list[Elements]:
        """Rows of this group, beside what stands around them; none of them empty."""
        group = self.chain[-1]
        own = {one.id for one in group.elements}
        fixed = {one.id: around.get(one.id) for one in self.form.all_elements if one.id not in own}
        made = []
        for _ in range(rng.randint(group.at_least, most_rows(group))):
            entry = self.entry(rng, moment, fixed, received_on)
            if row := {name: value for name, value in entry.items() if name in own}:
                made.append(row)
        return made

    def amended(
        self, rng: Random, moment: Moment, elements: Elements, received_on: date,
        parent: Elements | None, stay: Iterable[str],
    ) -> Elements:  # fmt: skip
        """A corrected copy: one element another, and sound again; the same when none can be."""
        held = frozenset(stay)
        free = [one for one in self._order if one.id in elements and one.id not in held]
        for _ in range(DRAWS if free else 0):
            element = rng.choice(free)
            told = dict(elements) | {element.id: self.values.any(element, rng, moment)}
            pinned = held | {element.id}
            if told == elements or self._mend(rng, moment, told, received_on, parent, pinned):
                continue
            # What stands around rows may have changed under them.
            if not self.checks.groups or not self.checks.findings(told, received_on, {}):
                return told
        return elements

    def breaking(
        self, rng: Random, moment: Moment, elements: Elements, received_on: date, check: Check,
        stay: Iterable[str], parent: Elements | None,
    ) -> Elements | None:  # fmt: skip
        """A copy in which this check, and nothing else, is broken; None if none is found."""
        for _ in range(3):
            told = dict(elements)
            left = self._mend(rng, moment, told, received_on, parent, frozenset(stay), wanted=check)
            if not left:
                return told
        return None

    def _drawn(
        self, rng: Random, moment: Moment, fixed: Mapping[str, Any], received_on: date,
        parent: Elements | None, liked: Mapping[str, Any],
    ) -> Elements:  # fmt: skip
        elements: Elements = {}
        row = self.checks.rows.of(fixed, received_on, parent)
        computed = self.checks.rows.own.computed
        moment.row = row
        for one in self._order:
            given = one.id in fixed
            value = fixed[one.id] if given else self._value(rng, moment, one, row, liked)
            if value is None:
                continue
            elements[one.id] = value
            self._set(row, one, value)
            if computed:
                self.checks.rows.own.complete(row)
        return {one: elements[one] for one in self._read if one in elements}

    def _value(
        self, rng: Random, moment: Moment, element: Element, row: dict[str, Any],
        liked: Mapping[str, Any],
    ) -> Any:  # fmt: skip
        relevant = self._relevant.get(element.id)
        if relevant is not None and not relevant.holds(row):
            return None
        needed = element.required or element.id in self._keyed
        if element.id in liked and (liked[element.id] is not None or not needed):
            return liked[element.id]
        required = self._required.get(element.id)
        needed = needed or (required is not None and required.holds(row))
        draw = self.values.draws[element.id]
        if not needed and draw.equals is None and rng.random() >= draw.filled:
            return None
        return self.values.draw(element, rng, moment)

    def _set(self, row: dict[str, Any], element: Element, value: Any) -> None:
        typed = self._read[element.id](value) if value is not None else None
        known = typed is None or typed not in self._sentinels[element.id]
        row[element.id] = typed if known else None
        if element.unknown:
            row[f"{element.id}_unknown"] = not known
        if element.type == "datetime":
            row[f"{element.id}_day"] = None if value is None else day_of_moment(value)

    def _mend(
        self, rng: Random, moment: Moment, elements: Elements, received_on: date,
        parent: Elements | None, stay: frozenset[str], wanted: Check | None = None,
    ) -> list[Check]:  # fmt: skip
        """Alter what may be altered until nothing is broken, or what is wanted alone; what still is."""
        rows = self.checks.rows
        row = rows.of(elements, received_on, parent)
        moment.row = row
        latest = self._until if wanted is None else received_on + timedelta(days=4_000)
        amiss = self._amiss(row, self.checks.all, wanted)
        for _ in range(STEPS):
            if not amiss:
                break
            check = rng.choice(amiss)
            movable = self._movable(check, stay)
            if wanted is None:  # to mend an entry, its day is the last thing that moves
                movable = [one for one in movable if one.id != self.form.period] or movable
            if not movable:
                if len(amiss) == 1:
                    break
                continue
            element = rng.choice(movable)
            touched = self.checks.touching(element.id)
            best: tuple[int, float, Any] | None = None
            for _ in range(CANDIDATES):
                value = self._candidate(rng, moment, element, elements, latest)
                self._set(row, element, value)
                rows.own.complete(row)
                scored = (len(self._amiss(row, touched, wanted)), rng.random(), value)
                if best is None or scored[:2] < best[:2]:
                    best = scored
            assert best is not None
            self._set(row, element, best[2])
            rows.own.complete(row)
            self._put(elements, element, best[2])
            amiss = self._amiss(row, self.checks.all, wanted)
        return amiss

    @staticmethod
    def _amiss(row: dict[str, Any], checks: Sequence[Check], wanted: Check | None) -> list[Check]:
        """The checks that are broken and should not be, or the other way round."""
        return [one for one in checks if one.broken(row) is not (one is wanted)]

    def _movable(self, check: Check, stay: frozenset[str]) -> list[Element]:
        """The elements that can break or mend a check, those left aside that must stay."""
        key = (id(check), stay)
        found = self._moved.get(key)
        if found is None:
            found = self._moved[key] = [
                one
                for one in self._order
                if one.id not in stay and check in self.checks.touching(one.id)
            ]
        return found

    @staticmethod
    def _put(elements: Elements, element: Element, value: Any) -> None:
        if value is None:
            elements.pop(element.id, None)
        else:
            elements[element.id] = value

    def _candidate(
        self, rng: Random, moment: Moment, element: Element, elements: Elements, latest: date
    ) -> Any:
        """Another value, or none; a day near another of the entry, a number near another."""
        if not element.required and element.id not in self._keyed and rng.random() < 0.25:
            return None
        if element.type == "date" and rng.random() < 0.6:
            return day_of(element, self._near(rng, element, elements, latest))
        if element.type == "datetime" and rng.random() < 0.6:
            return self._nearby(rng, moment, element, elements, latest)
        if element.id in self._limits and rng.random() < 0.3:
            others = [
                Decimal(str(elements[one]))
                for one in self._limits
                if one in elements and one != element.id
            ]
            if others:
                low, high = self._limits[element.id]
                number = rng.choice(others) + rng.choice((-1, 0, 0, 1)) * rng.choice((1, 10))
                if low <= number <= high:
                    return spelled(element, number)
        return self.values.any(element, rng, moment)

    def _near(self, rng: Random, element: Element, elements: Elements, latest: date) -> date:
        days = [
            date.fromisoformat(elements[one.id]) for one in self._order
            if one.type == "date" and one.id in elements and one.id != element.id
            and one.identity != "birth_date"  # a planted identity is nobody's other day
        ] or [latest]  # fmt: skip
        reach = rng.choice((0, 1, 10, 100, 1_000, 20_000))
        at = rng.choice(days).toordinal() + rng.randint(-reach, reach)
        earliest = date(1900, 1, 1).toordinal()
        return date.fromordinal(min(max(at, earliest), latest.toordinal()))

    def _nearby(
        self, rng: Random, moment: Moment, element: Element, elements: Elements, latest: date
    ) -> str:
        """A time near another of the entry, or on another of its days."""
        others = [
            self._read[one.id](elements[one.id]) for one in self._order
            if one.type == "datetime" and one.id in elements and one.id != element.id
        ]  # fmt: skip
        if others and rng.random() < 0.5:
            reach = rng.choice((0, 1, 60, 3_600, 86_400, 10_000_000))
            return times.told(moment.facility, rng.choice(others) + rng.randint(-reach, reach))
        day = self._near(rng, element, elements, latest)
        return times.told(moment.facility, times.on_day(rng, moment.facility, day))


def most_rows(group: Group) -> int:
    """How many rows of a group an entry has at most."""
    return min(group.at_most, max(group.at_least, MOST_ROWS))
