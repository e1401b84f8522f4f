"""Many at once: one case each, versions in submission order, nothing lost, nothing passed by."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from app.database import EVERYTHING
from app.ingest.accept import accept
from app.ingest.check import check
from app.ingest.formats import door
from app.ingest.read import read
from app.ingest.receive import receive
from app.ingest.rooms import Rooms
from app.ingest.turns import oldest
from app.models.submission import Submission
from tests.ingest.landing import REGISTRY, Landing, Sender, exam, follow_up, pieces

HISTORY = (
    "SELECT c.key_token, v.submission_number, v.row, v.from_seq, v.to_seq"
    " FROM versions v JOIN cases c ON c.id = v.case_id WHERE c.facility_id = :f"
    " ORDER BY c.key_token, v.from_seq"
)


async def busy(
    landing: Landing, done: asyncio.Event, step: Callable[[Rooms], Coroutine[Any, Any, int]]
) -> None:
    """One step's loop, as a worker runs it."""
    while not done.is_set():
        if not await step(landing.works):
            await asyncio.sleep(0.02)


async def test_eight_senders_of_the_same_exams_leave_one_case_each_in_submission_order(
    landing: Landing,
) -> None:
    exams, rounds = 12, 4

    async def send(sender: int) -> list[int]:
        numbers = []
        for turn in range(rounds):
            entries = [
                exam(exam_unique_id=f"E{number}", dlp=f"{sender * 10 + turn + 1}.{number:02}")
                for number in range(exams)
            ]
            Random(sender * 100 + turn).shuffle(entries)
            numbers.append((await landing.send(entries)).number)
        return numbers

    done = asyncio.Event()
    workers = [
        asyncio.create_task(busy(landing, done, step))
        for step in (read, check, accept, read, check, accept)
    ]
    sent = await asyncio.gather(*(send(sender) for sender in range(8)))
    for _ in range(600):
        left = await landing.rows("SELECT count(*) FROM submissions WHERE state <> 'completed'")
        if left == [(0,)]:
            break
        await asyncio.sleep(0.1)
    done.set()
    await asyncio.gather(*workers)
    (facility,) = landing.facilities
    assert await landing.rows("SELECT count(*) FROM cases WHERE facility_id = :f", f=facility) == [
        (exams,)
    ]
    history = await landing.rows(HISTORY, f=facility)
    assert len(history) == exams * rounds * 8
    by_case: dict[str, list[tuple[int, int, int, int | None]]] = {}
    for key, number, row, begin, end in history:
        by_case.setdefault(key, []).append((number, row, begin, end))
    everything = sorted(number for numbers in sent for number in numbers)
    for versions in by_case.values():
        assert [number for number, *_ in versions] == everything
        assert [end for *_, end in versions] == [begin for _, _, begin, _ in versions[1:]] + [None]
    assert all(numbers == sorted(numbers) for numbers in sent)


async def test_the_number_of_a_submission_is_given_in_the_order_of_commits(
    landing: Landing,
) -> None:
    """A sender whose transaction is open keeps the next number of its facility waiting."""
    works = landing.works
    first = asyncio.Event()
    finish = asyncio.Event()
    (facility,) = landing.facilities

    async def slow() -> int:
        quarantined = await works.quarantine.store(pieces(b"{}"), 100)
        async with works.database.transaction(EVERYTHING) as session:
            submission, _ = await receive(
                session,
                works.quarantine,
                works.catalogue.in_force(REGISTRY),
                Sender(frozenset({facility})),
                quarantined,
                door("application/json"),
            )
            first.set()
            await finish.wait()
            return submission.number

    opened = asyncio.create_task(slow())
    await first.wait()
    behind = asyncio.create_task(landing.send([exam()]))
    (other,) = await landing.participate("active")
    beside = await landing.send([exam()], sender=Sender(frozenset({other})))
    # One for several facilities waits for all that are open; what comes after waits behind it.
    wide = asyncio.create_task(
        landing.send(
            [exam()], sender=Sender(frozenset({facility, *await landing.participate("active")}))
        )
    )
    await asyncio.sleep(0.2)
    assert not behind.done()
    assert not wide.done()
    assert isinstance(beside, Submission)
    finish.set()
    assert await opened < (await behind).number
    assert (await wide).number > await opened


async def test_a_feed_number_that_commits_late_is_not_passed_by(landing: Landing) -> None:
    """Whoever reads the feed while an accept is open sees nothing of it, nor of what comes after."""
    await landing.send([exam()])
    await landing.run((read, check))
    works = landing.works
    held, let_go = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with works.database.transaction(EVERYTHING) as session:
            await session.execute(
                text(
                    "INSERT INTO feeds (registry_id, feed_seq) VALUES (:r, 1)"
                    " ON CONFLICT (registry_id) DO UPDATE SET feed_seq = feeds.feed_seq + 1"
                ),
                {"r": REGISTRY},
            )
            held.set()
            await let_go.wait()

    holding = asyncio.create_task(hold())
    await held.wait()
    before = await landing.rows("SELECT coalesce(max(feed_seq), 0) FROM feeds")
    accepting = asyncio.create_task(accept(works))
    await asyncio.sleep(0.3)
    assert not accepting.done()
    assert await landing.rows("SELECT coalesce(max(feed_seq), 0) FROM feeds") == before
    (facility,) = landing.facilities
    unseen = "SELECT count(*) FROM versions WHERE facility_id = :f"
    assert await landing.rows(unseen, f=facility) == [(0,)]
    let_go.set()
    await holding
    assert await accepting
    ((numbered, highest),) = await landing.rows(
        "SELECT (SELECT max(from_seq) FROM versions WHERE facility_id = :f), feed_seq FROM feeds"
        " WHERE registry_id = :r",
        f=facility,
        r=REGISTRY,
    )
    assert before[0][0] + 1 < numbered <= highest


async def test_many_small_submissions_are_taken_together(landing: Landing) -> None:
    for number in range(20):
        await landing.send([exam(exam_unique_id=f"S{number}")])
    assert await read(landing.works) == 20
    assert await check(landing.works) == 20
    assert await accept(landing.works) == 20


async def test_nothing_is_accepted_past_an_earlier_submission_of_its_facility(
    landing: Landing,
) -> None:
    first = await landing.send([exam()])
    await landing.send([exam(dlp="99.00")])
    (other,) = await landing.participate("active")
    await landing.send([exam()], sender=Sender(frozenset({other})))
    await landing.run((read, check))
    await landing.rows(
        "UPDATE submissions SET state = 'read', not_before = now() + interval '1 hour'"
        " WHERE number = :n RETURNING 1",
        n=first.number,
    )
    claimed = await oldest(landing.works, small=True)
    assert [row.facility_ids for row in claimed.rows] == [[other]]


async def test_a_submission_for_many_facilities_keeps_its_place_among_those_of_one(
    landing: Landing,
) -> None:
    a, b = landing.facilities[0], *await landing.participate("active")
    blocked = await landing.send([exam()], sender=Sender(frozenset({a})))
    await landing.send([exam(facility_id=str(b))], sender=Sender(frozenset({a, b})))
    await landing.send([exam()], sender=Sender(frozenset({b})))
    await landing.run((read, check))
    await landing.rows(
        "UPDATE submissions SET not_before = now() + interval '1 hour' WHERE number = :n RETURNING 1",
        n=blocked.number,
    )
    assert not (await oldest(landing.works, small=True)).rows


async def test_a_step_that_outlives_its_lease_is_neither_waited_for_nor_done_again(
    landing: Landing,
) -> None:
    """Its row is locked as long as it works: who comes late leaves it, and blocks nobody's turn."""
    sent = await landing.send([exam()])
    await landing.run((read, check))
    works = landing.works
    assert len((await oldest(works, small=True)).rows) == 1
    async with works.database.transaction(EVERYTHING) as session:
        await session.execute(
            text("UPDATE submissions SET lease_until = now() - interval '1 s' WHERE number = :n"),
            {"n": sent.number},
        )
    async with works.database.transaction(EVERYTHING) as session:
        await session.execute(
            text("SELECT 1 FROM submissions WHERE number = :n FOR UPDATE"), {"n": sent.number}
        )
        late = asyncio.create_task(oldest(works, small=True))
        done, _ = await asyncio.wait([late], timeout=5)
        await session.execute(
            text(
                "UPDATE submissions SET state = 'completed', lease_until = NULL, token = NULL"
                " WHERE number = :n"
            ),
            {"n": sent.number},
        )
    claimed = await late
    assert done
    assert not claimed.rows


@pytest.mark.parametrize("step", [read, check, accept])
async def test_a_worker_that_dies_after_its_claim_loses_and_doubles_nothing(
    landing: Landing, step: Callable[[Rooms], Coroutine[Any, Any, int]]
) -> None:
    sent = await landing.send([exam(), follow_up()])
    steps = [read, check, accept]
    for earlier in steps[: steps.index(step)]:
        await earlier(landing.works)
    await landing.rows(
        "UPDATE submissions SET lease_until = now() + interval '1 hour', token = gen_random_uuid(),"
        " tries = 1 WHERE number = :n RETURNING 1",
        n=sent.number,
    )
    assert await step(landing.works) == 0
    await landing.rows(
        "UPDATE submissions SET lease_until = now() WHERE number = :n RETURNING 1", n=sent.number
    )
    await landing.run()
    told = await landing.told(sent)
    assert told.outcomes == ["accepted", "accepted"]
    assert await landing.rows(
        "SELECT count(*) FROM versions WHERE facility_id = :f", f=landing.facilities[0]
    ) == [(2,)]


@pytest.mark.parametrize("step", [read, check, accept])
async def test_a_step_that_fails_in_the_middle_leaves_no_trace_and_is_done_again(
    landing: Landing,
    step: Callable[[Rooms], Coroutine[Any, Any, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = await landing.send([exam(), exam(exam_unique_id="B")])
    steps = [read, check, accept]
    for earlier in steps[: steps.index(step)]:
        await earlier(landing.works)
    module = {read: "read", check: "check", accept: "accept"}[step]

    async def broken(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(f"app.ingest.{module}.ring", broken)
        with pytest.raises(ConnectionError):
            await step(landing.works)
    await landing.rows(
        "UPDATE submissions SET not_before = now() WHERE number = :n RETURNING 1", n=sent.number
    )
    await landing.run()
    told = await landing.told(sent)
    assert told.outcomes == ["accepted", "accepted"]
    assert told.submission.tries == 0


async def test_a_submission_that_always_fails_is_held_and_the_others_go_on(
    landing: Landing,
) -> None:
    bad = await landing.send([exam()])
    await landing.rows(
        "UPDATE vault.quarantine SET wrapped_key = '\\x00' WHERE id = :id RETURNING 1",
        id=bad.quarantine_id,
    )
    (other,) = await landing.participate("active")
    good = await landing.send([exam()], sender=Sender(frozenset({other})))
    for _ in range(20):
        try:
            await landing.run()
        except Exception:
            await landing.rows("UPDATE submissions SET not_before = now() RETURNING 1")
    assert (await landing.told(good)).outcomes == ["accepted"]
    held = await landing.told(bad)
    assert held.state == "held"
    assert held.findings == [(0, "submission", "held")]
