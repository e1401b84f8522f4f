"""The rules of a CAR/DS document, and where they end: what is said there and recommended."""

from __future__ import annotations

from collections.abc import Iterator

from app.reporting.cards.conditions import read_condition
from app.reporting.cards.reading import Reading
from app.reporting.markup import Node
from app.reporting.module import (
    SECTIONS,
    Branch,
    Coding,
    DecisionPoint,
    EndPoint,
    FollowUp,
    Partial,
    Passage,
    Piece,
    Plain,
)

_BLANKS = {"Newline": "\n", "Tab": "\t", "Space": " "}


def read_point(reading: Reading, node: Node) -> DecisionPoint:
    """A point of the rules, with all that follows from it."""
    rest = node.first("DefaultBranch")
    return DecisionPoint(
        node.attributes.get("Id", ""),
        node.said("Label"),
        tuple(_branch(reading, one) for one in node.named("Branch")),
        _branch(reading, rest) if rest else None,
    )


def _branch(reading: Reading, node: Node) -> Branch:
    end, point = node.first("EndPointRef"), node.first("DecisionPoint")
    follows = read_point(reading, point) if point else None
    # The schema lets branches stand in a branch without a point of their own.
    if inner := tuple(_branch(reading, one) for one in node.named("Branch")):
        beside = (Branch(None, "", None, follows),) if follows else ()
        follows = DecisionPoint("", node.said("Label"), (*inner, *beside), None)
    return Branch(
        read_condition(reading, node),
        node.said("Label"),
        reading.attribute(end, "EndPointId") if end else None,
        follows,
    )


def read_end_point(reading: Reading, node: Node) -> EndPoint:
    """Where a report can end."""
    sections = list[tuple[str, tuple[Passage, ...]]]()
    held = node.first("ReportSections")
    for one in held.named("ReportSection") if held else ():
        wanted = reading.attribute(one, "SectionId")
        known = {name.lower(): name for name in SECTIONS}.get(wanted.lower())
        if known is None:
            reading.complain(one, f"`{wanted}` is no section; there are {', '.join(SECTIONS)}")
        sections.append((known or wanted, read_passages(reading, one)))
    diagnosis = node.first("Diagnosis")
    actionable = node.first("ActionableFinding")
    follow_up = node.first("ImagingFollowup")
    code = diagnosis.attributes.get("Code") if diagnosis else None
    return EndPoint(
        id=reading.attribute(node, "Id"),
        label=node.said("Label"),
        sections=tuple(sections),
        diagnosis=diagnosis.text if diagnosis else "",
        diagnosis_codings=(
            Coding(diagnosis.attributes.get("CodingSystem", ""), code, diagnosis.text),
        )
        if diagnosis and code
        else (),
        actionable=actionable.attributes.get("Category", "") if actionable else "",
        follow_up=_follow_up(reading, follow_up) if follow_up else None,
    )


def _follow_up(reading: Reading, node: Node) -> FollowUp:
    frame = node.first("RecommendedTimeFrame")
    acceptable = node.first("AcceptableImagingExams")
    cited = node.first("References")
    return FollowUp(
        exam=node.said("PreferredImagingExam"),
        acceptable=tuple(one.text for one in acceptable.named("Exam")) if acceptable else (),
        indication=node.said("IndicationForFollowup"),
        earliest=frame.attributes.get("Earliest", "") if frame else "",
        latest=frame.attributes.get("Latest", "") if frame else "",
        references=tuple(one.text for one in cited.named("Citation")) if cited else (),
    )


def read_passages(reading: Reading, node: Node) -> tuple[Passage, ...]:
    """What is said when its condition holds, one passage a branch."""
    return tuple(
        Passage(
            read_condition(reading, one),
            tuple(_report_pieces(reading, one)),
            read_passages(reading, one),
        )
        for one in node.named("Branch")
    )


def _report_pieces(reading: Reading, node: Node) -> Iterator[Piece]:
    for one in node.named("ReportText"):
        kind = one.attributes.get("Type", "PlainText")
        if kind in _BLANKS:
            yield Plain(_BLANKS[kind])
        elif kind == "InsertDataElementValue":
            yield reading.insert(one, reading.attribute(one, "Value"))
        elif kind == "InsertPartialTemplate":
            yield Partial(reading.attribute(one, "Value"))
        elif kind == "PlainText":
            yield Plain(one.words)
        else:
            reading.complain(one, f"`{kind}` is no type of ReportText")
