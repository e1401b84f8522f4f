"""A workshop over the toy registry, in a database that is emptied for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import text

from app.benchmarks.engine import Engine
from app.benchmarks.generations import Workshop
from app.benchmarks.lake import Lake
from app.catalogue import Catalogue
from app.database import EVERYTHING, Database, Role
from app.postgres import Addresses
from app.settings import Settings
from tests.conftest import opened

EMPTIED = "versions, cases, feeds, generations, cells, histograms, lake_files, snapshots, snapshot_spreads, snapshot_members, schedules"


@pytest_asyncio.fixture
async def client(application: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Opened for each test: definitions are published here behind the application's back."""
    async with opened(application) as asked:
        yield asked


@pytest_asyncio.fixture(scope="module")
async def emptying(database: Addresses) -> AsyncIterator[Database]:
    """The database as its owner, who alone may empty tables."""
    opened = Database(database.owner, Role.OWNER, pool=1)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def workshop(
    emptying: Database, settings: Settings, worker: Database, tmp_path: Path
) -> Workshop:
    async with emptying.transaction(EVERYTHING) as session:
        await session.execute(text(f"TRUNCATE {EMPTIED}"))
    return Workshop(
        worker,
        Catalogue(settings),
        Engine("1GB", "1GB", tmp_path / "spill"),
        Lake(tmp_path / "lake"),
    )
