"""What a report says: the passages of end points, with answers put in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from app.reporting.conditions import Answer, Answers
from app.reporting.module import (
    Element,
    EndPoint,
    Insert,
    Maybe,
    Module,
    Partial,
    Passage,
    Piece,
    Plain,
)

DEEPEST = 20
"""How far partials may stand within one another; what would go on for ever stops here."""


def sections(module: Module, end_points: Iterable[EndPoint], answers: Answers) -> dict[str, str]:
    """Text by section, that of several end points in their order."""
    said = dict[str, list[str]]()
    for end in end_points:
        for name, passages in end.sections:
            text = _tidy("".join(_passage(module, one, answers, 0) for one in passages))
            if text:
                said.setdefault(name, []).append(text)
    return {name: "\n".join(texts) for name, texts in said.items()}


def _passage(module: Module, passage: Passage, answers: Answers, depth: int) -> str:
    if depth > DEEPEST or (passage.when is not None and not passage.when.holds(answers)):
        return ""
    return text_of(module, passage.pieces, answers, depth) + "".join(
        _passage(module, one, answers, depth + 1) for one in passage.inner
    )


def text_of(module: Module, pieces: Iterable[Piece], answers: Answers, depth: int = 0) -> str:
    """Pieces of text in a row, answers as a report says them."""
    parts = list[str]()
    for piece in pieces:
        match piece:
            case Plain(text):
                parts.append(text)
            case Insert(name, digits):
                answer = answers.get(name)
                if isinstance(answer, Decimal) and digits:
                    answer = Decimal(f"{answer:.{digits}g}")
                if answer is not None:
                    parts.append(said(module.by_id.get(name), answer))
            case Maybe(inner):
                if all(one.element in answers for one in inner if isinstance(one, Insert)):
                    parts.append(text_of(module, inner, answers, depth))
            case Partial(name) if depth < DEEPEST:
                parts.extend(
                    _passage(module, one, answers, depth + 1)
                    for one in module.partials.get(name, ())
                )
    return "".join(parts)


def said(element: Element | None, answer: Answer) -> str:
    """An answer in a report's words: a choice by its report text or label, a number plainly."""
    if isinstance(answer, Decimal):
        return f"{answer.normalize():f}"
    labels = {one.value: one.report_text or one.label for one in element.choices} if element else {}
    several = answer if isinstance(answer, tuple) else (answer,)
    return ", ".join(labels.get(one, one) for one in several)


def _tidy(text: str) -> str:
    """Lines without blanks at their ends and without double ones within."""
    lines = (re.sub(r"[ \t]{2,}", " ", line).strip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
