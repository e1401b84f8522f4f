"""Row-level security: no query, however wrong, shows or touches another facility's rows."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Executable, Table, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import EVERYTHING, Database, Role, Scope
from app.models import Base
from app.postgres import Addresses
from tests.access.planted import BOUND, OURS, THEIRS, Planted, bound_to, plant, values

each_table = pytest.mark.parametrize("table", BOUND, ids=[table.fullname for table in BOUND])
OUR_SCOPE = Scope(facilities=frozenset({OURS}))

REFUSED = "42501"
"""insufficient_privilege: a right that is missing, or a policy's check."""


@pytest.fixture(scope="module")
def planted(database: Addresses) -> Planted:
    async def run() -> Planted:
        worker = Database(database.worker, Role.WORKER, pool=1)
        try:
            async with worker.transaction() as session:
                return await plant(session)
        finally:
            await worker.close()

    return asyncio.run(run())


class _Undone(Exception):
    pass


@asynccontextmanager
async def tried(url: str, role: Role) -> AsyncIterator[AsyncSession]:
    """A transaction in a role that is undone at the end."""
    opened = Database(url, role, pool=1)
    try:
        async with opened.transaction() as session:
            yield session
            raise _Undone
    except _Undone:
        pass
    finally:
        await opened.close()


@asynccontextmanager
async def unfettered_web(
    database: Addresses, table: Table, scope: Sequence[int]
) -> AsyncIterator[AsyncSession]:
    """The web role with every right on a table: what is refused now, the policies refuse."""
    async with tried(database.owner, Role.OWNER) as session:
        await session.execute(text(f"GRANT ALL ON {table.fullname} TO hounsfield_web"))
        await session.execute(text("SET LOCAL ROLE hounsfield_web"))
        await session.execute(
            text("SELECT set_config('hounsfield.facilities', :scope, true)"),
            {"scope": "{" + ",".join(map(str, scope)) + "}"},
        )
        yield session


async def facilities_seen(session: AsyncSession, table: Table) -> list[Any]:
    column = table.c[table.info["facility_bound"]]
    seen = await session.scalars(select(column))
    return sorted(seen, key=str)


async def refused(session: AsyncSession, statement: Executable) -> bool:
    """Whether PostgreSQL refuses a statement for lack of a right; the session goes on."""
    try:
        async with session.begin_nested():
            await session.execute(statement)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != REFUSED:
            raise
        return True
    return False


def handing_over(table: Table, facility: int) -> dict[str, Any]:
    return {table.info["facility_bound"]: bound_to(table, facility)}


def test_every_table_with_a_facility_says_how_it_is_bound() -> None:
    loose = [
        table.fullname
        for table in Base.metadata.sorted_tables
        if {"facility_id", "facility_ids"} & set(table.columns.keys()) and table not in BOUND
    ]
    assert loose == []
    assert len(BOUND) >= 15


async def test_the_catalog_has_row_security_forced_on_every_table_with_a_facility(
    database: Addresses,
) -> None:
    connection = await asyncpg.connect(database.owner)
    try:
        tables = await connection.fetch(
            """
            SELECT c.oid::regclass::text AS name, c.relrowsecurity, c.relforcerowsecurity,
                   c.relispartition,
                   (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) AS policies,
                   has_any_column_privilege('hounsfield_web', c.oid, 'SELECT, INSERT, UPDATE')
                     OR has_table_privilege('hounsfield_web', c.oid, 'DELETE, TRUNCATE') AS web
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname NOT LIKE 'pg\\_%'
               AND n.nspname <> 'information_schema'
               AND (c.relname = 'facilities' OR EXISTS (
                     SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
                        AND a.attname IN ('facility_id', 'facility_ids')))
            """
        )
    finally:
        await connection.close()
    # A partition is reached through its parent, whose policies count; by its own name nobody may.
    named = {row["name"] for row in tables if not row["relispartition"]}
    assert named == {table.fullname for table in BOUND}
    for row in tables:
        if row["relispartition"]:
            assert not row["web"], row["name"]
        else:
            assert row["relrowsecurity"], row["name"]
            assert row["relforcerowsecurity"], row["name"]
            assert row["policies"] >= 2, row["name"]


async def test_no_function_runs_with_its_owners_rights_and_no_process_passes_row_security_by(
    database: Addresses,
) -> None:
    connection = await asyncpg.connect(database.owner)
    try:
        assert not await connection.fetch(
            "SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace"
            " WHERE prosecdef AND nspname IN ('public', 'vault')"
        )
        assert not await connection.fetch(
            "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls)"
            " AND rolname IN ('hounsfield_web', 'hounsfield_worker')"
        )
    finally:
        await connection.close()


@each_table
async def test_the_web_sees_the_rows_in_its_scope_and_no_others(
    table: Table, planted: Planted, database: Addresses
) -> None:
    async with unfettered_web(database, table, [OURS]) as session:
        assert await facilities_seen(session, table) == [bound_to(table, OURS)]
    async with unfettered_web(database, table, [OURS, THEIRS]) as session:
        both = sorted((bound_to(table, OURS), bound_to(table, THEIRS)), key=str)
        assert await facilities_seen(session, table) == both


@each_table
async def test_without_a_scope_the_web_sees_nothing(
    table: Table, planted: Planted, database: Addresses
) -> None:
    async with unfettered_web(database, table, []) as session:
        assert await facilities_seen(session, table) == []
    async with tried(database.owner, Role.OWNER) as session:
        await session.execute(text(f"GRANT ALL ON {table.fullname} TO hounsfield_web"))
        await session.execute(text("SET LOCAL ROLE hounsfield_web"))
        # Not even an empty setting: a session that nobody gave a scope.
        assert await facilities_seen(session, table) == []


@each_table
async def test_the_web_cannot_write_another_facilitys_rows(
    table: Table, planted: Planted, database: Addresses
) -> None:
    theirs = values(table, THEIRS, planted)
    column = table.c[table.info["facility_bound"]]
    async with unfettered_web(database, table, [OURS]) as session:
        assert await refused(session, insert(table).inline().values(theirs))
        # Our own row cannot be made theirs, and theirs cannot be made ours: it is not there.
        if not column.primary_key:
            assert await refused(session, update(table).values(handing_over(table, THEIRS)))
        mine = planted[table.fullname, THEIRS]
        keys = [key == mine[key.name] for key in table.primary_key.columns]
        stolen = await session.execute(update(table).where(*keys).values(handing_over(table, OURS)))
        assert stolen.rowcount == 0
        removed = await session.execute(delete(table).where(*keys))
        assert removed.rowcount == 0
    async with tried(database.worker, Role.WORKER) as session:
        assert bound_to(table, THEIRS) in await facilities_seen(session, table)


@each_table
async def test_the_web_as_it_is_granted_sees_and_changes_only_its_own(
    table: Table, planted: Planted, database: Addresses
) -> None:
    web = Database(database.web, Role.WEB, pool=1)
    try:
        with pytest.raises(_Undone):
            async with web.transaction(OUR_SCOPE) as session:
                theirs = values(table, THEIRS, planted)
                assert await refused(session, insert(table).inline().values(theirs))
                column = table.c[table.info["facility_bound"]]
                if not await refused(session, select(column)):
                    assert await facilities_seen(session, table) == [bound_to(table, OURS)]
                is_theirs = column == bound_to(table, THEIRS)
                for change in (update(table).values(handing_over(table, OURS)), delete(table)):
                    if not await refused(session, change.where(is_theirs)):
                        assert (await session.execute(change.where(is_theirs))).rowcount == 0
                raise _Undone
    finally:
        await web.close()


@each_table
async def test_an_owner_without_the_right_to_pass_is_not_let_through(
    table: Table, planted: Planted, database: Addresses
) -> None:
    # The embedded cluster's owner may pass, for dumps; on a server the owner need not.
    plain = f"plain_{secrets.token_hex(6)}"
    async with tried(database.owner, Role.OWNER) as session:
        for statement in (
            f"CREATE ROLE {plain}",
            f"GRANT {plain} TO CURRENT_USER WITH SET TRUE",
            f"GRANT USAGE, CREATE ON SCHEMA public, vault TO {plain}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {plain}",
            f"ALTER TABLE {table.fullname} OWNER TO {plain}",
            f"SET LOCAL ROLE {plain}",
            f"SET LOCAL hounsfield.facilities = '{{{OURS}}}'",
            "SET LOCAL hounsfield.everything = 'on'",
        ):
            await session.execute(text(statement))
        assert await facilities_seen(session, table) == []
        assert await refused(session, insert(table).inline().values(values(table, OURS, planted)))
        assert (await session.execute(delete(table))).rowcount == 0


@each_table
async def test_the_worker_and_the_operators_scope_see_all(
    table: Table, planted: Planted, database: Addresses
) -> None:
    both = sorted((bound_to(table, OURS), bound_to(table, THEIRS)), key=str)
    async with tried(database.worker, Role.WORKER) as session:
        assert await facilities_seen(session, table) == both
    async with unfettered_web(database, table, []) as session:
        await session.execute(text("SELECT set_config('hounsfield.everything', 'on', true)"))
        assert await facilities_seen(session, table) == both


async def test_a_pooled_connection_that_changed_hands_carries_no_scope_along(
    planted: Planted, database: Addresses
) -> None:
    web = Database(database.web, Role.WEB, pool=1)
    seen = text("SELECT pg_backend_pid(), (SELECT array_agg(id) FROM facilities)")
    try:
        async with web.transaction(OUR_SCOPE) as session:
            pid, ours = (await session.execute(seen)).one()
        assert ours == [OURS]
        async with web.transaction(Scope(facilities=frozenset({THEIRS}))) as session:
            assert (await session.execute(seen)).one() == (pid, [THEIRS])
        with pytest.raises(_Undone):
            async with web.transaction(EVERYTHING) as session:
                _, everybody = (await session.execute(seen)).one()
                assert sorted(everybody) == [OURS, THEIRS]
                raise _Undone
        async with web.transaction() as session:
            assert (await session.execute(seen)).one() == (pid, None)
        # Somebody who takes the connection from the pool and sets no scope at all.
        async with web.engine.connect() as connection:
            assert (await connection.execute(seen)).one() == (pid, None)
        # A scope set for the session, by mistake, does not outlive the next transaction's own.
        async with web.engine.connect() as connection:
            await connection.execute(text("SET hounsfield.facilities = '{654321}'"))
            await connection.commit()
        async with web.transaction(OUR_SCOPE) as session:
            assert (await session.execute(seen)).one() == (pid, [OURS])
    finally:
        await web.close()


async def test_many_at_once_on_few_connections_never_see_each_others_rows(
    planted: Planted, database: Addresses
) -> None:
    web = Database(database.web, Role.WEB, pool=2)
    statement = text("SELECT array_agg(id) FROM facilities")

    async def look(facility: int) -> bool:
        async with web.transaction(Scope(facilities=frozenset({facility}))) as session:
            await asyncio.sleep(0)
            return bool(await session.scalar(statement) == [facility])

    try:
        assert all(await asyncio.gather(*(look((OURS, THEIRS)[n % 2]) for n in range(60))))
    finally:
        await web.close()


@pytest.mark.parametrize("setting", ["x", "{1,", "{123456,null}", "{'123456'}"])
async def test_a_scope_that_cannot_be_read_shows_nothing_more(
    setting: str, planted: Planted, database: Addresses
) -> None:
    async with tried(database.web, Role.WEB) as session:
        await session.execute(
            text("SELECT set_config('hounsfield.facilities', :scope, true)"), {"scope": setting}
        )
        try:
            seen = set(await session.scalars(text("SELECT id FROM facilities")))
        except DBAPIError:
            return
        assert seen <= {OURS}


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE hounsfield_worker",
        "SET ROLE owner",
        "ALTER TABLE cases DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE public.copies AS SELECT 1",
        "DROP POLICY web ON cases",
        "SELECT count(*) FROM versions_00",
        "TRUNCATE cases",
        "SELECT count(*) FROM vault.subject_tokens",
        "SELECT count(*) FROM vault.merges",
    ],
)
async def test_the_web_role_cannot_lift_its_own_bounds(
    statement: str, planted: Planted, database: Addresses
) -> None:
    async with tried(database.web, Role.WEB) as session:
        with pytest.raises(DBAPIError) as caught:
            await session.execute(text(statement))
        assert getattr(caught.value.orig, "sqlstate", None) in {REFUSED, "22023"}


async def test_row_security_that_is_switched_off_gives_an_error_and_no_rows(
    planted: Planted, database: Addresses
) -> None:
    async with tried(database.web, Role.WEB) as session:
        await session.execute(text("SET LOCAL row_security = off"))
        with pytest.raises(DBAPIError) as caught:
            await session.execute(text("SELECT id FROM facilities"))
        assert getattr(caught.value.orig, "sqlstate", None) == REFUSED


async def test_rows_without_a_facility_are_seen_with_their_submission(
    planted: Planted, database: Addresses
) -> None:
    entries = Base.metadata.tables["entries"]
    submissions = Base.metadata.tables["submissions"]
    async with tried(database.worker, Role.WORKER) as session:
        numbers = {}
        for facility in (OURS, THEIRS):
            added = values(entries, facility, planted) | {"facility_id": None}
            await session.execute(insert(entries).values(added))
            numbers[facility] = planted["submissions", facility]["number"]
        shared = values(submissions, OURS, planted) | {"facility_ids": [OURS, THEIRS]}
        await session.execute(insert(submissions).values(shared))
        nobodys = values(submissions, OURS, planted) | {"facility_ids": []}
        await session.execute(insert(submissions).values(nobodys))
        await session.execute(text("SET LOCAL ROLE hounsfield_worker"))
        total = await session.scalar(select(func.count()).select_from(submissions))
        assert total == 4
    # The same, committed, as the web sees it: one submission, and both of its entries.
    worker = Database(database.worker, Role.WORKER, pool=1)
    web = Database(database.web, Role.WEB, pool=1)
    try:
        async with worker.transaction() as session:
            for facility in (OURS, THEIRS):
                added = values(entries, facility, planted) | {"facility_id": None}
                await session.execute(insert(entries).values(added))
            await session.execute(insert(submissions).values(shared))
        async with web.transaction(OUR_SCOPE) as session:
            seen = await session.execute(select(entries.c.submission_number, entries.c.facility_id))
            assert sorted(seen, key=str) == sorted(
                [(numbers[OURS], OURS), (numbers[OURS], None)], key=str
            )
            shown = await session.scalars(select(submissions.c.facility_ids))
            assert shown.all() == [[OURS]]
    finally:
        async with worker.transaction() as session:
            await session.execute(delete(entries).where(entries.c.facility_id.is_(None)))
            await session.execute(
                delete(submissions).where(submissions.c.facility_ids == [OURS, THEIRS])
            )
        await worker.close()
        await web.close()


async def test_acts_of_no_facility_may_be_written_down_but_not_read(
    planted: Planted, database: Addresses
) -> None:
    events = Base.metadata.tables["audit_events"]
    act = values(events, OURS, planted) | {"facility_id": None}
    web = Database(database.web, Role.WEB, pool=1)
    try:
        with pytest.raises(_Undone):
            async with web.transaction(OUR_SCOPE) as session:
                await session.execute(insert(events).inline().values(act))
                assert await facilities_seen(session, events) == [OURS]
                for change in (update(events).values(action="nothing"), delete(events)):
                    assert await refused(session, change)
                raise _Undone
    finally:
        await web.close()
