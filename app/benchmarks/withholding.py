"""
Withholding: which peer groups of one measure and period are not told, each for itself and because of others.

What a set of facilities comes to by account is worked out only where the groups' totals do not settle
the matter: at the scale of a nation they nearly always do.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from app.benchmarks import suppress
from app.benchmarks.arrangement import Arrangement, Group
from app.benchmarks.nation import Nation
from app.benchmarks.peers import AND
from app.benchmarks.suppress import Tally, Totals
from app.registries.schema import Definition

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Whole = tuple[Group | None, Sequence[Group]]
"""A group, or None for all facilities, and groups that it falls into."""


class Tallies:
    """What each group comes to in one measure and period; of a mean, all `cases` are `met`."""

    def __init__(
        self,
        nation: Nation,
        arrangement: Arrangement,
        totals: Totals,
        shown: Bools,
        cases: Ints,
        met: Ints,
    ) -> None:
        self.nation, self.arrangement, self.totals = nation, arrangement, totals
        self.shown, self.cases, self.met = shown, cases, met
        self._found: dict[Group, Tally] = {}

    @cached_property
    def facilities(self) -> dict[Group, int]:
        """How many facilities of each group have a rate to show."""
        sizes = self.totals.facilities.tolist()
        return dict(zip(self.arrangement.groups, sizes, strict=True))

    @cached_property
    def everybody(self) -> int:
        """How many facilities have a rate to show."""
        return int(np.count_nonzero(self.shown))

    @cached_property
    def whole(self) -> Tally:
        """All facilities by account, those in no group too."""
        return self._tally(self.shown)

    def of(self, group: Group) -> Tally:
        """A group by account."""
        if group not in self._found:
            self._found[group] = self._tally(self.arrangement.members[group] & self.shown)
        return self._found[group]

    def _tally(self, chosen: Bools) -> Tally:
        kept = np.where(chosen, [np.ones_like(self.cases), self.cases, self.met], 0)
        return Tally(*self.nation.by_account(kept))


def wholes(definition: Definition, groups: Sequence[Group]) -> Iterator[Whole]:
    """What falls into what, in the order in which groups are withheld for one another."""
    for grouping in definition.peers:  # parts of a combination are declared above it
        own = [group for group in groups if group[0] == grouping.id]
        for place, part in enumerate(grouping.of):
            for held in [name for name in groups if name[0] == part]:
                yield held, [one for one in own if one[1].split(AND)[place] == held[1]]
        if grouping.by != "all":
            yield None, own


def reasons_to_withhold(made_up: Sequence[Whole], tallies: Tallies) -> dict[Group, str]:
    """Why groups may not be told, each by itself and then because of one another."""
    reasons = {
        group: reason
        for group, reason in zip(
            tallies.arrangement.groups, suppress.withheld_of(tallies.totals), strict=True
        )
        if reason
    }
    for whole, parts in made_up:
        if whole in reasons:
            # What is withheld of a group could be put together from its parts.
            for one in parts:
                reasons.setdefault(one, "complementary")
        else:
            _complete(tallies, whole, parts, reasons)
    _nested(tallies, reasons)
    return reasons


def _complete(
    tallies: Tallies, whole: Group | None, parts: Sequence[Group], reasons: dict[Group, str]
) -> None:
    """Withhold of a whole's parts (None: of all facilities) what would leave too little for the rest."""
    told = [one for one in parts if one not in reasons]
    everybody = tallies.everybody if whole is None else tallies.facilities[whole]
    if sum([tallies.facilities[one] for one in told]) == everybody:
        return  # nobody is left
    left = tallies.whole if whole is None else tallies.of(whole)
    hidden = set(suppress.complementary(left, {one[1]: tallies.of(one) for one in told}))
    reasons |= {one: "complementary" for one in parts if one[1] in hidden}


def _nested(tallies: Tallies, reasons: dict[Group, str]) -> None:
    """Withhold a group that lies within another, where what the other has beside it is too little."""
    groups, totals = tallies.arrangement.groups, tallies.totals
    told = np.array([one not in reasons for one in groups])
    sizes = totals.facilities
    within = tallies.arrangement.within(tallies.shown) & (sizes[:, None] < sizes[None, :])
    inner, outer = np.nonzero(within & told[:, None] & told[None, :])
    unsettled = np.flatnonzero(~suppress.surely_tellable(totals, inner, outer))
    if not len(unsettled):
        return
    pairs = [
        (groups[i], groups[o]) for i, o in zip(inner[unsettled], outer[unsettled], strict=True)
    ]
    rests = [tallies.of(other) - tallies.of(one) for one, other in pairs]
    found = suppress.withheld_each(
        np.stack([one.facilities for one in rests]),
        np.stack([one.volumes for one in rests]),
        np.stack([one.met for one in rests]),
    )
    reasons |= {one: "complementary" for (one, _), rest in zip(pairs, found, strict=True) if rest}
