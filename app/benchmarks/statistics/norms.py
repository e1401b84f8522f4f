"""
Norms: what all facilities together say of a proportion or a mean, and one held against it.

A norm is a handful of numbers: a target, the scatter of facilities beside chance, and how their true
rates are spread. Whoever keeps them can tell of any result, later, where it stands.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.benchmarks.statistics import probabilities
from app.benchmarks.statistics.beta_binomial import BetaBinomial, beta_binomial_moments
from app.benchmarks.statistics.dispersion import (
    Deviations,
    Dispersion,
    dispersion,
    proportion_deviations,
)
from app.benchmarks.statistics.flags import called_up_to, flags
from app.benchmarks.statistics.funnels import REVIEW, WATCH, proportion_limits
from app.benchmarks.statistics.intervals import Floats, Intervals, critical, floats
from app.benchmarks.statistics.normal_normal import (
    Estimates,
    NormalNormal,
    log_means,
    normal_normal,
)

Flags = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Where each facility stands.

    `rates` are as seen, `scores` their z with the scatter of facilities held for ordinary; `watch` and `review` the limits at its size; `flags` 0 as expected, 1 watch,
    2 review, negative where the rate is low; `reliabilities` from 0 to 1; `shrunk` the rate as far
    as it can be relied on, with its interval.
    """

    target: float
    scatter: Dispersion
    rates: Floats
    scores: Floats
    watch: Intervals
    review: Intervals
    flags: Flags
    reliabilities: Floats
    shrunk: Floats
    shrunk_intervals: Intervals


@dataclass(frozen=True, slots=True)
class ProportionNorm:
    """What all facilities say of a proportion: their pooled rate, their scatter, and its distribution."""

    target: float
    scatter: Dispersion
    spread: BetaBinomial

    def probabilities(self, numerators: npt.ArrayLike, denominators: npt.ArrayLike) -> Floats:
        """How improbable each result is; denominators are above 0.

        By scatter and chance, or where there is no scatter by chance alone, and then exactly.
        """
        x, n = floats(numerators), floats(denominators)
        scores = self.scatter.scores(proportion_deviations(x, n, self.target))
        if self.scatter.present:
            return probabilities.of_scores(scores)
        return probabilities.of_proportions(x, n, self.target)

    def compared(
        self, numerators: npt.ArrayLike, denominators: npt.ArrayLike, up_to: float | None = None
    ) -> Comparison:
        """Facilities held against it; denominators are above 0.

        Flags to review take a probability up to `up_to`, or what these facilities by themselves call.
        """
        x, n = floats(numerators), floats(denominators)
        by_chance = self.probabilities(x, n)
        watch, review = (
            proportion_limits(self.target, n, level, self.scatter) for level in (WATCH, REVIEW)
        )
        return Comparison(
            self.target,
            self.scatter,
            x / n,
            self.scatter.scores(proportion_deviations(x, n, self.target)),
            watch,
            review,
            flags(x / n, watch, review, called(by_chance, up_to)),
            self.spread.reliabilities(n),
            self.spread.rates(x, n),
            self.spread.intervals(x, n),
        )


@dataclass(frozen=True, slots=True)
class MeanNorm:
    """What all facilities say of a mean above 0, on the scale of logarithms.

    `variation` is the squared coefficient of variation within facilities, pooled over them.
    """

    scatter: Dispersion
    spread: NormalNormal
    variation: float

    @property
    def target(self) -> float:
        """The geometric mean in the middle of facilities."""
        return float(np.exp(self.spread.mean))

    def probabilities(self, observations: npt.ArrayLike, means: npt.ArrayLike) -> Floats:
        """How improbable each mean is by scatter and chance; of observations above 0."""
        return probabilities.of_scores(self._scores(observations, means))

    def _estimates(self, observations: npt.ArrayLike, means: npt.ArrayLike) -> Estimates:
        return Estimates(floats(np.log(floats(means))), self.variation / floats(observations))

    def _scores(self, observations: npt.ArrayLike, means: npt.ArrayLike) -> Floats:
        found = self._estimates(observations, means)
        return self.scatter.scores(
            Deviations(found.values - self.spread.mean, np.sqrt(found.variances))
        )

    def compared(
        self, observations: npt.ArrayLike, means: npt.ArrayLike, up_to: float | None = None
    ) -> Comparison:
        """Facilities held against it; observations and means are above 0.

        Flags to review take a probability up to `up_to`, or what these facilities by themselves call.
        """
        m, estimates = floats(means), self._estimates(observations, means)
        half = self.scatter.inflated(np.sqrt(estimates.variances))
        watch, review = (
            _around(self.spread.mean, critical(level) * half) for level in (WATCH, REVIEW)
        )
        shrunk = self.spread.intervals(estimates)
        return Comparison(
            self.target,
            self.scatter,
            m,
            self._scores(observations, means),
            watch,
            review,
            flags(m, watch, review, called(self.probabilities(observations, means), up_to)),
            self.spread.reliabilities(estimates.variances),
            np.exp(self.spread.values(estimates)),
            Intervals(np.exp(shrunk.low), np.exp(shrunk.high)),
        )


def proportion_norm(
    numerators: npt.ArrayLike, denominators: npt.ArrayLike, target: float, deviations: Deviations
) -> ProportionNorm | None:
    """The norm of many facilities around a rate that is given, with their deviations from it.

    By moments, which cost a hundredth of the likelihood's summit and of hundreds of facilities come to
    the same. None where nothing sets facilities apart.
    """
    x, n = floats(numerators), floats(denominators)
    model = beta_binomial_moments(x, n)
    if model is None or not 0 < target < 1:
        return None
    return ProportionNorm(target, dispersion(deviations), BetaBinomial(target, model.precision))


def mean_norm(
    observations: npt.ArrayLike, means: npt.ArrayLike, variances: npt.ArrayLike
) -> MeanNorm | None:
    """The norm of facilities' means; None as for `compare_means`. Observations are above 0."""
    n, m, v = floats(observations), floats(means), floats(variances)
    if len(n) < 2 or n.max() < 2 or not np.nan_to_num(v).any():
        return None
    estimates = log_means(n, m, v)
    model = normal_normal(estimates)
    assert model is not None  # there are two facilities
    errors = np.sqrt(estimates.variances)
    scatter = dispersion(Deviations(estimates.values - model.mean, errors))
    return MeanNorm(scatter, model, float(estimates.variances[0] * n[0]))


def called(improbable: npt.ArrayLike, up_to: float | None = None) -> npt.NDArray[np.bool_]:
    """Whether each is called, by a limit that is given or by that of all of them."""
    p = floats(improbable)
    return p <= (called_up_to(p) if up_to is None else up_to)


def _around(middle: float, half: Floats) -> Intervals:
    """Limits on the scale of logarithms, turned back."""
    return Intervals(np.exp(middle - half), np.exp(middle + half))
