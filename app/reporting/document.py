"""What a module of our own form is written of: the shape of its YAML."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from app.registries.decisions import Cell, DecisionTable
from app.registries.parts import Identifier, Part, Slug, Source
from app.reporting.module import Kind

INSERT = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""An element among the words of a text."""

Answers = dict[Identifier, Cell]


class Code(Part):
    """What a vocabulary calls something."""

    system: str
    code: str
    display: str = ""


class Choice(Part):
    """One answer that can be given."""

    value: str
    label: str
    says: str = ""
    default: bool = False
    codes: tuple[Code, ...] = ()


class Element(Part):
    """One question."""

    id: Identifier
    kind: Kind
    label: str
    hint: str = ""
    unit: str = ""
    group: Identifier | None = None
    required: bool = False
    choices: tuple[Choice, ...] = ()
    low: Decimal | None = None
    high: Decimal | None = None
    part_of: Identifier | None = None
    """A number that this one is a part of, and so no larger than."""
    relevant_when: Answers | None = None
    """Element -> the answers of which one must be given."""
    required_when: Answers | None = None
    """Likewise, where it is not always required."""
    codes: tuple[Code, ...] = ()


class Computed(Part):
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


class Passage(Part):
    """Text that is said when every element has one of its answers."""

    when: Answers | None = None
    text: str


class FollowUp(Part):
    """What imaging is recommended next; times as ISO 8601 durations."""

    exam: str = ""
    acceptable: tuple[str, ...] = ()
    indication: str = ""
    earliest: str = ""
    latest: str = ""


class EndPoint(Part):
    """Where a report can end."""

    id: Slug
    label: str
    when: Answers
    report: dict[str, tuple[Passage, ...]]
    diagnosis: str = ""
    codes: tuple[Code, ...] = ()
    actionable: str = ""
    follow_up: FollowUp | None = None


class Group(Part):
    """Elements answered once per thing found."""

    id: Identifier
    title: str
    at_most: Annotated[int, Field(ge=1, le=100)] = 20


class Document(Part):
    """A module as it is written."""

    id: Slug
    version: Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")]
    title: str
    description: str
    developed_by: str
    citation: str = ""
    references: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    source: Source = "confirmed"
    codes: tuple[Code, ...] = ()
    groups: tuple[Group, ...] = ()
    elements: Annotated[tuple[Element, ...], Field(min_length=1)]
    tables: tuple[DecisionTable, ...] = ()
    computed: tuple[Computed, ...] = ()
    end_points: Annotated[tuple[EndPoint, ...], Field(min_length=1)]
