"""
Spread: how the rates of a peer group lie, one value a facility, unweighted.

Rates are whole numbers here, of units of the last decimal that is told about peers. What ranks compare
is no finer than what everybody is told: a bound with more decimals would be some facility's own rate,
and whoever moves its own rate across it could read it off.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

FEWEST_FOR_FIVES, FEWEST_FOR_ONES = 20, 100
QUARTER = 25


def rounded(numerators: Ints, denominators: Ints, digits: int | Ints) -> Ints:
    """numerators / denominators in units of 10^-digits, halves away from zero, exact."""
    doubled = np.abs(numerators) * (2 * 10**digits) + denominators
    units: Ints = np.sign(numerators) * (doubled // (2 * denominators))
    return units


def step_of(facilities: int) -> int:
    """How fine a percentile rank may be among so many: each step holds a facility at least."""
    if facilities >= FEWEST_FOR_ONES:
        return 1
    return 5 if facilities >= FEWEST_FOR_FIVES else QUARTER


def packed(bounds: Ints) -> list[bytes]:
    """The bounds of groups, a row each, as a snapshot keeps them: a byte that says how many bytes a
    number has, 4 or 8, and the numbers, their highest byte first.
    """
    size = 4 if int(np.abs(bounds).max(initial=0)) < 2**31 else 8
    head, length = bytes([size]), size * bounds.shape[1]
    written = bounds.astype(f">i{size}").tobytes()
    return [head + written[place : place + length] for place in range(0, len(written), length)]


def unpacked(kept: bytes) -> list[int]:
    """The bounds of one group."""
    found: list[int] = np.frombuffer(kept, f">i{kept[0]}", offset=1).tolist()
    return found


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
