"""Each statistic against a published table or an independent library."""

import random
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from app.benchmarks.statistics import (
    exact_poisson,
    half_up,
    histogram_quantile,
    mean_interval,
    quantile,
    rank_quartile,
    spread,
    student_quantile,
    wilson,
)

QUARTILES = (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))


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


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy_and_holds_the_rate(counts: tuple[int, int]) -> None:
    found = wilson(*counts)
    theirs = stats.binomtest(*counts).proportion_ci(method="wilson")
    assert found.low == pytest.approx(theirs.low, abs=1e-12)
    assert found.high == pytest.approx(theirs.high, abs=1e-12)
    assert 0 <= found.low <= counts[0] / counts[1] <= found.high <= 1


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


@given(st.integers(1, 20_000), st.sampled_from([0.8, 0.95, 0.998]))
def test_poisson_limits_agree_with_the_chi_square_of_scipy(count: int, level: float) -> None:
    tail = (1 - level) / 2
    found = exact_poisson(count, level)
    assert found.low == pytest.approx(stats.chi2.ppf(tail, 2 * count) / 2, rel=1e-9)
    assert found.high == pytest.approx(stats.chi2.ppf(1 - tail, 2 * count + 2) / 2, rel=1e-9)


@pytest.mark.parametrize(
    ("freedom", "value"),
    [(1, 12.706), (2, 4.303), (5, 2.571), (9, 2.262), (30, 2.042), (120, 1.980)],
)
def test_students_quantile_is_that_of_the_printed_table(freedom: int, value: float) -> None:
    assert round(student_quantile(0.975, freedom), 3) == value


@settings(max_examples=40)
@given(st.integers(1, 20_000_000))
def test_students_quantile_agrees_with_scipy(freedom: int) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-6)


@given(st.lists(st.decimals(0, 1000, places=2), min_size=2, max_size=40))
def test_the_interval_of_a_mean_agrees_with_scipy(values: list[Decimal]) -> None:
    exact = [Fraction(value) for value in values]
    found = mean_interval(
        len(exact), sum(exact, Fraction(0)), sum((x * x for x in exact), Fraction(0))
    )
    assert found is not None
    spread_out = float(np.std([float(x) for x in exact], ddof=1)) if len(set(exact)) > 1 else 0.0
    half = stats.t.ppf(0.975, len(exact) - 1) * spread_out / len(exact) ** 0.5
    mean = float(sum(exact, Fraction(0)) / len(exact))
    assert found.low == pytest.approx(mean - half, abs=1e-6)
    assert found.high == pytest.approx(mean + half, abs=1e-6)


def test_one_observation_has_no_interval() -> None:
    assert mean_interval(1, Fraction(3), Fraction(9)) is None


@settings(max_examples=50)
@given(st.lists(st.fractions(0, 1, max_denominator=500), min_size=1, max_size=30))
def test_quantiles_are_numpys_default_but_exact(values: list[Fraction]) -> None:
    ordered = sorted(values)
    for share in (*QUARTILES, Fraction(1, 10), Fraction(9, 10)):
        theirs = np.quantile([float(value) for value in ordered], float(share))
        assert float(quantile(ordered, share)) == pytest.approx(theirs, abs=1e-12)


def naive_quartile(value: Fraction, values: list[Fraction]) -> int:
    below = sum(one < value for one in values)
    tied = sum(one == value for one in values)
    middle = Fraction(2 * below + tied, 2 * len(values))
    return 1 + sum(middle >= Fraction(quarter, 4) for quarter in (1, 2, 3))


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(5, 80), st.integers(1, 300))
@example(seed=1500, size=61, most=1)
def test_each_facility_ranks_by_the_mid_rank_of_its_rate(seed: int, size: int, most: int) -> None:
    chance = random.Random(seed)
    sizes = [chance.randint(1, most) for _ in range(size)]
    counts = [(chance.randint(0, one), one) for one in sizes]
    numerators, denominators = (np.array(column, np.int64) for column in zip(*counts, strict=True))
    found = spread(numerators, denominators, QUARTILES)
    values = [Fraction(*one) for one in counts]
    bounds = [half_up(one, 12) for one in found.rank_bounds]
    for value in values:
        assert rank_quartile(half_up(value, 12), bounds) == naive_quartile(value, values)
    assert list(found.quantiles) == [quantile(sorted(values), share) for share in QUARTILES]


@given(st.lists(st.decimals(0, 10, places=1), min_size=1, max_size=200))
def test_a_histograms_quantile_lies_in_the_bin_of_the_true_one(values: list[Decimal]) -> None:
    edges = [Decimal(one) for one in (1, 2, 4, 8)]
    bins = [0] * 5
    for value in values:
        bins[sum(value >= edge for edge in edges)] += 1
    found = histogram_quantile(edges, bins, Fraction(1, 2))
    assert found is not None
    true = sorted(values)[(len(values) - 1) // 2]  # the lower median: the first that holds half
    place = sum(true >= edge for edge in edges)
    low = edges[place - 1] if place else edges[0]
    high = edges[place] if place < len(edges) else edges[-1]
    assert low <= found <= high


def test_a_histogram_of_nothing_has_no_quantile() -> None:
    assert histogram_quantile([Decimal(1)], [0, 0], Fraction(1, 2)) is None


@pytest.mark.parametrize(
    ("value", "digits", "rounded"),
    [
        ("0.5", 0, "1"),
        ("2.345", 2, "2.35"),
        ("-2.345", 2, "-2.35"),
        ("0.00049", 3, "0.000"),
        ("7", 2, "7.00"),
    ],
)
def test_halves_are_rounded_away_from_zero(value: str, digits: int, rounded: str) -> None:
    assert str(half_up(Fraction(value), digits)) == rounded
