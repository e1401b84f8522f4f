"""
Processes beside a worker that judge the entries of large submissions.

One process of Python keeps one core busy. To judge an entry needs nothing but the vault's keys and
the definition, so that chunks of a batch go to as many processes as the operator gives a worker.
They begin with the first large submission, share nothing with the worker but the pipe between them,
and end when it ends, however it ends.
"""

import asyncio
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from app.ingest.checks import RegistryAtWork, at_work
from app.ingest.judge import Delivery, Judged, judge
from app.registries.schema import Definition
from app.settings import Settings
from app.vault import Vault

Rows = Sequence[tuple[int, int, bytes]]
"""Submission, row, and the entry as it was sent, sealed."""


class Cores:
    """A worker's processes for judging: none before they are needed, none after `close`."""

    def __init__(self, settings: Settings, vault: Vault) -> None:
        self._settings, self._vault = settings, vault
        self._pool: ProcessPoolExecutor | None = None
        self.count = settings.check_processes or min(os.cpu_count() or 1, 8)
        """How many chunks are judged at the same time."""

    async def judged(
        self,
        registry: RegistryAtWork,
        deliveries: dict[int, Delivery],
        rows: Rows,
        *,
        beside: bool,
    ) -> Judged:
        """Judge some rows: in a process beside this one, or in a thread of this one."""
        if not beside:
            return await asyncio.to_thread(judge, self._vault, registry, deliveries, rows)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.count,
                # A forked copy of a process with threads and connections is not to be relied on.
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(self._settings,),
            )
        pool = self._pool
        sendable = [(one[0], one[1], one[2]) for one in rows]  # the driver's rows are not
        try:
            return await asyncio.get_running_loop().run_in_executor(
                pool, _judged, registry.packed, deliveries, sendable
            )
        except BrokenProcessPool:  # one was killed: the batch is tried again, with others
            if self._pool is pool:
                self.close()
            raise

    def close(self) -> None:
        """End the processes, after the chunks they are at."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)


_vaults: list[Vault] = []


def _begin(settings: Settings) -> None:
    for ending in (signal.SIGINT, signal.SIGTERM):  # the worker's to answer
        signal.signal(ending, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _vaults.append(Vault(settings))


def _end_with_parent() -> None:
    """A worker that is killed closes nothing: without this, its processes would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _judged(packed: bytes, deliveries: Mapping[int, Delivery], rows: Rows) -> Judged:
    definition: Definition = pickle.loads(packed)  # noqa: S301 - our own worker's words
    return judge(_vaults[0], at_work(definition), deliveries, rows)
