"""
Control limits of funnel plots: what chance alone, or chance and ordinary scatter, would give at a size.

Without over-dispersion the limits are exact, interpolated between the counts that are possible
(Spiegelhalter 2005, Statistics in Medicine 24:1185, appendix A.1), and clamped to what a rate can
be. With it they are normal on the scale on which dispersion was judged, and turned back.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

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
    if over is not None and over.present:
        centre, half = np.arcsin(np.sqrt(target)), critical(level) * over.inflated(0.5 / np.sqrt(n))
        return Intervals(
            np.sin(np.maximum(centre - half, 0)) ** 2,
            np.sin(np.minimum(centre + half, np.pi / 2)) ** 2,
        )
    at_most = _binomial(n, target)
    out = tail(level)
    low, high = (_interpolated(at_most, p, np.zeros_like(n) - 1, n) for p in (out, 1 - out))
    return Intervals(np.clip(low / n, 0, 1), np.clip(high / n, 0, 1))


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
    if over is not None and over.present:
        centre, half = np.sqrt(target), critical(level) * over.inflated(0.5 / np.sqrt(e))
        return Intervals(np.maximum(centre - half, 0) ** 2, (centre + half) ** 2)
    mean = e * target
    out = tail(level)
    # Far enough above the mean for any level in use: the tail there is below 10^-20.
    most = np.ceil(mean + 10 * np.sqrt(mean) + 50)
    low, high = (
        _interpolated(lambda k: _poisson(k, mean), p, np.zeros_like(e) - 1, most)
        for p in (out, 1 - out)
    )
    return Intervals(np.maximum(low / e, 0), high / e)


def _interpolated(
    at_most: Callable[[Floats], Floats], probability: float, below: Floats, reached: Floats
) -> Floats:
    """r − α, by halving: `below` has not reached the probability and `reached` has, at each place."""
    while np.any(reached - below > 1):
        middle = np.floor((below + reached) / 2)
        enough = at_most(middle) >= probability
        below, reached = np.where(enough, below, middle), np.where(enough, middle, reached)
    here, before = at_most(reached), at_most(reached - 1)
    return reached - (here - probability) / (here - before)


def _binomial(n: Floats, share: float) -> Callable[[Floats], Floats]:
    """P(X <= k); 0 for k = −1 and 1 for k = n, where the incomplete beta function is not defined."""

    def at_most(k: Floats) -> Floats:
        inner = special.betaincc(np.maximum(k, 0) + 1, np.maximum(n - k, 1), share)
        return np.where(k < 0, 0.0, np.where(k >= n, 1.0, inner))

    return at_most


def _poisson(k: Floats, mean: Floats) -> Floats:
    return np.where(k < 0, 0.0, special.gammaincc(np.maximum(k, 0) + 1, mean))
