"""Snapshots as they are kept: written in one go, found, and forgotten but for one of each month."""

from collections.abc import AsyncIterator
from datetime import date

import numpy as np
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import records
from app.benchmarks.nation import Nation
from app.benchmarks.peers import measured_by
from app.benchmarks.periods import later
from app.benchmarks.spreads import Spread
from app.database import copy_records, driver_connection, staging
from app.models import Snapshot
from app.registries.schema import Definition


async def write(session: AsyncSession, pieces: AsyncIterator[bytes]) -> None:
    """Keep what a snapshot says, pieces of `encoded`: tens of thousands of rows with millions of numbers."""

    async def source() -> AsyncIterator[bytes]:
        yield records.BEGINNING
        async for piece in pieces:
            yield piece
        yield records.END

    driver = await driver_connection(session)
    await driver.copy_to_table(
        "snapshot_spreads",
        columns=["snapshot_id", *Spread._fields],
        source=source(),
        format="binary",
    )


async def write_members(
    session: AsyncSession, snapshot_id: int, definition: Definition, nation: Nation
) -> None:
    """Whom groupings by a count of cases put together on this day: tomorrow it may be others."""
    rows = [
        (nation.facilities[place], grouping, peers)
        for grouping in measured_by(definition)
        for peers, inside in nation.members[grouping].items()
        for place in np.flatnonzero(inside)
    ]
    if not rows:
        return
    await staging(session, "members", "facility_id int, peer_group text, peers text")
    await copy_records(session, "members", ("facility_id", "peer_group", "peers"), rows)
    await session.execute(
        text(
            "INSERT INTO snapshot_members (snapshot_id, facility_id, peer_group, peers)"
            " SELECT :snapshot, facility_id, peer_group, peers FROM members"
        ),
        {"snapshot": snapshot_id},
    )


async def forget(session: AsyncSession, registry_id: str, today: date) -> None:
    """Drop snapshots of earlier months than the last, but for the last of each month."""
    before = later(today.replace(day=1), -1)
    gone = list(
        await session.scalars(
            text(
                "SELECT id FROM snapshots WHERE registry_id = :registry_id AND taken_on < :before"
                " AND id NOT IN (SELECT max(id) FROM snapshots WHERE registry_id = :registry_id"
                " GROUP BY date_trunc('month', taken_on))"
            ),
            {"registry_id": registry_id, "before": before},
        )
    )
    if not gone:
        return
    # By their numbers: what a subquery finds is looked for in all that is kept.
    for table, number in (
        ("snapshot_spreads", "snapshot_id"),
        ("snapshot_members", "snapshot_id"),
        ("snapshots", "id"),
    ):
        chosen = text(f"DELETE FROM {table} WHERE {number} = ANY(:gone)")
        await session.execute(chosen, {"gone": gone})


async def snapshot_of(
    session: AsyncSession, registry_id: str, on: date | None = None
) -> Snapshot | None:
    """A registry's newest snapshot, or the newest of a day; None if there is none."""
    chosen = select(Snapshot).where(Snapshot.registry_id == registry_id)
    if on is not None:
        chosen = chosen.where(Snapshot.taken_on == on)
    return await session.scalar(chosen.order_by(Snapshot.id.desc()).limit(1))
