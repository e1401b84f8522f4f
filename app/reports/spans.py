"""Which periods a report looks at beside its own."""

from datetime import date

from app.benchmarks.periods import Period, later, moved

TREND = 6
"""How many periods a trend shows, the report's own included."""

MONTHS, QUARTERS = 24, 12
"""Points of a run chart."""


def trend(over: Period) -> list[Period]:
    """The period and those of the same length before it, oldest first."""
    length = _months(over)
    return [moved(over, -length * back) for back in reversed(range(TREND))]


def matured(over: Period, after: int, today: date) -> Period:
    """The period, or the latest one before it, by whole periods, whose outcomes are known."""
    length = _months(over)
    while after and today < over.matured_on(after):
        over = moved(over, -length)
    return over


def months(over: Period) -> list[Period]:
    """The months that a run chart shows, the last of the period at its end."""
    return [Period(month, month) for month in (later(over.last, -back) for back in _back(MONTHS))]


def quarters(over: Period) -> list[Period]:
    """The quarters that a run chart shows, that of the period's end last."""
    first = later(over.last, -((over.last.month - 1) % 3))
    starts = [later(first, -3 * back) for back in _back(QUARTERS)]
    return [Period(start, later(start, 2)) for start in starts]


def _back(number: int) -> list[int]:
    return list(reversed(range(number)))


def _months(over: Period) -> int:
    return sum(1 for _ in over.months())
