"""
Engine, sessions and roles: the only place that commits.

One change of a request, or one step's work, is one transaction. It is opened with a *scope*, the
facilities whose rows it may touch; row-level security holds it there whatever the query says.
The scope is set for the transaction alone: a session-level setting would leak to the next
borrower of a pooled connection.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import URL, Connection, NullPool, event, make_url, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from app.errors import DiskFull

if TYPE_CHECKING:
    from alembic.config import Config


class Role(StrEnum):
    """Who a process is to PostgreSQL."""

    OWNER = "owner"
    WEB = "hounsfield_web"
    WORKER = "hounsfield_worker"


@dataclass(frozen=True, slots=True)
class Scope:
    """The facilities whose rows a transaction may touch; `everything` is the operator's."""

    facilities: frozenset[int] = frozenset()
    everything: bool = False


MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"

NOTHING = Scope()
EVERYTHING = Scope(everything=True)

_SET_SCOPE = text(
    "SELECT set_config('hounsfield.facilities', :facilities, true),"
    " set_config('hounsfield.everything', :everything, true)"
)


class Database:
    """A pool of connections in one role.

    `url` is postgresql://…; a login other than the role's own takes the role at connection start,
    so that `RESET ROLE` leads back to the role and not to the login.
    """

    def __init__(self, url: str, role: Role, *, pool: int = 10) -> None:
        self.role = role
        self.url = asyncpg_url(url)
        settings = {"application_name": f"hounsfield {role}", "timezone": "UTC", "jit": "off"}
        if role is not Role.OWNER and self.url.username != role.value:
            settings["role"] = role.value
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            pool_size=pool,
            max_overflow=pool,
            connect_args={"server_settings": settings, "timeout": 20},
        )
        event.listen(self.engine.sync_engine, "checkout", _alive)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self, scope: Scope = NOTHING) -> AsyncIterator[AsyncSession]:
        """A session whose work is committed at the end, or undone if anything was raised.

        Raises DiskFull when the server has no room for it.
        """
        try:
            async with self._sessions() as session, session.begin():
                if self.role is Role.WEB:
                    await session.execute(
                        _SET_SCOPE,
                        {
                            "facilities": "{" + ",".join(map(str, sorted(scope.facilities))) + "}",
                            "everything": "on" if scope.everything else "off",
                        },
                    )
                yield session
        except (DBAPIError, asyncpg.DiskFullError) as error:
            if not _says_full(error):
                raise
            raise DiskFull("the database") from error

    @asynccontextmanager
    async def glance(self) -> AsyncIterator[AsyncSession]:
        """A session without a transaction, for reading a table that is not facility-bound.

        It saves the round trips of begin, scope and commit. It has no scope, so that of facility-bound
        tables it sees no row.
        """
        engine = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        async with AsyncSession(engine, expire_on_commit=False, autoflush=False) as session:
            yield session

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of its own outside the pool, for LISTEN."""
        connection = await asyncpg.connect(
            self.url.set(drivername="postgresql").render_as_string(hide_password=False),
            server_settings={"application_name": f"hounsfield {self.role} listener"},
        )
        try:
            yield connection
        finally:
            await connection.close()

    async def close(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()


@asynccontextmanager
async def twin(session: AsyncSession) -> AsyncIterator[AsyncSession]:
    """A second session that sees what this one sees at this moment: two tables are read at once.

    It is the worker's: it has no scope. RuntimeError when this one has written something, which no other
    sees.
    """
    if await session.scalar(text("SELECT pg_current_xact_id_if_assigned()")) is not None:
        raise RuntimeError("a session that has written has no twin")
    seen = await session.scalar(text("SELECT pg_export_snapshot()"))
    engine = session.bind
    assert isinstance(engine, AsyncEngine)
    alike = engine.execution_options(isolation_level="REPEATABLE READ")
    async with AsyncSession(alike) as other, other.begin():
        await other.execute(text(f"SET TRANSACTION SNAPSHOT '{seen}'"))
        yield other


def _alive(connection: Any, *_: object) -> None:
    """Give out no connection whose server went away: the pool then opens another.

    The driver knows as soon as the socket ends; asking the server would cost a round trip each time.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _says_full(error: DBAPIError | asyncpg.DiskFullError) -> bool:
    """Whether a statement, or a COPY past SQLAlchemy, ended for want of room."""
    own = error.orig if isinstance(error, DBAPIError) else error
    return bool(getattr(own, "sqlstate", None) == asyncpg.DiskFullError.sqlstate)


def asyncpg_url(url: str) -> URL:
    """The SQLAlchemy form of a postgresql:// address."""
    return make_url(url).set(drivername="postgresql+asyncpg")


async def driver_connection(session: AsyncSession) -> asyncpg.Connection:
    """The asyncpg connection under a session, inside its transaction: for COPY."""
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    assert isinstance(driver, asyncpg.Connection)
    if not driver.is_in_transaction():  # SQLAlchemy begins with its first own statement
        await session.execute(text("SELECT 1"))
    return driver


async def copy_records(
    session: AsyncSession, table: str, columns: Sequence[str], records: Iterable[Sequence[Any]]
) -> None:
    """COPY records into a table of this transaction; values as asyncpg takes them in binary.

    COPY is refused on tables under row-level security: copy to a temporary table, then insert from it.
    """
    driver = await driver_connection(session)
    await driver.copy_records_to_table(table, columns=list(columns), records=records)


async def staging(session: AsyncSession, name: str, columns: str) -> None:
    """A temporary table that is empty at the start of each transaction; `columns` is its DDL."""
    await session.execute(
        text(f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} ({columns}) ON COMMIT DELETE ROWS")
    )


def alembic_config(connection: Connection | None = None) -> "Config":
    """Alembic's configuration, on a connection of ours."""
    from alembic.config import Config  # who serves never migrates, and need not load it

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


async def migrate(url: str) -> None:
    """Bring the tables of the owner's database to the newest revision; nothing happens if they are."""
    from alembic import command

    engine = create_async_engine(asyncpg_url(url), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(lambda bound: command.upgrade(alembic_config(bound), "head"))
    finally:
        await engine.dispose()


async def differences(url: str) -> None:
    """Raise `alembic.util.AutogenerateDiffsDetected` if models and migrated tables differ."""
    from alembic import command

    engine = create_async_engine(asyncpg_url(url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(lambda bound: command.check(alembic_config(bound)))
    finally:
        await engine.dispose()
