"""
A reporting module: what a radiologist is asked, how it is judged, and what the report then says.

The shape is that of ACR Assist's CAR/DS 2.0 (elements, rules, end points) with two additions of
our own, which CAR/DS has no word for: groups of elements that are answered once per thing found
(a nodule), and decision tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Literal

from app.registries.decisions import DecisionTable
from app.reporting.conditions import Condition

Kind = Literal["choice", "choices", "integer", "decimal", "date-time", "time-span", "text"]
SECTIONS = ("findings", "impression", "recommendation", "impressionRecommendation", "citation")


@dataclass(frozen=True, slots=True)
class Coding:
    """What a vocabulary calls an element or a module."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str
    hint: str = ""
    report_text: str = ""
    """What a report says instead of the label."""
    default: bool = False
    codings: tuple[Coding, ...] = ()


@dataclass(frozen=True, slots=True)
class Conditional:
    """What changes about an element when a condition holds."""

    when: Condition
    relevant: bool | None = None
    required: bool | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    without: tuple[str, ...] = ()
    """Choices that are out of place."""


@dataclass(frozen=True, slots=True)
class Element:
    """One question."""

    id: str
    kind: Kind
    label: str
    hint: str = ""
    unit: str = ""
    required: bool = False
    choices: tuple[Choice, ...] = ()
    free_text: bool = False
    """Whether words of one's own may stand in for a choice."""
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    conditionals: tuple[Conditional, ...] = ()
    codings: tuple[Coding, ...] = ()
    group: str | None = None
    part_of: str | None = None
    """The number that this one is a part of, and so no larger than."""


@dataclass(frozen=True, slots=True)
class Plain:
    text: str


@dataclass(frozen=True, slots=True)
class Insert:
    """The answer to an element, as a report says it."""

    element: str
    digits: int | None = None


@dataclass(frozen=True, slots=True)
class Partial:
    """A piece of text that several end points share."""

    id: str


@dataclass(frozen=True, slots=True)
class Maybe:
    """Said only when every element it inserts was answered."""

    pieces: tuple[Plain | Insert, ...]


Piece = Plain | Insert | Partial | Maybe


@dataclass(frozen=True, slots=True)
class Passage:
    """Text that is said when a condition holds, then what it holds inside."""

    when: Condition | None
    pieces: tuple[Piece, ...]
    inner: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class Arithmetic:
    text: str


@dataclass(frozen=True, slots=True)
class Words:
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """The first branch that holds, else `otherwise`."""

    branches: tuple[tuple[Condition, Working], ...]
    otherwise: Working | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """One output of a decision table, looked up by the answers."""

    table: DecisionTable
    output: str


@dataclass(frozen=True, slots=True)
class Worst:
    """The value of the highest place in `order` that an element has in any item of its group;
    `otherwise` where there is no item. An item without a value leaves it open: it may be the worst.
    """

    element: str
    order: tuple[str, ...]
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """What an element says in every item of its group, one after another."""

    element: str
    between: str = "\n"


@dataclass(frozen=True, slots=True)
class Counted:
    """How many choices were made of an element; none where it was not answered."""

    element: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to another element, as it is."""

    element: str


Working = Arithmetic | Words | Decision | Looked | Worst | Joined | Counted | Taken


@dataclass(frozen=True, slots=True)
class Computed:
    """An answer that is worked out. Constants are computed of a text alone."""

    id: str
    label: str
    working: Working
    shown: bool = False
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    when: Condition | None
    label: str
    end_point: str | None = None
    point: DecisionPoint | None = None


@dataclass(frozen=True, slots=True)
class DecisionPoint:
    """Every branch that holds is followed, in order; when none does, `otherwise`."""

    id: str
    label: str
    branches: tuple[Branch, ...]
    otherwise: Branch | None = None


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What imaging is recommended next; times as ISO 8601 durations."""

    exam: str = ""
    acceptable: tuple[str, ...] = ()
    indication: str = ""
    earliest: str = ""
    latest: str = ""
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EndPoint:
    id: str
    label: str
    sections: tuple[tuple[str, tuple[Passage, ...]], ...]
    diagnosis: str = ""
    diagnosis_codings: tuple[Coding, ...] = ()
    actionable: str = ""
    follow_up: FollowUp | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Elements answered once per thing found."""

    id: str
    title: str
    at_most: int


@dataclass(frozen=True)
class Module:
    """A reporting module, whole: one version of its document."""

    id: str
    version: str
    title: str
    description: str = ""
    developed_by: str = ""
    citation: str = ""
    references: tuple[str, ...] = ()
    codings: tuple[Coding, ...] = ()
    modalities: tuple[str, ...] = ()
    source: str = "confirmed"
    groups: tuple[Group, ...] = ()
    elements: tuple[Element, ...] = ()
    computed: tuple[Computed, ...] = ()
    rules: tuple[DecisionPoint, ...] = ()
    partials: Mapping[str, tuple[Passage, ...]] = field(default_factory=dict)
    end_points: tuple[EndPoint, ...] = ()
    tables: tuple[DecisionTable, ...] = ()
    digest: str = ""
    """SHA-256 of its document, where it was shipped."""
    doubts: tuple[str, ...] = ()
    """What reads as a slip of its author, each with its line; it is kept as it was written."""

    @cached_property
    def by_id(self) -> dict[str, Element]:
        return {one.id: one for one in self.elements}

    @cached_property
    def known(self) -> frozenset[str]:
        """Everything a condition or a text may name."""
        return frozenset(self.by_id) | {one.id for one in self.computed}

    @cached_property
    def group_of(self) -> dict[str, str | None]:
        """The group of each element and computed answer."""
        return {one.id: one.group for one in self.elements} | {
            one.id: one.group for one in self.computed
        }

    @cached_property
    def ends(self) -> dict[str, EndPoint]:
        return {one.id: one for one in self.end_points}

    def passages(self) -> Iterator[Passage]:
        """Every passage of every end point and partial."""
        for passages in self.partials.values():
            yield from within(passages)
        for end in self.end_points:
            for _, passages in end.sections:
                yield from within(passages)


def within(passages: Iterable[Passage]) -> Iterator[Passage]:
    """The passages, and those they hold inside."""
    pending = list(passages)
    while pending:
        passage = pending.pop()
        yield passage
        pending.extend(passage.inner)
