"""Every worked example of every shipped measure, through the engine that runs in production."""

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
import pytest

from app.benchmarks.engine import Engine
from app.benchmarks.measures import tabulation
from app.benchmarks.observe import Rows, observe
from app.benchmarks.rates import Counts
from app.commands.definitions import packaged
from app.registries import expressions
from app.registries.case_mix import combinations
from app.registries.entries import FormCheck
from app.registries.measure import Example, Measure
from app.registries.rows import rule_columns, sql_columns, structure
from app.registries.schema import Definition, Form

DEFINITIONS = packaged()
EXAMPLES = [
    (definition, measure, example)
    for definition in DEFINITIONS
    for measure in definition.measures
    for example in measure.examples
]


class Numbers:
    """Numbers for facilities, subjects and cases, so that many examples stand side by side."""

    def __init__(self) -> None:
        self.given: dict[tuple[str, int, str], int] = {}

    def of(self, kind: str, example: int, name: str) -> int:
        return self.given.setdefault((kind, example, name), 100_001 + len(self.given))


@cache
def check_of(registry: str, form_id: str) -> FormCheck:
    return FormCheck(by_id(registry), form_id)


@cache
def computing(registry: str, form_id: str) -> str:
    """SQL that works out a form's computed elements from `sent`."""
    definition = by_id(registry)
    form = definition.form(form_id)
    types = rule_columns(definition, form)
    columns = [
        f'{expressions.compile(one.computed, types).duckdb} AS "{one.id}"'
        for one in form.all_elements
        if one.computed is not None
    ]
    given = ", ".join(
        f'{one.expression} AS "{one.name}"' for one in sql_columns(form, arriving=True)
    )
    return (
        f"SELECT {', '.join(columns) or 'NULL'} FROM (SELECT {given}, DATE '2026-01-01' AS received_on"
        f" FROM (SELECT json_transform(?, '{structure(form, arriving=True)}') AS e))"
    )


def by_id(registry: str) -> Definition:
    return next(one for one in DEFINITIONS if one.id == registry)


def canonical(
    connection: duckdb.DuckDBPyConnection, definition: Definition, form: Form, sent: dict[str, Any]
) -> dict[str, Any]:
    """An entry as `check` would keep it: canonical, computed elements worked out, nothing identifying."""
    checked = check_of(definition.id, form.id).check(sent, draft=True)
    unusable = [
        one.place for one in checked.flaws if one.place in sent and one.place not in checked.values
    ]
    assert not unusable, f"the example's own {unusable} cannot be used"
    values: dict[str, Any] = dict(checked.values)
    row = connection.execute(computing(definition.id, form.id), [json.dumps(values)]).fetchone()
    assert row is not None
    computed = [one for one in form.all_elements if one.computed is not None]
    for element, value in zip(computed, row, strict=False):
        if value is not None:
            values[element.id] = value if isinstance(value, int) else str(value)
    return {one: value for one, value in values.items() if not form.by_id[one].identifying}


def versions(
    connection: duckdb.DuckDBPyConnection,
    definition: Definition,
    measure: Measure,
    example: Example,
    place: int,
    numbers: Numbers,
) -> Iterator[tuple[Any, ...]]:
    """An example's cases as versions that came into force."""
    case_number = place * 1_000

    def version(
        form: Form, facility: str, subject: str, elements: dict[str, Any], parent: int | None
    ) -> tuple[Any, ...]:
        nonlocal case_number
        case_number += 1
        values = canonical(connection, definition, form, elements)
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


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Rows], Numbers]:
    """All examples of a definition observed at once: none can see another's subjects."""
    engine, numbers = Engine("1GB", "1GB", tmp_path_factory.mktemp("spill")), Numbers()
    with duckdb.connect() as connection:
        sent = {
            definition.id: [
                version
                for place, (of, measure, example) in enumerate(EXAMPLES)
                if of is definition
                for version in versions(connection, definition, measure, example, place, numbers)
            ]
            for definition in DEFINITIONS
        }
    return {
        definition.id: observe(engine, tabulation(definition), sent[definition.id])
        for definition in DEFINITIONS
    }, numbers


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


@pytest.mark.parametrize(
    "place",
    range(len(EXAMPLES)),
    ids=[f"{of.id} {measure.id}: {example.title}" for of, measure, example in EXAMPLES],
)
def test_a_worked_example_counts_what_it_says(
    place: int, observed: tuple[dict[str, Rows], Numbers]
) -> None:
    definition, measure, example = EXAMPLES[place]
    rows, numbers = observed[0][definition.id], observed[1]
    unit = Decimal(10) ** measure.scale
    for expected in example.expect:
        facility = numbers.of("facility", place, expected.facility)
        if expected.case_mix is not None:
            counted = of_levels(rows, measure, facility, expected.case_mix)
            assert counted == (expected.denominator, expected.numerator), expected
            continue
        found = totals(rows, definition, measure, facility, expected.stratum)
        said = {name: getattr(expected, name) for name in expected.model_fields_set}
        for name in ("initial_population", "denominator", "numerator", "exclusions", "exceptions"):
            if name in said:
                assert getattr(found, name) == said[name], (expected, name)
        if "observations" in said or "sum" in said:
            observations = said.get("observations", said.get("denominator"))
            assert found.observations == observations, expected
        if "sum" in said:
            assert found.total == said["sum"] * unit, expected
        if "sum_of_squares" in said:
            assert found.total_of_squares == said["sum_of_squares"] * unit * unit, expected
        if "histogram" in said:
            bins = [
                array(row.bins)
                for row in rows.histograms
                if (row.facility_id, row.measure_id) == (facility, measure.id)
            ]
            assert tuple(map(sum, zip(*bins, strict=True))) == said["histogram"], expected


def test_every_shipped_measure_has_an_example() -> None:
    assert DEFINITIONS
    for definition in DEFINITIONS:
        assert [one.id for one in definition.measures if not one.examples] == []
