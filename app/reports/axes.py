"""Axes of a chart: round numbers, and where a value lies."""

from collections.abc import Callable, Iterable, Sequence
from math import floor, isfinite, log10

from app.reports.drawing import RULE, Mark, Path, Words

Format = Callable[[float], str]
Scale = Callable[[float], float]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from the first at or below `low` to the last at or above `high`."""
    span = high - low
    if not isfinite(span) or span <= 0:
        return [low, low + 1.0]
    rough = span / about
    magnitude = 10.0 ** floor(log10(rough))
    step = next(
        (magnitude * k for k in (1, 2, 2.5, 5) if magnitude * k >= rough),
        magnitude * 10,
    )
    first, last = floor(low / step + 1e-9), -floor(-high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def axis(values: Iterable[float | None], about: int = 4, most: float | None = None) -> list[float]:
    """Ticks that hold some values; from zero where that costs less than half of the room.

    `most` is the highest value there can be, if there is one.
    """
    known = [value for value in values if value is not None]
    if not known:
        return [0.0, 1.0]
    low, high = min(known), max(known)
    if low >= 0 and low < 0.5 * high:
        low = 0.0
    if high - low < 0.02 * abs(high):  # all but equal: room on the side that has some
        room = 0.1 * (abs(high) or 1.0)
        low, high = (low - room, high) if high == most else (low, high + room)
    found = ticks(low, high, about)
    return [one for one in found if most is None or one <= most]


def scale(low: float, high: float, start: float, end: float) -> Scale:
    """From values to places."""
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def levels(
    marks: Sequence[float], up: Scale, left: float, right: float, written: Format
) -> list[Mark]:
    """Lines across, each with its number at the left."""
    grid = Path(tuple(((left, up(one)), (right, up(one))) for one in marks), RULE)
    return [grid, *(Words(written(one), left - 8, up(one) + 4, "end") for one in marks)]


def uprights(
    marks: Sequence[float], across: Scale, top: float, bottom: float, written: Format
) -> list[Mark]:
    """Lines up, each with its number below."""
    grid = Path(tuple(((across(one), top), (across(one), bottom)) for one in marks), RULE)
    return [grid, *(Words(written(one), across(one), bottom + 17) for one in marks)]
