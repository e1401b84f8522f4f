"""Take a nation through a running service, from files to benchmark tables."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import httpx

from app.simulation.sending import Keys, Nation, Office
from tests.journeys.service import Service

REGISTRY = "early-lung-cancer-detection"


@dataclass
class Travelled:
    """A nation that was sent, where it was sent, and what the submissions are called there."""

    office: Office
    nation: Nation
    answered: dict[str, str]


BEHIND = (
    "SELECT (SELECT count(*) FROM submissions"
    "         WHERE state NOT IN ('completed', 'unreadable', 'held'))"
    " + (SELECT count(*) FROM instances WHERE state = 'received')"
    " + (SELECT count(*) FROM feeds f LEFT JOIN generations g"
    "      ON g.registry_id = f.registry_id AND g.state = 'current'"
    "     WHERE f.feed_seq > coalesce(g.feed_seq, 0))"
)
"""How much is on its way: submissions, instances, and changes not tabulated yet."""


async def settled(service: Service, url: str, patience: float = 300) -> None:
    """Wait until nothing is on its way."""
    deadline = asyncio.get_running_loop().time() + patience
    connection = await asyncpg.connect(url)
    try:
        while await connection.fetchval(BEHIND):
            assert asyncio.get_running_loop().time() < deadline, service.log.read_text()[-4000:]
            await asyncio.sleep(0.2)
    finally:
        await connection.close()


async def travel(
    service: Service,
    client: httpx.AsyncClient,
    nation: Nation,
    url: str,
    *,
    registry: str = REGISTRY,
    disturb: Callable[[asyncio.Event], Awaitable[None]] | None = None,
    patience: float = 600,
) -> Travelled:
    """Register, send everything, and wait until nothing is on its way.

    `disturb` runs beside it; its event is set when every entry has arrived, before images are sent.
    """
    office = Office(client, registry, Keys(service.operator()))
    await office.register(nation)
    arrived = asyncio.Event()
    disturbance = asyncio.create_task(disturb(arrived)) if disturb else None

    async def drained() -> None:
        await settled(service, url, patience)
        if disturbance is not None and disturbance.done():
            disturbance.result()

    answered = await office.send_all(nation, drained=drained)
    arrived.set()
    stored = await office.send_images(nation)
    assert {one.status_code for one in stored} <= {200}
    await drained()
    if disturbance is not None:
        await disturbance
        await drained()
    return Travelled(office, nation, answered)
