"""
Receive a submission: give stored bytes a place in the order of things.

`number` is given out under locks that are held to the commit, so that for each facility the order
of numbers is the order of commits: whoever looks for what came first never sees a later one alone.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import access
from app.claim import ring
from app.errors import Forbidden, KeyUsedForOtherContent, NotFound, UnsupportedMedia
from app.ingest.formats import CHANNELS, Door
from app.locks import Lock, take, take_part
from app.models.submission import Submission
from app.registries.schema import Definition, Policy
from app.vault.quarantine import Quarantine, Quarantined


class Sender(Protocol):
    """Whoever sends: an asker of `app.access`."""

    @property
    def sender(self) -> str:
        """The name under which its submissions are kept."""

    def facilities_in(self, registry_id: str) -> frozenset[int] | None:
        """The facilities it may act for in a registry; None means all."""


def taken(definition: Definition, door: Door) -> None:
    """Refuse a channel that the registry does not have."""
    # The page of a form sends what is typed as JSON.
    typed = door.channel == "json" and "web-form" in definition.channels
    if door.channel not in definition.channels and not typed:
        raise UnsupportedMedia(
            [media for media, channel in CHANNELS.items() if channel in definition.channels]
        )


async def sent_for(
    session: AsyncSession, definition: Definition, sender: Sender, facility: int | None
) -> tuple[int | None, list[int]]:
    """The one facility a submission is for, if it is one, and those it may carry entries of."""
    reach = sender.facilities_in(definition.id)
    if facility is not None and reach is not None and facility not in reach:
        raise NotFound("There is no such facility, or it is not within your key.")
    if facility is None and reach is not None and len(reach) == 1:
        (facility,) = reach
    asked = None if facility is None else [facility]
    active = await access.participating(session, definition.id, asked)
    if facility is not None:
        if facility not in active:
            raise Forbidden(
                f"The participation of facility {facility} in {definition.id} is not active."
            )
        return facility, [facility]
    carried = sorted(active if reach is None else reach)
    if active.isdisjoint(carried):
        raise Forbidden(f"No facility of your key participates in {definition.id}.")
    return None, carried


async def receive(
    session: AsyncSession,
    quarantine: Quarantine,
    definition: Definition,
    sender: Sender,
    quarantined: Quarantined,
    door: Door,
    *,
    facility: int | None = None,
    idempotency_key: str | None = None,
    traceparent: str | None = None,
    version: str | None = None,
    policy: Policy | None = None,
    taking: Callable[[], Definition] | None = None,
) -> tuple[Submission, bool]:
    """Take a submission in; the earlier one and True if this key brought the same before.

    `version` is the one that was asked for, `policy` one that holds instead of the
    registry's. `taking` says of what is new here in which version it is taken, and is not asked of a repetition.
    """
    only, carried = await sent_for(session, definition, sender, facility)
    asked = f"\0{door}\0{facility}" + (f"\0{version}" if version is not None else "")
    digest = hashlib.sha256(quarantined.sha256 + asked.encode()).digest()
    if idempotency_key is not None:
        earlier = await _earlier(session, definition.id, sender.sender, idempotency_key)
        if earlier is not None:
            if earlier.body_digest != digest:
                raise KeyUsedForOtherContent(earlier.id)
            return earlier, True
    if taking is not None:
        definition = taking()
    await quarantine.keep(session, quarantined, definition.id, carried[0])
    await in_order(session, definition.id, carried)
    submission = begun(
        definition,
        carried,
        sender.sender,
        kind="entries",
        channel=door.channel,
        media_type=str(door),
        digest=digest,
        size=quarantined.size,
    )
    submission.facility_id = only
    submission.policy = policy or definition.policy
    submission.idempotency_key = idempotency_key
    submission.quarantine_id = quarantined.id
    submission.traceparent = traceparent
    session.add(submission)
    await session.flush()
    await ring(session, "received")
    return submission, False


def begun(
    definition: Definition,
    facilities: Sequence[int],
    sender: str,
    *,
    kind: str,
    channel: str,
    media_type: str,
    digest: bytes,
    size: int,
) -> Submission:
    """A submission of which nothing is read yet; of a facility's own if there is just one."""
    return Submission(
        id=uuid4(),
        registry_id=definition.id,
        definition_version=definition.version,
        facility_id=facilities[0] if len(facilities) == 1 else None,
        facility_ids=list(facilities),
        kind=kind,
        state="received",
        channel=channel,
        media_type=media_type,
        sender=sender,
        body_digest=digest,
        body_size=size,
        policy="per-entry",
        rows_read=0,
        rows_checked=0,
        rows_accepted=0,
        counts={},
    )


async def _earlier(
    session: AsyncSession, registry_id: str, sender: str, idempotency_key: str
) -> Submission | None:
    """The submission that this key made; others with the key wait here until it is there."""
    await take(session, Lock.REPEAT, sender, registry_id, idempotency_key)
    found: Submission | None = await session.scalar(
        select(Submission).where(
            Submission.sender == sender,
            Submission.registry_id == registry_id,
            Submission.idempotency_key == idempotency_key,
        )
    )
    return found


async def in_order(session: AsyncSession, registry_id: str, carried: Sequence[int]) -> None:
    """Hold what makes the order of numbers the order of commits, for these facilities."""
    if len(carried) == 1:
        await take_part(session, Lock.RECEIVE, registry_id, carried[0])
    else:
        await take(session, Lock.RECEIVE, registry_id)
