"""
End what was on its way for too long: identities that travel have an end date, as bytes have.

An entry that is held, or that follows up a case which never came, keeps identifying elements sealed
in its row. `quarantine_days` after its submission was received it is rejected and they are cleared;
the finding that said it was held, or waited, now says that it expired. What is held is kept up to
that day and not beyond it, so a retry and the end never meet.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.ingest import posting
from app.ingest.rooms import BATCH, Rooms
from app.locks import Lock, take
from app.models.base import now
from app.registries.findings import FindingCode, severity

HELD_REMEDY: Final = (
    "Our own step failed, and what you sent reached its end date before it could be tried again."
    " Send it again, under a new Idempotency-Key if you use one."
)
WAITED_REMEDY: Final = (
    "The case it follows up did not come in time. Send that case, then this entry again."
)


def end_date(days: int) -> datetime:
    """What was received before this has reached its end date."""
    return now() - timedelta(days=days)


async def expire(rooms: Rooms) -> int:
    """Destroy the bytes and reject the entries that have reached their end date; how many."""
    before = end_date(rooms.settings.quarantine_days)
    async with rooms.database.transaction() as session:
        destroyed = await rooms.quarantine.expire(session)
        registries = (await session.scalars(_REGISTRIES, {"before": before})).all()
    return destroyed + sum([await _expire(rooms, registry, before) for registry in registries])


async def _expire(rooms: Rooms, registry: str, before: datetime) -> int:
    """A batch of one registry; nobody else counts what becomes of its entries meanwhile."""
    due = {"registry": registry, "before": before, "batch": BATCH}
    async with rooms.database.transaction() as session:
        await take(session, Lock.ACCEPT, registry)
        rejected = (await session.execute(_REJECT_HELD, due)).all()
        ended = (await session.execute(_END_HELD, due)).all()
        waited = (await session.execute(_REJECT_WAITING, due)).all()
        held = [(number, 0) for number, _ in ended]
        places = [(number, row) for number, row in waited]
        await _say(session, held, FindingCode.HELD, HELD_REMEDY)
        await _say(session, places, FindingCode.WAITING_FOR_PARENT, WAITED_REMEDY)
        await rooms.quarantine.destroy(session, [body for _, body in ended if body is not None])
        await posting.tally(session, sorted({number for number, _ in (*held, *places)}))
    return len(rejected) + len(ended) + len(waited)


async def _say(
    session: AsyncSession, places: Sequence[tuple[int, int]], was: FindingCode, remedy: str
) -> None:
    """Turn the notice at these places into the verdict."""
    if places:
        code = FindingCode.EXPIRED
        await session.execute(
            _VERDICT,
            {
                "numbers": [number for number, _ in places],
                "rows": [row for _, row in places],
                "was": was,
                "code": code,
                "severity": severity(code),
                "remedy": remedy,
            },
        )


_HELD: Final = "s.kind = 'entries' AND s.state = 'held' AND s.received_at < :before"
_WAITING: Final = "e.state = 'waiting' AND s.state = 'completed' AND s.received_at < :before"
_REJECTED: Final = (
    "UPDATE entries e SET state = 'rejected', outcome = 'rejected', sealed = NULL, elements = NULL,"
    " identity = NULL, person_token = NULL, national_token = NULL, local_token = NULL FROM due"
    " WHERE e.submission_number = due.submission_number AND e.row = due.row"
    " RETURNING e.submission_number, e.row"
)
_REGISTRIES = text(
    f"SELECT s.registry_id FROM submissions s WHERE {_HELD} UNION SELECT e.registry_id FROM entries e"
    f" JOIN submissions s ON s.number = e.submission_number WHERE {_WAITING} ORDER BY 1"
)
# From the submissions to their entries: these are many, and hardly any of them is held.
_REJECT_HELD = text(
    "WITH held AS MATERIALIZED (SELECT s.number FROM submissions s"
    f"  WHERE s.registry_id = :registry AND {_HELD} ORDER BY s.number LIMIT :batch FOR UPDATE),"
    " due AS (SELECT e.submission_number, e.row FROM held, LATERAL (SELECT e.submission_number, e.row"
    "   FROM entries e WHERE e.submission_number = held.number AND e.state IN ('read', 'checked')"
    f"  ORDER BY e.row LIMIT :batch) e LIMIT :batch) {_REJECTED}"
)
# A body that was not read to its end can be read no more; what was read whole is done with.
_END_HELD = text(
    "WITH due AS (SELECT s.number FROM submissions s"
    f" WHERE s.registry_id = :registry AND {_HELD} AND NOT EXISTS (SELECT FROM entries e"
    "  WHERE e.submission_number = s.number AND e.state IN ('read', 'checked'))"
    " ORDER BY s.number LIMIT :batch FOR UPDATE OF s)"
    " UPDATE submissions s SET state = CASE WHEN s.entries IS NULL THEN 'unreadable'"
    " ELSE 'completed' END, entries = COALESCE(s.entries, s.rows_read), completed_at = now()"
    " FROM due WHERE s.number = due.number RETURNING s.number, s.quarantine_id"
)
_REJECT_WAITING = text(
    "WITH due AS (SELECT e.submission_number, e.row FROM entries e"
    " JOIN submissions s ON s.number = e.submission_number"
    f" WHERE e.registry_id = :registry AND {_WAITING} LIMIT :batch) {_REJECTED}"
)
_VERDICT = text(
    "UPDATE findings f SET code = :code, severity = :severity, remedy = :remedy"
    " FROM unnest(CAST(:numbers AS bigint[]), CAST(:rows AS int[])) AS w (number, row)"
    " WHERE f.submission_number = w.number AND f.row = w.row AND f.code = :was"
)
