"""
Moments: a date, a time of day and the offset from UTC, as ISO 8601 writes them.

Kept as `2026-03-01T14:05:00-05:00`, with the offset that was sent, so that people read the time their
own clock showed; compared as seconds since 1970 in UTC. Fractions are rounded to the nearest second:
spreadsheets keep times as fractions of a day, and 14:05 is a millionth less to them. A time without an offset is no moment: in an hour that comes twice a year nobody could say which it was.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MOST_OFFSET = timedelta(hours=14)
"""What the zone furthest from UTC has (Kiritimati)."""

_LOCAL = re.compile(
    r"(?:(\d{4})-(\d{2})-(\d{2})|(\d{1,2})/(\d{1,2})/(\d{4}))[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d)\d{0,8})?)?",
    re.ASCII,
)
_OFFSET = re.compile(r" ?(?:([Zz])|([+-])(\d{2}):?(\d{2}))", re.ASCII)
USUAL_TIME = r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\+(?:0[0-9]|1[0-3]):[0-5][0-9]|-(?:00:(?:0[1-9]|[1-5][0-9])|(?:0[1-9]|1[0-3]):[0-5][0-9]))"
"""The time and offset of a canonical moment, for an expression that comes after the day's."""


@lru_cache(maxsize=1 << 12)
def canonical(text: str) -> str | None:
    """A moment in canonical form; None for what is none, or has no offset."""
    text = text.strip() if len(text) < 60 else ""
    found = _LOCAL.match(text)
    if found is None or (offset := _OFFSET.fullmatch(text, found.end())) is None:
        return None
    ahead = timedelta(hours=int(offset[3] or 0), minutes=int(offset[4] or 0))
    if ahead > MOST_OFFSET or int(offset[4] or 0) > 59:
        return None
    local = _local(found)
    if local is None:
        return None
    return local.replace(tzinfo=timezone(-ahead if offset[2] == "-" else ahead)).isoformat()


def _local(found: re.Match[str]) -> datetime | None:
    parts = [int(one) if one else 0 for one in found.groups()]
    year, month, day = parts[0:3] if found[1] else (parts[5], parts[3], parts[4])
    try:
        local = datetime.combine(date(year, month, day), time(parts[6], parts[7], parts[8]))
        return local + timedelta(seconds=parts[9] >= 5)
    except (ValueError, OverflowError):
        return None


def in_zone(value: object, zone: object) -> object:
    """
    A time without an offset, with the one that a zone (IANA, such as America/New_York) had then.

    Given back as it came: what has an offset, or is no time, or is in an hour that came twice or never
    came in that zone; and any value where the zone is not known.
    """
    text = value.isoformat() if isinstance(value, datetime) else value
    if not isinstance(text, str) or len(text) >= 60 or not isinstance(zone, str):
        return value
    found = _LOCAL.fullmatch(text.strip())
    local = _local(found) if found else None
    if local is None or len(zone) > 60:
        return value
    try:
        there = ZoneInfo(zone.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return value
    offsets = {local.replace(tzinfo=there, fold=fold).utcoffset() for fold in (0, 1)}
    return local.replace(tzinfo=there).isoformat() if len(offsets) == 1 else value


def seconds(moment: str) -> int:
    """Seconds from 1970-01-01T00:00:00Z to a canonical moment."""
    return int((datetime.fromisoformat(moment) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
