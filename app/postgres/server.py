"""
One PostgreSQL server of one cluster: initialise, adopt or launch, prove alive, watch, stop.

Alive means that it answers our password and names our folder. A process number proves nothing:
it may be another program's by now, or a zombie's.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

import asyncpg

from app import telemetry
from app.errors import Unavailable
from app.postgres.programs import Place, alive, working_in

ADMINISTRATOR = "postgres"  # the bootstrap superuser: only this package logs in as it
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

log = telemetry.logger(__name__)
Result = TypeVar("Result")


class Server:
    """The server of the cluster in `place`; only the holder of the lock may make one."""

    def __init__(self, place: Place, address: Path, password: str, *, durable: bool) -> None:
        self.place = place
        self.cluster = place.room / "cluster"
        self.log = place.room / "log"
        self.port: int | None = None
        self._address = address
        self._password = password
        self._options = _OPTIONS | ({} if durable else _CARELESS)
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        self._turn = threading.Lock()
        self._closing = threading.Event()

    def initialise(self) -> None:
        """initdb beside the final place, then one rename: half a cluster never counts as one."""
        draft = self.place.room / "cluster.draft"
        shutil.rmtree(draft, ignore_errors=True)
        password = self.place.room / "password"
        write(password, self._password)
        self.place.give(password)
        arguments = ["-D", str(draft), "-U", ADMINISTRATOR, f"--pwfile={password}"]
        arguments += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        arguments += ["--builtin-locale=C.UTF-8", "--auth=scram-sha-256"]
        try:
            with self._log_file() as output:
                process = self.place.run(
                    "initdb", arguments if self._durable else [*arguments, "--no-sync"], output
                )
                if process.wait(timeout=300) != 0:
                    raise Unavailable(f"PostgreSQL could not be initialised: see {self.log}.")
        finally:
            password.unlink(missing_ok=True)
        (draft / "pg_hba.conf").write_text(_HOST_RULES)
        draft.rename(self.cluster)

    def start(self) -> int:
        """Adopt what a killed owner left running, or launch; the port once the server answers."""
        if (port := self._adopt()) is None:
            end_leftovers(self.cluster)
            port = self._launch()
        self.port = port
        self._write_address()
        return port

    def watch(self) -> None:
        """Notice from now on that the server died, and start it again on the same port."""
        threading.Thread(target=self._watch, name="postgres", daemon=True).start()

    def stop(self) -> None:
        """Fast shutdown, then harder; nothing of the cluster runs afterwards."""
        self._closing.set()
        with self._turn:
            if self._process is not None:
                _end(self._process)
            else:
                pid = self._pid if self._pid is not None else self._recorded_pid()
                if pid is not None and pid in working_in(self.cluster, otherwise=[pid]):
                    send(pid, signal.SIGINT)
                    _wait(lambda: not alive(pid), STOP_SECONDS)
            end_leftovers(self.cluster)
            self._address.unlink(missing_ok=True)
            log.info("stopped PostgreSQL", port=self.port)
            self._process = self._pid = self.port = None

    def _log_file(self) -> IO[bytes]:
        if self.log.exists() and self.log.stat().st_size > 10 * 1024 * 1024:
            self.log.replace(self.log.with_suffix(".old"))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        return os.fdopen(os.open(self.log, flags, 0o600), "ab")

    def _write_address(self) -> None:
        content = {"port": self.port, "cluster": str(self.cluster), "options": self._options}
        write(self._address, json.dumps(content))

    def _recorded(self) -> tuple[int | None, bool]:
        """The port of the last start, and whether that start had the options of this one."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            address = json.loads(self._address.read_text())
            return int(address["port"]), address["options"] == self._options
        return None, False

    def _recorded_pid(self) -> int | None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int((self.cluster / "postmaster.pid").read_text().splitlines()[0])
        return None

    def _adopt(self) -> int | None:
        """The port of a server of ours that a killed owner left, once it answers; it is ours now."""
        pid, (port, same_options) = self._recorded_pid(), self._recorded()
        if pid is None or port is None or not same_options:
            return None
        if pid not in working_in(self.cluster, otherwise=[pid]):
            return None
        if not self._await_answer(port, lambda: alive(pid)):
            return None
        self._pid, self._process = pid, None
        log.info("adopted a running PostgreSQL", port=port)
        return port

    def _launch(self) -> int:
        """Start the server: on the port it had, if that is still free, so that others find it again."""
        for attempt in range(6):
            port = (None if attempt else self._recorded()[0]) or _free_port()
            arguments = ["-D", str(self.cluster), "-p", str(port)]
            for name, value in self._options.items():
                arguments += ["-c", f"{name}={value}"]
            with self._log_file() as output:
                process = self.place.run("postgres", arguments, output)
            if self._await_answer(port, lambda running=process: running.poll() is None):  # type: ignore[misc]
                self._process, self._pid = process, process.pid
                log.info("started PostgreSQL", port=port)
                return port
            _end(process)
            end_leftovers(self.cluster)
            time.sleep(0.2 * attempt)
        raise Unavailable(f"The embedded PostgreSQL does not start: see {self.log}.")

    def _await_answer(self, port: int, running: Callable[[], bool]) -> bool:
        """Wait until the server on `port` answers as ours; recovery may take its time, silence not."""
        begun = heard = time.monotonic()
        while True:
            said = run(answer(port, self._password, self.cluster))
            now = time.monotonic()
            if said == "alive":
                return True
            if said == "stranger" or not running():
                return False
            if said == "busy":
                heard = now
            if now - heard > SILENCE_SECONDS or now - begun > RECOVERY_SECONDS:
                return False
            time.sleep(0.03)

    def _watch(self) -> None:
        pause = 0.25
        while not self._closing.wait(pause):
            if self._process.poll() is None if self._process else alive(self._pid):
                pause = 0.25
                continue
            with self._turn:
                if self._closing.is_set():
                    return
                log.warning("PostgreSQL ended unasked; starting it again", port=self.port)
                try:
                    end_leftovers(self.cluster)
                    self.port = self._launch()
                    self._write_address()
                except (OSError, Unavailable) as error:
                    log.error("PostgreSQL could not be started again", error=type(error).__name__)
                    pause = min(pause * 2, 30.0)


def end_leftovers(cluster: Path) -> None:
    """End what still runs in a cluster's folder, and forget a stale process number.

    The caller holds the lock and nothing there answers: a server that lost its owner in the middle
    of its start, or backends that have not yet noticed that their server is gone.
    """
    for ending, patience in ((None, 0.5), (signal.SIGINT, 20.0), (signal.SIGKILL, 10.0)):
        left = working_in(cluster)
        if not left:
            break
        for pid in left:
            if ending is not None:
                send(pid, ending)
        _wait(lambda: not working_in(cluster), patience)
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def write(path: Path, content: str) -> None:
    """Write a file that only we may read, whole or not at all."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end, whether or not the caller is inside an event loop."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


async def connect(port: int, role: str, password: str, database: str = "postgres") -> Any:
    """A connection to the server on a loopback port."""
    return await asyncpg.connect(
        host="127.0.0.1",
        port=port,
        user=role,
        password=password,
        database=database,
        ssl=False,
        timeout=10,
    )


async def answer(
    port: int, password: str, cluster: Path
) -> Literal["alive", "busy", "silent", "stranger"]:
    """How the server on a port answers: alive (ours), busy (starting), silent, or a stranger."""
    try:
        connection = await connect(port, ADMINISTRATOR, password)
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


def _end(process: subprocess.Popen[bytes]) -> None:
    for ending, patience in (
        (signal.SIGINT, STOP_SECONDS),
        (signal.SIGQUIT, 10.0),
        (signal.SIGKILL, 10.0),
    ):
        if process.poll() is not None:
            return
        send(process.pid, ending)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait(over: Callable[[], bool], seconds: float) -> None:
    patience = time.monotonic() + seconds
    while not over() and time.monotonic() < patience:
        time.sleep(0.05)
