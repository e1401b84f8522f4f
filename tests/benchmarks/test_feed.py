"""The watermark, the lock and the transaction: each change is counted once, whatever happens."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from app.benchmarks import generations, tabulate
from app.benchmarks.generations import Workshop, current
from app.database import EVERYTHING
from tests.benchmarks.history import History, counted
from tests.benchmarks.tables import raw, tabulated
from tests.benchmarks.toy import definition

GOOD = {"exam_date": "2025-03-04", "result": "3", "dose": "1.50", "packs": 30}


async def write(workshop: Workshop, history: History) -> None:
    async with workshop.database.transaction(EVERYTHING) as session:
        await history.write(session)


async def holds(workshop: Workshop, history: History) -> None:
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await tabulated(session) == counted(history)


def exams(history: History, first: int, last: int) -> None:
    for case in range(first, last + 1):
        history.put(case, "exam", 200001 + case % 3, case // 2, GOOD)


async def test_the_watermark_never_passes_a_change_that_has_yet_to_commit(
    workshop: Workshop,
) -> None:
    history, toy = History(), definition()
    exams(history, 1, 4)
    async with workshop.database.transaction(EVERYTHING) as late:
        await history.write(late)  # has its numbers, and is held open
        other = History(registry="other")
        exams(other, 101, 104)
        await write(workshop, other)
        assert await generations.step(workshop, toy) == 0
        async with workshop.database.transaction(EVERYTHING) as session:
            generation = await current(session, toy.id)
            assert generation is not None
            assert generation.feed_seq == 0
        held = asyncio.create_task(write(workshop, more := later(history)))
        await asyncio.sleep(0.3)
        assert not held.done(), "numbers are given out in the order of commits"
        assert await generations.step(workshop, toy) == 0
    await held
    assert await generations.step(workshop, toy) == 6
    history.known |= more.known
    await holds(workshop, history)


def later(history: History) -> History:
    """Two more exams of the same registry, written by somebody else."""
    more = History(registry=history.registry, number=history.number)
    exams(more, 5, 6)
    return more


async def test_workers_that_tabulate_at_once_count_once(workshop: Workshop) -> None:
    history, toy = History(), definition()
    exams(history, 1, 30)
    await write(workshop, history)
    moved = await asyncio.gather(*(generations.step(workshop, toy, window=7) for _ in range(3)))
    assert sum(moved) >= 7
    moved = await asyncio.gather(*(generations.step(workshop, toy, wait=True) for _ in range(3)))
    assert await generations.step(workshop, toy) == 0
    await holds(workshop, history)


async def test_a_step_killed_before_its_end_moves_nothing(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, toy = History(), definition()
    exams(history, 1, 10)
    await write(workshop, history)
    await generations.step(workshop, toy)
    exams(history, 11, 20)
    history.withdraw(3)
    await write(workshop, history)
    async with workshop.database.transaction(EVERYTHING) as session:
        before = await raw(session)

    async def killed(*_: Any) -> None:
        raise ConnectionError("the worker is gone")

    with monkeypatch.context() as patched:  # the last statement before the commit
        patched.setattr(tabulate, "mark", killed)
        with pytest.raises(ConnectionError):
            await generations.step(workshop, toy)
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await raw(session) == before
    assert await generations.step(workshop, toy) == 11
    await holds(workshop, history)


async def test_what_falls_to_nothing_leaves_no_row(workshop: Workshop) -> None:
    history, toy = History(), definition()
    exams(history, 1, 3)
    history.put(4, "follow_up", 0, 0, {"seen_on": "2025-03-09", "cancer": True}, parent=1)
    await write(workshop, history)
    await generations.step(workshop, toy)
    for case in (1, 2, 3):
        history.withdraw(case)
    await write(workshop, history)
    await generations.step(workshop, toy)
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await raw(session) == []
    assert await generations.reconcile(workshop, toy) == []


async def test_another_facilitys_screen_counts_in_mine(workshop: Workshop) -> None:
    history, toy = History(), definition()
    history.put(1, "exam", 200001, 7, GOOD)
    history.put(2, "exam", 200002, 7, GOOD | {"exam_date": "2025-09-01"})
    await write(workshop, history)
    await generations.step(workshop, toy)
    async with workshop.database.transaction(EVERYTHING) as session:
        found = await tabulated(session)
    returned = {key[0]: counts[4] for key, counts in found.items() if key[2] == "returned"}
    assert returned == {200001: 1, 200002: 0}


async def test_reconcile_finds_what_somebody_changed_by_hand(workshop: Workshop) -> None:
    history, toy = History(), definition()
    exams(history, 1, 6)
    await write(workshop, history)
    await generations.step(workshop, toy)
    async with workshop.database.transaction(EVERYTHING) as session:
        await session.execute(
            text(
                "UPDATE cells SET counts[1] = counts[1] + 1 WHERE facility_id = 200002 AND stratifier = ''"
            )
        )
        await session.execute(text("DELETE FROM histograms WHERE facility_id = 200003"))
    found = await generations.reconcile(workshop, toy)
    assert {(one.table, one.facility_id) for one in found} == {
        ("cells", 200002),
        ("histograms", 200003),
    }
    await generations.rebuild(workshop, toy)
    assert await generations.reconcile(workshop, toy) == []


async def test_a_recompute_that_a_worker_was_quicker_to_fill_tells_its_rows(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, toy = History(), definition()
    exams(history, 1, 6)
    await write(workshop, history)
    await generations.step(workshop, toy)
    alone, build = await generations.rebuild(workshop, toy), generations.build

    async def overtaken(*asked: Any) -> int:
        await build(*asked)  # a worker's
        return await build(*asked)

    monkeypatch.setattr(generations, "build", overtaken)
    assert await generations.rebuild(workshop, toy) == alone > 0


async def test_changed_measures_build_a_generation_that_takes_over(workshop: Workshop) -> None:
    history = History()
    old = definition()
    async with workshop.database.transaction(EVERYTHING) as session:
        await workshop.catalogue.publish(session, old)
        await workshop.catalogue.refresh(session)
    old = workshop.catalogue.registry(old.id)
    exams(history, 1, 12)
    await write(workshop, history)
    await generations.step(workshop, old)
    async with workshop.database.transaction(EVERYTHING) as session:
        first = await current(session, old.id)
    assert first is not None

    measures = tuple(
        one.model_copy(update={"numerator": "days_to_next <= 30"}) if one.id == "returned" else one
        for one in old.measures
    )
    new = old.model_copy(update={"measures": measures, "version": "1.1.0", "digest": "toy-2"})
    history.put(13, "exam", 200001, 3, GOOD)
    await write(workshop, history)
    assert await generations.step(workshop, new) == 1, "the old generation goes on serving"
    async with workshop.database.transaction(EVERYTHING) as session:
        serving = await current(session, old.id)
        assert serving is not None
        assert (serving.id, serving.feed_seq) == (first.id, 13)
    assert await generations.build(workshop, new) > 0
    history.put(14, "exam", 200002, 3, GOOD)
    await write(workshop, history)
    await generations.step(workshop, new)
    async with workshop.database.transaction(EVERYTHING) as session:
        serving = await current(session, old.id)
        assert serving is not None
        assert serving.id > first.id
        assert serving.feed_seq == 14
    assert await generations.reconcile(workshop, new) == []
    while await generations.sweep(workshop):
        pass
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await session.scalar(text("SELECT count(DISTINCT generation_id) FROM cells")) == 1


async def test_a_generation_replaced_while_it_is_filled_does_not_come_back(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, old = History(), definition()
    exams(history, 1, 4)
    await write(workshop, history)
    await generations.step(workshop, old)

    def version(days: int) -> Any:
        measures = tuple(
            one.model_copy(update={"numerator": f"days_to_next <= {days}"})
            if one.id == "returned"
            else one
            for one in old.measures
        )
        return old.model_copy(
            update={"measures": measures, "version": f"1.{days}.0", "digest": f"toy-{days}"}
        )

    second, third = version(30), version(60)
    await generations.step(workshop, second)
    fill = generations.fill

    async def slow(*how: Any) -> int:
        rows = await fill(*how)
        await generations.step(workshop, third)
        return rows

    with monkeypatch.context() as patch:
        patch.setattr(generations, "fill", slow)
        assert await generations.build(workshop, second) == 0
    async with workshop.database.transaction(EVERYTHING) as session:
        living = text(
            "SELECT definition_version, state FROM generations WHERE registry_id = :registry"
            " AND state <> 'retired' ORDER BY id"
        )
        assert (await session.execute(living, {"registry": old.id})).all() == [
            (old.version, "current"),
            (third.version, "waiting"),
        ]
    assert await generations.reconcile(workshop, third) == []


async def test_the_lake_stays_right_through_deltas_compaction_and_left_over_files(
    workshop: Workshop,
) -> None:
    history, toy = History(), definition()
    exams(history, 1, 10)
    for turn in range(11):
        history.put(
            20 + turn, "exam", 200001, turn, GOOD | {"exam_date": f"2025-0{turn % 9 + 1}-11"}
        )
        if turn % 3 == 2:
            history.withdraw(20 + turn - 1)
        await write(workshop, history)
        folder = workshop.lake.folder / toy.id
        if turn == 5:
            (folder / "working-killed.duckdb").write_text("left by a killed run")
        assert await generations.reconcile(workshop, toy) == []
    async with workshop.database.transaction(EVERYTHING) as session:
        kinds = (
            await session.scalars(text("SELECT kind FROM lake_files WHERE state = 'current'"))
        ).all()
        kept = set(await session.scalars(text("SELECT path FROM lake_files")))
    assert kinds.count("base") >= 1
    assert 2 * 8 > kinds.count("delta") + kinds.count("touched") > 0
    files = {file for file in folder.rglob("*") if file.is_file()}
    assert {str(file.relative_to(workshop.lake.folder)) for file in files} == kept
    await generations.catch_up(workshop, toy)
    await holds(workshop, history)
