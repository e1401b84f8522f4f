"""
Whose turn it is to be accepted: the oldest first at each facility, and never past one another.

A submission has its turn when everything sent before it for any of its facilities is finished, or
is taken along in the same claim.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.claim import TRIED_IN_COMPANY, Claim, claim
from app.database import EVERYTHING
from app.ingest.rooms import BATCH, Rooms
from app.locks import Lock, take
from app.models.submission import Submission

UNFINISHED: Final = ("received", "read", "checked")
LOOKED_AT: Final = 5_000


async def oldest(rooms: Rooms, *, small: bool) -> Claim[Submission]:
    """Claim the submissions whose turn it is: many small ones, or one that is large."""
    token = uuid4()
    async with rooms.database.transaction(EVERYTHING) as session:
        # Two that choose at the same time could each see the other's as free.
        await take(session, Lock.CHOOSE)
        now = (await session.execute(select(func.now()))).scalar_one()
        rows = (
            await session.execute(
                select(
                    Submission.id,
                    Submission.registry_id,
                    Submission.facility_ids,
                    Submission.state,
                    Submission.lease_until,
                    Submission.not_before,
                    Submission.tries,
                    (Submission.entries - Submission.rows_accepted).label("left"),
                )
                .where(Submission.kind == "entries", Submission.state.in_(UNFINISHED))
                .order_by(Submission.number)
                .limit(LOOKED_AT)
            )
        ).all()
        chosen, exhausted = _chosen(rows, now, rooms.settings.tries, small=small)
        if chosen and await _are_free(session, chosen):
            taken = await session.scalars(
                update(Submission)
                .where(Submission.id.in_(chosen))
                .values(
                    lease_until=func.now() + timedelta(seconds=rooms.settings.lease_seconds),
                    token=token,
                    tries=Submission.tries + 1,
                )
                .returning(Submission),
                execution_options={"populate_existing": True, "synchronize_session": False},
            )
            ours = sorted(taken, key=lambda submission: submission.number)
            return Claim(Submission, token, tuple(ours))
    if exhausted:  # a claim holds those that were tried often enough
        await claim(
            rooms.database,
            Submission,
            Submission.id.in_(exhausted),
            Submission.state == "checked",
            Submission.tries >= rooms.settings.tries,
            order_by=[Submission.number],
            lease_seconds=rooms.settings.lease_seconds,
            tries=rooms.settings.tries,
        )
    return Claim(Submission, token, ())


async def _are_free(session: AsyncSession, chosen: Sequence[UUID]) -> bool:
    """Lock the chosen ones; False if a step that outlived its lease is still at work on one.

    It is not waited for, for the turns of all others would wait too; and to leave it out would let
    those that come after it go first.
    """
    locked = await session.scalars(
        select(Submission.id)
        .where(
            Submission.id.in_(chosen),
            Submission.state == "checked",
            Submission.not_before <= func.now(),
            or_(Submission.lease_until.is_(None), Submission.lease_until < func.now()),
        )
        .order_by(Submission.number)
        .with_for_update(skip_locked=True)
    )
    return len(locked.all()) == len(chosen)


def _chosen(
    rows: Sequence[Any], now: datetime, tries: int, *, small: bool
) -> tuple[list[UUID], list[UUID]]:
    """Those to take, and those that were tried too often, of the unfinished ones in order."""
    chosen: list[UUID] = []
    exhausted: list[UUID] = []
    blocked: set[tuple[str, int]] = set()
    registry: str | None = None
    room = BATCH
    for row in rows:
        places = {(row.registry_id, facility) for facility in row.facility_ids}
        free = (
            row.state == "checked"
            and row.not_before <= now
            and (row.lease_until is None or row.lease_until < now)
        )
        if free and row.tries >= tries:
            exhausted.append(row.id)
            free = False
        left = max(row.left or 0, 1)
        fits = (left <= room) if small else (left > BATCH and not chosen)
        suspect = row.tries >= TRIED_IN_COMPANY
        if (
            free
            and fits
            and (not suspect or not chosen)
            and registry in (None, row.registry_id)
            and places.isdisjoint(blocked)
        ):
            chosen.append(row.id)
            registry, room = row.registry_id, room - left
            if suspect or not small:
                break
        else:
            blocked |= places
    return chosen, exhausted
