"""Ranks among peers, against their definition worked out value by value."""

import random
from fractions import Fraction

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.benchmarks.spread import packed, rank, rounded, step_of, unpacked
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


@given(st.lists(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=3, max_size=3), max_size=4))
@example([[0, -1, 2**31 - 1]])
@example([[0, 1, 2**31]])
def test_bounds_are_kept_as_they_are(rows: list[list[int]]) -> None:
    kept = packed(np.array(rows, np.int64).reshape(len(rows), 3))
    assert [unpacked(one) for one in kept] == rows
    small = all(abs(bound) < 2**31 for row in rows for bound in row)
    assert {len(one) for one in kept} <= {1 + 3 * (4 if small else 8)}
