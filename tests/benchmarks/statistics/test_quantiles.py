"""Quantiles, ranks and rounding: exact, against numpy and plain definitions."""

import random
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.benchmarks.statistics.quantiles import (
    histogram_quantile,
    quantile,
    rank_quartile,
    spread,
)
from app.benchmarks.statistics.rounding import half_up

QUARTILES = (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))


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
