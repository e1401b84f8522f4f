"""
Compare: a dated snapshot of how rates are spread over peer groups.

One value a facility, unweighted, and over all facilities the rate of their cases pooled; rounded and
without counts. A snapshot is never changed and everybody sees the same one, so two looks seconds apart
reveal nobody.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.generations import current
from app.benchmarks.layout import Layout
from app.benchmarks.levels import levels_of
from app.benchmarks.nation import nation_of
from app.benchmarks.periods import Period, later, rolling_year
from app.benchmarks.snapshots import encoded, forget, write, write_members
from app.benchmarks.spreads import Spreads
from app.benchmarks.tabulate import lock
from app.models import Snapshot
from app.registries.schema import Definition

YEARS, QUARTERS, MONTHS = 5, 12, 24


async def compare(session: AsyncSession, definition: Definition, today: date) -> Snapshot | None:
    """Take a registry's snapshot of today; none as long as it has no tables."""
    await lock(session, definition.id, wait=True)  # nothing moves while it is read
    generation = await current(session, definition.id)
    if generation is None:
        return None
    snapshot = Snapshot(
        registry_id=definition.id,
        generation_id=generation.id,
        feed_seq=generation.feed_seq,
        taken_on=today,
    )
    session.add(snapshot)
    await session.flush()
    layout = Layout.read(generation.layout)
    nation = await nation_of(session, generation.id, layout, definition, today)
    if nation is not None:
        covered = periods(nation.first, nation.last, today)
        levels = await levels_of(session, generation.id, definition, nation, covered)
        spreads = Spreads(definition, nation, today, levels)
        await write(session, _pieces(snapshot.id, spreads, covered))
        await write_members(session, snapshot.id, definition, nation)
    await forget(session, definition.id, today)
    return snapshot


async def _pieces(
    snapshot_id: int, spreads: Spreads, covered: list[Period]
) -> AsyncIterator[bytes]:
    """What is told of each period, in turn: the next is worked out while PostgreSQL takes one in.

    No more than one at a time: most steps are so short that two threads would wait for one another.
    """

    def piece(asked: Period) -> bytes:
        return encoded(snapshot_id, spreads.of(asked))

    ahead: asyncio.Task[bytes] | None = None
    for asked in covered:
        done = await ahead if ahead is not None else b""
        ahead = asyncio.create_task(asyncio.to_thread(piece, asked))
        yield done
    if ahead is not None:
        yield await ahead


def periods(first: date, last: date, today: date) -> list[Period]:
    """What a snapshot covers: years, quarters, months and rolling years, as far back as is kept."""
    month = min(last, today.replace(day=1))
    found = {
        *(Period(later(month, -back), later(month, -back)) for back in range(MONTHS)),
        *(rolling_year(later(month, -back)) for back in range(MONTHS)),
        *(
            Period(date(month.year - back, 1, 1), date(month.year - back, 12, 1))
            for back in range(YEARS)
        ),
    }
    quarter = date(month.year, (month.month - 1) // 3 * 3 + 1, 1)
    found |= {
        Period(later(quarter, -3 * back), later(quarter, 2 - 3 * back)) for back in range(QUARTERS)
    }
    return sorted(one for one in found if one.last >= first and one.first <= last)
