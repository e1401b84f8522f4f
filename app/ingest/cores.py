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

_pools: dict[int, ProcessPoolExecutor] = {}


def cores(settings: Settings) -> int:
    """How many chunks are judged at the same time."""
    return settings.check_processes or min(os.cpu_count() or 1, 8)


async def judged(
    settings: Settings,
    vault: Vault,
    registry: RegistryAtWork,
    deliveries: dict[int, Delivery],
    rows: Rows,
    *,
    beside: bool,
) -> Judged:
    """Judge some rows: in a process beside this one, or in a thread of this one."""
    if not beside:
        return await asyncio.to_thread(judge, vault, registry, deliveries, rows)
    pool = _pool(settings)
    definition = registry.definition
    key = (definition.id, definition.version, definition.digest)
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(
            pool,
            _judged,
            key,
            registry.packed,
            deliveries,
            [(one[0], one[1], one[2]) for one in rows],  # the driver's rows cannot be sent
        )
    except BrokenProcessPool:  # one was killed: the batch is tried again, with others
        if _pools.get(cores(settings)) is pool:
            del _pools[cores(settings)]
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _pool(settings: Settings) -> ProcessPoolExecutor:
    count = cores(settings)
    found = _pools.get(count)
    if found is None:
        found = _pools[count] = ProcessPoolExecutor(
            count,
            # A forked copy of a process with threads and connections is not one to rely on.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(settings,),
        )
    return found


_vaults: list[Vault] = []
_registries: dict[tuple[str, str, str], Definition] = {}


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


def _judged(
    key: tuple[str, str, str], packed: bytes, deliveries: Mapping[int, Delivery], rows: Rows
) -> Judged:
    definition = _registries.get(key)
    if definition is None:
        _registries.clear()
        definition = _registries[key] = pickle.loads(packed)  # noqa: S301 - our own worker's words
    return judge(_vaults[0], at_work(definition), deliveries, rows)
