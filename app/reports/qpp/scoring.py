"""
Measure achievement points: where a performance rate stands among CMS's percentiles.

42 CFR 414.1380(b)(1), as CMS's scoring guides of the performance years since 2023 work it out. A decile
begins at its lower bound and ends before the next one's (benchmarks-schema of qpp-measures-data, which
says the same of the older list of deciles): decile 1 at the 1st percentile, decile n at the percentile
10 (n - 1). Where two bounds are equal the lower decile is empty. Of an inverse measure the bounds are
those of the rates turned round. Within a decile points rise in tenths, no further than nine of them.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from app.benchmarks.statistics import half_up
from app.registries.qpp.published import Benchmark, Published
from app.reports.qpp import formulas
from app.reports.qpp.formulas import Value

CASE_MINIMUM = 20
"""Cases that a measure needs to be scored by a benchmark (42 CFR 414.1380(b)(1)(iii))."""
DATA_COMPLETENESS = 75
"""Percent of the eligible that must be reported, 2024 to 2028 (42 CFR 414.1340)."""
MOST_OF_TOPPED_OUT = Decimal(7)

UNSCORED = {
    "too-few-cases": f"Fewer than the {CASE_MINIMUM} cases that CMS needs to score it.",
    "incomplete-data": f"Less than {DATA_COMPLETENESS} % of the eligible cases are reported.",
    "no-benchmark": "CMS has published no benchmark of it for this year and way of sending.",
}
"""Why a result has no decile, in words. What CMS gives such a measure depends on who sends it."""


@dataclass(frozen=True, slots=True)
class Score:
    """A measurement as CMS will see it."""

    performance_rate: Decimal
    """In percent; of a `nonProportion` in the unit of its numerator."""
    reporting_rate: Decimal
    case_count: int
    enough_cases: bool
    complete: bool
    benchmark: Benchmark | None
    decile: int | None
    points: Decimal | None
    """In tenths, from 1 to 10."""
    capped: bool
    """Held to seven points: topped out for two years or more."""
    unscored: str | None
    """A key of `UNSCORED`."""


def score(measure: Published, benchmark: Benchmark | None, value: Value) -> Score:
    """A measurement scored by its benchmark. The value must be sound and have a rate."""
    rate = formulas.performance_rate(measure, value)
    told = formulas.reporting_rate(measure, value)
    assert rate is not None, "a value without a rate is not scored"
    assert told is not None
    cases = formulas.case_count(measure, value)
    kept = formulas.rounded(rate) if measure.proportion else half_up(rate, 4)
    reason = None
    if benchmark is None:
        reason = "no-benchmark"
    if told < DATA_COMPLETENESS:
        reason = "incomplete-data"
    if cases < CASE_MINIMUM:
        reason = "too-few-cases"
    decile, points, capped = None, None, False
    if reason is None:
        assert benchmark is not None
        decile, points = achieved(kept, benchmark, inverse=measure.is_inverse)
        limited = (
            benchmark.is_topped_out_by_program
            and benchmark.submission_method not in measure.seven_point_cap_removed
        )
        capped = limited and points > MOST_OF_TOPPED_OUT
        points = MOST_OF_TOPPED_OUT if capped else points
    return Score(
        performance_rate=kept,
        reporting_rate=formulas.rounded(told),
        case_count=cases,
        enough_cases=cases >= CASE_MINIMUM,
        complete=told >= DATA_COMPLETENESS,
        benchmark=benchmark,
        decile=decile,
        points=points,
        capped=capped,
        unscored=reason,
    )


def achieved(rate: Decimal, benchmark: Benchmark, *, inverse: bool) -> tuple[int, Decimal]:
    """The decile of a rate, 1 to 10, and its points in tenths, before any cap."""
    value: Any = Fraction(rate)
    percentiles = [formulas.exact(one) for one in benchmark.percentiles]
    # Ten lower bounds: the 1st, 10th, ... 90th percentile, or from the 99th down to the 10th.
    bounds = [-one for one in reversed(percentiles[1:])] if inverse else percentiles[:-1]
    value = -value if inverse else value
    if value < bounds[0]:
        return 1, Decimal("1.0")
    decile = max(place for place, bound in enumerate(bounds, start=1) if bound <= value)
    if decile == 10:
        return 10, Decimal("10.0")
    low, high = bounds[decile - 1], bounds[decile]
    tenths = min(half_up((value - low) / (high - low), 1), Decimal("0.9"))
    return decile, Decimal(decile) + tenths
