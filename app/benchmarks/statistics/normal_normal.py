"""
How means differ between facilities beside chance: the normal-normal model, on the log scale.

Doses and times are skewed and differ by factors, so the logarithm of each facility's mean is taken.
True log-means are normal around that of all, what is seen is normal around the true one (empirical
Bayes; Efron and Morris, JASA 1975), and the variance between is Morris's (JASA 1983), which is that of
Paule and Mandel (1982).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.benchmarks.statistics.intervals import Floats, Intervals, critical, floats

STEPS = 200
ENOUGH = 1e-13


class Estimates(NamedTuple):
    """One number a facility, with the variance of its error."""

    values: Floats
    variances: Floats


@dataclass(frozen=True, slots=True)
class NormalNormal:
    """The spread of true values: normal, with this mean and variance; 0 where chance explains all."""

    mean: float
    variance: float

    def reliabilities(self, variances: npt.ArrayLike) -> Floats:
        """The share of a value's variance that is between facilities: τ² / (τ² + s²)."""
        return self.variance / (self.variance + floats(variances))

    def values(self, estimates: Estimates) -> Floats:
        """Shrunk values: the mean of all, plus so much of the own deviation as is reliable."""
        weight = self.reliabilities(estimates.variances)
        return self.mean + weight * (estimates.values - self.mean)

    def intervals(self, estimates: Estimates, level: float = 0.95) -> Intervals:
        """Of shrunk values, given mean and variance: their variance is the reliable share of s²."""
        middle = self.values(estimates)
        left = self.reliabilities(estimates.variances) * estimates.variances
        half = critical(level) * np.sqrt(left)
        return Intervals(middle - half, middle + half)


def log_means(
    observations: npt.ArrayLike, means: npt.ArrayLike, variances: npt.ArrayLike
) -> Estimates:
    """Logarithms of means, with the variances of their errors by the delta method: c² / n.

    c² is the squared coefficient of variation within facilities, pooled over all of them: a small
    facility's own would be 0 by chance, and its mean taken for certain. Means and numbers of
    observations are above 0; some facility needs two observations.
    """
    n, m, v = floats(observations), floats(means), floats(variances)
    if not np.all((n > 0) & (m > 0)):
        raise ValueError("log-means need observations and means above 0")
    freedom = n - 1
    if freedom.sum() <= 0:
        raise ValueError("the spread within facilities needs two observations in one of them")
    squares = np.where(freedom > 0, freedom * np.nan_to_num(v) / m**2, 0.0)
    return Estimates(np.log(m), squares.sum() / freedom.sum() / n)


def normal_normal(estimates: Estimates) -> NormalNormal | None:
    """The spread that makes the weighted squares sum to what they should. None below two facilities.

    Sum of (value - mean)² / (τ² + s²) = facilities - 1. The left side falls with τ² and is convex, so
    there is one solution and Newton's steps from 0 rise to it (DerSimonian and Kacker 2007); where it
    is too small at 0, τ² is 0. Variances of errors are above 0.
    """
    y, s = floats(estimates.values), floats(estimates.variances)
    if len(y) < 2:
        return None
    if not np.all(s > 0):
        raise ValueError("variances of errors above 0 are needed")
    between = 0.0
    for _ in range(STEPS):
        weights = 1 / (s + between)
        deviations = y - (weights * y).sum() / weights.sum()
        excess = (weights * deviations**2).sum() - (len(y) - 1)
        step = float(excess / (weights**2 * deviations**2).sum()) if excess > 0 else 0.0
        between += step
        if step <= ENOUGH * between:
            break
    weights = 1 / (s + between)
    return NormalNormal(float((weights * y).sum() / weights.sum()), between)
