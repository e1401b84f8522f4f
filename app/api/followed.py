"""Submissions as they are followed: those within a key, and one that somebody waits for."""

import asyncio
import re
import time
from uuid import UUID

from sqlalchemy import Select, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import access
from app.api.dependencies import ScopedTransactions
from app.api.submitted import Shown
from app.errors import NotFound
from app.models.submission import Submission

ENDS = frozenset({"completed", "unreadable", "held"})
LONGEST_WAIT = 30
"""Seconds."""
_WAIT = re.compile(r"(?:^|[,;]\s*)wait=(\d{1,4})(?:\s*[,;]|$)")


def wait_of(prefer: str | None) -> int | None:
    """Seconds a client would wait for the outcome (RFC 7240)."""
    found = _WAIT.search(prefer.lower()) if prefer else None
    return min(int(found[1]), LONGEST_WAIT) if found else None


async def finished(transactions: ScopedTransactions, shown: Shown, seconds: float) -> Shown:
    """The submission once it has ended, or as it is when the time is up."""
    until, pause = time.monotonic() + seconds, 0.05
    while shown.state not in ENDS and (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.3, 0.5)
        async with transactions.begin() as session:
            shown = Shown.of(await one(session, shown.id))
    return shown


def visible(asker: access.Asker) -> Select[Submission]:
    """Within the facilities in scope, the registries of the key; a partner's, where authorised."""
    statement = select(Submission)
    if asker.authorised is not None:
        by_registry: dict[str, list[int]] = {}
        for registry, facility in sorted(asker.authorised):
            by_registry.setdefault(registry, []).append(facility)
        return statement.where(
            or_(
                false(),
                *(
                    (Submission.registry_id == registry)
                    & Submission.facility_ids.contained_by(facilities)
                    for registry, facilities in by_registry.items()
                ),
            )
        )
    if asker.registries is not None:
        statement = statement.where(Submission.registry_id.in_(asker.registries))
    return statement


async def one(
    session: AsyncSession, submission_id: UUID, asker: access.Asker | None = None
) -> Submission:
    """A submission within the session's scope, and an asker's if one is named; 404 if there is none."""
    statement = select(Submission) if asker is None else visible(asker)
    row: Submission | None = await session.scalar(
        statement.where(Submission.id == submission_id).execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("There is no such submission, or it is not within your key.")
    return row
