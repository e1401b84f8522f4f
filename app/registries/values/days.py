"""Days, months and years of the calendar, and moments."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache

from app.registries import moments
from app.registries.findings import FindingCode
from app.registries.schema import Precision
from app.registries.values.given import Canonical, Parser, Refused, Warn, written

EARLIEST, LATEST = date(1850, 1, 1), date(2199, 12, 31)

_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_ISO_MIDNIGHT = re.compile(r"(\d{4})-(\d{2})-(\d{2})[T ]00:00(?::00(?:\.0+)?)?", re.ASCII)
_US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_NOT_A_DATE = "Send a day of the calendar as YYYY-MM-DD or MM/DD/YYYY."


def parse_day(value: object, warn: Warn) -> Canonical:
    if isinstance(value, str) and len(value) < 40:
        return _day(value)
    if isinstance(value, datetime):
        day = value.date()
    elif isinstance(value, date):
        day = value
    else:
        raise Refused(FindingCode.NOT_A_DATE, _NOT_A_DATE)
    return _of_our_time(day)


@lru_cache(maxsize=1 << 16)
def _day(text: str) -> str:
    """Days come back by the thousand; what was worked out once is remembered."""
    text = text.strip()
    try:
        if found := _ISO_DATE.fullmatch(text) or _ISO_MIDNIGHT.fullmatch(text):
            return _of_our_time(date(int(found[1]), int(found[2]), int(found[3])))
        if found := _US_DATE.fullmatch(text):
            return _of_our_time(date(int(found[3]), int(found[1]), int(found[2])))
    except ValueError:
        pass
    raise Refused(FindingCode.NOT_A_DATE, _NOT_A_DATE)


_PERIODS: Mapping[Precision, tuple[re.Pattern[str], str]] = {
    "month": (
        re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})|(?P<m>\d{1,2})/(?P<y>\d{4})", re.ASCII),
        "Send a month as YYYY-MM, or a day in it.",
    ),
    "year": (re.compile(r"(?P<year>\d{4})", re.ASCII), "Send a year as YYYY, or a day in it."),
}


def period_parser(precision: Precision) -> Parser:
    """A month or a year, kept as its first day; a day says in which it is."""
    pattern, says = _PERIODS[precision]

    def parse(value: object, warn: Warn) -> Canonical:
        text = written(value) if not isinstance(value, date) else None
        if text is not None and len(text) < 40 and (found := pattern.fullmatch(text)):
            parts = found.groupdict()
            year = int(parts["year"] or parts.get("y") or 0)
            month = int(parts.get("month") or parts.get("m") or 1)
            if not 1 <= month <= 12 or year < 1:
                raise Refused(FindingCode.NOT_A_DATE, says)
            return _of_our_time(date(year, month, 1))
        try:
            day = date.fromisoformat(str(parse_day(value, warn)))
        except Refused as refused:
            if refused.code is FindingCode.NOT_A_DATE:
                raise Refused(FindingCode.NOT_A_DATE, says) from None
            raise
        return day.replace(day=1, month=1 if precision == "year" else day.month).isoformat()

    return parse


_NOT_A_DATETIME = "Send a day, a time and its offset from UTC, such as 2026-03-01T14:05:00-05:00."


def parse_moment(value: object, warn: Warn) -> Canonical:
    text = value.isoformat() if isinstance(value, datetime) else value
    moment = moments.canonical(text) if isinstance(text, str) else None
    if moment is None:
        raise Refused(FindingCode.NOT_A_DATETIME, _NOT_A_DATETIME)
    _of_our_time(date.fromisoformat(moment[:10]))
    return moment


def _of_our_time(day: date) -> str:
    if not EARLIEST <= day <= LATEST:
        says = f"Send a date from {EARLIEST.year} to {LATEST.year}."
        raise Refused(FindingCode.OUT_OF_RANGE, says)
    return day.isoformat()
