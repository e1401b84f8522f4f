"""
Generations: the cells of one set of measure texts.

A registry answers from its current generation. When the definition's measures change, a new one is
built from the lake beside it, catches up from the feed, and takes its place in one transaction; until
then the old one goes on serving.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import cluster
from app.benchmarks.cluster import Cluster
from app.benchmarks.engine import Engine
from app.benchmarks.feed import WINDOW
from app.benchmarks.lake import Files, Lake
from app.benchmarks.measures import Tabulation, tabulation
from app.benchmarks.observe import Rows
from app.benchmarks.recompute import Difference, differences, fill, over_lake
from app.benchmarks.refresh import refresh
from app.benchmarks.tabulate import advance, mark
from app.catalogue import Catalogue
from app.database import EVERYTHING, Database
from app.errors import NotFound
from app.locks import Lock, take
from app.models import Feed, Generation
from app.registries.schema import Definition
from app.settings import Settings

log = structlog.get_logger()

LIVING = ("waiting", "building", "current")
SWEEP = 20_000
"""Rows of retired generations that one call takes away."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What it takes to keep benchmark tables current."""

    database: Database
    catalogue: Catalogue
    engine: Engine
    lake: Lake
    cluster: Cluster | None = None
    """Where recomputes run instead of here, when told so."""

    @classmethod
    def of(cls, settings: Settings, database: Database, catalogue: Catalogue) -> "Workshop":
        return cls(database, catalogue, Engine.of(settings), Lake.of(settings))

    def recomputed(self, tabulation: Tabulation, files: Sequence[Files]) -> Iterator[Rows]:
        """All rows of a generation, worked out from the lake, some at a time."""
        if self.cluster is not None:
            return cluster.over_lake(self.cluster, self.lake, tabulation, files)
        return over_lake(self.engine, self.lake, tabulation, files)


async def current(session: AsyncSession, registry_id: str) -> Generation | None:
    """The generation that a registry answers from."""
    return await session.scalar(
        select(Generation).where(
            Generation.registry_id == registry_id, Generation.state == "current"
        )
    )


async def step(
    workshop: Workshop, definition: Definition, *, window: int = WINDOW, wait: bool = False
) -> int:
    """Move a registry's tables on by at most a window of its feed; how many feed numbers.

    While another worker holds the registry's lock there is nothing to do here, unless told to wait.
    """
    wanted = tabulation(definition)
    async with workshop.database.transaction(EVERYTHING) as session:
        if not await take(session, Lock.TABULATE, definition.id, wait=wait):
            return 0
        moved = 0
        for one in await _living(session, wanted):
            if one.state == "waiting":
                continue  # `build` fills it first
            its = _tabulation_of(workshop.catalogue, one, wanted)
            if its is not None:
                moved += await advance(session, workshop.engine, its, one, window=window)
        await _swap(session, definition.id)
        return moved


async def _living(session: AsyncSession, wanted: Tabulation) -> Sequence[Generation]:
    """The current generation and the one being built; the wanted one is among them afterwards."""
    query = (
        select(Generation)
        .where(
            Generation.registry_id == wanted.registry_id,
            Generation.state.in_(LIVING),
        )
        .order_by(Generation.id)
    )
    living = (await session.scalars(query)).all()
    if any(one.digest == wanted.digest for one in living):
        return living
    for one in living:
        if one.state != "current":  # of texts that were replaced before it was done
            one.state = "retired"
    state = "waiting" if any(one.state == "current" for one in living) else "current"
    session.add(_new(wanted, state))
    await session.flush()
    return (await session.scalars(query)).all()


def _new(wanted: Tabulation, state: str) -> Generation:
    return Generation(
        registry_id=wanted.registry_id,
        definition_version=wanted.version,
        digest=wanted.digest,
        layout=wanted.layout.document(),
        state=state,
        feed_seq=0,
    )


def _tabulation_of(
    catalogue: Catalogue, generation: Generation, wanted: Tabulation
) -> Tabulation | None:
    """The statement a generation was made with; none once nobody knows its texts any more."""
    if generation.digest == wanted.digest:
        return wanted
    try:
        earlier = tabulation(
            catalogue.registry(generation.registry_id, version=generation.definition_version)
        )
    except NotFound:
        return None
    return earlier if earlier.digest == generation.digest else None


async def _swap(session: AsyncSession, registry_id: str) -> None:
    """Let a built generation take over once it is as far as the current one."""
    living = (
        await session.scalars(
            select(Generation).where(
                Generation.registry_id == registry_id,
                Generation.state.in_(LIVING),
            )
        )
    ).all()
    serving = next((one for one in living if one.state == "current"), None)
    built = next((one for one in living if one.state == "building"), None)
    if serving is None or built is None or built.feed_seq < serving.feed_seq:
        return
    serving.state = "retired"
    await session.flush()  # one current generation at a time
    built.state = "current"
    log.info("generation in force", registry=registry_id, generation=built.id)


async def build(workshop: Workshop, definition: Definition) -> int:
    """Fill a generation that waits to be built, from the lake; how many rows."""
    wanted = tabulation(definition)
    waiting = select(Generation).where(
        Generation.registry_id == definition.id,
        Generation.digest == wanted.digest,
        Generation.state == "waiting",
    )
    async with workshop.database.transaction(EVERYTHING) as session:
        if await session.scalar(waiting) is None:
            return 0
        # The lake's lock also keeps two workers from filling the same generation.
        files = await refresh(session, workshop.engine, workshop.lake, wanted)
        generation = await session.scalar(waiting)
        if generation is None:
            return 0
        rows = await fill(session, workshop.recomputed, wanted, files, generation.id)
        await session.refresh(generation, with_for_update=True)
        if generation.state != "waiting":  # replaced meanwhile: what was filled is swept away
            return 0
        generation.state = "building"
        await mark(session, generation, files[0].feed_seq)
        return rows


async def rebuild(workshop: Workshop, definition: Definition) -> int:
    """Make the current generation anew from the lake, and let it take over; how many rows."""
    wanted = tabulation(definition)
    async with workshop.database.transaction(EVERYTHING) as session:
        await take(session, Lock.TABULATE, definition.id)
        for one in await _living(session, wanted):
            if one.state != "current":
                one.state = "retired"
        session.add(_new(wanted, "waiting"))
    rows = await build(workshop, definition)
    await catch_up(workshop, definition)
    return rows or await _rows(workshop, definition)


async def _rows(workshop: Workshop, definition: Definition) -> int:
    """How many rows the current generation has: a worker that was quicker may have filled it."""
    async with workshop.database.transaction(EVERYTHING) as session:
        generation = await current(session, definition.id)
        assert generation is not None
        held = text("SELECT count(*) FROM cells WHERE generation_id = :generation")
        return int(await session.scalar(held, {"generation": generation.id}) or 0)


async def catch_up(workshop: Workshop, definition: Definition) -> None:
    """Run until the current generation is of the definition in force and nothing is left to do."""
    await step(workshop, definition, wait=True)  # what is wanted waits to be built afterwards
    while await build(workshop, definition) or await step(workshop, definition, wait=True):
        pass


async def reconcile(workshop: Workshop, definition: Definition) -> list[Difference]:
    """Every row in which the tables differ from a recompute of them."""
    wanted = tabulation(definition)
    await catch_up(workshop, definition)
    async with workshop.database.transaction(EVERYTHING) as session:
        await take(session, Lock.TABULATE, definition.id)
        generation = await current(session, definition.id)
        assert generation is not None
        # Nobody else moves the tables now; bring them to the number the lake will be at.
        files = await refresh(session, workshop.engine, workshop.lake, wanted)
        while generation.feed_seq < files[0].feed_seq:
            await advance(session, workshop.engine, wanted, generation, upto=files[0].feed_seq)
        return await differences(session, workshop.recomputed, wanted, files, generation.id)


async def in_use(workshop: Workshop) -> list[Definition]:
    """The registries with measures that cases were ever sent to: of others there is nothing to count."""
    async with workshop.database.transaction(EVERYTHING) as session:
        fed = set(await session.scalars(select(Feed.registry_id)))
    return [one for one in workshop.catalogue.registries() if one.measures and one.id in fed]


async def sweep(workshop: Workshop) -> int:
    """Take away some rows of retired generations; how many."""
    async with workshop.database.transaction(EVERYTHING) as session:
        gone = 0
        for table in ("cells", "histograms"):
            found = await session.execute(
                text(
                    f"DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT one.ctid FROM {table} AS one"
                    " JOIN generations ON generations.id = one.generation_id"
                    " WHERE generations.state = 'retired' LIMIT :most))"
                ),
                {"most": SWEEP},
            )
            gone += found.rowcount  # type: ignore[attr-defined]  # of a DELETE
        if not gone:
            await session.execute(delete(Generation).where(Generation.state == "retired"))
        return gone
