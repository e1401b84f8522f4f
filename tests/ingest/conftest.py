from collections.abc import AsyncIterator

import pytest_asyncio

from app.database import Database
from app.settings import Settings
from app.worker import Works, open_works
from tests.ingest.landing import Landing


@pytest_asyncio.fixture(scope="module")
async def works(settings: Settings) -> AsyncIterator[Works]:
    async with open_works(settings) as opened:
        yield opened


@pytest_asyncio.fixture
async def landing(works: Works, web: Database) -> Landing:
    """One facility that participates, of its own for each test."""
    found = Landing(works, web)
    await found.participate("active")
    return found
