"""Intervals of proportions, counts, means and their changes: published values, and sums of their own."""

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from app.benchmarks.statistics.counts import (
    exact_poisson,
    exact_poisson_intervals,
    rate_ratio,
    rate_ratio_intervals,
)
from app.benchmarks.statistics.intervals import critical
from app.benchmarks.statistics.means import Sums, mean_interval, student_quantile, welch
from app.benchmarks.statistics.proportions import (
    clopper_pearson,
    clopper_pearson_intervals,
    newcombe,
    newcombe_intervals,
    wilson,
    wilson_intervals,
)
from tests.oracles import distributions

LEVELS = (0.8, 0.95, 0.998)
counted = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


# A proportion


@pytest.mark.parametrize(
    ("numerator", "denominator", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_method_3_of_newcombe_1998(
    numerator: int, denominator: int, low: float, high: float
) -> None:
    found = wilson(numerator, denominator)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@settings(max_examples=50)
@given(counted)
def test_wilson_agrees_with_scipy_and_holds_the_rate(counts: tuple[int, int]) -> None:
    found = wilson(*counts)
    theirs = stats.binomtest(*counts).proportion_ci(method="wilson")
    assert found.low == pytest.approx(theirs.low, abs=1e-12)
    assert found.high == pytest.approx(theirs.high, abs=1e-12)
    assert 0 <= found.low <= counts[0] / counts[1] <= found.high <= 1


@pytest.mark.parametrize(
    ("numerator", "denominator", "low", "high"),
    [
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ],
)
def test_clopper_pearson_is_method_5_of_newcombe_1998(
    numerator: int, denominator: int, low: float, high: float
) -> None:
    found = clopper_pearson(numerator, denominator)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@settings(max_examples=40)
@given(counted, st.sampled_from(LEVELS))
def test_at_the_exact_limits_each_tail_holds_half_of_what_is_left(
    counts: tuple[int, int], level: float
) -> None:
    x, n = counts
    found = clopper_pearson(x, n, level)
    tail = (1 - level) / 2
    if x > 0:
        assert distributions.incomplete_beta(x, n - x + 1, found.low) == pytest.approx(tail)
    if x < n:
        above = 1 - distributions.incomplete_beta(x + 1, n - x, found.high)
        assert above == pytest.approx(tail, rel=1e-6)
    assert (found.low == 0) == (x == 0)
    assert (found.high == 1) == (x == n)


@pytest.mark.parametrize("size", [5, 20, 80])
def test_coverage_is_at_least_nominal_for_the_exact_interval_and_about_nominal_for_wilsons(
    size: int,
) -> None:
    counts = np.arange(size + 1)
    shares = np.linspace(0.02, 0.98, 97)
    chance = np.array([distributions.binomial_terms(size, share) for share in shares])
    coverage = {}
    for name, found in (
        ("exact", clopper_pearson_intervals(counts, size)),
        ("wilson", wilson_intervals(counts, size)),
    ):
        inside = (found.low <= shares[:, None]) & (shares[:, None] <= found.high)
        coverage[name] = (chance * inside).sum(axis=1)
    assert coverage["exact"].min() >= 0.95
    assert coverage["wilson"].mean() == pytest.approx(0.953, abs=0.008)
    assert coverage["wilson"].min() > 0.83


# The difference of two proportions


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_a_change_is_method_10_of_newcombe_1998_on_differences(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    found = newcombe(*counts)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@settings(max_examples=50)
@given(counted, counted)
def test_a_change_turned_round_is_its_mirror_and_holds_the_difference(
    now: tuple[int, int], earlier: tuple[int, int]
) -> None:
    found, back = newcombe(*now, *earlier), newcombe(*earlier, *now)
    assert found.low == pytest.approx(-back.high, abs=1e-12)
    assert -1 <= found.low <= now[0] / now[1] - earlier[0] / earlier[1] <= found.high <= 1
    complement = newcombe(now[1] - now[0], now[1], earlier[1] - earlier[0], earlier[1])
    assert found.low == pytest.approx(-complement.high, abs=1e-9)


def test_the_interval_of_a_change_covers_the_true_one_as_often_as_it_says() -> None:
    chance = np.random.default_rng(4)
    now, earlier = chance.binomial(60, 0.7, 20_000), chance.binomial(90, 0.55, 20_000)
    found = newcombe_intervals(now, 60, earlier, 90)
    covered = ((found.low <= 0.15) & (found.high >= 0.15)).mean()
    assert covered == pytest.approx(0.953, abs=0.01)


# Counts and rates


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [
        (0, 0.0, 3.6889),
        (1, 0.0253, 5.5716),
        (5, 1.6235, 11.6683),
        (10, 4.7954, 18.3904),
        (100, 81.3640, 121.6268),
    ],
)
def test_poisson_limits_are_garwoods(count: int, low: float, high: float) -> None:
    found = exact_poisson(count)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@settings(max_examples=50)
@given(st.integers(0, 20_000), st.sampled_from(LEVELS))
def test_at_garwoods_limits_each_tail_holds_half_of_what_is_left(count: int, level: float) -> None:
    tail = (1 - level) / 2
    found = exact_poisson(count, level)
    assert distributions.poisson_at_most(count, found.high) == pytest.approx(tail, rel=1e-7)
    if count:
        assert distributions.poisson_at_least(count, found.low) == pytest.approx(tail, rel=1e-7)
    assert (found.low == 0) == (count == 0)


def test_the_ratio_of_rates_is_that_of_rs_poisson_test() -> None:
    # The example on the help page of poisson.test: 11 in 800, 6 + 8 + 7 in 1083 + 1050 + 878.
    found = rate_ratio(11, 800, 21, 3011)
    assert (round(found.low, 7), round(found.high, 7)) == (0.8584264, 4.2772659)


@settings(max_examples=50)
@given(st.integers(0, 400), st.integers(0, 400), st.floats(0.1, 1e4), st.floats(0.1, 1e4))
def test_a_ratio_of_rates_turned_round_is_its_inverse_and_holds_the_ratio(
    count: int, earlier: int, exposure: float, earlier_exposure: float
) -> None:
    if count + earlier == 0:
        with pytest.raises(ValueError, match="at least one event"):
            rate_ratio(count, exposure, earlier, earlier_exposure)
        return
    found = rate_ratio(count, exposure, earlier, earlier_exposure)
    back = rate_ratio(earlier, earlier_exposure, count, exposure)
    assert found.low == pytest.approx(1 / back.high if back.high < inf else 0.0, rel=1e-9)
    assert (found.high == inf) == (earlier == 0)
    if earlier:
        assert found.low <= count / exposure / (earlier / earlier_exposure) <= found.high


# Means


@pytest.mark.parametrize(
    ("freedom", "value"),
    [(1, 12.706), (2, 4.303), (5, 2.571), (9, 2.262), (30, 2.042), (120, 1.980)],
)
def test_students_quantile_is_that_of_the_printed_table(freedom: int, value: float) -> None:
    assert round(student_quantile(0.975, freedom), 3) == value


@settings(max_examples=30)
@given(st.integers(1, 200_000), st.sampled_from([0.6, 0.975, 0.9999]))
def test_students_quantile_agrees_with_a_continued_fraction(freedom: int, share: float) -> None:
    theirs = distributions.student_quantile(share, freedom)
    assert student_quantile(share, freedom) == pytest.approx(theirs, rel=1e-8)


values_of = st.lists(st.decimals(0, 1000, places=2), min_size=2, max_size=40)


def sums(values: list[Decimal]) -> Sums:
    exact = [Fraction(value) for value in values]
    return Sums(len(exact), sum(exact, Fraction(0)), sum((x * x for x in exact), Fraction(0)))


@settings(max_examples=40)
@given(values_of)
def test_the_interval_of_a_mean_agrees_with_scipy(values: list[Decimal]) -> None:
    found = mean_interval(*sums(values))
    assert found is not None
    numbers = [float(x) for x in values]
    spread_out = float(np.std(numbers, ddof=1)) if len(set(values)) > 1 else 0.0
    half = stats.t.ppf(0.975, len(values) - 1) * spread_out / len(values) ** 0.5
    assert found.low == pytest.approx(np.mean(numbers) - half, abs=1e-6)
    assert found.high == pytest.approx(np.mean(numbers) + half, abs=1e-6)


def test_a_change_of_means_is_welchs_interval_on_students_sleep() -> None:
    # Student (1908), as R's help page of t.test has it: t.test(extra ~ group, data = sleep).
    first = [
        Decimal(x)
        for x in ["0.7", "-1.6", "-0.2", "-1.2", "-0.1", "3.4", "3.7", "0.8", "0.0", "2.0"]
    ]
    second = [
        Decimal(x) for x in ["1.9", "0.8", "1.1", "0.1", "-0.1", "4.4", "5.5", "1.6", "4.6", "3.4"]
    ]
    found = welch(sums(first), sums(second))
    assert found is not None
    assert (round(found.low, 7), round(found.high, 7)) == (-3.3654832, 0.2054832)


@settings(max_examples=40)
@given(values_of, values_of)
def test_the_interval_of_a_change_of_means_agrees_with_scipys_welch_test(
    now: list[Decimal], earlier: list[Decimal]
) -> None:
    found = welch(sums(now), sums(earlier))
    assert found is not None
    if len(set(now)) == 1 or len(set(earlier)) == 1:  # scipy warns of these, and is not asked
        assert found.low <= float(sums(now).mean - sums(earlier).mean) <= found.high
        return
    a, b = [float(x) for x in now], [float(x) for x in earlier]
    theirs = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert found.low == pytest.approx(theirs.low, abs=1e-6)
    assert found.high == pytest.approx(theirs.high, abs=1e-6)


def test_one_observation_has_no_interval() -> None:
    alone, pair = Sums(1, Fraction(3), Fraction(9)), Sums(2, Fraction(3), Fraction(5))
    assert mean_interval(*alone) is None
    assert welch(alone, pair) is None
    assert welch(pair, alone) is None


# All of them


def test_a_higher_level_is_a_wider_interval() -> None:
    ladders = [
        [wilson(7, 30, level) for level in LEVELS],
        [clopper_pearson(7, 30, level) for level in LEVELS],
        [newcombe(7, 30, 9, 20, level) for level in LEVELS],
        [exact_poisson(7, level) for level in LEVELS],
        [rate_ratio(7, 30, 9, 20, level) for level in LEVELS],
        [
            welch(Sums(3, Fraction(6), Fraction(14)), Sums(2, Fraction(3), Fraction(5)), one)
            for one in LEVELS
        ],
    ]
    for ladder in ladders:
        for narrow, wide in pairwise(ladder):
            assert narrow is not None
            assert wide is not None
            assert wide.low < narrow.low
            assert wide.high > narrow.high


def test_arrays_give_what_each_of_their_values_gives_and_nan_where_there_is_nothing() -> None:
    x, n = np.array([0, 3, 8, 0]), np.array([5, 9, 8, 0])
    y, m = np.array([1, 0, 2, 2]), np.array([4, 7, 2, 6])
    for found, each in (
        (wilson_intervals(x, n), lambda k: wilson(x[k], n[k])),
        (clopper_pearson_intervals(x, n), lambda k: clopper_pearson(x[k], n[k])),
        (newcombe_intervals(x, n, y, m), lambda k: newcombe(x[k], n[k], y[k], m[k])),
        (rate_ratio_intervals(x, n, y, m), lambda k: rate_ratio(x[k], n[k], y[k], m[k])),
    ):
        for place in range(3):
            assert (found.low[place], found.high[place]) == each(place)
        assert isnan(found.low[3])
        assert isnan(found.high[3])
    assert exact_poisson_intervals(x).high[2] == exact_poisson(8).high


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, nan])
def test_a_level_lies_between_0_and_1(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        critical(level)
    with pytest.raises(ValueError, match="level"):
        exact_poisson(3, level)


def test_impossible_counts_are_refused() -> None:
    for numerator, denominator in ((4, 3), (-1, 3), (0, 0)):
        with pytest.raises(ValueError, match="proportion needs"):
            wilson(numerator, denominator)
        with pytest.raises(ValueError, match="proportion needs"):
            newcombe(1, 2, numerator, denominator)
    with pytest.raises(ValueError, match="not negative"):
        exact_poisson(-1)
    with pytest.raises(ValueError, match="two exposures"):
        rate_ratio(1, 0, 1, 5)
