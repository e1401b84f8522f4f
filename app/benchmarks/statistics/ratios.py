"""Ratios of observed to expected, the rates they stand for, and their intervals."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.benchmarks.statistics.counts import exact_poisson_intervals
from app.benchmarks.statistics.intervals import Floats, Intervals, floats
from app.benchmarks.statistics.proportions import clopper_pearson_intervals


class Ratios(NamedTuple):
    """O/E of each facility, with its interval; NaN where nothing is expected."""

    values: Floats
    intervals: Intervals

    def rates(self, overall: float) -> Floats:
        """Adjusted rates: what the nation's rate would be if all facilities had this one's ratio.

        Indirect standardisation. The rate of a proportion can come out above 1; it is cut there.
        """
        return np.minimum(self.values * overall, 1.0)


def standardised_ratios(
    observed: npt.ArrayLike,
    expected: npt.ArrayLike,
    cases: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Ratios:
    """O/E with exact intervals, the expected numbers held for known.

    Without `cases` the count observed is Poisson and its limits Garwood's: for rare events and rates.
    With them it is a share of the cases and its limits Clopper and Pearson's, which is right for
    common events too: exact where all cases run the same risk, wider than need be where they do not
    (the variance of a sum of unlike chances is below the binomial's).
    """
    o, e = floats(observed), floats(expected)
    if not np.all((o >= 0) & (e >= 0)):
        raise ValueError("counts and expected numbers are not negative")
    if cases is None:
        limits = exact_poisson_intervals(o, level)
    else:
        n = floats(cases)
        shares = clopper_pearson_intervals(o, n, level)
        limits = Intervals(shares.low * n, shares.high * n)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [np.where(e > 0, part / e, np.nan) for part in (o, limits.low, limits.high)]
    return Ratios(found[0], Intervals(found[1], found[2]))
