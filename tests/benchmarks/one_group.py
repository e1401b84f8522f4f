"""The rates of one group by itself, step by step: what is worked out of all groups at once is held to it."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from app.benchmarks.spread import step_of

Ints = npt.NDArray[np.int64]


def quantiles(
    numerators: Ints, denominators: Ints, shares: Sequence[Fraction], digits: int
) -> list[int]:
    """Quantiles of rates that are in order, in units of 10^-digits, halves away from zero, exact.

    Hyndman and Fan's type 7, as `statistics.quantile`: position (n - 1) * share, straight between two.
    """
    last, found = len(numerators) - 1, []
    for share in shares:
        below, rest = divmod(last * share.numerator, share.denominator)
        above = min(below + 1, last)
        one, of = int(numerators[below]), int(denominators[below])
        other, of_other = int(numerators[above]), int(denominators[above])
        top = (share.denominator - rest) * one * of_other + rest * other * of
        bottom = share.denominator * of * of_other
        units = (2 * abs(top) * 10**digits + bottom) // (2 * bottom)
        found.append(units if top >= 0 else -units)
    return found


def in_order(numerators: Ints, denominators: Ints) -> npt.NDArray[np.intp]:
    """The places of rates in rising order.

    A division is rounded correctly, so equal ratios are equal and, for denominators below 10^7,
    different ones differ.
    """
    return np.argsort(numerators / denominators, kind="stable")


def rank_bounds(ordered: Ints) -> Ints:
    """The smallest values whose mid-rank reaches each step of a hundred, of values in order.

    A mid-rank is the share of values below plus half the share of equal ones. Where the highest value
    is so common that it ranks lower, only a higher one would be there.
    """
    before = np.searchsorted(ordered, ordered, side="left")
    after = np.searchsorted(ordered, ordered, side="right")
    step = step_of(len(ordered))
    wanted = np.arange(step, 100, step)
    # (before + after) / 2n of a hundred, times n.
    places = np.searchsorted(50 * (before + after), wanted * len(ordered), side="left")
    last = len(ordered) - 1
    return ordered[np.minimum(places, last)] + (places > last)
