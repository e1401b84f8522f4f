"""Incremental tables, a recompute of them and a count by hand agree, whatever happened in what order."""

import random
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.benchmarks import generations
from app.benchmarks.generations import Workshop
from app.database import EVERYTHING
from tests.benchmarks.history import History, counted
from tests.benchmarks.tables import raw, tabulated
from tests.benchmarks.toy import definition

FACILITIES = (200001, 200002, 200003)


def something(chance: random.Random, history: History) -> None:
    """One change: accept, amend, withdraw, draft, follow-up, subject's record, or a merge."""
    exams = [one for one in history.known.values() if one.form == "exam"]
    kind = chance.choices(
        ("exam", "amend", "withdraw", "draft", "follow_up", "person", "merge"),
        (8, 3, 1, 1, 4, 1, 1),
    )[0]
    case = len(history.known) + 1
    if kind == "exam" or not exams:
        history.put(case, "exam", chance.choice(FACILITIES), chance.randint(1, 8), exam(chance))
        return
    one = chance.choice(exams)
    match kind:
        case "amend":
            history.put(one.case, "exam", one.facility, one.subject, exam(chance))
        case "withdraw":
            history.withdraw(chance.choice(list(history.known)))
        case "draft":
            history.put(case, "exam", one.facility, one.subject, exam(chance), state="draft")
        case "follow_up":
            seen = {"seen_on": str(day(chance)), "cancer": chance.random() < 0.5}
            history.put(case, "follow_up", one.facility, one.subject, seen, parent=one.case)
        case "person":
            died = {"died_on": "2025-01-31"} if chance.random() < 0.7 else {}
            history.put(case, "person", one.facility, one.subject, died)
        case "merge":
            history.merge(one.subject, chance.choice(exams).subject)


def day(chance: random.Random) -> date:
    return date(2024, 1, 1) + timedelta(days=chance.randrange(900))


def exam(chance: random.Random) -> dict[str, object]:
    sent: dict[str, object] = {"exam_date": str(day(chance))}
    if chance.random() < 0.9:
        sent["result"] = chance.choice("1234")
    if chance.random() < 0.8:
        sent["dose"] = chance.choice(
            ("999.00", "2.55", "2.54", "0.95", f"{chance.randint(0, 900) / 100:.2f}")
        )
    if chance.random() < 0.8:
        sent["packs"] = chance.choice((999, 0, 19, 20, 60))
    if chance.random() < 0.5:
        sent["signs"] = sorted(chance.sample(["X", "Y"], chance.randint(1, 2)))
    return sent


@pytest.mark.parametrize("seed", range(6))
async def test_incremental_recomputed_and_counted_by_hand_are_equal(
    seed: int, workshop: Workshop
) -> None:
    await through(seed, workshop, rounds=6, most=25)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 160))
async def test_long_histories_are_equal_too(seed: int, workshop: Workshop) -> None:
    await through(seed, workshop, rounds=25, most=120)


def different(one: dict[Any, Any], other: dict[Any, Any]) -> dict[Any, Any]:
    """Only where the two are not the same: what a reader of a failure wants to see."""
    return {
        key: (one.get(key), other.get(key))
        for key in one.keys() | other.keys()
        if one.get(key) != other.get(key)
    }


async def through(seed: int, workshop: Workshop, rounds: int, most: int) -> None:
    chance, history, toy = random.Random(seed), History(), definition()
    for _ in range(rounds):
        for _ in range(chance.randint(1, most)):
            something(chance, history)
            if chance.random() < 0.1:
                async with workshop.database.transaction(EVERYTHING) as session:
                    await history.write(session)
        async with workshop.database.transaction(EVERYTHING) as session:
            await history.write(session)
        if chance.random() < 0.3:
            continue  # the tables fall behind for a while
        while await generations.step(workshop, toy, window=chance.randint(1, 40)):
            pass
        async with workshop.database.transaction(EVERYTHING) as session:
            assert different(await tabulated(session), counted(history)) == {}
        assert await generations.reconcile(workshop, toy) == []
    assert await generations.reconcile(workshop, toy) == []
    async with workshop.database.transaction(EVERYTHING) as session:
        before = await raw(session)
        assert different(await tabulated(session), counted(history)) == {}
    await generations.rebuild(workshop, toy)
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await raw(session) == before
        again = await session.scalar(
            text("SELECT max(id) FROM generations WHERE state = 'current'")
        )
    assert again is not None
