"""What does not hold across the parts of a module of our own form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence

from app.registries.decisions import DecisionTable, Output
from app.reporting.arithmetic import Unreadable
from app.reporting.arithmetic import names as arithmetic_names
from app.reporting.conditions import MOST_DIGITS, number_in
from app.reporting.document import INSERT, Answers, Computed, Document, Element, EndPoint
from app.reporting.module import SECTIONS

_NUMBERS = {"integer", "decimal"}


def unsound(document: Document) -> Iterator[str]:
    """Complaints, each with its place."""
    ground = _Ground(document)
    yield from _declared_twice(document)
    for table in document.tables:
        yield from _table(ground, table)
    yield from _ungrouped(document)
    for element in document.elements:
        yield from _element(ground, element)
    for computed in document.computed:
        yield from _computed(ground, computed)
    for end in document.end_points:
        yield from _end_point(ground, end)


class _Ground:
    """What of a module its parts may name."""

    def __init__(self, document: Document) -> None:
        self.elements = {one.id: one for one in document.elements}
        self.tables = {one.id: one for one in document.tables}
        self.group_of = dict(_valued(document))
        """Of everything that has a value, and so may be looked at or inserted."""
        self.numeric = set(_numeric(document, self.tables))


def _valued(document: Document) -> Iterator[tuple[str, str | None]]:
    """What has a value, asked for or worked out, and its group."""
    yield from ((one.id, one.group) for one in document.elements)
    yield from ((one.id, one.group) for one in document.computed)


def _declared_twice(document: Document) -> Iterator[str]:
    for names in (
        [*(name for name, _ in _valued(document)), *(one.id for one in document.groups)],
        [one.id for one in document.tables],
        [one.id for one in document.end_points],
    ):
        for name, times in sorted(Counter(names).items()):
            if times > 1:
                yield f"`{name}` is declared twice"


def _ungrouped(document: Document) -> Iterator[str]:
    groups = {one.id for one in document.groups}
    for name, group in _valued(document):
        if group is not None and group not in groups:
            yield f"{name}: there is no group `{group}`"


def _table(ground: _Ground, table: DecisionTable) -> Iterator[str]:
    where = f"tables.{table.id}"
    for place, message in table.complaints():
        yield f"{where}.{'.'.join(map(str, place))}: {message}"
    for one in table.inputs:
        if one.id not in ground.group_of:
            yield f"{where}: there is no element `{one.id}`"
            continue
        if one.numbers is not None and one.id not in ground.numeric:
            yield f"{where}: `{one.id}` is no number"
        looked_at = ground.elements.get(one.id)
        if looked_at is not None and looked_at.kind == "choices":
            yield f"{where}: `{one.id}` has several answers, of which a table sees none"
        if looked_at is not None and one.numbers is None:
            yield from _unknown(where, {one.id: one.values}, ground.elements, ground.elements)


def _element(ground: _Ground, element: Element) -> Iterator[str]:
    where = f"elements.{element.id}"
    if bool(element.choices) != (element.kind in ("choice", "choices")):
        yield f"{where}: choices belong to a choice, and a choice needs them"
    for value, times in sorted(Counter(one.value for one in element.choices).items()):
        if times > 1:
            yield f"{where}: the choice `{value}` is declared twice"
    for what, answers in (
        ("relevant_when", element.relevant_when),
        ("required_when", element.required_when),
    ):
        yield from _unknown(f"{where}.{what}", answers, ground.elements, ground.elements)
    for limit in (element.low, element.high):
        if limit is not None and number_in(str(limit)) is None:
            yield f"{where}: a limit has at most {MOST_DIGITS} digits"
    if element.low is not None and element.high is not None and element.low > element.high:
        yield f"{where}: the lowest number is above the highest"
    whole = ground.elements.get(element.part_of) if element.part_of else None
    if element.part_of and (whole is None or not {whole.kind, element.kind} <= _NUMBERS):
        yield f"{where}: `part_of` names a number, and is one's that is a number"


def _computed(ground: _Ground, computed: Computed) -> Iterator[str]:
    where = f"computed.{computed.id}"
    ways = (
        computed.arithmetic, computed.text, computed.table, computed.choose,
        computed.first or None, computed.worst, computed.join, computed.count,
    )  # fmt: skip
    if sum(way is not None for way in ways) != 1:
        yield f"{where}: needs one way to be worked out, and no second"
    looked = [computed.table] if computed.table else []
    for chosen_by, by_answer in (computed.choose or {}).items():
        looked.extend(by_answer.values())
        answers: Answers = {chosen_by: tuple(by_answer)}
        yield from _unknown(f"{where}.choose", answers, ground.elements, ground.group_of)
    if computed.arithmetic is not None:
        try:
            read = sorted(set(arithmetic_names(computed.arithmetic)))
        except Unreadable as unreadable:
            read = []
            yield f"{where}: {unreadable}"
        for name in read:
            if name not in ground.numeric:
                yield f"{where}: there is no number `{name}`"
    yield from _uninsertable(ground, where, computed.text or "")
    for grouped_by in (computed.worst, computed.join):
        if grouped_by in ground.group_of and ground.group_of[grouped_by] is None:
            yield f"{where}: `{grouped_by}` belongs to no group"
    if computed.count in ground.elements and ground.elements[computed.count].kind != "choices":
        yield f"{where}: `{computed.count}` has no several answers to count"
    for name in looked:
        table, _, output = name.partition(".")
        if output not in [one.id for one in _outputs(ground.tables, table)]:
            yield f"{where}: there is no table and output `{name}`"
    for seen in (*computed.first, computed.worst, computed.join, computed.count):
        if seen is not None and seen not in ground.group_of:
            yield f"{where}: there is no element `{seen}`"


def _end_point(ground: _Ground, end: EndPoint) -> Iterator[str]:
    where = f"end_points.{end.id}"
    for section, passages in end.report.items():
        if section not in SECTIONS:
            yield f"{where}: `{section}` is no section"
        for passage in passages:
            yield from _uninsertable(ground, where, passage.text)
            if passage.when:
                yield from _unknown(where, passage.when, ground.elements, ground.group_of)
    yield from _unknown(where, end.when, ground.elements, ground.group_of)


def _uninsertable(ground: _Ground, where: str, text: str) -> Iterator[str]:
    for name in INSERT.findall(text):
        if name not in ground.group_of:
            yield f"{where}: there is no element `{name}` to insert"


def _outputs(tables: Mapping[str, DecisionTable], table: str) -> Sequence[Output]:
    return tables[table].outputs if table in tables else ()


def _numeric(document: Document, tables: Mapping[str, DecisionTable]) -> Iterator[str]:
    """What is a number: elements, and what is worked out as one."""
    yield from (one.id for one in document.elements if one.kind in (*_NUMBERS, "time-span"))
    for one in document.computed:
        table, _, output = (one.table or "").partition(".")
        outputs = _outputs(tables, table)
        told = any(each.id == output and each.type in _NUMBERS for each in outputs)
        if one.arithmetic is not None or one.count is not None or told:
            yield one.id


def _unknown(
    place: str,
    answers: Answers | None,
    elements: Mapping[str, Element],
    known: Container[str],
) -> Iterator[str]:
    """Answers of what is not known, and those that are no choice of theirs."""
    for name, cell in (answers or {}).items():
        if name not in known:
            yield f"{place}: there is no element `{name}`"
        elif (element := elements.get(name)) and element.choices:
            offered = {one.value for one in element.choices}
            for value in cell if isinstance(cell, tuple) else (cell,):
                if value not in offered:
                    yield f"{place}: `{value}` is no choice of `{name}`"
