"""
Case mix: how probable an outcome is for the cases that a facility has, whoever had looked at them.

A logistic regression of the outcome on what patients bring. With `facilities`, each facility has an
intercept of its own while the coefficients are estimated (fixed effects: He, Kalbfleisch, Li and Li,
Lifetime Data Analysis 2013), so that what good facilities do is not taken for what their patients
are; expectation is then at one national intercept. Cases may come one a row, or counted together
where they are alike.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy

from app.benchmarks.statistics.intervals import Floats, floats

Places = npt.NDArray[np.intp]

STEPS = 100
ENOUGH = 1e-12
"""By how much of the deviance a step must improve it to be followed by another."""
ALIASED = 1e-9
"""A curvature below this share of the largest tells nothing: its column repeats others."""


class Expected(NamedTuple):
    """What each facility would have seen: events, and the variance that chance gives their number."""

    events: Floats
    variances: Floats


@dataclass(frozen=True, slots=True, eq=False)
class CaseMix:
    """A fitted regression: log-odds = intercept + features · coefficients.

    `separated` says that some group of cases had no event, or nothing else: its coefficients have
    no finite value, and its probabilities are 0 or 1 for all practical purposes. The deviance is that
    of the probabilities, at the national intercept.
    """

    intercept: float
    coefficients: Floats
    deviance: float
    separated: bool

    def probabilities(self, features: npt.ArrayLike) -> Floats:
        """Of the event, for each row of features (rows × columns)."""
        return floats(scipy.special.expit(self.intercept + floats(features) @ self.coefficients))

    def expected(
        self,
        features: npt.ArrayLike,
        cases: npt.ArrayLike,
        facilities: npt.ArrayLike,
        count: int,
    ) -> Expected:
        """Events and their variance for facilities 0 … count − 1; `facilities` gives each row's."""
        n, of = floats(cases), np.asarray(facilities, np.intp)
        p = self.probabilities(features)
        return Expected(_by(of, n * p, count), _by(of, n * p * (1 - p), count))


def case_mix(
    features: npt.ArrayLike,
    events: npt.ArrayLike,
    cases: npt.ArrayLike,
    facilities: npt.ArrayLike | None = None,
) -> CaseMix | None:
    """The regression of maximum likelihood, by iteratively reweighted least squares.

    `features` is rows × columns without a column of ones, `events` and `cases` are counts a row,
    `facilities` the facility's place of each row. Expected events sum to those observed. Columns that
    repeat others share their effect (the least coefficients that fit); predictions do not notice.
    None where no case, or every case, has the event, or without any facility that has both.
    """
    x, y, n = floats(features), floats(events), floats(cases)
    if x.ndim != 2 or not len(x) == len(y) == len(n):
        raise ValueError("features are rows × columns, with events and cases for each row")
    if not np.all((y >= 0) & (y <= n)) or not np.isfinite(x).all():
        raise ValueError("each row needs 0 <= events <= cases and features that are known")
    kept = n > 0
    x, y, n = x[kept], y[kept], n[kept]
    if y.sum() in (0, n.sum()):
        return None
    # Centred and scaled, so that a column's unit does not decide what counts as repeated.
    centre = np.average(x, axis=0, weights=n)
    scale = np.sqrt(np.average((x - centre) ** 2, axis=0, weights=n))
    scale[scale == 0] = 1.0
    z = (x - centre) / scale
    if facilities is None:
        intercepts, slopes = _fit(z, y, n, np.zeros(len(y), np.intp))
    else:
        _, of = np.unique(np.asarray(facilities, np.intp)[kept], return_inverse=True)
        # A facility with no event, or with nothing else, has an infinite intercept and tells nothing.
        own, all_ = _by(of, y), _by(of, n)
        tells = ((own > 0) & (own < all_))[of]
        if not tells.any():
            return None
        _, places = np.unique(of[tells], return_inverse=True)
        _, slopes = _fit(z[tells], y[tells], n[tells], places)
        intercepts = np.array([_balanced(z @ slopes, y, n)])
    coefficients = slopes / scale
    fitted = scipy.special.expit(intercepts[0] + z @ slopes)
    return CaseMix(
        float(intercepts[0] - centre @ coefficients),
        coefficients,
        _deviance(y, n, fitted),
        bool(((fitted < 1e-8) | (fitted > 1 - 1e-8)).any()),
    )


def _fit(z: Floats, y: Floats, n: Floats, places: Places) -> tuple[Floats, Floats]:
    """Intercepts, one a place, and slopes.

    The intercepts' curvatures stand on a diagonal and are eliminated first, so that thousands of
    facilities cost no more than one.
    """
    shares = _by(places, y) / _by(places, n)
    intercepts, slopes = scipy.special.logit(shares), np.zeros(z.shape[1])
    deviance = _deviance(y, n, scipy.special.expit(intercepts[places]))
    for _ in range(STEPS):
        p = scipy.special.expit(intercepts[places] + z @ slopes)
        weights, left = n * p * (1 - p), y - n * p
        own = np.maximum(_by(places, weights), np.finfo(float).tiny)
        crossed = np.column_stack(
            [_by(places, weights * column) for column in z.T] or [np.empty((len(own), 0))]
        )
        curvature = (z * weights[:, None]).T @ z - crossed.T @ (crossed / own[:, None])
        gradient = z.T @ left - crossed.T @ (_by(places, left) / own)
        step = np.linalg.lstsq(curvature, gradient, rcond=ALIASED)[0]
        inner = (_by(places, left) - crossed @ step) / own
        # Half a step, and half again, if a whole one leads beyond the top.
        for halving in range(30):
            tried = intercepts + inner / 2**halving, slopes + step / 2**halving
            found = _deviance(y, n, scipy.special.expit(tried[0][places] + z @ tried[1]))
            if found <= deviance * (1 + ENOUGH):
                break
        else:
            break
        gain = deviance - found
        (intercepts, slopes), deviance = tried, found
        if gain <= ENOUGH * (found + 0.1):
            break
    return intercepts, slopes


def _balanced(predictor: Floats, y: Floats, n: Floats) -> float:
    """The intercept at which expected events sum to those observed: a rising function's one root."""
    low, high = -float(predictor.max()) - 40.0, -float(predictor.min()) + 40.0
    wanted = y.sum()
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if (n * scipy.special.expit(middle + predictor)).sum() < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _deviance(y: Floats, n: Floats, p: Floats) -> float:
    """Twice the log-likelihood that is short of a perfect fit."""
    return float(
        2 * (scipy.special.rel_entr(y, n * p) + scipy.special.rel_entr(n - y, n * (1 - p))).sum()
    )


def _by(places: Places, values: Floats, count: int = 0) -> Floats:
    """Sums of values at each place."""
    return floats(np.bincount(places, values, count))
