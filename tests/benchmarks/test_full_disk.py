"""A full disk stops a recompute or a compaction with a clear error; what was there is served on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.benchmarks import generations, recompute, refresh
from app.benchmarks.cluster import Cluster
from app.benchmarks.engine import Engine
from app.benchmarks.generations import Workshop
from app.benchmarks.lake import Lake, lake_files
from app.benchmarks.measures import tabulation
from app.database import EVERYTHING
from app.errors import DiskFull
from app.settings import Settings
from tests.benchmarks.history import History, counted
from tests.benchmarks.tables import raw
from tests.benchmarks.test_histories import different
from tests.benchmarks.test_killed import read
from tests.benchmarks.test_lake import GOOD, three_years, write
from tests.benchmarks.toy import definition
from tests.small_disk import PAGE, SmallDisk, small_disk

TABLES = tabulation(definition())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 16) as found:
        yield found


@pytest.fixture
def house(workshop: Workshop, disk: SmallDisk) -> Workshop:
    """The workshop with its lake and what it spills on the small disk."""
    engine = Engine("500MB", "1GB", disk.folder / "spill")
    return replace(workshop, engine=engine, lake=Lake(disk.folder / "lake"))


async def in_lake(house: Workshop, elsewhere: Path) -> object:
    """What the lake's files say now, read without a byte of room on its disk."""
    async with house.database.transaction(EVERYTHING) as session:
        files = await lake_files(session, TABLES)
    reading = Engine("500MB", "1GB", elsewhere)
    return read(TABLES.layout, recompute.over_lake(reading, house.lake, TABLES, files))


@pytest.mark.parametrize(
    "rooms",
    [
        (2 * PAGE,),
        pytest.param((0, *(PAGE << power for power in range(10))), marks=pytest.mark.soak),
    ],
    ids=["two_pages", "until_it_fits"],
)
async def test_a_recompute_on_a_full_disk_leaves_the_tables_and_the_next_completes(
    rooms: tuple[int, ...], house: Workshop, disk: SmallDisk
) -> None:
    history, toy = History(), definition()
    three_years(history)
    await write(house, history)
    await generations.catch_up(house, toy)
    async with house.database.transaction(EVERYTHING) as session:
        before = await raw(session)
    stopped = []
    for room in rooms:
        disk.fill(room)
        try:
            await generations.rebuild(house, toy)
        except DiskFull as error:
            stopped.append(str(error))
        async with house.database.transaction(EVERYTHING) as session:
            assert await raw(session) == before
        disk.empty()
    assert stopped
    assert all("The disk of the data folder is full. Make room" in one for one in stopped)
    assert len(rooms) == 1 or 1 < len(stopped) < len(rooms)
    await generations.rebuild(house, toy)
    async with house.database.transaction(EVERYTHING) as session:
        assert await raw(session) == before


@pytest.mark.parametrize("share", [pytest.param(0, marks=pytest.mark.soak), 1_000_000])
async def test_a_compaction_on_a_full_disk_leaves_the_lake_and_the_next_completes(
    share: int,
    house: Workshop,
    disk: SmallDisk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refresh, "SHARE", share)
    history, toy = History(), definition()
    three_years(history)
    await write(house, history)
    await generations.reconcile(house, toy)
    for turn in range(2):
        history.put(1, "exam", 200001, history.known[1].subject, GOOD | {"dose": f"{turn}.10"})
        history.put(500 + turn, "exam", 200002, 77, GOOD)
        await write(house, history)
        await generations.reconcile(house, toy)
    wanted = counted(history)

    async def compact() -> None:
        async with house.database.transaction(EVERYTHING) as session:
            files = await lake_files(session, TABLES)
            await refresh.compact(session, house.engine, house.lake, TABLES, files)

    stopped = 0
    for room in (0, PAGE, 3 * PAGE, 6 * PAGE):
        disk.fill(room)
        try:
            await compact()
        except DiskFull:
            stopped += 1
        assert different(await in_lake(house, tmp_path / "spill"), wanted) == {}  # type: ignore[arg-type]
        disk.empty()
        if stopped and room:
            break
    assert stopped
    await generations.reconcile(house, toy)  # it also takes away what was left half written
    await compact()
    assert different(await in_lake(house, tmp_path / "spill"), wanted) == {}  # type: ignore[arg-type]
    assert await generations.reconcile(house, toy) == []


def test_a_query_that_spills_onto_a_full_disk_is_told_so(disk: SmallDisk) -> None:
    disk.fill(2_000_000)
    large = (
        "CREATE TABLE large AS SELECT hash(i) AS a, hash(i, 1) AS b FROM range(2_000_000) AS n(i)"
    )
    engine = Engine("20MB", "1GB", disk.folder / "spill")
    with pytest.raises(DiskFull, match="data folder"), engine.open(threads=1) as connection:
        connection.execute(large)


def test_the_limits_that_are_set_are_those_of_the_engines(tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path, duckdb_memory="512MiB", duckdb_spill="3GiB", spark_memory="777m"
    )
    with Engine.of(settings).open() as connection:
        found = {
            name: connection.execute(f"SELECT current_setting('{name}')").fetchone()
            for name in ("memory_limit", "temp_directory", "max_temp_directory_size")
        }
    assert found == {
        "memory_limit": ("512.0 MiB",),
        "temp_directory": (str(tmp_path / "spill"),),
        "max_temp_directory_size": ("3.0 GiB",),
    }
    cluster = Cluster.of(settings)
    assert (cluster.memory, cluster.folder) == ("777m", tmp_path / "spill")
