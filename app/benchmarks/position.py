"""
Position: where a facility's own result lies among all facilities, chance allowed for.

A snapshot keeps the norm of each measure and period, a few rounded numbers that hold nobody's own; a
result is held against it live. A result is flagged where it lies outside of the outer limits of the
funnel and is less probable than what would be called among all facilities and measures of the
period (Benjamini and Hochberg): of all that are flagged, at most one in twenty by chance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from app.benchmarks import rates
from app.benchmarks.rates import Counts
from app.benchmarks.statistics import Interval
from app.benchmarks.statistics.beta_binomial import BetaBinomial
from app.benchmarks.statistics.dispersion import (
    Deviations,
    Dispersion,
    proportion_deviations,
)
from app.benchmarks.statistics.intervals import Floats
from app.benchmarks.statistics.normal_normal import NormalNormal
from app.benchmarks.statistics.norms import (
    Comparison,
    MeanNorm,
    ProportionNorm,
    mean_norm,
    proportion_norm,
)
from app.benchmarks.statistics.probabilities import of_scores
from app.registries.measure import Measure

Ints = npt.NDArray[np.int64]
Norm = ProportionNorm | MeanNorm
NormTold = Mapping[str, str]
"""A norm as a snapshot keeps it: `target`, `tau_squared`, `called_up_to`; of a proportion `precision`,
of a mean `between` and `variation`."""
Zone = Literal["inside", "beyond-95", "beyond-998"]

SEEN = 2.0
"""Scores nearer to 0 are at least as probable as one in forty, whatever the counts: they would be called
only if half of all results were."""


@dataclass(frozen=True, slots=True)
class Position:
    """A result among those of all facilities, and how far it can be relied on."""

    target: float
    """The pooled rate, or of means the geometric mean in the middle of facilities."""
    score: float
    """z, with the ordinary scatter of facilities in its error."""
    zone: Zone
    """Within the limits of the funnel at this size, beyond the 95 %, or beyond the 99.8 %."""
    above: bool
    flagged: bool
    """Differs from its peers more than chance explains, when all that were looked at are allowed for."""
    reliability: float
    """From 0 to 1: the share of the variance of such results that is between facilities."""
    shrunk: float
    """The result as far as it can be relied on, the rest at the mean of all."""
    shrunk_interval: Interval


def fitted(
    measure: Measure, numerators: Ints, denominators: Ints, squares: Floats, target: float
) -> tuple[dict[str, str], Floats] | None:
    """The norm of facilities as it is told, and how improbable each result is.

    Numerators and denominators are those of `rates.ratio`, of facilities that may be shown; `squares`
    the sums of squared observations in units of their last decimal. None of a ratio of a sum to a
    count, of means that are not above 0, or where nothing sets facilities apart.
    """
    norm: Norm | None = None
    if measure.scoring == "proportion":
        if not 0 < target < 1:
            return None
        deviations = proportion_deviations(numerators, denominators, target)
        norm = proportion_norm(numerators, denominators, target, deviations)
        if norm is None:
            return None
        told = {"target": f"{target}", "precision": f"{norm.spread.precision:.2g}"}
        return told | _scatter(norm), _improbable(norm, numerators, denominators, deviations)
    if measure.scoring != "continuous-variable" or (numerators <= 0).any():
        return None
    unit = 10**measure.scale
    sizes, means = denominators / unit, numerators / denominators
    centred = squares / unit**2 - sizes * means**2
    variances = np.maximum(centred, 0.0) / np.maximum(sizes - 1, 1)
    norm = mean_norm(sizes, means, variances)
    if norm is None:
        return None
    told = {
        "target": f"{norm.target:.{rates.peer_digits(measure)}f}",
        "between": f"{norm.spread.variance:.2g}",
        "variation": f"{norm.variation:.2g}",
    }
    if not (float(told["target"]) > 0 and float(told["variation"]) > 0):
        return None
    return told | _scatter(norm), norm.probabilities(sizes, means)


def _scatter(norm: Norm) -> dict[str, str]:
    return {"tau_squared": f"{norm.scatter.tau_squared:.2g}"}


def _improbable(
    norm: ProportionNorm, numerators: Ints, denominators: Ints, deviations: Deviations
) -> Floats:
    """How improbable each is; those near the target are told as 1."""
    scores = norm.scatter.scores(deviations)
    far = np.abs(scores) > SEEN
    found = np.ones(len(numerators))
    found[far] = (
        of_scores(scores[far])
        if norm.scatter.present
        else norm.probabilities(numerators[far], denominators[far])
    )
    return found


def norm_of(measure: Measure, told: NormTold) -> Norm:
    """A norm as a snapshot told it."""
    scatter = Dispersion(0, 1.0, float(told["tau_squared"]))
    target = float(told["target"])
    if measure.scoring == "proportion":
        return ProportionNorm(target, scatter, BetaBinomial(target, float(told["precision"])))
    spread = NormalNormal(float(np.log(target)), float(told["between"]))
    return MeanNorm(scatter, spread, float(told["variation"]))


class Rated(Protocol):
    """A measure's result for one facility and period."""

    @property
    def measure(self) -> Measure: ...

    @property
    def counts(self) -> Counts: ...

    @property
    def rate(self) -> Decimal | None: ...


def position_of(result: Rated, told: NormTold | None) -> Position | None:
    """Where a result lies by a norm; None without one, or where the result may not be shown."""
    if result.rate is None or told is None:
        return None
    exact = rates.rate(result.measure, result.counts)
    assert exact is not None
    if result.measure.scoring != "proportion" and exact <= 0:
        return None
    norm, size = norm_of(result.measure, told), rates.size(result.measure, result.counts)
    own = result.counts.numerator if isinstance(norm, ProportionNorm) else float(exact)
    up_to = float(told["called_up_to"])
    found = (
        norm.compared([own], [size], up_to)
        if isinstance(norm, ProportionNorm)
        else norm.compared([size], [own], up_to)
    )
    return _placed(found)


def _placed(found: Comparison) -> Position:
    """The one facility of a comparison."""
    value, flag = float(found.rates[0]), int(found.flags[0])
    beyond = [not one.low[0] <= value <= one.high[0] for one in (found.watch, found.review)]
    zone: Zone = "beyond-998" if beyond[1] else "beyond-95" if beyond[0] else "inside"
    limits = found.shrunk_intervals
    return Position(
        target=found.target,
        score=float(found.scores[0]),
        zone=zone,
        above=value > found.target,
        flagged=abs(flag) == 2,
        reliability=float(found.reliabilities[0]),
        shrunk=float(found.shrunk[0]),
        shrunk_interval=Interval(float(limits.low[0]), float(limits.high[0])),
    )
