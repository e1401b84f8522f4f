"""Advisory locks: one list, one way to take them, gone with their transaction."""

import asyncio
from itertools import combinations
from pathlib import Path

import pytest

from app.database import Database
from app.locks import Lock, key, take, take_part

HOUSE = Path(__file__).resolve().parent.parent


async def test_what_one_transaction_holds_another_does_not_get_until_it_ends(
    web: Database, worker: Database
) -> None:
    async with web.transaction() as one:
        assert await take(one, Lock.ACCEPT, "colon-cancer")
        async with worker.transaction() as other:
            assert not await take(other, Lock.ACCEPT, "colon-cancer", wait=False)
            assert await take(other, Lock.ACCEPT, "stroke", wait=False)
            assert await take(other, Lock.TABULATE, "colon-cancer", wait=False)
    async with worker.transaction() as other:
        assert await take(other, Lock.ACCEPT, "colon-cancer", wait=False)


async def test_a_lock_ends_with_a_transaction_that_failed(web: Database) -> None:
    with pytest.raises(LookupError):
        async with web.transaction() as one:
            await take(one, Lock.SEAL)
            raise LookupError
    async with web.transaction() as other:
        assert await take(other, Lock.SEAL, wait=False)


async def test_who_waits_gets_the_lock_when_it_is_free(web: Database) -> None:
    async def second() -> bool:
        async with web.transaction() as session:
            return await take(session, Lock.SEAL)

    async with web.transaction() as one:
        await take(one, Lock.SEAL)
        waiting = asyncio.create_task(second())
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
    assert await asyncio.wait_for(waiting, 20)


async def test_parts_go_beside_one_another_and_keep_the_whole_out(web: Database) -> None:
    async with web.transaction() as one, web.transaction() as two, web.transaction() as third:
        await take_part(one, Lock.RECEIVE, "stroke", 100001)
        await asyncio.wait_for(take_part(two, Lock.RECEIVE, "stroke", 100002), 20)
        assert not await take(third, Lock.RECEIVE, "stroke", wait=False)
        assert not await take(third, Lock.RECEIVE, "stroke", 100001, wait=False)
        assert await take(third, Lock.RECEIVE, "colon-cancer", wait=False)


def test_no_two_locks_have_the_same_number() -> None:
    owners = [(), ("stroke",), ("stroke", "100001"), ("stroke", 100001), ("stroke 100001",)]
    numbers = {(lock, of): key(lock, *of) for lock in Lock for of in owners}
    for one, other in combinations(numbers, 2):
        assert numbers[one] != numbers[other], (one, other)
    assert all(-(2**63) <= number < 2**63 for number in numbers.values())


def test_nothing_else_of_the_house_takes_an_advisory_lock() -> None:
    """Migrations run on a connection that is not asynchronous: they spell theirs, by its key."""
    spelled = {
        str(file.relative_to(HOUSE))
        for folder in ("app", "migrations")
        for file in (HOUSE / folder).rglob("*.py")
        if "advisory_" in file.read_text(encoding="utf-8")
    }
    assert spelled == {"app/locks.py", "migrations/env.py"}
