"""
Workers: processes that each take one batch at a time, and whose results come back in order.

A batch whose worker dies is tried once more, source by source: the one that kills is told as
failed, and the others go on. Workers end by themselves when the parent is gone, however it went,
since the pipe they read from closes.
"""

import gc
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from app.deid.files.outcomes import Obstacle, OutputFailed, Treated
from app.deid.files.sources import Source
from app.errors import Unavailable

FORKSERVER = "forkserver"
COLLECT_AFTER = 50_000
"""New objects after which a worker looks for unreachable ones: nearly all go by themselves."""
AHEAD = 4
"""Batches a worker may be ahead of the one whose result is next, to keep all of them busy."""


@dataclass(slots=True)
class Batch:
    """Some sources in their order; `number` is the batch's place among all."""

    number: int
    sources: list[Source] = field(repr=False)
    done: list[Any] = field(default_factory=list, repr=False)
    """What an earlier run says of each source; with it the batch needs no worker."""


class Bench(Protocol):
    """What a worker works at: `treat.Bench`, which this process has no need to load."""

    def batch(self, number: int, sources: Sequence[Source]) -> list[Treated]:
        """Treat a batch; its drafts are on disk when this returns. Raises `OutputFailed`."""

    def close(self) -> None:
        """Let go of what is open."""


@dataclass(slots=True, eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    batch: Batch | None = None


class Crew:
    """Some workers, made when work begins and ended with the context."""

    def __init__(self, make: Callable[[], Bench], jobs: int) -> None:
        self._make, self._jobs = make, jobs
        self._context = _context()
        self._workers: list[_Worker] = []

    def __enter__(self) -> "Crew":
        for _ in range(self._jobs):
            self._workers.append(self._hired())
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.pipe.close()  # it ends after the batch it is at
        for worker in self._workers:
            worker.process.join(0.2 if worker.batch else 5)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()

    def results(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, list[Treated] | None]]:
        """Each batch with its results, in order; None for one that an earlier run finished."""
        coming = iter(batches)
        line: deque[Batch] = deque()
        ready: dict[int, list[Treated] | None] = {}
        more = True
        while True:
            while more and len(line) < AHEAD * self._jobs:
                free = next((one for one in self._workers if one.batch is None), None)
                if free is None:
                    break
                batch = next(coming, None)
                if batch is None:
                    more = False
                    break
                line.append(batch)
                if batch.done:
                    ready[batch.number] = None
                else:
                    self._hand(free, batch)
            while line and line[0].number in ready:
                batch = line.popleft()
                yield batch, ready.pop(batch.number)
            if not line and not more:
                return
            self._listen(ready)

    def _hand(self, worker: _Worker, batch: Batch) -> None:
        worker.batch = batch
        with suppress(OSError):  # it died meanwhile: its end is noticed when we listen
            worker.pipe.send((batch.number, batch.sources))

    def _listen(self, ready: dict[int, list[Treated] | None]) -> None:
        """Take in what workers have to say, waiting if none does."""
        busy = [one for one in self._workers if one.batch is not None]
        if not busy:
            return
        heard = wait([one.pipe for one in busy])
        for worker in busy:
            if worker.pipe not in heard or worker.batch is None:
                continue
            batch = worker.batch
            try:
                said = worker.pipe.recv()
            except (EOFError, OSError):
                self._replace(worker)
                ready[batch.number] = self._one_by_one(batch)
                continue
            worker.batch = None
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
        worker.pipe.close()
        worker.process.join()
        fresh = self._hired()
        worker.process, worker.pipe, worker.batch = fresh.process, fresh.pipe, None

    def _hired(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        # mypy knows the base class of contexts without its Process.
        process = self._context.Process(  # type: ignore[attr-defined]
            target=_serve, args=(theirs, self._make), daemon=True
        )
        process.start()
        theirs.close()
        return _Worker(process, ours)


def _results(said: object) -> list[Treated]:
    if isinstance(said, str):
        raise Unavailable(
            f"An output cannot be written ({said}). Nothing is half written: make room and run the "
            "same command again, it goes on from here."
        )
    assert isinstance(said, list)
    return said


def _serve(pipe: Connection, make: Callable[[], Bench]) -> None:
    """A worker's life: batches until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    bench = make()
    gc.set_threshold(COLLECT_AFTER)
    gc.freeze()  # what was loaded lasts as long as the worker: no use in looking through it
    while True:
        try:
            number, sources = pipe.recv()
        except (EOFError, OSError):
            break
        try:
            said: Sequence[Treated] | str = bench.batch(number, sources)
        except OutputFailed as error:
            said = str(error)
        try:
            pipe.send(said)
        except OSError:
            break
    bench.close()


def begin() -> None:
    """Let the process that workers are copied from load what they need, while this one goes on."""
    if FORKSERVER in multiprocessing.get_all_start_methods():
        multiprocessing.set_forkserver_preload(["app.deid.files.treat"])
        forkserver.ensure_running()


def _context() -> BaseContext:
    """New processes from a clean one: threads of ours must not be half copied into them."""
    begin()
    ways = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context(FORKSERVER if FORKSERVER in ways else "spawn")
