"""What kinds of value expressions give, and which go together."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["boolean", "integer", "decimal", "date", "datetime", "text", "list", "null", "any"]


@dataclass(frozen=True, slots=True)
class Type:
    """What an expression gives. `digits` counts the most digits a number may have, in all."""

    kind: Kind
    scale: int = 0
    digits: int = 18

    def __str__(self) -> str:
        return {"any": "something", "list": "a list of codes", "integer": "a whole number"}.get(
            self.kind, self.kind
        )


BOOLEAN, DATE, TEXT, LIST = Type("boolean"), Type("date"), Type("text"), Type("list")
INTEGER, NULL, ANY = Type("integer"), Type("null"), Type("any")
DATETIME = Type("datetime")
"""A moment; a column of whole seconds since 1970 in UTC, on every engine alike."""


def decimal(scale: int) -> Type:
    """The type of a column DECIMAL(18, scale)."""
    return Type("decimal", scale)


@dataclass(frozen=True, slots=True)
class Windows:
    """How a subject's cases are partitioned and ordered, for window functions."""

    partition: str
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with an expression, and on which of its lines."""

    line: int
    message: str


def fits(given: Type, wanted: Type) -> bool:
    if "any" in (given.kind, wanted.kind) or given.kind == "null":
        return True
    numbers = ("integer", "decimal")
    return given.kind == wanted.kind or (wanted.kind == "decimal" and given.kind in numbers)


def comparable(one: Type, other: Type) -> bool:
    return fits(one, other) or fits(other, one)
