"""
Comparisons: all facilities held against all of them together, by the rules we settled on.

One door to what the other files offer for many facilities at once: the target is the pooled rate,
scatter beyond chance is additive and always allowed for, flags follow the funnel as drawn, and each
facility's rate is shrunk by how little it can be relied on. Arrays have one entry a facility, in the
order given; a facility without cases has NaN and no flag.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.benchmarks.statistics import probabilities
from app.benchmarks.statistics.beta_binomial import beta_binomial
from app.benchmarks.statistics.dispersion import (
    Deviations,
    Dispersion,
    dispersion,
    proportion_deviations,
    ratio_deviations,
)
from app.benchmarks.statistics.flags import flags
from app.benchmarks.statistics.funnels import REVIEW, WATCH, proportion_limits, rate_limits
from app.benchmarks.statistics.gamma_poisson import gamma_poisson
from app.benchmarks.statistics.intervals import Floats, Intervals, critical, floats
from app.benchmarks.statistics.normal_normal import log_means, normal_normal

Flags = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Where each facility stands.

    `rates` are as seen; `watch` and `review` the limits at its size; `flags` 0 as expected, 1 watch,
    2 review, negative where the rate is low; `reliabilities` from 0 to 1; `shrunk` the rate as far
    as it can be relied on, with its interval.
    """

    target: float
    scatter: Dispersion
    rates: Floats
    watch: Intervals
    review: Intervals
    flags: Flags
    reliabilities: Floats
    shrunk: Floats
    shrunk_intervals: Intervals


def compare_proportions(
    numerators: npt.ArrayLike, denominators: npt.ArrayLike
) -> Comparison | None:
    """Of proportions, by the binomial funnel and the beta-binomial model.

    None with fewer than two facilities that have cases, or where all cases, or none, are in the
    numerator: nothing sets facilities apart then.
    """
    x, n = floats(numerators), floats(denominators)
    model = beta_binomial(x, n)
    if model is None:
        return None
    some = n > 0
    x, n = x[some], n[some]
    target = float(x.sum() / n.sum())
    deviations = proportion_deviations(x, n, target)
    scatter = dispersion(deviations)
    by_chance = probabilities.of_proportions(x, n, target)
    watch, review = (proportion_limits(target, n, level, scatter) for level in (WATCH, REVIEW))
    return _placed(
        some,
        Comparison(
            target,
            scatter,
            x / n,
            watch,
            review,
            flags(x / n, watch, review, _probable(scatter, deviations, by_chance)),
            model.reliabilities(n),
            model.rates(x, n),
            model.intervals(x, n),
        ),
    )


def compare_ratios(observed: npt.ArrayLike, expected: npt.ArrayLike) -> Comparison | None:
    """Of observed to expected, by the Poisson funnel around all of them and the gamma-Poisson model.

    None with fewer than two facilities that expect something, or where nothing was observed.
    """
    o, e = floats(observed), floats(expected)
    model = gamma_poisson(o, e)
    if model is None:
        return None
    some = e > 0
    o, e = o[some], e[some]
    target = float(o.sum() / e.sum())
    deviations = ratio_deviations(o, e, target)
    scatter = dispersion(deviations)
    by_chance = probabilities.of_counts(o, e * target)
    watch, review = (rate_limits(target, e, level, scatter) for level in (WATCH, REVIEW))
    return _placed(
        some,
        Comparison(
            target,
            scatter,
            o / e,
            watch,
            review,
            flags(o / e, watch, review, _probable(scatter, deviations, by_chance)),
            model.reliabilities(e),
            model.ratios(o, e),
            model.intervals(o, e),
        ),
    )


def compare_means(
    observations: npt.ArrayLike, means: npt.ArrayLike, variances: npt.ArrayLike
) -> Comparison | None:
    """Of means above 0, by the normal funnel and the normal-normal model of their logarithms.

    The target is the geometric mean that the model puts in the middle of facilities; everything is
    turned back from logarithms. None with fewer than two facilities that have observations, without
    two observations in one of them, or where no observation differs from another.
    """
    n, m, v = floats(observations), floats(means), floats(variances)
    some = n > 0
    n, m, v = n[some], m[some], v[some]
    if len(n) < 2 or n.max() < 2 or not np.nan_to_num(v).any():
        return None
    estimates = log_means(n, m, v)
    model = normal_normal(estimates)
    assert model is not None  # there are two facilities
    errors = np.sqrt(estimates.variances)
    deviations = Deviations(estimates.values - model.mean, errors)
    scatter = dispersion(deviations)
    half = scatter.inflated(errors)
    watch, review = (_around(model.mean, critical(level) * half) for level in (WATCH, REVIEW))
    shrunk = model.intervals(estimates)
    return _placed(
        some,
        Comparison(
            float(np.exp(model.mean)),
            scatter,
            m,
            watch,
            review,
            flags(m, watch, review, probabilities.of_scores(scatter.scores(deviations))),
            model.reliabilities(estimates.variances),
            np.exp(model.values(estimates)),
            Intervals(np.exp(shrunk.low), np.exp(shrunk.high)),
        ),
    )


def _probable(scatter: Dispersion, deviations: Deviations, by_chance: Floats) -> Floats:
    """How improbable each is: by chance alone, or by chance and scatter where there is any."""
    if not scatter.present:
        return by_chance
    return probabilities.of_scores(scatter.scores(deviations))


def _around(middle: float, half: Floats) -> Intervals:
    """Limits on the scale of logarithms, turned back."""
    return Intervals(np.exp(middle - half), np.exp(middle + half))


def _placed(some: npt.NDArray[np.bool_], narrow: Comparison) -> Comparison:
    """A comparison of some facilities, with an entry for each of all."""

    def wide(values: Floats) -> Floats:
        found = np.full(some.shape, np.nan)
        found[some] = values
        return found

    def wider(limits: Intervals) -> Intervals:
        return Intervals(wide(limits.low), wide(limits.high))

    flagged = np.zeros(some.shape, np.int8)
    flagged[some] = narrow.flags
    return replace(
        narrow,
        rates=wide(narrow.rates),
        watch=wider(narrow.watch),
        review=wider(narrow.review),
        flags=flagged,
        reliabilities=wide(narrow.reliabilities),
        shrunk=wide(narrow.shrunk),
        shrunk_intervals=wider(narrow.shrunk_intervals),
    )
