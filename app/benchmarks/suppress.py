"""
Suppress: what may be told about a peer group.

A spread is told only if it cannot point at somebody: enough facilities outside any one organisation, no
organisation with most of the group, no small count behind it, and nothing of the kind left over when
groups that are told are taken from one another. The limits are those of CMS's cell suppression policy
(no count of 1 to 10, nor what gives it away) and of our own judgement for the rest;
`docs/explanation/benchmarks.md` names which is which. They hold for what is told about others: a
facility may see its own small counts. Facilities of one corporate account see one another's, so that
an account is what a group is weighed by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

SMALLEST_COUNT = 11
FEWEST_FACILITIES = 5
FEWEST_OTHERS = FEWEST_FACILITIES - 1
"""So many facilities are left of a group that is told, whichever account's are taken away."""
MOST_PERCENT = 50
FEWEST_FOR_TAILS = 20
"""Below this many facilities the 10th and 90th percentile would lie next to single facilities."""
HIDDEN_BY_ROUNDING = 2 * SMALLEST_COUNT
"""A pooled rate is rounded so that this many cases more or fewer may be behind it."""
FEWEST_PARTS = 12
"""A pooled rate is thought to be split into at least so many parts: the months of a year."""

REASONS: Mapping[str, str] = {
    "few-facilities": f"Fewer than {FEWEST_FACILITIES} facilities of this peer group have a rate to show,"
    f" or fewer than {FEWEST_OTHERS} beside those of one organisation.",
    "dominance": "One organisation holds more than half of this peer group's cases.",
    "small-count": f"A count behind this is below {SMALLEST_COUNT}, if not by itself then without the cases"
    " of one organisation.",
    "complementary": "Showing this would reveal what is withheld about another peer group.",
}


def are_small(totals: Ints, most: Ints) -> npt.NDArray[np.bool_]:
    """Whether counts come to 1 to 10, or do without `most`: those of the one account that has most.

    That there is none may be said. Whoever holds most of a count that is withheld then knows of the rest
    no more than anybody does of a small count: that it is at most 10.
    """
    small: npt.NDArray[np.bool_] = (totals > 0) & (totals - most < SMALLEST_COUNT)
    return small


def _most(rows: Ints) -> Ints:
    found: Ints = rows.max(axis=1, initial=0)
    return found


@dataclass(frozen=True, slots=True)
class Tally:
    """What a set of facilities with a rate to show comes to; sets within one another can be taken apart.

    Each has a number for each corporate account: facilities, the cases their rates divide by, and those
    of them in the numerator, which where a mean is told are all.
    """

    facilities: Ints
    volumes: Ints
    met: Ints

    @property
    def volume(self) -> int:
        """The cases of all."""
        return int(self.volumes.sum())

    @property
    def anybody(self) -> bool:
        """Whether there is a facility in it."""
        return bool(self.facilities.any())

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.facilities + other.facilities,
            self.volumes + other.volumes,
            self.met + other.met,
        )

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(
            self.facilities - other.facilities,
            self.volumes - other.volumes,
            self.met - other.met,
        )


def withheld(group: Tally) -> str | None:
    """Why a peer group's spread may not be told, or None."""
    return withheld_each(group.facilities[None], group.volumes[None], group.met[None])[0]


def withheld_each(facilities: Ints, volumes: Ints, met: Ints) -> list[str | None]:
    """The same of many groups at once, a row each, by the numbers of a `Tally`."""
    return withheld_of(
        Totals(
            facilities.sum(axis=1),
            _most(facilities),
            volumes.sum(axis=1),
            _most(volumes),
            met.sum(axis=1),
            _most(met),
            _most(volumes - met),
        )
    )


class Totals(NamedTuple):
    """Of each of many groups: sums of the numbers of a `Tally`, and the most that one account has of each."""

    facilities: Ints
    most_facilities: Ints
    volumes: Ints
    most_volumes: Ints
    met: Ints
    most_met: Ints
    most_unmet: Ints


def withheld_of(groups: Totals) -> list[str | None]:
    """The same by what groups' tallies come to."""
    few, dominated, small = _limits(groups)
    chosen = np.where(few, 1, np.where(dominated, 2, np.where(small, 3, 0))).tolist()
    return [(None, "few-facilities", "dominance", "small-count")[one] for one in chosen]


def _limits(groups: Totals) -> tuple[npt.NDArray[np.bool_], ...]:
    """Whether each has too few facilities, somebody with most of it, or a small count."""
    count, volumes = groups.facilities, groups.volumes
    return (
        (count < FEWEST_FACILITIES) | (count - groups.most_facilities < FEWEST_OTHERS),
        groups.most_volumes * 100 > volumes * MOST_PERCENT,
        are_small(volumes, groups.most_volumes)
        | are_small(groups.met, groups.most_met)
        | are_small(volumes - groups.met, groups.most_unmet),
    )


def surely_tellable(groups: Totals, inner: Ints, outer: Ints) -> npt.NDArray[np.bool_]:
    """Whether what outer groups (numbers) have beside inner ones may be told, whosesoever it is.

    An account has no more of the rest than the most that one has of the outer group. False where that
    does not settle it.
    """
    few, dominated, small = _limits(
        Totals(
            groups.facilities[outer] - groups.facilities[inner],
            groups.most_facilities[outer],
            groups.volumes[outer] - groups.volumes[inner],
            groups.most_volumes[outer],
            groups.met[outer] - groups.met[inner],
            groups.most_met[outer],
            groups.most_unmet[outer],
        )
    )
    tellable: npt.NDArray[np.bool_] = ~(few | dominated | small)
    return tellable


def complementary(whole: Tally, told: Mapping[str, Tally]) -> list[str]:
    """The groups to withhold as well, out of those that are to be told of a whole.

    What is left of the whole without them must be nobody, or what might be told itself. The smallest
    go first, the first by name among equals. Facilities in no group at all count among what is left.
    """
    shown = sorted((one.volume, name) for name, one in told.items() if one.anybody)
    left = whole
    for _, name in shown:
        left -= told[name]
    hidden = []
    for _, name in shown:
        if not left.anybody or withheld(left) is None:
            break
        hidden.append(name)
        left += told[name]
    return hidden


def pooled_digits(most: int, group: Totals, parts: int, *, mean: bool) -> int | None:
    """With how many decimals the pooled rate of one group may be told, at most `most`; None if with none.

    Rounding must hide `HIDDEN_BY_ROUNDING` cases, so that differences of what is told of overlapping
    periods give no count. What lies outside any one account, of a proportion whether in the numerator
    or not, must be twice a small count for each of the parts that the whole might be split into: then
    the least that other parts must hold never bounds the one that is sought.
    """
    outside = [int(group.met - group.most_met)]
    if not mean:
        outside.append(int(group.volumes - group.met - group.most_unmet))
    return _hiding(float(group.volumes), most) if _hidden(outside, parts) else None


def log_odds_digits(most: int, denominators: Ints, numerators: Ints, parts: int) -> int | None:
    """The same of log-odds, by account: with how many decimals those of these cases may be told.

    A hundredth more of them moves the numerator by a hundredth of its variance, which is so much less
    than the cases.
    """
    counts = numerators, denominators - numerators
    if not _hidden([int(one.sum() - one.max(initial=0)) for one in counts], parts):
        return None
    cases, met = float(denominators.sum()), float(numerators.sum())
    return _hiding(met * (cases - met) / cases, most)


def _hidden(outside: Sequence[int], parts: int) -> bool:
    """Whether there is enough of each count outside of any one account."""
    return min(outside) >= HIDDEN_BY_ROUNDING * max(parts, FEWEST_PARTS)


def _hiding(cases: float, most: int) -> int | None:
    """The decimals, `most` of them, at which half a unit of the last is worth enough cases."""
    return next(
        (digits for digits in range(most, 0, -1) if cases >= HIDDEN_BY_ROUNDING * 10**digits), None
    )
