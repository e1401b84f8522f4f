"""Lists as tables and changes as a stream: what submissions answer beside JSON."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Select, tuple_

from app.api.dependencies import ScopedTransactions
from app.errors import NotAcceptable, RegistryError
from app.models.submission import Finding

CSV: Final = "text/csv"
EVENT_STREAM: Final = "text/event-stream"
EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["event", "id", "data"],
    "properties": {
        "event": {"const": "submission"},
        "id": {"type": "string", "description": "Send the last one as `Last-Event-ID`."},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": "What `GET` of the submission would answer.",
        },
    },
}
"""The fields of one event of the stream; before OpenAPI 3.2 that is what a stream's schema says."""
ROWS: Final = 5_000
HEARTBEAT: Final = 15.0
LONGEST: Final = 3_600.0
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


Row = TypeVar("Row")


def moment(given: datetime) -> datetime:
    """A moment that came without a zone is meant in UTC."""
    return given if given.tzinfo is not None else given.replace(tzinfo=UTC)


def harmless(cell: object) -> str:
    """A cell that no spreadsheet will run: what begins like a formula is set off by an apostrophe."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text


def prefers_csv(accept: str | None) -> bool:
    """Whether a table is asked for; JSON is what is given otherwise."""
    if accept is None:
        return False
    asked = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    for media in asked:
        if media in ("application/json", "application/*", "*/*", ""):
            return False
        if media in (CSV, "text/*"):
            return True
    raise NotAcceptable(["application/json", CSV])


async def table(
    columns: Iterable[object],
    run: Callable[[Row | None], Awaitable[tuple[Sequence[Row], Iterable[Iterable[object]]]]],
    most: int,
) -> AsyncIterator[str]:
    """A table as CSV, read in runs.

    `run` is given the last row of the run before it, and answers with at most `most` rows after that
    one and the cells of the lines they come to.
    """
    yield line(columns)
    last: Row | None = None
    while True:
        rows, lines = await run(last)
        for one in lines:
            yield line(one)
        if len(rows) < most:
            return
        last = rows[-1]


def findings_table(
    transactions: ScopedTransactions, statement: Select[Finding]
) -> AsyncIterator[str]:
    """Every finding as a line of CSV, fetched in runs by short transactions."""
    columns = ("entry", "form", "place", "code", "severity", "remedy", "allowed", "facility")

    async def run(last: Finding | None) -> tuple[Sequence[Finding], list[tuple[object, ...]]]:
        after = statement.order_by(Finding.row, Finding.id).limit(ROWS)
        if last is not None:
            after = after.where(tuple_(Finding.row, Finding.id) > (last.row, last.id))
        async with transactions.begin() as session:
            rows = (await session.scalars(after)).all()
        return rows, [
            (
                one.row,
                one.form,
                one.place,
                one.code,
                one.severity,
                one.remedy,
                one.allowed,
                one.facility_id,
            )
            for one in rows
        ]

    return table(columns, run, ROWS)


def line(cells: Iterable[object]) -> str:
    """A line of CSV."""
    text = io.StringIO()
    csv.writer(text).writerow([harmless(cell) for cell in cells])
    return text.getvalue()


async def stream(
    look: Callable[[], Awaitable[tuple[str, str, bool]]], seen: str | None
) -> AsyncIterator[str]:
    """Server-sent events: one for each change since `seen`, a comment now and then, then the end."""
    pause, silent, lasted = 0.1, 0.0, 0.0
    while lasted < LONGEST:
        try:
            at, data, ended = await look()
        except RegistryError:  # the key has ended, or what it may see has: so does the stream
            return
        if at != seen:
            seen, pause, silent = at, 0.1, 0.0
            yield f"event: submission\nid: {at}\ndata: {data}\n\n"
        if ended:
            return
        await asyncio.sleep(pause)
        silent, lasted = silent + pause, lasted + pause
        pause = min(pause * 1.5, 1.0)
        if silent >= HEARTBEAT:
            silent = 0.0
            yield ": still here\n\n"
