"""
One statement for several engines.

A statement is a frame that we compose, in DuckDB's dialect, in which names stand for the expressions
of a definition. sqlglot puts the frame into another dialect; each expression is spelled for it by the
rules of expressions, since engines count months and divide in their own ways.
"""

import re
from collections.abc import Mapping

import sqlglot
from sqlglot import exp

from app.registries.expressions import Dialect, Expression

_STANDS = re.compile(r"[`\"]?\b(expression_of_\w+)\b[`\"]?")


def stands_for(what: str) -> str:
    """A name that stands for an expression in a frame."""
    return f"expression_of_{what}"


def in_dialect(frame: str, texts: Mapping[str, Expression], dialect: Dialect) -> str:
    """The whole statement as an engine reads it."""
    if dialect != "duckdb":
        tree = sqlglot.parse_one(frame, read="duckdb")
        for step in tree.find_all(exp.CTE):
            step.set("materialized", None)  # another engine decides by itself what it keeps
        frame = tree.sql(dialect=dialect)
    return _STANDS.sub(lambda found: texts[found[1]].sql(dialect), frame)
