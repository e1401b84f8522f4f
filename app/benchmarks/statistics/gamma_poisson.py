"""
How ratios of observed to expected differ between facilities beside chance: the gamma-Poisson model.

Each facility's true ratio is drawn from a gamma distribution, its count from a Poisson distribution
around the ratio times the expected number (empirical Bayes; Clayton and Kaldor, Biometrics 1987).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from app.benchmarks.statistics.intervals import Floats, Intervals, floats, tail
from app.benchmarks.statistics.maximum import ENOUGH, ROUNDING, Slopes, highest

SHAPES = tuple(np.geomspace(0.01, 1e4, 13).tolist())
"""Of which the likelihood is asked first."""


@dataclass(frozen=True, slots=True)
class GammaPoisson:
    """The spread of true ratios: a gamma distribution, told by its mean and shape.

    The shape is infinite where facilities differ no more than by chance. shape / mean is the
    expected number at which a facility's own ratio and the mean of all weigh the same.
    """

    mean: float
    shape: float

    @property
    def rate(self) -> float:
        return self.shape / self.mean

    @property
    def variance(self) -> float:
        """Of true ratios between facilities."""
        return self.mean**2 / self.shape

    def reliabilities(self, expected: npt.ArrayLike) -> Floats:
        """The share of a ratio's variance that is between facilities: E / (E + shape / mean)."""
        e = floats(expected)
        return floats(e / (e + self.rate))

    def ratios(self, observed: npt.ArrayLike, expected: npt.ArrayLike) -> Floats:
        """Shrunk ratios: (O + shape) / (E + shape / mean)."""
        o, e = floats(observed), floats(expected)
        weight = self.reliabilities(e)
        own = np.divide(o, e, out=np.full(np.broadcast(o, e).shape, self.mean), where=e > 0)
        return floats(weight * own + (1 - weight) * self.mean)

    def intervals(
        self, observed: npt.ArrayLike, expected: npt.ArrayLike, level: float = 0.95
    ) -> Intervals:
        """Of shrunk ratios: quantiles of Gamma(O + shape, E + shape / mean), given mean and shape.

        That these are estimates themselves is not in them. With infinite shape the interval is the
        mean alone.
        """
        o, e = floats(observed), floats(expected)
        if np.isinf(self.shape):
            mean = np.full(np.broadcast(o, e).shape, self.mean)
            return Intervals(mean, mean)
        out, shape, rate = tail(level), o + self.shape, e + self.rate
        return Intervals(
            floats(scipy.special.gammaincinv(shape, out) / rate),
            floats(scipy.special.gammainccinv(shape, out) / rate),
        )


def gamma_poisson(observed: npt.ArrayLike, expected: npt.ArrayLike) -> GammaPoisson | None:
    """The spread of maximum likelihood (the negative binomial's). None where it cannot be told.

    It cannot with fewer than two facilities that expect something, or if nothing was observed. The
    shape is infinite where nothing is as likely as that facilities do not differ at all. Where the
    likelihood is too flat to have a summit, the spread is that of moments.
    """
    if (told := _told(observed, expected)) is None:
        return None
    o, e = told
    pooled = float(o.sum() / e.sum())
    # Twice the slope of the log-likelihood against 1 / shape, where that is 0. Where it falls there, it
    # may yet rise higher further on.
    slope = np.square(o - pooled * e) - o
    falls = slope.sum() <= ROUNDING * np.abs(slope).sum()
    rough = np.inf if falls else float(np.square(pooled * e).sum() / slope.sum())  # by moments
    shapes = sorted([*SHAPES, float(np.clip(rough, 0.1, 1e5))])
    best = highest(lambda place: _likelihood(place, o, e), [_along(one, o, e) for one in shapes])
    alike = float((o * np.log(pooled) - pooled * e).sum())
    if best is None or (falls and best.value <= alike + ENOUGH):
        return GammaPoisson(pooled, rough)
    return GammaPoisson(float(np.exp(best.place[0])), float(np.exp(best.place[1])))


def _told(observed: npt.ArrayLike, expected: npt.ArrayLike) -> tuple[Floats, Floats] | None:
    """Counts and expected numbers where something is expected; None if they tell of no spread."""
    o, e = floats(observed), floats(expected)
    if not np.all((o >= 0) & (e >= 0)):
        raise ValueError("counts and expected numbers are not negative")
    o, e = o[e > 0], e[e > 0]
    return None if len(e) < 2 or o.sum() == 0 else (o, e)


def _along(shape: float, o: Floats, e: Floats) -> Floats:
    """(log of the mean, log of the shape), at nearly the mean that is most likely with this shape."""
    weights = 1 / (shape + e * o.sum() / e.sum())
    return np.log([(weights * o).sum() / (weights * e).sum(), shape])


def gamma_poisson_moments(observed: npt.ArrayLike, expected: npt.ArrayLike) -> GammaPoisson | None:
    """The spread of moments, weighted by what is expected (Marshall, Applied Statistics 1991).

    A hundredth of the likelihood's cost, for many facilities. None where it cannot be told.
    """
    if (told := _told(observed, expected)) is None:
        return None
    o, e = told
    mean = float(o.sum() / e.sum())
    squares = float((e * (o / e - mean) ** 2).sum() / e.sum())
    between = squares - mean / float(e.mean())
    return GammaPoisson(mean, mean**2 / between if between > 0 else np.inf)


def _likelihood(place: Floats, o: Floats, e: Floats) -> Slopes:
    """At (log of the mean, log of the shape), but for a constant."""
    shape = float(np.exp(place[1]))
    mean = np.exp(place[0]) * e
    total = shape + mean
    value = scipy.special.gammaln(shape + o) - scipy.special.gammaln(shape) + o * place[0]
    value += shape * place[1] - (shape + o) * np.log(total)
    by_mean = shape * (o - mean) / total
    by_shape = (
        scipy.special.digamma(shape + o) - scipy.special.digamma(shape) + np.log(shape / total)
    ) + (mean - o) / total
    again = scipy.special.zeta(2, shape + o) - scipy.special.zeta(2, shape)  # trigamma
    again += 1 / shape - 2 / total + (shape + o) / total**2
    gradient = np.array([by_mean.sum(), shape * by_shape.sum()])
    cross = shape * (mean * (o - mean) / total**2).sum()
    hessian = np.array(
        [
            [-(shape * mean * (shape + o) / total**2).sum(), cross],
            [cross, shape**2 * again.sum() + gradient[1]],
        ]
    )
    return Slopes(float(value.sum()), gradient, hessian)
