"""
Comparisons: all facilities held against all of them together, by the rules we settled on.

One door to what the other files offer for many facilities at once: the target is the pooled rate,
scatter beyond chance is additive and always allowed for, flags follow the funnel as drawn, and each
facility's rate is shrunk by how little it can be relied on. Arrays have one entry a facility, in the
order given; a facility without cases has NaN and no flag.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from app.benchmarks.statistics import probabilities
from app.benchmarks.statistics.beta_binomial import beta_binomial
from app.benchmarks.statistics.dispersion import (
    dispersion,
    proportion_deviations,
    ratio_deviations,
)
from app.benchmarks.statistics.flags import flags
from app.benchmarks.statistics.funnels import REVIEW, WATCH, rate_limits
from app.benchmarks.statistics.gamma_poisson import gamma_poisson
from app.benchmarks.statistics.intervals import Floats, Intervals, floats
from app.benchmarks.statistics.norms import Comparison, ProportionNorm, called, mean_norm

__all__ = ["Comparison", "compare_means", "compare_proportions", "compare_ratios"]


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
    scatter = dispersion(proportion_deviations(x, n, target))
    return _placed(some, ProportionNorm(target, scatter, model).compared(x, n))


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
    scores = scatter.scores(deviations)
    improbable = (
        probabilities.of_scores(scores)
        if scatter.present
        else probabilities.of_counts(o, e * target)
    )
    watch, review = (rate_limits(target, e, level, scatter) for level in (WATCH, REVIEW))
    return _placed(
        some,
        Comparison(
            target,
            scatter,
            o / e,
            scores,
            watch,
            review,
            flags(o / e, watch, review, called(improbable)),
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
    n, m = floats(observations), floats(means)
    some = n > 0
    norm = mean_norm(n[some], m[some], floats(variances)[some])
    return None if norm is None else _placed(some, norm.compared(n[some], m[some]))


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
        scores=wide(narrow.scores),
        watch=wider(narrow.watch),
        review=wider(narrow.review),
        flags=flagged,
        reliabilities=wide(narrow.reliabilities),
        shrunk=wide(narrow.shrunk),
        shrunk_intervals=wider(narrow.shrunk_intervals),
    )
