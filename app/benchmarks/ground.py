"""
Ground: what every answer about a facility stands on, read in one statement.

The facility's traits, the generation in force, the newest snapshot, and where that one put the
facility by a count of its cases. What never changes once it is written, a generation's layout, is
kept in the process.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ARRAY, Integer, any_, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.layout import Layout
from app.benchmarks.peers import Traits
from app.models import Facility, Generation
from app.registries.schema import Definition

LAYOUTS = 32
"""So many are kept."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The generation that a registry answers from."""

    id: int
    feed_seq: int
    tabulated_at: datetime
    layout: Layout


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot: it is never changed, so that what is read of it may be kept."""

    id: int
    taken_on: date
    taken_at: datetime
    """Of two databases that one process has known, no two have taken theirs at the same moment."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What an answer about a facility stands on; each None where there is none, or none in scope."""

    traits: Traits | None
    serving: Serving | None
    taken: Taken | None
    members: dict[str, str]
    """Grouping by a count of cases -> the group that the snapshot put the facility in."""


_GROUND = text("""
SELECT facility.category, facility.location, facility.census_division, facility.annual_exams,
       facility.corporate_account_id,
       generation.id, generation.feed_seq, generation.tabulated_at, generation.created_at,
       snapshot.id, snapshot.taken_on, snapshot.taken_at,
       ARRAY(SELECT ARRAY[member.peer_group, member.peers] FROM snapshot_members AS member
             WHERE member.snapshot_id = snapshot.id
               AND member.facility_id = CAST(:facility_id AS int))
FROM (VALUES (1)) AS one
LEFT JOIN facilities AS facility ON facility.id = CAST(:facility_id AS int)
LEFT JOIN generations AS generation
  ON generation.registry_id = :registry_id AND generation.state = 'current'
LEFT JOIN LATERAL (
  SELECT id, taken_on, taken_at FROM snapshots WHERE registry_id = :registry_id
  ORDER BY id DESC LIMIT 1) AS snapshot ON true
""")

_layouts: OrderedDict[tuple[int, datetime], Layout] = OrderedDict()


async def ground(session: AsyncSession, definition: Definition, facility_id: int) -> Ground:
    """What an answer about a facility stands on. A session in the facility's own scope is enough."""
    row = (
        await session.execute(_GROUND, {"facility_id": facility_id, "registry_id": definition.id})
    ).one()
    serving = None
    if row[5] is not None:
        layout = await _layout(session, row[5], row[8])
        serving = Serving(row[5], row[6], row[7], layout)
    return Ground(
        None if row[0] is None else Traits(*row[:5]),
        serving,
        None if row[9] is None else Taken(*row[9:12]),
        dict(row[12]),
    )


async def traits(
    session: AsyncSession, facilities: Iterable[int] | None = None
) -> dict[int, Traits]:
    """The traits of some facilities, or of all that the session sees."""
    query = select(
        Facility.id,
        Facility.category,
        Facility.location,
        Facility.census_division,
        Facility.annual_exams,
        Facility.corporate_account_id,
    )
    if facilities is not None:
        query = query.where(Facility.id == any_(literal(list(facilities), ARRAY(Integer))))
    return {row[0]: Traits(*row[1:]) for row in await session.execute(query)}


async def _layout(session: AsyncSession, generation_id: int, created_at: datetime) -> Layout:
    """How the rows of a generation are read. Its moment is part of what it is known by: see `Taken`."""
    key = generation_id, created_at
    known = _layouts.get(key)
    if known is None:
        chosen = select(Generation.layout).where(Generation.id == generation_id)
        known = _layouts[key] = Layout.read((await session.scalars(chosen)).one())
        while len(_layouts) > LAYOUTS:
            _layouts.popitem(last=False)
    return known
