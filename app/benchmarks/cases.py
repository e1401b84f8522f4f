"""
The cases behind a rate: some at a time, with everything in force about their subjects.

They are read as they stand and asked by the expressions that the tables are made with.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.engine import Engine
from app.benchmarks.feed import in_force_of
from app.benchmarks.observe import arrow
from app.database import driver_connection

BATCH = 1_000
"""Cases that are in memory at once, with whatever else is known of their subjects."""


async def batches(
    session: AsyncSession,
    registry_id: str,
    query: str,
    *values: Any,
    after: tuple[date, int] | None = None,
) -> AsyncIterator[tuple[list[Any], list[Any]]]:
    """Cases in the order of their days, and everything in force about their subjects.

    The query gives `id`, `subject_id` and `case_date` of at most $4 cases of the registry $1 that come
    after the day $2 and the case $3; its own values are $5 and so on. All batches but the last are of
    `BATCH` cases. The session must see every facility's versions.
    """
    driver = await driver_connection(session)
    last = after or (date.min, 0)
    while True:
        cases = await driver.fetch(query, registry_id, *last, BATCH, *values)
        if cases:
            subjects = {one["subject_id"] for one in cases}
            yield cases, await in_force_of(session, registry_id, subjects)
            last = (cases[-1]["case_date"], cases[-1]["id"])
        if len(cases) < BATCH:
            return


@contextmanager
def laid_out(
    engine: Engine, build: str, versions: Sequence[Any], **wanted: "pa.Array[Any]"
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A relation's cases, made from versions, as the table `behind`; the columns named as `wanted`."""
    with engine.open(threads=1) as connection:
        connection.from_arrow(arrow(versions)).create("versions")
        connection.execute(f"CREATE TABLE behind AS {build}")
        if wanted:
            connection.from_arrow(pa.table(wanted)).create("wanted")
        yield connection
