"""
When entries of a version are taken: from a day or a second, until another, both included.

A day is a day of UTC. A moment is written with its offset and is meant to the second, so that the
second of the sunset is still inside and the next one is not.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator


def _bound(value: Any) -> Any:
    """A day or a moment; pydantic would read the day `2026-01-31` as a moment as well."""
    if isinstance(value, str) and len(value.strip()) > 10:
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("is neither a day nor a moment with its offset from UTC") from None
    elif isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("is not a day of the calendar, such as 2026-01-31") from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("needs its offset from UTC, such as 2026-01-31T17:00:00Z")
        try:
            return value.astimezone(UTC).replace(microsecond=0)
        except OverflowError:
            raise ValueError("is no moment that UTC has") from None
    return value


Bound = Annotated[datetime | date, BeforeValidator(_bound)]
"""A day, or a moment in UTC to the second."""


def begins(bound: date | datetime) -> datetime:
    """The first moment of a bound."""
    return bound if isinstance(bound, datetime) else datetime.combine(bound, time(), UTC)


def ends(bound: date | datetime) -> datetime:
    """The first moment after a bound."""
    return begins(bound) + (timedelta(seconds=1) if isinstance(bound, datetime) else timedelta(1))
