"""
Write a composition as a page that stands by itself.

The page carries its style and its charts, loads nothing, runs nothing, and prints: it can be saved,
mailed and opened years later. Its content security policy allows that one style and nothing else.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.reports import charts
from app.reports.composition import Composition, Figures, MeasureFeedback, Section, Standing, Strata

TEMPLATES = Path(__file__).parent / "templates"
CSS = (TEMPLATES / "report.css").read_text(encoding="utf-8")
STYLE_DIGEST = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_DIGEST}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

_pages = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(report: Composition) -> str:
    """The report as HTML."""
    return _pages.get_template("report.html").render(
        report=report,
        css=Markup(CSS),  # noqa: S704 - our own file, not input
        groups=_groups(report),
        step=step,
        spread_chart=spread_chart,
        trend_chart=trend_chart,
        bars_chart=bars_chart,
        counted_chart=counted_chart,
        blocks=blocks,
    )


def step(measure: MeasureFeedback, standing: Standing, where: str) -> Markup:
    """The quartile as four steps; the tallest is the best, or the highest where neither is better."""
    quartile = standing.quartile or 1
    reached = quartile if measure.better == "neither" else 5 - quartile
    return charts.rank(f"{measure.id}-{standing.peer_group}-{where}", reached, standing.says)


def spread_chart(measure: MeasureFeedback) -> Markup | None:
    """The facility beside its peers; None when there is nobody to be beside."""
    groups = [
        charts.Spread(one.title, float(one.low), float(one.median), float(one.high))
        for one in measure.standings
        if one.low is not None and one.median is not None and one.high is not None
    ]
    if not groups:
        return None
    return charts.spread(
        f"{measure.id}-spread",
        f"{measure.title}: this facility beside its peers",
        _point(measure.result),
        groups,
        partial(_written, measure.unit),
    )


def trend_chart(measure: MeasureFeedback) -> Markup | None:
    """The last periods; None when fewer than two of them can be shown."""
    points = [_point(figures) for figures in measure.trend]
    if sum(point.value is not None for point in points) < 2:
        return None
    return charts.trend(
        f"{measure.id}-trend",
        f"{measure.title}: the last periods",
        points,
        partial(_written, measure.unit),
        _reference(measure.standings),
    )


def blocks(section: Section) -> list[list[MeasureFeedback]]:
    """What stands in one frame: each measure by itself, and counts that follow one another together."""
    groups: list[list[MeasureFeedback]] = []
    for _, run in groupby(
        section.measures, key=lambda one: one.scoring == "cohort" and not one.split
    ):
        several = list(run)
        counted = several[0].scoring == "cohort" and not several[0].split
        groups += [several] if counted else [[one] for one in several]
    return groups


def counted_chart(measures: Sequence[MeasureFeedback]) -> Markup | None:
    """Counts side by side; None where there is nothing to count."""
    counts = [(one.title, one.result.denominator or 0) for one in measures]
    if not any(count for _, count in counts):
        return None
    return charts.bars(f"{measures[0].id}-counted", "Counts of this period", counts, shares=False)


def bars_chart(measure: MeasureFeedback, split: Strata) -> Markup | None:
    """How a cohort falls into strata; None without cases."""
    counts = [(one.title, one.figures.denominator or 0) for one in split.strata]
    if not any(count for _, count in counts):
        return None
    name = f"{measure.id}-{''.join(one for one in split.title.lower() if one.isalnum())}"
    return charts.bars(name, f"{measure.title}: {split.title}", counts)


def _reference(standings: Iterable[Standing]) -> tuple[str, float] | None:
    first = next((one for one in standings if one.median is not None), None)
    if first is None or first.median is None:
        return None
    return "peer median", float(first.median)


def _groups(report: Composition) -> list[str]:
    """The headings of the peer groups, from the first measure: every measure has the same."""
    measures = [measure for section in report.sections for measure in section.measures]
    return [standing.title for standing in measures[0].standings] if measures else []


def _point(figures: Figures) -> charts.Point:
    return charts.Point(
        label=figures.period,
        value=None if figures.rate is None else float(figures.rate),
        low=None if figures.low is None else float(figures.low),
        high=None if figures.high is None else float(figures.high),
        note="" if figures.withheld is None else figures.withheld.says,
    )


def _written(unit: str, value: float) -> str:
    """A figure of a chart, without digits it does not need. A longer unit stands in the heading."""
    return f"{value:,.6g}{unit if unit == '%' else ''}"
