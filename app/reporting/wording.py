"""What a report says: the passages of end points, with answers put in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
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

LONGEST_REPORT = 100_000
"""Characters, and pieces of text, that one report may have."""


class TooLong(Exception):
    """A text would grow beyond what may be said."""


@dataclass(slots=True)
class Room:
    """How much may still be said."""

    left: int = LONGEST_REPORT

    def take(self, amount: int) -> None:
        """`TooLong` when there is no room for so many characters."""
        self.left -= amount
        if self.left < 0:
            raise TooLong


def sections(module: Module, end_points: Iterable[EndPoint], answers: Answers) -> dict[str, str]:
    """Text by section, that of several end points in their order; `TooLong` when it is longer than
    `LONGEST_REPORT`."""
    said, room = dict[str, list[str]](), Room()
    for end in end_points:
        for name, passages in end.sections:
            text = _tidy("".join(_passage(module, one, answers, room) for one in passages))
            if text:
                said.setdefault(name, []).append(text)
    return {name: "\n".join(texts) for name, texts in said.items()}


def _passage(module: Module, passage: Passage, answers: Answers, room: Room) -> str:
    room.take(1)
    if passage.when is not None and not passage.when.holds(answers):
        return ""
    return text_of(module, passage.pieces, answers, room) + "".join(
        _passage(module, one, answers, room) for one in passage.inner
    )


def text_of(module: Module, pieces: Iterable[Piece], answers: Answers, room: Room) -> str:
    """Pieces of text in a row, answers as a report says them; `TooLong` when there is no room."""
    parts = list[str]()
    for piece in pieces:
        # A piece takes room even where it says nothing: partials in partials multiply.
        room.take(1)
        match piece:
            case Plain(text):
                room.take(len(text))
                parts.append(text)
            case Insert(name, digits):
                answer = answers.get(name)
                if isinstance(answer, Decimal) and digits:
                    answer = Decimal(f"{answer:.{digits}g}")
                if answer is not None:
                    text = said(module.by_id.get(name), answer)
                    room.take(len(text))
                    parts.append(text)
            case Maybe(inner):
                if all(one.element in answers for one in inner if isinstance(one, Insert)):
                    parts.append(text_of(module, inner, answers, room))
            case Partial(name):
                parts.extend(
                    _passage(module, one, answers, room) for one in module.partials.get(name, ())
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
