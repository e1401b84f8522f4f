"""
Processes of `hounsfield …` that begin with everything imported.

To import the service costs each process two to four seconds, and the tests start some hundred. A
nursery is one process that imports it once; whatever is started is a fork of it, with the
environment, the arguments and the output of its own, and may be killed like any other.

What a fork cannot show, and who shows it:

    what it does from its very first line    `test_cli.py` starts real processes, several together
    an import that only another part makes   ruff and mypy find each name and each module's attributes;
                                             `test_cli.py` loads every command by itself (soak)
    what is read as Python or a library      `start` refuses a variable of that kind that is not the
    begins: PYTHONHASHSEED, metrics' folder  nursery's; metrics of several processes are in `test_cli.py`
    an order that hangs on hashes            all forks hash alike; workers of `hounsfield issue` are
                                             processes of their own, and so are the runs of `hounsfield
                                             deid` that are killed and compared, with hashes of their own
    what a parent leaves behind              a fork has the three descriptors it was given and no thread
                                             of Python's (`test_nursery.py`); Python itself seeds `random`
                                             anew, keys come from the kernel, and telemetry is configured
                                             by the command, as in any process
"""

import atexit
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NoReturn

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = "TESTS_NURSERY"
"""Where a run's workers read what the run's first process has begun."""
_LENGTH = 8
"""Bytes that say how long a request is."""
EARLY = ("PYTHON", "PROMETHEUS_", "OMP_", "OPENBLAS_", "MALLOC_", "LD_")
"""How variables begin that are read when Python or a library begins: a fork comes too late for them."""


class Started:
    """A process that a nursery started: as `subprocess.Popen` has it."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self._lines = told.makefile("r", encoding="ascii")
        self.pid = int(self._lines.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, once it has."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end: the number it ended with, negative if a signal did it."""
        if self.returncode is None:
            with selectors.DefaultSelector() as told:
                told.register(self._told, selectors.EVENT_READ)
                if not told.select(timeout):
                    raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            ended = self._lines.readline()
            assert ended, "the nursery has gone"
            self.returncode = int(ended)
            self._lines.close()
            self._told.close()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it, if it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it ended, and we are not told yet
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    words: Sequence[str], env: Mapping[str, str], *, out: IO[bytes], err: IO[bytes]
) -> Started:
    """Start `hounsfield …` in an environment of its own."""
    given, ours = (
        {name: value for name, value in one.items() if name.startswith(EARLY)}
        for one in (env, os.environ)
    )
    assert given == ours, "a fork comes too late for these variables: start a real process"
    asked = socket.socket(socket.AF_UNIX)
    asked.connect(os.environ[ADDRESS])
    request = json.dumps([list(words), dict(env)]).encode()
    socket.send_fds(asked, [len(request).to_bytes(_LENGTH)], [out.fileno(), err.fileno()])
    asked.sendall(request)
    return Started(asked)


def run(
    words: Sequence[str], env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `hounsfield …` to its end."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start(words, env, out=out, err=err)
        try:
            ended = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        said = []
        for one in (out, err):
            one.seek(0)
            said.append(one.read().decode())
    return subprocess.CompletedProcess(list(words), ended, *said)


@contextmanager
def nursing() -> Iterator[None]:
    """A nursery for this process and those it starts; it imports when it is first asked."""
    with (
        tempfile.TemporaryDirectory(prefix="hounsfield-nursery-") as folder,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        listener.bind(f"{folder}/asked")
        listener.listen(64)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.nursery", str(listener.fileno())],
            cwd=ROOT,
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,
        )
        listener.close()  # once it has gone, nobody is to wait for it
        os.environ[ADDRESS] = f"{folder}/asked"
        try:
            yield
        finally:
            del os.environ[ADDRESS]
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def _import() -> None:
    """What the service imports, and works out of the packaged definitions at each start."""
    import app.commands.benchmarks
    import app.commands.deid
    import app.commands.issue
    import app.commands.key
    import app.commands.serve
    import app.main
    import app.worker  # noqa: F401
    from app.benchmarks.measures import tabulation
    from app.catalogue import Catalogue
    from app.settings import Settings

    for one in Catalogue(Settings()).registries():
        tabulation(one)
    assert threading.active_count() == 1, "a thread would be missing from every fork"
    gc.collect()
    gc.freeze()  # what was imported is shared, and stays so


def _next(listener: socket.socket) -> list[str]:
    """
    The words that the process is to run: returns in each fork of it, and never in itself.

    Whoever asked is told the process's number, and how it ended. Ends when standard input does.
    """
    telling: dict[int, socket.socket] = {}
    imported = False
    woken, wakes = socket.socketpair()
    wakes.setblocking(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for whoever asks
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes.fileno())
    looking = selectors.DefaultSelector()
    for one in (listener, woken, sys.stdin):
        looking.register(one, selectors.EVENT_READ)
    while True:
        for key, _ in looking.select():
            if key.fileobj is sys.stdin:
                os._exit(0)
            elif key.fileobj is listener:
                if not imported:
                    imported = True
                    _import()
                asked, _ = listener.accept()
                length, given, _, _ = socket.recv_fds(asked, _LENGTH, 2)
                request = asked.recv(int.from_bytes(length), socket.MSG_WAITALL)
                pid = os.fork()
                if not pid:
                    looking.close()
                    for one in (listener, woken, wakes, asked, *telling.values()):
                        one.close()
                    return _born(request, given)
                for handle in given:
                    os.close(handle)
                telling[pid] = asked
                asked.sendall(f"{pid}\n".encode())
            else:
                woken.recv(4096)
        for pid in list(telling):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                with telling.pop(pid) as asked, suppress(OSError):
                    asked.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _born(request: bytes, given: Sequence[int]) -> list[str]:
    """In a fork: no longer the nursery, but with the environment and the output that it was given."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, handle in enumerate((os.open(os.devnull, os.O_RDONLY), *given)):
        os.dup2(handle, number)
        os.close(handle)
    atexit.register(gc.unfreeze)  # what is not collected at the end is complained of
    words, environment = json.loads(request)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    return list(words)


def _leave(code: object) -> NoReturn:
    """
    End as the interpreter would, but let what was imported lie where it is.

    To take it apart writes on each page that is shared with the nursery: a second for each process.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if not isinstance(code, int | None):
        sys.stderr.write(f"{code}\n")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    sys.argv[1:] = _next(socket.socket(fileno=int(sys.argv[1])))
    from app.cli import main

    left: object = None
    try:
        main()
    except SystemExit as end:
        left = end.code
    _leave(left)
