"""Case mix: what facilities would have seen, and ratios of what they saw to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from app.benchmarks.statistics.case_mix import case_mix
from app.benchmarks.statistics.counts import exact_poisson
from app.benchmarks.statistics.proportions import clopper_pearson
from app.benchmarks.statistics.ratios import standardised_ratios


def logits(features: np.ndarray) -> np.ndarray:
    return -2 + 0.9 * features[:, 0] - 0.5 * features[:, 1]


def nation(
    seed: int, facilities: int, rows: int, spread: float = 0.0, bent: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cases of facilities whose outcomes differ by `spread`; `bent` sends risky cases to good ones."""
    chance = np.random.default_rng(seed)
    quality = chance.normal(0, spread, facilities) if spread else np.zeros(facilities)
    of = chance.integers(0, facilities, rows)
    features = np.column_stack(
        [chance.normal(-bent * quality[of], 1), chance.integers(0, 2, rows)]
    ).astype(float)
    cases = chance.integers(1, 12, rows)
    events = chance.binomial(cases, special.expit(logits(features) + quality[of]))
    return features, events, cases, of


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.booleans())
def test_what_is_expected_sums_to_what_is_observed(seed: int, fixed: bool) -> None:
    features, events, cases, of = nation(seed, 9, 120, 0.5)
    found = case_mix(features, events, cases, of if fixed else None)
    assert found is not None
    expected = found.expected(features, cases, of, 9)
    assert expected.events.sum() == pytest.approx(events.sum(), rel=1e-9)
    p = found.probabilities(features)
    for facility in range(9):
        own = of == facility
        assert expected.events[facility] == pytest.approx((cases * p)[own].sum())
        assert expected.variances[facility] == pytest.approx((cases * p * (1 - p))[own].sum())


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.floats(-50, 50), st.floats(0.001, 1000))
def test_units_of_the_features_do_not_matter(seed: int, shift: float, unit: float) -> None:
    features, events, cases, _ = nation(seed, 3, 80)
    plain, moved = (
        case_mix(features, events, cases),
        case_mix(features * unit + shift, events, cases),
    )
    assert plain is not None
    assert moved is not None
    assert moved.probabilities(features * unit + shift) == pytest.approx(
        plain.probabilities(features), abs=1e-7
    )


def test_at_the_maximum_the_likelihood_is_flat() -> None:
    features, events, cases, of = nation(21, 9, 400, 0.5)
    found = case_mix(features, events, cases)
    assert found is not None
    left = events - cases * found.probabilities(features)
    assert features.T @ left == pytest.approx([0, 0], abs=1e-6)
    # With an intercept for each facility, each facility's events are matched as well.
    fixed = case_mix(features, events, cases, of)
    assert fixed is not None
    predictor, own = features @ fixed.coefficients, np.zeros(9)
    for _ in range(50):
        p = special.expit(own[of] + predictor)
        own += np.bincount(of, events - cases * p) / np.bincount(of, cases * p * (1 - p))
    left = events - cases * special.expit(own[of] + predictor)
    assert features.T @ left == pytest.approx([0, 0], abs=1e-6)


def test_what_good_facilities_do_is_not_taken_for_what_their_patients_are() -> None:
    # Good facilities (fewer events) draw the risky cases. Without facilities' own intercepts the
    # risk of those cases is understated; with them it is found.
    features, events, cases, of = nation(22, 60, 20_000, spread=0.6, bent=1.0)
    plain, fixed = case_mix(features, events, cases), case_mix(features, events, cases, of)
    assert plain is not None
    assert fixed is not None
    assert fixed.coefficients == pytest.approx([0.9, -0.5], abs=0.05)
    assert plain.coefficients[0] < 0.8


def test_ratios_adjusted_for_case_mix_do_not_blame_a_facility_for_its_patients() -> None:
    chance = np.random.default_rng(23)
    of = np.repeat(np.arange(40), 500)
    features = np.column_stack([chance.normal(of / 20, 1), chance.integers(0, 2, len(of))])
    events = chance.binomial(1, special.expit(logits(features)))
    ones = np.ones(len(of))
    found = case_mix(features, events, ones)
    assert found is not None
    observed = np.bincount(of, events)
    expected = found.expected(features, ones, of, 40)
    ratios = standardised_ratios(observed, expected.events, np.full(40, 500))
    inside = (ratios.intervals.low <= 1) & (ratios.intervals.high >= 1)
    assert inside.mean() >= 0.9
    crude = observed / 500 / (events.sum() / len(of))
    assert np.abs(crude - 1).mean() > 4 * np.abs(ratios.values - 1).mean()
    scores = (observed - expected.events) / np.sqrt(expected.variances)
    assert scores.std() == pytest.approx(1, abs=0.3)


def test_a_group_that_never_has_the_event_expects_none_and_is_said_to_be_separated() -> None:
    groups = np.eye(3)
    found = case_mix(groups, [0, 5, 8], [10, 10, 20])
    assert found is not None
    assert found.separated
    assert found.probabilities(groups) == pytest.approx([0, 0.5, 0.4], abs=1e-6)
    # The three columns repeat the intercept, which predictions do not notice.
    plain = case_mix(groups[:, 1:], [1, 5, 8], [10, 10, 20])
    repeated = case_mix(groups, [1, 5, 8], [10, 10, 20])
    assert plain is not None
    assert repeated is not None
    assert not repeated.separated
    assert repeated.probabilities(groups) == pytest.approx([0.1, 0.5, 0.4])
    assert plain.deviance == pytest.approx(0, abs=1e-9)


def test_no_features_leave_the_rate_of_all() -> None:
    found = case_mix(np.empty((3, 0)), [1, 5, 8], [10, 10, 20])
    assert found is not None
    assert found.probabilities(np.empty((2, 0))) == pytest.approx([14 / 40] * 2)


def test_what_cannot_be_fitted_is_none_and_what_is_wrong_is_refused() -> None:
    one = np.ones((2, 1))
    assert case_mix(one, [0, 0], [4, 5]) is None
    assert case_mix(one, [4, 5], [4, 5]) is None
    assert case_mix(one, [0, 5], [4, 5], [0, 1]) is None  # no facility has both
    for wrong in (
        ([1.0, 2.0], [1, 2], [3, 4]),
        (one, [1], [3, 4]),
        (one, [5, 1], [3, 4]),
        (one * np.nan, [1, 1], [3, 4]),
    ):
        with pytest.raises(ValueError, match=r"features|events <= cases"):
            case_mix(*wrong)


@given(st.integers(0, 300), st.floats(0.1, 300), st.integers(0, 5_000))
def test_ratios_have_the_exact_limits_of_what_was_observed(
    observed: int, expected: float, more: int
) -> None:
    plain = standardised_ratios([observed], [expected])
    limits = exact_poisson(observed)
    assert plain.values[0] == pytest.approx(observed / expected)
    assert plain.intervals.low[0] == pytest.approx(limits.low / expected)
    assert plain.intervals.high[0] == pytest.approx(limits.high / expected)
    cases = observed + more
    if cases:
        shares = clopper_pearson(observed, cases)
        of_cases = standardised_ratios([observed], [expected], [cases]).intervals
        assert of_cases.low[0] == pytest.approx(shares.low * cases / expected)
        assert of_cases.high[0] == pytest.approx(shares.high * cases / expected)
        # A share of cases is surer than a Poisson count, and never more than all of them.
        assert of_cases.high[0] <= min(limits.high, cases) / expected * (1 + 1e-9)


def test_nothing_expected_has_no_ratio_and_a_rate_is_not_above_1() -> None:
    found = standardised_ratios([0, 9, 30], [0.0, 6.0, 12.0])
    assert np.isnan([found.values[0], found.intervals.low[0], found.intervals.high[0]]).all()
    assert found.rates(0.5)[1:] == pytest.approx([0.75, 1.0])
    with pytest.raises(ValueError, match="not negative"):
        standardised_ratios([-1], [1.0])
