"""
Course: a facility against its own last year, and where its rates are going.

Both are read from the facility's own live results; a result that may not be shown is not compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import rates
from app.benchmarks.periods import Period, later
from app.benchmarks.query import Result, results
from app.benchmarks.rates import Counts
from app.benchmarks.statistics import Interval, Sums, half_up, newcombe, rate_ratio, welch
from app.benchmarks.statistics.run_charts import Trend, run_chart, trend
from app.registries.schema import Definition, Measure

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
    trend: Trend


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside results."""

    changes: dict[Key, Change]
    courses: dict[Key, Course]


def year_before(over: Period) -> Period:
    """The same months of the year before."""
    return Period(later(over.first, -12), later(over.last, -12))


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
) -> Beside:
    """What stands beside a facility's results, for those measures and periods that have it."""
    found = Beside({}, {})
    rated = [one for one in now if one.measure.scoring != "cohort"]
    wanted = set[Period]()
    for over in {one.period for one in rated}:
        wanted |= {year_before(over)} if changes else set()
        wanted |= set(points_of(over)[1]) if courses else set()
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
    )
    earlier = {(one.measure.id, one.period, one.stratum): one for one in answer.results}
    for one in rated:
        key = one.measure.id, one.period, one.stratum
        then = earlier.get((one.measure.id, year_before(one.period), one.stratum))
        if changes and then is not None and (change := change_of(one, then)) is not None:
            found.changes[key] = change
        if courses:
            unit, places = points_of(one.period)
            at = [earlier.get((one.measure.id, place, one.stratum)) for place in places]
            found.courses[key] = course_of(one.measure, unit, places, at)
    return found


def change_of(now: Result, then: Result) -> Change | None:
    """The change from a result a year before; None unless both may be shown.

    The difference of proportions with Newcombe's hybrid score interval, of means with Welch's, the
    ratio of rates per 1,000 with the exact one; a ratio of a sum to a count has no interval.
    """
    if now.rate is None or then.rate is None:
        return None
    measure = now.measure
    new, old = rates.rate(measure, now.counts), rates.rate(measure, then.counts)
    assert new is not None
    assert old is not None
    limits: Interval | None = None
    value: Fraction | None = new - old
    kind: Literal["difference", "ratio"] = "difference"
    digits, same = rates.digits(measure), 0.0
    if measure.scoring == "proportion" and measure.per == 1000:
        kind, digits, same = "ratio", RATIO_DIGITS, 1.0
        value = new / old if old else None
        if now.counts.numerator + then.counts.numerator:
            limits = rate_ratio(
                now.counts.numerator,
                now.counts.denominator,
                then.counts.numerator,
                then.counts.denominator,
            )
    elif measure.scoring == "proportion":
        limits = newcombe(
            now.counts.numerator,
            now.counts.denominator,
            then.counts.numerator,
            then.counts.denominator,
        )
    elif measure.scoring == "continuous-variable":
        limits = welch(_sums(measure, now.counts), _sums(measure, then.counts))
    low, high = (None, None) if limits is None else limits
    return Change(
        before=then.period,
        earlier=then.rate,
        kind=kind,
        value=None if value is None else half_up(value, digits),
        low=_rounded(low, digits),
        high=_rounded(high, digits),
        better=_better(measure, limits, same),
    )


def course_of(
    measure: Measure, unit: Unit, over: Sequence[Period], results: Sequence[Result | None]
) -> Course:
    """The course of a measure's results in the order of time; None where there is no result."""
    points = tuple(
        Point(place, one.rate if one else None, one.withheld if one else "no-cases")
        for place, one in zip(over, results, strict=True)
    )
    chart = run_chart([None if one.rate is None else float(one.rate) for one in points])
    return Course(unit, points, trend(chart, measure.improvement))


def _better(measure: Measure, limits: Interval | None, same: float) -> bool | None:
    if limits is None or measure.improvement == "none" or limits.low <= same <= limits.high:
        return None
    return (limits.low > same) == (measure.improvement == "increase")


def _rounded(value: float | None, digits: int) -> Decimal | None:
    """A limit as it is told; none where it is without end."""
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    return half_up(Fraction(value), digits)


def _sums(measure: Measure, counts: Counts) -> Sums:
    unit = 10**measure.scale
    return Sums(
        counts.observations,
        Fraction(counts.total, unit),
        Fraction(counts.total_of_squares, unit * unit),
    )
