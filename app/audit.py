"""
Who did what to which record.

Rows are only ever added: PostgreSQL gives the web and worker roles no right to alter or remove
one. A sealer, behind the writers and never in their way, chains runs of events by hash: each
block's digest covers the events' content and the block before, so that `verify` finds an event
that was altered, removed or slipped in afterwards by somebody with the owner's hands. Cutting off
the end of the chain leaves no trace within it: note its head elsewhere from time to time.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Protocol

import orjson
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.locks import Lock, take
from app.models.audit import AuditBlock, AuditEvent
from app.models.base import now

LARGEST_BLOCK = 10_000
NONE_BEFORE = bytes(32)
"""What the first block is chained to."""


class Actor(Protocol):
    """Whoever acts: an asker of `app.access`."""

    @property
    def key_id(self) -> str:
        """The key's id."""

    @property
    def role(self) -> str:
        """What it is to the registries."""


async def record(
    session: AsyncSession,
    actor: Actor | None,
    action: str,
    record_type: str,
    record_id: object | None = None,
    *,
    facility_id: int | None = None,
    registry_id: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down one act, in the transaction that does it: both are kept, or neither.

    `details` holds our own words, ids and numbers, never what somebody submitted. No actor means
    the service itself, or somebody at its command line.
    """
    await record_each(
        session,
        actor,
        action,
        record_type,
        [record_id],
        facility_id=facility_id,
        registry_id=registry_id,
        details=details,
    )


async def record_each(
    session: AsyncSession,
    actor: Actor | None,
    action: str,
    record_type: str,
    record_ids: Iterable[object | None],
    *,
    facility_id: int | None = None,
    registry_id: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down one act on each of some records, as `record` does."""
    same = {
        "at": now(),
        "key_id": actor.key_id if actor else None,
        "role": str(actor.role) if actor else None,
        "action": action,
        "record_type": record_type,
        "registry_id": registry_id,
        "facility_id": facility_id,
        "details": None if details is None else dict(details),
    }
    rows = [{**same, "record_id": None if one is None else str(one)} for one in record_ids]
    if rows:
        # Without RETURNING: a writer may add an event that it is not allowed to read.
        await session.execute(insert(AuditEvent).inline(), rows)


def digest(previous: bytes, events: Iterable[AuditEvent]) -> bytes:
    """The digest of a block: the block before, then each event, one line each."""
    running = hashlib.sha256(previous)
    for event in events:
        running.update(
            orjson.dumps(
                [
                    event.id,
                    event.at,
                    event.key_id,
                    event.role,
                    event.action,
                    event.record_type,
                    event.record_id,
                    event.registry_id,
                    event.facility_id,
                    event.details,
                ],
                option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE,
            )
        )
    return running.digest()


_WRITERS = text(
    "SELECT virtualtransaction FROM pg_locks"
    " WHERE relation = 'audit_events'::regclass AND mode = 'RowExclusiveLock'"
    " AND pid <> pg_backend_pid()"
)


async def _decided(session: AsyncSession, patience: float) -> int | None:
    """The number up to which no event can appear any more, or None if writers take too long.

    A writer locks the table before it takes a number, so whoever holds a number up to the highest
    one seen is among the holders of that lock now, or has ended. Later writers are not waited for.
    """
    highest = await session.scalar(select(func.max(AuditEvent.id)))
    waited = 0.0
    awaited = set(await session.scalars(_WRITERS))
    while awaited:
        if waited >= patience:
            return None
        await asyncio.sleep(0.05)
        waited += 0.05
        awaited &= set(await session.scalars(_WRITERS))
    return highest


async def seal(session: AsyncSession, *, patience: float = 2.0) -> int:
    """Chain what is not yet sealed into a block; how many events that were. For the worker's role."""
    if not await take(session, Lock.SEAL, wait=False):
        return 0
    last = await session.scalar(select(AuditBlock).order_by(AuditBlock.id.desc()).limit(1))
    after = last.last_event if last else 0
    if not await session.scalar(select(AuditEvent.id).where(AuditEvent.id > after).limit(1)):
        return 0
    upto = await _decided(session, patience)
    if upto is None:
        return 0
    events = (
        await session.scalars(
            select(AuditEvent)
            .where(AuditEvent.id > after, AuditEvent.id <= upto)
            .order_by(AuditEvent.id)
            .limit(LARGEST_BLOCK)
        )
    ).all()
    if not events:
        return 0
    previous = last.digest if last else NONE_BEFORE
    session.add(
        AuditBlock(
            first_event=after + 1,
            last_event=events[-1].id,
            events=len(events),
            previous=previous,
            digest=digest(previous, events),
        )
    )
    await session.flush()
    return len(events)


async def verify(session: AsyncSession) -> AsyncIterator[str]:
    """Every complaint about the chain; none means that what was sealed stands as it was written."""
    previous, after = NONE_BEFORE, 0
    for block in (await session.scalars(select(AuditBlock).order_by(AuditBlock.id))).all():
        if block.previous != previous:
            yield f"Block {block.id} is not chained to the block before it."
        if block.first_event != after + 1:
            yield f"Block {block.id} does not begin where the block before it ends."
        events = (
            await session.scalars(
                select(AuditEvent)
                .where(AuditEvent.id.between(block.first_event, block.last_event))
                .order_by(AuditEvent.id)
                .execution_options(populate_existing=True)
            )
        ).all()
        if len(events) != block.events:
            yield f"Block {block.id} sealed {block.events} events, and {len(events)} are there."
        elif digest(block.previous, events) != block.digest:
            yield f"Block {block.id} holds events that were altered after it was sealed."
        previous, after = block.digest, block.last_event
        session.expunge_all()
