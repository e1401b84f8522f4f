"""The conditions of a CAR/DS document."""

from __future__ import annotations

from app.reporting.cards.reading import Looked, Reading
from app.reporting.conditions import (
    All,
    AnyChoices,
    AnyOf,
    Compared,
    Comparison,
    Condition,
    Contains,
    Not,
    Present,
)
from app.reporting.markup import Node

_SIGNS: dict[str, Comparison] = {
    "EqualCondition": "=",
    "NotEqualCondition": "!=",
    "LessThanCondition": "<",
    "LessThanOrEqualsCondition": "<=",
    "GreaterThanCondition": ">",
    "GreaterThanOrEqualsCondition": ">=",
}
_CONDITIONS = frozenset(
    (*_SIGNS, "AndCondition", "OrCondition", "NotCondition", "SectionIf", "SectionIfNot")
) | {"ContainsCondition", "HasAnyNChoicesCondition"}


def read_condition(reading: Reading, node: Node) -> Condition | None:
    """What a node says must hold: all of the conditions among its children."""
    found = [_one_condition(reading, one) for one in node.children if one.name in _CONDITIONS]
    return found[0] if len(found) == 1 else All(tuple(found)) if found else None


def _one_condition(reading: Reading, node: Node) -> Condition:
    inner = tuple(_one_condition(reading, one) for one in node.children if one.name in _CONDITIONS)
    if node.name in ("AndCondition", "OrCondition", "NotCondition"):
        if not inner:
            reading.complain(node, f"`{node.name}` holds no condition")
        if node.name == "NotCondition":
            return Not(All(inner))
        return All(inner) if node.name == "AndCondition" else AnyOf(inner)
    element = reading.attribute(node, "DataElementId")
    found: Looked
    if node.name in ("SectionIf", "SectionIfNot"):
        found = Present(element, absent=node.name == "SectionIfNot")
    elif node.name == "ContainsCondition":
        found = Contains(element, reading.attribute(node, "ComparisonValue"))
    elif node.name == "HasAnyNChoicesCondition":
        found = AnyChoices(element, reading.small(node, "MinimumChoices") or 1)
    else:
        found = Compared(element, _SIGNS[node.name], reading.attribute(node, "ComparisonValue"))
    reading.conditions.append((node, found))
    return found
