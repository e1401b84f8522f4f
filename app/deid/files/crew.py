"""
Workers: processes that take one batch at a time, and whose results come back in order.

A batch whose worker dies is tried once more, source by source: the one that kills is told as
failed, and the others go on. Workers end by themselves when the parent is gone, however it went,
since the pipe they read from closes.
"""

import gc
import multiprocessing
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import Any, Protocol

from app.deid.files.outcomes import Obstacle, OutputFailed, Treated
from app.deid.files.sources import Source
from app.errors import Unavailable

FORK, FORKSERVER = "fork", "forkserver"
COLLECT_AFTER = 50_000
"""New objects after which a worker looks for unreachable ones: nearly all go by themselves."""
AHEAD = 4
"""Batches a worker may be ahead of the one whose result is next, to keep all of them busy."""
IN_HAND = 3
"""Batches a quick worker has, the one it is at among them: it need not wait while others are settled."""
QUICK = 0.5
"""Seconds that a quick worker takes less than for a batch. One that takes longer has one batch: what
would lie and wait with it another can begin."""


@dataclass(slots=True)
class Batch:
    """Some sources in their order; `number` is the batch's place among all."""

    number: int
    sources: list[Source] = field(repr=False)
    tokens: list[bytes] = field(default_factory=list, repr=False)
    """What the journal calls each source."""
    done: list[Any] = field(default_factory=list, repr=False)
    """What an earlier run says of each source; with it the batch needs no worker."""


class Bench(Protocol):
    """What a worker works at: `treat.Bench`."""

    def batch(self, number: int, sources: Sequence[Source]) -> list[Treated]:
        """Treat a batch; its drafts are written when this returns. Raises `OutputFailed`."""

    def close(self) -> None:
        """Let go of what is open."""


Make = Callable[[], Bench]
Results = list[tuple[Batch, list[Treated] | None]]


@dataclass(slots=True, eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    batches: deque[Batch] = field(default_factory=deque)
    """The one it is at, and those that come then."""
    since: float = 0.0
    """When it began the one it is at."""
    quick: bool = False
    """Did its last batch take less than `QUICK`?"""

    @property
    def room(self) -> int:
        """How many more batches it may be given."""
        return (IN_HAND if self.quick else 1) - len(self.batches)

    def send(self, said: object) -> None:
        """Tell it something; that it has died is noticed when we listen."""
        with suppress(OSError):
            self.pipe.send(said)

    def hand(self, batch: Batch) -> None:
        """Give it a batch."""
        if not self.batches:
            self.since = time.monotonic()
        self.batches.append(batch)
        self.send((batch.number, batch.sources))


class Crew:
    """Some workers, hired when the context begins and ended with it.

    It is best begun early: a process without threads is copied, and has its modules and tables; one
    with threads is not, and new ones take a second to load.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._make: Make | None = None
        self._workers: list[_Worker] = []

    def __enter__(self) -> "Crew":
        for _ in range(self._jobs):
            self._workers.append(self._hired())
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.pipe.close()  # it ends after the batch it is at
        for worker in self._workers:
            worker.process.join(0.2 if worker.batches else 5)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()

    def results(self, make: Make, batches: Iterable[Batch]) -> Iterator[Results]:
        """Batches with their results, in order, as many together as are ready.

        `make` makes the bench of a worker. None stands for what an earlier run finished.
        """
        self._make = make
        for worker in self._workers:
            worker.send(make)
        coming = iter(batches)
        line: deque[Batch] = deque()
        ready: dict[int, list[Treated] | None] = {}
        more = True
        while more or line:
            more = more and self._hand_out(coming, line, ready)
            self._listen(ready, at_once=bool(line) and line[0].number in ready)
            together: Results = []
            while line and line[0].number in ready:
                batch = line.popleft()
                together.append((batch, ready.pop(batch.number)))
            if together:
                yield together

    def _hand_out(
        self, coming: Iterator[Batch], line: deque[Batch], ready: dict[int, list[Treated] | None]
    ) -> bool:
        """Give batches to whoever has room for one; False when there are no more."""
        while len(line) < AHEAD * self._jobs:
            free = max(self._workers, key=lambda one: one.room)
            if free.room < 1:
                break
            batch = next(coming, None)
            if batch is None:
                return False
            line.append(batch)
            if batch.done:
                ready[batch.number] = None
            else:
                free.hand(batch)
        return True

    def _listen(self, ready: dict[int, list[Treated] | None], *, at_once: bool) -> None:
        """Take in what workers have to say; wait until one has, unless asked to return at once."""
        busy = [one for one in self._workers if one.batches]
        if not busy:
            return
        heard = wait([one.pipe for one in busy], 0 if at_once else None)
        for worker in busy:
            if worker.pipe not in heard:
                continue
            batch = worker.batches.popleft()
            try:
                said = worker.pipe.recv()
            except (EOFError, OSError):
                self._replace(worker)
                ready[batch.number] = self._one_by_one(batch)
                continue
            now = time.monotonic()
            worker.since, worker.quick = now, now - worker.since < QUICK
            ready[batch.number] = _results(said)

    def _one_by_one(self, batch: Batch) -> list[Treated]:
        """A batch whose worker died, each source by a worker of its own batch."""
        results: list[Treated] = []
        lone = self._hired()
        self._workers.append(lone)
        for place, source in enumerate(batch.sources):
            # A name of its own for each draft: what the dead worker wrote is never taken up.
            try:
                lone.pipe.send((batch.number << 20 | place + 1, [source]))
                results += _results(lone.pipe.recv())
            except (EOFError, OSError):
                results.append(Treated(Obstacle.FAILED.value))
                self._replace(lone)
        lone.pipe.close()
        lone.process.join(5)
        self._workers.remove(lone)
        return results

    def _replace(self, worker: _Worker) -> None:
        """Somebody else in the place of one who died, with the batches that it had not begun."""
        worker.pipe.close()
        worker.process.join()
        fresh = self._hired()
        worker.process, worker.pipe, worker.quick = fresh.process, fresh.pipe, False
        worker.since = time.monotonic()
        for batch in worker.batches:
            worker.send((batch.number, batch.sources))

    def _hired(self) -> _Worker:
        context = _context()
        ours, theirs = context.Pipe()
        # A copy has our ends of all pipes: no worker would see that we are gone while one keeps them.
        copied = [ours, *(one.pipe for one in self._workers)]
        others = copied if context.get_start_method() == FORK else []
        # mypy knows the base class of contexts without its Process.
        process = context.Process(  # type: ignore[attr-defined]
            target=_serve, args=(theirs, others), daemon=True
        )
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        if self._make is not None:
            worker.send(self._make)
        return worker


def _results(said: object) -> list[Treated]:
    if isinstance(said, str):
        raise Unavailable(
            f"An output cannot be written ({said}). Nothing is half written: make room and run the "
            "same command again, it goes on from here."
        )
    assert isinstance(said, list)
    return said


def _serve(pipe: Connection, others: Sequence[Connection]) -> None:
    """A worker's life: batches until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    for one in others:
        one.close()
    given: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_take_in, args=(pipe, given), daemon=True).start()
    make: Make | None = given.get()
    if make is None:
        return
    bench = make()
    gc.set_threshold(COLLECT_AFTER)
    gc.freeze()  # what was loaded lasts as long as the worker: no use in looking through it
    while (batch := given.get()) is not None:
        try:
            said: Sequence[Treated] | str = bench.batch(*batch)
        except OutputFailed as error:
            said = str(error)
        try:
            pipe.send(said)
        except OSError:
            break
    bench.close()


def _take_in(pipe: Connection, given: SimpleQueue[Any]) -> None:
    """What the parent sends, whenever it does: it must never wait for a worker that waits for it."""
    with suppress(EOFError, OSError):
        while True:
            given.put(pipe.recv())
    given.put(None)


def _context() -> BaseContext:
    """How a new process begins: as a copy of this one, unless threads of ours would be half copied."""
    ways = multiprocessing.get_all_start_methods()
    if sys.platform == "linux" and threading.active_count() == 1:
        from app.deid.files import treat  # what de-identifies is loaded where that is done

        treat.load()
        return multiprocessing.get_context(FORK)
    if FORKSERVER in ways:
        multiprocessing.set_forkserver_preload(["app.deid.files.treat"])
        return multiprocessing.get_context(FORKSERVER)
    return multiprocessing.get_context("spawn")
