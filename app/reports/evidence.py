"""
What speaks for or against chance: a measure over time, within its funnel, and beside a year before.

The numbers are `app.benchmarks.statistics`'; here they are brought into the unit a report is read in
and said in a sentence.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache, partial
from math import inf

import numpy as np

from app.benchmarks import rates
from app.benchmarks.course import compared
from app.benchmarks.query import Result
from app.benchmarks.statistics import half_up
from app.benchmarks.statistics.charts import Chart
from app.benchmarks.statistics.dispersion import Dispersion
from app.benchmarks.statistics.funnels import REVIEW, WATCH, proportion_limits
from app.benchmarks.statistics.run_charts import FEWEST, run_chart, trend
from app.registries.schema import Measure
from app.reports import words
from app.reports.composition import Change, Funnel, FunnelLimit, Note, Run, RunPoint
from app.reports.figures import MOST_DECIMALS, figures, read, withheld

SHOWN_SHARE = 0.75
"""Of a run chart's months: with fewer that may be shown, quarters are."""

WIDTHS = tuple(step * 10**power for power in range(1, 8) for step in (1, 2, 5))
"""Cases at the right edge of a funnel: few different ones, so that its limits are worked out once."""
STEPS = 32


def change(now: Result, then: Result, before: str) -> Change | None:
    """The shown result beside that of a year before; none where either is withheld, or without interval."""
    measure, found = now.measure, compared(now, then)
    if found is None or found.limits is None:
        return None
    written = _times if found.kind == "ratio" else partial(_signed, measure)
    value, low, high = (written(one) for one in (found.value, *found.limits))
    assert low is not None  # only what a ratio to nothing is has no end, and that above
    earlier = figures(then).rate or ""
    return Change(
        since=then.period.label,
        before=earlier,
        kind=found.kind,
        value=value,
        low=low,
        high=high,
        clear=found.clear,
        better=found.better,
        says=words.change_says(
            before,
            f"{earlier}{words.unit_of(measure)}",
            found.kind,
            (value, low, high),
            found.clear,
            found.rising,
        ),
    )


def _times(ratio: Fraction | float | None) -> str | None:
    """How many times as much, as it is read; none where there is nothing to be a multiple of."""
    if ratio is None or ratio == inf:
        return None
    return str(half_up(Fraction(ratio), 2))


def _signed(measure: Measure, value: Fraction | float | None) -> str | None:
    """A difference with its sign, in the unit and with the decimals of the rate."""
    if value is None:
        return None
    if measure.scoring == "proportion":
        text = str(half_up(Fraction(value) * measure.per, 3 if measure.per == 1 else 1))
    else:
        text = str(half_up(Fraction(value), min(rates.peer_digits(measure), MOST_DECIMALS)))
    return text.replace("-", "−") if text.startswith("-") else f"+{text}"


def funnel(shown: Result, earlier: Sequence[Result]) -> Funnel | None:
    """A proportion among the limits of chance around its first peer group that is told.

    The middle is the rate of all their cases together, or their median where that is not told. Where
    facilities scatter beyond chance (and how far is told), the limits hold that scatter too.
    """
    measure = shown.measure
    group = next((one for one in shown.peers if one.median is not None), None)
    if measure.scoring != "proportion" or shown.rate is None or group is None:
        return None
    middle = group.median if group.pooled is None else group.pooled
    assert middle is not None
    target, scatter = float(middle), float(group.tau_squared or 0)
    if not 0 < target < 1:
        return None
    cases = shown.counts.denominator
    most = next((one for one in WIDTHS if one >= cases), WIDTHS[-1])
    value = float(shown.rate)
    inner, outer = (
        proportion_limits(target, [cases], level, _over(scatter)) for level in (WATCH, REVIEW)
    )
    zone = "inside"
    if not inner.low[0] <= value <= inner.high[0]:
        zone = "beyond-95" if outer.low[0] <= value <= outer.high[0] else "beyond-998"
    middle_says = f"{read(measure, middle)}{words.unit_of(measure)}"
    return Funnel(
        title=group.title,
        target=round(target * measure.per, 4),
        target_says=f"{'median' if group.pooled is None else 'pooled rate'} {middle_says}",
        scatter=scatter > 0,
        limits=limits(target, measure.per, most, scatter),
        cases=cases,
        value=round(value * measure.per, 4),
        zone=zone,
        earlier=tuple(
            (one.counts.denominator, round(float(one.rate) * measure.per, 4))
            for one in earlier
            if one.rate is not None and one.period != shown.period
        ),
        says=words.funnel_says(zone, group.title, value > target, scatter > 0),
    )


def run(months: Sequence[Result], quarters: Sequence[Result]) -> Run | None:
    """A measure over time, by months where most of them may be shown, or else by quarters.

    Periods before the facility's first case are left out; none where it has none at all.
    """
    by_month, by_quarter = _since_the_first(months), _since_the_first(quarters)
    shown = sum(one.rate is not None for one in by_month)
    fine = shown >= max(SHOWN_SHARE * len(by_month), FEWEST)
    chosen = by_month if fine else by_quarter
    points = tuple(_point(one) for one in chosen)
    unit = "month" if fine else "quarter"
    if len(points) < 2:
        return Run(unit=unit, points=points, says=words.NO_TREND) if points else None
    chart = run_chart([point.value for point in points])
    going = trend(chart, months[0].measure.improvement)
    rules = chart.runs[0]
    if rules is None:
        return Run(unit=unit, points=points, says=going.words)
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


def _point(result: Result) -> RunPoint:
    exact = rates.rate(result.measure, result.counts) if result.rate is not None else None
    per = result.measure.per if result.measure.scoring == "proportion" else 1
    reason = withheld(result.withheld)
    return RunPoint(
        period=result.period.label,
        value=None if exact is None else round(float(exact * per), 4),
        cases=rates.size(result.measure, result.counts),
        note=reason.says if reason else "",
    )


@lru_cache(maxsize=4096)
def limits(target: float, per: int, most: int, scatter: float = 0.0) -> tuple[FunnelLimit, ...]:
    """The funnel's lines up to so many cases: the same for every facility of a measure and width."""
    # Limits bend where cases are few: half of the places lie in the first eighth.
    places = most * (np.arange(1, STEPS + 1) / STEPS) ** 2
    cases = sorted({max(round(float(one)), 1) for one in places})
    inner, outer = (
        proportion_limits(target, cases, level, _over(scatter)) for level in (WATCH, REVIEW)
    )
    return tuple(
        FunnelLimit(
            cases=number,
            low_95=round(per * float(inner.low[place]), 3),
            high_95=round(per * float(inner.high[place]), 3),
            low_998=round(per * float(outer.low[place]), 3),
            high_998=round(per * float(outer.high[place]), 3),
        )
        for place, number in enumerate(cases)
    )


def _over(tau_squared: float) -> Dispersion | None:
    """The scatter that a snapshot told, as the limits take it."""
    return Dispersion(0, 1.0, tau_squared) if tau_squared else None
