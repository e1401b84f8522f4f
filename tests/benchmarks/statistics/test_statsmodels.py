"""
Everything that statsmodels computes too, equal to it.

It is slow to import, and every process of a run collects this file: only what runs a test imports it.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.benchmarks.statistics.case_mix import case_mix, case_mix_of_kinds
from app.benchmarks.statistics.counts import exact_poisson
from app.benchmarks.statistics.flags import benjamini_hochberg
from app.benchmarks.statistics.gamma_poisson import gamma_poisson
from app.benchmarks.statistics.means import welch
from app.benchmarks.statistics.normal_normal import normal_normal
from app.benchmarks.statistics.proportions import clopper_pearson, newcombe, wilson
from tests.benchmarks.statistics.published import LIP_EXPECTED, LIP_OBSERVED
from tests.benchmarks.statistics.test_case_mix import counted as kinds_counted
from tests.benchmarks.statistics.test_case_mix import nation
from tests.benchmarks.statistics.test_intervals import sums
from tests.benchmarks.statistics.test_shrinkage import bcg

counted = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.sampled_from([0.8, 0.95, 0.998])


@pytest.fixture(scope="module", autouse=True)
def sm() -> Any:
    """Its models; everything of it is imported by then, so that no example is late."""
    import statsmodels.api
    import statsmodels.stats.api

    return statsmodels.api


@settings(max_examples=50, deadline=None)
@given(counted, counted, levels)
def test_intervals_of_counts_are_those_of_statsmodels(
    now: tuple[int, int], earlier: tuple[int, int], level: float
) -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
    from statsmodels.stats.rates import confint_poisson

    for ours, theirs in (
        (wilson(*now, level), proportion_confint(*now, 1 - level, "wilson")),
        (clopper_pearson(*now, level), proportion_confint(*now, 1 - level, "beta")),
        (
            newcombe(*now, *earlier, level),
            confint_proportions_2indep(
                *now, *earlier, method="newcomb", compare="diff", alpha=1 - level
            ),
        ),
        (exact_poisson(now[0], level), confint_poisson(now[0], 1, "exact-c", 1 - level)),
    ):
        wanted = np.nan_to_num(theirs)  # for no count they have no lower limit
        assert ours == pytest.approx(wanted, rel=1e-8, abs=1e-10)


def test_welchs_interval_is_that_of_statsmodels() -> None:
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    chance = np.random.default_rng(31)
    a, b = chance.normal(5, 1, 12).round(3), chance.normal(4, 3, 30).round(3)
    found = welch(sums([str(x) for x in a]), sums([str(x) for x in b]))
    theirs = CompareMeans(DescrStatsW(a), DescrStatsW(b)).tconfint_diff(usevar="unequal")
    assert found == pytest.approx(theirs)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjusted_probabilities_are_those_of_statsmodels(probabilities: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    theirs = multipletests(probabilities, method="fdr_bh")[1]
    assert np.minimum(benjamini_hochberg(probabilities), 1) == pytest.approx(theirs)


def test_the_spread_of_ratios_is_that_of_the_negative_binomial_regression(sm: Any) -> None:
    found = gamma_poisson(LIP_OBSERVED, LIP_EXPECTED)
    assert found is not None
    theirs = sm.NegativeBinomial(
        LIP_OBSERVED, np.ones(len(LIP_OBSERVED)), offset=np.log(LIP_EXPECTED)
    ).fit(disp=False, maxiter=500, gtol=1e-10)
    log_mean, dispersion = theirs.params
    assert found.mean == pytest.approx(np.exp(log_mean), rel=1e-6)
    assert found.shape == pytest.approx(1 / dispersion, rel=1e-6)


def test_the_spread_of_means_is_that_of_paule_and_mandel() -> None:
    from statsmodels.stats.meta_analysis import combine_effects

    estimates = bcg()
    found = normal_normal(estimates)
    theirs = combine_effects(*estimates, method_re="iterated", atol=1e-12)
    assert found is not None
    assert found.variance == pytest.approx(theirs.tau2, rel=1e-6)
    assert found.mean == pytest.approx(theirs.mean_effect_re, rel=1e-6)


@pytest.mark.parametrize("seed", [41, 42])
def test_case_mix_is_the_logistic_regression(sm: Any, seed: int) -> None:
    features, events, cases, of = nation(seed, 12, 600, 0.5)
    counts = np.column_stack([events, cases - events])
    found = case_mix(features, events, cases)
    assert found is not None
    theirs = sm.GLM(counts, sm.add_constant(features), family=sm.families.Binomial()).fit(
        tol=1e-12, maxiter=100
    )
    assert [found.intercept, *found.coefficients] == pytest.approx(theirs.params, rel=1e-6)
    assert found.deviance == pytest.approx(theirs.deviance)
    # With an intercept for each facility: as many columns of their design.
    fixed = case_mix(features, events, cases, of)
    assert fixed is not None
    design = np.column_stack([np.eye(12)[of], features])
    theirs = sm.GLM(counts, design, family=sm.families.Binomial()).fit(tol=1e-12, maxiter=100)
    assert fixed.coefficients == pytest.approx(theirs.params[12:], rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_table_of_kinds_is_the_logit_of_its_cases_with_a_dummy_for_each_facility(
    sm: Any, seed: int
) -> None:
    features, events, cases = kinds_counted(seed, facilities=8)
    table = case_mix_of_kinds(features, events, cases)
    assert table is not None
    places, kinds = (np.repeat(one.ravel(), cases.ravel()) for one in np.indices(cases.shape))
    met = np.concatenate(
        [[1] * x + [0] * (n - x) for x, n in zip(events.ravel(), cases.ravel(), strict=True)]
    )
    dummies = np.eye(8)[places]
    fitted = sm.Logit(met, np.hstack([features[kinds], dummies])).fit(disp=0, tol=1e-12)
    assert table.coefficients == pytest.approx(fitted.params[:3], abs=1e-6)
