"""What an interval is, of one value and of an array of them; the normal quantile that levels share."""

from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """An interval of one value."""

    low: float
    high: float


class Intervals(NamedTuple):
    """Intervals of many values: two arrays of the same shape, NaN where there is nothing to tell."""

    low: Floats
    high: Floats


@lru_cache
def critical(level: float) -> float:
    """How many standard errors a two-sided normal interval of this level reaches: 1.96 for 0.95."""
    if not 0 < level < 1:
        raise ValueError("a level lies between 0 and 1")
    return NormalDist().inv_cdf(0.5 + level / 2)


def tail(level: float) -> float:
    """The probability left out on each side."""
    if not 0 < level < 1:
        raise ValueError("a level lies between 0 and 1")
    return (1 - level) / 2


def floats(values: npt.ArrayLike) -> Floats:
    """Values as an array of floating point numbers, not copied if they are one."""
    return np.asarray(values, np.float64)


def one(found: Intervals) -> Interval:
    """The interval of the only value."""
    return Interval(float(found.low), float(found.high))
