"""A process that does nothing but bring a lake to the present and compact it, until it is killed."""

import asyncio
from pathlib import Path

from app.benchmarks import parts, refresh
from app.benchmarks.engine import Engine
from app.benchmarks.lake import Lake, lake_files
from app.benchmarks.measures import tabulation
from app.database import EVERYTHING, Database, Role
from tests.benchmarks.toy import definition


def compacting(address: str, folder: Path, share: int) -> None:
    """Compact without end; `share` as `refresh.SHARE`, which says whether the base is written anew."""
    refresh.SHARE, refresh.MOST_DELTAS, parts.PART_ROWS = share, 1_000, 8
    asyncio.run(_compacting(address, folder))


async def _compacting(address: str, folder: Path) -> None:
    tables, lake = tabulation(definition()), Lake(folder / "lake")
    engine = Engine("500MB", "1GB", folder / "spill")
    database = Database(address, Role.WORKER, pool=1)
    while True:
        async with database.transaction(EVERYTHING) as session:
            await refresh.refresh(session, engine, lake, tables)
            files = await lake_files(session, tables)
            if files[0].deltas:
                await refresh.compact(session, engine, lake, tables, files)
