"""
Beside: a process that works out some periods of a snapshot while this one works out others.

Most steps are so short that two threads of Python would wait for one another. The process begins while
the nation is read, knows what it is told through a pipe and nothing else, and ends with it. Without
it, or if it is killed, everything is worked out here.
"""

import asyncio
import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from app.benchmarks.levels import Levels
from app.benchmarks.nation import Nation
from app.benchmarks.periods import Period
from app.benchmarks.snapshots import encoded
from app.benchmarks.spreads import Spreads
from app.registries.schema import Definition

Work = Callable[[Period], bytes]
"""What is told of a period, as PostgreSQL takes it in."""


class Beside:
    """The process, from this side."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

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
        unsaid = [pickle.dumps((snapshot_id, definition, nation, today, levels))]

        def there(asked: Period) -> bytes:
            while unsaid:
                self._pipe.send_bytes(unsaid.pop())
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
    # Of this module alone: a process that `multiprocessing` spawns imports what its parent began with.
    process = subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-P", "-m", __name__, str(theirs.fileno())], pass_fds=[theirs.fileno()]
    )
    theirs.close()
    try:
        yield Beside(ours)
    finally:
        process.kill()
        process.wait()
        ours.close()


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


def _work(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker's to answer
    try:
        snapshot_id, definition, nation, today, levels = pipe.recv()
        spreads = Spreads(definition, nation, today, levels)
        while True:
            pipe.send_bytes(encoded(snapshot_id, spreads.of(pipe.recv())))
    except (EOFError, OSError):  # nobody asks any more
        return


if __name__ == "__main__":
    _work(Connection(int(sys.argv[1])))
