"""
Flags: which facilities are said to stand out, when many are looked at in one go.

A facility outside the 95 % limits of the funnel is to be watched. One outside the 99.8 % limits is to
be reviewed if it still stands out when the number of facilities is allowed for: among all that are
reviewed, at most 5 % are expected to be there by chance (Benjamini and Hochberg, JRSS B 1995).
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from app.benchmarks.statistics.intervals import Floats, Intervals, floats

FALSE_DISCOVERIES = 0.05

Standing = Literal["as-expected", "watch", "review"]
STANDINGS: tuple[Standing, ...] = ("as-expected", "watch", "review")


def benjamini_hochberg(probabilities: npt.ArrayLike) -> Floats:
    """Adjusted probabilities: the least false discovery rate at which each would be called.

    As R's `p.adjust(method = "BH")`. NaN stays NaN and is not counted.
    """
    p = floats(probabilities)
    told = np.flatnonzero(~np.isnan(p))
    if np.any((p[told] < 0) | (p[told] > 1)):
        raise ValueError("a probability lies between 0 and 1")
    order = told[np.argsort(p[told], kind="stable")]
    ranks = np.arange(1, len(order) + 1)
    found = np.full(p.shape, np.nan)
    # From the largest down: no probability is adjusted above that of a larger one.
    found[order] = np.minimum.accumulate((p[order] * len(order) / ranks)[::-1])[::-1]
    return found


def called_up_to(
    probabilities: npt.ArrayLike, false_discoveries: float = FALSE_DISCOVERIES
) -> float:
    """The probability up to which Benjamini and Hochberg would call, k q / m; 0 of no probability.

    Of m known probabilities, k is how many are called, or 1 where none is: what one more as improbable
    would take. Exactly those that `benjamini_hochberg` adjusts to q or below are at or below it.
    """
    p = floats(probabilities)
    number = int((~np.isnan(p)).sum())
    if not number:
        return 0.0
    low = np.sort(p[p <= false_discoveries])  # none above is ever called
    called = np.flatnonzero(low * number / np.arange(1, len(low) + 1) <= false_discoveries)
    if not len(called):
        return false_discoveries / number
    last = int(called[-1])
    # What was computed in two ways may differ in the last digit.
    return max(false_discoveries * (last + 1) / number, float(low[last]))


def flags(
    rates: npt.ArrayLike,
    watch: Intervals,
    review: Intervals,
    called: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int8]:
    """Each facility's flag: 0 as expected, 1 watch, 2 review; negative where the rate is low.

    `watch` and `review` are the limits as drawn, so that the flag and the picture agree; `called` is
    whether it still stands out when all that were looked at are allowed for. A rate of NaN has flag 0.
    """
    y = floats(rates)
    found = np.zeros(y.shape, np.int8)
    for sign, outside in (
        (1, (y > watch.high, y > review.high)),
        (-1, (y < watch.low, y < review.low)),
    ):
        found[outside[0]] = sign
        found[outside[1] & called] = 2 * sign
    return found


def standing(flag: int) -> Standing:
    """A flag in a word."""
    return STANDINGS[abs(int(flag))]
