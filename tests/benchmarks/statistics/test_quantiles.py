"""Quantiles and rounding: exact, against numpy and plain definitions."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.benchmarks.statistics.quantiles import (
    histogram_quantile,
    quantile,
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
