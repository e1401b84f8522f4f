"""The audit trail: only ever added to, sealed behind its writers, and altered by nobody unseen."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app import audit
from app.access import Asker, Role
from app.database import EVERYTHING, Database, Scope
from app.database import Role as DatabaseRole
from app.models.audit import AuditBlock, AuditEvent
from app.postgres import Addresses

ACTOR = Asker(
    key_id="abcdefghijkl",
    role=Role.REGISTRAR,
    registries=None,
    facilities=frozenset({123456}),
)


@pytest.fixture
async def owner(database: Addresses) -> AsyncIterator[Database]:
    """Somebody with the owner's hands, who may alter what others may only add."""
    opened = Database(database.owner, DatabaseRole.OWNER, pool=2)
    async with opened.transaction() as session:
        await session.execute(delete(AuditBlock))
        await session.execute(delete(AuditEvent))
    yield opened
    await opened.close()


async def write(web: Database, count: int) -> None:
    async with web.transaction(ACTOR.scope) as session:
        for number in range(count):
            await audit.record(
                session,
                ACTOR,
                "read",
                "case",
                number,
                facility_id=123456,
                registry_id="early-lung-cancer-detection",
                details={"b": 1, "a": [1, 2]},
            )


async def seal(worker: Database, patience: float = 2.0) -> int:
    async with worker.transaction() as session:
        return await audit.seal(session, patience=patience)


async def complaints(owner: Database) -> list[str]:
    async with owner.transaction() as session:
        return [complaint async for complaint in audit.verify(session)]


async def test_an_act_says_who_did_what_to_which_record(web: Database, owner: Database) -> None:
    await write(web, 1)
    async with web.transaction(EVERYTHING) as session:
        event = (await session.scalars(select(AuditEvent))).one()
    assert (event.key_id, event.role) == ("abcdefghijkl", "registrar")
    assert (event.action, event.record_type, event.record_id) == ("read", "case", "0")
    assert event.facility_id == 123456
    assert event.details == {"a": [1, 2], "b": 1}


async def test_an_act_that_is_undone_leaves_no_trace_and_one_that_is_kept_leaves_one(
    web: Database, owner: Database
) -> None:
    with pytest.raises(LookupError):
        async with web.transaction(ACTOR.scope) as session:
            await audit.record(session, ACTOR, "read", "case", 1, facility_id=123456)
            raise LookupError
    async with web.transaction(EVERYTHING) as session:
        assert await session.scalar(select(func.count()).select_from(AuditEvent)) == 0


async def test_a_writer_cannot_lay_an_act_at_another_facilitys_door(
    web: Database, owner: Database
) -> None:
    with pytest.raises(DBAPIError):
        async with web.transaction(ACTOR.scope) as session:
            await audit.record(session, ACTOR, "read", "case", 1, facility_id=654321)


@pytest.mark.parametrize("change", [update(AuditEvent).values(action="x"), delete(AuditEvent)])
async def test_neither_web_nor_worker_can_rewrite_the_trail(
    change: object, web: Database, worker: Database, owner: Database
) -> None:
    await write(web, 1)
    for database in (web, worker):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with database.transaction(EVERYTHING) as session:
                await session.execute(change)  # type: ignore[call-overload]


@pytest.mark.parametrize("change", [update(AuditBlock).values(events=0), delete(AuditBlock)])
async def test_the_worker_cannot_rewrite_a_seal(
    change: object, worker: Database, owner: Database
) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with worker.transaction() as session:
            await session.execute(change)  # type: ignore[call-overload]


async def test_every_event_is_sealed_once_and_the_chain_verifies(
    web: Database, worker: Database, owner: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "LARGEST_BLOCK", 3)
    assert await seal(worker) == 0
    await write(web, 7)
    assert [await seal(worker) for _ in range(4)] == [3, 3, 1, 0]
    await write(web, 2)
    assert await seal(worker) == 2
    assert await complaints(owner) == []
    async with worker.transaction() as session:
        blocks = (await session.scalars(select(AuditBlock).order_by(AuditBlock.id))).all()
    assert blocks[0].previous == audit.NONE_BEFORE
    assert [block.previous for block in blocks[1:]] == [block.digest for block in blocks[:-1]]


async def test_events_without_a_seal_yet_are_no_complaint(
    web: Database, worker: Database, owner: Database
) -> None:
    await write(web, 2)
    await seal(worker)
    await write(web, 2)
    assert await complaints(owner) == []


async def _alter(session: AsyncSession) -> None:
    await session.execute(
        update(AuditEvent).where(AuditEvent.record_id == "3").values(key_id="zzzzzzzzzzzz")
    )


async def _alter_details(session: AsyncSession) -> None:
    await session.execute(
        update(AuditEvent).where(AuditEvent.record_id == "3").values(details={"a": [1, 2], "b": 2})
    )


async def _backdate(session: AsyncSession) -> None:
    await session.execute(
        update(AuditEvent)
        .where(AuditEvent.record_id == "3")
        .values(at=AuditEvent.at - func.make_interval(0, 0, 0, 0, 0, 0, 0.000001))
    )


async def _remove(session: AsyncSession) -> None:
    await session.execute(delete(AuditEvent).where(AuditEvent.record_id == "3"))


async def _slip_in(session: AsyncSession) -> None:
    await session.execute(delete(AuditEvent).where(AuditEvent.record_id == "3"))
    event = (await session.scalars(select(AuditEvent).limit(1))).one()
    last = await session.scalar(select(func.max(AuditEvent.id)))
    columns = {c.key: getattr(event, c.key) for c in AuditEvent.__mapper__.column_attrs}
    await session.execute(insert(AuditEvent).values(columns | {"id": (last or 0) - 1}))


async def _remove_a_block(session: AsyncSession) -> None:
    first = await session.scalar(select(func.min(AuditBlock.id)))
    await session.execute(delete(AuditBlock).where(AuditBlock.id == first))


async def _forge_a_block(session: AsyncSession) -> None:
    await session.execute(
        update(AuditBlock)
        .where(AuditBlock.id == select(func.min(AuditBlock.id)).scalar_subquery())
        .values(digest=secrets.token_bytes(32))
    )


@pytest.mark.parametrize(
    "tamper",
    [_alter, _alter_details, _backdate, _remove, _slip_in, _remove_a_block, _forge_a_block],
)
async def test_whoever_tampers_with_the_owners_hands_is_found_out(
    tamper: object, web: Database, worker: Database, owner: Database
) -> None:
    await write(web, 5)
    await seal(worker)
    await write(web, 5)
    await seal(worker)
    assert await complaints(owner) == []
    async with owner.transaction() as session:
        await tamper(session)  # type: ignore[operator]
    assert await complaints(owner)


@asynccontextmanager
async def writing(web: Database) -> AsyncIterator[asyncio.Event]:
    """A writer that holds its number until it is let go."""
    started, let_go = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        async with web.transaction(ACTOR.scope) as session:
            await audit.record(session, ACTOR, "late", "case", 1, facility_id=123456)
            started.set()
            await let_go.wait()

    task = asyncio.create_task(run())
    await started.wait()
    try:
        yield let_go
    finally:
        let_go.set()
        await task


async def test_a_late_writer_is_never_left_out_of_the_chain(
    web: Database, worker: Database, owner: Database
) -> None:
    async with writing(web):
        await write(web, 3)  # numbered after the late one, committed before it
        assert await seal(worker, patience=0.2) == 0
    assert await seal(worker) == 4
    assert await complaints(owner) == []


async def test_the_sealer_waits_for_those_who_write_and_not_for_those_who_come_after(
    web: Database, worker: Database, owner: Database
) -> None:
    async with writing(web) as let_go:
        await write(web, 1)
        sealing = asyncio.create_task(seal(worker))
        await asyncio.sleep(0.2)
        async with writing(web):  # came after the sealer looked
            let_go.set()
            assert await sealing == 2
    assert await seal(worker) == 1
    assert await complaints(owner) == []


async def test_sealers_side_by_side_seal_each_event_once(
    web: Database, database: Addresses, owner: Database
) -> None:
    many = Database(database.worker, DatabaseRole.WORKER, pool=4)
    try:
        await write(web, 20)
        assert sum(await asyncio.gather(*(seal(many) for _ in range(4)))) == 20
    finally:
        await many.close()
    assert await complaints(owner) == []


async def test_a_facility_reads_its_own_trail_and_no_other(web: Database, owner: Database) -> None:
    await write(web, 2)
    async with web.transaction(Scope(facilities=frozenset({654321}))) as session:
        assert (await session.scalars(select(AuditEvent))).all() == []
    async with web.transaction(ACTOR.scope) as session:
        assert len((await session.scalars(select(AuditEvent))).all()) == 2
