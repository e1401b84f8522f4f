"""`hounsfield issue` as an operator runs it: killed without warning, run again, refused."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.archive import Archive
from app.benchmarks.compare import compare
from app.commands.definitions import newest
from app.database import EVERYTHING, Database, Role
from app.postgres import Addresses
from app.settings import Settings
from perf.bench.feedback import Place, plant
from tests import nursery
from tests.make.definitions import ORIGINAL
from tests.small_disk import small_disk

DEFINITION = newest(ORIGINAL)
FACILITIES = [Place(100000 + one, f"Facility {one}", 3.0, date(2026, 5, 1)) for one in range(6)]
LEASE = 5


@pytest.fixture(scope="module")
def environment(database: Addresses, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Six small facilities with tables, and how a command finds them."""

    async def prepare() -> None:
        worker = Database(database.worker, Role.WORKER, pool=1)
        async with worker.transaction(EVERYTHING) as session:
            await plant(session, DEFINITION, FACILITIES, date(2026, 6, 1))
        async with worker.transaction(EVERYTHING) as session:
            await compare(session, DEFINITION, date(2026, 7, 10))
        await worker.close()

    asyncio.run(prepare())
    return {name: value for name, value in os.environ.items() if "HOUNSFIELD" not in name} | {
        "HOUNSFIELD_DATA": str(tmp_path_factory.mktemp("data")),
        "HOUNSFIELD_DATABASE_URL": database.owner,
        "HOUNSFIELD_DATABASE_URL_WORKER": database.worker,
        "HOUNSFIELD_LEASE_SECONDS": str(LEASE),
        "COLUMNS": "200",
    }


def command(*words: str) -> list[str]:
    given = ("--registry", DEFINITION.id, "--period", "2026Q2", "--processes", "1")
    return ["issue", *given, *words]


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return nursery.run(command(*words), environment, 180)


def rows(database: Addresses) -> list[dict[str, Any]]:
    async def read() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(database.worker)
        try:
            found = await connection.fetch("SELECT * FROM issued_reports ORDER BY id")
            return [dict(one) for one in found]
        finally:
            await connection.close()

    return asyncio.run(read())


@pytest.mark.soak
def test_a_killed_run_is_completed_by_the_next_and_nothing_is_issued_twice(
    environment: dict[str, str], database: Addresses
) -> None:
    program = [sys.executable, "-m", "app.cli"]
    process = subprocess.Popen([*program, *command()], env=environment, start_new_session=True)
    until = time.monotonic() + 90
    while not any(one["state"] == "issued" for one in rows(database)):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    killed = rows(database)
    done = {one["facility_id"]: one["pdf_sha256"] for one in killed if one["state"] == "issued"}
    assert 0 < len(done) < len(FACILITIES)

    again = run(environment)
    assert again.returncode == 0, again.stderr
    assert "6 issued, 0 unchanged, 0 held, 0 waiting" in again.stdout
    found = rows(database)
    assert [one["number"] for one in found] == [1] * len(FACILITIES)
    assert done.items() <= {one["facility_id"]: one["pdf_sha256"] for one in found}.items()

    archive = Archive(Settings(data=Path(environment["HOUNSFIELD_DATA"])))

    async def names() -> set[str]:
        return {name async for name in archive.names("reports")}

    listed = {one[path] for one in found for path in ("pdf_path", "composition_path")}
    assert listed <= asyncio.run(names()), "every report that is listed is there"

    third = run(environment)
    assert (third.returncode, third.stdout.count("nothing to issue")) == (0, 1)
    assert rows(database) == found


@pytest.mark.soak
def test_on_a_full_disk_it_says_so_and_the_next_run_completes(
    environment: dict[str, str], database: Addresses, tmp_path: Path
) -> None:
    forget(database)
    with small_disk(tmp_path / "disk", 32) as disk:
        there = environment | {"HOUNSFIELD_DATA": str(disk.folder)}
        disk.fill(150_000)  # a report or two
        stopped = run(there)
        assert stopped.returncode == 1
        assert "The disk of the archive is full. Make room" in stopped.stderr
        assert "Traceback" not in stopped.stderr
        issued = [one for one in rows(database) if one["state"] == "issued"]
        assert len(issued) < len(FACILITIES)
        assert not any(one["state"] == "held" for one in rows(database))
        archive = Archive(Settings(data=disk.folder))
        for one in issued:
            kept = asyncio.run(archive.get(one["pdf_path"]))
            assert hashlib.sha256(kept).hexdigest() == one["pdf_sha256"]
        disk.empty()
        again = run(there)
        assert again.returncode == 0, again.stderr
        assert "6 issued, 0 unchanged, 0 held, 0 waiting" in again.stdout
    forget(database)


def forget(database: Addresses) -> None:
    """As if nothing had been issued."""

    async def empty() -> None:
        connection = await asyncpg.connect(database.owner)
        try:
            await connection.execute("TRUNCATE issued_reports, report_issues CASCADE")
        finally:
            await connection.close()

    asyncio.run(empty())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--again",), "--again and a --reason"),
        (("--reason", "because"), "--again and a --reason"),
        (("--period", "2199"), "has not ended"),
        (("--facility", "999999"), "No active participation"),
    ],
)
def test_what_cannot_be_issued_is_said_in_a_line(
    environment: dict[str, str], words: tuple[str, ...], said: str
) -> None:
    answer = run(environment, *words)
    assert answer.returncode == 1
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr
