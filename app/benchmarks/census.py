"""
Census: the nation as the cells of a generation have it, read once for a snapshot.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import numpy.typing as npt
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.ground import traits
from app.benchmarks.layout import Layout
from app.benchmarks.nation import Nation, counted
from app.benchmarks.peers import groups, measured_by, peers_of
from app.benchmarks.periods import last_complete_year
from app.benchmarks.running import read_running
from app.registries.schema import Definition

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


async def counted_in(session: AsyncSession, generation_id: int) -> list[int]:
    """The facilities that a generation has cells of."""
    return list(await session.scalars(_FACILITIES, {"generation": generation_id}))


async def nation_of(
    session: AsyncSession,
    generation_id: int,
    facilities: Sequence[int],
    layout: Layout,
    definition: Definition,
    today: date,
) -> Nation:
    """The nation of these facilities, one at least, as a generation's committed cells have it."""
    months = (
        await session.execute(
            text(
                "SELECT min(month), max(month) FROM cells"
                " WHERE generation_id = :generation AND stratifier = ''"
            ),
            {"generation": generation_id},
        )
    ).one()
    known = await traits(session)
    account_of = {one: known[one].account if one in known else -one for one in facilities}
    facilities = sorted(facilities, key=lambda one: (account_of[one], one))
    running = await read_running(
        session, generation_id, layout, definition, facilities, (months[0], months[1])
    )
    owners = np.array([account_of[one] for one in facilities], np.int64)
    starts = np.flatnonzero(np.diff(owners, prepend=owners[0] - 1))
    bare = Nation(facilities, months[0], months[1], running, layout, starts, {})
    volumes = _volumes(definition, bare, today)
    members: dict[str, dict[str, npt.NDArray[np.bool_]]] = {}
    for grouping in definition.peers:
        labels = np.array(
            [
                (peers_of(definition, grouping, known[one], its) if one in known else None) or ""
                for one, its in zip(facilities, volumes, strict=True)
            ]
        )
        members[grouping.id] = {one: labels == one for one in groups(definition, grouping)}
    return replace(bare, members=members)


def _volumes(definition: Definition, nation: Nation, today: date) -> list[dict[str, int]]:
    """Of each facility, how many cases of a measure it had in the last twelve complete months."""
    found: list[dict[str, int]] = [{} for _ in nation.facilities]
    for name in set(measured_by(definition).values()):
        measure = definition.measure(name)
        of = counted(measure)[0 if measure.scoring == "cohort" else 1]
        (cases,) = nation.populations([(name, of)], last_complete_year(today))
        for its, count in zip(found, cases.tolist(), strict=True):
            its[name] = count
    return found
