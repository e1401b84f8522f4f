"""
Encapsulated pixel data: which fragments make which frame, and what hides around the picture.

A compressed frame carries more than its picture: comments, application segments (Exif, JFIF
thumbnails), bytes after the end of the image, an offset table that nobody checks (PS3.5 A.4).
What is not picture is overwritten in place, so that lengths, offsets and the picture stay.
"""

import re
import struct
from collections.abc import Iterable, Iterator

from app.deid.walk import Fragments

_NO_TABLE = memoryview(b"")
_ADOBE = b"Adobe"
_START, _END = b"\xff\xd8", b"\xff\xd9"
_CODESTREAM = b"\xff\x4f\xff\x51"
_COMMENT_2000, _TILE = 0xFF64, 0xFF90
_MAKER = re.compile(
    rb"(Created by |Creator: )?(GDCM/)?(OpenJPEG|JasPer|Kakadu|OpenJPH|Grok|LEAD Technologies|Lavc)"
    rb"[ -]?([Vv]er(sion)? )?v?[0-9.]*\0*"
)


def frames_of(fragments: Fragments, frames: int) -> list[list[memoryview]] | None:
    """The fragments of each frame, in order; None when it cannot be told which belong together."""
    table, *parts = fragments.parts or (_NO_TABLE,)
    if not parts:
        return None
    if frames == 1:
        return [parts]
    if len(parts) == frames:
        return [[part] for part in parts]
    groups: list[list[memoryview]] = []
    offsets = set(_offsets(table)) if _agrees(table, parts) else None
    at = 0
    for part in parts:
        starts = bytes(part[:2]) in (_START, _CODESTREAM[:2]) if offsets is None else at in offsets
        if starts or not groups:
            groups.append([])
        groups[-1].append(part)
        at += len(part) + 8
    return groups if len(groups) == frames else None


def encapsulated(frames: Iterable[bytes]) -> Fragments:
    """Fragments of one frame each, with an offset table where 32 bits suffice."""
    parts = [memoryview(frame + b"\0" if len(frame) & 1 else frame) for frame in frames]
    offsets, at = [], 0
    for part in parts:
        offsets.append(at)
        at += len(part) + 8
    table = struct.pack(f"<{len(offsets)}L", *offsets) if at < 1 << 32 and len(parts) > 1 else b""
    return Fragments((memoryview(table), *parts))


def without_remarks(fragments: Fragments) -> Fragments:
    """The same fragments without comments, application data, what follows the image, or a table
    that does not fit. The very same object when there was nothing of the kind."""
    table, *parts = fragments.parts or (_NO_TABLE,)
    kept = table if not len(table) or _agrees(table, parts) else _NO_TABLE
    changed = kept is not table
    cleaned: list[memoryview] = []
    for number, part in enumerate(parts):
        last = number + 1 == len(parts) or bytes(parts[number + 1][:2]) in (_START, b"\xff\x4f")
        spans = [*_remarks(part), *(_after(part) if last else ())]
        if spans:
            copy = bytearray(part)
            for start, stop in spans:
                copy[start:stop] = bytes(stop - start)
            part, changed = memoryview(bytes(copy)), True
        cleaned.append(part)
    return Fragments((kept, *cleaned)) if changed else fragments


def without_tails(fragments: Fragments, size: int) -> Fragments:
    """The same RLE frames, whose last segments end where `size` bytes are told."""
    _, *parts = fragments.parts or (_NO_TABLE,)
    ends = [rle_end(part, size) for part in parts]
    if all(not any(part[end:]) for part, end in zip(parts, ends, strict=True)):
        return fragments
    return encapsulated(bytes(part[:end]) for part, end in zip(parts, ends, strict=True))


def rle_end(part: memoryview, size: int) -> int:
    """Where the last segment of an RLE frame has told its `size` bytes (PS3.5 G.3)."""
    if len(part) < 64:
        return len(part)
    count, *offsets = struct.unpack_from("<16L", part)
    if not 0 < count <= 15:
        return len(part)
    at, end = offsets[count - 1], len(part)
    while size > 0 and at < end:
        header = part[at]
        if header < 128:
            at, size = at + header + 2, size - header - 1
        elif header > 128:
            at, size = at + 2, size - 257 + header
        else:
            at += 1
    return int(min(at, end))


def _offsets(table: memoryview) -> tuple[int, ...]:
    return struct.unpack(f"<{len(table) // 4}L", table[: len(table) // 4 * 4])


def _agrees(table: memoryview, parts: list[memoryview]) -> bool:
    """Is this an offset table of these fragments? It starts at 0, rises, and points at fragments."""
    if not len(table) or len(table) % 4:
        return False
    starts, at = set(), 0
    for part in parts:
        starts.add(at)
        at += len(part) + 8
    offsets = _offsets(table)
    return offsets[0] == 0 and list(offsets) == sorted(set(offsets)) and starts.issuperset(offsets)


def _remarks(part: memoryview) -> Iterator[tuple[int, int]]:
    """Where the header of a JPEG, JPEG-LS or JPEG 2000 stream holds words instead of tables."""
    if bytes(part[:2]) == _START:
        yield from _segments(part)
    elif bytes(part[:4]) == _CODESTREAM:
        yield from _segments_2000(part)


def _segments(part: memoryview) -> Iterator[tuple[int, int]]:
    """Comments and application data; what says how colours are coded (APP0, APP8, APP14) stays."""
    at = 2
    while at + 4 <= len(part) and part[at] == 0xFF:
        marker, length = part[at + 1], int.from_bytes(part[at + 2 : at + 4], "big")
        if marker == 0xFF:
            at += 1
            continue
        if marker in (0xDA, 0xD9) or length < 2:
            return
        first, stop = at + 4, min(at + 2 + length, len(part))
        body = bytes(part[first:stop])
        known = 0
        if marker == 0xE0 and body.startswith(b"JFIF\0"):
            known = 14  # the thumbnail that may follow goes
        elif marker == 0xE8 and body.startswith((b"SPIFF\0", b"\0\0\0\1")):
            known = 32 if body[:1] == b"S" else 6
        elif marker == 0xE8 and body[:4] == b"mrfx":  # a colour transform of JPEG-LS
            known = 5
        elif marker == 0xEE and body.startswith(_ADOBE):
            known = 12
        remark = marker == 0xFE or 0xE0 <= marker <= 0xEF
        if remark and any(body[known:]):
            yield first + known, stop
        at = stop


def _segments_2000(part: memoryview) -> Iterator[tuple[int, int]]:
    """Comments of the main header of JPEG 2000, except the names of encoders."""
    at = 2
    while at + 4 <= len(part):
        marker, length = struct.unpack_from(">HH", part, at)
        if marker == _TILE or marker < 0xFF00 or length < 2:
            return
        stop = min(at + 2 + length, len(part))
        body = bytes(part[at + 6 : stop])
        if marker == _COMMENT_2000 and any(body) and not _MAKER.fullmatch(body):
            yield at + 6, stop
        at = stop


def _after(part: memoryview) -> Iterator[tuple[int, int]]:
    """Bytes between the end of the image and the end of its last fragment."""
    if bytes(part[-2:]) == _END or (bytes(part[-3:-1]) == _END and not part[-1]):
        return
    if bytes(part[:2]) not in (_START, _CODESTREAM[:2]):
        return
    end = bytes(part).rfind(_END)
    if end >= 0 and set(part[end + 2 :]) - {0x00, 0xFF}:
        yield end + 2, len(part)
