"""Decision tables: rows people read, run alike in SQL and in Python."""

import itertools
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from pydantic import ValidationError

from app.registries.decisions import DecisionTable, Value
from app.registries.expressions import Type, compile

SIZE: dict[str, Any] = {"id": "size", "numbers": {"low": "0", "high": "100"}, "unit": "mm"}
KIND: dict[str, Any] = {"id": "kind", "values": ["solid", "ground_glass"]}
NEW: dict[str, Any] = {"id": "is_new", "values": ["true", "false"]}


def table(*rows: dict[str, Any], **members: Any) -> DecisionTable:
    return DecisionTable.model_validate(
        {
            "id": "advice",
            "title": "Advice",
            "inputs": [SIZE, KIND, NEW],
            "outputs": [{"id": "category"}, {"id": "months", "type": "integer"}],
            "rows": [
                {"when": when, "then": then}
                for when, then in zip(rows[::2], rows[1::2], strict=True)
            ],
        }
        | members
    )


WHOLE = table(
    {"size": "< 6"}, {"category": "2", "months": "12"},
    {"size": ">= 6, < 8", "kind": "solid"}, {"category": "3", "months": "6"},
    {"size": ">= 8", "kind": "solid", "is_new": "true"}, {"category": "4B"},
    {"size": ">= 8", "kind": "solid", "is_new": "false"}, {"category": "4A", "months": "3"},
    {"size": ">= 6", "kind": ["ground_glass"]}, {"category": "2", "months": "12"},
)  # fmt: skip


def test_a_whole_table_has_no_complaint_and_tells_what_follows() -> None:
    assert list(WHOLE.complaints()) == []
    assert WHOLE.decide({"size": Decimal("7.9"), "kind": "solid", "is_new": None}) == {
        "category": "3",
        "months": Decimal(6),
    }
    assert WHOLE.row_of({"size": Decimal(8), "kind": "solid", "is_new": True}) == 2
    assert WHOLE.decide({"size": None, "kind": "solid", "is_new": True}) == {
        "category": None,
        "months": None,
    }


def test_sql_and_python_agree() -> None:
    sizes = [None, *(Decimal(tenths) / 10 for tenths in range(0, 121, 5))]
    situations = list(
        itertools.product(sizes, (None, "solid", "ground_glass"), (None, True, False))
    )
    columns = {"size": Type("decimal", 1), "kind": Type("text"), "is_new": Type("boolean")}
    category = compile(WHOLE.expression("category"), columns, gives="text").duckdb
    months = compile(WHOLE.expression("months"), columns, gives="integer").duckdb
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE found (size DECIMAL(9, 1), kind VARCHAR, is_new BOOLEAN)")
        connection.executemany("INSERT INTO found VALUES (?, ?, ?)", situations)
        rows = connection.execute(
            f"SELECT size, kind, is_new, {category}, {months} FROM found"
        ).fetchall()
    assert len(rows) == len(situations)
    for size, kind, is_new, *found in rows:
        values: dict[str, Value] = {"size": size, "kind": kind, "is_new": is_new}
        assert found == list(WHOLE.decide(values).values())


def test_a_hole_is_found_with_the_situation_that_falls_in() -> None:
    (complaint,) = table(
        {"size": "< 6"}, {"category": "2"},
        {"size": "> 6", "kind": "solid"}, {"category": "3"},
        {"size": "> 6", "kind": "ground_glass"}, {"category": "2"},
    ).complaints()  # fmt: skip
    assert complaint == (
        ("rows",),
        "no row holds when `size` is 6, `kind` is solid, `is_new` is true",
    )


def test_rows_that_disagree_are_named_unless_the_first_counts() -> None:
    rows: tuple[dict[str, Any], ...] = (
        {"size": "<= 6"}, {"category": "2"},
        {"size": ">= 6"}, {"category": "3"},
    )  # fmt: skip
    (complaint,) = table(*rows).complaints()
    assert complaint[0] == ("rows", 1)
    assert complaint[1].startswith("disagrees with row 1 when `size` is 6")
    assert list(table(*rows, hit="first").complaints()) == []


@pytest.mark.parametrize(
    ("when", "place", "message"),
    [
        ({"colour": "red"}, ("when", "colour"), "there is no input `colour`"),
        ({"kind": "soild"}, ("when", "kind"), "`soild` is no value of `kind`"),
        ({"size": "small"}, ("when", "size"), "`size` is a number: write `< 6` or `>= 6, < 8`"),
        ({"size": ">= 6 < 8"}, ("when", "size"), "`size` is a number: write `< 6` or `>= 6, < 8`"),
        ({"size": "> 200"}, (), "never holds"),
        (
            {"size": "< " + "9" * 19},
            ("when", "size"),
            "`size` is a number: write `< 6` or `>= 6, < 8`",
        ),
        ({"size": "< \u0666"}, ("when", "size"), "`size` is a number: write `< 6` or `>= 6, < 8`"),
        (
            {"size": []},
            ("when", "size"),
            "names no value of `size`; leave it out where any will do",
        ),
        (
            {"kind": []},
            ("when", "kind"),
            "names no value of `kind`; leave it out where any will do",
        ),
        (
            {"kind": ""},
            ("when", "kind"),
            "names no value of `kind`; leave it out where any will do",
        ),
    ],
)
def test_what_a_cell_cannot_say_is_refused_at_its_place(
    when: dict[str, Any], place: tuple[str, ...], message: str
) -> None:
    found = list(table({}, {"category": "1"}, when, {"category": "1"}).complaints())
    assert (("rows", 1, *place), message) in found


def test_an_outcome_of_another_type_is_refused() -> None:
    found = dict(table({}, {"category": "1", "months": "six", "colour": "red"}).complaints())
    assert found == {
        ("rows", 0, "then", "months"): "is no number",
        ("rows", 0, "then", "colour"): "there is no output `colour`",
    }


def test_otherwise_fills_what_no_row_names_in_both_engines() -> None:
    short = table({"size": "< 6"}, {"category": "2"}, otherwise={"category": "0"})
    assert list(short.complaints()) == []
    for size, kind in itertools.product((None, Decimal(5), Decimal(6)), (None, "solid")):
        sql = compile(short.expression("category"), {"size": Type("decimal", 1)}).duckdb
        row = duckdb.execute(
            f"SELECT {sql} FROM (SELECT ?::DECIMAL(9, 1) AS size)", [size]
        ).fetchone()
        assert row == (short.decide({"size": size, "kind": kind})["category"],)


def test_a_table_too_large_to_look_through_is_refused() -> None:
    many = [{"id": f"i{number}", "values": ["a", "b", "c"]} for number in range(9)]
    (complaint,) = table({}, {"category": "1"}, inputs=many).complaints()
    assert complaint[1].startswith("has 262144 situations")


def test_a_table_of_many_situations_in_many_rows_is_refused() -> None:
    many = [{"id": f"i{number}", "values": ["a", "b", "c"]} for number in range(6)]
    rows: list[dict[str, Any]] = [{}, {"category": "1"}] * 300
    (complaint,) = table(*rows, inputs=many).complaints()
    assert complaint[1].startswith("has 4096 situations to look at in 300 rows")


@pytest.mark.parametrize(
    "numbers",
    [{"low": "8", "high": "6"}, {"low": "1E999999"}, {"high": "1E-99"}, {"high": "NaN"}],
)
def test_limits_that_are_none_are_refused(numbers: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        table({}, {"category": "1"}, inputs=[{"id": "size", "numbers": numbers}])


@pytest.mark.parametrize("months", ["1E99", "1E999999999", "NaN", "sNaN", "9" * 40])
def test_an_outcome_that_cannot_be_written_out_is_refused(months: str) -> None:
    (complaint,) = table({}, {"category": "1", "months": months}).complaints()
    assert complaint[0] == ("rows", 0, "then", "months")


def test_a_small_limit_is_written_out_in_sql() -> None:
    tiny = table({"size": "< 0.0000001"}, {"category": "1"}, otherwise={})
    assert "0.0000001" in tiny.expression("category")
    columns = {"size": Type("decimal", 1)}
    assert compile(tiny.expression("category"), columns).duckdb
