"""What `accept` writes: a handful of set-based statements for a batch of any size."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import copy_records, staging
from app.ingest.history import Case, Event, History, Version
from app.ingest.ledger import Batch


async def forget_waiting(session: AsyncSession, batch: Batch) -> None:
    """Take back the notice that an entry waits: its case has come."""
    released = [event.at for event in batch.waiting if event.outcome != "waiting"]
    if released:
        await session.execute(
            text(
                "DELETE FROM findings f USING"
                " unnest(CAST(:numbers AS bigint[]), CAST(:rows AS int[])) AS w (number, row)"
                " WHERE f.submission_number = w.number AND f.row = w.row"
                " AND f.code = 'waiting-for-parent'"
            ),
            {
                "numbers": [place[0] for place in released],
                "rows": [place[1] for place in released],
            },
        )


_OPENING: Final = (
    "id bigint, subject_id bigint, case_id bigint, parent_id bigint, facility_id int, form text,"
    " key_token text, state text, definition_version text, period text, number bigint, row int,"
    " opened int, closed int, copied bigint, copied_subject bigint, patch text"
)
_TOUCHING: Final = (
    "id bigint, facility_id int, form text, key_token text, subject_id bigint, parent_id bigint,"
    " state text, version_id bigint, draft_version_id bigint, digest bytea, number bigint, row int,"
    " known boolean, dated_number bigint, dated_row int, period text"
)
_CLOSING: Final = "id bigint, subject_id bigint, closed int"
_ENDING: Final = (
    "number bigint, row int, state text, outcome text, case_id bigint, version_id bigint"
)


async def write(session: AsyncSession, batch: Batch, history: History) -> None:
    """Write what a batch came to; feed numbers come with the last statements."""
    touched = [case for case in history.cases.values() if case.changed]
    events = [*batch.events, *(event for event in batch.waiting if event.outcome != "waiting")]
    await _stage(session, "touching", _TOUCHING, (_touching(case) for case in touched))
    await _stage(
        session, "opening", _OPENING, (_opening(batch, version) for version in history.opened)
    )
    await _stage(
        session,
        "closing",
        _CLOSING,
        ((version.id, version.subject, version.closed) for version in history.closed),
    )
    await _stage(session, "ending", _ENDING, (_ending(event) for event in events))
    parameters = {"registry": batch.registry}
    for statement in _NEW_CASES, _CHANGED_CASES:
        await session.execute(text(statement), parameters)
    if history.changes:
        base = await numbered(session, batch.registry, history.changes)
        for statement in _VERSIONS, _COPIES, _WITHDRAWALS:
            if statement is not _COPIES or any(one.copy_of for one in history.opened):
                await session.execute(text(statement), parameters | {"base": base})
        if history.closed:
            await session.execute(text(_CLOSE), {"base": base})
        await session.execute(text(_IDENTITIES), parameters)
    await session.execute(text(_END))


async def numbered(session: AsyncSession, registry: str, changes: int) -> int:
    """Take feed numbers for some changes: the one before the first. Held to the commit."""
    taken = await session.execute(text(_FEED), {"registry": registry, "changes": changes})
    return int(taken.scalar_one()) - changes


async def _stage(
    session: AsyncSession, name: str, members: str, records: Iterable[tuple[Any, ...]]
) -> None:
    await staging(session, name, members)
    columns = [column.split()[0] for column in members.split(", ")]
    await copy_records(session, name, columns, records)


def _touching(case: Case) -> tuple[Any, ...]:
    dated = case.dated
    return (
        case.id,
        case.facility,
        case.form,
        case.key,
        case.subject,
        case.parent,
        case.state,
        case.version.id if case.version else None,
        case.draft.id if case.draft else None,
        case.digest,
        *case.at,
        case.known,
        *(dated.at if dated else (None, None)),
        dated.form.form.period if dated else None,
    )


def _opening(batch: Batch, version: Version) -> tuple[Any, ...]:
    case, event, copied = version.case, version.event, version.copy_of
    assert case is not None
    return (
        version.id,
        version.subject,
        case.id,
        case.parent,
        case.facility,
        case.form,
        case.key,
        version.state,
        batch.versions[event.at[0]] if event else None,
        event.form.form.period if event else None,
        *(event.at if event else (None, None)),
        version.opened,
        version.closed or None,
        copied.id if copied else None,
        copied.subject if copied else None,
        event.patch if event else None,
    )


def _ending(event: Event) -> tuple[Any, ...]:
    state = event.outcome if event.outcome in ("waiting", "rejected") else "accepted"
    version = event.version.id if event.version else None
    return (*event.at, state, event.outcome, event.case.id if event.case else None, version)


_NEW_CASES = """
INSERT INTO cases (id, registry_id, facility_id, form, key_token, subject_id, parent_id, state,
    case_date, version_id, draft_version_id, digest, submission_number, row, created_at, updated_at)
OVERRIDING SYSTEM VALUE
SELECT t.id, :registry, t.facility_id, t.form, t.key_token, t.subject_id, t.parent_id, t.state,
    (e.elements ->> t.period)::date, t.version_id, t.draft_version_id, t.digest, t.number, t.row,
    now(), now()
FROM touching t
LEFT JOIN entries e ON e.submission_number = t.dated_number AND e.row = t.dated_row
WHERE NOT t.known
ORDER BY t.id
"""

_CHANGED_CASES = """
UPDATE cases c SET subject_id = t.subject_id, parent_id = t.parent_id, state = t.state,
    case_date = CASE WHEN t.dated_number IS NULL THEN c.case_date
                     ELSE (e.elements ->> t.period)::date END,
    version_id = t.version_id, draft_version_id = t.draft_version_id, digest = t.digest,
    submission_number = t.number, row = t.row, updated_at = now()
FROM touching t
LEFT JOIN entries e ON e.submission_number = t.dated_number AND e.row = t.dated_row
WHERE t.known AND c.id = t.id AND :registry = c.registry_id
"""

_FEED = """
INSERT INTO feeds (registry_id, feed_seq) VALUES (:registry, :changes)
ON CONFLICT (registry_id) DO UPDATE SET feed_seq = feeds.feed_seq + :changes
RETURNING feed_seq
"""

INTO_VERSIONS = """
INSERT INTO versions (subject_id, id, registry_id, case_id, parent_id, facility_id, form, key_token,
    state, definition_version, case_date, elements, digest, submission_number, row, from_seq, to_seq)
"""

_VERSIONS = (
    INTO_VERSIONS
    + """
SELECT o.subject_id, o.id, :registry, o.case_id, o.parent_id, o.facility_id, o.form, o.key_token,
    o.state, o.definition_version, (e.elements ->> o.period)::date,
    CASE WHEN o.patch IS NULL THEN e.elements ELSE e.elements || o.patch::jsonb END,
    e.digest, o.number, o.row, CAST(:base AS bigint) + o.opened, CAST(:base AS bigint) + o.closed
FROM opening o
JOIN entries e ON e.submission_number = o.number AND e.row = o.row
WHERE o.state <> 'withdrawn' AND o.copied IS NULL
ORDER BY o.opened
"""
)

_WITHDRAWALS = (
    INTO_VERSIONS
    + """
SELECT o.subject_id, o.id, :registry, o.case_id, o.parent_id, o.facility_id, o.form, o.key_token,
    o.state, o.definition_version, NULL, '{}', NULL, o.number, o.row, CAST(:base AS bigint) + o.opened,
    CAST(:base AS bigint) + o.closed
FROM opening o
WHERE o.state = 'withdrawn' AND o.copied IS NULL
ORDER BY o.opened
"""
)

_COPIES = (
    INTO_VERSIONS
    + """
SELECT o.subject_id, o.id, :registry, o.case_id, o.parent_id, o.facility_id, o.form, o.key_token,
    o.state, v.definition_version, v.case_date, v.elements, v.digest, v.submission_number, v.row,
    CAST(:base AS bigint) + o.opened, CAST(:base AS bigint) + o.closed
FROM opening o
JOIN versions v ON v.subject_id = o.copied_subject AND v.id = o.copied
ORDER BY o.opened
"""
)

_CLOSE = """
UPDATE versions v SET to_seq = CAST(:base AS bigint) + c.closed
FROM closing c
WHERE v.subject_id = c.subject_id AND v.id = c.id
"""

_IDENTITIES = """
INSERT INTO vault.identities (version_id, case_id, registry_id, facility_id, sealed)
SELECT o.id, o.case_id, :registry, o.facility_id, coalesce(i.sealed, e.identity)
FROM opening o
LEFT JOIN entries e ON e.submission_number = o.number AND e.row = o.row AND o.copied IS NULL
LEFT JOIN vault.identities i ON i.version_id = o.copied
WHERE coalesce(i.sealed, e.identity) IS NOT NULL
ORDER BY o.id
"""

_END = """
UPDATE entries e SET state = n.state, outcome = n.outcome, case_id = n.case_id,
    version_id = n.version_id, sealed = NULL,
    elements = CASE WHEN n.state = 'waiting' THEN e.elements END,
    identity = CASE WHEN n.state = 'waiting' THEN e.identity END,
    person_token = CASE WHEN n.state = 'waiting' THEN e.person_token END,
    national_token = CASE WHEN n.state = 'waiting' THEN e.national_token END,
    local_token = CASE WHEN n.state = 'waiting' THEN e.local_token END
FROM ending n
WHERE e.submission_number = n.number AND e.row = n.row
"""

_TALLY = """
UPDATE submissions s SET counts = t.counts FROM (
    SELECT e.submission_number AS number, jsonb_build_object(
        'entries', count(*),
        'accepted', count(*) FILTER (WHERE e.outcome NOT IN ('rejected', 'waiting')),
        'created', count(*) FILTER (WHERE e.outcome = 'accepted'),
        'amended', count(*) FILTER (WHERE e.outcome = 'amended'),
        'unchanged', count(*) FILTER (WHERE e.outcome = 'unchanged'),
        'withdrawn', count(*) FILTER (WHERE e.outcome = 'withdrawn'),
        'saved', count(*) FILTER (WHERE e.outcome = 'saved'),
        'superseded', count(*) FILTER (WHERE e.outcome = 'superseded'),
        'waiting', count(*) FILTER (WHERE e.outcome = 'waiting'),
        'rejected', count(*) FILTER (WHERE e.outcome = 'rejected'),
        'warnings', (SELECT count(*) FROM findings f
            WHERE f.submission_number = e.submission_number AND f.severity = 'warn')
    ) AS counts
    FROM entries e WHERE e.submission_number = ANY(:numbers) GROUP BY e.submission_number
) t WHERE s.number = t.number
"""


async def tally(session: AsyncSession, numbers: Sequence[int]) -> None:
    """Count what became of the entries of finished submissions."""
    if numbers:
        await session.execute(text(_TALLY), {"numbers": list(numbers)})
