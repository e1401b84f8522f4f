"""
Compare: a dated snapshot of how rates are spread over peer groups.

One value a facility, unweighted, and over all facilities the rate of their cases pooled; rounded and
without counts. A snapshot is never changed and everybody sees the same one, so two looks seconds apart
reveal nobody.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.census import counted_in, nation_of
from app.benchmarks.generations import current
from app.benchmarks.layout import Layout
from app.benchmarks.levels import levels_of
from app.benchmarks.periods import Period, later, rolling_year
from app.benchmarks.snapshots import forget, write, write_members
from app.benchmarks.spreads import Spreads, encoded
from app.locks import Lock, take
from app.models import Snapshot
from app.registries.schema import Definition

YEARS, QUARTERS, MONTHS = 5, 12, 24


async def compare(session: AsyncSession, definition: Definition, today: date) -> Snapshot | None:
    """Take a registry's snapshot of today, of what is committed; none as long as it has no tables."""
    await take(session, Lock.TABULATE, definition.id)  # nothing moves while it is read
    generation = await current(session, definition.id)
    if generation is None:
        return None
    layout = Layout.read(generation.layout)
    facilities = await counted_in(session, generation.id) if definition.peers else []
    nation = None
    if facilities:  # before anything is written
        nation = await nation_of(session, generation.id, facilities, layout, definition, today)
    snapshot = Snapshot(
        registry_id=definition.id,
        generation_id=generation.id,
        feed_seq=generation.feed_seq,
        taken_on=today,
    )
    session.add(snapshot)
    await session.flush()
    if nation is not None:
        covered = periods(nation.first, nation.last, today)
        levels = await levels_of(session, generation.id, definition, nation, covered)
        spreads = Spreads(definition, nation, today, levels)
        await write(session, _told(snapshot.id, spreads, covered))
        await write_members(session, snapshot.id, definition, nation)
    await forget(session, definition.id, today)
    return snapshot


async def _told(
    snapshot_id: int, spreads: Spreads, covered: Sequence[Period]
) -> AsyncIterator[bytes]:
    """What is told of each period: others are worked out while one is taken in."""

    def work(asked: Period) -> bytes:
        return encoded(snapshot_id, spreads.of(asked))

    thread = ThreadPoolExecutor(1)
    try:
        for found in [thread.submit(work, asked) for asked in covered]:
            yield await asyncio.wrap_future(found)
    finally:
        thread.shutdown(cancel_futures=True)


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
