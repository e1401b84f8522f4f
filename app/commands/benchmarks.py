"""`hounsfield recompute | reconcile | compare`: the benchmark tables, made anew, proven, and compared."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app.benchmarks import generations
from app.benchmarks.cluster import Cluster
from app.benchmarks.compare import compare as take_snapshot
from app.benchmarks.generations import Workshop
from app.catalogue import Catalogue
from app.database import EVERYTHING, Database, Role
from app.postgres import addresses
from app.registries.schema import Definition
from app.settings import Settings

app = typer.Typer()

Registry = Annotated[
    list[str] | None,
    typer.Option(
        "--registry",
        help="A registry's id; every registry that has cases when left out. May be repeated.",
    ),
]
MOST_SHOWN = 20

Work = Callable[[Workshop, Definition], Awaitable[tuple[bool, list[str]]]]


class EngineName(StrEnum):
    """What a recompute runs on."""

    DUCKDB = "duckdb"
    SPARK = "spark"


EngineOption = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        help="duckdb: this machine. spark: HOUNSFIELD_SPARK_MASTER; the extra `spark` and Java 17 are needed.",
    ),
]


@app.command("recompute")
def recompute(registry: Registry = None, engine: EngineOption = EngineName.DUCKDB) -> None:
    """Make the benchmark tables anew from the lake, and let them take over."""

    async def work(workshop: Workshop, definition: Definition) -> tuple[bool, list[str]]:
        rows = await generations.rebuild(workshop, definition)
        return True, [f"{rows} rows recomputed"]

    _for_each("recomputing", registry, work, engine)


@app.command("reconcile")
def reconcile(registry: Registry = None, engine: EngineOption = EngineName.DUCKDB) -> None:
    """Compare the benchmark tables with a recompute of them; exit 1 if anything differs."""

    async def work(workshop: Workshop, definition: Definition) -> tuple[bool, list[str]]:
        found = await generations.reconcile(workshop, definition)
        told = [
            f"{one.table}: facility {one.facility_id}, {one.month[:7]}, {one.series}"
            for one in found[:MOST_SHOWN]
        ]
        return not found, [f"{len(found)} differences", *told]

    _for_each("reconciling", registry, work, engine)


@app.command("compare")
def compare(registry: Registry = None) -> None:
    """Take today's snapshot of how rates are spread over peer groups."""

    async def work(workshop: Workshop, definition: Definition) -> tuple[bool, list[str]]:
        await generations.catch_up(workshop, definition)
        async with workshop.database.transaction(EVERYTHING) as session:
            taken = await take_snapshot(session, definition, datetime.now(UTC).date())
        if taken is None:
            return True, ["nothing to compare yet"]
        return True, [f"snapshot {taken.id} of {taken.taken_on} at feed number {taken.feed_seq}"]

    _for_each("comparing", registry, work)


def _for_each(
    doing: str,
    registries: list[str] | None,
    work: Work,
    engine: EngineName = EngineName.DUCKDB,
) -> None:
    """Do something for each registry, with a sign of life; exit 1 unless all went well."""

    async def run(settings: Settings, url: str) -> bool:
        database = Database(url, Role.WORKER, pool=2)
        workshop = Workshop.of(settings, database, Catalogue(settings))
        if engine is EngineName.SPARK:
            workshop = replace(workshop, cluster=Cluster.of(settings))
        try:
            async with database.transaction(EVERYTHING) as session:
                await workshop.catalogue.refresh(session)
            chosen = (
                [workshop.catalogue.in_force(one) for one in dict.fromkeys(registries)]
                if registries
                else await generations.in_use(workshop)
            )
            return all([await _told(doing, workshop, one, work) for one in chosen])
        finally:
            await database.close()

    settings = Settings()
    with addresses(settings) as found:
        well = asyncio.run(run(settings, found.worker))
    if not well:
        sys.exit(1)


async def _told(doing: str, workshop: Workshop, definition: Definition, work: Work) -> bool:
    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console
    ) as progress:
        progress.add_task(f"{doing} {definition.id}", total=None)
        well, lines = await work(workshop, definition)
    for line in lines:
        typer.echo(f"{definition.id}: {line}")
    return well
