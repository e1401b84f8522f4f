"""
Expected: how many events a facility's cases would have had anywhere, and its own number beside that.

A snapshot keeps, of each measure with a case mix and each period, the log-odds that each level adds:
estimated within facilities over the twelve months to the period's end, which are steadier than those of
a month, at the one intercept at which all facilities together expect what they observed in the period.
They are rounded so that each hides as many cases as a pooled rate does; a level too rare for that
counts as its factor's base. What a facility may expect is worked out live, from its own cells and
what the snapshot tells, and from nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import scipy

from app.benchmarks import rates, suppress
from app.benchmarks.nation import Nation
from app.benchmarks.periods import Period, rolling_year
from app.benchmarks.rates import Counts
from app.benchmarks.statistics import half_up
from app.benchmarks.statistics.case_mix import case_mix_of_kinds, national_intercept
from app.benchmarks.statistics.gamma_poisson import GammaPoisson, gamma_poisson_moments
from app.benchmarks.statistics.intervals import Floats, Interval, floats
from app.benchmarks.statistics.ratios import standardised_ratios
from app.registries.case_mix import combinations, text_of
from app.registries.measure import Measure

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
MixTold = Mapping[str, Any]
"""As a snapshot keeps it: `text` of the case mix, and `intercept`, `effects` (factor -> level -> log-odds,
those of the base and what counts as it left out), `base` (factor -> level) and `shape` of the spread of
true ratios around 1; or `withheld`, why these are not told."""

EFFECT_DIGITS, INTERCEPT_DIGITS = 2, 3
LEAST_EXPECTED = 1.0
"""Below so many expected events a ratio to them says nothing (NHSN's rule for its infection ratios)."""
RATIO_DIGITS = 3

FEW, UNFITTED, UNEXPECTED = "case-mix-few-cases", "case-mix-not-fitted", "too-few-expected"
REASONS = {
    FEW: "All facilities together have too few cases to tell what patients bring.",
    UNFITTED: "What patients bring could not be told apart in the cases of all facilities.",
    UNEXPECTED: "Fewer than one event is expected of such cases: a ratio to it would say nothing.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The levels' effects over some months; withheld, why there are none."""

    effects: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    base: Mapping[str, str] = field(default_factory=dict)
    columns: Sequence[tuple[int, str]] = ()
    """Factor and level of each coefficient."""
    coefficients: Floats | None = None
    """Not rounded: what the fits of other months begin from."""
    withheld: str | None = None


class Fits:
    """One measure's effects, estimated once for all periods that end with the same month.

    The last months are estimated first and all others begin from theirs, so that what is found does not
    depend on what was asked before.
    """

    def __init__(self, nation: Nation, measure: Measure, parts: int) -> None:
        self.nation, self.measure, self.parts = nation, measure, parts
        self.kinds = list(combinations(measure.case_mix))
        self._found: dict[Period, Fit] = {}

    def told(self, asked: Period, inside: Bools) -> MixTold | None:
        """What is told of a period, of facilities with a rate to show that are `inside`."""
        mixed = self.nation.mixed(self.measure, asked)
        if mixed is None:
            return None
        text = {"text": text_of(self.measure.case_mix)}
        fit = self._over(self._months(asked))
        if fit.withheld is not None:
            return text | {"withheld": fit.withheld}
        cases, events = (one if inside.all() else one[inside] for one in mixed)
        predictor = predictor_of(self.kinds, self.measure, fit.effects)
        of_kinds, observed = cases.sum(axis=0), events.sum(axis=1)
        exact = national_intercept(predictor, of_kinds, float(observed.sum()))
        intercept = f"{exact:.{INTERCEPT_DIGITS}f}"
        expected = cases @ scipy.special.expit(float(intercept) + predictor)
        spread = gamma_poisson_moments(observed, expected)
        assert spread is not None  # the pooled rate is told, so that there are events
        return text | {
            "intercept": intercept,
            "effects": fit.effects,
            "base": fit.base,
            "shape": f"{spread.shape:.2g}",
        }

    @property
    def few(self) -> MixTold:
        """What is told where not even the pooled rate may be."""
        return {"text": text_of(self.measure.case_mix), "withheld": FEW}

    def _months(self, asked: Period) -> Period:
        """The twelve months to the end of a period, or of what there is of it."""
        return rolling_year(min(asked.last, self.nation.last))

    def _over(self, months: Period) -> Fit:
        last = rolling_year(self.nation.last)
        for one in (last, months):
            if one not in self._found:
                self._found[one] = self._fitted(one, self._found.get(last))
        return self._found[months]

    def _fitted(self, months: Period, near: Fit | None) -> Fit:
        mixed = self.nation.mixed(self.measure, months)
        assert mixed is not None
        cases, events = mixed
        columns: list[tuple[int, str]] = []
        digits: list[int] = []
        base: dict[str, str] = {}
        by_account = [np.add.reduceat(one, self.nation.accounts).astype(np.int64) for one in mixed]
        for place, factor in enumerate(self.measure.case_mix):
            tellable: dict[str, int] = {}
            sizes: dict[str, int] = {}
            for level in factor.every:
                inside = [one[place] == level for one in self.kinds]
                n, x = (one[:, inside].sum(axis=1) for one in by_account)
                found = suppress.log_odds_digits(EFFECT_DIGITS, n, x, self.parts)
                if found is not None:
                    tellable[level], sizes[level] = found, int(n.sum())
            if not tellable:
                return Fit(withheld=FEW)
            common = max(tellable, key=lambda one: sizes[one])
            base[factor.id] = factor.reference if factor.reference in tellable else common
            for level, found in tellable.items():
                if level != base[factor.id]:
                    columns.append((place, level))
                    digits.append(found)
        features = np.array(
            [[float(one[place] == level) for place, level in columns] for one in self.kinds]
        ).reshape(len(self.kinds), len(columns))
        begin = near.coefficients if near is not None and near.columns == columns else None
        model = case_mix_of_kinds(features, events, cases, begin)
        if model is None or model.separated or not model.converged:
            return Fit(withheld=UNFITTED)
        effects: dict[str, dict[str, str]] = {one.id: {} for one in self.measure.case_mix}
        for (place, level), value, of in zip(columns, model.coefficients, digits, strict=True):
            effects[self.measure.case_mix[place].id][level] = f"{value:.{of}f}"
        return Fit(effects, base, columns, model.coefficients)


def predictor_of(
    kinds: Sequence[tuple[str, ...]], measure: Measure, effects: Mapping[str, Mapping[str, str]]
) -> Floats:
    """What the levels of each combination add to the log-odds, together."""
    told = [
        {level: float(value) for level, value in effects.get(one.id, {}).items()}
        for one in measure.case_mix
    ]
    return floats(
        [sum(its.get(level, 0.0) for its, level in zip(told, one, strict=True)) for one in kinds]
    )


@dataclass(frozen=True, slots=True)
class Adjusted:
    """A facility's events beside those that its cases would have had anywhere."""

    observed: int
    expected: Decimal
    ratio: Decimal
    """Observed to expected."""
    low: Decimal
    high: Decimal
    reliability: float
    """From 0 to 1: the share of the variance of such ratios that is between facilities."""
    shrunk: Decimal
    """The ratio as far as it can be relied on, the rest at 1."""
    shrunk_low: Decimal
    shrunk_high: Decimal
    rate: Decimal
    """The rate of all facilities times the ratio: as if all had the same patients."""
    rate_low: Decimal
    rate_high: Decimal


class Rated(Protocol):
    """A measure's result for one facility and period."""

    @property
    def measure(self) -> Measure: ...

    @property
    def counts(self) -> Counts: ...


def adjusted_of(
    result: Rated, cases: Sequence[int], told: MixTold, pooled: Decimal | None
) -> Adjusted | str:
    """A result by what a snapshot tells of its case mix; or why not.

    `cases` are the facility's own by combination of levels, `pooled` the rate of all facilities.
    """
    measure, counts = result.measure, result.counts
    if "withheld" in told or pooled is None:
        return str(told.get("withheld", FEW))
    kinds = list(combinations(measure.case_mix))
    predictor = predictor_of(kinds, measure, told["effects"])
    expected = float(floats(cases) @ scipy.special.expit(float(told["intercept"]) + predictor))
    if expected < LEAST_EXPECTED:
        return UNEXPECTED
    rare = measure.per == 1000
    observed = counts.numerator
    exact = standardised_ratios([observed], [expected], None if rare else [counts.denominator])
    own, limits = float(exact.values[0]), exact.intervals
    # Around 1, which is what all facilities together come to.
    spread = GammaPoisson(1.0, float(told["shape"]))
    shrunk = spread.intervals([observed], [expected])
    ratio = Interval(float(limits.low[0]), float(limits.high[0]))

    def rounded(value: float, digits: int = RATIO_DIGITS) -> Decimal:
        return half_up(Fraction(value), digits)

    def rate(value: float) -> Decimal:
        return rounded(min(value * float(pooled), 1.0), rates.digits(measure))

    return Adjusted(
        observed=observed,
        expected=rounded(expected, 1 if expected >= 10 else 2),
        ratio=rounded(own),
        low=rounded(ratio.low),
        high=rounded(ratio.high),
        reliability=float(spread.reliabilities([expected])[0]),
        shrunk=rounded(float(spread.ratios([observed], [expected])[0])),
        shrunk_low=rounded(float(shrunk.low[0])),
        shrunk_high=rounded(float(shrunk.high[0])),
        rate=rate(own),
        rate_low=rate(ratio.low),
        rate_high=rate(ratio.high),
    )
