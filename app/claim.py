"""
Take the rows whose turn it is: leases, tries, wake-ups.

A row is its own job. It is claimed in a transaction of its own, which gives it a lease, a token and
one more try, and is worked on in another, which first asks whether the token is still its own. A
worker that is killed loses nothing: its rows are claimed again when the lease ends. A row that
failed twice is tried alone, so that it cannot drag others down with it; after the last try it is
`held`, with a finding, and everything else goes on.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import (
    ColumnElement,
    ScalarResult,
    Update,
    func,
    inspect,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from app.database import EVERYTHING, Database
from app.models.base import now
from app.models.image import Instance
from app.models.submission import Finding, Job, Submission
from app.registries.findings import FindingCode, severity

CHANNEL = "hounsfield"
TRIED_IN_COMPANY = 2
LONGEST_PAUSE = 60.0
HELD_REMEDY = (
    "Nothing is wrong with what you sent as far as we know: our own step failed. The operator has to "
    "look; it is kept and can be tried again."
)

Row = TypeVar("Row", bound=Job)


@dataclass(frozen=True, slots=True)
class Claim(Generic[Row]):
    """Rows of one table that are ours until their lease ends. False when there are none."""

    job: type[Row]
    token: UUID
    rows: tuple[Row, ...]

    def __bool__(self) -> bool:
        return bool(self.rows)


async def claim(
    database: Database,
    job: type[Row],
    *turn: ColumnElement[bool],
    order_by: Sequence[Any],
    lease_seconds: float,
    tries: int,
    limit: int = 100,
    weight: Callable[[Row], int] = lambda _: 1,
    most: int = 5_000,
) -> Claim[Row]:
    """Claim the rows whose turn it is, in order, up to `most` of their `weight` (at least one row).

    `turn` says which rows could be worked on, their state first of all; leases and pauses are
    looked after here.
    """
    token = uuid4()
    async with database.transaction(EVERYTHING) as session:
        found = await session.scalars(
            select(job)
            .where(*turn, job.not_before <= func.now())
            .where(or_(job.lease_until.is_(None), job.lease_until < func.now()))
            .order_by(*order_by)
            .limit(limit)
            .with_for_update(skip_locked=True, of=job)
        )
        candidates = found.all()
        exhausted = [row for row in candidates if row.tries >= tries]
        await _hold(session, job, exhausted)
        chosen = _together([row for row in candidates if row.tries < tries], weight, most)
        if not chosen:
            return Claim(job, token, ())
        taken: ScalarResult[Row] = await session.scalars(
            _these(job, chosen)
            .values(
                lease_until=func.now() + timedelta(seconds=lease_seconds),
                token=token,
                tries=job.tries + 1,
            )
            .returning(job),
            execution_options={"populate_existing": True},
        )
        order = {_key(row): position for position, row in enumerate(chosen)}
        return Claim(job, token, tuple(sorted(taken, key=lambda row: order[_key(row)])))


@asynccontextmanager
async def working(
    database: Database,
    claimed: Claim[Row],
    *,
    tries: int,
    first: Callable[[AsyncSession], Awaitable[None]] | None = None,
) -> AsyncIterator[tuple[AsyncSession, tuple[Row, ...]]]:
    """The step's transaction over the rows that are still ours, fresh and locked.

    At its end they are released. If it raises, nothing of it happened: the rows are given back for
    a later try, or held after the last, and the error goes on to the worker. `first` is done before the
    rows are locked: what others hold when they lock them.
    """
    try:
        async with database.transaction(EVERYTHING) as session:
            if first is not None:
                await first(session)
            rows = await still_ours(session, claimed)
            yield session, rows
            await release(session, claimed.job, rows)
    except (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit):
        raise  # the process is going: the lease gives them back
    except BaseException:  # a native library's panic is no Exception
        await give_back(database, claimed, tries=tries)
        raise


async def still_ours(session: AsyncSession, claimed: Claim[Row]) -> tuple[Row, ...]:
    """The claimed rows whose token is still ours, locked until the transaction ends, in order."""
    job = claimed.job
    if not claimed.rows:
        return ()
    found = await session.scalars(
        select(job)
        .where(_keys_in(job, claimed.rows), job.token == claimed.token)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    by_key = {_key(row): row for row in found}
    return tuple(by_key[_key(row)] for row in claimed.rows if _key(row) in by_key)


async def release(session: AsyncSession, job: type[Row], rows: Sequence[Row]) -> None:
    """End the lease of rows whose step succeeded; the next step starts with fresh tries."""
    if rows:
        await session.flush()
        await session.execute(_these(job, rows).values(lease_until=None, token=None, tries=0))
        for row in rows:
            for name, value in (("lease_until", None), ("token", None), ("tries", 0)):
                set_committed_value(row, name, value)


async def give_back(database: Database, claimed: Claim[Row], *, tries: int) -> None:
    """Rows whose step failed: a pause that doubles with each try, and `held` after the last."""
    async with database.transaction(EVERYTHING) as session:
        rows = await still_ours(session, claimed)
        await _hold(session, claimed.job, [row for row in rows if row.tries >= tries])
        again = [row for row in rows if row.tries < tries]
        if again:
            pause = func.least(func.power(2, claimed.job.tries - 2), LONGEST_PAUSE)
            await session.execute(
                _these(claimed.job, again).values(
                    lease_until=None,
                    token=None,
                    not_before=func.now() + pause * timedelta(seconds=1),
                )
            )


async def ring(session: AsyncSession, what: str) -> None:
    """Wake the workers when this transaction commits; `what` is a state or a station, nothing else."""
    await session.execute(
        text("SELECT pg_notify(:channel, :what)"), {"channel": CHANNEL, "what": what}
    )


class Bell:
    """Rung by `pg_notify`. Take an `ear` before looking for rows: a ring in between is heard then."""

    def __init__(self) -> None:
        self._ears: dict[frozenset[str] | None, asyncio.Event] = {}

    def ear(self, to: frozenset[str] | None = None) -> asyncio.Event:
        """What the next ring will set: any, or one for the states and stations named in `to`."""
        return self._ears.setdefault(to, asyncio.Event())

    def ring(self, what: str | None = None) -> None:
        """Set the ears taken so far that listen to this; without a name, all of them."""
        for to in list(self._ears):
            if what is None or to is None or what in to:
                self._ears.pop(to).set()

    def rung(self, _connection: object, _pid: int, _channel: str, what: str) -> None:
        """As the driver reports a notification."""
        self.ring(what)


async def heard(ear: asyncio.Event, seconds: float) -> bool:
    """Wait for a ring, but no longer than `seconds`: a lost wake-up costs no more."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ear.wait()
    return ear.is_set()


@asynccontextmanager
async def listening(database: Database) -> AsyncIterator[Bell]:
    """A bell on the database's notifications; the connection is renewed when it breaks."""
    bell = Bell()
    task = asyncio.create_task(_listen(database, bell))
    try:
        yield bell
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _listen(database: Database, bell: Bell) -> None:
    while True:
        with contextlib.suppress(
            OSError,
            TimeoutError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,  # what the driver says of a cut in the middle of its first question
        ):
            async with database.listening() as connection:
                ended = asyncio.Event()
                connection.add_termination_listener(lambda _, ended=ended: ended.set())
                await connection.add_listener(CHANNEL, bell.rung)
                bell.ring()  # what was rung while nobody listened
                await ended.wait()
        await asyncio.sleep(1.0)


def _together(candidates: Sequence[Row], weight: Callable[[Row], int], most: int) -> list[Row]:
    """What to take of the candidates: a suspect alone, otherwise as much as fits."""
    chosen: list[Row] = []
    total = 0
    for row in candidates:
        if row.tries >= TRIED_IN_COMPANY:
            if chosen:
                continue
            return [row]
        total += weight(row)
        if chosen and total > most:
            break
        chosen.append(row)
    return chosen


async def _hold(session: AsyncSession, job: type[Row], rows: Sequence[Row]) -> None:
    if not rows:
        return
    values: dict[str, object] = {"state": "held", "lease_until": None, "token": None}
    if "completed_at" in inspect(job).columns:
        values["completed_at"] = now()
    await session.execute(_these(job, rows).values(values))
    session.add_all(finding for row in rows if (finding := _held(row)))
    await ring(session, "held")


def _held(row: Job) -> Finding | None:
    """The finding that tells the sender; schedules have no sender."""
    code = FindingCode.HELD
    if isinstance(row, Submission):
        number, place, position = row.number, "submission", 0
    elif isinstance(row, Instance):
        number, place, position = row.submission_number, "instance", row.row
    else:
        return None
    return Finding(
        submission_number=number,
        row=position,
        facility_id=row.facility_id,
        place=place,
        code=code,
        severity=severity(code),
        remedy=HELD_REMEDY,
    )


def _these(job: type[Row], rows: Sequence[Row]) -> Update:
    return update(job).where(_keys_in(job, rows)).execution_options(synchronize_session=False)


def _keys_in(job: type[Row], rows: Sequence[Row]) -> ColumnElement[bool]:
    columns = inspect(job).primary_key
    if len(columns) == 1:
        single: ColumnElement[bool] = columns[0].in_([_key(row)[0] for row in rows])
        return single
    return tuple_(*columns).in_([_key(row) for row in rows])


def _key(row: Job) -> tuple[Any, ...]:
    return tuple(inspect(type(row)).primary_key_from_instance(row))
