"""What can be said of a CAR/DS document only when all of it is known."""

from __future__ import annotations

from collections import Counter

from app.reporting.cards.reading import Reading
from app.reporting.conditions import Compared, Contains
from app.reporting.markup import Node
from app.reporting.module import Module, Partial
from app.reporting.order import endless


def look_over(reading: Reading, root: Node, module: Module) -> None:
    """Complain of what no module can be without, and doubt what names nothing that is there."""
    if not module.elements:
        reading.complain(root, "asks nothing: DataElements is missing or empty")
    if not module.end_points:
        reading.complain(root, "ends nowhere: EndPoints has no EndPoint")
    if not module.rules:
        reading.complain(root, "decides nothing: Rules has no DecisionPoint")
    ids = [one.id for one in module.elements] + [one.id for one in module.computed]
    ids += [one.id for one in module.end_points]
    for name in sorted(one for one, times in Counter(ids).items() if times > 1):
        reading.complain(root, f"the Id `{name}` is used twice")
    _names(reading, root, module)
    for wrong in endless(module.partials):
        reading.complain(root, wrong)
    _routes(reading, root, module)


def _names(reading: Reading, root: Node, module: Module) -> None:
    """Elements, choices and partials that are looked at or inserted."""
    for node, condition in reading.conditions:
        element = module.by_id.get(condition.element)
        if condition.element not in module.known:
            reading.doubt(node, f"there is no element `{condition.element}`")
        elif (
            element is not None
            and element.choices
            and not element.free_text
            and isinstance(condition, Compared | Contains)
            and condition.value not in {one.value for one in element.choices}
        ):
            reading.doubt(
                node, f"`{condition.value}` is no choice of `{element.id}`: this never holds"
            )
    for node, name in reading.inserts:
        if name not in module.known:
            reading.doubt(node, f"there is no element `{name}` to insert")
    for passage in module.passages():
        for piece in passage.pieces:
            if isinstance(piece, Partial) and piece.id not in module.partials:
                reading.doubt(root, f"there is no TemplatePartial `{piece.id}`")


def _routes(reading: Reading, root: Node, module: Module) -> None:
    """Where branches lead."""
    pending = list(module.rules)
    while pending:
        point = pending.pop()
        for branch in (*point.branches, *((point.otherwise,) if point.otherwise else ())):
            if branch.point:
                pending.append(branch.point)
            if branch.end_point and branch.end_point not in module.ends:
                reading.complain(root, f"there is no EndPoint `{branch.end_point}`")
            if branch.end_point is None and branch.point is None:
                reading.doubt(root, f"a branch of `{point.id}` leads nowhere")
