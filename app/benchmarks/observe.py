"""
Observe the touched subjects, before and after.

Every measure runs in one statement over both sides at once; a case that did not change cancels
itself out, and what is left is the difference. Nothing is stored per case and measure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from app.benchmarks.engine import Engine
from app.benchmarks.feed import COLUMNS
from app.benchmarks.measures import Tabulation
from app.benchmarks.relation import relation_name

BATCH = 20_000
"""Rows of the result that are in memory at once."""

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
    changed = Rows([], [])
    with engine.open() as connection:
        connection.register("versions", arrow(versions))
        for form, build in tabulation.narrow.items():
            connection.execute(f"CREATE TABLE {relation_name(form)} AS {build}")
        for some in measured(connection, tabulation):
            changed.cells.extend(some.cells)
            changed.histograms.extend(some.histograms)
    # Whoever writes rows in the order of their keys never waits for somebody who waits for him.
    changed.cells.sort(key=lambda row: row[:5])
    changed.histograms.sort(key=lambda row: row[:3])
    return changed


def measured(connection: duckdb.DuckDBPyConnection, tabulation: Tabulation) -> Iterator[Rows]:
    """The result of the statement of measures over the relations of a connection, some at a time."""
    connection.execute(tabulation.sql)
    while found := connection.fetchmany(BATCH):
        rows = Rows([], [])
        for form, kind, series, stratum, facility, month, counts, sums in found:
            if kind == "histogram":
                rows.histograms.append(HistogramRow(facility, series, month, counts))
            else:
                rows.cells.append(CellRow(facility, form, series, month, stratum, counts, sums))
        yield rows
