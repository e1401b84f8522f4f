"""`hounsfield issue`: the feedback reports of a period, made, kept with digests and written down."""

import asyncio
import multiprocessing
import os
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from app.archive import Archive
from app.benchmarks.periods import period as read_period
from app.catalogue import Catalogue
from app.database import EVERYTHING, Database, Role
from app.errors import DiskFull, Unprocessable
from app.postgres import addresses
from app.reports import issue as issuing
from app.reports.issue import Progress
from app.settings import Settings

LOOK_SECONDS = 0.5
MOST_FAILURES = 20
"""In a row: more than one report's tries, so that it is not the report that is at fault."""

log = structlog.get_logger(__name__)

app = typer.Typer()


@app.command("issue")
def issue(
    period: Annotated[str, typer.Option(help="The reporting period: 2026, 2026Q3 or 2026-09.")],
    registry: Annotated[str, typer.Option(help="A registry's id.")],
    facility: Annotated[
        list[int] | None,
        typer.Option(help="Only this facility; may be repeated. All that take part when left out."),
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Correct what was issued: where figures changed, issue anew."),
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="Why it is issued again; every corrected report says so.")
    ] = None,
    processes: Annotated[
        int, typer.Option(min=0, max=256, help="Processes that make reports; 0: one a core.")
    ] = 0,
) -> None:
    """Issue the feedback reports of a period that has ended; go on where an earlier run stopped.

    Each report is kept in the archive under its digest and listed for its facility. Reports that
    were issued are never altered: --again with --reason issues those whose figures have changed
    anew, with the next number; facilities that are named are issued anew in any case.
    """
    if again != bool(reason and reason.strip()):
        raise Unprocessable(
            "Correct with both: --again and a --reason that the reports will state."
        )
    over = read_period(period)
    settings = Settings()
    with addresses(settings) as found:
        begun = asyncio.run(_begin(settings, found.worker, registry, period, reason, facility))
        if begun is None:
            typer.echo(
                f"{registry}: nothing to issue of {over.label}. To correct what was issued, use"
                " --again with a --reason."
            )
            return
        told = _work(settings, found.worker, registry, begun, processes or os.cpu_count() or 1)
    typer.echo(
        f"{registry}: {over.label}: {told.issued} issued, {told.unchanged} unchanged, {told.held} held,"
        f" {told.waiting} waiting"
    )
    if told.held or told.waiting:
        typer.echo("Run the same command again for what is not issued.", err=True)
        sys.exit(1)


async def _begin(
    settings: Settings,
    url: str,
    registry_id: str,
    period: str,
    reason: str | None,
    facilities: list[int] | None,
) -> int | None:
    database = Database(url, Role.WORKER, pool=1)
    try:
        catalogue = Catalogue(settings)
        async with database.transaction(EVERYTHING) as session:
            await catalogue.refresh(session)
        begun = await issuing.begin(
            database,
            catalogue.in_force(registry_id),
            read_period(period),
            today=datetime.now(UTC),
            reason=reason.strip() if reason else None,
            facilities=facilities,
        )
        return None if begun is None else begun.id
    finally:
        await database.close()


def _work(
    settings: Settings, url: str, registry_id: str, issue_id: int, processes: int
) -> Progress:
    """Make reports in processes of their own until nothing waits; show how far it is."""
    spawned = multiprocessing.get_context("spawn")
    makers = [
        spawned.Process(target=make, args=(settings, url, registry_id, issue_id), daemon=True)
        for _ in range(processes)
    ]
    for maker in makers:
        maker.start()
    return asyncio.run(_watch(url, issue_id, makers))


async def _watch(url: str, issue_id: int, makers: Sequence[BaseProcess]) -> Progress:
    database = Database(url, Role.WORKER, pool=1)
    try:
        with Bar(
            TextColumn("issuing"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        ) as bar:
            task = bar.add_task("issuing", total=None)
            working = True
            while working:
                working = any(maker.is_alive() for maker in makers)
                async with database.transaction(EVERYTHING) as session:
                    told = await issuing.progress(session, issue_id)
                bar.update(task, completed=told.all - told.waiting, total=told.all)
                await asyncio.sleep(LOOK_SECONDS if working else 0)
        return await issuing.end(database, issue_id)
    finally:
        await database.close()


def make(settings: Settings, url: str, registry_id: str, issue_id: int) -> None:
    """One process's work: reports, one after another, while any waits and its parent lives."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    asyncio.run(_make(settings, url, registry_id, issue_id))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


async def _make(settings: Settings, url: str, registry_id: str, issue_id: int) -> None:
    database = Database(url, Role.WORKER, pool=2)
    try:
        catalogue = Catalogue(settings)
        async with database.transaction(EVERYTHING) as session:
            await catalogue.refresh(session)
        definition = catalogue.in_force(registry_id)
        archive, failures = Archive(settings), 0
        while failures < MOST_FAILURES:
            try:
                made = await issuing.issue_next(
                    database,
                    archive,
                    definition,
                    issue_id,
                    at=datetime.now(UTC),
                    lease_seconds=settings.lease_seconds,
                    tries=settings.tries,
                )
                failures = 0
            except DiskFull as error:  # so it would be for all the others
                typer.echo(f"hounsfield: {error}", err=True)
                return
            except Exception as error:  # the row has its own tries, and the others go on
                log.warning("report failed", error=type(error).__name__)
                made, failures = True, failures + 1
            if made:
                continue
            async with database.transaction(EVERYTHING) as session:
                if not (await issuing.progress(session, issue_id)).waiting:
                    return
            await asyncio.sleep(LOOK_SECONDS)  # another's, or one whose process was killed
    finally:
        await database.close()
