"""Bring a database to where this release needs it: tables, and the packaged definitions published."""

import asyncio

from app.catalogue import Catalogue
from app.database import EVERYTHING, Database, Role, migrate
from app.settings import Settings


def prepare(settings: Settings, owner: str) -> None:
    """Migrate and publish; nothing happens where nothing is missing."""
    asyncio.run(_prepare(settings, owner))


async def _prepare(settings: Settings, owner: str) -> None:
    await migrate(owner)
    database = Database(owner, Role.OWNER, pool=1)
    try:
        async with database.transaction(EVERYTHING) as session:
            await Catalogue(settings).publish_packaged(session)
    finally:
        await database.close()
