"""Whoever compacts the lake may be killed at any moment: readers see the lake as of one feed number."""

import asyncio
import json
import multiprocessing
import random
from collections.abc import Awaitable, Callable, Iterable
from datetime import date
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from sqlalchemy import text

from app.benchmarks import generations, recompute
from app.benchmarks.generations import Workshop
from app.benchmarks.lake import lake_files
from app.benchmarks.layout import COUNTS, SUMS, Layout
from app.benchmarks.measures import tabulation
from app.benchmarks.observe import Rows
from app.database import EVERYTHING
from app.postgres import Addresses
from tests.benchmarks.compacting import compacting
from tests.benchmarks.history import History, counted
from tests.benchmarks.tables import combined
from tests.benchmarks.test_histories import different, something
from tests.benchmarks.test_lake import current_files, three_years
from tests.benchmarks.toy import definition

MOST_FILES = 20
"""Written before a process is killed, of those that a compaction writes."""
Counts = dict[tuple[int, date, str, str, str], tuple[int, ...]]


def read(layout: Layout, found: Iterable[Rows]) -> Counts:
    """Rows of a recompute as `counted` gives them."""
    series = {(one.form, one.stratifier): one for one in layout.series}
    counts: Counts = {}
    for rows in found:
        for row in rows.cells:
            of = series[row.form, row.stratifier]
            arrays = [json.loads(f"[{one[1:-1]}]") for one in (row.counts, row.sums)]
            for measure in of.slots:
                its = of.read(measure, *arrays)
                values = tuple(int(its[name]) for name in (*COUNTS, *SUMS))
                if any(values):
                    key = (row.facility_id, row.month, measure, row.stratifier, row.stratum)
                    counts[key] = values
        counts |= combined(
            (one.facility_id, one.month, json.loads(f"[{one.bins[1:-1]}]"))
            for one in rows.histograms
            if one.measure_id == "found"
        )
    return counts


class Storm:
    """Changes arrive and readers read, while whoever compacts is killed again and again."""

    def __init__(self, workshop: Workshop, addresses: Addresses, folder: Path, seed: int) -> None:
        self.workshop, self.addresses, self.folder = workshop, addresses, folder
        self.chance, self.history = random.Random(seed), History()
        self.expected: dict[int, Counts] = {}
        """Feed number -> what the lake says there."""
        self.seen: list[int] = []
        self.over = False

    async def write(self) -> None:
        last = max(self.expected, default=0) + len(self.history.changed)
        self.expected[last] = counted(self.history)  # before anybody can see it
        async with self.workshop.database.transaction(EVERYTHING) as session:
            await self.history.write(session)

    async def keep_changing(self) -> None:
        while not self.over:
            for _ in range(self.chance.randint(1, 3)):
                something(self.chance, self.history)
            await self.write()
            await asyncio.sleep(self.chance.random() * 0.1)

    async def keep_reading(self) -> None:
        tables = tabulation(definition())
        while not self.over:
            async with self.workshop.database.transaction(EVERYTHING) as session:
                files = await lake_files(session, tables)
            assert len({one.feed_seq for one in files}) == 1
            found = await asyncio.to_thread(
                lambda files=files: list(
                    recompute.over_lake(self.workshop.engine, self.workshop.lake, tables, files)
                )
            )
            seq = files[0].feed_seq
            assert different(read(tables.layout, found), self.expected[seq]) == {}
            self.seen.append(seq)
            await asyncio.sleep(0.1)

    async def strike(self, kills: int) -> None:
        """Kill at any moment from the first file on to some compactions later.

        Moments are told by what was committed and how many files were written since: a busy machine
        is slower, not otherwise.
        """
        forking = multiprocessing.get_context("forkserver")
        forking.set_forkserver_preload(["tests.benchmarks.compacting"])
        for number in range(kills):
            share = (0, 1_000_000)[number % 2]
            process = forking.Process(
                target=compacting, args=(self.addresses.worker, self.folder, share)
            )
            process.start()
            try:
                await self.moment(process)
            finally:
                process.kill()
            await asyncio.to_thread(process.join)
        self.over = True

    async def moment(self, process: BaseProcess) -> None:
        """Wait for some moment of the process's work."""
        for _ in range(self.chance.randint(0, 2)):
            before = await self.entered()
            await self.until(process, self.entered, lambda now, was=before: now != was)
        before, wanted = self.files, self.chance.randint(1, MOST_FILES)
        await self.until(process, self.written, lambda now: len(now - before) >= wanted)
        await asyncio.sleep(self.chance.random() * 0.05)
        assert process.is_alive()

    async def until(
        self,
        process: BaseProcess,
        look: Callable[[], Awaitable[set[str]]],
        enough: Callable[[set[str]], bool],
    ) -> None:
        async with asyncio.timeout(120):
            while not enough(await look()):
                assert process.is_alive()
                await asyncio.sleep(0.002)

    async def entered(self) -> set[str]:
        return set(await current_files(self.workshop))

    async def written(self) -> set[str]:
        return self.files

    @property
    def files(self) -> set[str]:
        folder = self.workshop.lake.folder
        return {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}


async def stormy(
    workshop: Workshop, addresses: Addresses, folder: Path, seed: int, kills: int
) -> None:
    storm, toy = Storm(workshop, addresses, folder, seed), definition()
    three_years(storm.history)
    await storm.write()
    assert await generations.reconcile(workshop, toy) == []
    async with asyncio.TaskGroup() as group:
        for work in (storm.keep_changing(), storm.keep_reading(), storm.strike(kills)):
            group.create_task(work)
    assert storm.seen
    assert kills < 10 or len(set(storm.seen)) > kills, "the lake went on while it was read"
    assert await generations.reconcile(workshop, toy) == []
    async with workshop.database.transaction(EVERYTHING) as session:
        entered = set(await session.scalars(text("SELECT path FROM lake_files")))
    assert storm.files == entered, "what the killed left behind is gone"


async def test_a_compaction_that_is_killed_is_never_seen_half_done(
    workshop: Workshop, database: Addresses, tmp_path: Path
) -> None:
    await stormy(workshop, database, tmp_path, seed=1, kills=1)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [2, 3, 4])
async def test_whenever_a_compaction_is_killed_it_is_never_seen_half_done(
    seed: int, workshop: Workshop, database: Addresses, tmp_path: Path
) -> None:
    await stormy(workshop, database, tmp_path, seed, kills=60)
