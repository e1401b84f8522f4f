"""Rows are claimed once, given back when a step fails, held after the last try, and never lost."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import delete, func, select, text, update

from app.claim import Claim, claim, heard, listening, ring, still_ours, working
from app.database import EVERYTHING, Database
from app.models.submission import Finding, Schedule, Submission
from app.registries.findings import FindingCode

TRIES = 3


class Broken(Exception):
    """A step of this test that fails."""


@pytest_asyncio.fixture
async def numbers(worker: Database) -> AsyncIterator[list[int]]:
    """The numbers of six submissions that wait to be read; nothing else is in the table."""
    async with worker.transaction(EVERYTHING) as session:
        await session.execute(delete(Finding))
        await session.execute(delete(Submission))
        rows = [submission(size) for size in (10, 20, 30, 40, 50, 60)]
        session.add_all(rows)
        await session.flush()
        found = [row.number for row in rows]
    yield found


def submission(size: int = 10, **changes: Any) -> Submission:
    given = {
        "registry_id": "early-lung-cancer-detection",
        "definition_version": "1.12.0",
        "facility_id": 123456,
        "facility_ids": [123456],
        "kind": "entries",
        "channel": "json",
        "media_type": "application/json",
        "sender": "aaaaaaaaaaaa",
        "body_digest": b"\0" * 32,
        "body_size": size,
        "policy": "per-entry",
        "state": "received",
    }
    return Submission(**given | changes)


async def take(worker: Database, **changes: Any) -> Claim[Submission]:
    given: dict[str, Any] = {
        "order_by": [Submission.number],
        "lease_seconds": 60.0,
        "tries": TRIES,
        "weight": lambda row: row.body_size,
        "most": 60,
    }
    return await claim(worker, Submission, Submission.state == "received", **given | changes)


async def now_due(worker: Database, *, lease: bool = True) -> None:
    """As if the pause were over, and with it any lease."""
    values: dict[str, Any] = {"not_before": func.now()}
    if lease:
        values["lease_until"] = func.now() - text("interval '1 second'")
    async with worker.transaction(EVERYTHING) as session:
        await session.execute(update(Submission).values(values))


async def fetch(worker: Database, number: int) -> Submission:
    async with worker.transaction(EVERYTHING) as session:
        row = await session.scalar(select(Submission).where(Submission.number == number))
        assert row is not None
        return row


def taken(claimed: Claim[Submission]) -> list[int]:
    return [row.number for row in claimed.rows]


async def test_rows_come_in_order_and_only_as_many_as_fit(
    worker: Database, numbers: list[int]
) -> None:
    assert taken(await take(worker)) == numbers[:3]
    assert taken(await take(worker)) == numbers[3:4]
    assert taken(await take(worker, most=1)) == numbers[4:5], "one row is taken however heavy it is"
    assert taken(await take(worker, limit=1)) == numbers[5:]
    assert not await take(worker)


async def test_no_row_is_ever_claimed_twice_however_many_claim_at_once(
    worker: Database, numbers: list[int]
) -> None:
    async with worker.transaction(EVERYTHING) as session:
        session.add_all(submission() for _ in range(60))
    claims = await asyncio.gather(*(take(worker, most=20) for _ in range(40)))
    while more := await take(worker):
        claims.append(more)
    found = [number for one in claims for number in taken(one)]
    assert len(found) == len(set(found)) == 66
    assert len({one.token for one in claims}) == len(claims)


async def test_a_lease_that_ended_is_taken_by_another_and_the_first_no_longer_owns_it(
    worker: Database, numbers: list[int]
) -> None:
    first = await take(worker)
    assert not set(taken(first)) & set(taken(await take(worker)))
    await now_due(worker)
    second = await take(worker)
    assert taken(second) == taken(first)
    async with worker.transaction(EVERYTHING) as session:
        assert await still_ours(session, first) == ()
        assert [row.number for row in await still_ours(session, second)] == taken(second)


async def test_work_that_succeeds_is_kept_and_its_rows_are_free_with_fresh_tries(
    worker: Database, numbers: list[int]
) -> None:
    claimed = await take(worker)
    async with working(worker, claimed, tries=TRIES) as (_, rows):
        for row in rows:
            assert row.tries == 1
            row.state = "read"
    for number in numbers[:3]:
        row = await fetch(worker, number)
        assert (row.state, row.tries, row.token, row.lease_until) == ("read", 0, None, None)


async def test_work_that_fails_leaves_nothing_and_comes_again_after_a_pause(
    worker: Database, numbers: list[int]
) -> None:
    claimed = await take(worker)
    with pytest.raises(Broken):
        async with working(worker, claimed, tries=TRIES) as (_, rows):
            rows[0].state = "read"
            raise Broken
    row = await fetch(worker, numbers[0])
    assert (row.state, row.tries, row.token) == ("received", 1, None)
    assert taken(await take(worker)) == numbers[3:4], "the failed ones pause"
    await now_due(worker, lease=False)
    assert taken(await take(worker)) == numbers[:3]


async def test_work_under_a_lost_lease_changes_no_row_that_is_another_workers(
    worker: Database, numbers: list[int]
) -> None:
    late = await take(worker)
    await now_due(worker)
    quick = await take(worker)
    async with working(worker, late, tries=TRIES) as (_, rows):
        assert rows == ()
    assert (await fetch(worker, numbers[0])).token == quick.token


async def test_a_row_that_always_fails_is_held_with_a_finding_and_the_others_go_on(
    worker: Database, numbers: list[int]
) -> None:
    poison, done = numbers[1], set()
    for _ in range(40):
        await now_due(worker, lease=False)
        claimed = await take(worker, most=1_000)
        if not claimed:
            break
        try:
            async with working(worker, claimed, tries=TRIES) as (_, rows):
                for row in rows:
                    row.state = "read"
                if poison in taken(claimed):
                    raise Broken
                done |= set(taken(claimed))
        except Broken:
            continue
    assert done == set(numbers) - {poison}
    row = await fetch(worker, poison)
    assert (row.state, row.token) == ("held", None)
    assert row.completed_at is not None
    async with worker.transaction(EVERYTHING) as session:
        findings = (await session.scalars(select(Finding))).all()
    assert [(one.submission_number, one.row, one.place, one.code) for one in findings] == [
        (poison, 0, "submission", FindingCode.HELD)
    ]


async def test_a_row_that_kills_its_worker_each_time_is_held_when_its_last_lease_ends(
    worker: Database, numbers: list[int]
) -> None:
    for _ in range(TRIES):
        await now_due(worker)
        assert numbers[0] in taken(await take(worker, limit=1))
    assert (await fetch(worker, numbers[0])).state == "received"
    await now_due(worker)
    assert numbers[0] not in taken(await take(worker))
    assert (await fetch(worker, numbers[0])).state == "held"


async def test_a_row_that_failed_twice_is_tried_alone(worker: Database, numbers: list[int]) -> None:
    async with worker.transaction(EVERYTHING) as session:
        await session.execute(
            update(Submission).where(Submission.number == numbers[2]).values(tries=2)
        )
    assert taken(await take(worker)) == numbers[:2]
    assert taken(await take(worker)) == [numbers[2]]


async def test_schedules_are_claimed_like_everything_else(worker: Database) -> None:
    async with worker.transaction(EVERYTHING) as session:
        await session.execute(delete(Schedule))
        session.add(Schedule(name="compare"))
    due = await claim(worker, Schedule, order_by=[Schedule.name], lease_seconds=60, tries=TRIES)
    assert [row.name for row in due.rows] == ["compare"]
    again = await claim(worker, Schedule, order_by=[Schedule.name], lease_seconds=60, tries=TRIES)
    assert not again


async def test_a_ring_is_heard_when_its_transaction_commits_and_not_before(
    worker: Database,
) -> None:
    async with listening(worker) as bell:
        assert await heard(bell.ear(), 5.0), "it rings once when it begins to listen"
        ear = bell.ear()
        async with worker.transaction(EVERYTHING) as session:
            await ring(session, "received")
            assert not await heard(ear, 0.2)
        assert await heard(ear, 5.0)
        assert not await heard(bell.ear(), 0.1)


async def test_the_bell_rings_again_after_its_connection_was_cut(
    worker: Database, database: Any
) -> None:
    owner = Database(database.owner, worker.role.OWNER, pool=1)
    try:
        async with listening(worker) as bell:
            assert await heard(bell.ear(), 5.0)
            ear = bell.ear()
            async with owner.transaction(EVERYTHING) as session:
                await session.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE application_name LIKE '%listener' AND datname = current_database()"
                    )
                )
            assert await heard(ear, 5.0), "what was rung meanwhile is not lost: it rings by itself"
            ear = bell.ear()
            async with worker.transaction(EVERYTHING) as session:
                await ring(session, "received")
            assert await heard(ear, 5.0)
    finally:
        await owner.close()
