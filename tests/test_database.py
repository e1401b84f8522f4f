"""Transactions commit at the edge, roles hold, models and migrations agree."""

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from app.database import (
    EVERYTHING,
    Database,
    Role,
    Scope,
    alembic_config,
    copy_records,
    differences,
    staging,
    twin,
)
from app.postgres import Addresses

ACCOUNT = text(
    "INSERT INTO corporate_accounts (name, street_1, city, state, postal_code, country, phone, created_at)"
    " VALUES (:name, 's', 'c', 'OH', '43210', 'US', '1', now()) RETURNING id"
)


async def test_models_and_migrated_tables_do_not_differ(database: Addresses) -> None:
    await differences(database.owner)


def test_there_is_one_head_of_migrations() -> None:
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1


async def test_what_raises_is_undone_and_what_returns_is_kept(web: Database) -> None:
    async with web.transaction(EVERYTHING) as session:
        kept = await session.scalar(ACCOUNT, {"name": "kept"})
    with pytest.raises(LookupError):
        async with web.transaction(EVERYTHING) as session:
            await session.execute(ACCOUNT, {"name": "lost"})
            raise LookupError
    async with web.transaction(EVERYTHING) as session:
        names = await session.execute(text("SELECT id, name FROM corporate_accounts"))
        assert [tuple(row) for row in names] == [(kept, "kept")]


async def test_a_twin_sees_what_was_committed_when_it_began_and_nothing_later(
    database: Addresses, web: Database
) -> None:
    worker = Database(database.worker, Role.WORKER, pool=2)
    names = text(
        "SELECT name FROM corporate_accounts WHERE name IN ('before', 'meanwhile') ORDER BY name"
    )
    async with web.transaction(EVERYTHING) as session:
        await session.execute(ACCOUNT, {"name": "before"})
    async with worker.transaction(EVERYTHING) as session, twin(session) as other:
        async with web.transaction(EVERYTHING) as third:
            await third.execute(ACCOUNT, {"name": "meanwhile"})
        assert list(await other.scalars(names)) == ["before"]
        assert list(await session.scalars(names)) == ["before", "meanwhile"]
        pids = [await one.scalar(text("SELECT pg_backend_pid()")) for one in (session, other)]
        assert len(set(pids)) == 2
    with pytest.raises(RuntimeError, match="written"):
        async with worker.transaction(EVERYTHING) as session:
            await session.execute(text("CREATE TEMPORARY TABLE own (n int)"))
            async with twin(session):
                pass
    await worker.close()


async def test_a_scope_ends_with_its_transaction(database: Addresses) -> None:
    one = Database(database.web, Role.WEB, pool=1)
    scope = text("SELECT hounsfield_facilities(), hounsfield_everything(), pg_backend_pid()")
    async with one.transaction(Scope(frozenset({100001, 100002}))) as session:
        facilities, everything, pid = (await session.execute(scope)).one()
        assert (sorted(facilities), everything) == ([100001, 100002], False)
    async with one.transaction() as session:
        assert (await session.execute(scope)).one() == ([], False, pid)
    await one.close()


@pytest.mark.parametrize("role", [Role.WEB, Role.WORKER])
async def test_the_owners_login_takes_the_role_and_resetting_does_not_leave_it(
    database: Addresses, role: Role
) -> None:
    opened = Database(database.owner, role, pool=1)
    async with opened.transaction() as session:
        await session.execute(text("RESET ROLE"))
        assert await session.scalar(text("SELECT current_user")) == role.value
    await opened.close()


async def test_staged_records_are_gone_in_the_next_transaction(database: Addresses) -> None:
    one = Database(database.worker, Role.WORKER, pool=1)
    count = text("SELECT count(*) FROM staged")
    for _ in range(2):
        async with one.transaction() as session:
            await staging(session, "staged", "number int, word text")
            await copy_records(session, "staged", ["number", "word"], [(1, "a"), (2, None)])
            assert await session.scalar(count) == 2
    await one.close()
