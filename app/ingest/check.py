"""
Check each entry against its registry's definition.

An entry leaves as `checked` or `rejected`, with findings that tell the sender where to look.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app import access
from app.claim import Claim, claim, ring, working
from app.database import copy_records, driver_connection, staging
from app.ingest.arising import CHANNEL
from app.ingest.checks import RegistryAtWork, at_work
from app.ingest.findings import Found, keep_findings
from app.ingest.judge import MEMBERS, Delivery, Judged
from app.ingest.rooms import BATCH, Rooms, large_has_turn
from app.models.submission import Submission
from app.registries.findings import FindingCode, severity

CHUNK = 1_250
"""Entries that are judged together: what is the same for all of them costs as much as some hundred."""


async def check(rooms: Rooms) -> int:
    """Move what was read on: many small submissions together, then a batch of a large one."""
    await rooms.catalogue.keep_current(rooms.database)
    small = await _step(rooms, small=True)
    if small and not large_has_turn("check"):
        return small
    return small + await _step(rooms, small=False)


async def _step(rooms: Rooms, *, small: bool) -> int:
    left = Submission.entries - Submission.rows_checked
    claimed = await claim(
        rooms.database,
        Submission,
        Submission.kind == "entries",
        Submission.state == "read",
        left <= BATCH if small else left > BATCH,
        order_by=[Submission.number],
        lease_seconds=rooms.settings.lease_seconds,
        tries=rooms.settings.tries,
        limit=1_000 if small else 1,
        weight=lambda submission: min(1 + (submission.entries or 0), BATCH),
        most=BATCH,
    )
    return await _work(rooms, claimed) if claimed else 0


async def _work(rooms: Rooms, claimed: Claim[Submission]) -> int:
    async with working(rooms.database, claimed, tries=rooms.settings.tries) as (session, ours):
        moved = 0
        for registry_id, version in sorted(
            {(one.registry_id, one.definition_version) for one in ours}
        ):
            some = [
                one
                for one in ours
                if (one.registry_id, one.definition_version) == (registry_id, version)
            ]
            definition = rooms.catalogue.registry(registry_id, version=version)
            moved += await _check(session, rooms, at_work(definition), some)
        await ring(session, "checked")
        return max(moved, len(ours))


async def _check(
    session: AsyncSession, rooms: Rooms, registry: RegistryAtWork, ours: Sequence[Submission]
) -> int:
    participating = await access.participating(session, registry.definition.id)
    deliveries = {
        one.number: Delivery(
            one.number,
            one.facility_id,
            frozenset(one.facility_ids),
            participating,
            one.received_at.date(),
            of_images=one.channel == CHANNEL,
        )
        for one in ours
    }
    rows = await _rows(session, ours)
    found: list[Found] = []
    # What is little is done sooner than it is sent.
    beside = rooms.cores.count > 1 and len(rows) > CHUNK

    def next_judged() -> asyncio.Task[Judged]:
        start = starts.popleft()
        chunk = rows[start : start + CHUNK]
        return asyncio.create_task(rooms.cores.judged(registry, deliveries, chunk, beside=beside))

    starts = deque(range(0, len(rows), CHUNK))
    ahead = rooms.cores.count + 1
    judging = deque(next_judged() for _ in range(min(ahead, len(starts))))
    try:
        while judging:
            records, some = await judging[0]
            judging.popleft()
            if starts:
                judging.append(next_judged())
            found += some
            # PostgreSQL writes one chunk while the next are judged.
            await _write(session, records)
    finally:
        await asyncio.gather(*judging, return_exceptions=True)
    await keep_findings(session, found)
    for submission in ours:
        submission.rows_checked = min(submission.rows_checked + BATCH, submission.entries or 0)
        if submission.rows_checked == submission.entries:
            submission.state = "checked"
            if submission.policy == "whole-file":
                await _all_or_nothing(session, submission)
    return len(rows)


async def _rows(
    session: AsyncSession, ours: Sequence[Submission]
) -> Sequence[tuple[int, int, bytes]]:
    driver = await driver_connection(session)
    rows: Sequence[tuple[int, int, bytes]] = await driver.fetch(
        "SELECT e.submission_number, e.row, e.sealed FROM entries e"
        " JOIN unnest($1::bigint[], $2::int[]) AS s (number, done)"
        " ON e.submission_number = s.number AND e.row > s.done AND e.row <= s.done + $3"
        " ORDER BY e.submission_number, e.row",
        [one.number for one in ours],
        [one.rows_checked for one in ours],
        BATCH,
    )
    return rows


async def _write(session: AsyncSession, records: Sequence[tuple[Any, ...]]) -> None:
    await staging(session, "checking", MEMBERS)
    names = [column.split()[0] for column in MEMBERS.split(", ")]
    await copy_records(session, "checking", names, records)
    await session.execute(
        text(
            "UPDATE entries e SET facility_id = c.facility_id, form = c.form, action = c.action,"
            " state = c.state,"
            " outcome = CASE WHEN c.state = 'rejected' THEN 'rejected' END,"
            " sealed = NULL, elements = c.elements::jsonb, identity = c.identity,"
            " digest = c.digest, key_token = c.key_token, parent_token = c.parent_token,"
            " person_token = c.person_token, national_token = c.national_token,"
            " local_token = c.local_token"
            " FROM checking c"
            " WHERE e.submission_number = c.submission_number AND e.row = c.row"
        )
    )
    await session.execute(text("DELETE FROM checking"))


async def _all_or_nothing(session: AsyncSession, submission: Submission) -> None:
    """A registry that takes a file whole or not at all: one rejected entry rejects the others."""
    any_rejected = await session.scalar(
        text(
            "SELECT EXISTS (SELECT FROM entries"
            " WHERE submission_number = :number AND state = 'rejected')"
        ),
        {"number": submission.number},
    )
    if not any_rejected:
        return
    await session.execute(
        text(
            "UPDATE entries SET state = 'rejected', outcome = 'rejected', elements = NULL,"
            " identity = NULL WHERE submission_number = :number AND state = 'checked'"
        ),
        {"number": submission.number},
    )
    code = FindingCode.WHOLE_FILE
    remedy = (
        "This registry takes a file whole: correct the entries that have findings, send it again."
    )
    await keep_findings(
        session,
        [
            Found(
                submission.number,
                0,
                submission.facility_id,
                None,
                "submission",
                code,
                severity(code),
                remedy,
            )
        ],
    )
