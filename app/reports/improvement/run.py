"""
A project's measure over time: the points around its baseline, parted where changes were carried out.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from app.benchmarks.periods import Period, later
from app.benchmarks.query import Result
from app.benchmarks.statistics.charts import phases
from app.benchmarks.statistics.run_charts import FEWEST, run_chart, trend
from app.models.improvement import ImprovementIntervention
from app.registries.measure import Measure
from app.reports import words
from app.reports.improvement.evidence import MarkedStep, PhasePart, PlacedPoint, ProjectRun
from app.reports.improvement.plan import first_month
from app.reports.runs import SHOWN_SHARE, point

_THREE = 3


def places(
    baseline: Period, again: Period | None, today: date
) -> tuple[list[Period], list[Period]]:
    """The chart's periods, by month and by three months: whole ones, from the baseline's first month on."""
    last = max(later(today.replace(day=1), -1), baseline.last)
    if again is not None:
        last = min(last, max(again.last, baseline.last))
    whole = list(Period(baseline.first, last).months())
    single = [Period(one, one) for one in whole]
    starts = [one for one in whole[::_THREE] if later(one, _THREE - 1) <= last]
    return single, [Period(one, later(one, _THREE - 1)) for one in starts]


def project_run(
    measure: Measure,
    by_month: Sequence[Result],
    by_three: Sequence[Result],
    changes: Sequence[ImprovementIntervention],
) -> ProjectRun:
    """By month, or by three months where too few single ones can be shown."""
    by_month, by_three = _with_cases(by_month), _with_cases(by_three)
    shown = sum(one.rate is not None for one in by_month)
    fine = shown >= max(SHOWN_SHARE * len(by_month), 2) or not by_three
    chosen, size = (by_month, 1) if fine else (by_three, _THREE)
    points = [PlacedPoint(first=one.period.first, **point(one).model_dump()) for one in chosen]
    # A phase begins with the first point that lies wholly after a change.
    starts = {
        next((place for place, one in enumerate(chosen) if one.period.first >= since), None)
        for since in (first_month(one.on) for one in changes)
    }
    inside = sorted(one for one in starts if one is not None and one > 0)
    chart = run_chart([one.value for one in points], phases(len(points), inside))
    parts = [
        PhasePart(
            title=_phase_title(number, chosen[phase.first].period, changes),
            first=points[phase.first].first,
            last=points[phase.after - 1].first,
            median=None if (centre := chart.centre[phase.first]) is None else round(centre, 4),
        )
        for number, phase in enumerate(chart.phases)
    ]
    whole = run_chart([one.value for one in points])
    return ProjectRun(
        unit="month" if size == 1 else "three months",
        months=size,
        points=tuple(points),
        phases=tuple(parts),
        changes=tuple(
            MarkedStep(number=number, on=one.on, says=one.says)
            for number, one in enumerate(changes, start=1)
        ),
        says=f"Over all points: {words.lowered(trend(whole, measure.improvement).words)}"
        if sum(one.value is not None for one in points) >= FEWEST
        else f"Fewer than {FEWEST} points can be shown: too few to tell a change from chance by their run.",
    )


def _phase_title(number: int, begins: Period, changes: Sequence[ImprovementIntervention]) -> str:
    if number:
        return f"After change {_after(begins, changes)}"
    return "Before the first change" if changes else "All points"


def _after(begins: Period, changes: Sequence[ImprovementIntervention]) -> str:
    """The numbers of the changes that a phase begins after: the last one, or several of one time."""
    before = [
        (first_month(one.on), number)
        for number, one in enumerate(changes, start=1)
        if first_month(one.on) <= begins.first
    ]
    latest = max(first for first, _ in before)
    return words.listed(str(number) for first, number in before if first == latest)


def _with_cases(found: Iterable[Result]) -> list[Result]:
    """Up to the last period with a case, of two at least: what is yet to come is no gap."""
    shown = list(found)
    while len(shown) > 2 and not shown[-1].counts.initial_population:
        shown.pop()
    return shown
