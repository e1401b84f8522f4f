"""Funnels, scatter beyond chance and flags: against plain sums and published examples."""

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mstats

from app.benchmarks.statistics.dispersion import (
    Deviations,
    Dispersion,
    Method,
    dispersion,
    proportion_deviations,
    ratio_deviations,
    winsorise,
)
from app.benchmarks.statistics.flags import benjamini_hochberg, called_up_to, flags, standing
from app.benchmarks.statistics.funnels import REVIEW, WATCH, proportion_limits, rate_limits
from app.benchmarks.statistics.intervals import Intervals, critical
from app.benchmarks.statistics.norms import called
from app.benchmarks.statistics.probabilities import of_counts, of_proportions, of_scores
from tests.benchmarks.statistics.published import SURGICAL_CASES, SURGICAL_DEATHS
from tests.oracles import distributions

LEVELS = (WATCH, REVIEW)
shares = st.floats(0.002, 0.998)


# Limits


def interpolated(terms: list[float], probability: float) -> float:
    """Spiegelhalter's r - α from the probabilities of 0, 1, 2, …"""
    at_most = list(accumulate(terms))
    r = next(k for k, reached in enumerate(at_most) if reached >= probability - 1e-15)
    return r - (at_most[r] - probability) / terms[r]


@settings(max_examples=60)
@given(shares, st.integers(1, 400), st.sampled_from(LEVELS))
def test_a_proportions_limits_are_the_binomials_interpolated_and_clamped(
    target: float, size: int, level: float
) -> None:
    found = proportion_limits(target, [size], level)
    terms = distributions.binomial_terms(size, target)
    tail = (1 - level) / 2
    for limit, probability in ((found.low, tail), (found.high, 1 - tail)):
        expected = interpolated(terms, probability) / size
        assert limit[0] == pytest.approx(min(max(expected, 0.0), 1.0), abs=1e-7)


def test_limits_by_hand() -> None:
    # Of 4 at one half: P(X <= k) = 1/16, 5/16, 11/16, 15/16, 1. At 0.9 r = 3, and
    # α = (15/16 - 0.9) / (4/16) = 0.15; at 0.1 r = 1, and α = (5/16 - 0.1) / (4/16) = 0.85.
    found = proportion_limits(0.5, [4], 0.8)
    assert found.high[0] == pytest.approx((3 - 0.15) / 4)
    assert found.low[0] == pytest.approx((1 - 0.85) / 4)
    # Of 2 at one tenth nobody may well be all: the limit would be negative, and is 0.
    assert proportion_limits(0.1, [2], WATCH).low[0] == 0


@settings(max_examples=40)
@given(st.floats(0.05, 60), st.sampled_from(LEVELS))
def test_a_rates_limits_are_poissons_interpolated(expected: float, level: float) -> None:
    found = rate_limits(1.0, [expected], level)
    terms = [
        float(np.exp(-expected + k * np.log(expected) - sum(np.log(np.arange(1, k + 1)))))
        for k in range(160)
    ]
    tail = (1 - level) / 2
    assert found.low[0] == pytest.approx(max(interpolated(terms, tail), 0.0) / expected, abs=1e-6)
    assert found.high[0] == pytest.approx(interpolated(terms, 1 - tail) / expected, abs=1e-6)


def test_a_rates_funnel_depends_on_what_is_expected_and_scales_with_the_target() -> None:
    whole, per_thousand = rate_limits(1.0, [5.0, 50.0]), rate_limits(0.005, [1_000, 10_000])
    assert per_thousand.low == pytest.approx(whole.low * 0.005)
    assert per_thousand.high == pytest.approx(whole.high * 0.005)


@settings(max_examples=40)
@given(shares, st.sampled_from([0.0, 0.001, 0.02]))
def test_a_funnel_stays_within_0_and_1_and_each_pair_of_limits_within_the_next(
    target: float, tau_squared: float
) -> None:
    sizes = np.unique(np.geomspace(1, 100_000, 60).astype(int))
    over = Dispersion(9, 2.0, tau_squared)
    watch, review = (proportion_limits(target, sizes, level, over) for level in LEVELS)
    for limits in (watch, review):
        assert ((limits.low >= 0) & (limits.high <= 1)).all()
    assert (review.low <= watch.low).all()
    assert (review.high >= watch.high).all()
    if tau_squared == 0:  # the exact funnel closes around the target
        assert watch.low[-1] == pytest.approx(target, abs=0.005)
        assert watch.high[-1] == pytest.approx(target, abs=0.005)


def test_large_numbers_have_the_limits_of_the_normal_distribution() -> None:
    n, target = np.array([50_000.0]), 0.3
    half = critical(WATCH) * np.sqrt(target * (1 - target) / n)
    for over in (None, Dispersion(9, 1.0, 0.0)):
        found = proportion_limits(target, n, WATCH, over)
        assert found.low == pytest.approx(target - half, abs=3e-5)
        assert found.high == pytest.approx(target + half, abs=3e-5)


def test_under_chance_alone_as_many_lie_outside_as_the_limits_say() -> None:
    chance = np.random.default_rng(5)
    sizes = chance.integers(200, 3_000, 20_000)
    rates = chance.binomial(sizes, 0.2) / sizes
    for level in LEVELS:
        found = proportion_limits(0.2, sizes, level)
        outside = ((rates < found.low) | (rates > found.high)).mean()
        assert outside == pytest.approx(1 - level, rel=0.2)


# Scatter beyond chance


def test_winsorised_scores_are_those_of_scipy_where_both_cut_at_a_value() -> None:
    # Eleven scores: the tenth part at each end is exactly one, and type 7 falls on a value.
    scores = np.random.default_rng(6).normal(size=11)
    theirs = mstats.winsorize(scores, limits=(0.1, 0.1))
    assert winsorise(scores, 0.1) == pytest.approx(np.asarray(theirs))


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=40), st.floats(0, 0.49))
def test_winsorising_moves_only_the_ends_and_towards_the_middle(
    scores: list[float], share: float
) -> None:
    before, after = np.array(scores), winsorise(scores, share)
    moved = after != before
    assert moved.sum() <= 2 * np.ceil(share * len(scores))
    assert (np.abs(after - np.median(before)) <= np.abs(before - np.median(before)) + 1e-9).all()


def naive(deviations: Deviations, share: float) -> tuple[float, float]:
    """φ and τ² as the appendix of Spiegelhalter 2005 has them, a facility at a time."""
    scores = [v / s for v, s in zip(deviations.values, deviations.errors, strict=True)]
    low, high = (float(np.quantile(scores, one)) for one in (share, 1 - share))
    number = len(scores)
    phi = sum(min(max(score, low), high) ** 2 for score in scores) / number
    weights = [1 / float(s) ** 2 for s in deviations.errors]
    if number * phi <= number - 1:
        return phi, 0.0
    shrink = sum(weights) - sum(w * w for w in weights) / sum(weights)
    return phi, (number * phi - (number - 1)) / shrink


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(2, 60), st.sampled_from([0.0, 0.1, 0.25]))
def test_scatter_is_that_of_the_plain_formula(seed: int, number: int, share: float) -> None:
    chance = np.random.default_rng(seed)
    sizes = chance.integers(1, 500, number)
    events = chance.binomial(sizes, chance.beta(4, 16, number))
    for deviations in (
        proportion_deviations(events, sizes, 0.2),
        ratio_deviations(events, sizes * 0.2),
    ):
        found, (phi, tau_squared) = dispersion(deviations, share), naive(deviations, share)
        assert found.phi == pytest.approx(phi)
        assert found.tau_squared == pytest.approx(tau_squared, abs=1e-12)


def test_scatter_of_the_twelve_hospitals_is_beyond_chance() -> None:
    target = SURGICAL_DEATHS.sum() / SURGICAL_CASES.sum()
    deviations = proportion_deviations(SURGICAL_DEATHS, SURGICAL_CASES, target)
    found = dispersion(deviations)
    assert found.present
    assert (found.facilities, found.phi > 1) == (12, True)
    assert np.abs(found.scores(deviations)).max() < np.abs(deviations.scores).max()


def test_scatter_that_was_put_in_is_found_again() -> None:
    chance = np.random.default_rng(7)
    sizes = chance.integers(50, 2_000, 4_000)
    angles = np.arcsin(np.sqrt(0.3)) + chance.normal(0, 0.05, len(sizes))
    events = chance.binomial(sizes, np.sin(angles) ** 2)
    found = dispersion(proportion_deviations(events, sizes, 0.3), share=0.0)
    assert found.tau_squared == pytest.approx(0.05**2, rel=0.1)
    # Pulling in a tenth at each end leaves less than all of it: that is its purpose.
    assert 0 < dispersion(proportion_deviations(events, sizes, 0.3)).tau_squared < 0.05**2


def test_of_chance_alone_winsorising_leaves_a_phi_of_0_68() -> None:
    scores = np.random.default_rng(15).normal(size=100_000)
    found = dispersion(Deviations(scores, np.ones_like(scores)))
    assert found.phi == pytest.approx(0.68, abs=0.01)


def test_chance_alone_is_not_scatter() -> None:
    chance = np.random.default_rng(8)
    sizes = chance.integers(50, 2_000, 500)
    found = dispersion(proportion_deviations(chance.binomial(sizes, 0.3), sizes, 0.3))
    assert (found.present, found.phi < 1) == (False, True)
    assert found.inflated([0.1, 0.2]) == pytest.approx([0.1, 0.2])
    assert dispersion(Deviations(np.empty(0), np.empty(0))) == Dispersion(0, 1.0, 0.0)


@pytest.mark.parametrize("method", ["additive", "multiplicative"])
def test_scatter_widens_a_funnel_and_never_lets_it_close(method: Method) -> None:
    sizes = np.array([10.0, 100.0, 1e6])
    over = Dispersion(50, 4.0, 0.01, method)
    for limits, plain in (
        (proportion_limits(0.3, sizes, WATCH, over), proportion_limits(0.3, sizes)),
        (rate_limits(2.0, sizes, WATCH, over), rate_limits(2.0, sizes)),
    ):
        assert (limits.low <= plain.low).all()
        assert (limits.high >= plain.high).all()
        assert (limits.low[1:] < plain.low[1:]).all()
        # Between facilities of any size there is τ; a multiple of nothing is nothing.
        assert (limits.high[-1] - limits.low[-1] > 0.1) == (method == "additive")


def test_a_facility_on_the_limit_has_the_score_of_its_level() -> None:
    sizes, over = np.array([300.0, 9000.0]), Dispersion(50, 3.0, 0.004)
    for level in LEVELS:
        limits = proportion_limits(0.4, sizes, level, over)
        scores = over.scores(proportion_deviations(limits.high * sizes, sizes, 0.4))
        assert scores == pytest.approx(critical(level))
        ratios = rate_limits(1.0, sizes, level, over)
        scores = over.scores(ratio_deviations(ratios.low * sizes, sizes))
        assert scores == pytest.approx(-critical(level))


# Probabilities and flags


@settings(max_examples=50)
@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), shares)
def test_the_probability_of_a_proportion_is_twice_its_smaller_mid_tail(
    counts: tuple[int, int], target: float
) -> None:
    x, n = counts
    terms = distributions.binomial_terms(n, target)
    below, above = sum(terms[:x]), sum(terms[x + 1 :])
    expected = min(2 * (min(below, above) + terms[x] / 2), 1.0)
    assert of_proportions([x], [n], target)[0] == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_the_probability_of_a_count_is_twice_its_smaller_mid_tail() -> None:
    at_least, at_most = (
        distributions.poisson_at_least(10, 4.0),
        distributions.poisson_at_least(11, 4.0),
    )
    assert of_counts([10], [4.0])[0] == pytest.approx(at_least + at_most)
    assert of_counts([0], [3.0])[0] == pytest.approx(np.exp(-3))
    assert of_scores([1.959963985, -1.959963985, 0, np.nan]) == pytest.approx(
        [0.05, 0.05, 1, np.nan], nan_ok=True
    )


def test_benjamini_and_hochberg_1995_reject_four_of_their_fifteen() -> None:
    published = [
        *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459),
        *(0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
    ]
    assert (benjamini_hochberg(published) <= 0.05).sum() == 4


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.001, 0.5))
def test_adjusted_probabilities_reject_what_the_step_up_procedure_rejects(
    probabilities: list[float], rate: float
) -> None:
    adjusted = benjamini_hochberg([*probabilities, np.nan])
    number = len(probabilities)
    reached = [k for k, p in enumerate(sorted(probabilities), 1) if p * number / k <= rate]
    rejected = sorted(probabilities)[: max(reached, default=0)]
    assert sorted(p for p, q in zip(probabilities, adjusted, strict=False) if q <= rate) == rejected
    assert np.isnan(adjusted[-1])
    up_to = called_up_to([*probabilities, np.nan], rate)
    assert sorted(p for p in probabilities if p <= up_to) == rejected
    assert (adjusted[:-1] >= np.array(probabilities) - 1e-12).all()


def test_a_flag_agrees_with_the_funnel_and_a_review_also_with_the_number_looked_at() -> None:
    watch, review = Intervals(*np.array([[0.2], [0.4]])), Intervals(*np.array([[0.1], [0.5]]))
    rates = np.array([0.3, 0.45, 0.55, 0.15, 0.05, np.nan])
    few = flags(rates, watch, review, called([1.0, 0.03, 0.001, 0.03, 0.001, np.nan]))
    assert few.tolist() == [0, 1, 2, -1, -2, 0]
    assert [standing(flag) for flag in few[:3]] == ["as-expected", "watch", "review"]
    # Among two thousand others a probability of one in a thousand is nothing to review.
    many = flags(
        np.append(rates, [0.3] * 2_000),
        watch,
        review,
        called([1, 0.03, 0.001, 0.03, 0.001, 1] + [1] * 2_000),
    )
    assert many[:6].tolist() == [0, 1, 1, -1, -1, 0]
    assert not many[6:].any()


def test_among_facilities_that_only_chance_sets_apart_hardly_one_is_to_be_reviewed() -> None:
    chance = np.random.default_rng(9)
    sizes = chance.integers(20, 2_000, 6_500)
    events = chance.binomial(sizes, 0.1)
    found = flags(
        events / sizes,
        proportion_limits(0.1, sizes, WATCH),
        proportion_limits(0.1, sizes, REVIEW),
        called(of_proportions(events, sizes, 0.1)),
    )
    assert (np.abs(found) == 2).sum() <= 1
    assert (found != 0).mean() == pytest.approx(0.05, abs=0.015)


def test_what_no_funnel_can_be_drawn_around_is_refused() -> None:
    for wrong in (0.0, 1.0):
        with pytest.raises(ValueError, match="target"):
            proportion_limits(wrong, [5])
        with pytest.raises(ValueError, match="target"):
            proportion_deviations([1], [5], wrong)
        with pytest.raises(ValueError, match="target"):
            of_proportions([1], [5], wrong)
    with pytest.raises(ValueError, match="above 0"):
        rate_limits(1.0, [0.0])
    with pytest.raises(ValueError, match="above 0"):
        ratio_deviations([1], [0.0])
    with pytest.raises(ValueError, match="above 0"):
        of_counts([1], [0.0])
    with pytest.raises(ValueError, match="share"):
        winsorise([1.0], 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        benjamini_hochberg([1.5])
