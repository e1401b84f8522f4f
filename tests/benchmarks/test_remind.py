"""What falls due is told once: whatever is amended, merged or published meanwhile, by whichever worker."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest_asyncio
from sqlalchemy import text

from app.benchmarks.engine import Engine
from app.benchmarks.generations import Workshop
from app.benchmarks.remind import remind, step
from app.database import EVERYTHING, Database, Role
from app.postgres import Addresses
from app.registries.load import load
from app.registries.schema import Definition
from tests.benchmarks.conftest import workshop
from tests.make.definitions import SMALL, small

__all__ = ["workshop"]  # the fixture

FACILITY = 100_001
LISTED = """\
- id: to-call
  title: To call
  form: visit
  cases: walks
  closed_when: called OR next_visit IS NOT NULL
  due: {day: visit_date, months: "1"}
  overdue: {day: visit_date, months: pain}
  columns: [pain]
  description: Visits of people who walk, until they were called or came again.
"""
DAY, DUE, OVERDUE = date(2025, 1, 5), date(2025, 2, 5), date(2025, 4, 5)


class Room:
    """A registry of visits with a worklist, and a pen that writes as `accept` leaves it."""

    def __init__(self, workshop: Workshop, folder: Path) -> None:
        self.workshop, self._folder = workshop, folder

    def definition(self, version: str, listed: str) -> Definition:
        registry = SMALL["registry"].replace("version: 1.0.0", f"version: {version}")
        folder = self._folder / version
        return load(small(folder, registry=registry, worklists=listed))

    async def publish(self, version: str, listed: str = LISTED) -> None:
        definition = self.definition(version, listed)
        async with self.workshop.database.transaction(EVERYTHING) as session:
            await self.workshop.catalogue.publish(session, definition)
            await self.workshop.catalogue.refresh(session)

    async def write(self, case: int, subject: int, *, pain: int = 3, day: date = DAY) -> None:
        """A new version of a case, under this person from now on."""
        elements = {"visit_date": str(day), "pain": pain, "walks": True, "smokes": "N"}
        values = {
            "case": case,
            "subject": subject,
            "facility": FACILITY,
            "token": f"{case:016x}",
            "day": day,
            "elements": json.dumps(elements),
        }
        async with self.workshop.database.transaction(EVERYTHING) as session:
            number = await session.scalar(
                text(
                    "INSERT INTO feeds (registry_id, feed_seq) VALUES ('visits', 1)"
                    " ON CONFLICT (registry_id) DO UPDATE SET feed_seq = feeds.feed_seq + 1"
                    " RETURNING feed_seq"
                )
            )
            values["number"] = number
            await session.execute(
                text(
                    "UPDATE versions SET to_seq = :number WHERE case_id = :case AND to_seq IS NULL"
                ),
                values,
            )
            await session.execute(
                text(
                    "INSERT INTO versions (subject_id, registry_id, case_id, facility_id, form, key_token,"
                    " state, definition_version, case_date, elements, submission_number, row, from_seq)"
                    " VALUES (:subject, 'visits', :case, :facility, 'visit', :token, 'submitted', '1.0.0',"
                    " :day, CAST(:elements AS jsonb), 1, 1, :number)"
                ),
                values,
            )
            await session.execute(
                text(
                    "INSERT INTO cases (id, registry_id, facility_id, form, key_token, subject_id, state,"
                    " case_date, submission_number, row, created_at, updated_at)"
                    " OVERRIDING SYSTEM VALUE VALUES (:case, 'visits', :facility, 'visit', :token,"
                    " :subject, 'submitted', :day, 1, 1, now(), now())"
                    " ON CONFLICT (id) DO UPDATE SET subject_id = excluded.subject_id"
                ),
                values,
            )

    async def remind(self, today: date) -> None:
        while await remind(self.workshop, today=today, wait=True):
            pass

    async def told(self) -> list[tuple[int, str, date]]:
        async with self.workshop.database.transaction(EVERYTHING) as session:
            rows = await session.execute(
                text("SELECT case_id, event, on_day FROM worklist_events ORDER BY feed_seq")
            )
            return [(row[0], row[1], row[2]) for row in rows]


@pytest_asyncio.fixture
async def room(workshop: Workshop, database: Addresses, tmp_path: Path) -> AsyncIterator[Room]:
    owner = Database(database.owner, Role.OWNER, pool=1)
    async with owner.transaction(EVERYTHING) as session:
        await session.execute(
            text("TRUNCATE open_loops, worklist_events, worklist_marks, definitions CASCADE")
        )
    made = Room(workshop, tmp_path / "visits")
    await made.publish("1.0.0")
    yield made
    async with owner.transaction(EVERYTHING) as session:
        await session.execute(text("TRUNCATE open_loops, worklist_marks, definitions CASCADE"))
    await owner.close()


async def test_that_a_case_is_due_is_told_once_though_its_last_day_moves(room: Room) -> None:
    await room.write(1, 11)
    await room.remind(DUE)
    assert await room.told() == [(1, "due", DUE)]
    await room.write(1, 11, pain=4)
    await room.remind(OVERDUE)
    assert await room.told() == [(1, "due", DUE)], "it was told of that day, and is not yet late"
    await room.remind(later := date(2025, 5, 5))
    await room.remind(later)
    assert await room.told() == [(1, "due", DUE), (1, "overdue", later)]


async def test_a_later_definition_with_another_last_day_tells_only_what_is_new(room: Room) -> None:
    await room.write(1, 11)
    await room.write(2, 12, pain=2)
    today = date(2025, 3, 5)
    await room.remind(today)
    assert await room.told() == [(1, "due", DUE), (2, "overdue", today)]
    await room.publish("1.1.0", LISTED.replace("months: pain}", "months: pain - 1}"))
    await room.remind(today)
    new = [(2, "overdue", DUE), (1, "overdue", today)]
    assert (await room.told())[2:] == new, "of the first it was told that it is due, not more"


async def test_a_definition_without_worklists_closes_what_was_told(room: Room) -> None:
    await room.write(1, 11)
    await room.write(2, 12, day=date(2026, 1, 1))
    await room.remind(DUE)
    await room.publish("1.1.0", "[]")
    today = date(2025, 3, 1)
    await room.remind(today)
    await room.remind(today)
    assert await room.told() == [(1, "due", DUE), (1, "closed", today)]
    await room.publish("1.2.0")
    await room.remind(today)
    assert (await room.told())[2:] == [(1, "due", DUE)], "a list that is there again begins anew"


async def test_a_worker_that_knows_an_older_definition_tells_nothing_by_it(room: Room) -> None:
    older = room.definition("0.9.0", LISTED.replace("to-call", "to-write"))
    await room.write(1, 11)
    await room.remind(DUE)
    await step(room.workshop, older, today=DUE, wait=True)
    await room.remind(DUE)
    assert await room.told() == [(1, "due", DUE)]


@dataclass(frozen=True, slots=True)
class Busy(Engine):
    """An engine beside which something else happens."""

    meanwhile: Callable[[], Any] = print

    @contextmanager
    def open(self, **how: Any) -> Iterator[duckdb.DuckDBPyConnection]:
        with Engine.open(self, **how) as opened:
            self.meanwhile()
            yield opened


async def test_a_case_that_comes_to_somebody_who_is_looked_at_is_not_over(room: Room) -> None:
    await room.write(1, 11, day=DAY)
    await room.remind(OVERDUE)
    await room.write(2, 12, day=date(2024, 1, 1))

    def merge() -> None:
        asyncio.run_coroutine_threadsafe(room.write(1, 12), loop).result()

    loop, calm = asyncio.get_running_loop(), room.workshop.engine
    busy = Busy(calm.memory, calm.spill, calm.folder, merge)
    definition = room.workshop.catalogue.in_force("visits")
    await step(replace(room.workshop, engine=busy), definition, today=OVERDUE, wait=True)
    await room.remind(OVERDUE)
    told = await room.told()
    assert [one for one in told if one[0] == 1] == [(1, "overdue", OVERDUE)]
    assert not [one for one in told if one[0] == 2], "she came again"


async def test_when_two_turn_out_to_be_one_person_the_earlier_visit_is_over_and_opens_again_if_not(
    room: Room,
) -> None:
    await room.write(1, 11)
    await room.write(2, 12, day=date(2025, 3, 20))
    await room.remind(OVERDUE)
    told = [(1, "overdue", OVERDUE)]
    assert await room.told() == told
    for subject, event in ((11, "closed"), (12, "overdue")):
        await room.write(2, subject, day=date(2025, 3, 20))
        await room.remind(OVERDUE)
        told.append((1, event, OVERDUE))
        assert await room.told() == told
