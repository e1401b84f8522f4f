"""Derived: the columns that a relation works out, what each rests on and comes to, as SQL."""

from collections.abc import Mapping

from sqlglot import exp

from app.registries.expressions import BOOLEAN, Expression, Type, compile
from app.registries.schema import Definition, Derived


def layers(definition: Definition, form_id: str) -> list[list[Derived]]:
    """Derived columns in their order, together while they are of one kind and need none of each other."""
    found: list[list[Derived]] = []
    for one in definition.derived:
        if one.form != form_id:
            continue
        last = found[-1] if found else []
        alike = bool(last) and (last[0].over, last[0].follow_up, last[0].group) == (
            one.over,
            one.follow_up,
            one.group,
        )
        texts = f"{one.expression} {one.filter or ''}"
        if alike and not any(earlier.id in texts for earlier in last):
            last.append(one)
        else:
            found.append([one])
    return found


def each_side_apart(expression: Expression) -> Expression:
    """Window functions that never look from a subject as it is to the subject as it was."""
    tree = expression.tree.copy()
    for window in tree.find_all(exp.Window):
        window.set("partition_by", [exp.column("weight"), *window.args["partition_by"]])
    return Expression(expression.text, expression.type, expression.columns, tree)


def aggregated(one: Derived, types: Mapping[str, Type]) -> str:
    """A derived column's values over a case's follow-ups brought together."""
    value = compile(one.expression, types)
    wanted = f" FILTER (WHERE {compile(one.filter, types).duckdb})" if one.filter else ""
    match one.aggregate:
        case "any":
            return f"bool_or({value.duckdb}){wanted}"
        case "count":
            # A condition is counted where it holds, anything else where it is known.
            counted = f"NULLIF({value.duckdb}, FALSE)" if value.type == BOOLEAN else value.duckdb
            return f"count({counted}){wanted}"
        case "min" | "max" | "sum":
            return f"{one.aggregate}({value.duckdb}){wanted}"
        case None:
            raise AssertionError(f"{one.id} has no aggregate")


def of_none(one: Derived) -> str:
    """The value of a case that has no follow-up."""
    nothing = {"any": "FALSE", "count": "0"}.get(one.aggregate or "")
    column = f'gathered."{one.id}"'
    return f"COALESCE({column}, {nothing})" if nothing else column
