"""The worker goes on whatever a step does, wakes when rung, and stops when asked."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import pytest
import pytest_asyncio

from app.claim import ring
from app.commands.running import environment
from app.database import EVERYTHING, Database
from app.postgres import Addresses
from app.settings import Settings
from app.worker import JOURNEY, Step, Works, either, open_works, work
from tests import nursery

NEVER = 3600.0


@pytest_asyncio.fixture
async def works(settings: Settings) -> AsyncIterator[Works]:
    async with open_works(settings) as opened:
        yield opened


async def until(what: Callable[[], Any], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not what():  # noqa: ASYNC110 - what is waited for rings no event
            await asyncio.sleep(0.01)


class Station:
    """A step that does what it is told to."""

    def __init__(self, *does: Any) -> None:
        self.does = list(does)
        self.calls = 0

    async def __call__(self, works: Works) -> int:
        self.calls += 1
        doing = self.does.pop(0) if self.does else 0
        if isinstance(doing, BaseException):
            raise doing
        if callable(doing):
            return cast(int, await cast(Callable[[], Awaitable[int]], doing)())
        return cast(int, doing)


async def during(works: Works, steps: list[Step], what: Callable[[], Awaitable[None]]) -> float:
    """Work while something happens; how long it took to stop afterwards."""
    stopping = asyncio.Event()
    task = asyncio.create_task(work(works, stopping, steps))
    try:
        await what()
    finally:
        begun = time.monotonic()
        stopping.set()
        await task
    return time.monotonic() - begun


async def test_a_step_is_called_again_at_once_while_it_moves_rows(works: Works) -> None:
    station = Station(5, 5, 5, 0)

    async def watch() -> None:
        await until(lambda: station.calls == 4)
        await asyncio.sleep(0.3)
        assert station.calls == 4, "and then it waits"

    await during(works, [Step("a", station, every=NEVER, listens=False)], watch)


async def test_a_ring_wakes_it_and_the_clock_does_when_nobody_rings(works: Works) -> None:
    listening, polling = Station(), Station()

    async def watch() -> None:
        await until(lambda: listening.calls >= 2)  # its start, and the bell's first ring
        before = listening.calls
        async with works.database.transaction(EVERYTHING) as session:
            await ring(session, "received")
        await until(lambda: listening.calls > before)
        await until(lambda: polling.calls >= 5)

    steps = [Step("a", listening, every=NEVER), Step("b", polling, every=0.05, listens=False)]
    await during(works, steps, watch)


async def test_a_ring_while_it_looks_is_not_lost(works: Works) -> None:
    started, go = asyncio.Event(), asyncio.Event()

    async def slow() -> int:
        started.set()
        await go.wait()
        return 0

    station = Station()

    async def rung() -> None:
        async with works.database.transaction(EVERYTHING) as session:
            await ring(session, "received")

    async def watch() -> None:
        await until(lambda: station.calls >= 1)
        station.does = [slow]
        await rung()
        await asyncio.wait_for(started.wait(), 30)
        looked = station.calls
        await rung()
        await asyncio.sleep(0.2)
        go.set()
        await until(lambda: station.calls > looked)

    await during(works, [Step("a", station, every=NEVER)], watch)


async def test_a_step_that_fails_pauses_and_goes_on_and_the_others_do_not_notice(
    works: Works,
) -> None:
    class Panic(BaseException):
        """As the extensions written in Rust raise it."""

    failing = Station(LookupError("x"), Panic("x"), TimeoutError(), 7)
    other = Station(*[1] * 50)

    async def watch() -> None:
        await until(lambda: failing.calls >= 4 and other.calls >= 51)

    steps = [Step("a", failing, every=NEVER, listens=False), Step("b", other, every=NEVER)]
    await during(works, steps, watch)


async def test_asked_to_stop_it_ends_what_it_is_in_and_begins_nothing(works: Works) -> None:
    ended = []

    async def slow() -> int:
        await asyncio.sleep(0.5)
        ended.append(True)
        return 5

    station = Station(slow, slow, slow)

    async def watch() -> None:
        await until(lambda: station.calls == 1)

    took = await during(works, [Step("a", station)], watch)
    assert ended == [True]
    assert took < 3


async def test_waiting_for_either_ends_with_the_first_and_leaves_no_task_behind() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, second.set)
    begun = time.monotonic()
    await either(first, second, seconds=5)
    assert time.monotonic() - begun < 2
    await either(first, seconds=0.01)
    assert len(asyncio.all_tasks()) == 1


def test_the_journey_is_in_order() -> None:
    names = [step.name for step in JOURNEY]
    order = ["read", "check", "accept", "images", "link", "tabulate"]
    assert [name for name in names if name in order] == order
    assert len(set(names)) == len(names)


async def test_every_step_of_the_journey_runs_on_empty_tables(works: Works) -> None:
    for step in JOURNEY:
        assert isinstance(await step.run(works), int), step.name


@contextmanager
def started(settings: Settings, log: Path) -> Iterator[nursery.Started]:
    """A worker of its own process, once it is ready."""
    plain = {name: value for name, value in os.environ.items() if "HOUNSFIELD" not in name}
    told = environment(settings.model_copy(update={"log_level": "info"}))
    with log.open("wb") as err:
        process = nursery.start(["worker"], plain | told, out=err, err=err)
    try:
        patience = time.monotonic() + 180
        while "worker is ready" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < patience
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.soak)]
)
def test_the_process_stops_cleanly_on_a_signal(
    settings: Settings, tmp_path: Path, number: signal.Signals
) -> None:
    with started(settings, tmp_path / "log") as process:
        process.send_signal(number)
        assert process.wait(30) == 0
    assert "worker has stopped" in (tmp_path / "log").read_text()


def test_the_process_survives_that_its_connections_are_cut(
    settings: Settings, database: Addresses, tmp_path: Path
) -> None:
    async def cut() -> int:
        connection = await asyncpg.connect(database.owner)
        try:
            return len(
                await connection.fetch(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        finally:
            await connection.close()

    with started(settings, tmp_path / "log") as process:
        for _ in range(3):
            began = time.monotonic()
            while not asyncio.run(cut()):  # it pauses before it connects again
                assert time.monotonic() - began < 20
                time.sleep(0.2)
            time.sleep(1.5)
        assert process.poll() is None
        process.terminate()
        assert process.wait(30) == 0, (tmp_path / "log").read_text()


async def test_a_database_that_comes_later_is_no_reason_to_give_up(works: Works) -> None:
    """A step that cannot reach its database is like any other that fails."""
    away = Database("postgresql://x:y@127.0.0.1:1/none", works.database.role, pool=1)
    calls = []

    async def reach(_: Works) -> int:
        calls.append(True)
        async with away.transaction():
            return 1

    async def watch() -> None:
        await until(lambda: len(calls) >= 2)

    pretend = SimpleNamespace(catalogue=works.catalogue, database=works.database)
    await during(cast(Works, pretend), [Step("a", reach)], watch)
