"""
The service as child processes of one parent: start them, restart those that die, stop them all.

Children hold the reading end of a pipe whose writing end is the parent's alone: when the parent
goes, however it went, the pipe closes and they stop by themselves.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import structlog
from pydantic import SecretStr

from app import postgres
from app.commands.prepare import prepare
from app.errors import Unavailable
from app.postgres import Addresses
from app.postgres.programs import alive
from app.settings import Settings

READY_SECONDS = 180.0
STOP_SECONDS = 45.0
LIFELINE = "HOUNSFIELD_LIFELINE"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: where it answers, and where its database is."""

    url: str
    settings: Settings
    addresses: Addresses
    children: "Children"


@contextmanager
def running(
    settings: Settings,
    *,
    web: int | None = None,
    workers: int | None = None,
    listener: socket.socket | None = None,
) -> Iterator[Service]:
    """All in one: PostgreSQL, migrated; web and worker processes, ready. Stopped at the end.

    Web processes accept from the `listener`, or else from a socket of the settings' host and port.
    """
    with ExitStack() as stack:
        found = stack.enter_context(postgres.addresses(settings))
        prepare(settings, found.owner)
        if listener is None:
            listener = stack.enter_context(listen(settings))
        host, port = listener.getsockname()[:2]
        settings = settings.model_copy(update={"port": port})
        children = stack.enter_context(Children(settings).supervised())
        for _ in range(settings.web_processes if web is None else web):
            children.add("serve", "--fd", str(listener.fileno()), keep=(listener.fileno(),))
        for _ in range(settings.worker_processes if workers is None else workers):
            children.add("worker")
        reach = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
        url = f"http://[{reach}]:{port}" if ":" in reach else f"http://{reach}:{port}"
        if web != 0:
            await_ready(url, lambda: children.hopeless)
        yield Service(url, settings, found, children)


@contextmanager
def listen(settings: Settings) -> Iterator[socket.socket]:
    """The socket all web processes accept from."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    with contextlib.closing(listener):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise Unavailable(
                f"Nothing can listen on {settings.host} port {settings.port}: it is taken, or not "
                "allowed. Choose another with HOUNSFIELD_PORT."
            ) from error
        listener.listen(2048)
        yield listener


def await_ready(url: str, gone: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
    """Wait until the service answers that it is ready.

    Raises `Unavailable`, which says what was waited for, when it is `gone` or nothing came of it.
    """
    address = f"{url}/health/ready"
    patience = time.monotonic() + seconds
    last = "nothing answered there"
    with httpx.Client(timeout=5, trust_env=False) as client:
        while time.monotonic() < patience:
            with contextlib.suppress(httpx.HTTPError):
                answer = client.get(address)
                if answer.status_code == 200:
                    return
                last = f"its last answer was {answer.status_code}"
            if gone():
                raise Unavailable(
                    "A process of the service ended before it was ready; its log says why."
                )
            time.sleep(0.05)
    raise Unavailable(
        f"The service did not become ready within {seconds:.0f} s: {address} was asked again and "
        f"again, and {last}. Its log says what it was doing; on a busy machine, try again later."
    )


@dataclass(slots=True)
class _Child:
    arguments: Sequence[str]
    keep: Sequence[int]
    process: subprocess.Popen[bytes]
    started: float
    deaths: int = 0
    due: float = 0.0


@dataclass(slots=True)
class Children:
    """Child processes that run `hounsfield …`, kept running until the end."""

    settings: Settings
    _children: list[_Child] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _lifeline: tuple[int, int] = (-1, -1)
    _metrics: Path | None = None

    @contextmanager
    def supervised(self) -> Iterator["Children"]:
        """Keep them running inside, and leave none behind."""
        self._lifeline = os.pipe()
        self._metrics = metrics_folder(self.settings.data)
        watcher = threading.Thread(target=self._watch, name="children", daemon=True)
        watcher.start()
        try:
            yield self
        finally:
            self._stopping.set()
            watcher.join()
            self._stop()
            for end in self._lifeline:
                os.close(end)
            shutil.rmtree(self._metrics, ignore_errors=True)

    def add(self, *arguments: str, keep: Sequence[int] = ()) -> None:
        """Run one more; `keep` are the descriptors it inherits."""
        with self._turn:
            self._children.append(
                _Child(arguments, keep, self._spawn(arguments, keep), time.monotonic())
            )

    @property
    def hopeless(self) -> bool:
        """Whether some child keeps dying right after its start."""
        return any(child.deaths >= 3 for child in self._children)

    def _spawn(self, arguments: Sequence[str], keep: Sequence[int]) -> subprocess.Popen[bytes]:
        surroundings = {k: v for k, v in os.environ.items() if not k.startswith("HOUNSFIELD_")}
        surroundings |= environment(self.settings)
        surroundings |= {
            LIFELINE: str(self._lifeline[0]),
            "PROMETHEUS_MULTIPROC_DIR": str(self._metrics),
        }
        return subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "app.cli", *arguments],
            env=surroundings,
            pass_fds=(self._lifeline[0], *keep),
            stdin=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for the parent, which stops them in order
        )

    def _watch(self) -> None:
        while not self._stopping.wait(0.1):
            now = time.monotonic()
            with self._turn:
                for child in self._children:
                    if child.process.poll() is None:
                        if child.deaths and now - child.started > 60:
                            child.deaths = 0
                    elif not child.due:
                        child.deaths += 1
                        child.due = now + min(0.1 * 2**child.deaths, 15.0)
                        log.warning(
                            "a process ended; starting another",
                            step=child.arguments[0],
                            pid=child.process.pid,
                            status=child.process.returncode,
                        )
                    elif now >= child.due:
                        child.process = self._spawn(child.arguments, child.keep)
                        child.started, child.due = now, 0.0

    def _stop(self) -> None:
        """Ask, wait, insist."""
        for child in self._children:
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        patience = time.monotonic() + STOP_SECONDS
        for child in self._children:
            try:
                child.process.wait(timeout=max(0.1, patience - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()


def environment(settings: Settings) -> dict[str, str]:
    """The environment from which a child reads these same settings."""
    told = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if value is not None:
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            written = json.dumps(plain) if isinstance(plain, dict) else str(plain)
            told[f"HOUNSFIELD_{name.upper()}"] = written
    return told


def metrics_folder(data: Path) -> Path:
    """Where the processes of this run count together; what dead runs left is swept away."""
    folder = data / "metrics"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in folder.iterdir():
        if left.name.isdigit() and not alive(int(left.name)):
            shutil.rmtree(left, ignore_errors=True)
    own = folder / str(os.getpid())
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(mode=0o700)
    return own


def hold_lifeline() -> None:
    """In a child: stop when the parent is gone, whichever way it went."""
    given = os.environ.pop(LIFELINE, None)
    if given is None:
        return
    handle = int(given)

    def watch() -> None:
        os.read(handle, 1)  # nothing is ever written: this returns when the other end closes
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
