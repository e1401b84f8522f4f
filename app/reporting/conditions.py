"""
Conditions of a reporting module, in the words of CAR/DS 2.0.

A condition is true or false of the answers given so far. An answer that was not given equals
nothing, is greater or less than nothing and contains nothing, so that only `Not`, `NotEqual` and
`Absent` hold of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeVar

Answer = str | Decimal | tuple[str, ...]
"""A choice or text; a number, or a span of time in seconds; the choices of several."""
Answers = Mapping[str, Answer]
_Sortable = TypeVar("_Sortable", str, Decimal)
Comparison = Literal["=", "!=", "<", "<=", ">", ">="]

_NUMBER = re.compile(r"[+-]?(\d{1,28}(\.\d{0,28})?|\.\d{1,28})([eE][+-]?\d{1,2})?", re.ASCII)
MOST_DIGITS = 28


def number_in(text: str) -> Decimal | None:
    """The number that a text writes, of at most 28 digits before and after the point; None where it
    writes none."""
    if not _NUMBER.fullmatch(text.strip(" ")):
        return None
    number = Decimal(text.strip(" "))
    exponent = number.as_tuple().exponent
    small = isinstance(exponent, int) and exponent >= -MOST_DIGITS
    return number if small and abs(number.adjusted()) <= MOST_DIGITS else None


def plain(answer: Answer) -> str | list[str]:
    """An answer as a document tells it: numbers as text, the choices of several as a list."""
    if isinstance(answer, tuple):
        return list(answer)
    return f"{answer.normalize():f}" if isinstance(answer, Decimal) else answer


@dataclass(frozen=True, slots=True)
class Compared:
    """An answer beside a value: numbers as numbers, choices and texts as they are spelled. Only
    which of two is greater is told by number where both write one, and otherwise as text."""

    element: str
    sign: Comparison
    value: str

    def holds(self, answers: Answers) -> bool:
        given = answers.get(self.element)
        if self.sign == "!=":
            return not Compared(self.element, "=", self.value).holds(answers)
        if given is None:
            return False
        if isinstance(given, tuple):
            return self.sign == "=" and given == (self.value,)
        limit = number_in(self.value)
        if isinstance(given, Decimal):
            return limit is not None and _ordered(given, self.sign, limit)
        number = number_in(given)
        if self.sign == "=" or number is None or limit is None:
            # Points in time are compared as they are written: ISO 8601 sorts as text.
            return _ordered(given, self.sign, self.value)
        return _ordered(number, self.sign, limit)

    def elements(self) -> Iterator[str]:
        yield self.element


@dataclass(frozen=True, slots=True)
class Contains:
    """One of several choices was made."""

    element: str
    value: str

    def holds(self, answers: Answers) -> bool:
        given = answers.get(self.element, ())
        return self.value in given if isinstance(given, tuple) else self.value == given

    def elements(self) -> Iterator[str]:
        yield self.element


@dataclass(frozen=True, slots=True)
class AnyChoices:
    """At least so many choices were made."""

    element: str
    at_least: int

    def holds(self, answers: Answers) -> bool:
        given = answers.get(self.element, ())
        return (len(given) if isinstance(given, tuple) else 1) >= self.at_least

    def elements(self) -> Iterator[str]:
        yield self.element


@dataclass(frozen=True, slots=True)
class Present:
    """An answer was given; with `absent`, was not."""

    element: str
    absent: bool = False

    def holds(self, answers: Answers) -> bool:
        return (self.element in answers) is not self.absent

    def elements(self) -> Iterator[str]:
        yield self.element


@dataclass(frozen=True, slots=True)
class All:
    of: tuple[Condition, ...]

    def holds(self, answers: Answers) -> bool:
        return all(one.holds(answers) for one in self.of)

    def elements(self) -> Iterator[str]:
        for one in self.of:
            yield from one.elements()


@dataclass(frozen=True, slots=True)
class AnyOf:
    of: tuple[Condition, ...]

    def holds(self, answers: Answers) -> bool:
        return any(one.holds(answers) for one in self.of)

    def elements(self) -> Iterator[str]:
        for one in self.of:
            yield from one.elements()


@dataclass(frozen=True, slots=True)
class Not:
    of: Condition

    def holds(self, answers: Answers) -> bool:
        return not self.of.holds(answers)

    def elements(self) -> Iterator[str]:
        yield from self.of.elements()


Condition = Compared | Contains | AnyChoices | Present | All | AnyOf | Not


def _ordered(given: _Sortable, sign: Comparison, limit: _Sortable) -> bool:
    match sign:
        case "=":
            return given == limit
        case "<":
            return given < limit
        case "<=":
            return given <= limit
        case ">":
            return given > limit
        case _:
            return given >= limit
