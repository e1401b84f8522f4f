"""
Our own functions in expressions, and how each is spelled for an engine.

They are written into the statement rather than defined in the database, so that one text runs
where nothing can be created. Each engine counts months and rounds in its own way; these do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import sqlglot
from sqlglot import exp

Takes = tuple[Literal["boolean", "integer", "decimal", "date", "datetime", "text"], ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and gives; `plain` arguments are literals."""

    takes: tuple[Takes, ...]
    gives: Literal["integer", "decimal", "date"]
    says: str
    plain: tuple[int, ...] = ()
    digits: int = 10
    """The most digits of a whole number that it gives."""


FUNCTIONS: dict[str, Signature] = {
    "age_in_years": Signature(
        (("date",), ("date",)), "integer", "age_in_years(birth, day): birthdays had by that day"
    ),
    "days_between": Signature(
        (("date",), ("date",)),
        "integer",
        "days_between(a, b): days from a to b; negative if b is earlier",
    ),
    "months_between": Signature(
        (("date",), ("date",)),
        "integer",
        "months_between(a, b): whole months from a to b, as a calendar counts; negative if b is earlier",
    ),
    "seconds_between": Signature(
        (("datetime",), ("datetime",)),
        "integer",
        "seconds_between(a, b): seconds from a to b; negative if b is earlier",
        digits=11,
    ),
    "minutes_between": Signature(
        (("datetime",), ("datetime",)),
        "integer",
        "minutes_between(a, b): whole minutes from a to b, seconds cut off; negative if b is earlier",
    ),
    "add_months": Signature(
        (("date",), ("integer",)),
        "date",
        "add_months(day, n): n months later, or the end of that month",
        (1,),
    ),
    "add_days": Signature(
        (("date",), ("integer",)), "date", "add_days(day, n): n days later", (1,)
    ),
    "divide": Signature(
        (("decimal",), ("decimal",), ("integer",)),
        "decimal",
        "divide(a, b, scale): a / b with so many decimals, rounded half up; NULL when b is 0",
        (2,),
    ),
}

# A birthday on 29 February is had on 1 March of other years, on every engine.
_AGE = (
    "(EXTRACT(YEAR FROM {1}) - EXTRACT(YEAR FROM {0}) - CASE WHEN EXTRACT(MONTH FROM {1}) * 100"
    " + EXTRACT(DAY FROM {1}) < EXTRACT(MONTH FROM {0}) * 100 + EXTRACT(DAY FROM {0})"
    " THEN 1 ELSE 0 END)"
)
_MONTHS = (
    "((EXTRACT(YEAR FROM {1}) - EXTRACT(YEAR FROM {0})) * 12"
    " + EXTRACT(MONTH FROM {1}) - EXTRACT(MONTH FROM {0})"
    " - CASE WHEN {1} >= {0} AND EXTRACT(DAY FROM {1}) < EXTRACT(DAY FROM {0}) THEN 1"
    " WHEN {1} < {0} AND EXTRACT(DAY FROM {1}) > EXTRACT(DAY FROM {0}) THEN -1 ELSE 0 END)"
)
# With A = |a| and B = |b| shifted to whole numbers: (2 A 10^s + B) div 2 B is A/B rounded half up.
_DIVIDE = (
    "(CASE WHEN {1} = 0 OR {quotient} >= 1000000000000000000 THEN NULL ELSE"
    " CAST(CASE WHEN ({0} < 0) <> ({1} < 0) THEN -1 ELSE 1 END * {quotient} AS DECIMAL(19, 0))"
    " * CAST({unit} AS DECIMAL({width}, {scale})) END)"
)

TEMPLATES: Mapping[str, Mapping[str, str]] = {
    "age_in_years": {
        "duckdb": f"CAST({_AGE} AS BIGINT)",
        "spark": f"CAST({_AGE} AS BIGINT)",
        "postgres": f"CAST({_AGE} AS BIGINT)",
    },
    "months_between": {
        "duckdb": f"CAST({_MONTHS} AS BIGINT)",
        "spark": f"CAST({_MONTHS} AS BIGINT)",
        "postgres": f"CAST({_MONTHS} AS BIGINT)",
    },
    "days_between": {
        "duckdb": "DATE_DIFF('day', {0}, {1})",
        "spark": "CAST(DATEDIFF({1}, {0}) AS BIGINT)",
        "postgres": "CAST({1} - {0} AS BIGINT)",
    },
    "seconds_between": dict.fromkeys(("duckdb", "spark", "postgres"), "({1} - {0})"),
    # Of what is left over every engine takes the sign of the whole; then nothing is left to round.
    "minutes_between": {
        "duckdb": "(({1} - {0} - ({1} - {0}) % 60) // 60)",
        "spark": "(({1} - {0} - ({1} - {0}) % 60) DIV 60)",
        "postgres": "(({1} - {0} - ({1} - {0}) % 60) / 60)",
    },
    "add_months": {
        "duckdb": "CAST({0} + INTERVAL ({1}) MONTH AS DATE)",
        "spark": "ADD_MONTHS({0}, {1})",
        "postgres": "CAST({0} + INTERVAL '{1} MONTH' AS DATE)",
    },
    "add_days": {
        "duckdb": "CAST({0} + INTERVAL ({1}) DAY AS DATE)",
        "spark": "DATE_ADD({0}, {1})",
        "postgres": "CAST({0} + INTERVAL '{1} DAY' AS DATE)",
    },
}

_WHOLE = {
    # DuckDB does not widen DECIMAL(18) by itself.
    "duckdb": "CAST(ABS(CAST({value} AS DECIMAL(38, {decimals}))) * {shift} AS HUGEINT)",
    "spark": "CAST(ABS({value}) * {shift} AS DECIMAL(38, 0))",
    "postgres": "CAST(ABS({value}) * {shift} AS DECIMAL(38, 0))",
}
_QUOTIENT = {
    "duckdb": "((2 * {a} * {ten} + {b}) // NULLIF(2 * {b}, 0))",
    "spark": "((2 * {a} * {ten} + {b}) DIV NULLIF(2 * {b}, 0))",
    "postgres": "DIV(2 * {a} * {ten} + {b}, NULLIF(2 * {b}, 0))",
}


def rendered(tree: exp.Expression, dialect: str) -> exp.Expression:
    """A copy of the tree in which our functions are spelled out for an engine."""

    def spell(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Anonymous) and str(node.this).lower() in FUNCTIONS:
            name, arguments = str(node.this).lower(), list(node.expressions)
        elif isinstance(node, exp.AddMonths):
            name, arguments = "add_months", [node.this, node.expression]
        elif isinstance(node, exp.MonthsBetween):
            name, arguments = "months_between", [node.this, node.expression]
        else:
            return _native(node, dialect)
        inner = [f"({rendered(one, dialect).sql(dialect=dialect)})" for one in arguments]
        if name == "divide":
            text = _division(inner, int(arguments[2].name), int(node.meta.get("shift", 9)), dialect)
        else:
            plain = FUNCTIONS[name].plain
            inner = [arguments[n].name if n in plain else one for n, one in enumerate(inner)]
            text = TEMPLATES[name][dialect].format(*inner)
        spelled = sqlglot.parse_one(text, read=dialect)
        assert isinstance(spelled, exp.Expression)
        return spelled

    spelt = tree.copy().transform(spell)
    assert isinstance(spelt, exp.Expression)
    return spelt


def _native(node: exp.Expression, dialect: str) -> exp.Expression:
    """What engines have, and call or widen differently."""
    if dialect == "duckdb" and (decimals := node.meta.pop("wide", None)) is not None:
        wide = exp.DataType.build(f"DECIMAL(38, {decimals})", dialect=dialect)
        node.set("this", exp.Cast(this=exp.Paren(this=node.this.copy()), to=wide))
    elif dialect == "spark" and isinstance(node, exp.ArrayOverlaps):
        return exp.Anonymous(this="ARRAYS_OVERLAP", expressions=[node.this, node.expression])
    elif dialect != "duckdb" and isinstance(node, exp.Length):
        name = {"spark": "ARRAY_SIZE", "postgres": "CARDINALITY"}[dialect]
        return exp.Anonymous(this=name, expressions=[node.this])
    return node


def _division(inner: list[str], scale: int, shift: int, dialect: str) -> str:
    whole = [
        _WHOLE[dialect].format(value=one, shift=10**shift, decimals=shift) for one in inner[:2]
    ]
    quotient = _QUOTIENT[dialect].format(a=whole[0], b=whole[1], ten=10**scale)
    unit = "'" + (f"0.{'0' * (scale - 1)}1" if scale else "1") + "'"
    return _DIVIDE.format(*inner, quotient=quotient, unit=unit, scale=scale, width=scale + 1)
