"""
The nation: every facility's totals by month, and whom each is compared with.

Totals are running sums, so that any period is one subtraction; facilities stand in the order of their
corporate accounts, so that an account's share of a group is one more. It knows no database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from app.benchmarks.layout import Layout
from app.benchmarks.periods import Period
from app.registries.measure import Measure

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def counted(measure: Measure) -> tuple[str, ...]:
    """The populations that a measure's rate is made of; of a cohort, its size."""
    match measure.scoring:
        case "proportion":
            return "numerator", "denominator"
        case "ratio":
            return "total", "denominator"
        case "continuous-variable":
            return "total", "observations", "total_of_squares"
        case "cohort":
            return ("initial_population",)


def month_place(first: date, month: date) -> int:
    """How many months after the first."""
    return (month.year - first.year) * 12 + month.month - first.month


class Ratios(NamedTuple):
    """Rates of measures (rows) and facilities."""

    numerators: Ints
    denominators: Ints
    sizes: Ints
    """How many cases each rests on."""


@dataclass(frozen=True)
class Running:
    """Sums from the first month on, with a month of zeros before it."""

    series: Mapping[tuple[str, str], npt.NDArray[Any]]
    """Measure and population -> month x facility; sums of observations are `total`. Whole numbers but
    for `total_of_squares`: those may be too large, and are not needed to the last digit."""
    mixes: Mapping[str, npt.NDArray[np.int32]]
    """Of measures with a case mix: month x facility x (cases by combination of levels, then events)."""


@dataclass(frozen=True)
class Nation:
    """Every facility's totals by month."""

    facilities: list[int]
    first: date
    last: date
    running: Running
    layout: Layout
    accounts: Ints
    """Where each corporate account's facilities begin."""
    members: Mapping[str, Mapping[str, npt.NDArray[np.bool_]]]
    """Grouping -> group -> whether each facility is in it."""

    def populations(self, wanted: Sequence[tuple[str, str]], asked: Period) -> Ints:
        """A row of facilities for each measure and population; of those that `counted` names.

        What the generation does not have is zero: the measure's text is new, and the generation that
        has it is still being built.
        """
        found = np.zeros((len(wanted), len(self.facilities)), np.int64)
        start, end = self.ends(asked)
        for row, one in zip(found, wanted, strict=True):
            if (series := self.running.series.get(one)) is not None:
                np.subtract(series[end], series[start], out=row)
        return found

    def has_cases(self, measure: Measure, asked: Period) -> bool:
        """Whether any facility has a case that a measure's rate divides by."""
        totals = self._totals.get((measure.id, counted(measure)[1]))
        if totals is None:
            return False
        start, end = self.ends(asked)
        return bool(totals[end] > totals[start])

    @cached_property
    def _totals(self) -> Mapping[tuple[str, str], npt.NDArray[Any]]:
        """Running sums over all facilities."""
        return {one: its.sum(axis=1) for one, its in self.running.series.items()}

    def ratios(self, measures: Sequence[Measure], asked: Period) -> Ratios:
        """The rates of some measures, a row each."""
        parts = [counted(one) for one in measures]
        tops = [(one.id, its[0]) for one, its in zip(measures, parts, strict=True)]
        bottoms = [(one.id, its[1]) for one, its in zip(measures, parts, strict=True)]
        numerators = self.populations(tops, asked)
        sizes = self.populations(bottoms, asked)
        units = [1 if one.scoring == "proportion" else 10**one.scale for one in measures]
        return Ratios(numerators, sizes * np.array(units, np.int64)[:, None], sizes)

    def squared(self, measure: Measure, asked: Period) -> Floats:
        """Sums of squared observations in units of their last decimal, one number a facility."""
        series = self.running.series.get((measure.id, "total_of_squares"))
        if series is None:
            return np.zeros(len(self.facilities))
        start, end = self.ends(asked)
        over: Floats = series[end] - series[start]
        return over

    def ends(self, asked: Period) -> tuple[int, int]:
        """Where a period begins and ends in running sums."""
        months = month_place(self.first, self.last) + 1
        return (
            min(max(month_place(self.first, asked.first), 0), months),
            min(max(month_place(self.first, asked.last) + 1, 0), months),
        )

    def mixed(self, measure: Measure, asked: Period) -> tuple[Floats, Floats] | None:
        """Cases and events, facility x combination of levels; None where the cells do not hold them."""
        running = self.running.mixes.get(measure.id)
        if running is None:
            return None
        start, end = self.ends(asked)
        over, kinds = running[end] - running[start], running.shape[2] // 2
        return over[:, :kinds].astype(np.float64), over[:, kinds:].astype(np.float64)

    @cached_property
    def owners(self) -> Ints:
        """A number for each facility's account, rising."""
        ends = np.append(self.accounts[1:], len(self.facilities))
        return np.repeat(np.arange(len(self.accounts)), ends - self.accounts)

    def by_account(self, values: Ints) -> Ints:
        """Numbers of facilities (along the last axis) added up to those of their accounts."""
        added: Ints = np.add.reduceat(values, self.accounts, axis=-1)
        return added
