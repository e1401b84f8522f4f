"""Intervals of means and of their change, from exact sums."""

import math
from fractions import Fraction
from typing import NamedTuple

import scipy

from app.benchmarks.statistics.intervals import Interval, tail


class Sums(NamedTuple):
    """What is kept of observations: how many, their sum, and the sum of their squares; exact."""

    observations: int
    total: Fraction
    total_of_squares: Fraction

    @property
    def mean(self) -> Fraction:
        return self.total / self.observations

    @property
    def variance(self) -> Fraction:
        """The sample's variance, of two observations or more."""
        left = self.total_of_squares - self.mean * self.total
        return max(left / (self.observations - 1), Fraction(0))


def student_quantile(probability: float, freedom: float) -> float:
    """The quantile of Student's t; degrees of freedom need not be whole."""
    return float(scipy.special.stdtrit(freedom, probability))


def mean_interval(
    observations: int, total: Fraction, total_of_squares: Fraction, level: float = 0.95
) -> Interval | None:
    """Student's interval of a mean from exact sums; none for fewer than two observations."""
    if observations < 2:
        return None
    sums = Sums(observations, total, total_of_squares)
    error = math.sqrt(sums.variance / observations)
    half = student_quantile(1 - tail(level), observations - 1) * error
    return Interval(float(sums.mean) - half, float(sums.mean) + half)


def welch(now: Sums, earlier: Sums, level: float = 0.95) -> Interval | None:
    """The interval of a mean minus an earlier, independent one (Welch 1947), variances not held equal.

    None where either side has fewer than two observations. Two sides without any spread differ by
    what they differ.
    """
    if min(now.observations, earlier.observations) < 2:
        return None
    parts = [float(one.variance / one.observations) for one in (now, earlier)]
    difference = float(now.mean - earlier.mean)
    squared = sum(parts)
    if squared == 0:
        return Interval(difference, difference)
    # Satterthwaite's degrees of freedom, from shares so that small variances do not underflow.
    freedom = 1 / sum(
        (part / squared) ** 2 / (one.observations - 1)
        for part, one in zip(parts, (now, earlier), strict=True)
    )
    half = student_quantile(1 - tail(level), freedom) * math.sqrt(squared)
    return Interval(difference - half, difference + half)
