"""
Write a composition as a page that stands by itself.

The page carries its style and its charts, loads nothing, runs nothing, and prints: it can be saved,
mailed and opened years later. Its content security policy allows that one style and nothing else.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.reports import charts, over_time
from app.reports.changed import Difference
from app.reports.composition import (
    Composition,
    Figures,
    MeasureFeedback,
    ReportedLevel,
    Section,
    Standing,
    Strata,
)
from app.reports.drawing import Drawing, svg
from app.reports.unshown import OWN

TEMPLATES = Path(__file__).parent / "templates"
CSS = (TEMPLATES / "report.css").read_text(encoding="utf-8")
STYLE_DIGEST = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_DIGEST}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

pages = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


RELIED_ON = 0.9
"""From this reliability on the best estimate is the own result, and is not said beside it."""


def page(
    report: Composition,
    *,
    issued_on: datetime | None = None,
    differences: Sequence[Difference] | None = None,
) -> str:
    """The report as HTML; of an issued one, with what has changed since (None: nobody looked)."""
    return pages.get_template("report.html").render(
        report=report,
        issued_on=issued_on,
        differences=differences,
        css=Markup(CSS),  # noqa: S704 - our own file, not input
        groups=groups(report),
        step=step,
        figures_of=figures_of,
        adjusted_row=adjusted_row,
        level_titles=level_titles,
        level_rows=level_rows,
        beneath=beneath,
        counted_chart=counted_chart,
        blocks=blocks,
        delays_chart=delays_chart,
        issue_says=issue_says,
        rated=rated,
        not_shown_rows=not_shown_rows,
    )


def step(measure: MeasureFeedback, standing: Standing, where: str) -> Markup:
    """The quartile as four steps; the tallest is the best, or the highest where neither is better."""
    drawn = charts.steps(reached(measure, standing), standing.says)
    look: dict[str, str | float] = {"class": "rank", "width": drawn.width, "height": drawn.height}
    return svg(drawn, f"{measure.id}-{standing.peer_group}-{where}", look)


def reached(measure: MeasureFeedback, standing: Standing) -> int:
    """Which of the four steps is filled."""
    quartile = standing.quartile or 1
    return quartile if measure.better == "neither" else 5 - quartile


def figures_of(measure: MeasureFeedback) -> list[tuple[str, str, Markup]]:
    """The charts of a measure: whether wide or small, their caption, and the drawing."""
    return [
        (kind, caption, svg(drawing, f"{measure.id}-{number}"))
        for number, (kind, caption, drawing) in enumerate(drawings(measure))
    ]


def rated(figures: Figures, unit: str) -> str:
    """A result as it stands in a table."""
    if figures.rate is None:
        return "not shown"
    return f"{int(figures.rate):,}" if figures.rate.isdigit() else f"{figures.rate}{unit}"


def beneath(measure: MeasureFeedback) -> list[str]:
    """What is said beneath the charts of a measure; nothing beside a result that is withheld."""
    if measure.shown.rate is None:
        return []
    found = [] if measure.run is None else [measure.run.says]
    if measure.run is not None and measure.run.control is not None:
        found.append(measure.run.control.says)
    if measure.placing is not None and float(measure.placing.reliability) < RELIED_ON:
        found.append(measure.placing.says)
    if measure.adjusted is not None:
        found.append(measure.adjusted.says)
    return found


def adjusted_row(measure: MeasureFeedback) -> list[str] | None:
    """The result as if all facilities had the same patients, as it stands beneath those of periods."""
    its = measure.adjusted
    if its is None or its.rate is None:
        return None
    title = f"{measure.shown.period}, allowing for what patients bring"
    cases = f"{measure.shown.denominator or 0:,}"
    return [title, f"{its.rate}{measure.unit}", f"{its.low} to {its.high}", cases]


def level_titles(measure: MeasureFeedback) -> list[str]:
    """What the reference levels of a measure are called."""
    return next(([one.title for one in row.levels] for row in measure.levels if row.levels), [])


def level_rows(measure: MeasureFeedback) -> list[list[str]]:
    """A facility's medians beside reference levels: what, its cases, its median, and each level."""
    blank = [""] * len(level_titles(measure))
    return [
        [
            row.title,
            f"{row.cases:,}",
            "" if row.median is None else f"{row.median}{measure.unit}",
            *([_level(one, measure.unit) for one in row.levels] or blank),
        ]
        for row in measure.levels
    ]


def _level(level: ReportedLevel, unit: str) -> str:
    if level.withheld is not None:
        return level.withheld.says
    return f"{level.value}{unit}" + (" (own median is above)" if level.above else "")


def drawings(measure: MeasureFeedback) -> list[tuple[str, str, Drawing]]:
    """The charts of a measure, in the order they are read; none beside a result that is withheld."""
    if measure.shown.rate is None:
        return []
    found: list[tuple[str, str, Drawing | None]] = []
    if measure.run is not None:
        found.append(("wide", f"Over time, by {measure.run.unit}", over_time.run_chart(measure)))
    found.append(("small", "Between events", over_time.between_chart(measure)))
    found.append(("small", "Within the limits of chance", charts.funnel_chart(measure)))
    found.append(("small", "Beside peers", charts.peers_chart(measure)))
    for split in measure.split:
        drawing = (
            strata_counts(measure, split)
            if measure.scoring == "cohort"
            else charts.strata_chart(measure, split)
        )
        found.append(("small", f"By {split.title.lower()}", drawing))
    return [(kind, caption, drawing) for kind, caption, drawing in found if drawing is not None]


def blocks(section: Section) -> list[list[MeasureFeedback]]:
    """What stands in one frame: each measure by itself, and counts that follow one another together."""
    found: list[list[MeasureFeedback]] = []
    for _, run in groupby(
        section.measures, key=lambda one: one.scoring == "cohort" and not one.split
    ):
        several = list(run)
        counted = several[0].scoring == "cohort" and not several[0].split
        found += [several] if counted else [[one] for one in several]
    return found


def counts_of(measures: Sequence[MeasureFeedback]) -> Drawing | None:
    """Counts side by side; None where there is nothing to count."""
    counts = [(one.title, one.result.denominator or 0) for one in measures]
    return charts.counts_chart("Counts of this period", counts)


def counted_chart(measures: Sequence[MeasureFeedback]) -> Markup | None:
    """The same as an element of the page."""
    drawing = counts_of(measures)
    return None if drawing is None else svg(drawing, f"{measures[0].id}-counted")


def strata_counts(measure: MeasureFeedback, split: Strata) -> Drawing | None:
    """How a cohort falls into strata; None without cases."""
    counts = [(one.title, one.figures.denominator or 0) for one in split.strata]
    title = f"{measure.title} by {split.title.lower()}"
    return charts.counts_chart(title, counts, shares=True)


def groups(report: Composition) -> dict[str, str]:
    """The peer groups among which the facility has a place, with their headings."""
    return {
        one.peer_group: one.title
        for measure in report.measures
        for one in measure.standings
        if one.quartile is not None
    }


def issue_says(report: Composition) -> str | None:
    """Which issue this is, if it is one, and what it corrects."""
    issue = report.issue
    if issue is None:
        return None
    if issue.supersedes is None:
        return f"Issue {issue.number}."
    return f"Issue {issue.number}. It supersedes issue {issue.supersedes}: {issue.reason}"


def not_shown_rows(report: Composition) -> list[list[str]]:
    """What, of which measures, and why; what has the same reason stands together."""
    together: dict[tuple[str, str], list[str]] = {}
    for one in report.not_shown:
        together.setdefault((one.what, one.says), []).append(one.title)
    placed = sum(bool(one.standings) and one.shown.rate is not None for one in report.measures)
    return [
        [
            what[:1].upper() + what[1:],
            f"All {placed} measures with a result"
            if what != OWN and len(titles) == placed > 1
            else "; ".join(titles),
            says,
        ]
        for (what, says), titles in together.items()
    ]


def delays_of(report: Composition) -> Drawing | None:
    """How long after their date cases came; None without cases."""
    counts = [(one.title, one.cases) for one in report.quality.delays]
    return charts.counts_chart("Days from a case's date to its receipt", counts, shares=True)


def delays_chart(report: Composition) -> Markup | None:
    """The same as an element of the page."""
    drawing = delays_of(report)
    return None if drawing is None else svg(drawing, "delays")
