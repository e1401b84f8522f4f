"""
Adjustment: from cases counted by facility and by what patients bring, to what each facility compares to.

One door to case mix, ratios and their comparison. Covariates are categories (an age band, a smoking
status, baseline or annual); what is unknown is a category of its own, so that no case is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.benchmarks.statistics.case_mix import CaseMix, case_mix
from app.benchmarks.statistics.comparisons import Comparison, compare_ratios
from app.benchmarks.statistics.intervals import Floats, floats
from app.benchmarks.statistics.ratios import Ratios, standardised_ratios

Covariate = Sequence[str | None]
"""A category for each row."""


@dataclass(frozen=True, slots=True, eq=False)
class Adjustment:
    """Each facility's events beside those that its cases would have had anywhere.

    `overall` is the rate of all cases, which an adjusted rate multiplies O/E with; `comparison` is
    None where nothing sets facilities apart.
    """

    model: CaseMix
    columns: tuple[tuple[int, str | None], ...]
    """What each coefficient is of: the covariate's place, and its category."""
    overall: float
    cases: Floats
    observed: Floats
    expected: Floats
    variances: Floats
    """Of the number of events, by chance alone."""
    ratios: Ratios
    comparison: Comparison | None

    @property
    def rates(self) -> Floats:
        """Adjusted rates, by indirect standardisation."""
        return self.ratios.rates(self.overall)


def indicators(
    covariates: Sequence[Covariate], cases: npt.ArrayLike
) -> tuple[Floats, tuple[tuple[int, str | None], ...]]:
    """A column of ones and zeros for each category but the commonest of each covariate.

    The rows × columns, and what each column is of. The commonest is what others are compared with.
    """
    n = floats(cases)
    columns: list[npt.NDArray[np.bool_]] = []
    names: list[tuple[int, str | None]] = []
    for place, covariate in enumerate(covariates):
        values = np.array(covariate, dtype=object)
        if len(values) != len(n):
            raise ValueError("a covariate has a category for each row")
        sizes = {one: float(n[values == one].sum()) for one in dict.fromkeys(covariate)}
        # By size, and by name where sizes are equal: the same counts give the same columns.
        ordered = sorted(sizes, key=lambda one: (-sizes[one], one is None, one or ""))
        for one in ordered[1:]:
            columns.append(values == one)
            names.append((place, one))
    features = np.column_stack(columns) if columns else np.empty((len(n), 0))
    return floats(features), tuple(names)


def adjustment(
    facilities: npt.ArrayLike,
    count: int,
    covariates: Sequence[Covariate],
    events: npt.ArrayLike,
    cases: npt.ArrayLike,
    rare: bool,
) -> Adjustment | None:
    """Adjust facilities 0 … count − 1 for case mix; rows are facilities' cases that are alike.

    Coefficients are estimated within facilities. For `rare` events intervals of O/E are Poisson's,
    otherwise those of a share of the cases; flags are by Poisson's funnel either way, which is
    cautious for common events. None where no facility has both cases with the event and without.
    """
    of, x, n = np.asarray(facilities, np.intp), floats(events), floats(cases)
    features, columns = indicators(covariates, n)
    model = case_mix(features, x, n, of)
    if model is None:
        return None
    expected = model.expected(features, n, of, count)
    observed, total = (floats(np.bincount(of, one, count)) for one in (x, n))
    return Adjustment(
        model,
        columns,
        float(x.sum() / n.sum()),
        total,
        observed,
        expected.events,
        expected.variances,
        standardised_ratios(observed, expected.events, None if rare else total),
        compare_ratios(observed, expected.events),
    )
