"""
Read a submission: cut its body into entries, each sealed as it was sent.

Nothing is judged here but whether there are entries at all. When the last one is in its row, the
body is destroyed.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.claim import Claim, claim, ring, working
from app.database import copy_records, staging
from app.errors import NotFound, UnreadableSubmission
from app.ingest.findings import Found, keep_findings
from app.ingest.formats import Door, entries_of
from app.ingest.formats.sent import ENTRY, RawEntry
from app.ingest.rooms import BATCH, Rooms, large_has_turn
from app.models.base import now
from app.models.submission import Submission
from app.registries.findings import FindingCode, Severity
from app.registries.schema import Definition
from app.vault import Vault

SMALL: Final = 256 * 1024
"""Bytes of a body that is read beside others; a larger one is read by itself."""
OPEN_BODIES: Final = 2

_MEMBERS = (
    "submission_number bigint, row int, registry_id text, facility_id int, state text, sealed bytea"
)


@dataclass(slots=True)
class _OpenBody:
    """A large body between two batches: where it was left, so that it need not be opened again."""

    entries: Iterator[RawEntry]
    row: int


_open: OrderedDict[UUID, _OpenBody] = OrderedDict()


async def read(rooms: Rooms) -> int:
    """Move what was received on: many small submissions together, then a batch of a large one."""
    await rooms.catalogue.keep_current(rooms.database)
    small = await _work(rooms, await _take(rooms, Submission.body_size <= SMALL))
    if small and not large_has_turn("read"):
        return small
    large = await _take(rooms, Submission.body_size > SMALL, limit=1)
    return small + await _work(rooms, large)


async def _take(rooms: Rooms, size: ColumnElement[bool], limit: int = 1_000) -> Claim[Submission]:
    return await claim(
        rooms.database,
        Submission,
        Submission.kind == "entries",
        Submission.state == "received",
        size,
        order_by=[Submission.number],
        lease_seconds=rooms.settings.lease_seconds,
        tries=rooms.settings.tries,
        limit=limit,
        # An entry of a few elements takes some 200 bytes: so many entries at the very most.
        weight=lambda submission: 1 + submission.body_size // 200,
        most=BATCH,
    )


async def _work(rooms: Rooms, claimed: Claim[Submission]) -> int:
    if not claimed:
        return 0
    try:
        async with working(rooms.database, claimed, tries=rooms.settings.tries) as (session, ours):
            return await _read(session, rooms, ours)
    except BaseException:
        for submission in claimed.rows:
            _open.pop(submission.id, None)
        raise


async def _read(session: AsyncSession, rooms: Rooms, ours: tuple[Submission, ...]) -> int:
    bodies = await _bodies(session, rooms, ours)
    records: list[tuple[object, ...]] = []
    found: list[Found] = []
    done: list[UUID] = []
    ended = False
    for submission in ours:
        definition = rooms.catalogue.registry(
            submission.registry_id, version=submission.definition_version
        )
        try:
            cut = partial(_batch, submission, definition, bodies.get(submission.id))
            # To take a large body apart takes a while, in which the other steps have work to do.
            batch, whole = await asyncio.to_thread(cut) if submission.body_size > SMALL else cut()
        except UnreadableSubmission as error:
            _open.pop(submission.id, None)
            found.append(_unreadable(submission, FindingCode(error.finding), str(error)))
            submission.state = "unreadable"
            submission.entries = submission.rows_read
            submission.completed_at = now()
            if submission.rows_read:
                await _set_aside(session, submission.number)
            ended = True
            continue  # the body stays in quarantine until its end date
        records += sealed(rooms.vault, submission, batch)
        submission.rows_read += len(batch)
        if whole:
            _open.pop(submission.id, None)
            submission.entries = submission.rows_read
            submission.state = "read"
            if submission.quarantine_id is not None:
                done.append(submission.quarantine_id)
    await keep_entries(session, records)
    await keep_findings(session, found)
    await rooms.quarantine.destroy(session, done)
    await ring(session, "read")
    if ended:
        await ring(session, "unreadable")
    return max(len(records), len(ours))


async def _bodies(
    session: AsyncSession, rooms: Rooms, ours: tuple[Submission, ...]
) -> dict[UUID, bytes]:
    """The bodies of those that are not open already."""
    wanted = {
        submission.quarantine_id: submission.id
        for submission in ours
        if submission.quarantine_id is not None and not _stands_at(submission)
    }
    content = await rooms.quarantine.read_all(session, list(wanted))
    return {wanted[id]: body for id, body in content.items()}


def _stands_at(submission: Submission) -> bool:
    """Whether this process has the body open, and at the row where the database says it is."""
    opened = _open.get(submission.id)
    if opened is not None and opened.row != submission.rows_read:
        del _open[submission.id]
        return False
    return opened is not None


def _batch(
    submission: Submission, definition: Definition, body: bytes | None
) -> tuple[list[RawEntry], bool]:
    """The next entries of a body, and whether it ends with them."""
    opened = _open.get(submission.id)
    if opened is None:
        if body is None:
            raise NotFound(f"The bytes of submission {submission.id} are gone from quarantine.")
        door = Door.remembered(submission.media_type)
        opened = _OpenBody(entries_of(door, body, definition), submission.rows_read)
        for _ in islice(opened.entries, submission.rows_read):
            pass
        _open[submission.id] = opened
        while len(_open) > OPEN_BODIES and submission.body_size > SMALL:
            _open.popitem(last=False)
    batch = list(islice(opened.entries, BATCH))
    opened.row += len(batch)
    return batch, len(batch) < BATCH or _is_over(submission)


def _is_over(submission: Submission) -> bool:
    """Whether a body that filled a whole batch ended there: look at the next entry and put it back."""
    opened = _open.get(submission.id)
    if opened is None:
        return False
    following = next(opened.entries, None)
    if following is None:
        return True
    rest = opened.entries

    def put_back() -> Iterator[RawEntry]:
        yield following
        yield from rest

    opened.entries = put_back()
    return False


def sealed(
    vault: Vault, submission: Submission, batch: list[RawEntry]
) -> Iterator[tuple[object, ...]]:
    """Rows of entries as they were sent, after those that were read already."""
    seal = vault.sealer(ENTRY, submission.registry_id).seal
    number, registry, facility = (
        submission.number,
        submission.registry_id,
        submission.facility_id,
    )
    for row, entry in enumerate(batch, submission.rows_read + 1):
        # What is unusable keeps the code that says why, in the place of what was sent.
        content = entry.content or (entry.flaw or FindingCode.NOT_AN_ENTRY).encode()
        yield (
            number,
            row,
            registry,
            facility,
            "read",
            seal(content, f"{number}/{row}".encode()),
        )


async def keep_entries(session: AsyncSession, records: list[tuple[object, ...]]) -> None:
    """Write what `sealed` gave."""
    if not records:
        return
    await staging(session, "reading", _MEMBERS)
    names = [column.split()[0] for column in _MEMBERS.split(", ")]
    await copy_records(session, "reading", names, records)
    await session.execute(
        text(
            "INSERT INTO entries (submission_number, row, registry_id, facility_id, state, sealed)"
            " SELECT submission_number, row, registry_id, facility_id, state, sealed FROM reading"
        )
    )


async def _set_aside(session: AsyncSession, number: int) -> None:
    """Entries read before the body turned out to be unreadable: none of them is checked."""
    await session.execute(
        text(
            "UPDATE entries SET state = 'rejected', outcome = 'rejected', sealed = NULL"
            " WHERE submission_number = :number"
        ),
        {"number": number},
    )


def _unreadable(submission: Submission, code: FindingCode, remedy: str) -> Found:
    return Found(
        submission.number,
        0,
        submission.facility_id,
        None,
        "submission",
        code,
        Severity.REJECT,
        remedy,
    )
