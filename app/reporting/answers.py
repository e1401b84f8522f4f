"""
Answers as they are sent, understood: each of its element's kind, or refused with what is allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from app.reporting.conditions import Answer
from app.reporting.module import Element

_SPAN = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?")


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

    @property
    def open(self) -> bool:
        """Whether an answer is needed that was not given."""
        return self.relevant and self.required and not self.answered

    def out_of_place(self, answer: Answer | None) -> Refused | None:
        """Why an answer of the right kind is still none."""
        if isinstance(answer, Decimal):
            low, high = self.minimum, self.maximum
            if (low is None or answer >= low) and (high is None or answer <= high):
                return None
            ends = [f"from {low}"] if low is not None else []
            return Refused("out-of-range", " ".join([*ends, *([f"to {high}"] if high else [])]))
        several = answer if isinstance(answer, tuple) else (answer,)
        if set(several) & set(self.without):
            left = [one.value for one in self.element.choices if one.value not in self.without]
            return Refused("choice-not-relevant", ", ".join(left))
        return None


def understood(element: Element, value: Any) -> Answer | Refused | None:
    """An answer of the element's kind, or why it is none; None where nothing was answered."""
    if value is None or value == "" or value == []:
        return None
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
            says = "a whole number" if whole else "a number"
            if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
                return Refused("not-a-number", says)
            try:
                number = Decimal(str(value))
            except InvalidOperation:
                return Refused("not-a-number", says)
            if not number.is_finite() or (whole and number != number.to_integral_value()):
                return Refused("not-a-number", says)
            return number
        case "date-time":
            if not isinstance(value, str) or not _MOMENT.fullmatch(value):
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
