"""
Spread: how the rates of a peer group lie, one value a facility, unweighted.

Rates are whole numbers here, of units of the last decimal that is told about peers. What ranks compare
is no finer than what everybody is told: a bound with more decimals would be some facility's own rate,
and whoever moves its own rate across it could read it off.
"""

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

FEWEST_FOR_FIVES, FEWEST_FOR_ONES = 20, 100
QUARTER = 25


def rounded(numerators: Ints, denominators: Ints, digits: int) -> Ints:
    """numerators / denominators in units of 10^-digits, halves away from zero, exact."""
    doubled = np.abs(numerators) * (2 * 10**digits) + denominators
    units: Ints = np.sign(numerators) * (doubled // (2 * denominators))
    return units


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


def step_of(facilities: int) -> int:
    """How fine a percentile rank may be among so many: each step holds a facility at least."""
    if facilities >= FEWEST_FOR_ONES:
        return 1
    return 5 if facilities >= FEWEST_FOR_FIVES else QUARTER


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


class Rank(NamedTuple):
    """Where a value stands among others: 1 is the quarter of the lowest."""

    quartile: int
    percentile: int | None
    """The mid-rank of a hundred, rounded down to a whole step; None among fewer than twenty."""


def rank(value: int, bounds: Sequence[int]) -> Rank:
    """The rank of a value by the bounds of `rank_bounds`."""
    step = 100 // (len(bounds) + 1)
    quarters = bounds[QUARTER // step - 1 :: QUARTER // step]
    quartile = 1 + bisect_right(quarters, value)
    if step == QUARTER:
        return Rank(quartile, None)
    return Rank(quartile, step * bisect_right(bounds, value))
