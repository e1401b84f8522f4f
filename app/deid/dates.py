"""
Dates, moved back by whole days that are the same for all of a patient's objects.

Intervals and times of day are kept; time zones too, since a date and time is only shifted, never
converted. What is not a date is not repaired: it is emptied.
"""

import hmac
import re
from datetime import date, timedelta
from functools import lru_cache

DUMMIES = {"DA": "19000101", "DT": "19000101000000", "TM": "000000"}
SHIFTED = frozenset(("DA", "DT"))
"""Value representations whose values move; the others that tell a time stay or go."""
OLDEST = 89
_DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)")
_TIME = re.compile(r"(\d\d)(?::?([0-5]\d)(?::?([0-5]\d|60)(\.\d{1,6})?)?)?")
_DATETIME = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?)?([+-]\d{4})?")
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_ZONE = re.compile(r"[+-](0\d|1[0-4])[0-5]\d")


def offset(key: bytes, patient: str, least: int, most: int) -> int:
    """Days to move a patient's dates back by: keyed, between `least` and `most`."""
    mac = hmac.digest(key, patient.encode(), "sha256")
    return least + int.from_bytes(mac[:8], "big") % (most - least + 1)


@lru_cache(maxsize=4096)  # most of an object's dates are one
def shifted_date(value: str, days: int) -> str | None:
    """A DA moved back; the form of ACR-NEMA (2001.02.03) is accepted. None when it is no date."""
    found = _DATE.fullmatch(value)
    moved = _moved(found.groups() if found else (), days)
    return moved.isoformat().replace("-", "") if moved else None


def shifted_datetime(value: str, days: int) -> str | None:
    """A DT moved back, as precise as it was; a bare year or month moves with its first day."""
    found = _DATETIME.fullmatch(value)
    if not found:
        return None
    year, month, day, time, zone = found.groups()
    if time and not _TIME.fullmatch(time):
        return None
    moved = _moved((year, month or "01", day or "01"), days)
    if moved is None:
        return None
    text = moved.isoformat().replace("-", "")
    return text[: 8 if day else 6 if month else 4] + (time or "") + (zone or "")


def kept_time(value: str) -> str | None:
    """A TM as it is; None when it is no time."""
    return value if _TIME.fullmatch(value) else None


def kept_zone(value: str) -> str | None:
    """A time zone as it is; None when it is none."""
    return value if _ZONE.fullmatch(value) else None


def shifted(vr: str, value: str, days: int) -> str | None:
    """One value of a DA, DT, TM, or of the time zone offset (SH)."""
    if not value:
        return ""
    if vr == "DA":
        return shifted_date(value, days)
    if vr == "DT":
        return shifted_datetime(value, days)
    return kept_time(value) if vr == "TM" else kept_zone(value)


def capped_age(value: str) -> str | None:
    """An AS; people over 89 are all 89 years old. None when it is no age."""
    found = _AGE.fullmatch(value)
    if not found:
        return None
    number, unit = int(found[1]), found[2]
    return f"{min(number, OLDEST) if unit == 'Y' else number:03d}{unit}"


def age(born: str, on: str) -> str | None:
    """The age at a day, in the unit PS3.5 would use for it, capped; None when it cannot be known."""
    first, second = _DATE.fullmatch(born), _DATE.fullmatch(on)
    start = _moved(first.groups() if first else (), 0)
    end = _moved(second.groups() if second else (), 0)
    if start is None or end is None or end < start:
        return None
    years = end.year - start.year - ((end.month, end.day) < (start.month, start.day))
    if years > 150:
        return None
    if years >= 2:
        return f"{min(years, OLDEST):03d}Y"
    days = (end - start).days
    months = 12 * (end.year - start.year) + end.month - start.month - (end.day < start.day)
    return f"{months:03d}M" if days >= 90 else f"{days:03d}D"


def _moved(parts: tuple[str | None, ...], days: int) -> date | None:
    try:
        year, month, day = (int(part or "") for part in parts)
        return date(year, month, day) - timedelta(days=days)
    except (ValueError, OverflowError):
        return None
