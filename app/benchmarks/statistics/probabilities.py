"""
How improbable a facility's result is, two-sided, if only chance set it apart from the target.

The smaller tail, twice. Of counts it is the exact tail with half the probability of the count itself
(mid-P: Lancaster 1961; Berry and Armitage 1995), so that it is neither too cautious nor lopsided.
"""

import numpy as np
import numpy.typing as npt
import scipy

from app.benchmarks.statistics.intervals import Floats, floats


def of_scores(scores: npt.ArrayLike) -> Floats:
    """Of a score z: the normal distribution's tails beyond it, both sides. NaN stays NaN."""
    return floats(2 * scipy.special.ndtr(-np.abs(floats(scores))))


def of_proportions(numerators: npt.ArrayLike, denominators: npt.ArrayLike, target: float) -> Floats:
    """Of a proportion, under the binomial distribution around the target."""
    x, n = floats(numerators), floats(denominators)
    if not np.all((x >= 0) & (x <= n)) or not 0 < target < 1:
        raise ValueError("proportions and a target between 0 and 1 are needed")
    below = np.where(x > 0, scipy.special.betaincc(np.maximum(x, 1), n - x + 1, target), 0.0)
    above = np.where(x < n, scipy.special.betainc(x + 1, np.maximum(n - x, 1), target), 0.0)
    return _mid(below, above)


def of_counts(observed: npt.ArrayLike, expected: npt.ArrayLike) -> Floats:
    """Of a count, under the Poisson distribution with the expected number (above 0) for its mean."""
    o, e = floats(observed), floats(expected)
    if not np.all((o >= 0) & (e > 0)):
        raise ValueError("counts and expected numbers above 0 are needed")
    below = np.where(o > 0, scipy.special.gammaincc(np.maximum(o, 1), e), 0.0)
    return _mid(below, floats(scipy.special.gammainc(o + 1, e)))


def _mid(below: Floats, above: Floats) -> Floats:
    """From P(X < x) and P(X > x): what is left is P(X = x), and half of it belongs to each tail."""
    at = np.maximum(1 - below - above, 0.0)
    return np.minimum(2 * (np.minimum(below, above) + at / 2), 1.0)
