"""
Standardised deviations from a target, and how far facilities scatter beyond chance.

Spiegelhalter 2005a (Funnel plots for comparing institutional performance, Statistics in Medicine
24:1185) and 2005b (Handling over-dispersion of performance indicators, Quality and Safety in Health
Care 14:347). Proportions are judged on the arcsine scale and ratios of observed to expected on the
square root's, where the error of each depends on its size alone.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from app.benchmarks.statistics.intervals import Floats, floats

WINSORISED = 0.1
"""The share of scores at each end that is pulled in before the scatter is judged."""

Method = Literal["additive", "multiplicative"]


class Deviations(NamedTuple):
    """How far each facility lies from the target on the scale of judging, and its standard error."""

    values: Floats
    errors: Floats

    @property
    def scores(self) -> Floats:
        """z: deviations in standard errors."""
        return self.values / self.errors


def proportion_deviations(
    numerators: npt.ArrayLike, denominators: npt.ArrayLike, target: float
) -> Deviations:
    """asin √p − asin √target, with standard error 1 / (2√n). Denominators are above 0."""
    x, n = floats(numerators), floats(denominators)
    if not np.all((x >= 0) & (x <= n) & (n > 0)) or not 0 < target < 1:
        raise ValueError("proportions and a target between 0 and 1 are needed")
    values = np.arcsin(np.sqrt(x / n)) - np.arcsin(np.sqrt(target))
    return Deviations(values, 1 / (2 * np.sqrt(n)))


def ratio_deviations(
    observed: npt.ArrayLike, expected: npt.ArrayLike, target: float = 1.0
) -> Deviations:
    """√(O/E) − √target, with standard error 1 / (2√E). Expected numbers are above 0."""
    o, e = floats(observed), floats(expected)
    if not np.all((o >= 0) & (e > 0)) or not target > 0:
        raise ValueError("counts, expected numbers above 0 and a target above 0 are needed")
    return Deviations(np.sqrt(o / e) - np.sqrt(target), 1 / (2 * np.sqrt(e)))


def winsorise(scores: npt.ArrayLike, share: float = WINSORISED) -> Floats:
    """The scores, those beyond the quantiles of `share` and 1 − `share` pulled in to them.

    Quantiles are of type 7, as everywhere here.
    """
    if not 0 <= share < 0.5:
        raise ValueError("the share at each end is at least 0 and below one half")
    z = floats(scores)
    rising = np.sort(z)  # NumPy's own quantiles take many times as long
    below, rest = divmod((len(z) - 1) * share, 1)
    place = int(below)
    beside = min(place + 1, len(z) - 1)
    low, high = (one[place] + rest * (one[beside] - one[place]) for one in (rising, rising[::-1]))
    return floats(np.clip(z, low, high))


@dataclass(frozen=True, slots=True)
class Dispersion:
    """How much facilities scatter around a target, beside what chance alone would give.

    `phi` is the mean square of the winsorised scores, about 1 under chance alone. `tau_squared` is
    the variance between facilities, on the scale of judging, that explains what is above it; 0 when
    nothing is.
    """

    facilities: int
    phi: float
    tau_squared: float
    method: Method = "additive"

    @property
    def present(self) -> bool:
        """Whether facilities scatter more than chance, by any amount."""
        return self.tau_squared > 0

    def inflated(self, errors: npt.ArrayLike) -> Floats:
        """Standard errors that hold the scatter: √(s² + τ²), or s·√φ."""
        s = floats(errors)
        if not self.present:
            return s
        if self.method == "multiplicative":
            return floats(s * np.sqrt(self.phi))
        return floats(np.sqrt(s**2 + self.tau_squared))

    def scores(self, deviations: Deviations) -> Floats:
        """z, with the scatter between facilities held for ordinary."""
        return deviations.values / self.inflated(deviations.errors)


def dispersion(
    deviations: Deviations, share: float = WINSORISED, method: Method = "additive"
) -> Dispersion:
    """The scatter of facilities (2005a, its appendix): φ of winsorised scores, τ² by moments.

    τ² is DerSimonian and Laird's, with φ times the number of facilities for their Q; it is 0, and
    φ is not used, where Q is not above its expectation of one less than there are facilities.
    """
    number = len(deviations.values)
    if not number:
        return Dispersion(0, 1.0, 0.0, method)
    phi = float(np.mean(winsorise(deviations.scores, share) ** 2))
    weights = 1 / deviations.errors**2
    total = float(weights.sum())
    excess = number * phi - (number - 1)
    if number < 2 or excess <= 0:
        return Dispersion(number, phi, 0.0, method)
    return Dispersion(number, phi, excess / (total - float((weights**2).sum()) / total), method)
