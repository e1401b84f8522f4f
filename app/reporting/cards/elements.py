"""The elements of a CAR/DS document: asked for, or worked out."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from app.reporting.arithmetic import Unreadable, names
from app.reporting.cards.conditions import read_condition
from app.reporting.cards.reading import Reading, codings
from app.reporting.conditions import All
from app.reporting.markup import Node, spaced
from app.reporting.module import (
    Arithmetic,
    Choice,
    Computed,
    Conditional,
    Decision,
    Element,
    Kind,
    Partial,
    Piece,
    Plain,
    Words,
    Working,
)

_KINDS: dict[str, Kind] = {
    "ChoiceDataElement": "choice",
    "MultiChoiceDataElement": "choices",
    "IntegerDataElement": "integer",
    "NumericDataElement": "decimal",
    "DateTimeDataElement": "date-time",
    "TimeSpanDataElement": "time-span",
}
_SPANS = (("Day", 86_400), ("Hours", 3_600), ("Minutes", 60), ("Seconds", 1))


def read_elements(reading: Reading, root: Node) -> tuple[tuple[Element, ...], tuple[Computed, ...]]:
    """What is asked, in the order of its display, and what is worked out of it."""
    elements = list[tuple[Decimal, Element]]()
    computed = list[Computed]()
    held = root.first("DataElements")
    for node in held.children if held else ():
        if node.name in _KINDS:
            order = reading.number(node, node.attributes.get("DisplaySequence"))
            elements.append((Decimal(10**6) if order is None else order, _element(reading, node)))
        elif node.name == "GlobalValue":
            constant = Words((Plain(node.text),))
            computed.append(Computed(reading.attribute(node, "Id"), "", constant))
        elif node.name == "ComputedDataElement":
            computed.append(
                Computed(
                    reading.attribute(node, "Id"),
                    node.said("Label"),
                    _working(reading, node) or Words(()),
                    node.attributes.get("ShowValue") == "true",
                )
            )
        else:
            reading.complain(node, f"`{node.name}` is no kind of data element")
    elements.sort(key=lambda pair: pair[0])
    return tuple(element for _, element in elements), tuple(computed)


def _element(reading: Reading, node: Node) -> Element:
    kind = _KINDS[node.name]
    info = node.first("ChoiceInfo")
    choices = tuple(_choice(reading, one) for one in info.named("Choice")) if info else ()
    if kind in ("choice", "choices") and not choices:
        reading.complain(node, "needs a Choice")
    values = [one.value for one in choices]
    if len(set(values)) < len(values):
        reading.doubt(node, "offers the same choice twice")
    low, high = _limits(reading, node, kind)
    held = node.first("ConditionalProperties")
    return Element(
        id=reading.attribute(node, "Id"),
        kind=kind,
        label=node.said("Label"),
        hint=node.said("Hint"),
        unit=node.attributes.get("Unit", ""),
        required=node.attributes.get("IsRequired") == "true",
        choices=choices,
        free_text=node.attributes.get("AllowFreetext") == "true",
        minimum=low,
        maximum=high,
        conditionals=tuple(
            _conditional(reading, one, kind) for one in held.named("ConditionalProperty")
        )
        if held
        else (),
        codings=codings(node),
    )


def _choice(reading: Reading, node: Node) -> Choice:
    value = node.said("Value")
    if not value:
        reading.complain(node, "a Choice needs a Value")
    return Choice(
        value,
        node.said("Label") or value,
        node.said("Hint"),
        node.said("ReportText"),
        node.attributes.get("IsDefault") == "true",
        codings(node),
    )


def _limits(reading: Reading, node: Node, kind: Kind) -> tuple[Decimal | None, Decimal | None]:
    """Lowest and highest; of a span of time in seconds."""
    if kind != "time-span":
        low = reading.number(node, node.said("Minimum") or None)
        return low, reading.number(node, node.said("Maximum") or None)
    ends = list[Decimal | None]()
    for end in ("Minimum", "Maximum"):
        parts = [(reading.number(node, node.said(end + one) or None), size) for one, size in _SPANS]
        given = [part * size for part, size in parts if part is not None]
        ends.append(sum(given, Decimal(0)) if given else None)
    return ends[0], ends[1]


def _conditional(reading: Reading, node: Node, kind: Kind) -> Conditional:
    low, high = _limits(reading, node, kind)
    return Conditional(
        when=read_condition(reading, node) or All(()),
        relevant=_flag(node.said("IsRelevant")),
        required=_flag(node.said("IsRequired")),
        minimum=low,
        maximum=high,
        without=tuple(
            one.attributes.get("ChoiceValue", "") for one in node.named("ChoiceNotRelevant")
        ),
    )


def _working(reading: Reading, node: Node) -> Working | None:
    for one in node.children:
        if one.name == "ArithmeticExpression":
            try:
                reading.inserts.extend((one, name) for name in names(one.text))
            except Unreadable as unreadable:
                reading.complain(one, str(unreadable))
            return Arithmetic(one.text)
        if one.name == "TextExpression":
            return Words(tuple(_pieces(reading, one)))
        if one.name == "DecisionPoint":
            branches = []
            for branch in one.named("Branch"):
                working = _working(reading, branch)
                if working is None:
                    reading.complain(branch, "needs an expression or a DecisionPoint")
                    continue
                branches.append((read_condition(reading, branch) or All(()), working))
            rest = one.first("DefaultBranch")
            return Decision(tuple(branches), _working(reading, rest) if rest else None)
    return None


def _pieces(reading: Reading, node: Node) -> Iterator[Piece]:
    """Mixed text: words, and the answers and partials that stand among them."""
    for one in node.content:
        if isinstance(one, str):
            yield Plain(spaced(one))
        elif one.name == "InsertValue":
            yield reading.insert(one, reading.attribute(one, "DataElementId"))
        elif one.name == "InsertPartial":
            yield Partial(reading.attribute(one, "PartialId"))
        elif one.name == "NewLine":
            yield Plain("\n")
        else:
            yield Plain(one.words)


def _flag(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text)
