"""Comparisons: the parts put together, and what they say of facilities made to stand out."""

import numpy as np
import pytest

from app.benchmarks.statistics.comparisons import (
    Comparison,
    compare_means,
    compare_proportions,
    compare_ratios,
)
from app.benchmarks.statistics.funnels import REVIEW, proportion_limits
from tests.benchmarks.statistics.published import (
    LIP_EXPECTED,
    LIP_OBSERVED,
    SURGICAL_CASES,
    SURGICAL_DEATHS,
)


def sizes(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(100, 3_000, 400)


def even(seed: int, method: str) -> Comparison:
    """Four hundred facilities alike but for chance, the first two made to stand out, the third empty."""
    chance, n = np.random.default_rng(seed), sizes(seed)
    n[:3] = (900, 900, 0)
    found: Comparison | None
    if method == "proportions":
        x = chance.binomial(n, 0.2)
        x[:2] = (300, 90)
        found = compare_proportions(x, n)
    elif method == "ratios":
        o = chance.poisson(n * 0.2)
        o[:2] = (300, 90)
        found = compare_ratios(o, n * 0.2)
    else:
        doses = [chance.lognormal(1, 0.5, size) for size in n]
        doses[0], doses[1] = doses[0] * 1.3, doses[1] / 1.3
        found = compare_means(
            n,
            [one.mean() if len(one) else np.nan for one in doses],
            [one.var(ddof=1) if len(one) else np.nan for one in doses],
        )
    assert found is not None
    return found


@pytest.mark.parametrize("method", ["proportions", "ratios", "means"])
def test_who_was_made_to_stand_out_is_to_be_reviewed_and_hardly_anybody_else(method: str) -> None:
    found = even(71, method)
    assert found.flags[:3].tolist() == [2, -2, 0]
    assert (np.abs(found.flags[3:]) == 2).sum() <= 1
    assert (found.flags[3:] != 0).mean() < 0.09
    for values in (found.rates, found.watch.low, found.review.high, found.shrunk):
        assert np.isnan(values[2])
        assert np.isfinite(np.delete(values, 2)).all()
    # The flag and the picture agree.
    outside = (found.rates > found.watch.high) | (found.rates < found.watch.low)
    assert ((found.flags != 0) == outside).all()
    told = np.delete(np.arange(400), 2)
    assert (found.review.low[told] <= found.watch.low[told]).all()
    assert (found.review.high[told] >= found.watch.high[told]).all()


@pytest.mark.parametrize("method", ["proportions", "ratios", "means"])
def test_shrunk_rates_lie_between_the_own_and_the_middle_and_within_their_intervals(
    method: str,
) -> None:
    found = even(72, method)
    told = np.delete(np.arange(400), 2)
    own, shrunk = found.rates[told], found.shrunk[told]
    limits = found.shrunk_intervals
    assert ((limits.low[told] <= shrunk) & (shrunk <= limits.high[told])).all()
    reliable = found.reliabilities[told]
    assert ((reliable >= 0) & (reliable < 1)).all()
    assert np.corrcoef(np.abs(own - shrunk), reliable)[0, 1] < 0 or not reliable.any()
    assert np.abs(shrunk - found.target).mean() <= np.abs(own - found.target).mean()


def test_the_twelve_hospitals_and_scottish_districts_compared() -> None:
    surgical = compare_proportions(SURGICAL_DEATHS, SURGICAL_CASES)
    assert surgical is not None
    assert surgical.target == pytest.approx(208 / 2814)
    assert surgical.shrunk[:4].round(4).tolist() == [0.0533, 0.1026, 0.0716, 0.0591]
    assert surgical.scatter.present
    # Hospital 8 (31 deaths of 215) is beyond 99.8 % by chance alone; but facilities scatter.
    alone = proportion_limits(surgical.target, SURGICAL_CASES, REVIEW)
    assert (surgical.rates > alone.high).tolist() == [False] * 7 + [True] + [False] * 4
    assert surgical.flags.tolist() == [0] * 7 + [1] + [0] * 4
    lips = compare_ratios(LIP_OBSERVED, LIP_EXPECTED)
    assert lips is not None
    assert lips.target == pytest.approx(LIP_OBSERVED.sum() / LIP_EXPECTED.sum())
    assert lips.scatter.phi > 2


def test_what_is_expected_may_be_in_any_unit() -> None:
    chance = np.random.default_rng(73)
    expected = chance.uniform(5, 60, 50)
    observed = chance.poisson(expected)
    plain, halved = compare_ratios(observed, expected), compare_ratios(observed, expected / 2)
    assert plain is not None
    assert halved is not None
    assert halved.target == pytest.approx(2 * plain.target)
    assert halved.watch.high == pytest.approx(2 * plain.watch.high)
    assert halved.review.low == pytest.approx(2 * plain.review.low)
    assert halved.shrunk == pytest.approx(2 * plain.shrunk, rel=1e-5)
    assert halved.flags.tolist() == plain.flags.tolist()


def test_where_nothing_can_set_facilities_apart_there_is_no_comparison() -> None:
    assert compare_proportions([0, 0], [5, 9]) is None
    assert compare_proportions([3, 0], [9, 0]) is None
    assert compare_ratios([0, 0], [1.0, 2.0]) is None
    assert compare_means([9], [3.0], [1.0]) is None
    assert compare_means([1, 1], [3.0, 4.0], [np.nan, np.nan]) is None
    assert compare_means([5, 5], [3.0, 4.0], [0.0, 0.0]) is None
