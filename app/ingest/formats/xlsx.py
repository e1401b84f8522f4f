"""
XLSX: the rows of a worksheet under its headings.

A workbook is a ZIP of XML and can be far larger than it looks, so it is measured before it is
read: how much it unpacks to, and how wide and long its sheets say they are. Formulas are read by
their cached value.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator

import python_calamine as calamine

from app.errors import UnreadableSubmission
from app.ingest.formats.sent import RawEntry
from app.ingest.formats.table import Headings, plain
from app.registries.findings import FindingCode
from app.registries.schema import Definition

PARTS = 2_000
UNPACKED = 512 * 1024 * 1024
RATIO = 200
"""Repetitive sheets pack 50 to 1; a bomb packs 1,000 to 1 and more."""
RATIO_FROM = 8 * 1024 * 1024
CELLS = 12_000_000
"""Cells of the rectangle a sheet spans, empty ones too: they all take memory."""
ROWS, COLUMNS = 1_048_576, 16_384

_PIECE = 1024 * 1024
_OVERLAP = 1024
_CELL = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{1,4})(\d{1,9})["']""")
_ROW = re.compile(rb"""<(?:\w+:)?row\b[^>]*?\sr\s*=\s*["'](\d{1,9})["']""")
_BEYOND = re.compile(rb"""\sr\s*=\s*["'](?:[A-Za-z]{5}|[A-Za-z]{1,4}\d{10})""")
"""A reference that no sheet has: the reader's numbers overflow, and it takes the process along."""
_SHARED = re.compile(rb"""\suniqueCount\s*=\s*["']([^"']{0,40})""")
"""How many texts are said to be shared: the reader makes room for so many, unseen."""


def entries(body: bytes, definition: Definition) -> Iterator[RawEntry]:
    """The rows of the sheets named after forms, or else of the first sheet."""
    if not body:
        raise UnreadableSubmission("The body is empty.", FindingCode.EMPTY)
    measure(body)
    try:
        workbook = calamine.CalamineWorkbook.from_filelike(io.BytesIO(body))
    except (calamine.CalamineError, OSError, ValueError):
        raise _unreadable() from None
    except BaseException as error:
        raise _unless_broken(error) from None
    forms = {form.id for form in definition.entry_forms}
    shown = [
        sheet.name
        for sheet in workbook.sheets_metadata
        if sheet.typ is calamine.SheetTypeEnum.WorkSheet
    ]
    chosen = [name for name in shown if name.strip().lower() in forms] or shown[:1]
    found = False
    for name in chosen:
        form = name.strip().lower() if name.strip().lower() in forms else None
        for entry in _rows(workbook, name, form, definition):
            found = True
            yield entry
    if not found:
        raise UnreadableSubmission("There are no rows under headings.", FindingCode.EMPTY)


def _rows(
    workbook: calamine.CalamineWorkbook, name: str, form: str | None, definition: Definition
) -> Iterator[RawEntry]:
    try:
        sheet = workbook.get_sheet_by_name(name)
        offset = sheet.start[1] if sheet.start else 0
        headings: Headings | None = None
        for row in sheet.iter_rows():
            if headings is not None:
                entry = headings.entry([plain(cell) for cell in row], form)
                if entry is not None:
                    yield entry
            elif any(cell != "" for cell in row):
                headings = Headings(row, definition, offset)
    except (calamine.CalamineError, OSError, ValueError):
        raise _unreadable() from None
    except BaseException as error:
        raise _unless_broken(error) from None


def measure(body: bytes) -> None:
    """Refuse a workbook that would unpack to too much, before anything reads it whole.

    The sizes that a ZIP declares are not believed: each part is unpacked, counted and let go.
    """
    unpacked = 0
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            parts = archive.infolist()
            if len(parts) > PARTS:
                raise _too_large()
            for part in parts:
                if part.flag_bits & 0x1:
                    raise UnreadableSubmission("Send a workbook without a password.")
                declared, part.file_size = part.file_size, UNPACKED + 1
                # A sheet may lie anywhere in the archive: every part is looked at as if it were one.
                extent, size = _Extent(), 0
                with archive.open(part) as content:
                    while piece := content.read(_PIECE):
                        size += len(piece)
                        unpacked += len(piece)
                        if unpacked > UNPACKED or (
                            unpacked > RATIO_FROM and unpacked > RATIO * len(body)
                        ):
                            raise _too_large()
                        extent.see(piece)
                if size != declared:
                    raise _unreadable()
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        zlib.error,
    ):
        raise _unreadable() from None


class _Extent:
    """The rectangle that a sheet's cells span, as far as it was read."""

    def __init__(self) -> None:
        self._tail = b""
        self._rows = self._columns = self._cells = self._shared = 0

    def see(self, piece: bytes) -> None:
        text = self._tail + piece
        self._tail = text[-_OVERLAP:]
        for letters, digits in _CELL.findall(text):
            column = 0
            for letter in letters.upper():
                column = column * 26 + letter - 64
            self._columns = max(self._columns, column)
            self._rows = max(self._rows, int(digits))
        for said in _SHARED.findall(text):
            self._shared = max(self._shared, int(said) if said.isdigit() else CELLS + 1)
        for digits in _ROW.findall(text):
            self._rows = max(self._rows, int(digits))
        self._cells += piece.count(b"<c>") + piece.count(b"<c ")
        if (
            _BEYOND.search(text)
            or self._shared > CELLS
            or self._rows > ROWS
            or self._columns > COLUMNS
            or self._cells > CELLS
            or self._rows * max(self._columns, 1) > CELLS
        ):
            raise _too_large()


def _too_large() -> UnreadableSubmission:
    return UnreadableSubmission(
        f"The workbook unpacks to too much: send at most {UNPACKED // 1024**2} MB of XML"
        f" and {CELLS:,} cells, and clear formatting below and beside the data.",
        FindingCode.TOO_LARGE,
    )


def _unreadable() -> UnreadableSubmission:
    return UnreadableSubmission("Send a workbook as Excel saves it (.xlsx).")


def _unless_broken(error: BaseException) -> BaseException:
    """The error itself; or that the workbook is unreadable, if the reader gave up in the middle.

    A panic of the reader (a day millions of years away, say) is no `Exception`: it would end more
    than the reading of this workbook.
    """
    return _unreadable() if type(error).__name__ == "PanicException" else error
