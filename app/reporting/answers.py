"""
Answers as they are sent, understood: each of its element's kind, or refused with what is allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from app.reporting.conditions import MOST_DIGITS, Answer, number_in
from app.reporting.module import Element

LONGEST_TEXT = 4_000
MOST_CHOICES = 100

_SPAN = re.compile(
    r"P(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?", re.ASCII
)
_MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an answer cannot be taken, and what can."""

    code: str
    allowed: str


@dataclass(frozen=True, slots=True)
class Question:
    """An element as it stands with the answers given."""

    element: Element
    item: int | None
    relevant: bool
    required: bool
    answered: bool
    minimum: Decimal | None
    maximum: Decimal | None
    without: tuple[str, ...]
    """Choices that are out of place."""
    whole: Decimal | None = None
    """The answer to the element that this one is a part of."""

    @property
    def open(self) -> bool:
        """Whether an answer is needed that was not given."""
        return self.relevant and self.required and not self.answered

    def out_of_place(self, answer: Answer | None) -> Refused | None:
        """Why an answer of the right kind is still none."""
        if isinstance(answer, Decimal):
            low, high = self.minimum, self.maximum
            if (low is not None and answer < low) or (high is not None and answer > high):
                ends = [f"from {low}"] if low is not None else []
                ends += [f"to {high}"] if high is not None else []
                return Refused("out-of-range", " ".join(ends))
            if self.whole is not None and answer > self.whole:
                return Refused("larger-than-whole", f"no more than `{self.element.part_of}`")
            return None
        several = answer if isinstance(answer, tuple) else (answer,)
        if set(several) & set(self.without):
            left = [one.value for one in self.element.choices if one.value not in self.without]
            return Refused("choice-not-relevant", ", ".join(left))
        return None


def understood(element: Element, value: Any) -> Answer | Refused | None:
    """An answer of the element's kind, or why it is none; None where nothing was answered."""
    if value is None or value == "" or value == []:
        return None
    texts = value if isinstance(value, list) else [value]
    if len(texts) > MOST_CHOICES:
        return Refused("too-many", f"at most {MOST_CHOICES}")
    if any(
        isinstance(one, str) and not (len(one) <= LONGEST_TEXT and writable(one)) for one in texts
    ):
        return Refused("not-a-text", f"at most {LONGEST_TEXT} characters of Unicode")
    allowed = ", ".join(one.value for one in element.choices)
    match element.kind:
        case "choice":
            if not isinstance(value, str):
                return Refused("not-a-choice", allowed)
            if value not in {one.value for one in element.choices} and not element.free_text:
                return Refused("not-a-choice", allowed)
            return value
        case "choices":
            several = value if isinstance(value, list) else [value]
            known = {one.value for one in element.choices}
            if not all(
                isinstance(one, str) and (one in known or element.free_text) for one in several
            ):
                return Refused("not-a-choice", allowed)
            return tuple(dict.fromkeys(several))
        case "integer" | "decimal":
            whole = element.kind == "integer"
            number = _number(value)
            if number is None or (whole and number != number.to_integral_value()):
                says = "a whole number" if whole else "a number"
                return Refused("not-a-number", f"{says} of at most {MOST_DIGITS} digits")
            return number
        case "date-time":
            if not isinstance(value, str) or not _is_moment(value):
                return Refused("not-a-time", "a date or time as ISO 8601 writes it")
            return value
        case "time-span":
            found = _SPAN.fullmatch(value) if isinstance(value, str) else None
            if not found or not any(found.groups()):
                return Refused("not-a-span", "a duration as ISO 8601 writes it, such as P2DT3H")
            parts = zip(found.groups(), (86_400, 3_600, 60, 1), strict=True)
            return sum((Decimal(part) * size for part, size in parts if part), Decimal(0))
        case _:
            return value if isinstance(value, str) else Refused("not-a-text", "a text")


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    # Python refuses to write out an integer of thousands of digits.
    if isinstance(value, int) and value.bit_length() > 128:
        return None
    return number_in(str(value))


def _is_moment(text: str) -> bool:
    if not _MOMENT.fullmatch(text):
        return False
    try:
        if len(text) == len("2026-01-02"):
            date.fromisoformat(text)
        else:
            datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def writable(text: str) -> bool:
    """Whether a text can be written out: half of a surrogate pair has no UTF-8."""
    return not any("\ud800" <= sign <= "\udfff" for sign in text)
