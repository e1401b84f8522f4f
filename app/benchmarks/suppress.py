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
    "small-count": f"A count behind this is below {SMALLEST_COUNT}.",
    "complementary": "Showing this would reveal what is withheld about another peer group.",
}


def is_small(count: int) -> bool:
    """Whether a count is one that must not be shown: 1 to 10. That there is none may be said."""
    return 0 < count < SMALLEST_COUNT


@dataclass(frozen=True, slots=True)
class Tally:
    """What a set of facilities with a rate to show comes to; sets within one another can be taken apart.

    `facilities` and `volumes` have a number for each corporate account: facilities, and the cases their
    rates divide by. `numerator` is that of all together, None where a mean is told.
    """

    facilities: Ints
    volumes: Ints
    numerator: int | None

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
            None if self.numerator is None else self.numerator + (other.numerator or 0),
        )

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(
            self.facilities - other.facilities,
            self.volumes - other.volumes,
            None if self.numerator is None else self.numerator - (other.numerator or 0),
        )


def tally(accounts: Sequence[int], volumes: Sequence[int], numerator: int | None) -> Tally:
    """The tally of facilities, each with its account and its cases."""
    places = {account: place for place, account in enumerate(dict.fromkeys(accounts))}
    facilities, held = np.zeros(len(places), np.int64), np.zeros(len(places), np.int64)
    for account, volume in zip(accounts, volumes, strict=True):
        facilities[places[account]] += 1
        held[places[account]] += volume
    return Tally(facilities, held, numerator)


def withheld(group: Tally) -> str | None:
    """Why a peer group's spread may not be told, or None."""
    facilities = int(group.facilities.sum())
    if (
        facilities < FEWEST_FACILITIES
        or facilities - int(group.facilities.max(initial=0)) < FEWEST_OTHERS
    ):
        return "few-facilities"
    total = group.volume
    if int(group.volumes.max(initial=0)) * 100 > total * MOST_PERCENT:
        return "dominance"
    if total < SMALLEST_COUNT:
        return "small-count"
    if group.numerator is not None and (
        is_small(group.numerator) or is_small(total - group.numerator)
    ):
        return "small-count"
    return None


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


def pooled_digits(most: int, denominators: Ints, numerators: Ints | None, parts: int) -> int | None:
    """With how many decimals a pooled rate may be told, at most `most`; None if with none.

    Rounding must hide `HIDDEN_BY_ROUNDING` cases, so that differences of what is told of overlapping
    periods give no count. What lies outside any one account (both arrays are per account), whether in
    the numerator or not, must be twice a small count for each of the parts that the whole might be
    split into: then the least that other parts must hold never bounds the one that is sought.
    `numerators` is None where a mean is told.
    """
    total = int(denominators.sum())
    least = HIDDEN_BY_ROUNDING * max(parts, FEWEST_PARTS)
    counts = [denominators] if numerators is None else [numerators, denominators - numerators]
    if any(int(one.sum()) - int(one.max(initial=0)) < least for one in counts):
        return None
    return next(
        (digits for digits in range(most, 0, -1) if total >= HIDDEN_BY_ROUNDING * 10**digits), None
    )
