"""
Case mix: how probable an outcome is for the cases that a facility has, whoever had looked at them.

A logistic regression of the outcome on what patients bring. With `facilities`, each facility has an
intercept of its own while the coefficients are estimated (fixed effects: He, Kalbfleisch, Li and Li,
Lifetime Data Analysis 2013), so that what good facilities do is not taken for what their patients
are; expectation is then at one national intercept. Cases may come one a row, or counted together
where they are alike; where they are of a few kinds, as a table of facilities by kinds.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from scipy import special

from app.benchmarks.statistics.intervals import Floats, floats

Places = npt.NDArray[np.intp]

STEPS = 100
"""After so many a fit has not converged; a handful is usual."""
ENOUGH = 1e-9
"""What a last step would add to the log-likelihood: it is taken, and no other after it."""
ROUNDING = 1e-12
TOGETHER = 256
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
    no finite value, and its probabilities are 0 or 1 for all practical purposes. `converged`, that no
    step led any higher. The deviance is that of the probabilities, at the national intercept.
    """

    intercept: float
    coefficients: Floats
    deviance: float
    separated: bool
    converged: bool

    def probabilities(self, features: npt.ArrayLike) -> Floats:
        """Of the event, for each row of features (rows × columns)."""
        return floats(special.expit(self.intercept + floats(features) @ self.coefficients))

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


class _Look(NamedTuple):
    """What a place in the space of intercepts and slopes looks like."""

    short: float
    """By how much the log-likelihood is below 0."""
    own: Floats
    """Curvature against each intercept."""
    outer: Floats
    """Slope against each intercept."""
    crossed: Floats
    """Curvature against intercepts and slopes together: facilities × columns."""
    curvature: Floats
    """Against slopes: columns × columns."""
    gradient: Floats
    """Slope against slopes."""


class _Counted(Protocol):
    """Cases and events as they were counted: by facility, and by what cases bring."""

    @property
    def width(self) -> int:
        """How many columns there are."""
        ...

    def start(self, slopes: Floats) -> Floats:
        """Intercepts to begin from: a facility's own share of events, less what its cases bring."""
        ...

    def look(self, intercepts: Floats, slopes: Floats) -> _Look: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """One row after another, each of some facility."""

    features: Floats
    events: Floats
    cases: Floats
    places: Places

    @property
    def width(self) -> int:
        return int(self.features.shape[1])

    def _sums(self, values: Floats) -> Floats:
        return _by(self.places, values)

    def start(self, slopes: Floats) -> Floats:
        cases = self._sums(self.cases)
        brought = self._sums(self.cases * (self.features @ slopes))
        return floats(special.logit(self._sums(self.events) / cases) - brought / cases)

    def look(self, intercepts: Floats, slopes: Floats) -> _Look:
        z, y, n = self.features, self.events, self.cases
        p, short = _at(intercepts[self.places] + z @ slopes, y, n)
        weights, left = n * p * (1 - p), y - n * p
        own = self._sums(weights)
        columns = [self._sums(weights * column) for column in z.T]
        crossed = np.column_stack(columns) if columns else np.empty((len(own), 0))
        curvature = floats((z * weights[:, None]).T @ z)
        return _Look(short, own, self._sums(left), crossed, curvature, floats(z.T @ left))


@dataclass(frozen=True, slots=True, eq=False)
class _Kinds:
    """A row for each facility, and a column for each kind of case."""

    features: Floats
    events: Floats
    cases: Floats

    @property
    def width(self) -> int:
        return int(self.features.shape[1])

    def start(self, slopes: Floats) -> Floats:
        cases = self.cases.sum(axis=1)
        brought = self.cases @ (self.features @ slopes)
        return floats(special.logit(self.events.sum(axis=1) / cases) - brought / cases)

    def look(self, intercepts: Floats, slopes: Floats) -> _Look:
        z, count = self.features, len(intercepts)
        brought, short = z @ slopes, 0.0
        own, outer = np.empty(count), np.empty(count)
        weighed, left_over = np.zeros(len(z)), np.zeros(len(z))
        crossed = np.empty((count, self.width))
        # Some facilities at a time: what stays near the processor costs a third.
        for begin in range(0, count, TOGETHER):
            some = slice(begin, begin + TOGETHER)
            y, n = self.events[some], self.cases[some]
            p, its = _at(intercepts[some, None] + brought, y, n)
            seen = n * p
            left, weights = y - seen, seen * (1 - p)
            short += its
            own[some], outer[some] = weights.sum(axis=1), left.sum(axis=1)
            crossed[some] = weights @ z
            weighed += weights.sum(axis=0)
            left_over += left.sum(axis=0)
        curvature = floats((z * weighed[:, None]).T @ z)
        return _Look(short, own, outer, crossed, curvature, floats(left_over @ z))


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
    _counts(x, y, n)
    kept = n > 0
    x, y, n = x[kept], y[kept], n[kept]
    if y.sum() in (0, n.sum()):
        return None
    scaled = _scaled(x, n)
    if facilities is None:
        intercepts, slopes, converged = _fit(
            _Rows(scaled.features, y, n, np.zeros(len(y), np.intp))
        )
        return _model(scaled, slopes, y, n, float(intercepts[0]), converged)
    _, of = np.unique(np.asarray(facilities, np.intp)[kept], return_inverse=True)
    tells = _tells(_by(of, y), _by(of, n))[of]
    if not tells.any():
        return None
    _, places = np.unique(of[tells], return_inverse=True)
    _, slopes, converged = _fit(_Rows(scaled.features[tells], y[tells], n[tells], places))
    return _model(scaled, slopes, y, n, None, converged)


def case_mix_of_kinds(
    features: npt.ArrayLike,
    events: npt.ArrayLike,
    cases: npt.ArrayLike,
    near: npt.ArrayLike | None = None,
) -> CaseMix | None:
    """The same, with facilities' own intercepts, of cases that are of a few kinds.

    `features` is kinds × columns, `events` and `cases` are facilities × kinds. `near` are coefficients
    to begin from, such as those of the period before.
    """
    x, y, n = floats(features), floats(events), floats(cases)
    if x.ndim != 2 or y.ndim != 2 or not y.shape == n.shape == (len(y), len(x)):
        raise ValueError("features are kinds × columns, events and cases facilities × kinds")
    _counts(x, y, n)
    tells = _tells(y.sum(axis=1), n.sum(axis=1))
    if not tells.any():
        return None
    of_kinds = floats(n.sum(axis=0))
    scaled = _scaled(x, of_kinds)
    start = None if near is None else floats(near) * scaled.scale
    _, slopes, converged = _fit(_Kinds(scaled.features, y[tells], n[tells]), start)
    return _model(scaled, slopes, floats(y.sum(axis=0)), of_kinds, None, converged)


def national_intercept(predictor: npt.ArrayLike, cases: npt.ArrayLike, events: float) -> float:
    """At which kinds of cases expect so many events together, their log-odds being `predictor` more."""
    return _balanced(floats(predictor), events, floats(cases))


class _Scaled(NamedTuple):
    """Features centred and scaled, so that a column's unit does not decide what counts as repeated."""

    features: Floats
    centre: Floats
    scale: Floats


def _scaled(x: Floats, n: Floats) -> _Scaled:
    centre = np.average(x, axis=0, weights=n)
    scale = np.sqrt(np.average((x - centre) ** 2, axis=0, weights=n))
    scale[scale == 0] = 1.0
    return _Scaled(floats((x - centre) / scale), floats(centre), floats(scale))


def _counts(x: Floats, y: Floats, n: Floats) -> None:
    if not np.all((y >= 0) & (y <= n)) or not np.isfinite(x).all():
        raise ValueError("each row needs 0 <= events <= cases and features that are known")


def _tells(events: Floats, cases: Floats) -> npt.NDArray[np.bool_]:
    """A facility with no event, or with nothing else, has an infinite intercept and tells nothing."""
    tells: npt.NDArray[np.bool_] = (events > 0) & (events < cases)
    return tells


def _model(
    scaled: _Scaled, slopes: Floats, y: Floats, n: Floats, intercept: float | None, converged: bool
) -> CaseMix:
    """The regression in the features' own units, at the national intercept where none is given."""
    predictor = scaled.features @ slopes
    at = _balanced(predictor, float(y.sum()), n) if intercept is None else intercept
    fitted = special.expit(at + predictor)
    coefficients = slopes / scaled.scale
    some = n > 0
    return CaseMix(
        float(at - scaled.centre @ coefficients),
        coefficients,
        _deviance(y, n, fitted),
        bool(((fitted < 1e-8) | (fitted > 1 - 1e-8))[some].any()),
        converged,
    )


def _fit(counted: _Counted, start: Floats | None = None) -> tuple[Floats, Floats, bool]:
    """Intercepts, one a facility, and slopes; and whether the summit was reached.

    The intercepts' curvatures stand on a diagonal and are eliminated first, so that thousands of
    facilities cost no more than one.
    """
    slopes = np.zeros(counted.width) if start is None else start
    intercepts = counted.start(slopes)
    here = counted.look(intercepts, slopes)
    for _ in range(STEPS):
        own = np.maximum(here.own, np.finfo(float).tiny)
        curvature = here.curvature - here.crossed.T @ (here.crossed / own[:, None])
        gradient = here.gradient - here.crossed.T @ (here.outer / own)
        step = np.linalg.lstsq(curvature, gradient, rcond=ALIASED)[0]
        inner = (here.outer - here.crossed @ step) / own
        if gradient @ step + (here.outer**2 / own).sum() <= ENOUGH:
            return intercepts + inner, slopes + step, True
        # Half a step, and half again, if a whole one leads beyond the top.
        for halving in range(30):
            tried = intercepts + inner / 2**halving, slopes + step / 2**halving
            there = counted.look(*tried)
            if there.short <= here.short * (1 + ROUNDING):
                break
        else:
            return intercepts, slopes, False
        (intercepts, slopes), here = tried, there
    return intercepts, slopes, False


def _at(predictor: Floats, y: Floats, n: Floats) -> tuple[Floats, float]:
    """Probabilities at some log-odds, and by how much their log-likelihood is below 0."""
    # One exponential serves both: of the smaller side, which does not overflow.
    small = np.exp(-np.abs(predictor))
    whole = 1 + small
    p = np.where(predictor >= 0, 1.0, small) / whole
    without = np.log(whole) + np.maximum(predictor, 0.0)
    return p, float((n * without - y * predictor).sum())


def _balanced(predictor: Floats, wanted: float, n: Floats) -> float:
    """The intercept at which so many events are expected: a rising function's one root."""
    low, high = -float(predictor.max()) - 40.0, -float(predictor.min()) + 40.0
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if (n * special.expit(middle + predictor)).sum() < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _deviance(y: Floats, n: Floats, p: Floats) -> float:
    """Twice the log-likelihood that is short of a perfect fit."""
    return float(2 * (special.rel_entr(y, n * p) + special.rel_entr(n - y, n * (1 - p))).sum())


def _by(places: Places, values: Floats, count: int = 0) -> Floats:
    """Sums of values at each place."""
    return floats(np.bincount(places, values, count))
