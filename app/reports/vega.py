"""
Vega-Lite specifications of a report's charts, for dashboards that draw them themselves.

The data stand in the specification; nothing is fetched. Marks are told apart by shape and line style,
as on the page, and each specification carries its description for readers who hear it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from app.errors import Withheld
from app.reports import charts, over_time
from app.reports.composition import Figures, MeasureFeedback
from app.reports.drawing import ACCENT, BAND, INK, QUIET, Drawing
from app.reports.render import strata_counts

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
MEDIA_TYPE = "application/vnd.vegalite.v6+json"

Chart = Literal["run", "control", "funnel", "peers", "strata"]
Specification = dict[str, Any]


def specification(measure: MeasureFeedback, chart: Chart) -> Specification:
    """One chart of a measure; raises Withheld where there is nothing to draw."""
    return MAKERS[chart](measure)


def run(measure: MeasureFeedback) -> Specification:
    """The measure over time, with its median and that of its peers."""
    drawing = _known(measure, over_time.run_chart(measure))
    assert measure.run is not None
    peers = charts.reference(measure.standings)
    order = [point.period for point in measure.run.points]
    x = {"field": "period", "type": "ordinal", "sort": order, "title": measure.run.unit}
    layers: list[Specification] = [
        {
            "mark": {"type": "line", "color": INK, "invalid": "break-paths-show-domains"},
            "encoding": {"x": x, "y": _value(measure)},
        },
        {
            "mark": {"type": "point", "filled": True, "color": INK, "size": 45},
            "encoding": {
                "x": x,
                "y": _value(measure),
                "tooltip": [{"field": name} for name in ("period", "value", "cases", "note")],
            },
        },
    ]
    for name, level, dash in (("median", measure.run.median, []), ("peers", peers, [5, 4])):
        if level is not None:
            layers.append(_level(name, level, dash))
    rows = [point.model_dump() for point in measure.run.points]
    return _whole(drawing, layers, rows, width=640)


def control(measure: MeasureFeedback) -> Specification:
    """The control chart: points, centre, limits, and what lies beyond them as open rings."""
    found = measure.run.control if measure.run is not None else None
    if found is None:
        raise Withheld("There are too few points for a control chart: it takes ten.")
    drawn = over_time.between_chart(measure) if found.between else over_time.run_chart(measure)
    drawing = replace(
        _known(measure, drawn), title=f"{measure.title}: {found.title}", said=found.says
    )
    rows = [
        {"place": place, **one.model_dump(), "outside": over_time.is_outside(one)}
        for place, one in enumerate(found.points, start=1)
    ]
    # Several events may fall into one period: places are numbered, and periods told beside them.
    x = {"field": "place", "type": "ordinal", "title": "point"}
    tips = [{"field": name} for name in ("period", "value", "centre", "low", "high")]
    layers: list[Specification] = [
        {
            "mark": {"type": "line", "color": INK, "invalid": "break-paths-show-domains"},
            "encoding": {"x": x, "y": _value(measure)},
        },
        {
            "mark": {"type": "point", "filled": True, "color": INK, "size": 45},
            "encoding": {"x": x, "y": _value(measure), "tooltip": tips},
        },
        {
            "transform": [{"filter": "datum.outside"}],
            "mark": {"type": "point", "filled": False, "color": ACCENT, "size": 200},
            "encoding": {"x": x, "y": _value(measure)},
        },
        *(
            {
                "mark": {"type": "line", "color": QUIET, "strokeDash": dash},
                "encoding": {"x": x, "y": _value(measure, name)},
            }
            for name, dash in (("centre", []), ("low", [2, 3]), ("high", [2, 3]))
        ),
    ]
    if found.between:
        for layer in layers:
            layer["encoding"]["y"]["title"] = (
                "cases between" if found.chart == "g" else "days between"
            )
    return _whole(drawing, layers, rows, width=640)


def funnel(measure: MeasureFeedback) -> Specification:
    """The facility by its cases, within the limits of chance."""
    drawing = _known(measure, charts.funnel_chart(measure))
    found = measure.funnel
    assert found is not None
    limits = [one.model_dump() for one in found.limits]
    points = [{"cases": found.cases, "value": found.value, "is": "this period"}]
    points += [{"cases": cases, "value": rate, "is": "earlier"} for cases, rate in found.earlier]
    x = {"field": "cases", "type": "quantitative", "title": "cases"}
    layers: list[Specification] = [
        {
            "data": {"values": limits},
            "mark": {"type": "line", "color": QUIET, "strokeDash": dash, "clip": True},
            "encoding": {"x": x, "y": _value(measure, name)},
        }
        for name, dash in (
            ("low_95", [5, 4]),
            ("high_95", [5, 4]),
            ("low_998", []),
            ("high_998", []),
        )
    ]
    layers.append(_level("peers", found.target, []))
    layers.append(
        {
            "mark": {"type": "point", "filled": True, "size": 90, "clip": True},
            "encoding": {
                "x": x,
                "y": _value(measure),
                "shape": {
                    "field": "is",
                    "scale": {"domain": ["this period", "earlier"], "range": ["diamond", "circle"]},
                    "title": None,
                },
                "color": {
                    "field": "is",
                    "scale": {"domain": ["this period", "earlier"], "range": [ACCENT, QUIET]},
                    "title": None,
                },
                "tooltip": [{"field": name} for name in ("is", "cases", "value")],
            },
        }
    )
    return _whole(drawing, layers, points)


def peers(measure: MeasureFeedback) -> Specification:
    """The facility's result through the middle half of each peer group."""
    drawing = _known(measure, charts.peers_chart(measure))
    groups = [one for one in measure.standings if one.median is not None]
    rows = [
        {
            "group": one.title,
            **{
                name: float(text)
                for name, text in (
                    ("low", one.low),
                    ("median", one.median),
                    ("high", one.high),
                    ("p10", one.p10),
                    ("p90", one.p90),
                )
                if text is not None
            },
        }
        for one in groups
    ]
    y = {"field": "group", "type": "nominal", "sort": [one.title for one in groups], "title": None}
    layers: list[Specification] = [
        {
            "mark": {"type": "rule", "color": QUIET},
            "encoding": {"y": y, "x": _value(measure, "p10"), "x2": {"field": "p90"}},
        },
        {
            "mark": {"type": "bar", "color": BAND, "size": 16},
            "encoding": {"y": y, "x": _value(measure, "low"), "x2": {"field": "high"}},
        },
        {
            "mark": {"type": "tick", "color": INK, "thickness": 2.5, "size": 16},
            "encoding": {"y": y, "x": _value(measure, "median")},
        },
    ]
    if measure.shown.rate is not None:
        layers.append(
            {
                "data": {"values": [{"value": float(measure.shown.rate)}]},
                "mark": {"type": "rule", "color": ACCENT, "strokeWidth": 2},
                "encoding": {"x": _value(measure)},
            }
        )
    return _whole(drawing, layers, rows)


def strata(measure: MeasureFeedback) -> Specification:
    """The measure in each stratum, with intervals; of a cohort its counts."""
    if not measure.split:
        raise Withheld("This measure is not split.")
    split = measure.split[0]
    counted = measure.scoring == "cohort"
    drawing = _known(
        measure,
        strata_counts(measure, split) if counted else charts.strata_chart(measure, split),
    )
    rows = [{"stratum": one.title, **_numbers(one.figures)} for one in split.strata]
    y = {
        "field": "stratum",
        "type": "nominal",
        "sort": [one.title for one in split.strata],
        "title": split.title,
    }
    if counted:
        layers: list[Specification] = [
            {
                "mark": {"type": "bar", "color": QUIET},
                "encoding": {"y": y, "x": _value(measure, "cases")},
            }
        ]
        return _whole(drawing, layers, rows)
    layers = [
        {
            "mark": {"type": "rule", "color": INK},
            "encoding": {"y": y, "x": _value(measure, "low"), "x2": {"field": "high"}},
        },
        {
            "mark": {
                "type": "point",
                "filled": True,
                "shape": "diamond",
                "color": ACCENT,
                "size": 90,
            },
            "encoding": {"y": y, "x": _value(measure)},
        },
    ]
    return _whole(drawing, layers, rows)


MAKERS: dict[Chart, Callable[[MeasureFeedback], Specification]] = {
    "run": run,
    "control": control,
    "funnel": funnel,
    "peers": peers,
    "strata": strata,
}


def _known(measure: MeasureFeedback, drawing: Drawing | None) -> Drawing:
    if drawing is None:
        reason = measure.shown.withheld
        raise Withheld(reason.says if reason else "Too little of this may be shown to draw it.")
    return drawing


def _whole(
    drawing: Drawing, layers: list[Specification], rows: list[dict[str, Any]], width: int = 320
) -> Specification:
    return {
        "$schema": SCHEMA,
        "title": drawing.title,
        "description": drawing.said,
        "width": width,
        "data": {"values": rows},
        "layer": layers,
    }


def _value(measure: MeasureFeedback, field: str = "value") -> Specification:
    unit = measure.unit.strip()
    return {
        "field": field,
        "type": "quantitative",
        "title": unit or "cases",
        "scale": {"zero": False},
    }


def _level(name: str, level: float, dash: list[int]) -> Specification:
    return {
        "data": {"values": [{"value": level, "is": name}]},
        "mark": {"type": "rule", "color": QUIET, "strokeDash": dash, "tooltip": True},
        "encoding": {"y": {"field": "value", "type": "quantitative"}},
    }


def _numbers(figures: Figures) -> dict[str, float | None]:
    return {
        "value": None if figures.rate is None else float(figures.rate),
        "low": None if figures.low is None else float(figures.low),
        "high": None if figures.high is None else float(figures.high),
        "cases": None if figures.denominator is None else float(figures.denominator),
    }
