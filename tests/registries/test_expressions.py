"""Expressions: what is refused, and that what runs gives the same on every engine there is."""

import calendar
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

import asyncpg
import duckdb
import pytest
import sqlglot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.postgres import Addresses
from app.registries.expressions import (
    BOOLEAN,
    DATE,
    INTEGER,
    LIST,
    TEXT,
    ExpressionRefused,
    Type,
    Windows,
    compile,
    decimal,
)

COLUMNS = {
    "a": decimal(1),
    "b": decimal(2),
    "n": INTEGER,
    "small": Type("integer", 0, 3),
    "d": DATE,
    "e": DATE,
    "t": TEXT,
    "codes": LIST,
    "yes": BOOLEAN,
    "subject_id": INTEGER,
    "case_token": TEXT,
    "seen_on": DATE,
}
CASES = Windows("subject_id", ("seen_on", "case_token"))
OVER = "OVER (PARTITION BY subject_id ORDER BY seen_on, case_token)"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a / b", "`a / b` is not allowed"),
        ("a // b", "is not allowed"),
        ("a % b", "is not allowed"),
        ("now()", "the function `now` is not allowed"),
        ("current_date", "is not allowed"),
        ("today()", "is not allowed"),
        ("random() > 1", "is not allowed"),
        ("getenv('HOME')", "is not allowed"),
        ("read_csv('/etc/passwd')", "is not allowed"),
        ("(SELECT 1)", "is not allowed"),
        ("n IN (SELECT 1)", "IN needs a list"),
        ("EXISTS(SELECT 1)", "is not allowed"),
        ("x.a", "without a table"),
        ("a; b", "one expression"),
        ("", "one expression"),
        ("-- nothing", "one expression"),
        ("a +", "not an SQL expression"),
        ("(" * 500 + "a" + ")" * 500, "not an SQL expression"),
        ("abs(" * 31 + "a" + ")" * 31 + " > 1", "nested deeper"),
        ("t LIKE '%x'", "is not allowed"),
        ("t || t", "is not allowed"),
        ("codes[1]", "is not allowed"),
        ("a::integer", "the only cast"),
        ("CAST(t AS DATE)", "the only cast"),
        ("d = DATE '2025-02-30'", "no day of the calendar"),
        ("d = DATE '20250203'", "no day of the calendar"),
        ("dd > e", "no element or column `dd`"),
        ("day_between(d, e)", "did you mean `days_between`?"),
        ("divide(a, b)", "takes 3 arguments"),
        ("divide(a, b, n)", "plain whole number"),
        ("divide(a, b, 10)", "at most 9 decimals"),
        ("add_months(d, n)", "plain whole number"),
        ("add_months(d, -1)", "plain whole number"),
        ("t > 1", "compares text with a whole number"),
        ("yes = 1", "compares boolean"),
        ("a = NULL", "use IS NULL"),
        ("a AND yes", "gives decimal, where boolean is needed"),
        ("CASE WHEN yes THEN 1 ELSE 'x' END", "gives now"),
        ("CASE a WHEN 1 THEN 2 END", "without a value after CASE"),
        ("coalesce(a, t)", "gives now"),
        ("n * n", "could overflow"),
        ("a * b * a", "could need 54 digits"),
        ("1e5", "plain digits"),
        ("9999999999999999999", "plain digits"),
        ("count(n)", "is not allowed"),
        ("$1", "is not allowed"),
        ("?", "is not allowed"),
        ("*", "is not allowed"),
        ("a AS b", "is not allowed"),
        ("list_contains(t, 'x')", "where a list of codes is needed"),
        ("starts_with(t, t)", "plain text"),
        ("lead(d) OVER (ORDER BY seen_on)", "a window needs"),
        ("lead(d) OVER (PARTITION BY subject_id)", "a window needs"),
        ("lead(d) OVER (PARTITION BY subject_id ORDER BY seen_on)", "a window needs"),
        ("lead(d) OVER (PARTITION BY subject_id ORDER BY seen_on DESC, case_token)", "a window needs"),
        (f"lead(d, n) {OVER}", "plain whole number"),
        (f"lead(DISTINCT d) {OVER}", "is not allowed"),
        (f"ntile(3) {OVER}", "not a window function"),
        (f"sum(n) FILTER (WHERE yes) {OVER}", "not a window function"),
        ("max(d) OVER (w PARTITION BY subject_id ORDER BY seen_on, case_token)", "no name"),
        (
            "max(d) OVER (PARTITION BY subject_id ORDER BY seen_on, case_token RANGE BETWEEN "
            "UNBOUNDED PRECEDING AND CURRENT ROW)",
            "counted in ROWS",
        ),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_refused_with_its_reason(text: str, complaint: str) -> None:
    with pytest.raises(ExpressionRefused) as refused:
        compile(text, COLUMNS, windows=CASES)
    assert complaint in str(refused.value)


def test_everything_wrong_is_said_at_once_and_on_its_line() -> None:
    with pytest.raises(ExpressionRefused) as refused:
        compile("yes\nAND t > 1\nAND dd IS NULL", COLUMNS, gives="integer")
    assert [(one.line, one.message.split(":")[0]) for one in refused.value.complaints] == [
        (2, "`t > 1` compares text with a whole number"),
        (3, "no element or column `dd` can be seen here; did you mean `d`?"),
    ]


def test_windows_need_a_caller_that_orders_cases() -> None:
    with pytest.raises(ExpressionRefused, match="derived columns over `subject`"):
        compile(f"lead(d) {OVER}", COLUMNS)


def test_an_expression_says_which_columns_it_reads() -> None:
    found = compile(f"coalesce(lag(t, 2) {OVER}, 'x') = 'y' AND a > 1", COLUMNS, windows=CASES)
    assert found.columns == {"t", "a", "subject_id", "seen_on", "case_token"}
    assert found.type == BOOLEAN


def test_columns_are_quoted_and_can_be_qualified() -> None:
    found = compile("a > 1 OR d IS NULL", COLUMNS)
    assert found.duckdb == '"a" > 1 OR "d" IS NULL'
    assert found.sql("duckdb", tables={"a": "case"}) == '"case"."a" > 1 OR "d" IS NULL'


# --- one text, the same result ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        yield connection


_TYPES = {"a": "DECIMAL(18,1)", "b": "DECIMAL(18,2)", "d": "DATE", "e": "DATE", "n": "BIGINT"}


def on_duckdb(duck: duckdb.DuckDBPyConnection, text: str, **values: Any) -> Any:
    ((found,),) = each_on_duckdb(duck, (text,), [values])
    return found


@cache
def in_duckdb(text: str) -> str:
    return str(compile(text, COLUMNS).duckdb)


def each_on_duckdb(
    duck: duckdb.DuckDBPyConnection, texts: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> list[tuple[Any, ...]]:
    """What each text is in each row: as many rows as are given, in their order."""
    named = ", ".join(f'"{name}"' for name in rows[0])
    cast = ", ".join(f"CAST(? AS {_TYPES[name]})" for name in rows[0])
    given = ", ".join(f"({place}, {cast})" for place in range(len(rows)))
    told = ", ".join(in_duckdb(text) for text in texts)
    sql = f"SELECT {told} FROM (VALUES {given}) AS given(place, {named}) ORDER BY place"
    return duck.execute(sql, [_plain(one) for row in rows for one in row.values()]).fetchall()


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Decimal) else value


def age(birth: date, day: date) -> int:
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def months(one: date, other: date) -> int:
    if other < one:
        return -months(other, one)
    return (other.year - one.year) * 12 + other.month - one.month - (other.day < one.day)


def later(day: date, count: int) -> date:
    whole = day.year * 12 + day.month - 1 + count
    year, month = divmod(whole, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


DAYS = st.dates(date(1900, 1, 1), date(2099, 12, 31))
QUIET = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_products_and_sums_need_no_luck_with_digits(duck: duckdb.DuckDBPyConnection) -> None:
    most, small = Decimal("99999999999999999.9"), Decimal("0.01")
    product = on_duckdb(duck, "a * b", a=most, b=Decimal("9999999999999999.99"))
    assert product == Decimal(f"{999_999_999_999_999_999**2}E-3")
    assert on_duckdb(duck, "a + a + b", a=most, b=small) == Decimal("199999999999999999.81")
    assert on_duckdb(duck, "a * 703 > b", a=most, b=small) is True
    assert on_duckdb(duck, "-a - a", a=most) == -2 * most


@given(one=DAYS, other=DAYS, count=st.integers(0, 60))
@QUIET
def test_dates_count_as_a_calendar_does(
    duck: duckdb.DuckDBPyConnection, one: date, other: date, count: int
) -> None:
    wanted = {
        "age_in_years(d, e)": age(one, other),
        "days_between(d, e)": (other - one).days,
        "months_between(d, e)": months(one, other),
        f"add_months(d, {count})": later(one, count),
        f"add_days(d, {count})": one + timedelta(days=count),
    }
    (found,) = each_on_duckdb(duck, list(wanted), [{"d": one, "e": other}])
    assert dict(zip(wanted, found, strict=True)) == wanted


AMOUNTS_1 = st.decimals(-(10**17) + 1, 10**17 - 1, places=1)
AMOUNTS_2 = st.decimals(-(10**16) + 1, 10**16 - 1, places=2)


def divided(one: Decimal, other: Decimal, scale: int) -> Decimal | None:
    """The quotient in whole numbers: no context, no precision to run out of."""
    if other == 0:
        return None
    top, bottom = int(abs(one) * 100) * 10**scale, int(abs(other) * 100)
    whole, rest = divmod(top, bottom)
    whole += 2 * rest >= bottom
    if whole >= 10**18:
        return None
    return (-1 if (one < 0) != (other < 0) else 1) * Decimal(whole).scaleb(-scale)


@given(
    one=AMOUNTS_1,
    other=AMOUNTS_2 | st.sampled_from([Decimal("0.00"), Decimal("0.01"), Decimal("3.00")]),
    scale=st.integers(0, 9),
)
@QUIET
def test_divide_rounds_half_up_and_never_overflows(
    duck: duckdb.DuckDBPyConnection, one: Decimal, other: Decimal, scale: int
) -> None:
    assert on_duckdb(duck, f"divide(a, b, {scale})", a=one, b=other) == divided(one, other, scale)


def test_half_is_rounded_away_from_nought(duck: duckdb.DuckDBPyConnection) -> None:
    for one, other, wanted in (
        ("0.1", "8", "0.01"),
        ("-0.1", "8", "-0.01"),
        ("1", "3", "0.33"),
        ("2", "3", "0.67"),
        ("-2", "3", "-0.67"),
    ):
        found = on_duckdb(duck, "divide(a, b, 2)", a=Decimal(one), b=Decimal(other))
        assert found == Decimal(wanted)
        exact = (Decimal(one) / Decimal(other)).quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert found == exact


def test_unknown_stays_unknown(duck: duckdb.DuckDBPyConnection) -> None:
    for text in (
        "age_in_years(d, e)",
        "months_between(d, e)",
        "days_between(d, e)",
        "add_months(d, 3)",
        "add_days(d, 3)",
    ):
        assert on_duckdb(duck, text, d=None, e=date(2025, 1, 1)) is None
    assert on_duckdb(duck, "divide(a, b, 2)", a=None, b=Decimal(1)) is None
    assert on_duckdb(duck, "divide(a, b, 2)", a=Decimal(1), b=None) is None


EDGES = (
    date(2024, 2, 29), date(2023, 2, 28), date(2025, 1, 31), date(2025, 3, 1), date(2024, 12, 31),
    date(1999, 12, 31), date(2000, 1, 1), date(2025, 4, 30),
)  # fmt: skip


async def test_postgresql_says_what_duckdb_says(
    duck: duckdb.DuckDBPyConnection, database: Addresses
) -> None:
    connection = await asyncpg.connect(database.owner)
    try:
        for text in (
            "age_in_years(d, e)",
            "months_between(d, e)",
            "days_between(d, e)",
            "add_months(d, 1)",
            "add_months(d, 12)",
            "add_days(e, 400)",
            "CASE WHEN d < e THEN 1 ELSE 0 END",
            "d BETWEEN DATE '2024-01-01' AND add_months(e, 2)",
        ):
            sql = compile(text, COLUMNS).sql("postgres")
            statement = await connection.prepare(
                f"SELECT {sql} FROM (SELECT $1::date AS d, $2::date AS e) AS given"
            )
            pairs = [{"d": one, "e": other} for one in EDGES for other in EDGES]
            for pair, (here,) in zip(pairs, each_on_duckdb(duck, (text,), pairs), strict=True):
                assert await statement.fetchval(*pair.values()) == here, (text, pair)
        for scale in (0, 2, 9):
            text = f"divide(a, b, {scale})"
            statement = await connection.prepare(
                f"SELECT {compile(text, COLUMNS).sql('postgres')} FROM"
                " (SELECT $1::numeric(18,1) AS a, $2::numeric(18,2) AS b) AS given"
            )
            pairs = [
                {"a": Decimal(one), "b": Decimal(other)}
                for one in ("0.0", "0.1", "-0.1", "99999999999999999.9", "7.0")
                for other in ("0.00", "0.01", "-3.00", "8.00", "9999999999999999.99")
            ]
            for pair, (here,) in zip(pairs, each_on_duckdb(duck, (text,), pairs), strict=True):
                assert await statement.fetchval(*pair.values()) == here, (text, pair)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("text", "spark"),
    [
        ("days_between(d, e) <= 365", 'CAST(DATEDIFF((`e`), (`d`)) AS BIGINT) <= 365'),
        ("list_contains(codes, '8')", "ARRAY_CONTAINS(`codes`, '8')"),
        ("list_has_any(codes, ['1', '2'])", "ARRAYS_OVERLAP(`codes`, ARRAY('1', '2'))"),
        ("len(codes) > 1", "ARRAY_SIZE(`codes`) > 1"),
        ("add_months(d, 12) <= e", "ADD_MONTHS((`d`), 12) <= `e`"),
        ("starts_with(t, 'IA')", "STARTSWITH(`t`, 'IA')"),
    ],
)  # fmt: skip
def test_spark_is_told_in_its_own_words(text: str, spark: str) -> None:
    found = compile(text, COLUMNS).sql("spark")
    assert found == spark
    sqlglot.parse_one(found, read="spark")
