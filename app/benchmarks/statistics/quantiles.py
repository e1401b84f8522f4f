"""Quantiles by one written rule, Hyndman and Fan's type 7, kept exact; and those a histogram gives."""

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction


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
