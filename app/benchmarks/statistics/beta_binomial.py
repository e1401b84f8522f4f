"""
How proportions differ between facilities beside chance: the beta-binomial model.

Each facility's true proportion is drawn from a beta distribution, its count from a binomial. From
the two follow how reliable a facility's own rate is, and the rate shrunk towards the mean of all by
as much as it is not (empirical Bayes; Morris, JASA 1983).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from app.benchmarks.statistics.intervals import Floats, Intervals, floats, tail
from app.benchmarks.statistics.maximum import ENOUGH, ROUNDING, Slopes, highest

PRECISIONS = tuple(np.geomspace(0.01, 1e4, 13).tolist())
"""Of which the likelihood is asked first."""
LEAST = 1e-4
"""The precision of facilities that have all of their cases in the numerator, or none."""


@dataclass(frozen=True, slots=True)
class BetaBinomial:
    """The spread of true proportions: Beta(a, b), told by its mean and by a + b.

    The precision a + b is the number of cases at which a facility's own rate and the mean of all
    weigh the same. It is infinite where facilities differ no more than by chance.
    """

    mean: float
    precision: float

    @property
    def a(self) -> float:
        return self.mean * self.precision

    @property
    def b(self) -> float:
        return (1 - self.mean) * self.precision

    @property
    def variance(self) -> float:
        """Of true proportions between facilities."""
        return self.mean * (1 - self.mean) / (self.precision + 1)

    def reliabilities(self, denominators: npt.ArrayLike) -> Floats:
        """The share of a rate's variance that is between facilities: n / (n + a + b), from 0 to 1.

        Signal over signal and noise, with the noise that a facility of this size has on average.
        """
        n = floats(denominators)
        return floats(n / (n + self.precision))

    def rates(self, numerators: npt.ArrayLike, denominators: npt.ArrayLike) -> Floats:
        """Shrunk rates: (x + a) / (n + a + b)."""
        x, n = floats(numerators), floats(denominators)
        weight = self.reliabilities(n)
        own = np.divide(x, n, out=np.full(np.broadcast(x, n).shape, self.mean), where=n > 0)
        return floats(weight * own + (1 - weight) * self.mean)

    def intervals(
        self, numerators: npt.ArrayLike, denominators: npt.ArrayLike, level: float = 0.95
    ) -> Intervals:
        """Of shrunk rates: quantiles of Beta(a + x, b + n − x), given a and b.

        That a and b are estimates themselves is not in them. With infinite precision the interval is
        the mean alone.
        """
        x, n = floats(numerators), floats(denominators)
        if np.isinf(self.precision):
            mean = np.full(np.broadcast(x, n).shape, self.mean)
            return Intervals(mean, mean)
        out, a, b = tail(level), self.a + x, self.b + n - x
        return Intervals(
            floats(scipy.special.betaincinv(a, b, out)),
            floats(scipy.special.betainccinv(a, b, out)),
        )


def beta_binomial(numerators: npt.ArrayLike, denominators: npt.ArrayLike) -> BetaBinomial | None:
    """The spread of maximum likelihood. None where it cannot be told.

    It cannot with fewer than two facilities that have cases, or if all cases, or none, are in the
    numerator. The precision is infinite where nothing is as likely as that facilities do not differ
    at all, and `LEAST` where it rises until each is all or nothing. Where the likelihood is too flat
    to have a summit, the spread is that of moments.
    """
    found = _told(numerators, denominators)
    if found is None:
        return None
    x, n = found
    pooled = float(x.sum() / n.sum())
    if ((x == 0) | (x == n)).all() and (n > 1).any():
        # The likelihood rises until the precision is 0.
        return BetaBinomial(float((x > 0).mean()), LEAST)
    rough = beta_binomial_moments(x, n)
    assert rough is not None  # the same counts
    # The slope of the log-likelihood against 1 / precision, where that is 0 (Tarone 1979). Where it falls
    # there, it may yet rise higher further on.
    slope = (x * (x - 1)) / pooled + (n - x) * (n - x - 1) / (1 - pooled) - n * (n - 1)
    precisions = sorted([*PRECISIONS, float(np.clip(rough.precision, 0.1, 1e5))])
    best = highest(
        lambda place: _likelihood(place, x, n), [_along(one, x, n) for one in precisions]
    )
    alike = float((x * np.log(pooled) + (n - x) * np.log1p(-pooled)).sum())
    falls = slope.sum() <= ROUNDING * np.abs(slope).sum()
    if falls and (best is None or best.value <= alike + ENOUGH):
        return BetaBinomial(pooled, np.inf)
    if best is None:  # too flat to tell: facilities hardly differ
        return rough
    return BetaBinomial(float(scipy.special.expit(best.place[0])), float(np.exp(best.place[1])))


def _along(precision: float, x: Floats, n: Floats) -> Floats:
    """(logit of the mean, log of the precision), at nearly the mean that is most likely with this precision."""
    weights = 1 / (precision + n)
    mean = (weights * x).sum() / (weights * n).sum()
    return floats([scipy.special.logit(mean), np.log(precision)])


def beta_binomial_moments(
    numerators: npt.ArrayLike, denominators: npt.ArrayLike
) -> BetaBinomial | None:
    """The spread of moments, weighted by cases (Kleinman, JASA 1973). None where it cannot be told."""
    found = _told(numerators, denominators)
    if found is None:
        return None
    x, n = found
    total = n.sum()
    mean = float(x.sum() / total)
    squares = float((n * (x / n - mean) ** 2).sum())
    noise = mean * (1 - mean)
    own, shared = len(n) - 1.0, float(total - (n**2).sum() / total)
    if shared <= own:  # one case each: nothing tells difference from chance
        return BetaBinomial(mean, np.inf)
    intraclass = (squares - noise * own) / (noise * (shared - own))
    if intraclass <= 0:
        return BetaBinomial(mean, np.inf)
    return BetaBinomial(mean, max(1 / intraclass - 1, 0.0))


def _told(numerators: npt.ArrayLike, denominators: npt.ArrayLike) -> tuple[Floats, Floats] | None:
    x, n = floats(numerators), floats(denominators)
    if not np.all((x >= 0) & (x <= n)):
        raise ValueError("a proportion needs 0 <= numerator <= denominator")
    x, n = x[n > 0], n[n > 0]
    return None if len(n) < 2 or x.sum() in (0, n.sum()) else (x, n)


def _likelihood(place: Floats, x: Floats, n: Floats) -> Slopes:
    """At (logit of the mean, log of the precision)."""
    mean, precision = float(scipy.special.expit(place[0])), float(np.exp(place[1]))
    a, b = mean * precision, (1 - mean) * precision
    value = (scipy.special.betaln(a + x, b + n - x) - scipy.special.betaln(a, b)).sum()

    def first(plus: Floats, base: float) -> float:
        return float((scipy.special.digamma(base + plus) - scipy.special.digamma(base)).sum())

    def second(plus: Floats, base: float) -> float:
        return float(
            (scipy.special.zeta(2, base + plus) - scipy.special.zeta(2, base)).sum()
        )  # trigamma

    both, both_again = first(n, precision), second(n, precision)
    by_a, by_b = first(x, a) - both, first(n - x, b) - both
    aa, bb, ab = second(x, a) - both_again, second(n - x, b) - both_again, -both_again
    # a = precision * mean and b = precision * (1 - mean), by the chain rule.
    turn = a * (1 - mean)  # of a with the logit; of b it is the same, negative
    gradient = np.array([turn * (by_a - by_b), a * by_a + b * by_b])
    cross = turn * (a * (aa - ab) + b * (ab - bb)) + gradient[0]
    hessian = np.array(
        [
            [turn**2 * (aa - 2 * ab + bb) + (1 - 2 * mean) * gradient[0], cross],
            [cross, a * a * aa + 2 * a * b * ab + b * b * bb + gradient[1]],
        ]
    )
    return Slopes(float(value), gradient, hessian)
