"""
Modules of our own form: YAML, where judgement is decision tables and the answers of a group may be
given once per thing found.

Shipped modules lie in `modules/`. They are written from published facts, each with its source; what
is not confirmed says so in its row.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError

from app.errors import InvalidReportingModule
from app.registries.decisions import Cell, DecisionTable
from app.registries.parts import Identifier, Part, Slug, Source
from app.reporting import module as shape
from app.reporting.answers import writable
from app.reporting.arithmetic import Unreadable
from app.reporting.arithmetic import names as arithmetic_names
from app.reporting.conditions import All, AnyOf, Compared, Condition, Present
from app.reporting.order import ordered

DEEPEST = 50

PACKAGED = Path(__file__).parent / "modules"

_NUMBERS = {"integer", "decimal"}
_INSERT = re.compile(r"\{([a-z][a-z0-9_]*)\}")
Answers = dict[Identifier, Cell]


class _Code(Part):
    system: str
    code: str
    display: str = ""


class _Choice(Part):
    value: str
    label: str
    says: str = ""
    default: bool = False
    codes: tuple[_Code, ...] = ()


class _Element(Part):
    id: Identifier
    kind: shape.Kind
    label: str
    hint: str = ""
    unit: str = ""
    group: Identifier | None = None
    required: bool = False
    choices: tuple[_Choice, ...] = ()
    low: Decimal | None = None
    high: Decimal | None = None
    part_of: Identifier | None = None
    """A number that this one is a part of, and so no larger than."""
    relevant_when: Answers | None = None
    """Element -> the answers of which one must be given."""
    required_when: Answers | None = None
    """Likewise, where it is not always required."""
    codes: tuple[_Code, ...] = ()


class _Computed(Part):
    """Exactly one of the ways to work a value out."""

    id: Identifier
    label: str = ""
    group: Identifier | None = None
    shown: bool = False
    arithmetic: str | None = None
    text: str | None = None
    table: str | None = None
    """`<table>.<output>`"""
    choose: dict[Identifier, dict[str, str]] | None = None
    """Element -> answer -> `<table>.<output>`"""
    first: tuple[Identifier, ...] = ()
    """The first of these that has a value."""
    worst: Identifier | None = None
    order: tuple[str, ...] = ()
    otherwise: str | None = None
    join: Identifier | None = None
    count: Identifier | None = None
    """How many of its choices were made."""


class _Passage(Part):
    when: Answers | None = None
    text: str


class _FollowUp(Part):
    exam: str = ""
    acceptable: tuple[str, ...] = ()
    indication: str = ""
    earliest: str = ""
    latest: str = ""


class _EndPoint(Part):
    id: Slug
    label: str
    when: Answers
    report: dict[str, tuple[_Passage, ...]]
    diagnosis: str = ""
    codes: tuple[_Code, ...] = ()
    actionable: str = ""
    follow_up: _FollowUp | None = None


class _Group(Part):
    id: Identifier
    title: str
    at_most: Annotated[int, Field(ge=1, le=100)] = 20


class _Document(Part):
    id: Slug
    version: Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")]
    title: str
    description: str
    developed_by: str
    citation: str = ""
    references: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    source: Source = "confirmed"
    codes: tuple[_Code, ...] = ()
    groups: tuple[_Group, ...] = ()
    elements: Annotated[tuple[_Element, ...], Field(min_length=1)]
    tables: tuple[DecisionTable, ...] = ()
    computed: tuple[_Computed, ...] = ()
    end_points: Annotated[tuple[_EndPoint, ...], Field(min_length=1)]


@lru_cache(maxsize=1)
def packaged() -> Mapping[str, shape.Module]:
    """The shipped modules, by id."""
    found = (read_own(path.read_bytes()) for path in sorted(PACKAGED.glob("*.yaml")))
    return {one.id: one for one in found}


def read_own(content: bytes) -> shape.Module:
    """The module in a YAML document, or `InvalidReportingModule` with every complaint."""
    try:
        _look_through(content)
        # Scalars stay as they were written, so that a code `010` is no number.
        written = yaml.load(content, yaml.BaseLoader)  # noqa: S506 -- it makes nothing but text, lists and mappings
        document = _Document.model_validate(written)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise InvalidReportingModule([f"{line}is no YAML"]) from None
    except ValidationError as error:
        raise InvalidReportingModule(
            [
                f"{'.'.join(str(part) for part in one['loc']) or 'document'}: {one['msg']}"
                for one in error.errors(include_input=False, include_url=False)
            ]
        ) from None
    complaints = list(_unsound(document))
    if complaints:
        raise InvalidReportingModule(complaints)
    module = _built(document, hashlib.sha256(content).hexdigest())
    computed, looped = ordered(module.computed, {})
    if looped is not None:
        raise InvalidReportingModule([f"computed.{looped}: is worked out of itself"])
    return replace(module, computed=computed)


def _look_through(content: bytes) -> None:
    """What YAML can be misused for is refused before anything is made of it."""
    depth = 0
    for event in yaml.parse(content, yaml.BaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        wrong = ""
        if isinstance(event, yaml.AliasEvent):
            wrong = "refers to another part by an alias, which a module needs not"
        elif depth > DEEPEST:
            wrong = f"is nested deeper than {DEEPEST}"
        elif isinstance(event, yaml.ScalarEvent) and not writable(event.value):
            wrong = "holds half of a character"
        if wrong and event.start_mark:
            raise InvalidReportingModule([f"line {event.start_mark.line + 1}: {wrong}"])


def _built(document: _Document, digest: str) -> shape.Module:
    tables = {one.id: one for one in document.tables}
    return shape.Module(
        id=document.id,
        version=document.version,
        title=document.title,
        description=document.description,
        developed_by=document.developed_by,
        citation=document.citation,
        references=document.references,
        codings=_codings(document.codes),
        modalities=document.modalities,
        source=document.source,
        groups=tuple(shape.Group(one.id, one.title, one.at_most) for one in document.groups),
        elements=tuple(map(_element, document.elements)),
        computed=tuple(
            shape.Computed(one.id, one.label, _working(one, tables), one.shown, one.group)
            for one in document.computed
        ),
        rules=(
            shape.DecisionPoint(
                "end",
                "",
                tuple(
                    shape.Branch(_condition(one.when), one.label, one.id)
                    for one in document.end_points
                ),
            ),
        ),
        end_points=tuple(map(_end_point, document.end_points)),
        tables=document.tables,
        digest=digest,
    )


def _element(one: _Element) -> shape.Element:
    conditionals: tuple[shape.Conditional, ...] = ()
    if one.relevant_when is not None:
        conditionals = (shape.Conditional(_condition(one.relevant_when), relevant=True),)
    if one.required_when is not None:
        required = shape.Conditional(_condition(one.required_when), required=True)
        conditionals = (*conditionals, required)
    return shape.Element(
        id=one.id,
        kind=one.kind,
        label=one.label,
        hint=one.hint,
        unit=one.unit,
        required=one.required,
        choices=tuple(
            shape.Choice(
                choice.value,
                choice.label,
                report_text=choice.says,
                default=choice.default,
                codings=_codings(choice.codes),
            )
            for choice in one.choices
        ),
        minimum=one.low,
        maximum=one.high,
        conditionals=conditionals,
        codings=_codings(one.codes),
        group=one.group,
        part_of=one.part_of,
    )


def _working(one: _Computed, tables: Mapping[str, DecisionTable]) -> shape.Working:
    if one.arithmetic is not None:
        return shape.Arithmetic(one.arithmetic)
    if one.text is not None:
        return shape.Words(tuple(_pieces(one.text)))
    if one.table is not None:
        return _looked(one.table, tables)
    if one.choose is not None:
        return shape.Decision(
            tuple(
                (Compared(element, "=", answer), _looked(name, tables))
                for element, answers in one.choose.items()
                for answer, name in answers.items()
            )
        )
    if one.first:
        return shape.Decision(tuple((Present(name), shape.Taken(name)) for name in one.first))
    if one.worst is not None:
        return shape.Worst(one.worst, one.order, one.otherwise)
    if one.join is not None:
        return shape.Joined(one.join)
    assert one.count is not None
    return shape.Counted(one.count)


def _looked(name: str, tables: Mapping[str, DecisionTable]) -> shape.Looked:
    table, _, output = name.partition(".")
    return shape.Looked(tables[table], output)


def _end_point(one: _EndPoint) -> shape.EndPoint:
    return shape.EndPoint(
        id=one.id,
        label=one.label,
        sections=tuple(
            (
                name,
                tuple(
                    shape.Passage(
                        _condition(passage.when) if passage.when else None,
                        tuple(_pieces(passage.text)),
                    )
                    for passage in passages
                ),
            )
            for name, passages in one.report.items()
        ),
        diagnosis=one.diagnosis,
        diagnosis_codings=_codings(one.codes),
        actionable=one.actionable,
        follow_up=shape.FollowUp(**one.follow_up.model_dump()) if one.follow_up else None,
    )


def _condition(answers: Answers) -> Condition:
    """Every element has one of the answers named for it."""
    return All(
        tuple(
            AnyOf(
                tuple(
                    Compared(name, "=", value)
                    for value in (cell if isinstance(cell, tuple) else (cell,))
                )
            )
            for name, cell in answers.items()
        )
    )


def _pieces(text: str) -> Iterator[shape.Plain | shape.Insert | shape.Maybe]:
    """Words with `{element}` among them; what stands in brackets is said when it is answered."""
    for number, part in enumerate(re.split(r"\[([^\[\]]*\{[^\[\]]*)\]", text)):
        if number % 2:
            yield shape.Maybe(tuple(_inserts(part)))
        else:
            yield from _inserts(part)


def _inserts(text: str) -> Iterator[shape.Plain | shape.Insert]:
    for number, part in enumerate(_INSERT.split(text)):
        if number % 2:
            yield shape.Insert(part)
        elif part:
            yield shape.Plain(part)


def _codings(codes: tuple[_Code, ...]) -> tuple[shape.Coding, ...]:
    return tuple(shape.Coding(one.system, one.code, one.display) for one in codes)


def _unsound(document: _Document) -> Iterator[str]:
    """What does not hold across the parts of a document."""
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
        for name in _INSERT.findall(computed.text or ""):
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
            if section not in shape.SECTIONS:
                yield f"end_points.{end.id}: `{section}` is no section"
            for passage in passages:
                for name in _INSERT.findall(passage.text):
                    if name not in known:
                        yield f"end_points.{end.id}: there is no element `{name}` to insert"
                if passage.when:
                    yield from _unknown(f"end_points.{end.id}", passage.when, elements, known)
        yield from _unknown(f"end_points.{end.id}", end.when, elements, known)


def _numeric(document: _Document, tables: Mapping[str, DecisionTable]) -> Iterator[str]:
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
    elements: Mapping[str, _Element],
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
