"""
Special causes: what points of a control chart do that chance hardly does.

The five rules of Provost and Murray (The Health Care Data Guide, 2011) that the Institute for
Healthcare Improvement teaches. Each is applied within a phase. A point on the centre line is on
neither side: it does not add to a run and does not end it. A point equal to the one before does not
add to a trend and does not end it.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

from app.benchmarks.statistics.charts import Side, Signal

RUN, TREND, NEAR = 8, 6, 15
SIDES: tuple[Side, ...] = ("above", "below")
CLOSE = 1e-9
"""Numbers nearer to each other than this share of them are equal: they were computed."""


class Point(NamedTuple):
    """A point that has a value, and where it lies."""

    place: int
    value: float
    side: Side
    """Of the centre line."""
    outside: Side
    """Of the limits; neither where it is within them or on one."""
    zone: int | None
    """Which third between centre line and limit, 0 the inner; None where sigma is not known."""


def point(
    place: int,
    value: float,
    centre: float,
    low: float | None,
    high: float | None,
    sigma: float | None = None,
) -> Point:
    """A point, held against its lines. Without a sigma above 0 the rules of zones do not see it."""
    outside: Side = "neither"
    if high is not None and _above(value, high):
        outside = "above"
    elif low is not None and _above(low, value):
        outside = "below"
    zone = None
    if sigma:
        distance = abs(value - centre)
        zone = _above(distance, sigma) + _above(distance, 2 * sigma)
    return Point(place, value, _side(value, centre), outside, zone)


def _above(value: float, line: float) -> bool:
    return value - line > CLOSE * max(abs(value), abs(line))


def _side(value: float, line: float) -> Side:
    if _above(value, line):
        return "above"
    return "below" if _above(line, value) else "neither"


def beyond_limits(points: Sequence[Point]) -> list[Signal]:
    """A point above the upper or below the lower limit; one on it is not."""
    return [
        Signal("beyond-limits", one.outside, (one.place,))
        for one in points
        if one.outside != "neither"
    ]


def long_runs(points: Sequence[Point]) -> list[Signal]:
    """Eight or more points in a row on one side of the centre line."""
    useful = [one for one in points if one.side != "neither"]
    runs = [(side, tuple(run)) for side, run in groupby(useful, key=lambda one: one.side)]
    return [
        Signal("run-of-8", side, tuple(one.place for one in run))
        for side, run in runs
        if len(run) >= RUN
    ]


def trends(points: Sequence[Point]) -> list[Signal]:
    """Six or more points in a row going up, or going down."""
    found: list[Signal] = []
    run: list[Point] = []
    way: Side = "neither"
    for one in points:
        if not run:
            run = [one]
            continue
        step = _side(one.value, run[-1].value)
        if step == "neither":
            continue
        if step == way:
            run.append(one)
            continue
        found += _trend(run, way)
        run, way = [run[-1], one], step
    return found + _trend(run, way)


def _trend(run: Sequence[Point], way: Side) -> list[Signal]:
    if len(run) < TREND:
        return []
    return [Signal("trend-of-6", way, tuple(one.place for one in run))]


def near_a_limit(points: Sequence[Point]) -> list[Signal]:
    """Two of three points in a row more than two sigma from the centre line, on the same side."""
    found: list[Signal] = []
    for side in SIDES:
        outer = [one.side == side and one.zone == 2 for one in points]
        places: list[int] = []
        for start in range(len(points) - 2):
            if sum(outer[start : start + 3]) < 2:
                continue
            window = [points[k].place for k in range(start, start + 3) if outer[k]]
            if places and places[-1] < window[0]:
                found.append(Signal("two-of-three", side, tuple(places)))
                places = []
            places += [place for place in window if place not in places]
        if places:
            found.append(Signal("two-of-three", side, tuple(places)))
    return found


def near_the_centre(points: Sequence[Point]) -> list[Signal]:
    """Fifteen or more points in a row within one sigma of the centre line."""
    found: list[Signal] = []
    for near, run in groupby(points, key=lambda one: one.zone == 0):
        places = tuple(one.place for one in run)
        if near and len(places) >= NEAR:
            found.append(Signal("fifteen-near-centre", "neither", places))
    return found


Search = Callable[[Sequence[Point]], list[Signal]]

ALL: tuple[Search, ...] = (beyond_limits, long_runs, trends, near_a_limit, near_the_centre)


def special_causes(points: Sequence[Point], searches: Sequence[Search] = ALL) -> list[Signal]:
    """All signals of one phase, by rule and then by place."""
    return [signal for search in searches for signal in search(points)]
