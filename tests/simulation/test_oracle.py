"""The oracle of any registry: expressions mean what engines make of them, and measures what they say."""

import json
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import duckdb
import pyarrow as pa
import pytest

from app.commands.definitions import newest
from app.registries.expressions import (
    BOOLEAN,
    DATE,
    INTEGER,
    LIST,
    TEXT,
    Type,
    Windows,
    compile,
    decimal,
)
from app.simulation.meaning import Meaning
from app.simulation.oracle import Oracle
from app.simulation.plan import Plan
from app.simulation.write import simulate
from tests.oracles.counting import count, exams_of
from tests.oracles.elcdr import MEASURES

COLUMNS = {
    "a": decimal(1),
    "b": decimal(2),
    "n": Type("integer", 0, 3),
    "d": DATE,
    "e": DATE,
    "t": TEXT,
    "codes": LIST,
    "yes": BOOLEAN,
    "subject_id": INTEGER,
    "case_token": TEXT,
}
CASES = Windows("subject_id", ("d", "case_token"))
OVER = "OVER (PARTITION BY subject_id ORDER BY d, case_token"
EVERYTHING = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
TEXTS = (
    "a > b OR yes",
    "a <= b AND NOT yes",
    "NOT (a = b) OR t IS NULL",
    "yes IS TRUE OR n IS NOT NULL",
    "t IN ('1', '2') AND t NOT IN ('3')",
    "n NOT BETWEEN 2 AND 5",
    "a BETWEEN b AND n",
    "t IS DISTINCT FROM '2'",
    "t IS NOT DISTINCT FROM '2'",
    "coalesce(yes, FALSE)",
    "list_contains(codes, 'x')",
    "NOT list_has_any(codes, ['x', 'y'])",
    "len(codes) > 1",
    "starts_with(t, '1')",
    "CASE WHEN a > 2 THEN t WHEN yes THEN 'yes' END",
    "coalesce(a, b, n)",
    "least(a, b)",
    "greatest(n, 3)",
    "a + b - n * 2",
    "-abs(a - b)",
    "a * b",
    "divide(a, b, 3)",
    "divide(n, 7, 0)",
    "days_between(d, e)",
    "months_between(d, e)",
    "age_in_years(d, e)",
    "add_months(d, 1)",
    "add_days(d, 40) > e",
    "d >= DATE '2024-02-29' AND year(d) = 2024 AND month(e) > 3",
)
WINDOWS = (
    f"lag(t) {OVER})",
    f"lead(d, 2) {OVER})",
    f"row_number() {OVER})",
    f"first_value(t) {OVER})",
    f"last_value(t) {OVER} {EVERYTHING})",
    f"max(e) {OVER} {EVERYTHING})",
    f"sum(n) {OVER})",
    f"count(a) {OVER} ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)",
    f"bool_or(yes) {OVER} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
)


def rows_of(rng: Random, many: int) -> list[dict[str, object]]:
    """Rows in which anything may be unknown, with equal values, negative ones and ends of months."""
    day = date(2023, 12, 31)
    ends = [0, 31, 59, 60, 61, 91, 366, 730]

    def maybe(value: object) -> object:
        return None if rng.random() < 0.2 else value

    return [
        {
            "a": maybe(Decimal(rng.randint(-40, 60)) / 10),
            "b": maybe(Decimal(rng.choice((0, 25, 150, 200, -333))) / 100),
            "n": maybe(rng.randint(-3, 9)),
            "d": day + timedelta(days=rng.choice(ends) + number),
            "e": maybe(day + timedelta(days=rng.choice(ends) - rng.choice((0, 400)))),
            "t": maybe(rng.choice(("1", "2", "3", "10"))),
            "codes": maybe(rng.sample(["x", "y", "z"], rng.randint(1, 3))),
            "yes": maybe(rng.random() < 0.5),
            "subject_id": number % 7,
            "case_token": f"{number:04d}",
        }
        for number in range(many)
    ]


def test_an_expression_means_in_python_what_it_means_to_an_engine() -> None:
    rows = rows_of(Random(3), 300)
    schema = pa.schema(
        {
            "a": pa.decimal128(18, 1),
            "b": pa.decimal128(18, 2),
            "n": pa.int64(),
            "d": pa.date32(),
            "e": pa.date32(),
            "t": pa.string(),
            "codes": pa.list_(pa.string()),
            "yes": pa.bool_(),
            "subject_id": pa.int64(),
            "case_token": pa.string(),
        }
    )
    connection = duckdb.connect()
    connection.register("rows", pa.Table.from_pylist(rows, schema))
    compiled = [compile(one, COLUMNS) for one in TEXTS]
    compiled += [compile(one, COLUMNS, windows=CASES) for one in WINDOWS]
    asked = ", ".join(one.duckdb for one in compiled)
    answers = connection.execute(f"SELECT {asked} FROM rows ORDER BY case_token").fetchall()
    subjects = {
        one: sorted(
            (row for row in rows if row["subject_id"] == one),
            key=lambda row: (row["d"], row["case_token"]),
        )
        for one in range(7)
    }
    for place, expression in enumerate(compiled):
        meaning = Meaning(expression)
        for row, answer in zip(rows, answers, strict=True):
            its = subjects[row["subject_id"]]
            assert meaning.of(row, its, its.index(row)) == answer[place], (expression.text, row)


@pytest.fixture(scope="module")
def nation(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("oracle")
    simulate(Plan(seed=31, facilities=3, cases=350), newest("early-lung-cancer-detection"), folder)
    return folder / "truth.ndjson"


def test_measures_worked_out_from_their_texts_equal_those_written_from_english(nation) -> None:
    wanted = count(exams_of(nation), MEASURES)
    with nation.open() as lines:
        got = Oracle(newest("early-lung-cancer-detection")).cells(map(json.loads, lines))
    assert {
        cell: (
            one.initial_population,
            one.denominator,
            one.numerator,
            one.exclusions,
            one.exceptions,
            one.observations,
            one.total,
            one.total_of_squares,
        )
        for cell, one in got.items()
    } == {
        cell: (
            one.initial_population,
            one.denominator,
            one.numerator,
            one.exclusions,
            one.exceptions,
            one.observations,
            one.sum,
            one.sum_of_squares,
        )
        for cell, one in wanted.items()
        if cell[3] != "case_mix"  # counted beside the cells
    }
