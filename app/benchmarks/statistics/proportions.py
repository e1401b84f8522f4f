"""
Intervals of proportions and of their difference.

Counts in, one interval each out; NaN for a denominator of 0.
"""

import numpy as np
import numpy.typing as npt
import scipy

from app.benchmarks.statistics.intervals import (
    Floats,
    Interval,
    Intervals,
    critical,
    floats,
    one,
    tail,
)


def wilson_intervals(
    numerators: npt.ArrayLike, denominators: npt.ArrayLike, level: float = 0.95
) -> Intervals:
    """Wilson's score interval, without continuity correction (1927; Newcombe 1998a, method 3).

    Raises ValueError for a numerator that is negative or above its denominator.
    """
    x, n = _checked(numerators, denominators)
    z = critical(level)
    with np.errstate(invalid="ignore"):
        centre = 2 * x + z * z
        half = z * np.sqrt(z * z + 4 * x * (1 - x / n))
    scale = 2 * (n + z * z)
    # At the ends the limit is 0 or 1; the subtraction of equal numbers may miss it by an epsilon.
    low = np.where(x == 0, 0.0, (centre - half) / scale)
    high = np.where(x == n, 1.0, (centre + half) / scale)
    return _where_any(n, low, high)


def wilson(numerator: int, denominator: int, level: float = 0.95) -> Interval:
    """Wilson's interval of one proportion; ValueError without a denominator."""
    _needed(denominator)
    return one(wilson_intervals(numerator, denominator, level))


def clopper_pearson_intervals(
    numerators: npt.ArrayLike, denominators: npt.ArrayLike, level: float = 0.95
) -> Intervals:
    """The exact interval (Clopper and Pearson 1934): each tail of the binomial holds half of what is left.

    Raises ValueError for a numerator that is negative or above its denominator.
    """
    x, n = _checked(numerators, denominators)
    out = tail(level)
    # Where a limit is 0 or 1 the inverse is not asked: its arguments would not be above 0.
    low = np.where(x == 0, 0.0, scipy.special.betaincinv(np.maximum(x, 1), n - x + 1, out))
    high = np.where(x == n, 1.0, scipy.special.betainccinv(x + 1, np.maximum(n - x, 1), out))
    return _where_any(n, low, high)


def clopper_pearson(numerator: int, denominator: int, level: float = 0.95) -> Interval:
    """The exact interval of one proportion; ValueError without a denominator."""
    _needed(denominator)
    return one(clopper_pearson_intervals(numerator, denominator, level))


def newcombe_intervals(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    earlier_numerators: npt.ArrayLike,
    earlier_denominators: npt.ArrayLike,
    level: float = 0.95,
) -> Intervals:
    """The interval of a proportion minus an earlier, independent one: Newcombe's hybrid score interval.

    Newcombe 1998b (Statistics in Medicine 17:873), method 10: the distances from each proportion to
    its own Wilson limits are added as squares. Shape as the inputs broadcast; NaN where either
    denominator is 0.
    """
    x, n = _checked(numerators, denominators)
    earlier_x, earlier_n = _checked(earlier_numerators, earlier_denominators)
    now, then = (
        wilson_intervals(x, n, level),
        wilson_intervals(earlier_x, earlier_n, level),
    )
    with np.errstate(invalid="ignore"):
        p, q = x / n, earlier_x / earlier_n
    low = p - q - np.hypot(p - now.low, then.high - q)
    high = p - q + np.hypot(now.high - p, q - then.low)
    return Intervals(np.maximum(low, -1.0), np.minimum(high, 1.0))


def newcombe(
    numerator: int,
    denominator: int,
    earlier_numerator: int,
    earlier_denominator: int,
    level: float = 0.95,
) -> Interval:
    """The interval of the change of one proportion; ValueError where a denominator is 0."""
    _needed(denominator)
    _needed(earlier_denominator)
    return one(
        newcombe_intervals(numerator, denominator, earlier_numerator, earlier_denominator, level)
    )


def _checked(numerators: npt.ArrayLike, denominators: npt.ArrayLike) -> tuple[Floats, Floats]:
    x, n = floats(numerators), floats(denominators)
    if not np.all((x >= 0) & (x <= n)):
        raise ValueError("a proportion needs 0 <= numerator <= denominator")
    return x, n


def _needed(denominator: int) -> None:
    if denominator == 0:
        raise ValueError("a proportion needs a denominator above 0")


def _where_any(n: Floats, low: Floats, high: Floats) -> Intervals:
    return Intervals(np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan))
