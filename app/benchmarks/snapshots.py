"""Snapshots as they are kept: written in one go, found, and forgotten but for one of each month."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import records
from app.benchmarks.nation import Nation
from app.benchmarks.peers import measured_by
from app.benchmarks.periods import later
from app.database import copy_records, driver_connection, staging
from app.models import Snapshot
from app.registries.schema import Definition


class Spread(NamedTuple):
    """What a snapshot says of one peer group."""

    measure_id: str
    period: str
    peer_group: str
    peers: str
    facilities: int | None
    spread: dict[str, Any] | None
    rank_bounds: npt.NDArray[np.int64] | None
    withheld: str | None


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


def encoded(snapshot_id: int, spreads: Sequence[Spread]) -> bytes:
    """As COPY takes them: the driver would look at each of the millions of numbers."""
    beginning = (1 + len(Spread._fields)).to_bytes(2, "big") + records.long_field(snapshot_id)
    bounds = records.array_fields([one.rank_bounds for one in spreads])
    return b"".join(
        field
        for one, its in zip(spreads, bounds, strict=True)
        for field in (
            beginning,
            *map(records.text_field, one[:4]),
            records.integer_field(one.facilities),
            records.jsonb_field(None if one.spread is None else orjson.dumps(one.spread)),
            its,
            records.text_field(one.withheld),
        )
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
    values = {"registry_id": registry_id, "before": before}
    chosen = (
        "SELECT id FROM snapshots WHERE registry_id = :registry_id AND taken_on < :before"
        " AND id NOT IN (SELECT max(id) FROM snapshots WHERE registry_id = :registry_id"
        " GROUP BY date_trunc('month', taken_on))"
    )
    for table in ("snapshot_spreads", "snapshot_members"):
        await session.execute(text(f"DELETE FROM {table} WHERE snapshot_id IN ({chosen})"), values)
    await session.execute(text(f"DELETE FROM snapshots WHERE id IN ({chosen})"), values)


async def snapshot_of(
    session: AsyncSession, registry_id: str, on: date | None = None
) -> Snapshot | None:
    """A registry's newest snapshot, or the newest of a day; None if there is none."""
    chosen = select(Snapshot).where(Snapshot.registry_id == registry_id)
    if on is not None:
        chosen = chosen.where(Snapshot.taken_on == on)
    return await session.scalar(chosen.order_by(Snapshot.id.desc()).limit(1))
