"""
Arrangement: the facilities of a nation by peer group, all groups at once.

A grouping puts each facility in one group or none, so that a nation's groups, one after another, are
a few permutations of its facilities. Sums over groups, the most that an account has of each, and
rates in order within each are then one step over an array, whatever the number of groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from app.benchmarks.spread import QUARTER, rounded, step_of
from app.benchmarks.suppress import Totals

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
STEPS = {step: np.arange(step, 100, step) for step in (1, 5, QUARTER)}
"""The steps of a hundred that are told, by how fine they are."""
Group = tuple[str, str]
"""A grouping's id and one of its groups."""


class Ordered(NamedTuple):
    """Rates in rising order, group after group."""

    starts: Ints
    sizes: Ints
    numerators: Ints
    denominators: Ints
    values: Ints
    """Rounded, in units of the last decimal that is told."""


@dataclass(frozen=True)
class Arrangement:
    """Facilities by group; facilities stand in the order of their accounts."""

    members: Mapping[Group, Bools]
    """Whether each facility is in a group; those of a grouping do not overlap."""
    owners: Ints
    """A number for each facility's account, rising."""

    @cached_property
    def groups(self) -> list[Group]:
        """In the definition's order: what is told of groups by number is told of these."""
        return list(self.members)

    @cached_property
    def rows(self) -> Bools:
        """A row of facilities for each group."""
        return np.stack(list(self.members.values()))

    @cached_property
    def _codes(self) -> list[npt.NDArray[np.uint16]]:
        """A number for each facility's group in each grouping; one more than any group's for none."""
        found: dict[str, npt.NDArray[np.uint16]] = {}
        for place, ((grouping, _), inside) in enumerate(self.members.items()):
            codes = found.setdefault(grouping, np.full(len(inside), len(self.members), np.uint16))
            codes[inside] = place
        return list(found.values())

    @cached_property
    def _by_account(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Facilities by group and account; where each account of a group begins; where among those
        each group begins; and its number."""
        orders, groups = [], []
        for codes in self._codes:
            order = np.argsort(codes, kind="stable")
            order = order[codes[order] < len(self.members)]
            orders.append(order)
            groups.append(codes[order].astype(np.int64))
        order, group = np.concatenate(orders), np.concatenate(groups)
        owners = self.owners[order]
        begins = np.ones(len(order), np.bool_)
        begins[1:] = (group[1:] != group[:-1]) | (owners[1:] != owners[:-1])
        accounts = np.flatnonzero(begins)
        of_accounts = group[accounts]
        firsts = np.flatnonzero(np.diff(of_accounts, prepend=-1))
        return order, accounts, firsts, of_accounts[firsts]

    @cached_property
    def _within(self) -> dict[bytes, Bools]:
        """What `within` has found, by the kinds of facilities that there are."""
        return {}

    @cached_property
    def _profiles(self) -> tuple[Ints, Bools]:
        """Facilities that are in the same groups have the same number; which groups each number is in."""
        kinds, numbers = np.unique(np.stack(self._codes), axis=1, return_inverse=True)
        inside = np.zeros((len(self.members), kinds.shape[1]), np.bool_)
        for codes in kinds:
            there = np.flatnonzero(codes < len(self.members))
            inside[codes[there], there] = True
        return numbers.ravel(), inside

    def totals(self, shown: Bools, volumes: Ints, met: Ints | None) -> Totals:
        """The groups' totals of the facilities that have a rate to show."""
        order, accounts, firsts, numbers = self._by_account
        values = [shown.astype(np.int64), np.where(shown, volumes, 0)]
        if met is not None:
            counted = np.where(shown, met, 0)
            values += [counted, values[1] - counted]
        # Accounts are many and small: differences of running sums cost less than a sum of each, and
        # half as much where 32 bits hold them.
        short = int(values[1].sum()) * len(self._codes) < 2**31
        running = np.zeros((len(order) + 1, len(values)), np.int32 if short else np.int64)
        of_facilities = np.stack(values, axis=1, dtype=running.dtype, casting="same_kind")
        np.cumsum(of_facilities.take(order, axis=0), axis=0, out=running[1:])
        ends = running.take(np.append(accounts, len(order)), axis=0)
        of_accounts = ends[1:] - ends[:-1]
        found = np.zeros((2, len(self.members), len(values)), np.int64)
        found[0][numbers] = np.add.reduceat(of_accounts, firsts, axis=0)
        found[1][numbers] = np.maximum.reduceat(of_accounts, firsts, axis=0)
        sums, most = (np.ascontiguousarray(one.T) for one in found)
        return Totals(
            sums[0],
            most[0],
            sums[1],
            most[1],
            *(None, None, None) if met is None else (sums[2], most[2], most[3]),
        )

    def within(self, shown: Bools) -> Bools:
        """Whether all facilities of a group (row) that have a rate to show are in another (column)."""
        numbers, inside = self._profiles
        there = np.bincount(numbers[shown], minlength=inside.shape[1]) > 0
        key = there.tobytes()  # of a nation nearly always the same
        if key not in self._within:
            rows = inside[:, there].astype(np.int32)
            self._within[key] = rows @ (1 - rows).T == 0
        return self._within[key]

    def ordered(self, order: Ints, numerators: Ints, denominators: Ints, digits: int) -> Ordered:
        """Rates by group, in rising order; `order` is that of all facilities with a rate to show."""
        values = np.zeros_like(numerators)
        values[order] = rounded(numerators[order], denominators[order], digits)
        found = []
        sizes = np.zeros(len(self.members) + 1, np.int64)
        for codes in self._codes:
            own = codes[order]
            found.append(order[np.argsort(own, kind="stable")])
            counted = np.bincount(own, minlength=len(sizes))
            found[-1] = found[-1][: len(order) - counted[-1]]
            sizes += counted
        arranged, sizes = np.concatenate(found), sizes[:-1]
        of_rates = numerators[arranged], denominators[arranged], values[arranged]
        return Ordered(np.cumsum(sizes) - sizes, sizes, *of_rates)


def quantiles_of(
    its: Ordered, wanted: Ints, shares: Sequence[Fraction], digits: int
) -> npt.NDArray[Any]:
    """Quantiles of the rates of some groups, a row each, in units of 10^-digits: as `spread.quantiles`.

    Whole numbers of any size where 64 bits do not hold them.
    """
    numerator = np.array([one.numerator for one in shares])
    of = np.array([one.denominator for one in shares])
    last = (its.sizes[wanted] - 1)[:, None]
    below, rest = np.divmod(last * numerator, of)
    above = its.starts[wanted][:, None] + np.minimum(below + 1, last)
    below += its.starts[wanted][:, None]
    most = int(np.abs(its.numerators).max()), int(its.denominators.max())
    fits = 4 * int(of.max()) * most[1] * max(most[0] * 10**digits, most[1]) < 2**62
    kind = np.int64 if fits else object
    one, other = (its.numerators[at].astype(kind) for at in (below, above))
    of_one, of_other = (its.denominators[at].astype(kind) for at in (below, above))
    top = (of - rest) * one * of_other + rest * other * of_one
    bottom = of * of_one * of_other
    units = (2 * np.abs(top) * 10**digits + bottom) // (2 * bottom)
    found: npt.NDArray[Any] = np.where(top >= 0, units, -units)
    return found


def rank_bounds_of(its: Ordered, wanted: Ints) -> list[Ints]:
    """The bounds of ranks among the rates of some groups: as `spread.rank_bounds` of what is rounded."""
    values = its.values
    begins = np.ones(len(values), np.bool_)
    begins[1:] = values[1:] != values[:-1]
    begins[its.starts[its.sizes > 0]] = True
    runs = np.flatnonzero(begins)
    ends = np.append(runs[1:], len(values))
    there = np.flatnonzero(its.sizes > 0)
    of_group = there[np.searchsorted(its.starts[there], runs, side="right") - 1]
    # Twice a hundred times the mid-rank, and beyond it room for the next group's.
    room = 200 * (int(its.sizes.max()) + 1)
    ranks = of_group * room + 50 * (runs + ends - 2 * its.starts[of_group])
    steps = [STEPS[step_of(size)] for size in its.sizes[wanted].tolist()]
    lengths = np.array([len(one) for one in steps])
    group = np.repeat(wanted, lengths)
    found = np.searchsorted(ranks, group * room + np.concatenate(steps) * its.sizes[group])
    beyond = np.append(of_group, -1)[found] != group
    last = its.starts[group] + its.sizes[group] - 1
    bounds = np.where(beyond, values[last] + 1, values[np.append(runs, 0)[found]])
    ends = np.cumsum(lengths)
    return [
        bounds[begin:end]
        for begin, end in zip((ends - lengths).tolist(), ends.tolist(), strict=True)
    ]
