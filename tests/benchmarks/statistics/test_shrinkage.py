"""Reliability and shrunk rates, ratios and means: published examples, maxima, limits and simulation."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, special

from app.benchmarks.statistics.beta_binomial import (
    LEAST,
    BetaBinomial,
    beta_binomial,
    beta_binomial_moments,
)
from app.benchmarks.statistics.gamma_poisson import (
    GammaPoisson,
    gamma_poisson,
    gamma_poisson_moments,
)
from app.benchmarks.statistics.normal_normal import (
    Estimates,
    NormalNormal,
    log_means,
    normal_normal,
)
from tests.benchmarks.statistics.published import (
    BCG,
    LIP_EXPECTED,
    LIP_OBSERVED,
    SURGICAL_CASES,
    SURGICAL_DEATHS,
)

seeds = st.integers(0, 2**32)


# Proportions


def test_the_twelve_hospitals_of_the_bugs_surgical_example_are_shrunk_as_published() -> None:
    found = beta_binomial(SURGICAL_DEATHS, SURGICAL_CASES)
    assert found is not None
    assert (round(found.a, 2), round(found.b, 1)) == (8.25, 99.6)
    rates = found.rates(SURGICAL_DEATHS, SURGICAL_CASES).round(4).tolist()
    assert rates[:4] == [0.0533, 0.1026, 0.0716, 0.0591]
    assert rates[4:] == [0.0510, 0.0699, 0.0674, 0.1216, 0.0707, 0.0793, 0.1024, 0.0689]
    by_hand = (SURGICAL_DEATHS + 8.25) / (SURGICAL_CASES + 8.25 + 99.6)
    assert rates == by_hand.round(4).tolist()
    moments = beta_binomial_moments(SURGICAL_DEATHS, SURGICAL_CASES)
    assert moments is not None
    assert (round(moments.a, 2), round(moments.b, 1)) == (6.40, 80.2)


def log_beta_binomial(a: float, b: float, x: np.ndarray, n: np.ndarray) -> float:
    return float((special.betaln(a + x, b + n - x) - special.betaln(a, b)).sum())


@settings(max_examples=25)
@given(seeds, st.integers(3, 40), st.sampled_from([3, 30, 300]), st.floats(0.5, 200))
def test_no_other_beta_distribution_makes_the_counts_more_likely(
    seed: int, number: int, most: int, precision: float
) -> None:
    chance = np.random.default_rng(seed)
    n = chance.integers(1, most + 1, number)
    x = chance.binomial(n, chance.beta(0.2 * precision, 0.8 * precision, number))
    found = beta_binomial(x, n)
    if found is None:
        assert x.sum() in (0, n.sum())
        return
    reached = log_beta_binomial(
        found.mean * min(found.precision, 1e7), (1 - found.mean) * min(found.precision, 1e7), x, n
    )
    theirs = optimize.minimize(
        lambda place: -log_beta_binomial(*np.exp(np.clip(place, -12, 15)), x, n),
        [0.0, 1.0],
        method="Nelder-Mead",
    )
    assert reached >= -theirs.fun - 1e-3  # what the least precision that is told may cost


def test_the_spread_that_was_put_in_is_found_again_by_likelihood_and_by_moments() -> None:
    chance = np.random.default_rng(10)
    n = chance.integers(20, 500, 3_000)
    x = chance.binomial(n, chance.beta(6, 24, len(n)))
    for found in (beta_binomial(x, n), beta_binomial_moments(x, n)):
        assert found is not None
        assert found.mean == pytest.approx(0.2, abs=0.005)
        assert found.precision == pytest.approx(30, rel=0.12)
        assert found.variance == pytest.approx(0.2 * 0.8 / 31, rel=0.12)


def test_intervals_of_shrunk_rates_hold_the_true_ones_as_often_as_they_say() -> None:
    chance = np.random.default_rng(11)
    n = chance.integers(5, 400, 4_000)
    true = chance.beta(6, 24, len(n))
    x = chance.binomial(n, true)
    found = beta_binomial(x, n)
    assert found is not None
    limits = found.intervals(x, n)
    assert ((limits.low <= true) & (true <= limits.high)).mean() == pytest.approx(0.95, abs=0.015)
    # And they are nearer to the truth than what was seen.
    assert np.square(found.rates(x, n) - true).mean() < np.square(x / n - true).mean()


def test_facilities_that_differ_only_by_chance_are_told_the_mean_of_all() -> None:
    n, x = np.array([100, 100, 200]), np.array([10, 11, 20])
    found = beta_binomial(x, n)
    assert found == BetaBinomial(41 / 400, np.inf)
    assert found.reliabilities(n).tolist() == [0, 0, 0]
    assert found.rates(x, n) == pytest.approx([41 / 400] * 3)
    assert found.intervals(x, n).low == pytest.approx([41 / 400] * 3)
    assert beta_binomial_moments(x, n) == found


def test_what_cannot_be_told_is_none() -> None:
    for x, n in (([3], [9]), ([0, 0], [5, 9]), ([5, 9], [5, 9]), ([3, 0], [9, 0]), ([], [])):
        assert beta_binomial(x, n) is None
        assert beta_binomial_moments(x, n) is None
    # One case each tells nothing of differences.
    assert beta_binomial([1, 0, 0], [1, 1, 1]) == BetaBinomial(1 / 3, np.inf)
    assert beta_binomial_moments([1, 0, 0], [1, 1, 1]) == BetaBinomial(1 / 3, np.inf)
    with pytest.raises(ValueError, match="proportion needs"):
        beta_binomial([3, 4], [2, 9])


def test_facilities_that_are_all_or_nothing_are_told_their_own_rates() -> None:
    x, n = np.array([0, 20, 0]), np.array([5, 20, 9])
    found = beta_binomial(x, n)
    assert found == BetaBinomial(1 / 3, LEAST)
    assert found.rates(x, n) == pytest.approx([0, 1, 0], abs=1e-4)
    limits = found.intervals(x, n)
    assert ((limits.low >= 0) & (limits.low <= limits.high) & (limits.high <= 1)).all()


def test_where_the_likelihood_is_too_flat_the_spread_is_that_of_moments() -> None:
    # Six events in three and a half million cases of twenty facilities, by chance a little clumped.
    x = np.array([0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0])
    n = np.array(
        [
            91164,
            6303,
            1741932,
            9211,
            16390,
            5885,
            922670,
            9561,
            145626,
            127738,
            1279,
            24253,
            91979,
            838,
            73,
            150695,
            41782,
            244027,
            352524,
            9424,
        ]
    )
    assert beta_binomial(x, n) == beta_binomial_moments(x, n)


@settings(max_examples=25)
@given(seeds, st.integers(2, 30), st.floats(0, 13), st.floats(0, 3), st.floats(-14, 0))
def test_whatever_the_counts_some_spread_is_told(
    seed: int, number: int, size: float, scatter: float, rate: float
) -> None:
    chance = np.random.default_rng(seed)
    n = np.exp(chance.normal(size, scatter, number)).astype(int) + 1
    x = chance.binomial(n, np.minimum(np.exp(chance.normal(rate, scatter, number)), 1))
    e = n * np.exp(chance.normal(-6, 5, number))  # some groups expect next to nothing
    for found, own, weight in (
        (beta_binomial(x, n), x / n, n),
        (gamma_poisson(x, n * 0.1), x / (n * 0.1), n * 0.1),
        (gamma_poisson(x, e), x / e, e),
    ):
        if found is not None:
            assert ((found.reliabilities(weight) >= 0) & (found.reliabilities(weight) <= 1)).all()
            assert own.min() * (1 - 1e-9) <= found.mean <= own.max() * (1 + 1e-9)


@given(st.floats(0.01, 0.99), st.floats(0.1, 1e4), st.integers(0, 500), st.integers(0, 500))
def test_a_shrunk_rate_lies_between_the_own_and_the_mean_by_its_reliability(
    mean: float, precision: float, x: int, more: int
) -> None:
    spread, n = BetaBinomial(mean, precision), x + more
    rate, reliability = float(spread.rates([x], [n])[0]), float(spread.reliabilities([n])[0])
    own = x / n if n else mean
    assert min(own, mean) - 1e-12 <= rate <= max(own, mean) + 1e-12
    assert rate == pytest.approx((x + spread.a) / (n + spread.a + spread.b))
    # Signal over signal and noise, the noise being the mean of p (1 - p) over the beta distribution.
    if n:
        noise = mean * (1 - mean) * precision / (precision + 1) / n
        assert reliability == pytest.approx(spread.variance / (spread.variance + noise))
    limits = spread.intervals([x], [n])
    assert 0 <= limits.low[0] <= limits.high[0] <= 1


def test_more_cases_are_more_reliable() -> None:
    ladder = BetaBinomial(0.1, 50).reliabilities([0, 1, 50, 1_000, 10**9])
    assert all(less < more for less, more in pairwise(ladder))
    assert ladder[2] == 0.5


# Ratios


def log_negative_binomial(mean: float, shape: float, o: np.ndarray, e: np.ndarray) -> float:
    m = mean * e
    return float(
        (
            special.gammaln(shape + o)
            - special.gammaln(shape)
            + o * np.log(m)
            + shape * np.log(shape)
            - (shape + o) * np.log(shape + m)
        ).sum()
    )


@settings(max_examples=25)
@given(seeds, st.integers(3, 40), st.floats(0.3, 30), st.floats(0.5, 200))
def test_no_other_gamma_distribution_makes_the_counts_more_likely(
    seed: int, number: int, size: float, shape: float
) -> None:
    chance = np.random.default_rng(seed)
    e = size * np.exp(chance.normal(0, 0.7, number))
    o = chance.poisson(e * chance.gamma(shape, 1 / shape, number))
    found = gamma_poisson(o, e)
    if found is None:
        assert o.sum() == 0
        return
    reached = log_negative_binomial(found.mean, min(found.shape, 1e7), o, e)
    theirs = optimize.minimize(
        lambda place: -log_negative_binomial(*np.exp(np.clip(place, -12, 15)), o, e),
        [0.0, 1.0],
        method="Nelder-Mead",
    )
    assert reached >= -theirs.fun - 1e-3  # what the least precision that is told may cost


def test_a_likelihood_that_falls_as_soon_as_facilities_may_differ_can_rise_higher_further_on() -> (
    None
):
    x, n = np.array([41, 7, 1, 1]), np.array([227, 11, 18, 11])
    rates = beta_binomial(x, n)
    assert rates is not None
    assert rates.precision == pytest.approx(5.55, abs=0.01)
    pooled = x.sum() / n.sum()
    alike = float((x * np.log(pooled) + (n - x) * np.log(1 - pooled)).sum())
    assert log_beta_binomial(rates.a, rates.b, x, n) > alike + 1.4

    o, e = np.array([5, 25, 70, 1]), np.array([1.408, 15.173, 48.342, 6.418])
    ratios = gamma_poisson(o, e)
    assert ratios is not None
    assert ratios.shape == pytest.approx(4.0, abs=2.5)
    m = e * o.sum() / e.sum()
    alike = float((o * np.log(m) - m).sum())
    assert log_negative_binomial(ratios.mean, ratios.shape, o, e) > alike + 1.3


@settings(max_examples=40)
@given(seeds, st.integers(3, 20), st.floats(0.5, 200), st.booleans())
def test_no_precision_of_many_makes_the_counts_more_likely(
    seed: int, number: int, precision: float, ratios: bool
) -> None:
    chance = np.random.default_rng(seed)
    n = np.floor(np.exp(chance.normal(3, 1.2, number))) + 1
    e = n * 0.2
    x = chance.binomial(n.astype(int), chance.beta(0.2 * precision, 0.8 * precision, number))
    if x.sum() in (0, n.sum()):
        return
    if ratios:
        ratio = gamma_poisson(x, e)
        assert ratio is not None
        reached = log_negative_binomial(ratio.mean, min(ratio.shape, 1e7), x, e)
    else:
        rate = beta_binomial(x, n)
        assert rate is not None
        at = min(rate.precision, 1e7)
        reached = log_beta_binomial(rate.mean * at, (1 - rate.mean) * at, x, n)
    for other in np.geomspace(0.01, 1e5, 40):
        if ratios:  # with much the mean that fits it best
            w = 1 / (other + e * x.sum() / e.sum())
            mean = (w * x).sum() / (w * e).sum()
            found = log_negative_binomial(mean, other, x, e)
        else:
            w = 1 / (other + n)
            mean = (w * x).sum() / (w * n).sum()
            found = log_beta_binomial(mean * other, (1 - mean) * other, x, n)
        assert reached >= found - 1e-3


def test_scottish_lip_cancer_is_shrunk_between_each_district_and_the_nation() -> None:
    found = gamma_poisson(LIP_OBSERVED, LIP_EXPECTED)
    assert found is not None
    assert (round(found.shape, 2), round(found.rate, 2)) == (1.88, 1.32)
    ratios = found.ratios(LIP_OBSERVED, LIP_EXPECTED)
    own = LIP_OBSERVED / LIP_EXPECTED
    assert ((ratios - own) * (found.mean - own) >= 0).all()
    assert ratios == pytest.approx((LIP_OBSERVED + found.shape) / (LIP_EXPECTED + found.rate))
    limits = found.intervals(LIP_OBSERVED, LIP_EXPECTED)
    assert ((limits.low < ratios) & (ratios < limits.high)).all()


def test_intervals_of_shrunk_ratios_hold_the_true_ones_as_often_as_they_say() -> None:
    chance = np.random.default_rng(12)
    e = chance.uniform(0.5, 40, 4_000)
    true = chance.gamma(8, 1.1 / 8, len(e))
    o = chance.poisson(e * true)
    found = gamma_poisson(o, e)
    assert found is not None
    assert (found.mean, found.shape) == pytest.approx((1.1, 8), rel=0.12)
    assert found.variance == pytest.approx(1.1**2 / 8, rel=0.15)
    limits = found.intervals(o, e)
    assert ((limits.low <= true) & (true <= limits.high)).mean() == pytest.approx(0.95, abs=0.015)
    # Its quantiles are those of the density they say.
    mass = integrate.quad(
        lambda ratio: np.exp(
            (o[0] + found.shape - 1) * np.log(ratio)
            - (e[0] + found.rate) * ratio
            + (o[0] + found.shape) * np.log(e[0] + found.rate)
            - special.gammaln(o[0] + found.shape)
        ),
        limits.low[0],
        limits.high[0],
    )[0]
    assert mass == pytest.approx(0.95, abs=1e-6)


def test_ratios_that_differ_only_by_chance_or_cannot_be_told() -> None:
    found = gamma_poisson([10, 11, 19], [10.0, 10.0, 20.0])
    assert found == GammaPoisson(1.0, np.inf)
    assert found.ratios([10, 0], [10.0, 0.0]).tolist() == [1, 1]
    assert found.reliabilities([10.0]).tolist() == [0]
    assert found.intervals([10], [10.0]).high.tolist() == [1]
    for o, e in (([3], [2.0]), ([0, 0], [1.0, 2.0]), ([3, 0], [2.0, 0.0])):
        assert gamma_poisson(o, e) is None
    with pytest.raises(ValueError, match="not negative"):
        gamma_poisson([-1, 2], [1.0, 1.0])


# Means


def bcg() -> Estimates:
    """Log risk ratios of the thirteen trials and their variances."""
    a, b, c, d = BCG.T
    return Estimates(
        np.log(a / (a + b)) - np.log(c / (c + d)), 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    )


def test_the_bcg_trials_vary_as_metafor_says_by_paule_and_mandel() -> None:
    # rma(yi, vi, data = dat.bcg, method = "PM"): tau² 0.3181, estimate -0.7150.
    found = normal_normal(bcg())
    assert found is not None
    assert (round(found.variance, 4), round(found.mean, 4)) == (0.3181, -0.7150)


@settings(max_examples=40)
@given(seeds, st.integers(2, 30), st.sampled_from([0.0, 0.05, 4.0]))
def test_the_weighted_squares_sum_to_their_expectation(
    seed: int, number: int, between: float
) -> None:
    chance = np.random.default_rng(seed)
    s = np.exp(chance.normal(-1, 1.5, number))
    y = chance.normal(2, np.sqrt(s + between))
    found = normal_normal(Estimates(y, s))
    assert found is not None

    def squares(variance: float) -> float:
        w = 1 / (s + variance)
        return float((w * (y - (w * y).sum() / w.sum()) ** 2).sum())

    if found.variance == 0:
        assert squares(0.0) <= number - 1 + 1e-9
    else:
        assert squares(found.variance) == pytest.approx(number - 1, rel=1e-9)
    shrunk = found.values(Estimates(y, s))
    assert (np.abs(shrunk - found.mean) <= np.abs(y - found.mean) + 1e-12).all()


def test_intervals_of_shrunk_means_hold_the_true_ones_as_often_as_they_say() -> None:
    chance = np.random.default_rng(13)
    s = np.exp(chance.normal(-3, 1, 4_000))
    true = chance.normal(1, 0.3, len(s))
    estimates = Estimates(chance.normal(true, np.sqrt(s)), s)
    found = normal_normal(estimates)
    assert found is not None
    assert found.variance == pytest.approx(0.09, rel=0.1)
    limits = found.intervals(estimates)
    assert ((limits.low <= true) & (true <= limits.high)).mean() == pytest.approx(0.95, abs=0.015)
    assert found.reliabilities(s) == pytest.approx(found.variance / (found.variance + s))


def test_means_that_differ_only_by_chance_or_cannot_be_told() -> None:
    assert normal_normal(Estimates(np.array([1.0, 1.1]), np.array([1.0, 1.0]))) == NormalNormal(
        pytest.approx(1.05), 0.0
    )
    assert normal_normal(Estimates(np.array([1.0]), np.array([1.0]))) is None
    with pytest.raises(ValueError, match="above 0"):
        normal_normal(Estimates(np.array([1.0, 2.0]), np.array([1.0, 0.0])))


def test_the_error_of_a_log_mean_rests_on_the_spread_within_all_facilities() -> None:
    # Two observations that happen to be equal do not make a mean certain.
    found = log_means([2, 101], [3.0, 5.0], [0.0, 4.0])
    pooled = 100 * 4.0 / 5.0**2 / 101
    assert found.values == pytest.approx(np.log([3.0, 5.0]))
    assert found.variances == pytest.approx([pooled / 2, pooled / 101])
    # Simulated: the delta method tells how log-means of skewed doses scatter.
    chance = np.random.default_rng(14)
    doses = chance.lognormal(1, 0.5, (5_000, 60))
    told = log_means(np.full(5_000, 60), doses.mean(axis=1), doses.var(axis=1, ddof=1))
    assert told.variances[0] == pytest.approx(told.values.var(), rel=0.1)
    # A single observation lends its mean, not a spread.
    assert log_means([1, 101], [3.0, 5.0], [np.nan, 4.0]).variances[1] == pytest.approx(
        4.0 / 25 / 101
    )
    for wrong in (([1, 1], [1.0, 2.0], [0.0, 0.0]), ([2, 2], [1.0, 0.0], [0.0, 0.0])):
        with pytest.raises(ValueError, match=r"above 0|two observations"):
            log_means(*wrong)


def test_moments_of_ratios_are_marshalls_and_near_to_the_likelihood_s() -> None:
    chance = np.random.default_rng(41)
    e = chance.uniform(20, 400, 800)
    o = chance.poisson(e * chance.gamma(12, 1 / 12, 800))
    found, best = gamma_poisson_moments(o, e), gamma_poisson(o, e)
    assert found is not None
    assert best is not None
    mean = sum(o) / sum(e)
    squares = sum(n * (x / n - mean) ** 2 for x, n in zip(o, e, strict=True)) / sum(e)
    between = squares - mean / (sum(e) / len(e))
    assert found == GammaPoisson(pytest.approx(mean), pytest.approx(mean**2 / between))
    assert found.shape == pytest.approx(best.shape, rel=0.15)
    # No more than chance: as many as expected at each.
    assert gamma_poisson_moments(np.round(e), e) == GammaPoisson(pytest.approx(1, abs=0.01), np.inf)
    assert gamma_poisson_moments([3], [4.0]) is None
    assert gamma_poisson_moments([0, 0], [4.0, 2.0]) is None
    with pytest.raises(ValueError, match="not negative"):
        gamma_poisson_moments([-1, 2], [1.0, 1.0])
