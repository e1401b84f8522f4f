"""
Ordered: the rates of all measures of a period in rising order, group after group.

What `spread` says of one group is worked out here of all groups of all measures in a few steps: the
quantiles of exact rates, and the bounds of ranks among rates as they are told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from app.benchmarks.arrangement import Arrangement, Bools, Ints
from app.benchmarks.spread import QUARTER, packed, rounded, step_of

Places = npt.NDArray[np.unsignedinteger[Any]]
STEPS = {step: np.arange(step, 100, step) for step in (1, 5, QUARTER)}
"""The steps of a hundred that are told, by how fine they are."""


@dataclass(frozen=True)
class Ordered:
    """Rates of measures (rows) and facilities, of those that have one to show."""

    arrangement: Arrangement
    shown: Bools
    numerators: Ints
    denominators: Ints
    digits: Ints
    """Decimals that are told of each measure's rates."""
    sizes: Ints
    """Measure x group: how many facilities have a rate to show."""

    @cached_property
    def order(self) -> Ints:
        """Facilities by rising rate, those without one last.

        A division is rounded correctly, so equal ratios are equal and, for denominators below 10^7,
        different ones differ.
        """
        rates = np.full(self.shown.shape, np.inf)
        np.divide(self.numerators, self.denominators, out=rates, where=self.shown)
        return np.argsort(rates, axis=1)

    @cached_property
    def _ranks(self) -> Places:
        """Measure x (facilities, a grouping after another): places in `order`, group after group.

        Sorted as numbers that begin with the group's and end with the place: nothing is sorted faster.
        """
        measures, facilities = self.shown.shape
        bits, last = facilities.bit_length(), len(self.arrangement.groups)
        kind = np.dtype(np.uint32 if last.bit_length() + bits <= 32 else np.uint64)
        ranks = np.empty(self.shown.shape, kind)
        np.put_along_axis(ranks, self.order, np.arange(facilities, dtype=kind)[None], axis=1)
        ranks[~self.shown] |= last << bits  # beyond every group
        keys = (self.arrangement.codes.astype(kind) << bits)[None] | ranks[:, None]
        keys.sort(axis=2)
        keys &= (1 << bits) - 1
        found: Places = keys.reshape(measures, -1)
        return found

    @cached_property
    def _starts(self) -> Ints:
        """Measure x group: where each group begins among the places of all measures."""
        measures, facilities = self.shown.shape
        rows = self.arrangement.rows
        before = np.cumsum(self.sizes, axis=1) - self.sizes
        firsts = np.searchsorted(rows, rows)
        within = before - before[:, firsts] + rows * facilities
        starts: Ints = np.arange(measures)[:, None] * self._ranks.shape[1] + within
        return starts

    @cached_property
    def _values(self) -> Ints:
        """Rates as they are told, in units of the last decimal, at the places of all measures."""
        told = rounded(self.numerators, np.maximum(self.denominators, 1), self.digits[:, None])
        short = int(np.abs(told).max(initial=0)) < 2**31 - 1  # one more than the highest is told
        found = np.empty(self._ranks.shape, np.int32 if short else np.int64)
        for measure, (its, order) in enumerate(zip(told, self.order, strict=True)):
            found[measure] = its.astype(found.dtype).take(order).take(self._ranks[measure])
        return found.ravel()

    def quantiles(
        self, measures: Ints, groups: Ints, shares: Sequence[Fraction]
    ) -> npt.NDArray[Any]:
        """Quantiles of the rates of some groups of facilities, a row each, in units of the last decimal
        that is told, halves away from zero, exact: whole numbers of any size where 64 bits do not hold
        them.

        Hyndman and Fan's type 7, as `statistics.quantile`: position (n - 1) * share, straight between
        two.
        """
        tops, bottoms = np.abs(self.numerators).max(axis=1), self.denominators.max(axis=1)
        units = (10**self.digits).astype(np.float64)
        most = 4 * max(one.denominator for one in shares) * bottoms.astype(np.float64)
        short = most * np.maximum(tops * units, bottoms) < 2.0**62
        found = np.empty((len(measures), len(shares)), object)
        for kind, chosen in ((np.int64, short[measures]), (object, ~short[measures])):
            if chosen.any():
                found[chosen] = self._quantiles(measures[chosen], groups[chosen], shares, kind)
        return found

    def _quantiles(
        self, measures: Ints, groups: Ints, shares: Sequence[Fraction], kind: type
    ) -> npt.NDArray[Any]:
        numerator = np.array([one.numerator for one in shares])
        of = np.array([one.denominator for one in shares])
        last = (self.sizes[measures, groups] - 1)[:, None]
        starts = self._starts[measures, groups][:, None]
        below, rest = np.divmod(last * numerator, of)
        rows = measures[:, None]
        ranks = self._ranks.ravel()
        one, other = (
            self.order[rows, ranks[starts + place]]
            for place in (below, np.minimum(below + 1, last))
        )
        (top, of_top), (next_top, of_next) = (
            (self.numerators[rows, its].astype(kind), self.denominators[rows, its].astype(kind))
            for its in (one, other)
        )
        units: npt.NDArray[Any] = (10 ** self.digits[measures, None]).astype(kind)
        above = (of - rest) * top * of_next + rest * next_top * of_top
        under = of * of_top * of_next
        found = (2 * np.abs(above) * units + under) // (2 * under)
        signed: npt.NDArray[Any] = np.where(above >= 0, found, -found)
        return signed

    def rank_bounds(self, measures: Ints, groups: Ints) -> list[bytes]:
        """The smallest values whose mid-rank reaches each step of a hundred, of some groups' rates; as
        they are kept (`spread.packed`).

        A mid-rank is the share of values below plus half the share of equal ones. Where the highest
        value is so common that it ranks lower, only a higher one would be there.
        """
        sizes, starts = self.sizes[measures, groups], self._starts[measures, groups]
        steps_of = np.array([step_of(size) for size in sizes.tolist()])
        found = [b""] * len(sizes)
        for step, steps in STEPS.items():
            chosen = np.flatnonzero(steps_of == step)
            bounds = packed(self._bounds(starts[chosen, None], sizes[chosen, None], steps))
            for place, its in zip(chosen.tolist(), bounds, strict=True):
                found[place] = its
        return found

    def _bounds(self, starts: Ints, sizes: Ints, steps: Ints) -> Ints:
        """Those of groups of these sizes that start at these places: group x step."""
        values, (runs, run_of) = self._values, self._runs
        share, lasts = steps * sizes, starts + sizes - 1
        # Values before this one's run rank too low; if its own does too, the next run's does not.
        at = starts + share // 100
        run = run_of[at]
        begin, end = runs[run - 1], runs[run]
        higher = np.where(end <= lasts, values[np.minimum(end, lasts)], values[lasts] + 1)
        bounds: Ints = np.where(50 * (begin + end - 2 * starts) >= share, values[at], higher)
        return bounds

    @cached_property
    def _runs(self) -> tuple[Ints, npt.NDArray[np.int32]]:
        """Where runs of equal values of a group begin, and the number of each value's run, from 1."""
        values = self._values
        begins = np.ones(len(values) + 1, np.bool_)
        np.not_equal(values[1:], values[:-1], out=begins[1:-1])
        begins[self._starts] = begins[self._starts + self.sizes] = True
        return np.flatnonzero(begins), np.cumsum(begins[:-1], dtype=np.int32)
