"""
The statistics we state, each by one written rule that an independent computation can match.

Counts come in as integers and ratios of them stay exact (`Fraction`) until they are rounded, half
up. Intervals are floating point; they are two-sided and 95 % unless another level is named.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def half_up(value: Fraction | Decimal | int, digits: int) -> Decimal:
    """The value with so many decimals, halves away from zero."""
    exact = Fraction(value) * 10**digits
    whole = math.floor(abs(exact) + Fraction(1, 2))
    return Decimal(-whole if exact < 0 else whole).scaleb(-digits)


def wilson(numerator: int, denominator: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion, without continuity correction (Newcombe 1998, method 3)."""
    if not 0 <= numerator <= denominator or denominator == 0:
        raise ValueError(
            "a proportion needs 0 <= numerator <= denominator and a denominator above 0"
        )
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = numerator / denominator
    centre = 2 * numerator + z * z
    half = z * math.sqrt(z * z + 4 * numerator * (1 - share))
    scale = 2 * (denominator + z * z)
    # At the ends the limit is 0 or 1; the subtraction of equal numbers may miss it by an epsilon.
    low = 0.0 if numerator == 0 else (centre - half) / scale
    high = 1.0 if numerator == denominator else (centre + half) / scale
    return Interval(low, high)


def exact_poisson(count: int, level: float = 0.95) -> Interval:
    """Garwood's exact limits of a Poisson count (1936); divide by the exposure for those of a rate."""
    if count < 0:
        raise ValueError("a count is not negative")
    tail = (1 - level) / 2
    wide = 10 * math.sqrt(count + 1) + 20
    low = 0.0 if count == 0 else _root(lambda mean: _at_least(count, mean) - tail, 0.0, count)
    high = _root(lambda mean: tail - _at_most(count, mean), count, count + wide)
    return Interval(low, high)


def mean_interval(
    observations: int, total: Fraction, total_of_squares: Fraction, level: float = 0.95
) -> Interval | None:
    """Student's interval of a mean from exact sums; none for fewer than two observations."""
    if observations < 2:
        return None
    mean = total / observations
    variance = max((total_of_squares - mean * total) / (observations - 1), Fraction(0))
    half = student_quantile(0.5 + level / 2, observations - 1) * math.sqrt(variance / observations)
    return Interval(float(mean) - half, float(mean) + half)


def student_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's t, for a probability of at least one half."""
    if freedom > 10**7:
        return NormalDist().inv_cdf(probability)
    tail = 2 * (1 - probability)
    # P(|T| > t) = I_x(f/2, 1/2) at x = f / (f + t²); it rises with x.
    x = _root(lambda x: _incomplete_beta(freedom / 2, 0.5, x) - tail, 0.0, 1.0)
    return math.sqrt(freedom * (1 - x) / x)


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


def _at_most(count: int, mean: float) -> float:
    """P(X <= count) of a Poisson variable whose mean is not below the count: the tail's own sum."""
    if mean == 0:
        return 1.0
    term = math.exp(-mean + count * math.log(mean) - math.lgamma(count + 1))
    total, k = term, count
    while k > 0 and term > total * 1e-17:
        term *= k / mean
        total += term
        k -= 1
    return min(total, 1.0)


def _at_least(count: int, mean: float) -> float:
    """P(X >= count) of a Poisson variable whose mean is not above the count: the tail's own sum."""
    if mean == 0:
        return 0.0
    term = math.exp(-mean + count * math.log(mean) - math.lgamma(count + 1))
    total, k = term, count + 1
    while term > total * 1e-17:
        term *= mean / k
        total += term
        k += 1
    return min(total, 1.0)


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (Lentz)."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 10_000):
        for factor in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + factor * d)
            c = 1 + factor / c
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * fraction / a


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function crosses zero, by bisection to the last bit."""
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if function(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
