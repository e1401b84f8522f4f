"""Rates, deciles and points: CMS's formulas, by worked examples and beside a slow second reading."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.registries.qpp.published import Benchmark, Published, published, years
from app.reports.qpp import formulas
from app.reports.qpp.scoring import achieved, score


def official(measure: str, year: int = 2026) -> Published:
    found = published(year).measure(measure)
    assert found is not None
    return found


def benchmark(measure: str, year: int = 2026) -> Benchmark:
    found = published(year).benchmark(measure)
    assert found is not None
    return found


def single(met: int, not_met: int, **more: int) -> dict[str, Any]:
    whole = met + not_met + sum(more.values())
    return {
        "performanceMet": met,
        "performanceNotMet": not_met,
        "eligiblePopulation": whole,
        **more,
    }


EXAMPLE_102 = {
    "isEndToEndReported": True,
    "performanceMet": 305,
    "performanceNotMet": 255,
    "eligiblePopulation": 562,
    "eligiblePopulationExclusion": 0,
    "eligiblePopulationException": 2,
}
EXAMPLE_ACRAD15 = {
    "isEndToEndReported": False,
    "numerator": 3,
    "denominator": 1000,
    "denominatorException": 30,
    "numeratorExclusion": 0,
    "observationInstances": 80,
}
"""Both from CMS's example of a quality submission."""


def test_cmss_example_of_a_single_rate() -> None:
    measure = official("364")
    assert formulas.performance_rate(measure, EXAMPLE_102) == Fraction(305, 560) * 100
    assert formulas.reporting_rate(measure, EXAMPLE_102) == 100
    assert formulas.case_count(measure, EXAMPLE_102) == 562


def test_cmss_example_of_a_mean_is_incomplete() -> None:
    measure = official("ACRAD15", 2025)
    assert formulas.performance_rate(measure, EXAMPLE_ACRAD15) == 3
    assert formulas.reporting_rate(measure, EXAMPLE_ACRAD15) == 11
    found = score(measure, benchmark("ACRAD15", 2025), EXAMPLE_ACRAD15)
    assert (found.unscored, found.decile, found.points) == ("incomplete-data", None, None)
    assert (found.case_count, found.enough_cases, found.complete) == (1000, True, False)


STRATA = [
    {"stratum": "abdomen", **single(47, 13)},
    {"stratum": "chest", **single(121, 26)},
    {"stratum": "head", **single(0, 0)},
]


def test_strata_are_averaged_by_weight_or_one_by_one_as_the_measure_says() -> None:
    weighted = official("ACRAD34")
    value = {"strata": STRATA}
    assert formulas.performance_rate(weighted, value) == Fraction(168, 207) * 100
    assert formulas.case_count(weighted, value) == 207
    simple = weighted.model_copy(update={"overall_algorithm": "simpleAverage"})
    assert formulas.performance_rate(simple, value) is None
    two = {"strata": STRATA[:2]}
    assert formulas.performance_rate(simple, two) == (Fraction(47, 60) + Fraction(121, 147)) * 50
    assert formulas.case_count(simple, two) == 147
    overall = weighted.model_copy(update={"overall_algorithm": "overallStratumOnly"})
    with_all = {"strata": [*STRATA, {"stratum": "overall", **single(9, 1)}]}
    assert formulas.performance_rate(overall, with_all) == 90
    assert formulas.case_count(overall, with_all) == 10
    assert formulas.performance_rate(weighted, with_all) == Fraction(168, 207) * 100
    summed = weighted.model_copy(update={"overall_algorithm": "sumNumerators"})
    assert formulas.performance_rate(summed, value) == 168


def test_cases_of_a_qcdr_measure_are_counted_without_its_exclusions() -> None:
    value = single(30, 10, eligiblePopulationExclusion=5, eligiblePopulationException=2)
    assert formulas.case_count(official("QMM23"), value) == 42


@pytest.mark.parametrize(
    ("measure", "rate", "decile", "points"),
    [
        # ACRAD34 of 2026: 37.32 | 70.38 81.70 82.07 86.90 89.71 91.23 94.32 96.00 96.61 | 99.93
        ("ACRAD34", "0", 1, "1.0"),
        ("ACRAD34", "37.31", 1, "1.0"),
        ("ACRAD34", "53.85", 1, "1.5"),
        ("ACRAD34", "70.37", 1, "1.9"),
        ("ACRAD34", "70.38", 2, "2.0"),
        ("ACRAD34", "81.69", 2, "2.9"),
        ("ACRAD34", "89.71", 6, "6.0"),
        ("ACRAD34", "90.47", 6, "6.5"),
        ("ACRAD34", "96.60", 9, "9.9"),
        ("ACRAD34", "96.61", 10, "10.0"),
        ("ACRAD34", "100", 10, "10.0"),
        # QMM27: 8.70 | 13.79 28.24 69.29 100 ... : deciles 5 to 9 are empty
        ("QMM27", "99.99", 4, "4.9"),
        ("QMM27", "100", 10, "10.0"),
        # 406, inverse and flat: 0 | 0 1 2 4 6 8 10 12 14 | 16
        ("406", "0", 10, "10.0"),
        ("406", "0.5", 9, "9.5"),
        ("406", "1", 9, "9.0"),
        ("406", "5", 6, "6.5"),
        ("406", "14", 2, "2.0"),
        ("406", "15", 1, "1.5"),
        ("406", "16", 1, "1.0"),
        ("406", "100", 1, "1.0"),
    ],
)
def test_points_rise_in_tenths_within_a_decile(
    measure: str, rate: str, decile: int, points: str
) -> None:
    inverse = official(measure).is_inverse
    found = achieved(Decimal(rate), benchmark(measure), inverse=inverse)
    assert found == (decile, Decimal(points))


BENCHMARKS = [(year, one) for year in years() for one in published(year).benchmarks]


def slowly(rate: Fraction, percentiles: tuple[float, ...], inverse: bool) -> float:
    """Points by going through the deciles one by one, from the best."""
    bounds = [Fraction(str(one)) for one in percentiles]
    for decile in range(10, 0, -1):
        if inverse:  # as good as the percentile 10 (11 - decile), or the 99th
            begin = bounds[11 - decile] if decile > 1 else bounds[10]
            reached, end = rate <= begin, bounds[10 - decile]
        else:
            begin, end = bounds[decile - 1], bounds[decile]
            reached = rate >= begin
        if reached:
            if decile == 10:
                return 10.0
            share = abs(rate - begin) / abs(end - begin)
            return decile + min(int(share * 10 + Fraction(1, 2)), 9) / 10
    return 1.0


@settings(max_examples=60)
@given(
    one=st.sampled_from(BENCHMARKS),
    rate=st.decimals(0, 100, places=2, allow_nan=False)
    | st.sampled_from([Decimal(0), Decimal(100)]),
)
def test_points_are_those_of_a_walk_through_the_deciles(
    one: tuple[int, Benchmark], rate: Decimal
) -> None:
    year, spread = one
    inverse = official(spread.measure_id, year).is_inverse
    decile, points = achieved(rate, spread, inverse=inverse)
    assert float(points) == slowly(Fraction(rate), spread.percentiles, inverse)
    assert decile == int(points)


@settings(max_examples=60)
@given(
    one=st.sampled_from(BENCHMARKS),
    rates=st.tuples(*[st.decimals(0, 100, places=2, allow_nan=False)] * 2),
)
def test_a_better_rate_never_has_fewer_points(
    one: tuple[int, Benchmark], rates: tuple[Decimal, Decimal]
) -> None:
    year, spread = one
    inverse = official(spread.measure_id, year).is_inverse
    worse, better = sorted(rates, reverse=inverse)
    assert (
        achieved(worse, spread, inverse=inverse)[1] <= achieved(better, spread, inverse=inverse)[1]
    )


def test_what_is_topped_out_for_years_has_seven_points_at_most() -> None:
    found = score(official("145"), benchmark("145"), single(60, 0))
    assert (found.decile, found.points, found.capped) == (10, Decimal(7), True)
    low = score(official("145"), benchmark("145"), single(50, 50))
    assert (low.decile, low.capped) == (1, False)
    relieved = score(official("364"), benchmark("364"), single(60, 0))
    assert (relieved.points, relieved.capped) == (Decimal(10), False)


def test_nineteen_cases_are_too_few_and_twenty_enough() -> None:
    few, enough = (score(official("364"), benchmark("364"), single(n, 0)) for n in (19, 20))
    assert (few.unscored, few.points, few.enough_cases) == ("too-few-cases", None, False)
    assert (enough.unscored, enough.points) == (None, Decimal(10))


def test_three_quarters_reported_are_complete_and_less_is_not() -> None:
    measure = official("364")
    complete = {**single(60, 15), "eligiblePopulation": 100}
    short = {**single(60, 14), "eligiblePopulation": 100}
    assert score(measure, benchmark("364"), complete).unscored is None
    found = score(measure, benchmark("364"), short)
    assert (found.unscored, found.reporting_rate) == ("incomplete-data", Decimal("74.00"))


def test_without_a_benchmark_there_is_no_decile() -> None:
    found = score(official("364", 2027), published(2027).benchmark("364"), single(60, 0))
    assert (found.unscored, found.decile, found.performance_rate) == (
        "no-benchmark",
        None,
        Decimal(100),
    )
