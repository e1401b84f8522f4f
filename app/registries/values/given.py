"""What a value is once it is taken, what is wrong with one that is not, and how either is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from app.registries.findings import FindingCode, Severity, severity

Canonical: TypeAlias = str | int | bool | list[str] | list[dict[str, "Canonical"]]
"""Of an element; of a group, its rows."""
Rows: TypeAlias = list[dict[str, Canonical]]


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong at one place: what it is, what it does, and what would be right."""

    place: str
    code: FindingCode
    severity: Severity
    remedy: str
    allowed: tuple[str, ...] = ()


class Refused(Exception):
    """Raised inside a parser, caught by whoever called it: this value cannot be used."""

    def __init__(self, code: FindingCode, remedy: str, allowed: Sequence[str] = ()) -> None:
        super().__init__(code)
        self.code, self.remedy, self.allowed = code, remedy, tuple(allowed)


Warn: TypeAlias = Callable[[FindingCode, str], None]
Parser: TypeAlias = Callable[[object, Warn], Canonical]


def flaw(
    place: str, code: FindingCode, remedy: str, allowed: Sequence[str] = (), *, warn: bool = False
) -> Flaw:
    """A flaw with the severity its code has, unless the definition only wants to warn."""
    return Flaw(place, code, Severity.WARN if warn else severity(code), remedy, tuple(allowed))


def is_absent(value: object) -> bool:
    """Whether nothing was given: no value, blanks, or a list of nothing."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value or value.isspace()
    return isinstance(value, list) and not value


def written(value: object) -> str | None:
    """
    A scalar as somebody would have written it, or None for what is not a scalar.

    A spreadsheet stores 200007 as the float 200007.0; nobody typed the point.
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if -(10**40) < value < 10**40 else None
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return None
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        return format(Decimal(repr(value)), "f") if 1e-20 < abs(value) < 1e40 else None
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() and abs(value.adjusted()) < 40 else None
    return None
