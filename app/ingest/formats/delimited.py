"""Delimited text: comma or vertical bar, told from the heading row; quotes as in RFC 4180."""

import codecs
import csv
import re
import sys
from collections import deque
from collections.abc import Iterator

from app.errors import UnreadableSubmission
from app.ingest.formats.sent import RawEntry
from app.ingest.formats.table import Headings
from app.registries.findings import FindingCode
from app.registries.schema import Definition

LINES_OF_A_ROW = 200
"""A quote that is still open after so many lines was never meant to span them."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")

UNDECODABLE = "\ufffe"
"""Stands for bytes that the charset does not have. No element may hold it, so its place is found."""

codecs.register_error("hounsfield.undecodable", lambda error: (UNDECODABLE, _end_of(error)))
csv.field_size_limit(sys.maxsize)  # the whole body has a limit, and so has an entry


def entries(body: bytes, definition: Definition, codec: str) -> Iterator[RawEntry]:
    """The rows of a text under its headings."""
    text = _decoded(body, codec)
    if not text.strip("\ufeff \t\r\n\0"):
        raise UnreadableSubmission("The body is empty.", FindingCode.EMPTY)
    lines = _Lines(text)
    first = next(iter(lines))
    bar = first.count("|") > first.count(",")
    lines.line = 0
    reader = csv.reader(lines, delimiter="|" if bar else ",", strict=True, skipinitialspace=True)
    try:
        headings = Headings(next(reader), definition)
    except (csv.Error, StopIteration):
        raise UnreadableSubmission("The first row must hold headings.") from None
    found = False
    for cells in _rows(reader, lines):
        entry = RawEntry(b"", FindingCode.NOT_AN_ENTRY) if cells is None else headings.entry(cells)
        if entry is not None:
            found = True
            yield entry
    if not found:
        raise UnreadableSubmission("There are headings and no rows.", FindingCode.EMPTY)


class _Lines:
    """The lines of a text one after the other, that can be gone back to as far as a row spans.

    A body may be millions of lines of a character: they are never held all at once.
    """

    def __init__(self, text: str) -> None:
        self._found = _LINE.finditer(text)
        self._kept: deque[str] = deque(maxlen=LINES_OF_A_ROW + 2)
        self._read = 0
        self.line = 0
        self.stop = sys.maxsize

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self.line >= self.stop or self.over:
            raise StopIteration
        self.line += 1
        return self._kept[self.line - 1 - self._read]

    @property
    def over(self) -> bool:
        if self.line >= self._read:
            following = next(self._found, None)
            if following is None:
                return True
            self._kept.append(following[0])
            self._read += 1
        return False


def _rows(reader: Iterator[list[str]], lines: _Lines) -> Iterator[list[str] | None]:
    """Each row's cells, or None for a row that cannot be told; the next line starts afresh."""
    while not lines.over:
        start = lines.line
        lines.stop = start + LINES_OF_A_ROW
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            lines.line = start + 1
            yield None


def _decoded(body: bytes, codec: str) -> str:
    if body[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        codec = "utf-16"
    try:
        return body.decode(codec, errors="hounsfield.undecodable")
    except UnicodeError:
        raise UnreadableSubmission("Send UTF-8.") from None


def _end_of(error: UnicodeError) -> int:
    assert isinstance(error, UnicodeDecodeError)
    return error.end
