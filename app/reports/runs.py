"""A measure over time: its run chart, and the control chart that fits it, in the unit a report is read in."""

from collections.abc import Sequence

from app.benchmarks import rates
from app.benchmarks.control import choice, control_of
from app.benchmarks.query import Result
from app.benchmarks.statistics.charts import Chart
from app.benchmarks.statistics.run_charts import FEWEST, run_chart, trend
from app.reports import words
from app.reports.composition import ControlLimit, Note, ReportedControl, Run, RunPoint
from app.reports.figures import withheld

SHOWN_SHARE = 0.75
"""Of a run chart's months: with fewer that may be shown, quarters are."""


def run(months: Sequence[Result], quarters: Sequence[Result]) -> Run | None:
    """A measure over time, by months where most of them may be shown, or else by quarters.

    Periods before the facility's first case are left out; none where it has none at all.
    """
    by_month, by_quarter = _since_the_first(months), _since_the_first(quarters)
    shown = sum(one.rate is not None for one in by_month)
    fine = shown >= max(SHOWN_SHARE * len(by_month), FEWEST)
    chosen = by_month if fine else by_quarter
    points = tuple(map(point, chosen))
    unit = "month" if fine else "quarter"
    if len(points) < 2:
        return Run(unit=unit, points=points, says=words.NO_TREND) if points else None
    controlled = control(chosen, by_month)
    chart = run_chart([point.value for point in points])
    going = trend(chart, months[0].measure.improvement)
    rules = chart.runs[0]
    if rules is None:
        return Run(unit=unit, points=points, control=controlled, says=going.words)
    return Run(
        unit=unit,
        points=points,
        median=None if chart.centre[0] is None else round(chart.centre[0], 4),
        longest_run=rules.longest,
        longest_expected=rules.longest_allowed,
        crossings=rules.crossings,
        fewest_expected=rules.crossings_needed,
        signal=bool(chart.signals),
        course=going.course,
        notes=_notes(points, chart),
        control=controlled,
        says=going.words,
    )


def _notes(points: Sequence[RunPoint], chart: Chart) -> tuple[Note, ...]:
    """Each run that is longer than chance gives, named over its points."""
    return tuple(
        Note(
            first=points[one.places[0]].period,
            last=points[one.places[-1]].period,
            says=f"{len(one.places)} in a row {one.side} the median",
        )
        for one in chart.signals
        if one.rule == "long-run"
    )


def _since_the_first(results: Sequence[Result]) -> Sequence[Result]:
    """From the first period with a case on."""
    first = next(
        (place for place, one in enumerate(results) if one.counts.initial_population), len(results)
    )
    return results[first:]


def point(result: Result) -> RunPoint:
    """A result as a point of a run chart."""
    exact = rates.rate(result.measure, result.counts) if result.rate is not None else None
    per = result.measure.per if result.measure.scoring == "proportion" else 1
    reason = withheld(result.withheld)
    return RunPoint(
        period=result.period.label,
        value=None if exact is None else round(float(exact * per), 4),
        cases=rates.size(result.measure, result.counts),
        note=reason.says if reason else "",
    )


def control(chosen: Sequence[Result], months: Sequence[Result]) -> ReportedControl | None:
    """The control chart of the points of a run chart; of rare events, of those of the months."""
    measure = chosen[0].measure
    known = [one for one in chosen if one.rate is not None]
    between = choice(measure, known) in ("g", "t")
    over = months if between else chosen
    found = control_of(measure, [one.period for one in over], over)
    if found is None:
        return None
    chart = found.chart
    per = measure.per if measure.scoring == "proportion" and not between else 1

    def read(value: float | None) -> float | None:
        return None if value is None else round(value * per, 4)

    signals = tuple(
        Note(
            first=found.periods[one.places[0]].label,
            last=found.periods[one.places[-1]].label,
            says=one.words,
        )
        for one in chart.signals
    )
    return ReportedControl(
        chart=chart.kind,
        title=words.CONTROL_CHARTS[chart.kind],
        points=tuple(
            ControlLimit(
                period=period.label,
                value=read(value),
                centre=read(centre),
                low=read(low),
                high=read(high),
            )
            for period, value, centre, low, high in zip(
                found.periods, chart.values, chart.centre, chart.low, chart.high, strict=True
            )
        ),
        signals=signals,
        trial=found.trial,
        says=words.control_says(chart.kind, signals, found.trial),
    )
