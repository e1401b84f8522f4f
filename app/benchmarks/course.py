"""
Course: a facility against its own last year, and where its rates are going.

Both are read from the facility's own live results; a result that may not be shown is not compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import rates
from app.benchmarks.control import Control, control_of, phases_of
from app.benchmarks.ground import Ground
from app.benchmarks.periods import Period, later, year_before
from app.benchmarks.query import Result, results
from app.benchmarks.rates import Counts
from app.benchmarks.statistics import Interval, half_up, newcombe, rate_ratio, welch
from app.benchmarks.statistics.charts import Chart
from app.benchmarks.statistics.run_charts import Trend, run_chart, trend
from app.registries.measure import Measure
from app.registries.schema import Definition

MONTHS, QUARTERS = 24, 12
"""How many points a course looks back over: months for a single month, else quarters."""
RATIO_DIGITS = 4

Unit = Literal["month", "quarter"]
Key = tuple[str, Period, str | None]
"""Measure, period, stratum."""


@dataclass(frozen=True, slots=True)
class Change:
    """A rate against the same facility's of a year before."""

    before: Period
    earlier: Decimal
    kind: Literal["difference", "ratio"]
    value: Decimal | None
    """None where there was nothing to divide by."""
    low: Decimal | None
    high: Decimal | None
    better: bool | None
    """Whether the whole interval lies on the better side; None where it holds no change or neither is."""


@dataclass(frozen=True, slots=True)
class Point:
    """One result of a course."""

    period: Period
    rate: Decimal | None
    withheld: str | None


@dataclass(frozen=True, slots=True)
class Course:
    """Results of months or quarters up to the end of a period, and what a run chart says of them."""

    unit: Unit
    points: tuple[Point, ...]
    chart: Chart
    trend: Trend


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside results."""

    changes: dict[Key, Change]
    courses: dict[Key, Course]
    controls: dict[Key, Control]


def points_of(over: Period) -> tuple[Unit, list[Period]]:
    """The periods of a course, oldest first; the last ends where `over` does."""
    if over.first == over.last:
        months = [later(over.last, -back) for back in reversed(range(MONTHS))]
        return "month", [Period(one, one) for one in months]
    ends = [later(over.last, -3 * back) for back in reversed(range(QUARTERS))]
    return "quarter", [Period(later(one, -2), one) for one in ends]


async def beside(
    session: AsyncSession,
    definition: Definition,
    facility_id: int,
    now: Sequence[Result],
    *,
    today: date,
    changes: bool,
    courses: bool,
    controls: bool = False,
    begins: Sequence[date] = (),
    on: Ground | None = None,
) -> Beside:
    """What stands beside a facility's results, for those measures and periods that have it.

    `begins` are months with which new phases of charts begin; `on` as for `query.results`.
    """
    found = Beside({}, {}, {})
    rated = [one for one in now if one.measure.scoring != "cohort"]
    wanted = set[Period]()
    for over in {one.period for one in rated}:
        wanted |= {year_before(over)} if changes else set()
        wanted |= set(points_of(over)[1]) if courses or controls else set()
    if not wanted:
        return found
    measures = list({one.measure.id: one.measure for one in rated}.values())
    stratifiers = {one.stratifier for one in rated}
    assert len(stratifiers) == 1, "one question, one stratifier"
    answer = await results(
        session,
        definition,
        facility_id,
        sorted(wanted),
        today=today,
        measures=measures,
        stratifier=stratifiers.pop(),
        with_peers=False,
        on=on,
        bare=wanted,
    )
    earlier = {(one.measure.id, one.period, one.stratum): one for one in answer.results}
    for one in rated:
        key = one.measure.id, one.period, one.stratum
        then = earlier.get((one.measure.id, year_before(one.period), one.stratum))
        if changes and then is not None and (change := change_of(one, then)) is not None:
            found.changes[key] = change
        if not (courses or controls):
            continue
        unit, places = points_of(one.period)
        at = [earlier.get((one.measure.id, place, one.stratum)) for place in places]
        if courses:
            found.courses[key] = course_of(one.measure, unit, places, at, begins)
        if controls and (control := control_of(one.measure, places, at, begins)) is not None:
            found.controls[key] = control
    return found


Kind = Literal["difference", "ratio"]


@dataclass(frozen=True, slots=True)
class Compared:
    """A result against an earlier one, exact; what it is told as is the teller's to round."""

    kind: Kind
    value: Fraction | None
    """None where there was nothing to divide by."""
    limits: Interval | None
    """95 %; None where there is no interval."""
    better: bool | None
    """Whether the whole interval lies on the better side; None where it holds no change or neither is."""

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out that nothing changed."""
        same = SAME[self.kind]
        return self.limits is not None and not self.limits.low <= same <= self.limits.high

    @property
    def rising(self) -> bool:
        """Whether it is more than it was; of a ratio to nothing it is."""
        return self.value is None or self.value > SAME[self.kind]


def kind_of(measure: Measure) -> Kind:
    """How results of a measure are compared: rates per 1,000 by their ratio, others by difference."""
    rare = measure.scoring == "proportion" and measure.per == 1000
    return "ratio" if rare else "difference"


SAME: dict[Kind, int] = {"difference": 0, "ratio": 1}
"""What each kind of comparison is where nothing changed."""


def interval_of(measure: Measure, now: Counts, then: Counts) -> Interval | None:
    """The 95 % interval of what one count of a measure is against another: see `compared`."""
    shares = now.numerator, now.denominator, then.numerator, then.denominator
    match measure.scoring:
        case "proportion" if measure.per == 1000:
            return rate_ratio(*shares) if now.numerator + then.numerator else None
        case "proportion":
            return newcombe(*shares)
        case "continuous-variable":
            return welch(rates.sums(measure, now), rates.sums(measure, then))
        case _:
            return None


def compared(now: Result, then: Result) -> Compared | None:
    """A result against an earlier one of the same measure; None unless both may be shown.

    The difference of proportions with Newcombe's hybrid score interval, of means with Welch's, the
    ratio of rates per 1,000 with the exact one; a ratio of a sum to a count has no interval.
    """
    if now.rate is None or then.rate is None:
        return None
    measure, of_now, of_then = now.measure, now.counts, then.counts
    new, old = rates.rate(measure, of_now), rates.rate(measure, of_then)
    assert new is not None
    assert old is not None
    value: Fraction | None = new - old
    kind = kind_of(measure)
    if kind == "ratio":
        value = new / old if old else None
    limits = interval_of(measure, of_now, of_then)
    found = Compared(kind, value, limits, None)
    if not found.clear or measure.improvement == "none":
        return found
    assert limits is not None
    better = (limits.low > SAME[kind]) == (measure.improvement == "increase")
    return replace(found, better=better)


def change_of(now: Result, then: Result) -> Change | None:
    """The change from a result a year before, as it is told; None unless both may be shown."""
    found = compared(now, then)
    if found is None or then.rate is None:
        return None
    digits = RATIO_DIGITS if found.kind == "ratio" else rates.digits(now.measure)
    low, high = (None, None) if found.limits is None else found.limits
    return Change(
        before=then.period,
        earlier=then.rate,
        kind=found.kind,
        value=None if found.value is None else half_up(found.value, digits),
        low=_rounded(low, digits),
        high=_rounded(high, digits),
        better=found.better,
    )


def course_of(
    measure: Measure,
    unit: Unit,
    over: Sequence[Period],
    results: Sequence[Result | None],
    begins: Sequence[date] = (),
) -> Course:
    """The course of a measure's results in the order of time; None where there is no result."""
    points = tuple(
        Point(place, one.rate if one else None, one.withheld if one else "no-cases")
        for place, one in zip(over, results, strict=True)
    )
    values = [None if one.rate is None else float(one.rate) for one in points]
    chart = run_chart(values, phases_of(over, begins))
    return Course(unit, points, chart, trend(chart, measure.improvement))


def _rounded(value: float | None, digits: int) -> Decimal | None:
    """A limit as it is told; none where it is without end."""
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    return half_up(Fraction(value), digits)
