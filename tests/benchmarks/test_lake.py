"""The lake: by year, compacted, on an object store too, read by definitions that came later, and whole
whatever happens to who writes it."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import obstore
import pytest
from obstore.store import from_url
from sqlalchemy import text

from app.benchmarks import generations, parts, refresh
from app.benchmarks.engine import Engine
from app.benchmarks.generations import Workshop
from app.benchmarks.lake import Lake
from app.benchmarks.measures import tabulation
from app.commands.running import environment
from app.database import EVERYTHING
from app.errors import Unavailable
from app.postgres import Addresses
from app.registries.measure import Measure
from app.registries.schema import Derived, Element
from app.settings import Settings
from tests import nursery
from tests.benchmarks.history import History
from tests.benchmarks.tables import raw
from tests.benchmarks.test_histories import something
from tests.benchmarks.toy import DERIVED, EXAM, MEASURES, definition
from tests.object_store import ObjectStore, object_store

GOOD = {"exam_date": "2025-03-04", "result": "3", "dose": "2.50", "packs": 30}


async def write(workshop: Workshop, history: History) -> None:
    async with workshop.database.transaction(EVERYTHING) as session:
        await history.write(session)


async def current_files(workshop: Workshop) -> dict[str, tuple[str, int | None]]:
    """Path -> kind and year."""
    async with workshop.database.transaction(EVERYTHING) as session:
        found = await session.execute(
            text("SELECT path, kind, year FROM lake_files WHERE state = 'current'")
        )
        return {path: (kind, year) for path, kind, year in found}


def three_years(history: History, facilities: int = 6, each: int = 4) -> None:
    """Exams of subjects who stay at one facility, in 2023, 2024 and 2025."""
    for case in range(facilities * each * 3):
        facility, year = 200001 + case % facilities, 2023 + case // facilities % 3
        sent = GOOD | {"exam_date": f"{year}-{case % 12 + 1:02d}-11"}
        history.put(case + 1, "exam", facility, 1000 * facility + case // (3 * facilities), sent)


async def test_a_change_rewrites_the_files_it_concerns_and_no_others(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_ROWS", 8)
    monkeypatch.setattr(refresh, "MOST_DELTAS", 2)
    monkeypatch.setattr(refresh, "SHARE", 1_000)
    history, toy = History(), definition()
    three_years(history)
    await write(workshop, history)
    assert await generations.reconcile(workshop, toy) == []
    before = await current_files(workshop)
    assert {kind for kind, _ in before.values()} == {"base"}
    assert sorted({year for _, year in before.values() if year}) == [2023, 2024, 2025]
    assert Counter(year for _, year in before.values()) == {2023: 3, 2024: 3, 2025: 3}

    one = history.known[1]  # of 2023, at the first facility
    for turn in ("2.75", "3.25"):
        history.put(1, "exam", one.facility, one.subject, one.elements | {"dose": turn})
        await write(workshop, history)
        assert await generations.reconcile(workshop, toy) == []
    after = await current_files(workshop)
    assert {kind for kind, _ in after.values()} == {"base"}
    concerned = [before[path][1] for path in before.keys() - after.keys()]
    assert sorted(filter(None, concerned)) == [2023, 2024, 2025], "the subject's, one a year"


async def test_few_changes_are_gathered_and_the_base_stays(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "MOST_DELTAS", 3)
    monkeypatch.setattr(refresh, "SHARE", 2)
    history, toy = History(), definition()
    three_years(history)
    await write(workshop, history)
    await generations.reconcile(workshop, toy)
    base = await current_files(workshop)
    for turn in range(3):
        history.put(500, "exam", 200001, 77, GOOD | {"dose": f"{turn + 1}.00"})
        if turn == 2:
            history.withdraw(1)
        await write(workshop, history)
        assert await generations.reconcile(workshop, toy) == []
    after = await current_files(workshop)
    assert base.items() <= after.items()
    assert sorted(kind for kind, _ in (after.items() - base.items())) != []
    kinds = [kind for kind, _ in after.values()]
    assert (kinds.count("delta"), kinds.count("touched")) == (1, 1)


async def test_a_registry_that_lost_its_last_case_has_an_empty_lake(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "MOST_DELTAS", 1)
    history, toy = History(), definition()
    history.put(1, "exam", 200001, 1, GOOD)
    await write(workshop, history)
    assert await generations.reconcile(workshop, toy) == []
    history.withdraw(1)
    await write(workshop, history)
    assert await generations.reconcile(workshop, toy) == []
    assert [kind for kind, _ in (await current_files(workshop)).values()] == ["base"]
    history.put(2, "exam", 200001, 2, GOOD)
    await write(workshop, history)
    assert await generations.reconcile(workshop, toy) == []


async def test_a_later_definition_reads_older_files(workshop: Workshop) -> None:
    history, toy = History(), definition()
    three_years(history)
    await write(workshop, history)
    assert await generations.reconcile(workshop, toy) == []
    old = set(await current_files(workshop))

    colour = Element(id="contrast", source_name="Contrast", title="Contrast", type="boolean")
    exam = EXAM.model_copy(update={"elements": (*EXAM.elements, colour)})
    second = Derived(
        id="second_to_last", type="date", form="exam", over="subject",
        expression="lag(exam_date) OVER (PARTITION BY subject_id ORDER BY exam_date, case_token)",
    )  # fmt: skip
    apart = Derived(
        id="days_since", type="integer", form="exam",
        expression="days_between(second_to_last, exam_date)",
    )  # fmt: skip
    new_measure = Measure(
        id="contrast_given", title="Contrast", description="Contrast.", form="exam",
        scoring="proportion", denominator="days_since > 0", numerator="contrast", minimum_cases=1,
    )  # fmt: skip
    later = definition(
        version="1.1.0",
        digest="toy-with-contrast",
        forms=(exam, *definition().forms[1:]),
        derived=(*DERIVED, second, apart),
        measures=(*MEASURES, new_measure),
    )
    history.put(
        900, "exam", 200001, 200001000, GOOD | {"exam_date": "2026-01-05", "contrast": True}
    )
    await write(workshop, history)
    assert await generations.reconcile(workshop, later) == []
    files = await current_files(workshop)
    assert old < set(files), "the old files stay, with a delta on them"

    met = next(
        one.slots["contrast_given"]
        for one in tabulation(later).layout.series
        if "contrast_given" in one.slots and not one.stratifier
    )
    async with workshop.database.transaction(EVERYTHING) as session:
        found = await session.execute(
            text(
                "SELECT sum(counts[:d]), sum(counts[:n]) FROM cells JOIN generations g"
                " ON g.id = generation_id WHERE g.state = 'current' AND stratifier = ''"
            ),
            {"d": met["denominator"] + 1, "n": met["numerator"] + 1},
        )
        denominator, numerator = found.one()
    subjects = {one.subject for one in history.known.values()}
    assert (denominator, numerator) == (len(history.known) - len(subjects), 1)


async def test_another_meaning_of_an_element_makes_the_lake_anew(workshop: Workshop) -> None:
    history, toy = History(), definition()
    three_years(history, facilities=2)
    await write(workshop, history)
    assert await generations.reconcile(workshop, toy) == []
    old = set(await current_files(workshop))
    elements = tuple(
        one.model_copy(update={"unknown": ("999", "998")}) if one.id == "packs" else one
        for one in EXAM.elements
    )
    other = definition(
        version="1.1.0",
        digest="toy-998",
        forms=(EXAM.model_copy(update={"elements": elements}), *definition().forms[1:]),
    )
    assert await generations.reconcile(workshop, other) == []
    assert not old & set(await current_files(workshop))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    folder = tmp_path / "store"
    folder.mkdir()
    with object_store(folder) as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


async def test_on_an_object_store_it_is_the_same_from_every_machine(
    workshop: Workshop, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "MOST_DELTAS", 2)
    monkeypatch.setattr(refresh, "GRACE", refresh.timedelta(0))
    chance, history, toy = random.Random(5), History(), definition()
    machines = [
        replace(workshop, lake=Lake(tmp_path / name, from_url(store.url))) for name in ("a", "b")
    ]
    for turn in range(6):
        for _ in range(12):
            something(chance, history)
        await write(workshop, history)
        assert await generations.reconcile(machines[turn % 2], toy) == []
    async with workshop.database.transaction(EVERYTHING) as session:
        before = await raw(session)
    await generations.rebuild(machines[1], toy)
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await raw(session) == before
        entered = set(await session.scalars(text("SELECT path FROM lake_files")))
    there = from_url(store.url)
    kept = {one["path"] for some in obstore.list(there) for one in some}
    assert kept == entered, "what is no longer needed is gone, and nothing else"


async def test_a_store_that_does_not_answer_changes_nothing(
    workshop: Workshop, tmp_path: Path
) -> None:
    history, toy = History(), definition()
    history.put(1, "exam", 200001, 1, GOOD)
    await write(workshop, history)
    await generations.catch_up(workshop, toy)
    nobody = from_url(
        "s3://lake/x",
        endpoint="http://127.0.0.1:9",
        access_key_id="a",
        secret_access_key="b",
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    away = replace(workshop, lake=Lake(tmp_path / "away", nobody))
    async with workshop.database.transaction(EVERYTHING) as session:
        before = await raw(session)
    with pytest.raises(Unavailable, match="lake"):
        await generations.rebuild(away, toy)
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await raw(session) == before
    assert await generations.reconcile(workshop, toy) == []


async def test_too_little_room_is_said_and_the_old_tables_stay(
    workshop: Workshop, tmp_path: Path
) -> None:
    history, toy = History(), definition()
    three_years(history)
    await write(workshop, history)
    await generations.catch_up(workshop, toy)
    async with workshop.database.transaction(EVERYTHING) as session:
        before = await raw(session)
    narrow = replace(workshop, engine=Engine("3MB", "1MB", tmp_path / "narrow"))
    with pytest.raises(Unavailable, match="HOUNSFIELD_DUCKDB_SPILL"):
        await generations.rebuild(narrow, toy)
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await raw(session) == before
    await generations.rebuild(workshop, toy)
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await raw(session) == before


def test_a_full_disk_is_said_in_plain_words(tmp_path: Path) -> None:
    engine = Engine("200MB", "200MB", tmp_path / "spill")
    with pytest.raises(Unavailable, match="The disk of the data folder is full"), engine.open():
        raise duckdb.IOException("Could not write file: No space left on device")
    with pytest.raises(duckdb.IOException), engine.open():
        raise duckdb.IOException("Could not read: something else")


REGISTRY = "early-lung-cancer-detection"


async def _killed(
    workshop: Workshop,
    addresses: Addresses,
    settings: Settings,
    chance: random.Random,
    kills: int,
    served: list[tuple[object, ...]],
) -> int:
    """Kill a recompute at some moment, again and again; how many of them were still at it.

    Whoever reads the tables meanwhile finds what is `served`.
    """
    found = 0
    values = environment(settings) | {
        "HOUNSFIELD_DATABASE_URL": addresses.owner,
        "HOUNSFIELD_DATABASE_URL_WORKER": addresses.worker,
    }
    for _ in range(kills):
        with open(os.devnull, "wb") as nowhere:  # noqa: ASYNC230 - it takes no time
            words = ["recompute", "--registry", REGISTRY]
            process = nursery.start(words, os.environ | values, out=nowhere, err=nowhere)
        folder = settings.data / "lake" / REGISTRY
        known = set(folder.rglob("*")) if folder.is_dir() else set()
        async with asyncio.timeout(120):
            while process.poll() is None and set(folder.rglob("*")) <= known:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        until = asyncio.get_running_loop().time() + chance.random() * 0.3
        while asyncio.get_running_loop().time() < until:
            async with workshop.database.transaction(EVERYTHING) as session:
                assert await raw(session) == served
            await asyncio.sleep(0.02)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            found += 1
        process.wait()
    return found


async def _kill_and_recompute(
    workshop: Workshop, addresses: Addresses, settings: Settings, kills: int
) -> None:
    chance, history = random.Random(7), History(registry=REGISTRY)
    for case in range(1, 60):
        sent = {"exam_date": f"202{case % 3 + 3}-03-04", "ct_exam_result_lung_rads": "2"}
        history.put(case, "exam", 200001 + case % 5, case % 20, sent)
    await write(workshop, history)
    lake = Lake(settings.data / "lake")
    house = replace(workshop, lake=lake)
    registry = next(one for one in house.catalogue.registries() if one.id == REGISTRY)
    assert await generations.reconcile(house, registry) == []
    async with workshop.database.transaction(EVERYTHING) as session:
        before = await raw(session)
        # Nothing is left of the lake: each run writes it anew, and is killed while it does.
        await session.execute(text("DELETE FROM lake_files"))
    assert await _killed(house, addresses, settings, chance, kills, before) >= 1
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await raw(session) == before, "the old tables are served"
    await generations.rebuild(house, registry)
    assert await generations.reconcile(house, registry) == []
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await raw(session) == before
        entered = set(await session.scalars(text("SELECT path FROM lake_files")))
    left = {str(one.relative_to(lake.folder)) for one in lake.folder.rglob("*") if one.is_file()}
    assert {one for one in left if one.startswith(REGISTRY)} == entered, "nothing is left behind"


async def test_a_recompute_that_is_killed_leaves_the_old_tables_and_the_next_completes(
    workshop: Workshop, database: Addresses, settings: Settings
) -> None:
    await _kill_and_recompute(workshop, database, settings, kills=1)


@pytest.mark.soak
async def test_whenever_a_recompute_is_killed_the_next_completes(
    workshop: Workshop, database: Addresses, settings: Settings
) -> None:
    await _kill_and_recompute(workshop, database, settings, kills=30)
