"""
The background process: the journey, in order.

Each step has a loop of its own: it takes what is waiting, moves it on, and looks again until nothing
is left; then it sleeps until it is rung or a second has passed. A step that fails is logged by its
type, pauses and goes on; its rows have their own tries (`app.claim`). Asked to stop, the process ends
the transactions it is in and leaves the rest to the others.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from app import audit, postgres, telemetry
from app.archive import Archive
from app.benchmarks import remind as reminding
from app.benchmarks import steps as benchmarks
from app.benchmarks.generations import Workshop
from app.catalogue import Catalogue
from app.claim import Bell, listening
from app.database import Database, Role
from app.ingest.accept import accept
from app.ingest.check import check
from app.ingest.cores import Cores
from app.ingest.expire import expire
from app.ingest.images import images
from app.ingest.link import link
from app.ingest.read import read
from app.ingest.relist import relist
from app.settings import Settings
from app.vault.quarantine import Quarantine
from app.vault.room import Vault

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
LONGEST_PAUSE = 15.0
GATHER_SECONDS = 0.1
"""How long a step that moved few rows waits for more, at least: most of what it costs is the same for
all of them. It waits as long as it took, so that a trickle takes half a core at most."""
MANY = 500

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Works:
    """Everything a step may need."""

    settings: Settings
    database: Database
    catalogue: Catalogue
    vault: Vault
    cores: Cores
    quarantine: Quarantine
    archive: Archive
    workshop: Workshop


@dataclass(frozen=True, slots=True)
class Step:
    """A station's work: `run` moves rows on in one transaction and says how many."""

    name: str
    run: Callable[[Works], Awaitable[int]]
    every: float = POLL_SECONDS
    """Seconds until it looks again when nobody rings."""
    listens: bool = True
    """Whether it looks when somebody rings; housekeeping does not."""
    to: frozenset[str] | None = None
    """The rings it looks at; None: whatever is rung. A ring that is missed costs `every`."""


async def seal(works: Works) -> int:
    """Chain what was written down of who did what; it keeps out of the writers' way."""
    async with works.database.transaction() as session:
        return await audit.seal(session)


async def tabulate(works: Works) -> int:
    """Observe and tabulate what each registry's feed has new."""
    return await benchmarks.tabulate(works.workshop)


async def remind(works: Works) -> int:
    """Keep worklists current, and tell what is due and overdue."""
    return await reminding.remind(works.workshop)


async def build(works: Works) -> int:
    """Fill generations of new measure texts."""
    return await benchmarks.build(works.workshop)


async def compare(works: Works) -> int:
    """Take the peers' snapshots when they are due."""
    return await benchmarks.compare_when_due(works.workshop, works.settings.compare_at)


async def sweep(works: Works) -> int:
    """Remove bytes that a request or a step left when it died."""
    async with works.database.transaction() as session:
        return await works.quarantine.sweep(session)


JOURNEY = (
    Step("read", read, to=frozenset({"received"})),
    Step("check", check, to=frozenset({"read"})),
    # What ends, however it ends, lets what was sent after it go on.
    Step(
        "accept", accept, to=frozenset({"checked", "accepted", "completed", "unreadable", "held"})
    ),
    Step("relist", relist, to=frozenset({"changed"})),
    Step("images", images, to=frozenset({"images"})),
    Step("link", link, to=frozenset({"archived", "accepted", "completed"})),
    Step("tabulate", tabulate, to=frozenset({"accepted", "completed"})),
    Step("remind", remind, every=5.0, to=frozenset({"accepted", "completed"})),
    Step("build", build, every=5.0, listens=False),
    Step("compare", compare, every=30.0, listens=False),
    Step("seal", seal, every=5.0, listens=False),
    Step("expire", expire, every=600.0, listens=False),
    Step("sweep", sweep, every=3600.0, listens=False),
)


async def work(works: Works, stopping: asyncio.Event, journey: Sequence[Step] = JOURNEY) -> None:
    """Follow the journey until asked to stop."""
    async with listening(works.database) as bell:
        loops = [asyncio.create_task(follow(step, works, bell, stopping)) for step in journey]
        await stopping.wait()
        _, late = await asyncio.wait(loops, timeout=PATIENCE_SECONDS) if loops else ((), ())
        for loop in late:  # its transaction is undone, and its rows are taken again
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def follow(step: Step, works: Works, bell: Bell, stopping: asyncio.Event) -> None:
    """One step's loop: as long as there are rows, and then whenever it is rung."""
    pause = 0.0
    while not stopping.is_set():
        ear = bell.ear(step.to) if step.listens else asyncio.Event()
        begun = time.perf_counter()
        try:
            await works.catalogue.keep_current(works.database)
            rows = await step.run(works)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a library's panic is no `Exception`; the loop goes on
            telemetry.STEP_FAILURES.labels(step.name).inc()
            log.error("step failed", step=step.name, exc_info=error)
            pause = min(max(0.25, pause * 2), LONGEST_PAUSE)
            await either(stopping, seconds=pause)
            continue
        pause = 0.0
        if rows:
            seconds = time.perf_counter() - begun
            telemetry.count_step(step.name, rows, seconds)
            log.debug("step moved rows on", step=step.name, rows=rows, seconds=round(seconds, 4))
            await either(stopping, seconds=max(GATHER_SECONDS, seconds) if rows < MANY else 0)
        else:
            await either(stopping, ear, seconds=step.every)


async def either(*events: asyncio.Event, seconds: float) -> None:
    """Wait for the first of some events, but no longer than `seconds`."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@asynccontextmanager
async def open_works(settings: Settings) -> AsyncIterator[Works]:
    """Everything a worker holds, for as long as it runs."""
    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(postgres.reached(settings))
        database = Database(found.worker, Role.WORKER, pool=settings.database_pool)
        stack.push_async_callback(database.close)
        vault, catalogue = Vault(settings), Catalogue(settings)
        await catalogue.keep_current(database)
        cores = Cores(settings, vault)
        stack.callback(cores.close)
        yield Works(
            settings=settings,
            database=database,
            catalogue=catalogue,
            vault=vault,
            cores=cores,
            quarantine=Quarantine(settings, vault),
            archive=Archive(settings),
            workshop=Workshop.of(settings, database, catalogue),
        )


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for ending in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(ending, stopping.set)
    async with open_works(settings) as works:
        log.info("worker is ready", version=telemetry.version())
        with contextlib.suppress(asyncio.CancelledError):
            await work(works, stopping)
    log.info("worker has stopped")
