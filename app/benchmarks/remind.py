"""
Remind: keep the open loops of a registry's worklists current, and tell what is due and overdue.

From the watermark, whoever was touched is worked out anew from what is in force, under the registry's
lock; days pass without anybody's doing, so that what falls due is looked for besides. What happens to an
open loop is an event in the registry's feed: it takes its number as the versions of cases do, under a
lock that is held to the commit.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.feed import WINDOW, feed_number, in_force_of, touched, window_end
from app.benchmarks.generations import Workshop
from app.benchmarks.worklists import Loop, open_loops
from app.database import EVERYTHING, copy_records, staging
from app.locks import Lock, take
from app.models import WorklistMark
from app.registries.schema import Definition

SUBJECTS = 5_000
"""People whose versions are in memory at once."""
TOLD = 5_000
"""Open loops that are told of in one transaction."""


class Event(NamedTuple):
    """Something that happened to an open loop."""

    worklist_id: str
    case_id: int
    facility_id: int
    event: str
    on_day: date


# That a case is due is told once of a day, whatever becomes of the day after which it is late.
_KEEP = text("""
INSERT INTO open_loops AS known
  (registry_id, worklist_id, case_id, facility_id, due_on, overdue_on, told, next_on)
SELECT :registry, worklist_id, case_id, facility_id, due_on, overdue_on, NULL,
       least(due_on, overdue_on)
FROM found_loops ORDER BY worklist_id, case_id
ON CONFLICT (registry_id, worklist_id, case_id) DO UPDATE SET
  facility_id = excluded.facility_id, due_on = excluded.due_on, overdue_on = excluded.overdue_on,
  told = CASE WHEN known.told = 'due' AND known.due_on = excluded.due_on
                   AND known.facility_id = excluded.facility_id THEN 'due' END,
  next_on = CASE WHEN known.told = 'due' AND known.due_on = excluded.due_on
                      AND known.facility_id = excluded.facility_id THEN excluded.overdue_on
                 ELSE excluded.next_on END
WHERE (known.facility_id, known.due_on, known.overdue_on)
  IS DISTINCT FROM (excluded.facility_id, excluded.due_on, excluded.overdue_on)
""")

_OPEN = text("""
SELECT DISTINCT known.case_id FROM open_loops AS known JOIN cases ON cases.id = known.case_id
WHERE known.registry_id = :registry AND cases.subject_id = ANY (CAST(:subjects AS bigint[]))
""")

# Whoever came to one of these people, or went from one, after it was looked at is not over for that:
# the versions that say so are of the next window.
_CLOSE = text("""
DELETE FROM open_loops AS known USING cases
WHERE known.registry_id = :registry AND cases.id = known.case_id
  AND cases.subject_id = ANY (CAST(:subjects AS bigint[]))
  AND known.case_id = ANY (CAST(:before AS bigint[]))
  AND NOT EXISTS (SELECT FROM found_loops AS found
                  WHERE found.worklist_id = known.worklist_id AND found.case_id = known.case_id)
RETURNING known.worklist_id, known.case_id, known.facility_id, known.told
""")

_DROP = text("""
DELETE FROM open_loops WHERE registry_id = :registry AND worklist_id <> ALL (CAST(:named AS text[]))
RETURNING worklist_id, case_id, facility_id, told
""")

_FALLEN_DUE = text("""
UPDATE open_loops AS loop SET
  told = CASE WHEN loop.overdue_on <= :today THEN 'overdue' ELSE 'due' END,
  next_on = CASE WHEN loop.overdue_on <= :today THEN NULL ELSE loop.overdue_on END
FROM (SELECT worklist_id, case_id FROM open_loops
      WHERE registry_id = :registry AND next_on <= :today
      ORDER BY next_on, worklist_id, case_id LIMIT :most) AS fallen
WHERE loop.registry_id = :registry AND loop.worklist_id = fallen.worklist_id
  AND loop.case_id = fallen.case_id
RETURNING loop.worklist_id, loop.case_id, loop.facility_id, loop.told,
          CASE WHEN loop.told = 'overdue' THEN loop.overdue_on ELSE loop.due_on END
""")

_NUMBERS = text(
    "UPDATE feeds SET feed_seq = feed_seq + :events WHERE registry_id = :registry RETURNING feed_seq"
)

_EVENTS = text("""
INSERT INTO worklist_events
  (registry_id, feed_seq, worklist_id, case_id, facility_id, event, on_day, created_at)
SELECT :registry, CAST(:base AS bigint) + place, worklist_id, case_id, facility_id, event, on_day, now()
FROM loop_events ORDER BY place
""")


async def remind(
    workshop: Workshop, *, today: date | None = None, window: int = WINDOW, wait: bool = False
) -> int:
    """Move every registry's worklists on; how many feed numbers and events."""
    await workshop.catalogue.keep_current(workshop.database)
    moved = 0
    async with workshop.database.transaction(EVERYTHING) as session:
        kept = set(await session.scalars(select(WorklistMark.registry_id)))
    for definition in workshop.catalogue.registries():
        if definition.worklists or definition.id in kept:
            moved += await step(workshop, definition, today=today, window=window, wait=wait)
    return moved


async def step(
    workshop: Workshop,
    definition: Definition,
    *,
    today: date | None = None,
    window: int = WINDOW,
    wait: bool = False,
) -> int:
    """Move a registry's worklists on by at most a window of its feed, or tell some of what fell due.

    Days are UTC's. While another worker holds the lock there is nothing to do here, unless told to wait.
    """
    today = today or datetime.now(UTC).date()
    async with workshop.database.transaction(EVERYTHING) as session:
        if not await take(session, Lock.REMIND, definition.id, wait=wait):
            return 0
        mark = await session.get(WorklistMark, definition.id)
        if mark is None or mark.digest != definition.digest:
            # What was published decides, not what this worker knew: another may have gone by it.
            await workshop.catalogue.refresh(session)
            definition = workshop.catalogue.in_force(definition.id)
        mark, events = await _marked(session, mark, definition, today)
        if not definition.worklists:
            await _tell(session, mark, events)
            await session.flush()
            await session.delete(mark)
            return len(events)
        upto = await window_end(session, definition.id, mark.feed_seq, window)
        moved = max(0, upto - mark.feed_seq)
        if moved:
            subjects = await touched(session, definition.id, mark.feed_seq, upto)
            for begin in range(0, len(subjects), SUBJECTS):
                some = subjects[begin : begin + SUBJECTS]
                whose = {"registry": definition.id, "subjects": some}
                before = list(await session.scalars(_OPEN, whose))
                versions = await in_force_of(session, definition.id, some)
                loops = await asyncio.to_thread(open_loops, workshop.engine, definition, versions)
                await _keep(session, definition.id, loops)
                gone = await session.execute(_CLOSE, whose | {"before": before})
                events += _closed(gone.all(), today)
            mark.feed_seq = upto
        if upto >= await feed_number(session, definition.id):
            # Before, what is late may have been closed by what has not been looked at yet.
            events += await _fallen_due(session, definition.id, today)
        await _tell(session, mark, events)
        return moved + len(events)


async def _marked(
    session: AsyncSession, mark: WorklistMark | None, definition: Definition, today: date
) -> tuple[WorklistMark, list[Event]]:
    """How far the worklists have come. Of another definition than before, everything is worked out anew."""
    if mark is None:
        mark = WorklistMark(registry_id=definition.id, digest=definition.digest, feed_seq=0)
        session.add(mark)
    events: list[Event] = []
    if mark.digest != definition.digest:
        named = [one.id for one in definition.worklists]
        gone = await session.execute(_DROP, {"registry": definition.id, "named": named})
        events = _closed(gone.all(), today)
        mark.digest, mark.feed_seq = definition.digest, 0
    return mark, events


async def _keep(session: AsyncSession, registry_id: str, loops: Sequence[Loop]) -> None:
    """Keep what is open of some people; it stands in `found_loops` beside."""
    await staging(
        session,
        "found_loops",
        "worklist_id text, case_id bigint, facility_id int, due_on date, overdue_on date",
    )
    await session.execute(text("TRUNCATE found_loops"))
    await copy_records(session, "found_loops", Loop._fields, loops)
    await session.execute(_KEEP, {"registry": registry_id})


def _closed(rows: Sequence[Any], today: date) -> list[Event]:
    """Of what was told, that it is over; nobody waits for the end of what was not."""
    return sorted(
        Event(row.worklist_id, row.case_id, row.facility_id, "closed", today)
        for row in rows
        if row.told is not None
    )


async def _fallen_due(session: AsyncSession, registry_id: str, today: date) -> list[Event]:
    found = await session.execute(
        _FALLEN_DUE, {"registry": registry_id, "today": today, "most": TOLD}
    )
    return sorted((Event(*row) for row in found), key=lambda one: (one.on_day, one))


async def _tell(session: AsyncSession, mark: WorklistMark, events: Sequence[Event]) -> None:
    """Put events into the feed, as the last thing that the transaction does."""
    if not events:
        return
    await session.flush()
    await staging(
        session,
        "loop_events",
        "place int, worklist_id text, case_id bigint, facility_id int, event text, on_day date",
    )
    await session.execute(text("TRUNCATE loop_events"))
    rows = [(place, *one) for place, one in enumerate(events, 1)]
    await copy_records(session, "loop_events", ("place", *Event._fields), rows)
    parameters = {"registry": mark.registry_id}
    last = (await session.execute(_NUMBERS, parameters | {"events": len(events)})).scalar_one()
    await session.execute(_EVENTS, parameters | {"base": last - len(events)})
