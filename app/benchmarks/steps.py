"""What the worker does for benchmarks: each call moves some rows on and says how many."""

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import generations
from app.benchmarks.compare import compare
from app.benchmarks.generations import Workshop
from app.database import EVERYTHING
from app.models import Schedule
from app.models.base import now

NIGHTLY = "compare"
FEW = 500
LOOKS = 4
"""How often it looks whether a large submission goes on before it tabulates what there is."""
LOOK_SECONDS = 0.4
MANY = 5_000

_MORE_IS_COMING = text(
    "SELECT EXISTS (SELECT FROM submissions WHERE kind = 'entries' AND state = 'checked'"
    " AND lease_until > now() AND entries - rows_accepted > :many)"
)


async def tabulate(workshop: Workshop) -> int:
    """Observe and tabulate what each registry's feed has new."""
    await workshop.catalogue.keep_current(workshop.database)
    moved = 0
    for definition in workshop.catalogue.registries():
        if definition.measures:
            moved += await generations.step(workshop, definition)
    if moved >= FEW:
        await _gather(workshop)
    return moved


async def _gather(workshop: Workshop) -> None:
    """While a large submission is being accepted, wait until more of it is: nobody waits for a part."""
    for _ in range(LOOKS):
        async with workshop.database.transaction(EVERYTHING) as session:
            if not await session.scalar(_MORE_IS_COMING, {"many": MANY}):
                return
        await asyncio.sleep(LOOK_SECONDS)


async def build(workshop: Workshop) -> int:
    """Fill generations of new measure texts, and take old ones away."""
    rows = 0
    for definition in workshop.catalogue.registries():
        if definition.measures:
            rows += await generations.build(workshop, definition)
    return rows + await generations.sweep(workshop)


async def compare_when_due(workshop: Workshop, at: str) -> int:
    """Take every registry's snapshot once a day, at a time of day in UTC; how many were taken."""
    moment = now()
    async with workshop.database.transaction(EVERYTHING) as session:
        if not await _due(session, moment, at):
            return 0
    taken, failures = 0, list[Exception]()
    for definition in await generations.in_use(workshop):
        try:
            async with workshop.database.transaction(EVERYTHING) as session:
                taken += await compare(session, definition, moment.date()) is not None
        except Exception as error:  # one registry's fault is not the others'
            failures.append(error)
    async with workshop.database.transaction(EVERYTHING) as session:
        schedule = await session.get(Schedule, NIGHTLY, with_for_update=True)
        assert schedule is not None
        schedule.not_before, schedule.lease_until = _next(moment, at), None
        schedule.last_run_at = now()
    if failures:
        raise ExceptionGroup("a registry could not be compared", failures)
    return taken


async def _due(session: AsyncSession, moment: datetime, at: str) -> bool:
    """Whether the nightly snapshots are this process's to take now; it has an hour for them."""
    await session.execute(
        insert(Schedule)
        .values(name=NIGHTLY, not_before=_next(moment, at))
        .on_conflict_do_nothing(index_elements=[Schedule.name])
    )
    schedule = await session.scalar(
        select(Schedule).where(Schedule.name == NIGHTLY).with_for_update(skip_locked=True)
    )
    if schedule is None or schedule.not_before > moment:
        return False
    if schedule.lease_until is not None and schedule.lease_until > moment:
        return False
    schedule.lease_until = moment + timedelta(hours=1)
    return True


def _next(moment: datetime, at: str) -> datetime:
    """The next time the clock shows so many hours and minutes."""
    hour, minute = map(int, at.split(":"))
    today = moment.astimezone(UTC).replace(hour=hour, minute=minute, second=0, microsecond=0)
    return today if today > moment else today + timedelta(days=1)
