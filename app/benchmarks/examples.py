"""
Worked examples: cases in, counts out, through the engine that runs in production.

All examples of a definition are observed at once, each with facilities and subjects of its own, so
that none sees another's.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from app.benchmarks.engine import Engine
from app.benchmarks.measures import tabulation
from app.benchmarks.observe import Rows, observe
from app.benchmarks.rates import Counts
from app.registries import expressions
from app.registries.case_mix import combinations
from app.registries.entries import FormCheck
from app.registries.measure import Counts as Expected
from app.registries.measure import Example, Measure
from app.registries.rows import rule_columns, sql_columns, structure
from app.registries.schema import Definition, Form


@dataclass(frozen=True, slots=True)
class Miscounted:
    """An example that does not count what it says."""

    place: tuple[str | int, ...]
    """Where in the definition the expectation stands."""
    says: str


def miscounted(engine: Engine, definition: Definition) -> Iterator[Miscounted]:
    """Every expectation of a definition's worked examples that does not come out."""
    examples = [
        (("measures", number, "examples", inner), measure, example)
        for number, measure in enumerate(definition.measures)
        for inner, example in enumerate(measure.examples)
    ]
    if not examples:
        return
    numbers, drafting = Numbers(), Drafting(definition)
    with duckdb.connect() as connection:
        sent = [
            version
            for place, (_, measure, example) in enumerate(examples)
            for version in versions(connection, drafting, measure, example, place, numbers)
        ]
    rows = observe(engine, tabulation(definition), sent)
    for place, (at, measure, example) in enumerate(examples):
        for number, expected in enumerate(example.expect):
            facility = numbers.of("facility", place, expected.facility)
            for says in _differing(rows, definition, measure, facility, expected):
                yield Miscounted(
                    (*at, "expect", number), f"`{measure.id}`, {example.title!r}: {says}"
                )


def _differing(
    rows: Rows, definition: Definition, measure: Measure, facility: int, expected: Expected
) -> Iterator[str]:
    """What one expectation says, where it is not what was counted."""
    unit = Decimal(10) ** measure.scale
    said = {name: getattr(expected, name) for name in expected.model_fields_set}
    counted: dict[str, Any] = {}
    if expected.case_mix is not None:
        cases, events = of_levels(rows, measure, facility, expected.case_mix)
        said = {"denominator": expected.denominator, "numerator": expected.numerator}
        counted = {"denominator": cases, "numerator": events}
    else:
        found = totals(rows, definition, measure, facility, expected.stratum)
        for name in ("initial_population", "denominator", "numerator", "exclusions", "exceptions"):
            counted[name] = getattr(found, name)
        if "sum" in said and "observations" not in said:
            said["observations"] = expected.denominator
        counted["observations"] = found.observations
        counted["sum"] = found.total / unit
        counted["sum_of_squares"] = found.total_of_squares / (unit * unit)
        if "histogram" in said:
            bins = [
                array(row.bins)
                for row in rows.histograms
                if (row.facility_id, row.measure_id) == (facility, measure.id)
            ]
            counted["histogram"] = tuple(map(sum, zip(*bins, strict=True)))
    for name, value in said.items():
        if name in counted and value is not None and value != counted[name]:
            yield f"`{name}` comes to {_told(counted[name])}, not {_told(value)}"


def _told(value: Any) -> str:
    return str(value.normalize()) if isinstance(value, Decimal) else str(value)


class Numbers:
    """Numbers for facilities, subjects and cases, so that many examples stand side by side."""

    def __init__(self) -> None:
        self.given: dict[tuple[str, int, str], int] = {}

    def of(self, kind: str, example: int, name: str) -> int:
        return self.given.setdefault((kind, example, name), 100_001 + len(self.given))


@dataclass
class Drafting:
    """Makes of what anybody would send what `check` would keep."""

    definition: Definition
    checks: dict[str, FormCheck] = field(default_factory=dict)
    computing: dict[str, str] = field(default_factory=dict)
    """Form -> SQL that works out its computed elements."""

    def canonical(
        self, connection: duckdb.DuckDBPyConnection, form: Form, sent: dict[str, Any]
    ) -> dict[str, Any]:
        """An entry, canonical, computed elements worked out, nothing identifying."""
        if form.id not in self.checks:
            self.checks[form.id] = FormCheck(self.definition, form.id)
            self.computing[form.id] = self._computing(form)
        values: dict[str, Any] = dict(self.checks[form.id].check(sent, draft=True).values)
        computed = [one for one in form.all_elements if one.computed is not None]
        if computed:
            row = connection.execute(self.computing[form.id], [json.dumps(values)]).fetchone()
            assert row is not None
            for element, value in zip(computed, row, strict=True):
                if value is not None:
                    values[element.id] = value if isinstance(value, int) else str(value)
        secret = {one.id for one in form.all_elements if one.identifying}
        return {name: value for name, value in values.items() if name not in secret}

    def _computing(self, form: Form) -> str:
        types = rule_columns(self.definition, form)
        compiled = {
            one.id: expressions.compile(one.computed, types)
            for one in form.all_elements
            if one.computed is not None
        }
        # Of an entry only what they read: the statement is worked out anew for each case.
        read = {name for one in compiled.values() for name in one.columns}
        seen = [one for one in sql_columns(form, arriving=True) if one.name in read]
        given = "".join(f'{one.expression} AS "{one.name}", ' for one in seen)
        needed = frozenset(one.element for one in seen) or None  # DuckDB knows no empty shape
        shape = structure(form, only=needed, arriving=True)
        columns = ", ".join(f'{one.duckdb} AS "{name}"' for name, one in compiled.items())
        return (
            f"SELECT {columns} FROM (SELECT {given}DATE '2026-01-01' AS received_on"
            f" FROM (SELECT json_transform(?, '{shape}') AS e))"
        )


def versions(
    connection: duckdb.DuckDBPyConnection,
    drafting: Drafting,
    measure: Measure,
    example: Example,
    place: int,
    numbers: Numbers,
) -> Iterator[tuple[Any, ...]]:
    """An example's cases as versions that came into force, rows of `feed.COLUMNS`."""
    definition = drafting.definition
    case_number = place * 1_000

    def version(
        form: Form, facility: str, subject: str, elements: dict[str, Any], parent: int | None
    ) -> tuple[Any, ...]:
        nonlocal case_number
        case_number += 1
        values = drafting.canonical(connection, form, elements)
        return (
            numbers.of("subject", place, subject),
            case_number,
            parent,
            numbers.of("facility", place, facility),
            form.id,
            f"{case_number:08d}",
            date.fromisoformat(values[form.period]) if form.period else None,
            case_number,
            1,
            definition.version,
            json.dumps(values),
            False,
            True,
        )

    for case in example.cases:
        form = definition.form(case.form or measure.form)
        yield version(form, case.facility, case.subject, example.common | case.elements, None)
        parent = case_number
        for follow_up in case.follow_ups:
            yield version(
                definition.form(follow_up.form),
                case.facility,
                case.subject,
                follow_up.elements,
                parent,
            )
    for subject, elements in example.subjects.items():
        record = next(one for one in definition.forms if one.level == "subject" and not one.part)
        facility = next(case.facility for case in example.cases if case.subject == subject)
        yield version(record, facility, subject, elements, None)


def array(text: str) -> list[int]:
    return [int(one) for one in text.strip("{}").split(",") if one]


def of_levels(
    rows: Rows, measure: Measure, facility: int, levels: dict[str, str]
) -> tuple[int, int]:
    """Cases and events of one combination of levels."""
    every = list(combinations(measure.case_mix))
    place = every.index(tuple(levels[one.id] for one in measure.case_mix))
    found = [
        array(row.bins)
        for row in rows.histograms
        if (row.facility_id, row.measure_id) == (facility, measure.id)
    ]
    assert all(len(one) == 2 * len(every) for one in found)
    return sum(one[place] for one in found), sum(one[len(every) + place] for one in found)


def totals(
    rows: Rows, definition: Definition, measure: Measure, facility: int, stratum: str | None
) -> Counts:
    stratifier, _, name = (stratum or "").partition(":")
    series = tabulation(definition).layout.of(measure.id, stratifier or None)
    assert series is not None
    total = Counts()
    for row in rows.cells:
        if (row.facility_id, row.form, row.stratifier, row.stratum) == (
            facility,
            series.form,
            series.stratifier,
            name,
        ):
            total += Counts.read(series.read(measure.id, array(row.counts), array(row.sums)))
    return total
