"""Ranks among peers, against their definition worked out value by value."""

import random
from fractions import Fraction

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.benchmarks.spread import rank, rounded, step_of
from app.benchmarks.statistics.quantiles import quantile
from app.benchmarks.statistics.rounding import half_up
from tests.benchmarks.one_group import in_order, quantiles, rank_bounds

QUARTILES = (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))


def mid_rank(value: Fraction, values: list[Fraction]) -> Fraction:
    """The share of values below, and half the share of equal ones."""
    below = sum(one < value for one in values)
    tied = sum(one == value for one in values)
    return Fraction(2 * below + tied, 2 * len(values))


def naive_quartile(value: Fraction, values: list[Fraction]) -> int:
    middle = mid_rank(value, values)
    return 1 + sum(middle >= Fraction(quarter, 4) for quarter in (1, 2, 3))


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(5, 130), st.integers(1, 300))
@example(seed=1500, size=61, most=1)
def test_each_facility_ranks_by_the_mid_rank_of_its_rate_as_told(
    seed: int, size: int, most: int
) -> None:
    chance = random.Random(seed)
    sizes = [chance.randint(1, most) for _ in range(size)]
    counts = [(chance.randint(0, one), one) for one in sizes]
    numerators, denominators = (np.array(column, np.int64) for column in zip(*counts, strict=True))
    told = rounded(numerators, denominators, 3)
    exact = [Fraction(*one) for one in counts]
    assert told.tolist() == [int(half_up(one, 3) * 1000) for one in exact]
    bounds = rank_bounds(np.sort(told)).tolist()
    values = [Fraction(int(one)) for one in told]
    step = step_of(size)
    for value in values:
        found = rank(int(value), bounds)
        assert found.quartile == naive_quartile(value, values)
        if size >= 20:
            assert found.percentile == mid_rank(value, values) * 100 // step * step
        else:
            assert found.percentile is None
    order = in_order(numerators, denominators)
    assert quantiles(numerators[order], denominators[order], QUARTILES, 3) == [
        int(half_up(quantile(sorted(exact), share), 3) * 1000) for share in QUARTILES
    ]
