"""Lists as tables and changes as a stream: what submissions answer beside JSON."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Select

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


async def findings_table(
    transactions: ScopedTransactions, statement: Select[Finding]
) -> AsyncIterator[str]:
    """Every finding as a line of CSV, fetched in runs by short transactions."""
    columns = ("entry", "form", "place", "code", "severity", "remedy", "allowed", "facility")
    yield line(columns)
    last: tuple[int, int] | None = None
    while True:
        run = statement.order_by(Finding.row, Finding.id).limit(ROWS)
        if last is not None:
            row, id = last
            run = run.where((Finding.row > row) | ((Finding.row == row) & (Finding.id > id)))
        async with transactions.begin() as session:
            rows = (await session.scalars(run)).all()
        for one in rows:
            yield line(
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
            )
        if len(rows) < ROWS:
            return
        last = rows[-1].row, rows[-1].id


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
