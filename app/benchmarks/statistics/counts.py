"""Exact intervals of Poisson counts and of the ratio of two rates."""

import numpy as np
import numpy.typing as npt
import scipy

from app.benchmarks.statistics.intervals import Interval, Intervals, floats, one, tail
from app.benchmarks.statistics.proportions import clopper_pearson_intervals


def exact_poisson_intervals(counts: npt.ArrayLike, level: float = 0.95) -> Intervals:
    """Garwood's exact limits of Poisson counts (Biometrika 1936); divide by the exposure for a rate's.

    The limits are quantiles of the gamma distribution, halves of chi-square's: of shape `count` below
    and `count` + 1 above. Raises ValueError for a negative count.
    """
    x = floats(counts)
    if not np.all(x >= 0):
        raise ValueError("a count is not negative")
    out = tail(level)
    low = np.where(x == 0, 0.0, scipy.special.gammaincinv(np.maximum(x, 1), out))
    return Intervals(low, floats(scipy.special.gammainccinv(x + 1, out)))


def exact_poisson(count: int, level: float = 0.95) -> Interval:
    """Garwood's limits of one count."""
    return one(exact_poisson_intervals(count, level))


def rate_ratio_intervals(
    counts: npt.ArrayLike,
    exposures: npt.ArrayLike,
    earlier_counts: npt.ArrayLike,
    earlier_exposures: npt.ArrayLike,
    level: float = 0.95,
) -> Intervals:
    """The exact interval of a rate divided by an earlier, independent one, as R's `poisson.test`.

    Given the sum of both counts, the first is binomial (Przyborowski and Wilenski 1940), so the
    limits are Clopper and Pearson's, turned into odds and multiplied by the ratio of exposures. The
    upper limit is infinite where the earlier count is 0; both are NaN where both counts or an
    exposure are 0.
    """
    x, y = floats(counts), floats(earlier_counts)
    span, earlier_span = floats(exposures), floats(earlier_exposures)
    if not np.all((span >= 0) & (earlier_span >= 0)):
        raise ValueError("an exposure is not negative")
    shares = clopper_pearson_intervals(x, x + y, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where((span > 0) & (earlier_span > 0), earlier_span / span, np.nan)
        low = shares.low / (1 - shares.low) * scale
        high = shares.high / (1 - shares.high) * scale
    return Intervals(low, high)


def rate_ratio(
    count: int, exposure: float, earlier_count: int, earlier_exposure: float, level: float = 0.95
) -> Interval:
    """The exact interval of the ratio of two rates; ValueError where there is nothing to compare."""
    if not exposure > 0 or not earlier_exposure > 0 or count + earlier_count == 0:
        raise ValueError("a ratio of rates needs two exposures and at least one event")
    return one(rate_ratio_intervals(count, exposure, earlier_count, earlier_exposure, level))
