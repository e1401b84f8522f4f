"""
The embedded PostgreSQL: initialise, start, prove alive, stop.

One process owns a cluster and holds its lock; others read the address file. What an owner that was
killed left running is adopted by the next one, or stopped. Loopback only, with passwords (scram).

    <data>/postgres/            0700: lock, address.json, passwords.json (0600)
    <data>/postgres/cluster     the data of an ordinary user's server, its log beside it
    /var/lib/hounsfield/…       as root: PostgreSQL refuses to run as root, so the programs are copied
                                there and run, with their data, under an account of their own
"""

import asyncio
import atexit
import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from app import telemetry
from app.errors import Unavailable, Unprocessable
from app.postgres.programs import Place, abandoned, place
from app.postgres.server import (
    ADMINISTRATOR,
    RECOVERY_SECONDS,
    Server,
    answer,
    connect,
    end_leftovers,
    run,
    write,
)
from app.settings import Settings

OWNER = "hounsfield"
ROLES = ("hounsfield_web", "hounsfield_worker")
DATABASE = "hounsfield"

log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where each role finds the database, as postgresql:// addresses."""

    owner: str
    web: str
    worker: str


@contextmanager
def addresses(settings: Settings) -> Iterator[Addresses]:
    """The database of these settings: the server they name, or the embedded one while it is needed.

    With only an owner's address, `Database` logs in as the owner and takes the role.
    """
    if settings.database_url is None:
        with Embedded(settings.data) as cluster:
            yield cluster.addresses()
        return
    owner = settings.database_url.get_secret_value()
    web, worker = settings.database_url_web, settings.database_url_worker
    yield Addresses(
        owner=owner,
        web=web.get_secret_value() if web else owner,
        worker=worker.get_secret_value() if worker else owner,
    )


@asynccontextmanager
async def reached(settings: Settings) -> AsyncIterator[Addresses]:
    """The same inside an event loop, which goes on while PostgreSQL starts."""
    found = addresses(settings)
    opened = await asyncio.to_thread(found.__enter__)
    try:
        yield opened
    finally:
        await asyncio.to_thread(found.__exit__, None, None, None)


class Embedded:
    """A PostgreSQL of one data folder.

    Its owner stops it, whoever else still reads it. `durable=False` is for tests: a power cut may
    corrupt it.
    """

    def __init__(self, data: Path, *, durable: bool = True) -> None:
        self.data = data.resolve()
        self.home = self.data / "postgres"
        self.durable = durable
        self._server: Server | None = None
        self._port: int | None = None
        self._passwords: dict[str, str] = {}
        self._held: int | None = None

    @property
    def owns(self) -> bool:
        """Whether this process holds the lock, and so will stop the server."""
        return self._server is not None

    @property
    def port(self) -> int:
        """The loopback port the server listens on."""
        port = self._server.port if self._server else self._port
        if port is None:
            raise Unavailable("The embedded PostgreSQL is not running.")
        return port

    def start(self) -> str:
        """Own the cluster, or find its owner's; the owner role's address once it answers."""
        if self._server is not None or self._port is not None:
            return self.url()
        self._open_home()
        try:
            self._own_or_attach()
        except BaseException:
            self._release()
            raise
        atexit.register(self.stop)
        return self.url()

    def stop(self) -> None:
        """Leave the cluster; as its owner stop it and see that nothing of it runs on."""
        atexit.unregister(self.stop)
        try:
            if self._server is not None:
                self._server.stop()
        finally:
            self._server = self._port = None
            self._release()

    def destroy(self) -> None:
        """Stop, and delete the cluster with everything in it."""
        self.stop()
        self._open_home()
        if not self._lock():
            raise Unavailable("Another process owns this PostgreSQL. Stop it first.")
        there = place(self.data, self.home)
        end_leftovers(there.room / "cluster")
        shutil.rmtree(there.room, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)
        self._release()

    def url(self, role: str = OWNER, database: str = DATABASE) -> str:
        """The address of a database for one of the roles (`owner` is the owner's)."""
        role = OWNER if role == "owner" else role
        port = self.port
        return f"postgresql://{role}:{self._passwords[role]}@127.0.0.1:{port}/{database}"

    def addresses(self, database: str = DATABASE) -> Addresses:
        """The addresses of all three roles."""
        owner, web, worker = (self.url(role, database) for role in (OWNER, *ROLES))
        return Addresses(owner, web, worker)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database that the owner role owns, perhaps a copy; its address for the owner."""
        copied = f' TEMPLATE "{_plain(template)}"' if template else ""
        run(self._execute(f'CREATE DATABASE "{_plain(name)}"{copied}'))
        return self.url(OWNER, name)

    def drop_database(self, name: str) -> None:
        """Drop a database and end whoever is connected to it."""
        run(self._execute(f'DROP DATABASE IF EXISTS "{_plain(name)}" WITH (FORCE)'))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def _open_home(self) -> None:
        """Our own corner of the data folder. Folders that were there already are left as they are."""
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.home.mkdir(mode=0o700, exist_ok=True)
            if self.home.stat().st_uid != os.geteuid():
                raise PermissionError
            self.home.chmod(0o700)
        except OSError as error:
            raise Unavailable(
                f"The data folder {self.data} cannot be used by this account. Run Hounsfield as the "
                "account that owns it, or name another folder in HOUNSFIELD_DATA."
            ) from error

    def _own_or_attach(self) -> None:
        patience = time.monotonic() + RECOVERY_SECONDS
        while not self._lock():
            if self._attach():
                return
            if time.monotonic() > patience:
                raise Unavailable(
                    "Another process owns the embedded PostgreSQL and it does not answer."
                )
            time.sleep(0.1)
        self._own()

    def _attach(self) -> bool:
        """Use the server of the process that holds the lock, if it answers."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            passwords = json.loads((self.home / "passwords.json").read_text())
            address = json.loads((self.home / "address.json").read_text())
            port, cluster = int(address["port"]), Path(address["cluster"])
            if run(answer(port, passwords[ADMINISTRATOR], cluster)) == "alive":
                self._passwords, self._port = passwords, port
                return True
        return False

    def _own(self) -> None:
        there = place(self.data, self.home)
        self._refuse_moved(there)
        there.prepare()
        if there.account is not None:
            for room in abandoned():
                shutil.rmtree(room, ignore_errors=True)
        self._passwords = self._remembered_passwords(there)
        server = self._server_of(there)
        if not (server.cluster / "PG_VERSION").exists():
            server.initialise()
            write(self.home / "room", str(there.room))
        made_by = (server.cluster / "PG_VERSION").read_text().strip()
        if made_by != there.major:
            raise Unavailable(
                f"The data folder was made by PostgreSQL {made_by} and this release brings "
                f"{there.major}. Dump it with the release that made it and restore it with this one."
            )
        try:
            run(self._provide(server.start()))
        except BaseException:
            server.stop()
            raise
        server.watch()
        self._server = server

    def _server_of(self, there: Place) -> Server:
        password = self._passwords[ADMINISTRATOR]
        return Server(there, self.home / "address.json", password, durable=self.durable)

    def _refuse_moved(self, there: Place) -> None:
        """As root the cluster is found by the data folder's path: a moved folder would seem empty."""
        with contextlib.suppress(FileNotFoundError):
            made_in = Path((self.home / "room").read_text())
            if there.account and made_in != there.room and not (there.room / "cluster").exists():
                raise Unavailable(
                    f"The database of this data folder is in {made_in}. Move the data folder back to "
                    f"where it was made, or move the database to {there.room}."
                )

    def _remembered_passwords(self, there: Place) -> dict[str, str]:
        """Passwords made at the first start; a cluster whose passwords are gone is set aside."""
        path = self.home / "passwords.json"
        with contextlib.suppress(OSError, ValueError):
            kept: dict[str, str] = json.loads(path.read_text())
            if {ADMINISTRATOR, OWNER, *ROLES} <= kept.keys():
                return kept
        cluster = there.room / "cluster"
        if cluster.exists():
            end_leftovers(cluster)
            aside = cluster.with_name(f"cluster.set-aside-{time.time_ns()}")
            cluster.rename(aside)
            log.warning("set a cluster aside whose passwords are gone", path=str(aside))
        fresh = {role: secrets.token_hex(24) for role in (ADMINISTRATOR, OWNER, *ROLES)}
        write(path, json.dumps(fresh))
        return fresh

    async def _provide(self, port: int) -> None:
        """The login roles and the database, as they should be; safe to repeat.

        The owner may create databases and roles and is past row-level security (dumps, backfills),
        but is no superuser: what it can do here an ordinary server's owner can do as well.
        """
        connection = await connect(port, ADMINISTRATOR, self._passwords[ADMINISTRATOR])
        try:
            known = {
                row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")
            }
            for role in (OWNER, *ROLES):
                if role not in known:
                    await connection.execute(f"CREATE ROLE {role}")
                rights = "CREATEDB CREATEROLE BYPASSRLS" if role == OWNER else "NOBYPASSRLS"
                await connection.execute(
                    f"ALTER ROLE {role} LOGIN {rights} PASSWORD '{_plain(self._passwords[role])}'"
                )
                if role != OWNER:
                    await connection.execute(f"GRANT {role} TO {OWNER} WITH ADMIN OPTION")
            await connection.execute(f"GRANT pg_monitor, pg_signal_backend TO {OWNER}")
            exists = "SELECT 1 FROM pg_database WHERE datname = $1"
            if not await connection.fetchval(exists, DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        finally:
            await connection.close()

    async def _execute(self, statement: str) -> None:
        connection = await connect(self.port, OWNER, self._passwords[OWNER])
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _lock(self) -> bool:
        """Take the lock of the cluster, if nobody has it."""
        handle = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._held = handle
        return True

    def _release(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None


def _plain(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_\-]{1,63}", name):
        raise Unprocessable("A database name has letters, digits, _ and -, and at most 63 of them.")
    return name
