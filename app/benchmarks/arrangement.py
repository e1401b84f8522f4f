"""
Arrangement: the facilities of a nation by peer group, all groups and measures at once.

A grouping puts each facility in one group or none, so that a nation's groups, one after another, are
a few permutations of its facilities. Sums over groups, the most that an account has of each, and
rates in order within each are then one step over an array, whatever the number of groups and measures.
Arrays of all measures have a row for each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from app.benchmarks.suppress import Totals

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Group = tuple[str, str]
"""A grouping's id and one of its groups."""


@dataclass(frozen=True)
class Arrangement:
    """Facilities by group; facilities stand in the order of their accounts."""

    members: Mapping[Group, Bools]
    """Whether each facility is in a group; those of a grouping stand together, and do not overlap."""
    owners: Ints
    """A number for each facility's account, rising."""

    @cached_property
    def groups(self) -> list[Group]:
        """In the definition's order: what is told of groups by number is told of these."""
        return list(self.members)

    @cached_property
    def places(self) -> Mapping[Group, int]:
        """The number of each group."""
        return {group: place for place, group in enumerate(self.groups)}

    @cached_property
    def rows(self) -> Ints:
        """The number of each group's grouping."""
        groupings = list(dict(self.groups))
        return np.array([groupings.index(grouping) for grouping, _ in self.groups])

    @cached_property
    def codes(self) -> Ints:
        """Grouping x facility: the number of each one's group, one more than any where it is in none."""
        found = np.full((self.rows[-1] + 1, len(self.owners)), len(self.groups))
        for place, (row, inside) in enumerate(zip(self.rows, self.members.values(), strict=True)):
            found[row, inside] = place
        return found

    @cached_property
    def _by_account(self) -> list[Any]:
        """For each group a sparse matrix of ones that adds its facilities up to accounts."""
        found = []
        for inside in self.members.values():
            facilities = np.flatnonzero(inside)
            owners = self.owners[facilities]
            accounts = np.flatnonzero(np.diff(owners, prepend=-1))
            ones, ends = np.ones(len(facilities), np.int32), np.append(accounts, len(facilities))
            shape = len(accounts), len(inside)
            found.append(scipy.sparse.csr_array((ones, facilities, ends), shape=shape))
        return found

    @cached_property
    def _within(self) -> dict[bytes, Bools]:
        """What `within` has found, by the kinds of facilities that there are."""
        return {}

    @cached_property
    def _profiles(self) -> tuple[Ints, Bools]:
        """Facilities that are in the same groups have the same number; which groups each number is in."""
        kinds, numbers = np.unique(self.codes, axis=1, return_inverse=True)
        inside = np.zeros((len(self.members), kinds.shape[1]), np.bool_)
        for codes in kinds:
            there = np.flatnonzero(codes < len(self.members))
            inside[codes[there], there] = True
        return numbers.ravel(), inside

    def totals(self, shown: Bools, volumes: Ints, met: Ints) -> Totals:
        """Measure x group: totals of the facilities that have a rate to show."""
        measures, facilities = shown.shape
        held = np.where(shown, volumes, 0)
        # Nearly always half as long, and then twice as fast.
        short = int(held.sum(axis=1).max(initial=0)) < 2**31
        values = np.empty((facilities, 4, measures), np.int32 if short else np.int64)
        values[:, 0], values[:, 1] = shown.T, held.T
        values[:, 2] = np.where(shown, met, 0).T
        np.subtract(values[:, 1], values[:, 2], out=values[:, 3])
        found = np.zeros((2, len(self.members), 4 * measures), values.dtype)
        for group, matrix in enumerate(self._by_account):
            of_accounts = matrix @ values.reshape(facilities, -1)
            of_accounts.sum(axis=0, out=found[0, group])
            of_accounts.max(axis=0, initial=0, out=found[1, group])
        # Sums and most; measure x group, of each of the four.
        parts = found.reshape(2, len(self.members), 4, measures).transpose(0, 2, 3, 1)
        sums, most = np.ascontiguousarray(parts, np.int64)
        return Totals(sums[0], most[0], sums[1], most[1], sums[2], most[2], most[3])

    def within(self, shown: Bools) -> Bools:
        """Whether all facilities of a group (row) that have a rate to show are in another (column)."""
        numbers, inside = self._profiles
        there = np.bincount(numbers[shown], minlength=inside.shape[1]) > 0
        key = there.tobytes()  # of a nation nearly always the same
        if key not in self._within:
            rows = inside[:, there].astype(np.int32)
            self._within[key] = rows @ (1 - rows).T == 0
        return self._within[key]
