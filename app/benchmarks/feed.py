"""
What changed since the watermark.

Feed numbers are given out under a lock that is held to the commit, so number order is commit order:
whatever number is readable here, every smaller one was committed before it. A version is in force at
number n when from_seq <= n < to_seq; what was in force at n can be asked for ever after.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import driver_connection

WINDOW = 20_000
"""Feed numbers a step takes at once, and as many more as end a transaction."""

LONGEST = 50_000
"""More feed numbers than one transaction takes."""

_TOUCHED = """
SELECT subject_id FROM versions WHERE registry_id = $1 AND from_seq > $2 AND from_seq <= $3
UNION
SELECT subject_id FROM versions WHERE registry_id = $1 AND to_seq > $2 AND to_seq <= $3
"""

_COLUMNS = """
v.subject_id, v.case_id, v.parent_id, v.facility_id, v.form, v.key_token, v.case_date,
v.submission_number, v.row, v.definition_version, v.elements::text AS elements
"""

# What was in force at $2 and at $3, of whoever was touched in between.
_BOTH_SIDES = f"""
WITH touched AS MATERIALIZED ({_TOUCHED})
SELECT {_COLUMNS},
       v.from_seq <= $2 AND (v.to_seq IS NULL OR v.to_seq > $2) AS before,
       v.from_seq <= $3 AND (v.to_seq IS NULL OR v.to_seq > $3) AS after
FROM touched
JOIN versions v ON v.subject_id = touched.subject_id
WHERE v.registry_id = $1 AND v.state = 'submitted' AND v.from_seq <= $3
  AND (v.to_seq IS NULL OR v.to_seq > $2)
"""

_IN_FORCE = f"""
SELECT {_COLUMNS}, false AS before, true AS after
FROM versions v
WHERE v.registry_id = $1 AND v.state = 'submitted'
  AND v.from_seq <= $2 AND (v.to_seq IS NULL OR v.to_seq > $2)
ORDER BY v.subject_id
"""

_IN_FORCE_OF = f"""
SELECT {_COLUMNS}, false AS before, true AS after
FROM versions v
WHERE v.subject_id = ANY ($2::bigint[]) AND v.registry_id = $1 AND v.state = 'submitted'
  AND v.to_seq IS NULL
"""

_IN_FORCE_OF_TOUCHED = f"""
WITH touched AS MATERIALIZED ({_TOUCHED})
SELECT touched.{_COLUMNS.strip().removeprefix("v.")}, false AS before, v.subject_id IS NOT NULL AS after
FROM touched
LEFT JOIN versions v ON v.subject_id = touched.subject_id
  AND v.registry_id = $1 AND v.state = 'submitted'
  AND v.from_seq <= $3 AND (v.to_seq IS NULL OR v.to_seq > $3)
ORDER BY touched.subject_id
"""

COLUMNS = (
    "subject_id",
    "case_id",
    "parent_id",
    "facility_id",
    "form",
    "key_token",
    "case_date",
    "submission_number",
    "row",
    "definition_version",
    "elements",
    "before",
    "after",
)


async def feed_number(session: AsyncSession, registry_id: str) -> int:
    """The highest feed number whose change, and every change before it, is committed."""
    found = await session.scalar(
        text("SELECT feed_seq FROM feeds WHERE registry_id = :registry_id"),
        {"registry_id": registry_id},
    )
    return int(found or 0)


async def window_end(session: AsyncSession, registry_id: str, after: int, size: int) -> int:
    """Where a window that begins after a number ends: at the feed's present, or some way before it.

    It ends where a transaction ended. In the middle of one, a case may have moved to another subject
    and its follow-ups not yet. All that a transaction opens has the transaction's time.
    """
    present = await feed_number(session, registry_id)
    if present <= after + size:
        return present
    found = await session.scalar(
        text(
            # Closing a draft opens no version, nor does an event of a worklist: the last one before such
            # numbers will do, or the first one after them.
            "WITH last AS ((SELECT from_seq, created_at FROM versions"
            " WHERE registry_id = :registry_id AND from_seq > :after AND from_seq <= :end"
            " ORDER BY from_seq DESC LIMIT 1) UNION ALL (SELECT from_seq, created_at FROM versions"
            " WHERE registry_id = :registry_id AND from_seq > :end ORDER BY from_seq LIMIT 1)"
            " ORDER BY from_seq LIMIT 1)"
            " SELECT max(later.from_seq) FROM last JOIN versions AS later"
            " ON later.created_at = last.created_at WHERE later.registry_id = :registry_id"
            " AND later.from_seq BETWEEN last.from_seq AND last.from_seq + :longest"
        ),
        {
            "registry_id": registry_id,
            "after": after,
            "end": after + size,
            "longest": LONGEST,
        },
    )
    return int(found) if found is not None else present


async def touched(session: AsyncSession, registry_id: str, after: int, upto: int) -> list[int]:
    """The subjects of whom something changed after one number up to another."""
    driver = await driver_connection(session)
    return [row[0] for row in await driver.fetch(_TOUCHED, registry_id, after, upto)]


async def both_sides(session: AsyncSession, registry_id: str, after: int, upto: int) -> list[Any]:
    """The versions of touched subjects in force at either number; rows of `COLUMNS`."""
    driver = await driver_connection(session)
    return list(await driver.fetch(_BOTH_SIDES, registry_id, after, upto))


def in_force(
    session: AsyncSession, registry_id: str, at: int, size: int
) -> AsyncIterator[list[Any]]:
    """Every version in force at a number, in batches of whole subjects."""
    return _batches(session, _IN_FORCE, (registry_id, at), size)


async def in_force_of(
    session: AsyncSession, registry_id: str, subjects: Iterable[int]
) -> list[Any]:
    """Everything in force now about some subjects, of whichever facility: the scope must hold it."""
    driver = await driver_connection(session)
    return list(await driver.fetch(_IN_FORCE_OF, registry_id, sorted(set(subjects))))


def in_force_of_touched(
    session: AsyncSession, registry_id: str, after: int, upto: int, size: int
) -> AsyncIterator[list[Any]]:
    """Of each subject touched after one number up to another, the versions in force at the latter.

    A subject of whom nothing is left comes as one row of no form.
    """
    return _batches(session, _IN_FORCE_OF_TOUCHED, (registry_id, after, upto), size)


async def _batches(
    session: AsyncSession, query: str, values: tuple[Any, ...], size: int
) -> AsyncIterator[list[Any]]:
    driver = await driver_connection(session)
    batch: list[Any] = []
    async for row in driver.cursor(query, *values, prefetch=5_000):
        if len(batch) >= size and row["subject_id"] != batch[-1]["subject_id"]:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
