"""
The nation: every facility's totals by month, and whom each is compared with.

Read once for a snapshot. Totals are running sums, so that any period is one subtraction; facilities
stand in the order of their corporate accounts, so that an account's share of a group is one more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.layout import Layout
from app.benchmarks.peers import groups, measured_by, peers_of, traits
from app.benchmarks.periods import Period, last_complete_year
from app.benchmarks.running import Running, counted, month_place, read_running
from app.registries.measure import Measure
from app.registries.schema import Definition

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Ratios(NamedTuple):
    """Rates of measures (rows) and facilities."""

    numerators: Ints
    denominators: Ints
    sizes: Ints
    """How many cases each rests on."""


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
        return self.running.between(*self.ends(asked), wanted)

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
        running = self.running.squares.get(measure.id)
        if running is None:
            return np.zeros(len(self.facilities))
        start, end = self.ends(asked)
        over: Floats = running[end] - running[start]
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


_FACILITIES = text("""
WITH RECURSIVE found(facility_id) AS (
  SELECT min(facility_id) FROM cells WHERE generation_id = :generation
  UNION ALL
  SELECT (SELECT min(cells.facility_id) FROM cells
          WHERE cells.generation_id = :generation AND cells.facility_id > found.facility_id)
  FROM found WHERE found.facility_id IS NOT NULL
)
SELECT facility_id FROM found WHERE facility_id IS NOT NULL
""")
"""Whoever has cells, one look into the index each: DISTINCT would read all that it holds."""


async def nation_of(
    session: AsyncSession,
    generation_id: int,
    layout: Layout,
    definition: Definition,
    today: date,
) -> Nation | None:
    """The nation as a generation's cells have it; None as long as they hold nothing."""
    ends = (
        await session.execute(
            text(
                "SELECT min(month), max(month) FROM cells"
                " WHERE generation_id = :generation AND stratifier = ''"
            ),
            {"generation": generation_id},
        )
    ).one()
    if ends[0] is None:
        return None
    unsorted = list(await session.scalars(_FACILITIES, {"generation": generation_id}))
    known = await traits(session, unsorted)
    account_of = {one: known[one].account if one in known else -one for one in unsorted}
    facilities = sorted(unsorted, key=lambda one: (account_of[one], one))
    running = await read_running(
        session, generation_id, layout, definition, facilities, (ends[0], ends[1])
    )
    owners = np.array([account_of[one] for one in facilities], np.int64)
    starts = np.flatnonzero(np.diff(owners, prepend=owners[0] - 1))
    bare = Nation(facilities, ends[0], ends[1], running, layout, starts, {})
    volumes = _volumes(definition, bare, today)
    members: dict[str, dict[str, npt.NDArray[np.bool_]]] = {}
    for grouping in definition.peers:
        labels = np.array(
            [
                (
                    peers_of(
                        definition,
                        grouping,
                        known[facility],
                        {one: int(its[place]) for one, its in volumes.items()},
                    )
                    if facility in known
                    else None
                )
                or ""
                for place, facility in enumerate(facilities)
            ]
        )
        members[grouping.id] = {one: labels == one for one in groups(definition, grouping)}
    return Nation(facilities, ends[0], ends[1], running, layout, starts, members)


def _volumes(definition: Definition, nation: Nation, today: date) -> dict[str, Ints]:
    """Measure -> how many cases of it each facility had in the last twelve complete months."""
    over = last_complete_year(today)
    found = {}
    for name in measured_by(definition).values():
        measure = definition.measure(name)
        of = counted(measure)[0 if measure.scoring == "cohort" else 1]
        (found[name],) = nation.populations([(name, of)], over)
    return found
