"""
Expressions: SQL over element ids, parsed against an allow-list, typed, and rendered for an engine.

They are written in DuckDB's dialect. What is allowed is listed here, and everything else is
refused: no subquery, no clock, no table, no division but `divide`. NULL is what was not given or
not known, and SQL's three-valued logic holds; whoever uses an expression counts NULL as FALSE.
Whole numbers are BIGINT, others DECIMAL of a known scale, and what could overflow is refused when
the definition is read rather than met when it runs.

Window functions are allowed where the caller says how a subject's cases are ordered; each must
name that order, so that every engine sees the same neighbours.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from app.registries.functions import rendered
from app.registries.kinds import (
    ANY,
    BOOLEAN,
    DATE,
    DATETIME,
    INTEGER,
    LIST,
    NULL,
    TEXT,
    Complaint,
    Kind,
    Type,
    Windows,
    decimal,
    fits,
)
from app.registries.reading import Reading

__all__ = [
    "ANY",
    "BOOLEAN",
    "DATE",
    "DATETIME",
    "INTEGER",
    "LIST",
    "NULL",
    "TEXT",
    "Complaint",
    "Expression",
    "ExpressionRefused",
    "Kind",
    "Type",
    "Windows",
    "compile",
    "decimal",
]

Dialect = Literal["duckdb", "spark", "postgres"]


class ExpressionRefused(Exception):
    """An expression that cannot be used, with everything that is wrong with it."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("; ".join(one.message for one in self.complaints))


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that may run: its text, type, the columns it reads and its parse tree."""

    text: str
    type: Type
    columns: frozenset[str]
    tree: exp.Expression = field(compare=False, repr=False)

    def sql(self, dialect: Dialect = "duckdb", tables: Mapping[str, str] | None = None) -> str:
        """The text for an engine, columns quoted and, where `tables` says so, qualified."""
        tree = rendered(self.tree, dialect)
        for column in tree.find_all(exp.Column):
            name = column.name
            column.set("this", exp.to_identifier(name, quoted=True))
            if tables and name in tables:
                column.set("table", exp.to_identifier(tables[name], quoted=True))
        return tree.sql(dialect=dialect)

    @property
    def duckdb(self) -> str:
        return self.sql("duckdb")


def compile(
    text: str,
    columns: Mapping[str, Type],
    *,
    gives: Kind | None = None,
    windows: Windows | None = None,
) -> Expression:
    """An expression over these columns, or `ExpressionRefused` with everything that is wrong."""
    try:
        trees = sqlglot.parse(text, read="duckdb")
    except (SqlglotError, RecursionError) as error:
        found = getattr(error, "errors", None) or [{}]
        raise ExpressionRefused(
            Complaint(one.get("line") or 1, "not an SQL expression: " + _reason(one))
            for one in found
        ) from None
    if len(trees) != 1 or trees[0] is None:
        raise ExpressionRefused([Complaint(1, "one expression is needed, no more and no less")])
    tree = trees[0]
    assert isinstance(tree, exp.Expression)
    reading = Reading(columns, windows)
    kind = reading.type_of(tree, 0)
    if not reading.complaints and gives is not None and not fits(kind, Type(gives)):
        reading.complain(tree, f"gives {kind}, where {Type(gives)} is needed")
    if reading.complaints:
        raise ExpressionRefused(dict.fromkeys(reading.complaints))
    return Expression(text, kind, frozenset(reading.used), tree)


def _reason(error: Mapping[str, object]) -> str:
    description = str(error.get("description") or "it cannot be parsed").strip().rstrip(".")
    near = str(error.get("highlight") or "")[:40]
    return f"{description} near `{near}`" if near else description
