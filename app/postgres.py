"""
The embedded PostgreSQL: initialise, start, prove alive, stop.

One process owns a cluster and holds its lock; others read the address file. A server is alive when
it answers us and names our folder, never because a process number exists. What an owner that was
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
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self, TypeVar
from urllib.parse import quote

import asyncpg
import structlog

from app import postgres_programs as programs
from app.errors import Unavailable, Unprocessable
from app.settings import Settings

ADMINISTRATOR = "postgres"  # the bootstrap superuser: only this file logs in as it
OWNER = "hounsfield"
ROLES = ("hounsfield_web", "hounsfield_worker")
DATABASE = "hounsfield"
RECOVERY_SECONDS = 900.0  # a crash may leave max_wal_size to replay
SILENCE_SECONDS = 60.0
STOP_SECONDS = 60.0

_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",  # wide scans are DuckDB's; containers have a small /dev/shm
    "autovacuum_naptime": "15s",
    "timezone": "UTC",
    "password_encryption": "scram-sha-256",
    # The server's log must not repeat what was submitted: no failed statement, parameter or detail.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
_CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_HOST_RULES = (
    "# Written by Hounsfield at initialisation.\n"
    "host all all 127.0.0.1/32 scram-sha-256\n"
    "host replication all 127.0.0.1/32 scram-sha-256\n"
)

log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where each role finds the database, as postgresql:// addresses."""

    owner: str
    web: str
    worker: str


@contextmanager
def addresses(settings: Settings) -> Iterator[Addresses]:
    """The database of these settings: the server they name, or the embedded one, for as long as needed.

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


class Embedded:
    """A PostgreSQL of one data folder.

    `durable=False` is for tests: a power cut may corrupt it. With `shared=True` it is stopped by
    whoever leaves last; otherwise by its owner, whoever else still reads it.
    """

    def __init__(self, data: Path, *, durable: bool = True, shared: bool = False) -> None:
        self.data = data.resolve()
        self.home = self.data / "postgres"
        self.durable = durable
        self.shared = shared
        self.owns = False
        self._turn = threading.RLock()
        self._closing = threading.Event()
        self._locks: dict[str, int] = {}
        self._passwords: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        self._port: int | None = None
        self._place: programs.Place | None = None

    # --- what others use ---------------------------------------------------------------------

    def start(self) -> str:
        """Own the cluster, or find its owner's; the owner role's address once it answers."""
        with self._turn:
            if self._port is not None:
                return self.url()
            self._closing.clear()
            self._open_home()
            try:
                self._own_or_attach()
            except BaseException:
                self._release("lock")
                self._release("users")
                raise
            if self.owns:
                threading.Thread(target=self._watch, name="postgres", daemon=True).start()
                atexit.register(self.stop)
            return self.url()

    def stop(self) -> None:
        """Leave the cluster; as its owner stop it and see that nothing of it runs on."""
        self._closing.set()
        with self._turn:
            if self._port is None:
                return
            atexit.unregister(self.stop)
            if self.shared:
                self._leave_shared()
            elif self.owns:
                self._stop_server()
            self._port, self.owns = None, False
            self._release("lock")
            self._release("users")

    def destroy(self) -> None:
        """Stop, and delete the cluster with everything in it."""
        self.stop()
        self._open_home()
        if not self._lock("lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
            raise Unavailable("Another process owns this PostgreSQL. Stop it first.")
        self._place = self._placed()
        self._end_leftovers()
        shutil.rmtree(
            self._place.room if self._place.account else self._cluster, ignore_errors=True
        )
        shutil.rmtree(self.home, ignore_errors=True)
        self._release("lock")

    def url(self, role: str = OWNER, database: str = DATABASE) -> str:
        """The address of a database for one of the roles."""
        role = OWNER if role == "owner" else role
        if self._port is None:
            raise Unavailable("The embedded PostgreSQL is not started.")
        return (
            f"postgresql://{role}:{quote(self._passwords[role])}@127.0.0.1:{self._port}/{database}"
        )

    def addresses(self, database: str = DATABASE) -> Addresses:
        """The addresses of all three roles."""
        return Addresses(
            owner=self.url(OWNER, database),
            web=self.url(ROLES[0], database),
            worker=self.url(ROLES[1], database),
        )

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database that the owner role owns, perhaps a copy; its address for the owner."""
        copied = f' TEMPLATE "{_plain(template)}"' if template else ""
        _run(self._execute(OWNER, f'CREATE DATABASE "{_plain(name)}"{copied}'))
        return self.url(OWNER, name)

    def drop_database(self, name: str) -> None:
        """Drop a database and end whoever is connected to it."""
        _run(self._execute(OWNER, f'DROP DATABASE IF EXISTS "{_plain(name)}" WITH (FORCE)'))

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

    # --- whose it is -------------------------------------------------------------------------

    @property
    def _cluster(self) -> Path:
        assert self._place is not None
        return self._place.room / "cluster"

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
        if self.shared:
            self._lock("users", fcntl.LOCK_SH)  # waits while the last one out is stopping it
        patience = time.monotonic() + RECOVERY_SECONDS
        while not self._lock("lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
            if self._attach():
                return
            if time.monotonic() > patience:
                raise Unavailable(
                    "Another process owns the embedded PostgreSQL and it does not answer."
                )
            time.sleep(0.1)
        self._own()
        self.owns = True

    def _attach(self) -> bool:
        """Use the server of the process that holds the lock, if it answers."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            passwords = json.loads((self.home / "passwords.json").read_text())
            address = json.loads((self.home / "address.json").read_text())
            self._passwords, cluster = passwords, Path(address["cluster"])
            if _run(_answer(address["port"], passwords[ADMINISTRATOR], cluster)) == "alive":
                self._port = int(address["port"])
                return True
        return False

    def _own(self) -> None:
        self._place = self._placed()
        self._place.prepare()
        self._passwords = self._remembered_passwords()
        if not (self._cluster / "PG_VERSION").exists():
            self._initialise()
        elif (version := (self._cluster / "PG_VERSION").read_text().strip()) != self._place.major:
            raise Unavailable(
                f"The data folder was made by PostgreSQL {version} and this release brings "
                f"{self._place.major}. Dump it with the release that made it and restore it with this one."
            )
        port = self._adopt()
        if port is None:
            self._end_leftovers()
            port = self._launch()
        _run(self._provide(port))
        self._write_address(port)
        self._port = port

    def _placed(self) -> programs.Place:
        return programs.place(self.data, self.home)

    def _leave_shared(self) -> None:
        """The last one out stops the server; the door keeps two last ones from passing it on."""
        self._lock("door", fcntl.LOCK_EX)
        try:
            if not self._lock("users", fcntl.LOCK_EX | fcntl.LOCK_NB):
                return
            if not self.owns:
                if not self._lock("lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
                    return
                self._place = self._placed()
                self._pid = self._recorded_pid()
            self._stop_server()
        finally:
            self._release("lock")
            self._release("users")
            self._release("door")

    def _lock(self, name: str, kind: int) -> bool:
        handle = self._locks.get(name)
        if handle is None:
            handle = os.open(self.home / name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, kind)
        except BlockingIOError:
            if name not in self._locks:
                os.close(handle)
            return False
        self._locks[name] = handle
        return True

    def _release(self, name: str) -> None:
        handle = self._locks.pop(name, None)
        if handle is not None:
            os.close(handle)

    # --- making one --------------------------------------------------------------------------

    def _remembered_passwords(self) -> dict[str, str]:
        """Passwords made at the first start; a cluster whose passwords are gone is set aside."""
        path = self.home / "passwords.json"
        with contextlib.suppress(OSError, ValueError):
            kept: dict[str, str] = json.loads(path.read_text())
            if {ADMINISTRATOR, OWNER, *ROLES} <= kept.keys():
                return kept
        if self._cluster.exists():
            self._end_leftovers()
            aside = self._cluster.with_name(f"cluster.set-aside-{time.time_ns()}")
            self._cluster.rename(aside)
            log.warning("a cluster without its passwords was set aside", path=str(aside))
        fresh = {role: secrets.token_hex(24) for role in (ADMINISTRATOR, OWNER, *ROLES)}
        _write(path, json.dumps(fresh))
        return fresh

    def _initialise(self) -> None:
        """initdb beside the final place, then one rename: half a cluster never counts as one."""
        assert self._place is not None
        draft = self._place.room / "cluster.draft"
        shutil.rmtree(draft, ignore_errors=True)
        password = self._place.room / "password"
        _write(password, self._passwords[ADMINISTRATOR])
        self._place.give(password)
        arguments = [
            "-D",
            str(draft),
            "-U",
            ADMINISTRATOR,
            f"--pwfile={password}",
            "--encoding=UTF8",
        ]
        arguments += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        arguments += ["--auth=scram-sha-256", *([] if self.durable else ["--no-sync"])]
        try:
            with self._log_file() as output:
                process = self._place.run("initdb", arguments, output)
                if process.wait(timeout=300) != 0:
                    raise Unavailable(f"PostgreSQL could not be initialised: see {self._log_path}.")
        finally:
            password.unlink(missing_ok=True)
        rules = draft / "pg_hba.conf"
        rules.write_text(_HOST_RULES)
        draft.rename(self._cluster)

    @property
    def _log_path(self) -> Path:
        assert self._place is not None
        return self._place.room / "log"

    def _log_file(self) -> IO[bytes]:
        path = self._log_path
        if path.exists() and path.stat().st_size > 10 * 1024 * 1024:
            path.replace(path.with_suffix(".old"))
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        return os.fdopen(handle, "ab")

    async def _provide(self, port: int) -> None:
        """The login roles and the database, as they should be; safe to repeat.

        The owner may create databases and roles and is past row-level security (dumps, backfills),
        but is no superuser: what it can do here a server's ordinary owner can do as well.
        """
        connection = await _connect(port, ADMINISTRATOR, self._passwords[ADMINISTRATOR], "postgres")
        try:
            known = {
                row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")
            }
            for role in (OWNER, *ROLES):
                if role not in known:
                    await connection.execute(f"CREATE ROLE {role}")
                rights = (
                    "CREATEDB CREATEROLE BYPASSRLS" if role == OWNER else "NOCREATEDB NOBYPASSRLS"
                )
                await connection.execute(
                    f"ALTER ROLE {role} LOGIN {rights} PASSWORD '{_plain(self._passwords[role])}'"
                )
                if role != OWNER:
                    await connection.execute(f"GRANT {role} TO {OWNER} WITH ADMIN OPTION")
            await connection.execute(f"GRANT pg_monitor, pg_signal_backend TO {OWNER}")
            if not await connection.fetchval(
                "SELECT 1 FROM pg_database WHERE datname = $1", DATABASE
            ):
                await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        finally:
            await connection.close()

    async def _execute(self, role: str, statement: str) -> None:
        assert self._port is not None
        connection = await _connect(self._port, role, self._passwords[role], "postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    # --- running it --------------------------------------------------------------------------

    def _options(self) -> dict[str, str]:
        return _OPTIONS | ({} if self.durable else _CARELESS)

    def _write_address(self, port: int) -> None:
        content = {"port": port, "cluster": str(self._cluster), "options": self._options()}
        _write(self.home / "address.json", json.dumps(content))

    def _recorded_port(self) -> tuple[int | None, bool]:
        """The port of the last start, and whether that start had the options of this one."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            address = json.loads((self.home / "address.json").read_text())
            return int(address["port"]), address["options"] == self._options()
        return None, False

    def _recorded_pid(self) -> int | None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int((self._cluster / "postmaster.pid").read_text().splitlines()[0])
        return None

    def _adopt(self) -> int | None:
        """The port of a server of ours that a killed owner left, once it answers; it is ours now."""
        pid, (port, same_options) = self._recorded_pid(), self._recorded_port()
        if pid is None or port is None or not same_options:
            return None
        if not self._await_answer(port, lambda: programs.alive(pid)):
            return None
        self._pid, self._process = pid, None
        log.info("adopted a running PostgreSQL", port=port)
        return port

    def _launch(self) -> int:
        """Start the server: on the port it had, if that is still free, so that others find it again."""
        assert self._place is not None
        for attempt in range(6):
            port = (None if attempt else self._recorded_port()[0]) or _free_port()
            arguments = ["-D", str(self._cluster), "-p", str(port)]
            for name, value in self._options().items():
                arguments += ["-c", f"{name}={value}"]
            with self._log_file() as output:
                process = self._place.run("postgres", arguments, output)
            if self._await_answer(port, lambda process=process: process.poll() is None):  # type: ignore[misc]
                self._process, self._pid = process, process.pid
                log.info("started PostgreSQL", port=port)
                return port
            self._end(process)
            self._end_leftovers()
            time.sleep(0.2 * attempt)
        raise Unavailable(f"The embedded PostgreSQL does not start: see {self._log_path}.")

    def _await_answer(self, port: int, running: Any) -> bool:
        """Wait until the server on `port` answers as ours; recovery may take its time, silence not."""
        begun = heard = time.monotonic()
        while True:
            answer = _run(_answer(port, self._passwords[ADMINISTRATOR], self._cluster))
            now = time.monotonic()
            if answer == "alive":
                return True
            if answer == "stranger" or not running():
                return False
            if answer == "busy":
                heard = now
            if now - heard > SILENCE_SECONDS or now - begun > RECOVERY_SECONDS:
                return False
            time.sleep(0.03)

    def _watch(self) -> None:
        """The owner notices that the server died and starts it again, on the same port."""
        pause = 0.25
        while not self._closing.wait(pause):
            pid, process = self._pid, self._process
            if process.poll() is None if process else programs.alive(pid):
                pause = 0.25
                continue
            with self._turn:
                if self._closing.is_set() or not self.owns:
                    return
                log.warning("PostgreSQL ended unasked; starting it again", port=self._port)
                try:
                    self._end_leftovers()
                    port = self._launch()
                    self._write_address(port)
                    self._port = port
                except (OSError, Unavailable) as error:
                    log.error("PostgreSQL could not be started again", error=type(error).__name__)
                    pause = min(pause * 2, 30.0)

    def _stop_server(self) -> None:
        """Fast shutdown, then harder; nothing of the cluster runs afterwards."""
        if self._process is not None:
            self._end(self._process)
        elif self._pid is not None:
            _signal(self._pid, signal.SIGINT)
            _wait(lambda: not programs.alive(self._pid), STOP_SECONDS)
        self._end_leftovers()
        (self.home / "address.json").unlink(missing_ok=True)
        self._process = self._pid = None
        log.info("stopped PostgreSQL", port=self._port)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        for ending, patience in (
            (signal.SIGINT, STOP_SECONDS),
            (signal.SIGQUIT, 10.0),
            (signal.SIGKILL, 10.0),
        ):
            if process.poll() is not None:
                return
            _signal(process.pid, ending)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=patience)

    def _end_leftovers(self) -> None:
        """End what still runs in our cluster's folder, and forget a stale process number.

        We hold the lock and nothing there answers us: a server that lost its owner in the middle of
        its start, or backends that have not yet noticed that their server is gone.
        """
        for ending, patience in ((None, 0.5), (signal.SIGINT, 20.0), (signal.SIGKILL, 10.0)):
            left = programs.working_in(self._cluster)
            if not left:
                break
            for pid in left if ending is not None else ():
                _signal(pid, ending)
            _wait(lambda: not programs.working_in(self._cluster), patience)
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)


def _plain(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_\-]{1,63}", name):
        raise Unprocessable("A database name has letters, digits, _ and -, and at most 63 of them.")
    return name


def _write(path: Path, content: str) -> None:
    """Write a file that only we may read, whole or not at all."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait(over: Any, seconds: float) -> bool:
    patience = time.monotonic() + seconds
    while not over():
        if time.monotonic() > patience:
            return False
        time.sleep(0.05)
    return True


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, whether or not the caller is inside an event loop."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _connect(port: int, role: str, password: str, database: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host="127.0.0.1",
        port=port,
        user=role,
        password=password,
        database=database,
        ssl=False,
        timeout=10,
    )


async def _answer(port: int, password: str, cluster: Path) -> str:
    """How the server on a port answers: alive (ours), busy (starting), silent, or a stranger."""
    try:
        connection = await _connect(port, ADMINISTRATOR, password, "postgres")
    except asyncpg.CannotConnectNowError:
        return "busy"
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError):
        return "silent"
    except (asyncpg.PostgresError, asyncpg.InterfaceError):
        return "stranger"
    try:
        folder = await connection.fetchval("SELECT current_setting('data_directory')")
        return "alive" if Path(folder) == cluster else "stranger"
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return "silent"
    finally:
        with contextlib.suppress(
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError
        ):
            await connection.close(timeout=5)
