"""
Where a compressed frame holds something that is no picture: words in its headers, bytes after its end.

A JPEG, JPEG-LS or JPEG 2000 stream is walked from marker to marker (ISO/IEC 10918-1 annex B, 14495-1
annex C, 15444-1 annex A), through all its scans and tiles, for a comment may stand before each of
them. Streams are not judged: from where one cannot be followed, only its last end marker counts.
"""

import re
import struct
from collections.abc import Generator, Iterator
from typing import Final

START: Final = b"\xff\xd8"
CODESTREAM: Final = b"\xff\x4f"
_END: Final = b"\xff\xd9"
_ADOBE: Final = b"Adobe"
_SCAN, _LS = 0xDA, 0xF7
_COMMENT, _TILE, _DATA, _END_2000 = 0xFF64, 0xFF90, 0xFF93, 0xFFD9
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What ends the coded data of a scan: no stuffed byte, restart or fill."""
_MARKER_LS: Final = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
_MAKER: Final = re.compile(
    rb"(Created by |Creator: )?(GDCM/)?(OpenJPEG|JasPer|Kakadu|OpenJPH|Grok|LEAD Technologies|Lavc)"
    rb"[ -]?([Vv]er(sion)? )?v?[0-9.]*\0*"
)

Span = tuple[int, int]
"""Where something begins and ends in a frame."""


def remarks(frame: bytes | memoryview) -> Iterator[Span]:
    """The spans of a frame that hold words: nothing for what is none of these streams."""
    kind = bytes(frame[:2])
    if kind == START:
        end = yield from _jpeg(frame)
    elif kind == CODESTREAM:
        end = yield from _jpeg_2000(frame)
    else:
        return
    if end is None:  # it could not be followed to its end
        found = bytes(frame).rfind(_END)
        end = found + 2 if found >= 0 else len(frame)
    if set(frame[end:]) - {0x00, 0xFF}:
        yield end, len(frame)


def _jpeg(frame: bytes | memoryview) -> Generator[Span, None, int | None]:
    """Comments and application data; what says how colours are coded stays. Returns the end."""
    at, between = 2, _MARKER
    while at + 2 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            return at + 2
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # they have no length
            at += 2
            continue
        length = int.from_bytes(frame[at + 2 : at + 4], "big")
        stop = at + 2 + length
        if length < 2 or stop > len(frame):
            return None
        if marker == _LS:
            between = _MARKER_LS
        known = _colours(marker, bytes(frame[at + 4 : stop]))
        if known is not None and any(frame[at + 4 + known : stop]):
            yield at + 4 + known, stop
        at = stop
        if marker == _SCAN:
            found = between.search(frame, at)
            if found is None:
                return None
            at = found.start()
    return None


def _colours(marker: int, body: bytes) -> int | None:
    """Bytes of a comment or application segment that mean colours; None for other segments."""
    if marker == 0xE0 and body.startswith(b"JFIF\0"):
        return 14  # the thumbnail that may follow goes
    if marker == 0xE8 and body.startswith((b"SPIFF\0", b"\0\0\0\1")):
        return 32 if body[:1] == b"S" else 6
    if marker == 0xE8 and body[:4] == b"mrfx":  # a colour transform of JPEG-LS
        return 5
    if marker == 0xEE and body.startswith(_ADOBE):
        return 12
    return 0 if marker == 0xFE or 0xE0 <= marker <= 0xEF else None


def _jpeg_2000(frame: bytes | memoryview) -> Generator[Span, None, int | None]:
    """Comments of the main header and of each tile, except the names of encoders. Returns the end."""
    at, tile = 2, 0
    while at + 4 <= len(frame):
        marker, length = struct.unpack_from(">HH", frame, at)
        if marker == _DATA:
            if not tile or not at < tile <= len(frame):
                return None
            at, tile = tile, 0
            if frame[at : at + 2] == _END:
                return at + 2
            continue
        stop = at + 2 + length
        if marker == _END_2000:
            return at + 2
        if marker < 0xFF00 or length < 2 or stop > len(frame):
            return None
        if marker == _TILE and length == 10:
            (size,) = struct.unpack_from(">L", frame, at + 6)
            tile = at + size if size else 0
        body = bytes(frame[at + 6 : stop])
        if marker == _COMMENT and any(body) and not _MAKER.fullmatch(body):
            yield at + 6, stop
        at = stop
    return None
