"""
Receive instances: a submission, and a row for each part of it, committed before the reply.

Nothing of what an instance says about itself is stored here: its bytes lie in quarantine, and the
sender is told its UIDs by the reply alone.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.claim import ring
from app.deid.beginning import Names, names
from app.errors import Malformed, TooLarge
from app.ingest.findings import Found, keep_findings
from app.ingest.images import counts
from app.ingest.receive import begun
from app.models.base import now
from app.models.image import Instance
from app.models.submission import Submission
from app.registries.findings import FindingCode, Severity
from app.registries.schema import Definition
from app.vault.quarantine import Quarantine, Quarantined

HEAD: Final = 256 * 1024
"""Bytes of an instance kept in memory until its UIDs are known."""
MOST_PARTS: Final = 10_000


class Failure(IntEnum):
    """Why a part was not received (PS3.18 table I.2-2)."""

    OUT_OF_RESOURCES = 0xA700
    NOT_OF_THIS_STUDY = 0xA901
    CANNOT_UNDERSTAND = 0xC000


_SAID = {
    Failure.OUT_OF_RESOURCES: (
        FindingCode.TOO_LARGE,
        "Larger than the limit of one instance, or too many in one delivery.",
    ),
    Failure.NOT_OF_THIS_STUDY: (
        FindingCode.UNREADABLE,
        "Not of the study in the address. Send it to its own.",
    ),
    Failure.CANNOT_UNDERSTAND: (
        FindingCode.NOT_DICOM,
        "Send DICOM instances (PS3.10), one a part, each whole.",
    ),
}


@dataclass(frozen=True, slots=True)
class Received:
    """One part: its bytes in quarantine and what it calls itself, or why there are none."""

    named: Names | None = field(default=None, repr=False)
    reason: Failure | None = None
    quarantined: Quarantined | None = field(default=None, repr=False)


async def take(
    body: AsyncIterator[bytes] | None,
    quarantine: Quarantine,
    limit: int,
    study: str | None,
    already: int = 0,
) -> Received:
    """Spool one part to quarantine as it arrives, and see what it calls itself."""
    if body is None:
        return Received(reason=Failure.CANNOT_UNDERSTAND)
    if already >= MOST_PARTS:
        return Received(reason=Failure.OUT_OF_RESOURCES)
    head = bytearray()
    try:
        quarantined = await quarantine.store(_heard(body, head), limit)
    except TooLarge:
        return Received(names(bytes(head)), Failure.OUT_OF_RESOURCES)
    except Malformed:
        return Received(names(bytes(head)), Failure.CANNOT_UNDERSTAND)
    named = names(bytes(head))
    reason = None
    if named is None or not named.sop_instance_uid:
        reason = Failure.CANNOT_UNDERSTAND
    elif study is not None and named.study_instance_uid != study:
        reason = Failure.NOT_OF_THIS_STUDY
    if reason is not None:
        await quarantine.forget(quarantined)
        return Received(named, reason)
    return Received(named, quarantined=quarantined)


async def _heard(body: AsyncIterator[bytes], head: bytearray) -> AsyncIterator[bytes]:
    async for piece in body:
        if len(head) < HEAD:
            head += piece[: HEAD - len(head)]
        yield piece


async def receive_instances(
    session: AsyncSession,
    quarantine: Quarantine,
    definition: Definition,
    facility: int,
    sender: str,
    media_type: str,
    parts: Sequence[Received],
) -> Submission:
    """Keep a delivery of instances. One with no usable part is kept too, as completed."""
    stored = [part.quarantined for part in parts if part.quarantined is not None]
    body = hashlib.sha256(b"".join(one.sha256 for one in stored)).digest()
    size = sum(one.size for one in stored)
    states = {"received": len(stored), "refused": len(parts) - len(stored)}
    submission = begun(
        definition,
        [facility],
        sender,
        kind="instances",
        channel="dicomweb",
        media_type=media_type,
        digest=body,
        size=size,
    )
    submission.entries = submission.rows_read = len(parts)
    if not stored:
        submission.state, submission.counts = "completed", counts(states)
        submission.completed_at = now()
    session.add(submission)
    await session.flush()
    found: list[Found] = []
    for row, part in enumerate(parts, 1):
        if part.quarantined is not None:
            await quarantine.keep(session, part.quarantined, definition.id, facility)
        session.add(
            Instance(
                submission_number=submission.number,
                row=row,
                registry_id=definition.id,
                facility_id=facility,
                quarantine_id=part.quarantined.id if part.quarantined else None,
                size=part.quarantined.size if part.quarantined else None,
                state="received" if part.quarantined else "refused",
            )
        )
        if part.reason is not None:
            code, remedy = _SAID[part.reason]
            found.append(
                Found(
                    submission.number,
                    row,
                    facility,
                    None,
                    "instance",
                    code,
                    Severity.REJECT,
                    remedy,
                )
            )
    await session.flush()
    await keep_findings(session, found)
    await ring(session, "images")
    return submission
