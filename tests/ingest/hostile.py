"""Bodies that nobody should send, as tables: one for each door."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import xlsxwriter

from tests.ingest.landing import exam

GOOD: Mapping[str, Any] = exam()["elements"]
NAMES = list(GOOD)


def numbered(number: int, **changes: Any) -> dict[str, Any]:
    """A good exam of its own, with changes."""
    return exam(exam_unique_id=f"X-{number}", **changes)


def text(
    rows: Sequence[Mapping[str, Any]],
    names: Sequence[str] = NAMES,
    *,
    delimiter: str = ",",
    end: str = "\n",
) -> str:
    """Delimited text of rows under headings."""
    lines = [delimiter.join(names)]
    lines += [delimiter.join(str(row.get(name, "")) for name in names) for row in rows]
    return end.join(lines) + end


def row(number: int, **changes: Any) -> dict[str, Any]:
    """The elements of a good exam of its own."""
    elements: dict[str, Any] = numbered(number, **changes)["elements"]
    return elements


def workbook(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str] = NAMES, sheet: str = "Sheet1"
) -> bytes:
    """A workbook as Excel would save it; what is a tuple is written by the method it names."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        page = book.add_worksheet(sheet)
        day = book.add_format({"num_format": "mm/dd/yyyy"})
        for column, name in enumerate(names):
            page.write_string(0, column, name)
        for number, one in enumerate(rows, 1):
            for column, name in enumerate(names):
                cell = one.get(name, "")
                if isinstance(cell, tuple):
                    method, *arguments = cell
                    getattr(page, method)(
                        number, column, *(day if one == "day" else one for one in arguments)
                    )
                elif isinstance(cell, str):
                    page.write_string(number, column, cell)
                else:
                    page.write(number, column, cell)
    return buffer.getvalue()


def repacked(book: bytes, part: str, content: bytes) -> bytes:
    """The workbook with one part's content put in the place of its own."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book)) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for info in source.infolist():
            target.writestr(info, content if info.filename == part else source.read(info))
    return buffer.getvalue()


def deep(levels: int) -> bytes:
    """Lists in lists."""
    return b"[" * levels + b"]" * levels


def spoiled(number: int, old: bytes, new: bytes) -> bytes:
    """A good exam as JSON with some of its bytes put in the place of others."""
    whole = orjson.dumps(numbered(number))
    assert old in whole
    return whole.replace(old, new, 1)
