"""
Quantiles and ranks, by one written rule: Hyndman and Fan's type 7, mid-ranks for ties, kept exact.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
import numpy.typing as npt


def quantile(ordered: Sequence[Fraction], share: Fraction) -> Fraction:
    """Hyndman and Fan's type 7: position (n - 1) * share among the ordered values, straight between two.

    What Excel's PERCENTILE.INC and numpy's default do, kept exact.
    """
    if not ordered:
        raise ValueError("no values")
    position = (len(ordered) - 1) * share
    below = math.floor(position)
    if below == position:
        return ordered[below]
    return ordered[below] + (position - below) * (ordered[below + 1] - ordered[below])


NEXT = Fraction(1, 10**12)
"""The least by which a rate is higher than another, as ranks compare them."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How values, one a facility, are spread: quantiles, and where the quarters of ranks begin."""

    quantiles: tuple[Fraction, ...]
    rank_bounds: tuple[Fraction, Fraction, Fraction]


def spread(
    numerators: npt.NDArray[np.int64],
    denominators: npt.NDArray[np.int64],
    shares: Sequence[Fraction],
) -> Spread:
    """The spread of numerators / denominators.

    Sorting is done on floating point: a division is rounded correctly, so equal ratios are equal
    and, for denominators below 10^7, different ones differ. What is picked is exact.
    """
    ratios = numerators / denominators
    order = np.argsort(ratios, kind="stable")
    exact = _Ratios(numerators[order], denominators[order])
    ordered = ratios[order]
    before = np.searchsorted(ordered, ordered, side="left")
    after = np.searchsorted(ordered, ordered, side="right")
    bounds = []
    for quarter in (1, 2, 3):
        # Mid-rank (before + tied / 2) / n, times 2n: before + after.
        reached = np.flatnonzero(2 * (before + after) >= quarter * len(order))
        # Where the highest rate is so common that it ranks lower, only a higher one would be there.
        bounds.append(exact[int(reached[0])] if len(reached) else exact[len(order) - 1] + NEXT)
    return Spread(
        tuple(quantile(exact, share) for share in shares), (bounds[0], bounds[1], bounds[2])
    )


def rank_quartile(value: Decimal, bounds: Sequence[Decimal]) -> int:
    """The quarter, 1 the lowest values and 4 the highest, by mid-rank.

    A value's mid-rank is the share of values below it plus half the share equal to it; the second
    quarter begins at 0.25. `bounds` are the smallest values whose mid-rank reaches 0.25, 0.5, 0.75.
    """
    return 1 + sum(value >= bound for bound in bounds)


def histogram_quantile(
    edges: Sequence[Decimal], bins: Sequence[int], share: Fraction
) -> Fraction | None:
    """A quantile read from a histogram with open ends: straight through the bin that holds n * share.

    Bins are: below the first edge, from each edge to below the next, at or above the last. A quantile
    in an open bin is the edge that bounds it. None without observations.
    """
    wanted = sum(bins) * share
    if not sum(bins):
        return None
    reached = 0
    for place, count in enumerate(bins):
        if count and reached + count >= wanted:
            if place == 0:
                return Fraction(edges[0])
            if place == len(edges):
                return Fraction(edges[-1])
            low, high = Fraction(edges[place - 1]), Fraction(edges[place])
            return low + (high - low) * (wanted - reached) / count
        reached += count
    raise AssertionError("the bins hold all observations")


class _Ratios(Sequence[Fraction]):
    """Ratios of two arrays, each made exact when it is asked for."""

    def __init__(
        self, numerators: npt.NDArray[np.int64], denominators: npt.NDArray[np.int64]
    ) -> None:
        self._numerators, self._denominators = numerators, denominators

    def __len__(self) -> int:
        return len(self._numerators)

    def __getitem__(self, place: int) -> Fraction:  # type: ignore[override]
        return Fraction(int(self._numerators[place]), int(self._denominators[place]))
