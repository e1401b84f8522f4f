"""
What a measure looks like over time: the run chart with its control limits, and rare events apart.

As all charts of a report (`charts.py`), they survive a photocopier.
"""

from collections.abc import Callable, Sequence
from itertools import groupby

from app.benchmarks.periods import period as read
from app.reports.axes import Format, levels, scale, ticks
from app.reports.charts import SMALL, WIDE, apart, figure_format, reference, value_axis
from app.reports.composition import ControlLimit, MeasureFeedback, Run, RunPoint
from app.reports.drawing import (
    INK,
    PAPER,
    QUIET,
    SHADE,
    Dot,
    Drawing,
    Mark,
    Path,
    Place,
    Words,
    box,
    diamond,
    line,
)

MOST_LABELS = 12
"""Labels below a run chart; of more points each second or third has one."""


def run_chart(measure: MeasureFeedback) -> Drawing | None:
    """A measure over time: points, their median, the peers' median, what is unlikely by chance."""
    run = measure.run
    if run is None or sum(point.value is not None for point in run.points) < 2:
        return None
    written = figure_format(measure)
    peers = reference(measure.standings)
    values = [point.value for point in run.points]
    limits = run.control.points if run.control is not None and not run.control.between else ()
    edges = [edge for one in limits for edge in (one.low, one.high)]
    marks = value_axis(measure, [*values, run.median, peers, *edges])
    height, top, bottom, left, right = 208, 30, 168, 58, WIDE - 104
    up = scale(marks[0], marks[-1], bottom, top)
    room = (right - left) / len(run.points)
    places = [left + room * (index + 0.5) for index in range(len(run.points))]
    own = measure.shown.period
    parts: list[Mark] = [*_own_span(run, places, room, own, top, bottom)]
    parts += levels(marks, up, left, right, written)
    ends: list[tuple[float, str]] = []
    if peers is not None:
        parts.append(
            line((left, up(peers)), (right, up(peers)), colour=QUIET, width=1.5, dash=True)
        )
        ends.append((up(peers), f"peers {written(peers)}"))
    if run.median is not None:
        parts.append(line((left, up(run.median)), (right, up(run.median)), width=1.5))
        ends.append((up(run.median), f"median {written(run.median)}"))
    lines = [_limit_line([one.low for one in limits], places, up)]
    lines.append(_limit_line([one.high for one in limits], places, up))
    if any(lines):
        parts.append(Path((*lines[0], *lines[1]), QUIET, 1, (1.5, 3)))
        ends += [(strokes[-1][-1][1], "limit") for strokes in lines if strokes]
    parts += [Words(text, right + 8, y + 4, "start") for y, text in apart(ends, least=14)]
    parts.append(Path(runs(run.points, places, up), INK, 1.5))
    for one, x in zip(limits, places, strict=False):
        if one.value is not None and is_outside(one):
            parts.append(Dot(x, up(one.value), 8, PAPER, INK, 1.2))
    for point, x in zip(run.points, places, strict=True):
        if point.value is None:
            parts.append(Words("–", x, bottom - 4))
        elif _within(point.period, own):
            parts.append(diamond(x, up(point.value), radius=5.5))
        else:
            parts.append(Dot(x, up(point.value), 3.2, INK, INK))
    parts += _below(run, places, bottom)
    parts += _noted(run, places, room, top)
    said = [f"{point.period}: {_point_says(point, written)}." for point in run.points]
    if run.median is not None:
        said.insert(0, f"Median of the points: {written(run.median)}.")
    if peers is not None:
        said.insert(0, f"Peers' median: {written(peers)}.")
    title = f"{measure.title} over time, by {run.unit}"
    about = [run.says, run.control.says] if limits and run.control is not None else [run.says]
    return Drawing(title, " ".join([*about, *said]), WIDE, height, tuple(parts))


def between_chart(measure: MeasureFeedback) -> Drawing | None:
    """Cases, or days, between rare events, one point an event; None of other control charts."""
    control = measure.run.control if measure.run is not None else None
    if control is None or not control.between:
        return None
    height, top, bottom, left, right = 208, 16, 168, 54, SMALL - 62
    edges = [edge for one in control.points for edge in (one.value, one.centre, one.high)]
    known = [one for one in edges if one is not None]
    marks = ticks(0.0, max(known))
    up = scale(marks[0], marks[-1], bottom, top)
    room = (right - left) / len(control.points)
    places = [left + room * (index + 0.5) for index in range(len(control.points))]

    def written(value: float) -> str:
        return f"{value:,.0f}"

    parts: list[Mark] = [*levels(marks, up, left, right, written)]
    last = control.points[-1]
    ends = [
        (up(value), text)
        for value, text in ((last.centre, "median"), (last.high, "limit"))
        if value is not None
    ]
    parts += [Words(text, right + 6, y + 4, "start", 11) for y, text in apart(ends, least=11)]
    parts.append(Path(_limit_line([one.centre for one in control.points], places, up), INK, 1.2))
    parts.append(
        Path(_limit_line([one.high for one in control.points], places, up), QUIET, 1, (1.5, 3))
    )
    values = [
        (x, up(one.value))
        for one, x in zip(control.points, places, strict=True)
        if one.value is not None
    ]
    parts.append(Path((tuple(values),), INK, 1.5))
    for one, x in zip(control.points, places, strict=True):
        if one.value is not None:
            if is_outside(one):
                parts.append(Dot(x, up(one.value), 7, PAPER, INK, 1.2))
            parts.append(Dot(x, up(one.value), 2.8, INK, INK))
    parts.append(Words(control.points[0].period, left, bottom + 17, "start", 11))
    parts.append(Words(last.period, right, bottom + 17, "end", 11))
    said = [
        f"{one.period}: {written(one.value)}." for one in control.points if one.value is not None
    ]
    what = "Cases" if control.chart == "g" else "Days"
    title = f"{measure.title}: {what.lower()} between events"
    return Drawing(title, " ".join([control.says, *said]), SMALL, height, tuple(parts))


def _limit_line(
    edges: Sequence[float | None], places: Sequence[float], up: Callable[[float], float]
) -> tuple[tuple[Place, ...], ...]:
    """The strokes of a limit, broken where there is none."""
    strokes = []
    for known, run in groupby(zip(edges, places, strict=False), key=lambda one: one[0] is not None):
        stroke = tuple((x, up(edge)) for edge, x in run if edge is not None)
        if known and len(stroke) > 1:
            strokes.append(stroke)
    return tuple(strokes)


def is_outside(point: ControlLimit) -> bool:
    """Whether a point lies beyond its control limits; one without a value does not."""
    if point.value is None:
        return False
    high, low = point.high, point.low
    return (high is not None and point.value > high) or (low is not None and point.value < low)


def _own_span(
    run: Run, places: Sequence[float], room: float, own: str, top: float, bottom: float
) -> list[Mark]:
    """The period that the report speaks of, shaded."""
    inside = [x for point, x in zip(run.points, places, strict=True) if _within(point.period, own)]
    if not inside:
        return []
    left, right = inside[0] - room / 2, inside[-1] + room / 2
    return [box(left, top - 6, right - left, bottom - top + 6, SHADE)]


def _within(period: str, own: str) -> bool:
    """Whether a point lies in the report's period."""
    inner, outer = read(period), read(own)
    return outer.first <= inner.first and inner.last <= outer.last


def runs(
    points: Sequence[RunPoint], places: Sequence[float], up: Callable[[float], float]
) -> tuple[tuple[Place, ...], ...]:
    """Lines through neighbours that are all shown: a gap stays a gap."""
    found = []
    for shown, some in groupby(
        zip(points, places, strict=True), key=lambda one: one[0].value is not None
    ):
        stretch = tuple((x, up(point.value)) for point, x in some if point.value is not None)
        if shown and len(stretch) > 1:
            found.append(stretch)
    return tuple(found)


def _below(run: Run, places: Sequence[float], bottom: float) -> list[Mark]:
    """The periods below the points: parts of a year in one line, the year where it begins in another."""
    every = -(-len(run.points) // MOST_LABELS)
    # The first part of a year is always among those that are named.
    offset = next(
        (place for place, one in enumerate(run.points) if _part(one.period) in ("J", "Q1")), 0
    )
    parts: list[Mark] = []
    told = None
    for index, (point, x) in enumerate(zip(run.points, places, strict=True)):
        year, part = point.period[:4], _part(point.period)
        named = (index - offset) % every == 0
        if part and named:
            parts.append(Words(part, x, bottom + 17))
        if year != told and named:
            parts.append(Words(year, x, bottom + (32 if part else 17), bold=True))
            told = year
    return parts


def _part(period: str) -> str:
    """The part of a year that a period is, short; nothing for a year."""
    if "Q" in period:
        return period[4:]
    if ".." in period:
        return period[5:7] + "–" + period[-2:]
    return "JFMAMJJASOND"[int(period[5:]) - 1] if "-" in period else ""


def _noted(run: Run, places: Sequence[float], room: float, top: float) -> list[Mark]:
    """What is written above a stretch: a bracket over it with the words."""
    order = [point.period for point in run.points]
    parts: list[Mark] = []
    for note in run.notes:
        left = places[order.index(note.first)] - room / 3
        right = places[order.index(note.last)] + room / 3
        y = top - 10
        parts.append(Path((((left, y + 5), (left, y), (right, y), (right, y + 5)),), INK, 1.2))
        # Words near the edge are held inside of the frame.
        half = 3.1 * len(note.says)
        middle = min(max((left + right) / 2, half + 4), WIDE - half - 4)
        parts.append(Words(note.says, middle, y - 5, size=12, colour=INK, bold=True))
    return parts


def _point_says(point: RunPoint, written: Format) -> str:
    if point.value is None:
        return f"not shown, {point.note}" if point.note else "not shown"
    return f"{written(point.value)} over {point.cases:,} cases"
