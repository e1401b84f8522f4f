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
CLOSE = 1e-9
"""Numbers nearer to each other than this share of them are equal: they were computed."""


class Point(NamedTuple):
    """A point that has a value. Without sigma, the zones between centre and limits are not judged."""

    place: int
    value: float
    centre: float
    low: float | None
    high: float | None
    sigma: float | None

    def above(self, line: float) -> bool:
        return self.value - line > CLOSE * max(abs(self.value), abs(line))

    def below(self, line: float) -> bool:
        return line - self.value > CLOSE * max(abs(self.value), abs(line))

    @property
    def side(self) -> Side:
        if self.above(self.centre):
            return "above"
        return "below" if self.below(self.centre) else "neither"

    @property
    def outside(self) -> Side:
        if self.high is not None and self.above(self.high):
            return "above"
        return "below" if self.low is not None and self.below(self.low) else "neither"


def beyond_limits(points: Sequence[Point]) -> list[Signal]:
    """A point above the upper or below the lower limit; one on it is not."""
    return [
        Signal("beyond-limits", point.outside, (point.place,))
        for point in points
        if point.outside != "neither"
    ]


def long_runs(points: Sequence[Point]) -> list[Signal]:
    """Eight or more points in a row on one side of the centre line."""
    useful = [point for point in points if point.side != "neither"]
    runs = [(side, tuple(run)) for side, run in groupby(useful, key=lambda point: point.side)]
    return [
        Signal("run-of-8", side, tuple(point.place for point in run))
        for side, run in runs
        if len(run) >= RUN
    ]


def trends(points: Sequence[Point]) -> list[Signal]:
    """Six or more points in a row going up, or going down."""
    found: list[Signal] = []
    run: list[Point] = []
    way: Side = "neither"
    for point in points:
        if not run:
            run = [point]
            continue
        step: Side = "neither"
        if point.above(run[-1].value):
            step = "above"
        elif point.below(run[-1].value):
            step = "below"
        if step == "neither":
            continue
        if step == way:
            run.append(point)
            continue
        found += _trend(run, way)
        run, way = [run[-1], point], step
    return found + _trend(run, way)


def _trend(run: Sequence[Point], way: Side) -> list[Signal]:
    if len(run) < TREND:
        return []
    return [Signal("trend-of-6", way, tuple(point.place for point in run))]


def near_a_limit(points: Sequence[Point]) -> list[Signal]:
    """Two of three points in a row more than two sigma from the centre line, on the same side."""
    found: list[Signal] = []
    sides: tuple[Side, ...] = ("above", "below")
    for side in sides:
        outer = {point.place for point in points if point.side == side and _far(point, 2)}
        places: list[int] = []
        for start in range(len(points) - 2):
            window = [one.place for one in points[start : start + 3] if one.place in outer]
            if len(window) < 2:
                continue
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
    for near, run in groupby(
        points, key=lambda point: point.sigma is not None and point.sigma > 0 and not _far(point, 1)
    ):
        places = tuple(point.place for point in run)
        if near and len(places) >= NEAR:
            found.append(Signal("fifteen-near-centre", "neither", places))
    return found


def _far(point: Point, sigmas: int) -> bool:
    """Whether a point is more than so many sigma from the centre line."""
    if point.sigma is None:
        return False
    return point.above(point.centre + sigmas * point.sigma) or point.below(
        point.centre - sigmas * point.sigma
    )


Search = Callable[[Sequence[Point]], list[Signal]]

ALL: tuple[Search, ...] = (beyond_limits, long_runs, trends, near_a_limit, near_the_centre)


def special_causes(points: Sequence[Point], searches: Sequence[Search] = ALL) -> list[Signal]:
    """All signals of one phase, by rule and then by place."""
    return [signal for search in searches for signal in search(points)]
