"""What does not hold across the parts of a module of our own form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from app.registries.decisions import DecisionTable
from app.reporting.arithmetic import Unreadable
from app.reporting.arithmetic import names as arithmetic_names
from app.reporting.conditions import MOST_DIGITS, number_in
from app.reporting.document import INSERT, Answers, Document, Element
from app.reporting.module import SECTIONS

_NUMBERS = {"integer", "decimal"}


def unsound(document: Document) -> Iterator[str]:
    """Complaints, each with its place."""
    elements = {one.id: one for one in document.elements}
    known = set(elements) | {one.id for one in document.computed}
    groups = {one.id for one in document.groups}
    tables = {one.id: one for one in document.tables}
    for names in (
        [
            *(one.id for one in document.elements),
            *(one.id for one in document.computed),
            *(one.id for one in document.groups),
        ],
        [one.id for one in document.tables],
        [one.id for one in document.end_points],
    ):
        for name, times in sorted(Counter(names).items()):
            if times > 1:
                yield f"`{name}` is declared twice"
    numeric = set(_numeric(document, tables))
    group_of = {one.id: one.group for one in document.elements}
    group_of |= {one.id: one.group for one in document.computed}
    for table in document.tables:
        for place, message in table.complaints():
            yield f"tables.{table.id}.{'.'.join(map(str, place))}: {message}"
        for one in table.inputs:
            where = f"tables.{table.id}"
            if one.id not in known:
                yield f"{where}: there is no element `{one.id}`"
                continue
            if one.numbers is not None and one.id not in numeric:
                yield f"{where}: `{one.id}` is no number"
            looked_at = elements.get(one.id)
            if looked_at is not None and looked_at.kind == "choices":
                yield f"{where}: `{one.id}` has several answers, of which a table sees none"
            if looked_at is not None and one.numbers is None:
                yield from _unknown(where, {one.id: one.values}, elements)
    grouped = [(one.id, one.group) for one in document.elements]
    for name, group in (*grouped, *((one.id, one.group) for one in document.computed)):
        if group is not None and group not in groups:
            yield f"{name}: there is no group `{group}`"
    for element in document.elements:
        if bool(element.choices) != (element.kind in ("choice", "choices")):
            yield f"elements.{element.id}: choices belong to a choice, and a choice needs them"
        for value, times in sorted(Counter(one.value for one in element.choices).items()):
            if times > 1:
                yield f"elements.{element.id}: the choice `{value}` is declared twice"
        for what, answers in (
            ("relevant_when", element.relevant_when),
            ("required_when", element.required_when),
        ):
            yield from _unknown(f"elements.{element.id}.{what}", answers, elements)
        for limit in (element.low, element.high):
            if limit is not None and number_in(str(limit)) is None:
                yield f"elements.{element.id}: a limit has at most {MOST_DIGITS} digits"
        if element.low is not None and element.high is not None and element.low > element.high:
            yield f"elements.{element.id}: the lowest number is above the highest"
        whole = elements.get(element.part_of) if element.part_of else None
        if element.part_of and (whole is None or not {whole.kind, element.kind} <= _NUMBERS):
            yield f"elements.{element.id}: `part_of` names a number, and is one's that is a number"
    for computed in document.computed:
        ways = (
            computed.arithmetic, computed.text, computed.table, computed.choose,
            computed.first or None, computed.worst, computed.join, computed.count,
        )  # fmt: skip
        if sum(way is not None for way in ways) != 1:
            yield f"computed.{computed.id}: needs one way to be worked out, and no second"
        looked = [computed.table] if computed.table else []
        for chosen_by, by_answer in (computed.choose or {}).items():
            looked.extend(by_answer.values())
            where = f"computed.{computed.id}.choose"
            yield from _unknown(where, {chosen_by: tuple(by_answer)}, elements, known)
        if computed.arithmetic is not None:
            try:
                read = sorted(set(arithmetic_names(computed.arithmetic)))
            except Unreadable as unreadable:
                read = []
                yield f"computed.{computed.id}: {unreadable}"
            for name in read:
                if name not in numeric:
                    yield f"computed.{computed.id}: there is no number `{name}`"
        for name in INSERT.findall(computed.text or ""):
            if name not in known:
                yield f"computed.{computed.id}: there is no element `{name}` to insert"
        for grouped_by in (computed.worst, computed.join):
            if grouped_by in known and group_of[grouped_by] is None:
                yield f"computed.{computed.id}: `{grouped_by}` belongs to no group"
        if computed.count in elements and elements[computed.count].kind != "choices":
            yield f"computed.{computed.id}: `{computed.count}` has no several answers to count"
        for name in looked:
            table_id, _, output = name.partition(".")
            outputs = [one.id for one in tables[table_id].outputs] if table_id in tables else []
            if output not in outputs:
                yield f"computed.{computed.id}: there is no table and output `{name}`"
        for seen in (*computed.first, computed.worst, computed.join, computed.count):
            if seen is not None and seen not in known:
                yield f"computed.{computed.id}: there is no element `{seen}`"
    for end in document.end_points:
        for section, passages in end.report.items():
            if section not in SECTIONS:
                yield f"end_points.{end.id}: `{section}` is no section"
            for passage in passages:
                for name in INSERT.findall(passage.text):
                    if name not in known:
                        yield f"end_points.{end.id}: there is no element `{name}` to insert"
                if passage.when:
                    yield from _unknown(f"end_points.{end.id}", passage.when, elements, known)
        yield from _unknown(f"end_points.{end.id}", end.when, elements, known)


def _numeric(document: Document, tables: Mapping[str, DecisionTable]) -> Iterator[str]:
    """What is a number: elements, and what is worked out as one."""
    yield from (one.id for one in document.elements if one.kind in (*_NUMBERS, "time-span"))
    for one in document.computed:
        table, _, output = (one.table or "").partition(".")
        outputs = tables[table].outputs if table in tables else ()
        told = any(each.id == output and each.type in _NUMBERS for each in outputs)
        if one.arithmetic is not None or one.count is not None or told:
            yield one.id


def _unknown(
    place: str,
    answers: Answers | None,
    elements: Mapping[str, Element],
    known: set[str] | None = None,
) -> Iterator[str]:
    for name, cell in (answers or {}).items():
        if name not in (known or set(elements)):
            yield f"{place}: there is no element `{name}`"
        elif (element := elements.get(name)) and element.choices:
            offered = {one.value for one in element.choices}
            for value in cell if isinstance(cell, tuple) else (cell,):
                if value not in offered:
                    yield f"{place}: `{value}` is no choice of `{name}`"
