"""Columns that are worked out, not sent: what measures, worklists and strata count by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from app.registries.decisions import DecisionTable
from app.registries.element import ValueType
from app.registries.parts import Expression, GroupPath, Identifier, Part, Source

Aggregate = Literal["any", "min", "max", "count", "sum"]


class Derived(Part):
    """A column worked out from cases, their follow-ups, rows of a group, or a subject's other cases.

    A derived column sees those declared above it. Over `follow_up`, `expression` is worked out
    for each follow-up that `filter` lets through and brought together by `aggregate`: with none,
    `any` is FALSE, `count` is 0, the others NULL. Over `group` the same is done with the rows of a
    group of the case's own form. Over `subject`, `expression` is a window
    function over the subject's cases.
    """

    id: Identifier
    title: str = ""
    type: ValueType
    scale: Annotated[int, Field(ge=0, le=9)] = 0
    form: Identifier
    """The form that gains the column: of cases, or of a facility's periods."""
    over: Literal["case", "follow_up", "group", "subject"] = "case"
    follow_up: Identifier | None = None
    """The follow-up form looked through; the form's only one when left out."""
    group: GroupPath | None = None
    """The group looked through: `models`, or `models.parts` for the rows inside its rows."""
    expression: Annotated[str, StringConstraints(min_length=1, max_length=100_000)] = "NULL"
    """With `decision` it is the table's, filled in when the definition is put together."""
    decision: (
        Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")] | None
    ) = None
    """`<table>.<output>`: what a decision table says of the case."""
    aggregate: Aggregate | None = None
    filter: Expression | None = None
    source: Source = "confirmed"
    reference: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Derived:
        if self.decision is not None and "expression" in self.model_fields_set:
            raise ValueError("a column has an `expression` or a `decision`, not both")
        return self


def decided(derived: Derived, tables: Mapping[str, DecisionTable]) -> str | None:
    """The expression of a column that a table decides; None where there is no such table or output,
    or a cell of it cannot be read."""
    table_id, _, output = (derived.decision or "").partition(".")
    table = tables.get(table_id)
    if table is None or output not in {one.id for one in table.outputs}:
        return None
    try:
        return table.expression(output)
    except ValueError:
        return None
