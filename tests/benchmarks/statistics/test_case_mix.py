"""Case mix: what facilities would have seen, and ratios of what they saw to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from app.benchmarks.statistics.adjustment import adjustment, indicators
from app.benchmarks.statistics.case_mix import (
    case_mix,
    case_mix_of_kinds,
    national_intercept,
)
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


def test_categories_become_columns_beside_the_commonest() -> None:
    ages = ["50-59", "60-69", "60-69", None, "70+"]
    smoking = ["current", "former", "current", "current", "former"]
    features, columns = indicators([ages, smoking], [10, 20, 10, 1, 5])
    assert columns == ((0, "50-59"), (0, "70+"), (0, None), (1, "current"))
    assert features.tolist() == [
        [1, 0, 0, 1],
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 1, 1],
        [0, 1, 0, 0],
    ]
    assert indicators([["a", "a"]], [1, 2])[0].shape == (2, 0)
    assert indicators([], [1, 2])[0].shape == (2, 0)
    with pytest.raises(ValueError, match="each row"):
        indicators([["a"]], [1, 2])


def test_a_facility_with_hard_cases_is_not_flagged_and_one_that_does_worse_is() -> None:
    chance = np.random.default_rng(24)
    risk = {"low": -4.0, "middle": -3.0, "high": -1.5, None: -2.5}
    groups = list(risk)
    of = np.repeat(np.arange(60), 4)
    covariate = groups * 60
    cases = chance.integers(50, 200, len(of))
    cases[(of == 0) & (np.arange(len(of)) % 4 == 2)] = 900  # facility 0 takes the hard ones
    logit = np.array([risk[one] for one in covariate]) + np.where(of == 1, 1.0, 0.0)
    events = chance.binomial(cases, special.expit(logit))
    found = adjustment(of, 60, [covariate], events, cases, rare=True)
    assert found is not None
    assert found.expected.sum() == pytest.approx(events.sum())
    assert found.observed.tolist() == np.bincount(of, events).tolist()
    assert found.comparison is not None
    assert found.comparison.flags[:2].tolist() == [0, 2]
    crude = found.observed / found.cases
    assert crude[0] > 1.5 * found.overall
    assert found.rates[0] == pytest.approx(found.overall, rel=0.15)
    # Each group's log-odds against the commonest are found again.
    (commonest,) = set(groups) - {one for _, one in found.columns}
    for (_, one), coefficient in zip(found.columns, found.model.coefficients, strict=True):
        assert coefficient == pytest.approx(risk[one] - risk[commonest], abs=0.2)


def test_intervals_of_common_events_are_of_a_share_and_of_rare_ones_poissons() -> None:
    of, cases = [0, 0, 1, 1], [100, 50, 80, 90]
    events, covariates = [60, 40, 40, 70], [["a", "b", "a", "b"]]
    common = adjustment(of, 3, covariates, events, cases, rare=False)
    rare = adjustment(of, 3, covariates, events, cases, rare=True)
    assert common is not None
    assert rare is not None
    assert common.ratios.values[:2] == pytest.approx(rare.ratios.values[:2])
    assert (common.ratios.intervals.high[:2] < rare.ratios.intervals.high[:2]).all()
    assert common.cases.tolist() == [150, 170, 0]
    assert np.isnan(common.ratios.values[2])  # a facility without cases
    assert common.rates[:2] == pytest.approx(common.ratios.values[:2] * 210 / 320)
    assert adjustment([0, 1], 2, [], [0, 5], [4, 5], rare=True) is None


def counted(seed: int, facilities: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kinds of cases (two factors as columns), and events and cases of facilities by kind."""
    chance = np.random.default_rng(seed)
    features = np.array([[a == 1, a == 2, b] for a in range(3) for b in (0, 1)], float)
    cases = chance.poisson(chance.uniform(5, 60, (facilities, 6)))
    own = chance.normal(-1, 0.5, (facilities, 1))
    events = chance.binomial(cases, special.expit(own + features @ [0.4, -0.6, 0.8]))
    return features, events, cases


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_a_table_of_kinds_gives_what_its_cases_one_by_one_give(seed: int) -> None:
    features, events, cases = counted(seed)
    places, kinds = np.nonzero(cases)
    rows = case_mix(features[kinds], events[places, kinds], cases[places, kinds], places)
    table = case_mix_of_kinds(features, events, cases)
    assert rows is not None
    assert table is not None
    assert table.converged
    assert table.coefficients == pytest.approx(rows.coefficients, abs=1e-8)
    assert table.intercept == pytest.approx(rows.intercept, abs=1e-8)
    # From wherever it begins.
    near = case_mix_of_kinds(features, events, cases, np.array([2.0, -1.0, 0.0]))
    assert near is not None
    assert near.coefficients == pytest.approx(rows.coefficients, abs=1e-8)


def test_a_nation_of_many_facilities_is_looked_at_in_pieces_that_add_up() -> None:
    features, events, cases = counted(7, facilities=600)
    whole = case_mix_of_kinds(features, events, cases)
    assert whole is not None
    order = np.random.default_rng(8).permutation(600)
    again = case_mix_of_kinds(features, events[order], cases[order])
    assert again is not None
    assert again.coefficients == pytest.approx(whole.coefficients, abs=1e-9)
    assert whole.coefficients == pytest.approx([0.4, -0.6, 0.8], abs=0.06)


def test_a_table_that_does_not_fit_together_is_refused_and_one_that_tells_nothing_is_none() -> None:
    features, events, cases = counted(3)
    for wrong in ((features, events[0], cases[0]), (features[:2], events, cases)):
        with pytest.raises(ValueError, match="kinds × columns"):
            case_mix_of_kinds(*wrong)
    with pytest.raises(ValueError, match="events <= cases"):
        case_mix_of_kinds(features, cases + 1, cases)
    assert case_mix_of_kinds(features, cases * 0, cases) is None


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), st.floats(0.01, 0.99))
def test_the_national_intercept_expects_what_was_observed(added: list[float], share: float) -> None:
    cases = np.arange(1, len(added) + 1) * 10.0
    wanted = share * cases.sum()
    found = national_intercept(added, cases, wanted)
    assert (cases * special.expit(found + np.array(added))).sum() == pytest.approx(wanted, rel=1e-9)
