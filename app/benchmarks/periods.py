"""Reporting periods: whole months, written `2026`, `2026Q3`, `2026-09` or `2025-10..2026-09`."""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from app.errors import Unprocessable

_YEAR = re.compile(r"(\d{4})", re.ASCII)
_QUARTER = re.compile(r"(\d{4})Q([1-4])", re.ASCII)
_MONTH = r"(\d{4})-(0[1-9]|1[0-2])"
_ONE = re.compile(_MONTH, re.ASCII)
_RANGE = re.compile(rf"{_MONTH}\.\.{_MONTH}", re.ASCII)

PATTERN = r"^\d{4}(Q[1-4]|-(0[1-9]|1[0-2])(\.\.\d{4}-(0[1-9]|1[0-2]))?)?$"
EARLIEST, LATEST = 1900, 2199
LONGEST = 120


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From the first day of one month to that of another, both months included."""

    first: date
    last: date

    @property
    def label(self) -> str:
        """The shortest way to write it."""
        if self.first == self.last:
            return f"{self.first:%Y-%m}"
        if self.first.year == self.last.year:
            if (self.first.month, self.last.month) == (1, 12):
                return f"{self.first:%Y}"
            if self.first.month % 3 == 1 and self.last.month == self.first.month + 2:
                return f"{self.first:%Y}Q{self.first.month // 3 + 1}"
        return f"{self.first:%Y-%m}..{self.last:%Y-%m}"

    @property
    def end(self) -> date:
        """Its last day."""
        return self.last.replace(day=calendar.monthrange(self.last.year, self.last.month)[1])

    def months(self) -> Iterator[date]:
        """The first day of each month."""
        month = self.first
        while month <= self.last:
            yield month
            month = later(month, 1)

    def matured_on(self, months: int) -> date:
        """The first day on which an outcome window of so many months after its end has closed."""
        return later(self.last, 1 + months)


def period(text: str) -> Period:
    """The period that was asked for."""
    if found := _YEAR.fullmatch(text):
        year = int(found[1])
        return _within(Period(date(max(year, 1), 1, 1), date(max(year, 1), 12, 1)))
    if found := _QUARTER.fullmatch(text):
        year, quarter = max(int(found[1]), 1), int(found[2])
        return _within(Period(date(year, quarter * 3 - 2, 1), date(year, quarter * 3, 1)))
    if found := _ONE.fullmatch(text):
        month = date(max(int(found[1]), 1), int(found[2]), 1)
        return _within(Period(month, month))
    if found := _RANGE.fullmatch(text):
        first = date(max(int(found[1]), 1), int(found[2]), 1)
        last = date(max(int(found[3]), 1), int(found[4]), 1)
        return _within(Period(first, last))
    raise Unprocessable("Write a period as 2026, 2026Q3, 2026-09 or 2025-10..2026-09.")


def _within(asked: Period) -> Period:
    if asked.last < asked.first:
        raise Unprocessable("A period ends in or after the month it begins in.")
    if asked.first.year < EARLIEST or asked.last.year > LATEST:
        raise Unprocessable(f"A period lies between {EARLIEST} and {LATEST}.")
    if later(asked.first, LONGEST) <= asked.last:
        raise Unprocessable(f"A period has at most {LONGEST} months.")
    return asked


def later(month: date, months: int) -> date:
    """The first day of the month so many months later, or earlier."""
    place = month.year * 12 + month.month - 1 + months
    return date(place // 12, place % 12 + 1, 1)


def moved(over: Period, months: int) -> Period:
    """A period of equal length, so many months later, or earlier."""
    return Period(later(over.first, months), later(over.last, months))


def year_before(over: Period) -> Period:
    """The same months of the year before."""
    return moved(over, -12)


def rolling_year(last: date) -> Period:
    """The twelve months that end with the month of a day."""
    month = last.replace(day=1)
    return Period(later(month, -11), month)


def last_complete_year(today: date) -> Period:
    """The twelve months before the present month: what is shown when no period is asked for."""
    return rolling_year(later(today.replace(day=1), -1))
