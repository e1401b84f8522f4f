"""
Observe the touched subjects, before and after.

Every measure runs in one statement over both sides at once; a case that did not change cancels
itself out, and what is left is the difference. Nothing is stored per case and measure.
"""

import atexit
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from threading import Lock
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from app.benchmarks.engine import Engine
from app.benchmarks.feed import COLUMNS
from app.benchmarks.measures import Tabulation
from app.benchmarks.relation import relation_name

BATCH = 20_000
"""Rows of the result that are in memory at once."""
BENCHES = 8
"""Tabulations that stand ready in one process."""
ROWS_KEPT = 50_000
"""Versions that passed through a bench before their memory is taken back."""

_TYPES = {
    "subject_id": pa.int64(),
    "case_id": pa.int64(),
    "parent_id": pa.int64(),
    "facility_id": pa.int32(),
    "form": pa.string(),
    "key_token": pa.string(),
    "case_date": pa.date32(),
    "submission_number": pa.int64(),
    "row": pa.int32(),
    "definition_version": pa.string(),
    "elements": pa.string(),
    "before": pa.bool_(),
    "after": pa.bool_(),
}


class CellRow(NamedTuple):
    """Counts of one facility, month and stratum: a whole row, or what is to be added to it."""

    facility_id: int
    form: str
    stratifier: str
    month: date
    stratum: str
    counts: str
    """An array as PostgreSQL writes it."""
    sums: str


class HistogramRow(NamedTuple):
    """Bins of one facility, measure and month."""

    facility_id: int
    measure_id: str
    month: date
    bins: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Cells and histograms in the order of their keys: all of a generation, or what changed."""

    cells: list[CellRow]
    histograms: list[HistogramRow]


def arrow(versions: Sequence[Any]) -> pa.Table:
    """Versions as the engine takes them."""
    columns = list(zip(*versions, strict=True)) if versions else [() for _ in COLUMNS]
    return pa.table(
        {
            name: pa.array(values, _TYPES[name])
            for name, values in zip(COLUMNS, columns, strict=True)
        }
    )


def observe(engine: Engine, tabulation: Tabulation, versions: Sequence[Any]) -> Rows:
    """What changed in the cells, from versions in force on either side."""
    key = (engine, tabulation.digest)
    with _lock:
        bench = _benches.pop(key, None)
    bench = bench or _Bench(engine, tabulation)
    try:
        changed = bench.observe(versions)
    except BaseException:
        bench.close()
        raise
    with _lock:
        spare = [_benches.pop(key)] if key in _benches else []
        _benches[key] = bench
        while len(_benches) > BENCHES:
            spare.append(_benches.pop(next(iter(_benches))))
    for one in spare:
        one.close()
    # Whoever writes rows in the order of their keys never waits for somebody who waits for him.
    changed.cells.sort(key=lambda row: row[:5])
    changed.histograms.sort(key=lambda row: row[:3])
    return changed


class _Bench:
    """
    A connection on which a tabulation's statements stand ready.

    To plan them takes as long as to run them over some thousand versions, and windows are small and
    many. One thread: over a window, a second costs more than it brings.
    """

    def __init__(self, engine: Engine, tabulation: Tabulation) -> None:
        with ExitStack() as stack:
            self._connection = stack.enter_context(engine.open(threads=1))
            self._connection.from_arrow(arrow(())).create("versions")
            self._tables = ["versions"]
            for number, (form, build) in enumerate(tabulation.narrow.items()):
                name = relation_name(form)
                self._connection.execute(f"CREATE TABLE {name} AS {build}")
                self._connection.execute(f"PREPARE narrow_{number} AS INSERT INTO {name} {build}")
                self._tables.append(name)
            self._connection.execute(f"PREPARE measured AS {tabulation.sql}")
            self._stack = stack.pop_all()
        self._rows = 0

    def observe(self, versions: Sequence[Any]) -> Rows:
        connection = self._connection
        for name in self._tables:
            connection.execute(f"TRUNCATE {name}")
        if self._rows > ROWS_KEPT:  # the memory of rows taken away comes back at a checkpoint
            connection.execute("CHECKPOINT")
            self._rows = 0
        self._rows += len(versions)
        connection.from_arrow(arrow(versions)).insert_into("versions")
        for number in range(len(self._tables) - 1):
            connection.execute(f"EXECUTE narrow_{number}")
        changed = Rows([], [])
        for some in measured(connection, "EXECUTE measured"):
            changed.cells.extend(some.cells)
            changed.histograms.extend(some.histograms)
        return changed

    def close(self) -> None:
        self._stack.close()


_benches: dict[tuple[Engine, str], _Bench] = {}
_lock = Lock()


@atexit.register
def _close() -> None:
    """The engine complains of what is still open when the interpreter is gone."""
    while _benches:
        _benches.popitem()[1].close()


def measured(connection: duckdb.DuckDBPyConnection, statement: str) -> Iterator[Rows]:
    """The result of a tabulation's statement over the relations of a connection, some at a time."""
    connection.execute(statement)
    while found := connection.fetchmany(BATCH):
        rows = Rows([], [])
        for form, kind, series, stratum, facility, month, counts, sums in found:
            if kind == "histogram":
                rows.histograms.append(HistogramRow(facility, series, month, counts))
            else:
                rows.cells.append(CellRow(facility, form, series, month, stratum, counts, sums))
        yield rows
