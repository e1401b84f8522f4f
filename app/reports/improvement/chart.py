"""
The run chart of an improvement project: its points, a median for each phase, its changes marked.

One chart for page and paper, and the same as a Vega-Lite specification. A change stands where its day
lies between the points; baseline and re-measurement are shaded and named.
"""

import calendar
from collections.abc import Sequence
from datetime import date
from typing import Any

from app.benchmarks.periods import Period
from app.benchmarks.periods import period as read
from app.reports.axes import axis, levels, scale
from app.reports.charts import WIDE, plain_format
from app.reports.drawing import (
    ACCENT,
    INK,
    PAPER,
    QUIET,
    SHADE,
    Dot,
    Drawing,
    Mark,
    Path,
    Words,
    box,
    line,
)
from app.reports.improvement.evidence import Evidence, PlacedPoint
from app.reports.over_time import MOST_LABELS, runs
from app.reports.vega import SCHEMA, Specification

HEIGHT, TOP, BOTTOM, LEFT, RIGHT = 250, 46, 200, 58, WIDE - 16


def drawing(evidence: Evidence) -> Drawing | None:
    """The chart; None where fewer than two points may be shown."""
    run, points = evidence.run, evidence.run.points
    values = [one.value for one in points]
    if sum(one is not None for one in values) < 2:
        return None
    percent = evidence.measure.unit == "%"
    marks = axis([*values, *(one.median for one in run.phases)], most=100.0 if percent else None)
    up = scale(marks[0], marks[-1], BOTTOM, TOP)
    across = _across(evidence)
    written = plain_format("%" if percent else "")
    parts: list[Mark] = []
    for over, title in _spans(evidence):
        left, right = across(over.first), across(_end(over.last))
        parts.append(box(left, TOP, max(right - left, 1), BOTTOM - TOP, SHADE))
        parts.append(Words(title, (left + right) / 2, BOTTOM - 6, size=11))
    parts += levels(marks, up, LEFT, RIGHT, written)
    size = run.months
    for phase in run.phases:
        if phase.median is not None:
            ends = across(phase.first), across(_end(phase.last, size))
            parts.append(line((ends[0], up(phase.median)), (ends[1], up(phase.median)), width=1.5))
    for one in run.changes:
        x = across(one.on)
        parts.append(line((x, TOP - 14), (x, BOTTOM), colour=ACCENT, width=1.2, dash=True))
        parts.append(Dot(x, TOP - 22, 9, PAPER, ACCENT, 1.4))
        parts.append(Words(str(one.number), x, TOP - 18, colour=INK, bold=True))
    middles = [across(one.first) / 2 + across(_end(one.first, size)) / 2 for one in points]
    parts.append(Path(runs(points, middles, up), INK, 1.5))
    for point, x in zip(points, middles, strict=True):
        if point.value is None:
            parts.append(Words("–", x, BOTTOM - 18))
        else:
            parts.append(Dot(x, up(point.value), 3.4, INK, INK))
    parts += _below(points, middles)
    said = [run.says]
    said += [
        f"{one.title}: median {written(one.median)}."
        for one in run.phases
        if one.median is not None
    ]
    said += [f"Change {one.number} on {one.on:%-d %B %Y}." for one in run.changes]
    said += [
        f"{one.period}: {written(one.value)} over {one.cases:,} cases."
        if one.value is not None
        else f"{one.period}: not shown."
        for one in points
    ]
    title = f"{evidence.measure.title} over time, by {run.unit}"
    return Drawing(title, " ".join(said), WIDE, HEIGHT, tuple(parts))


def specification(evidence: Evidence) -> Specification:
    """The same for a dashboard to draw; its data stand in it."""
    run = evidence.run
    unit = evidence.measure.unit.strip()
    y: dict[str, Any] = {
        "field": "value",
        "type": "quantitative",
        "title": unit or evidence.measure.title,
        "scale": {"zero": False},
    }
    x = {"field": "on", "type": "temporal", "timeUnit": "utcyearmonthdate", "title": run.unit}
    layers: list[Specification] = [
        {
            "data": {
                "values": [
                    {"on": f"{over.first}", "to": f"{_end(over.last)}", "is": title}
                    for over, title in _spans(evidence)
                ]
            },
            "mark": {"type": "rect", "color": SHADE, "tooltip": True},
            "encoding": {"x": x, "x2": {"field": "to"}},
        },
        {
            "mark": {"type": "line", "color": INK, "invalid": "break-paths-show-domains"},
            "encoding": {"x": x, "y": y},
        },
        {
            "mark": {"type": "point", "filled": True, "color": INK, "size": 45},
            "encoding": {
                "x": x,
                "y": y,
                "tooltip": [{"field": name} for name in ("period", "value", "cases", "note")],
            },
        },
        {
            "data": {
                "values": [
                    {
                        "on": f"{one.first}",
                        "to": f"{_end(one.last, run.months)}",
                        "value": one.median,
                        "is": one.title,
                    }
                    for one in run.phases
                    if one.median is not None
                ]
            },
            "mark": {"type": "rule", "color": QUIET, "strokeWidth": 1.5, "tooltip": True},
            "encoding": {"x": x, "x2": {"field": "to"}, "y": y},
        },
        {
            "data": {"values": [{"on": f"{one.on}", "change": one.number} for one in run.changes]},
            "layer": [
                {
                    "mark": {
                        "type": "rule",
                        "color": ACCENT,
                        "strokeDash": [5, 4],
                        "tooltip": True,
                    },
                    "encoding": {"x": x},
                },
                {
                    "mark": {"type": "text", "dx": 8, "y": 0, "baseline": "top", "color": INK},
                    "encoding": {"x": x, "text": {"field": "change"}},
                },
            ],
        },
    ]
    rows = [
        {"on": f"{_middle(one.first, run.months)}", **one.model_dump(exclude={"first"})}
        for one in run.points
    ]
    drawn = drawing(evidence)
    return {
        "$schema": SCHEMA,
        "title": f"{evidence.measure.title} over time, by {run.unit}",
        "description": run.says if drawn is None else drawn.said,
        "width": 640,
        "data": {"values": rows},
        "layer": layers,
    }


def _spans(evidence: Evidence) -> list[tuple[Period, str]]:
    found = [(read(evidence.baseline.period), "Baseline")]
    if evidence.remeasurement is not None:
        found.append((read(evidence.remeasurement.period), "Re-measurement"))
    return found


def _across(evidence: Evidence) -> "_Across":
    first = evidence.run.points[0].first
    last = _end(evidence.run.points[-1].first, evidence.run.months)
    days = [one.on for one in evidence.run.changes]
    spans = [_end(over.last) for over, _ in _spans(evidence)]
    return _Across(min([first, *days]), max([last, *days, *spans]))


class _Across:
    """From days to places."""

    def __init__(self, first: date, last: date) -> None:
        self.place = scale(first.toordinal(), last.toordinal(), LEFT, RIGHT)

    def __call__(self, day: date) -> float:
        return self.place(day.toordinal())


def _end(month: date, months: int = 1) -> date:
    """The last day of so many months, the first of which begins on that day."""
    place = month.year * 12 + month.month - 2 + months
    year, number = place // 12, place % 12 + 1
    return date(year, number, calendar.monthrange(year, number)[1])


def _middle(month: date, months: int) -> date:
    return month + (_end(month, months) - month) / 2


def _below(points: Sequence[PlacedPoint], places: Sequence[float]) -> list[Mark]:
    every = -(-len(points) // MOST_LABELS)
    parts: list[Mark] = []
    told = None
    for number, (point, x) in enumerate(zip(points, places, strict=True)):
        if number % every:
            continue
        parts.append(Words(f"{point.first:%b}", x, BOTTOM + 17))
        if point.first.year != told:
            parts.append(Words(str(point.first.year), x, BOTTOM + 33, bold=True))
            told = point.first.year
    return parts
