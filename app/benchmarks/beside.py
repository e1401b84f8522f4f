"""
Beside: a process that works out some periods of a snapshot while this one works out others.

Most steps are so short that two threads of Python would wait for one another. The process begins while
the nation is read, knows what it is told through a pipe and nothing else, and ends with it. Its
arrays lie in a file without a name, which both have open. Without it, or if it is killed, everything is
worked out here.
"""

import asyncio
import gc
import mmap
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import IO, Any

from app.benchmarks.nation import Nation
from app.benchmarks.periods import Period
from app.benchmarks.spreads import Levels, Spreads, encoded
from app.registries.schema import Definition

Work = Callable[[Period], bytes]
"""What is told of a period, as PostgreSQL takes it in."""


class Beside:
    """The process, from this side."""

    def __init__(self, pipe: Connection, arrays: IO[bytes]) -> None:
        self._pipe, self._arrays = pipe, arrays

    def knowing(
        self,
        snapshot_id: int,
        definition: Definition,
        nation: Nation,
        today: date,
        levels: Levels,
    ) -> Work:
        """Works periods out there; EOFError or OSError when nobody is there any more."""
        # Packed before anybody works with it: a nation keeps what it has once worked out.
        unsaid = [_packed((snapshot_id, definition, nation, today, levels), self._arrays)]

        def there(asked: Period) -> bytes:
            while unsaid:
                self._pipe.send(unsaid.pop())
            self._pipe.send(asked)
            return self._pipe.recv_bytes()

        return there


@contextmanager
def beside(wanted: bool) -> Iterator[Beside | None]:
    """A process beside this one, if it is wanted and there is a core for it."""
    if not wanted or (os.cpu_count() or 1) == 1:
        yield None
        return
    ours, theirs = Pipe()
    with tempfile.TemporaryFile() as arrays:
        passed = theirs.fileno(), arrays.fileno()
        # Of this module alone: a process that `multiprocessing` spawns imports what its parent began with.
        process = subprocess.Popen(  # noqa: S603 - our own words
            [sys.executable, "-P", "-m", __name__, *map(str, passed)], pass_fds=passed
        )
        theirs.close()
        try:
            yield Beside(ours, arrays)
        finally:
            process.kill()
            process.wait()
            ours.close()


Packed = tuple[bytes, list[tuple[int, int]]]
"""What is not in arrays, and where each array begins and ends in their file."""


def _packed(what: object, file: IO[bytes]) -> Packed:
    places: list[tuple[int, int]] = []

    def put(array: pickle.PickleBuffer) -> None:
        file.seek(-file.tell() % mmap.ALLOCATIONGRANULARITY, os.SEEK_CUR)
        begin = file.tell()
        file.write(array.raw())
        places.append((begin, file.tell()))

    said = pickle.dumps(what, protocol=5, buffer_callback=put)
    file.flush()
    return said, places


def _unpacked(packed: Packed, file: int) -> Any:
    said, places = packed
    whole = memoryview(mmap.mmap(file, 0, access=mmap.ACCESS_READ))
    return pickle.loads(said, buffers=[whole[slice(*one)] for one in places])  # noqa: S301 - our own


async def worked_out(
    covered: Sequence[Period], here: Work, there: Work | None
) -> AsyncIterator[bytes]:
    """What is told of each period, in no order: others are worked out while one is taken in."""
    left = deque(covered)
    running: dict[asyncio.Task[bytes], tuple[Work, Period]] = {}

    def begin(work: Work) -> None:
        if left:
            asked = left.popleft()
            running[asyncio.create_task(asyncio.to_thread(work, asked))] = work, asked

    for work in (here, *([there] if there else [])):
        begin(work)
    try:
        while running:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                work, asked = running.pop(task)
                if work is there and isinstance(task.exception(), EOFError | OSError):
                    left.append(asked)
                    if not running:
                        begin(here)
                    continue
                found = task.result()
                begin(work)
                yield found
    finally:
        await asyncio.gather(*running, return_exceptions=True)


def _work(pipe: Connection, arrays: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker's to answer
    gc.disable()  # it ends before its garbage matters
    import scipy.sparse  # SciPy's parts come when they are first used: here while the nation is read
    import scipy.special  # noqa: F401

    try:
        snapshot_id, definition, nation, today, levels = _unpacked(pipe.recv(), arrays)
        spreads = Spreads(definition, nation, today, levels)
        while True:
            pipe.send_bytes(encoded(snapshot_id, spreads.of(pipe.recv())))
    except (EOFError, OSError):  # nobody asks any more
        return


if __name__ == "__main__":
    _work(Connection(int(sys.argv[1])), int(sys.argv[2]))
