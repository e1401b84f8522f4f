"""A workshop over the toy registry, in a database that is emptied for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from sqlalchemy import text

from app.benchmarks.engine import Engine
from app.benchmarks.generations import Workshop
from app.benchmarks.lake import Lake
from app.catalogue import Catalogue
from app.database import EVERYTHING, Database, Role
from app.postgres import Addresses
from app.settings import Settings

EMPTIED = "versions, cases, feeds, generations, cells, histograms, lake_files, snapshots, snapshot_spreads, snapshot_members, schedules"


@pytest_asyncio.fixture
async def workshop(
    database: Addresses, settings: Settings, worker: Database, tmp_path: Path
) -> AsyncIterator[Workshop]:
    owner = Database(database.owner, Role.OWNER, pool=1)
    async with owner.transaction(EVERYTHING) as session:
        await session.execute(text(f"TRUNCATE {EMPTIED}"))
    await owner.close()
    yield Workshop(
        worker,
        Catalogue(settings),
        Engine("1GB", "1GB", tmp_path / "spill"),
        Lake(tmp_path / "lake"),
    )
