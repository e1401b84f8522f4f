"""
Decision tables: what follows from a situation, as rows that a committee can read and sign.

A table has inputs, each an expression over elements with the values it may have, and rows: cells
say for which values a row holds, `then` says what follows. A row says nothing of an input it does
not name. Rows are read as DMN's hit policies *any* (rows that hold at once must agree) or *first*
(OMG Decision Model and Notation 1.3, 8.2.8.1). A table is complete: each situation made of given
values has a row, unless `otherwise` says what follows of the rest; `complaints` finds the situation
that has none, or two that disagree.

One table is run as SQL (`expression`) and in Python (`decide`), and the two agree.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.registries.parts import Expression, Identifier, Limits, Part, Source

Value = str | bool | Decimal | None
"""What an input may be, as a row sees it; None is what was not given."""

MOST_SITUATIONS = 100_000
"""A table that would need a look at more is to be split."""

MOST_LOOKS = 1_000_000
"""Likewise of its situations, each looked at in every row."""

_COMPARISON = re.compile(r"\s*(<=|>=|<|>|=|)\s*(-?\d{1,18}(?:\.\d{1,18})?)\s*", re.ASCII)
_OPERATORS = {"<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__", "=": "__eq__"}


class Input(Part):
    """One thing a table looks at."""

    id: Identifier
    title: str = ""
    expression: Expression | None = None
    """Over the form's columns; the column of the input's own name when left out."""
    values: tuple[str, ...] = ()
    """The codes it may have; for a boolean `true` and `false`."""
    numbers: Limits | None = None
    """For a number: the lowest and highest it may be."""
    unit: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Input:
        if bool(self.values) == (self.numbers is not None):
            raise ValueError("an input has either `values` or `numbers`")
        if len(set(self.values)) < len(self.values):
            raise ValueError("a value is named twice")
        if self.numbers is not None:
            low, high = self.numbers.low, self.numbers.high
            for end in (low, high):
                if end is not None and not _plain(end):
                    raise ValueError("a limit has at most 18 digits before and after the point")
            if low is not None and high is not None and low > high:
                raise ValueError("the lowest number is above the highest")
        return self

    @property
    def boolean(self) -> bool:
        return bool(self.values) and set(self.values) <= {"true", "false"}

    @property
    def text(self) -> str:
        """The SQL it is read by."""
        return self.expression or self.id


class Output(Part):
    """One thing a table tells."""

    id: Identifier
    title: str = ""
    type: Literal["code", "text", "integer", "decimal", "boolean"] = "code"
    scale: Annotated[int, Field(ge=0, le=9)] = 0

    def value(self, text: str | None) -> Value:
        """What a row wrote, as a value; ValueError when it is none of this type."""
        if text is None or self.type in ("code", "text"):
            return text
        if self.type == "boolean":
            if text not in ("true", "false"):
                raise ValueError("is neither `true` nor `false`")
            return text == "true"
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise ValueError("is no number") from None
        if not _plain(number):
            raise ValueError("is no number of at most 18 digits before and after the point")
        scale = -int(number.as_tuple().exponent)
        if scale > (self.scale if self.type == "decimal" else 0):
            raise ValueError("is no number with so many decimals")
        return number

    def sql(self, text: str | None) -> str:
        """What a row wrote, as a literal."""
        value = self.value(text)
        if value is None:
            return "NULL"
        if isinstance(value, Decimal):
            return f"{value:.{self.scale if self.type == 'decimal' else 0}f}"
        return _spelled(value).upper() if isinstance(value, bool) else _quoted(value)


Cell = str | tuple[str, ...]
"""A code or codes, `true`, `< 6`, `>= 6, < 8`, `given`, `missing`."""


class Row(Part):
    """What follows when every cell holds. `missing` and `given` say whether a value is known."""

    when: dict[Identifier, Cell] = Field(default_factory=dict)
    then: dict[Identifier, str | None]
    label: str = ""
    source: Source = "confirmed"
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class _Test:
    """One cell, understood."""

    known: bool | None
    """True: any given value; False: only a missing one; None: `among` and `limits` say."""
    among: tuple[str, ...] = ()
    limits: tuple[tuple[str, Decimal], ...] = ()

    def holds(self, value: Value) -> bool:
        if self.known is not None:
            return (value is not None) is self.known
        if value is None:
            return False
        if self.among:
            return _spelled(value) in self.among
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        return all(bool(getattr(number, _OPERATORS[sign])(limit)) for sign, limit in self.limits)

    def sql(self, one: Input) -> str:
        text = f"({one.text})" if one.expression else one.text
        if self.known is not None:
            return f"{text} IS {'NOT ' if self.known else ''}NULL"
        if one.boolean:
            wanted = [text if value == "true" else f"NOT {text}" for value in self.among]
            return "(" + " OR ".join(wanted) + ")"
        if self.among:
            quoted = ", ".join(map(_quoted, self.among))
            return f"{text} IN ({quoted})"
        # Never with an exponent, as which SQL reads a number of another type.
        return " AND ".join(f"{text} {sign} {limit:f}" for sign, limit in self.limits)


def _plain(number: Decimal) -> bool:
    """Whether a number can be written out in a few signs."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -18 and number.adjusted() < 18


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _spelled(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(one: Input, cell: Cell) -> _Test:
    """What a cell says; ValueError in words for a steward."""
    if cell in ("given", "missing"):
        return _Test(known=cell == "given")
    if not cell:
        raise ValueError(f"names no value of `{one.id}`; leave it out where any will do")
    if one.numbers is None:
        among = cell if isinstance(cell, tuple) else (cell,)
        for value in among:
            if value not in one.values:
                raise ValueError(f"`{value}` is no value of `{one.id}`")
        return _Test(known=None, among=among)
    parts = cell.split(",") if isinstance(cell, str) else list(cell)
    found = [_COMPARISON.fullmatch(part) for part in parts]
    if not all(found):
        raise ValueError(f"`{one.id}` is a number: write `< 6` or `>= 6, < 8`")
    return _Test(
        known=None, limits=tuple((part[1] or "=", Decimal(part[2])) for part in found if part)
    )


class DecisionTable(Part):
    """A table. In a definition a derived column names the output it takes; in a reporting module a
    computed element does."""

    id: Identifier
    title: str
    description: str = ""
    hit: Literal["any", "first"] = "any"
    inputs: Annotated[tuple[Input, ...], Field(min_length=1, max_length=20)]
    outputs: Annotated[tuple[Output, ...], Field(min_length=1, max_length=20)]
    rows: Annotated[tuple[Row, ...], Field(min_length=1, max_length=500)]
    otherwise: dict[Identifier, str | None] | None = None
    """What follows when no row holds. Without it a missing value gives nothing."""
    source: Source = "confirmed"
    reference: str | None = None

    @cached_property
    def _inputs(self) -> dict[str, Input]:
        return {one.id: one for one in self.inputs}

    @cached_property
    def _tests(self) -> tuple[dict[str, _Test], ...]:
        return tuple(
            {name: _read(self._inputs[name], cell) for name, cell in row.when.items()}
            for row in self.rows
        )

    def row_of(self, values: Mapping[str, Value]) -> int | None:
        """Which row holds for a situation (0-based), the first of them; None when none does."""
        for number, tests in enumerate(self._tests):
            if all(test.holds(values.get(name)) for name, test in tests.items()):
                return number
        return None

    def decide(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """What follows of a situation: output -> value, None where the table says nothing."""
        number = self.row_of(values)
        then = (self.otherwise or {}) if number is None else self.rows[number].then
        return {one.id: one.value(then.get(one.id)) for one in self.outputs}

    def expression(self, output: str) -> str:
        """The SQL of one output, over the form's columns."""
        one = next(one for one in self.outputs if one.id == output)
        branches = []
        for row, tests in zip(self.rows, self._tests, strict=True):
            when = " AND ".join(test.sql(self._inputs[name]) for name, test in tests.items())
            branches.append(f"WHEN {when or 'TRUE'} THEN {one.sql(row.then.get(output))}")
        rest = one.sql((self.otherwise or {}).get(output))
        return f"CASE {' '.join(branches)} ELSE {rest} END"

    def complaints(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """What is wrong with it, each with its place within the table."""
        broken = False
        for kind, names in (
            ("inputs", [one.id for one in self.inputs]),
            ("outputs", [one.id for one in self.outputs]),
        ):
            seen = set[str]()
            for number, name in enumerate(names):
                if name not in seen:
                    seen.add(name)
                else:
                    broken = True
                    yield (kind, number), f"`{name}` is declared twice"
        outputs = {one.id: one for one in self.outputs}
        for number, row in enumerate(self.rows):
            for name, cell in row.when.items():
                if name not in self._inputs:
                    broken = True
                    yield ("rows", number, "when", name), f"there is no input `{name}`"
                    continue
                try:
                    _read(self._inputs[name], cell)
                except ValueError as refused:
                    broken = True
                    yield ("rows", number, "when", name), str(refused)
            yield from self._then(("rows", number, "then"), row.then, outputs)
        if self.otherwise is not None:
            yield from self._then(("otherwise",), self.otherwise, outputs)
        if not broken:
            yield from self._holes()

    def _then(
        self,
        place: tuple[str | int, ...],
        then: Mapping[str, str | None],
        outputs: Mapping[str, Output],
    ) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for name, text in then.items():
            if name not in outputs:
                yield (*place, name), f"there is no output `{name}`"
                continue
            try:
                outputs[name].value(text)
            except ValueError as refused:
                yield (*place, name), str(refused)

    def _holes(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """The first situation without a row, and the first in which rows disagree."""
        points = {one.id: tuple(self._points(one)) for one in self.inputs}
        count = 1
        for found in points.values():
            count *= len(found)
        looks = count * len(self.rows)
        if count <= MOST_SITUATIONS and looks > MOST_LOOKS:
            yield (
                ("rows",),
                f"has {count} situations to look at in {len(self.rows)} rows, more than {MOST_LOOKS}"
                " together: split it",
            )
            return
        if count > MOST_SITUATIONS:
            yield (
                ("rows",),
                f"has {count} situations to look at, more than {MOST_SITUATIONS}: split it",
            )
            return
        used = set[int]()
        hole = clash = False
        for combination in itertools.product(*points.values()):
            values = dict(zip(points, combination, strict=True))
            held = [
                number
                for number, tests in enumerate(self._tests)
                if all(test.holds(values.get(name)) for name, test in tests.items())
            ]
            used.update(held[:1] if self.hit == "first" else held)
            if not held and self.otherwise is None and None not in combination and not hole:
                hole = True
                yield ("rows",), f"no row holds when {_told(values)}"
            if self.hit == "any" and not clash:
                for other in held[1:]:
                    if self.rows[other].then != self.rows[held[0]].then:
                        clash = True
                        yield (
                            ("rows", other),
                            f"disagrees with row {held[0] + 1} when {_told(values)}",
                        )
                        break
        for number in range(len(self.rows)):
            if number not in used:
                yield ("rows", number), "never holds"

    def _points(self, one: Input) -> Iterator[Value]:
        """Values of an input between which no row can tell: each code, or numbers at and between
        the limits its cells name; and none at all."""
        yield None
        if one.numbers is None:
            for value in one.values:
                yield value == "true" if one.boolean else value
            return
        low, high = one.numbers.low, one.numbers.high
        cuts = sorted(
            {limit for tests in self._tests if one.id in tests for _, limit in tests[one.id].limits}
            | {end for end in (low, high) if end is not None}
        )
        found = list[Decimal]()
        for before, after in itertools.pairwise([None, *cuts, None]):
            if before is not None:
                found.append(before)
            if before is not None and after is not None:
                found.append((before + after) / 2)
            elif before is not None:
                found.append(before + 1)
            elif after is not None:
                found.append(after - 1)
        for number in found or [Decimal(0)]:
            if (low is None or number >= low) and (high is None or number <= high):
                yield number


def _told(values: Mapping[str, Value]) -> str:
    return ", ".join(
        f"`{name}` is {'missing' if value is None else _spelled(value)}"
        for name, value in values.items()
    )
