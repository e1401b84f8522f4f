"""
Modules of our own form: YAML, where judgement is decision tables and the answers of a group may be
given once per thing found.

Shipped modules lie in `modules/`. They are written from published facts, each with its source; what
is not confirmed says so in its row.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from app.errors import InvalidReportingModule
from app.registries.decisions import DecisionTable
from app.registries.load import SHARED
from app.reporting import module as shape
from app.reporting.answers import writable
from app.reporting.conditions import (
    All,
    AnyOf,
    Compared,
    Condition,
    Present,
)
from app.reporting.document import (
    INSERT,
    Answers,
    Code,
    Computed,
    Document,
    Element,
    EndPoint,
)
from app.reporting.order import ordered
from app.reporting.soundness import unsound

DEEPEST = 50
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

PACKAGED = Path(__file__).parent / "modules"


@lru_cache(maxsize=1)
def packaged() -> Mapping[str, shape.Module]:
    """The shipped modules, by id."""
    found = (_made(_whole(path.read_bytes())) for path in sorted(PACKAGED.glob("*.yaml")))
    return {one.id: one for one in found}


def _whole(content: bytes) -> bytes:
    """A shipped module with the decision tables in it that it shares with definitions."""
    written = _read(content)
    shared = {
        table["id"]: table
        for path in sorted((SHARED / "decisions").glob("*.yaml"))
        for table in _read(path.read_bytes())
    }
    written["tables"] = [
        shared[one["shared"]] if "shared" in one else one for one in written.get("tables", ())
    ]
    return yaml.dump(written, Dumper=_DUMPER, allow_unicode=True, sort_keys=False).encode()


def _read(content: bytes) -> Any:
    """Text, lists and mappings. Scalars stay as they were written, so that a code `010` is no number."""
    return yaml.load(content, _LOADER)  # noqa: S506 -- it makes nothing else


def read_own(content: bytes) -> shape.Module:
    """The module in a YAML document, or `InvalidReportingModule` with every complaint."""
    try:
        _look_through(content)
        return _made(content)
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
    except (ValueError, OverflowError):
        # An escape beyond the last character there is.
        raise InvalidReportingModule(["is no YAML"]) from None


def _made(content: bytes) -> shape.Module:
    document = Document.model_validate(_read(content))
    complaints = list(unsound(document))
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
        elif isinstance(event, yaml.ScalarEvent) and not (
            writable(event.value) and "\x00" not in event.value
        ):
            wrong = "holds what is no character of a text"
        if wrong and event.start_mark:
            raise InvalidReportingModule([f"line {event.start_mark.line + 1}: {wrong}"])


def _built(document: Document, digest: str) -> shape.Module:
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


def _element(one: Element) -> shape.Element:
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


def _working(one: Computed, tables: Mapping[str, DecisionTable]) -> shape.Working:
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


def _end_point(one: EndPoint) -> shape.EndPoint:
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
    for number, part in enumerate(INSERT.split(text)):
        if number % 2:
            yield shape.Insert(part)
        elif part:
            yield shape.Plain(part)


def _codings(codes: tuple[Code, ...]) -> tuple[shape.Coding, ...]:
    return tuple(shape.Coding(one.system, one.code, one.display) for one in codes)
