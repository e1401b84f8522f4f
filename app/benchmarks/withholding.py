"""
Withholding: which peer groups of one measure and period are not told, each for itself and because of others.

What a set of facilities comes to by account is worked out only where the groups' totals do not settle
the matter: at the scale of a nation they nearly always do.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from app.benchmarks import suppress
from app.benchmarks.arrangement import Arrangement, Group
from app.benchmarks.nation import Nation
from app.benchmarks.peers import AND
from app.benchmarks.suppress import Tally
from app.registries.schema import Definition

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Tallies:
    """What each group comes to in one measure and period; `met` is None where a mean is told."""

    def __init__(
        self,
        nation: Nation,
        arrangement: Arrangement,
        shown: Bools,
        volumes: Ints,
        met: Ints | None,
    ) -> None:
        self.nation, self.arrangement, self.shown = nation, arrangement, shown
        self.volumes, self.met = volumes, met
        self.totals = arrangement.totals(shown, volumes, met)
        self.places = {group: place for place, group in enumerate(arrangement.groups)}
        self._found: dict[Group, Tally] = {}

    def facilities(self, group: Group) -> int:
        """How many facilities of a group have a rate to show."""
        return int(self.totals.facilities[self.places[group]])

    def of(self, group: Group) -> Tally:
        """A group by account."""
        if group not in self._found:
            self._found[group] = self._tally(self.arrangement.members[group] & self.shown)
        return self._found[group]

    @cached_property
    def whole(self) -> Tally:
        """All facilities by account, those in no group too."""
        return self._tally(self.shown)

    @cached_property
    def everybody(self) -> int:
        """How many facilities have a rate to show."""
        return int(self.shown.sum())

    def _tally(self, chosen: Bools) -> Tally:
        by_account = self.nation.by_account
        return Tally(
            by_account(chosen.astype(np.int64)),
            by_account(np.where(chosen, self.volumes, 0)),
            None if self.met is None else by_account(np.where(chosen, self.met, 0)),
        )


def reasons_to_withhold(definition: Definition, tallies: Tallies) -> dict[Group, str]:
    """Why groups may not be told, each by itself and then because of one another."""
    groups = tallies.arrangement.groups
    reasons = {
        group: reason
        for group, reason in zip(groups, suppress.withheld_of(tallies.totals), strict=True)
        if reason
    }
    for grouping in definition.peers:  # parts of a combination are declared above it
        own = [group for group in groups if group[0] == grouping.id]
        for place, part in enumerate(grouping.of):
            for held in [name for name in groups if name[0] == part]:
                parts = [one for one in own if one[1].split(AND)[place] == held[1]]
                if held in reasons:
                    # What is withheld of a group could be put together from its parts.
                    for one in parts:
                        reasons.setdefault(one, "complementary")
                else:
                    _complete(tallies, held, parts, reasons)
        if grouping.by != "all":
            _complete(tallies, None, own, reasons)
    _nested(tallies, reasons)
    return reasons


def _complete(
    tallies: Tallies, whole: Group | None, parts: Sequence[Group], reasons: dict[Group, str]
) -> None:
    """Withhold of a whole's parts (None: of all facilities) what would leave too little for the rest."""
    told = [one for one in parts if one not in reasons]
    everybody = tallies.everybody if whole is None else tallies.facilities(whole)
    if sum(map(tallies.facilities, told)) == everybody:
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
    unsettled = ~suppress.surely_tellable(totals, inner, outer)
    pairs = [
        (groups[i], groups[o]) for i, o in zip(inner[unsettled], outer[unsettled], strict=True)
    ]
    rests = _withheld([tallies.of(other) - tallies.of(one) for one, other in pairs])
    reasons |= {one: "complementary" for (one, _), rest in zip(pairs, rests, strict=True) if rest}


def _withheld(tallies: Sequence[Tally]) -> list[str | None]:
    """Why each of some sets of facilities may not be told."""
    if not tallies:
        return []
    met = [one.met for one in tallies if one.met is not None]
    return suppress.withheld_each(
        np.stack([one.facilities for one in tallies]),
        np.stack([one.volumes for one in tallies]),
        np.stack(met) if met else None,
    )
