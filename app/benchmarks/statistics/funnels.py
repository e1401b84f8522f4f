"""
Control limits of funnel plots: what chance alone, or chance and ordinary scatter, would give at a size.

Without over-dispersion the limits are exact, interpolated between the counts that are possible
(Spiegelhalter 2005, Statistics in Medicine 24:1185, its appendix), and clamped to what a rate can
be. With it they are normal on the scale on which dispersion was judged, turned back, and nowhere
within the exact ones: scatter comes on top of chance.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy

from app.benchmarks.statistics.dispersion import Dispersion
from app.benchmarks.statistics.intervals import Floats, Intervals, critical, floats, tail

WATCH, REVIEW = 0.95, 0.998
"""Levels of the two pairs of limits that are drawn: about 2 and 3 standard errors."""


def proportion_limits(
    target: float,
    denominators: npt.ArrayLike,
    level: float = WATCH,
    over: Dispersion | None = None,
) -> Intervals:
    """The funnel around a proportion, at each denominator (above 0); within [0, 1].

    The exact limit at probability p is (r − α) / n: r is the least count that the binomial
    distribution function F reaches p at, and α = (F(r) − p) / (F(r) − F(r − 1)).
    """
    n = floats(denominators)
    if not np.all(n > 0) or not 0 < target < 1:
        raise ValueError("a funnel needs denominators above 0 and a target between 0 and 1")
    exact = _exact(n, target, level, proportion=True)
    if over is None or not over.present:
        return exact
    centre, half = np.arcsin(np.sqrt(target)), critical(level) * over.inflated(0.5 / np.sqrt(n))
    low = np.sin(np.maximum(centre - half, 0)) ** 2
    high = np.sin(np.minimum(centre + half, np.pi / 2)) ** 2
    return _wider(exact, low, high)


def rate_limits(
    target: float,
    exposures: npt.ArrayLike,
    level: float = WATCH,
    over: Dispersion | None = None,
) -> Intervals:
    """The funnel around a rate, at each exposure (above 0); not below 0.

    With expected numbers for exposures and 1 for the target, the funnel of O/E. The exact limits are
    those of the Poisson distribution, interpolated as the binomial's.
    """
    e = floats(exposures)
    if not np.all(e > 0) or not target > 0:
        raise ValueError("a funnel needs exposures above 0 and a target above 0")
    exact = _exact(e, target, level, proportion=False)
    if over is None or not over.present:
        return exact
    centre, half = np.sqrt(target), critical(level) * over.inflated(0.5 / np.sqrt(e))
    return _wider(exact, np.maximum(centre - half, 0) ** 2, (centre + half) ** 2)


def _wider(exact: Intervals, low: Floats, high: Floats) -> Intervals:
    return Intervals(np.minimum(exact.low, low), np.maximum(exact.high, high))


def _exact(sizes: Floats, target: float, level: float, proportion: bool) -> Intervals:
    """The interpolated limits, worked out once for each size that occurs."""
    n, back = np.unique(sizes, return_inverse=True)
    chance = _binomial(n, target) if proportion else _poisson(n * target)
    limits = [
        np.clip(_interpolated(chance, z, probability) / n, 0, 1 if proportion else np.inf)
        for z, probability in ((-critical(level), tail(level)), (critical(level), 1 - tail(level)))
    ]
    low, high = (one[back].reshape(sizes.shape) for one in limits)
    return Intervals(low, high)


class _Chance(NamedTuple):
    """How counts are distributed, one distribution a place."""

    mean: Floats
    variance: Floats
    skew: float
    """The third central moment, in variances."""
    most: Floats
    at: Callable[[Floats], Floats]
    """P(X = k)"""
    at_most: Callable[[Floats], Floats]
    """P(X <= k)"""


def _interpolated(chance: _Chance, z: float, probability: float) -> Floats:
    """r − α. The search begins at Cornish and Fisher's quantile, which is seldom a count or two away.

    The distribution function is worked out there once; each step adds or takes away one probability.
    """
    near = np.round(chance.mean + z * np.sqrt(chance.variance) + (z * z - 1) / 6 * chance.skew)
    r = np.clip(near, 0, chance.most)
    here, at = chance.at_most(r), chance.at(r)
    while np.any(over := (here - at >= probability) & (r > 0)):
        here, r = np.where(over, here - at, here), np.where(over, r - 1, r)
        at = chance.at(r)
    while np.any(under := (here < probability) & (r < chance.most)):
        r = np.where(under, r + 1, r)
        at = chance.at(r)
        here = np.where(under, here + at, here)
    return floats(r - (here - probability) / at)


def _binomial(n: Floats, share: float) -> _Chance:
    def at(k: Floats) -> Floats:
        ways = (
            scipy.special.gammaln(n + 1)
            - scipy.special.gammaln(k + 1)
            - scipy.special.gammaln(n - k + 1)
        )
        return floats(np.exp(ways + k * np.log(share) + (n - k) * np.log1p(-share)))

    def at_most(k: Floats) -> Floats:
        return np.where(k < n, scipy.special.betaincc(k + 1, np.maximum(n - k, 1), share), 1.0)

    mean = n * share
    return _Chance(mean, mean * (1 - share), 1 - 2 * share, n, at, at_most)


def _poisson(mean: Floats) -> _Chance:
    def at(k: Floats) -> Floats:
        return floats(np.exp(k * np.log(mean) - mean - scipy.special.gammaln(k + 1)))

    def at_most(k: Floats) -> Floats:
        return floats(scipy.special.gammaincc(k + 1, mean))

    return _Chance(mean, mean, 1.0, np.full(mean.shape, np.inf), at, at_most)
