"""
Encapsulated pixel data: which fragments make which frame, and what hides around the picture.

A compressed frame carries more than its picture: comments, application segments (Exif, JFIF
thumbnails), bytes after the end of the image, an offset table that nobody checks (PS3.5 A.4).
What is not picture is overwritten in place, so that lengths, offsets and the picture stay.
"""

import struct
from collections.abc import Iterable

from app.deid.codestreams import CODESTREAM, START, remarks
from app.deid.walk import Fragments

_NO_TABLE = memoryview(b"")


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
        starts = bytes(part[:2]) in (START, CODESTREAM) if offsets is None else at in offsets
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
    for group in _beginning(parts):
        frame: bytes | memoryview = group[0] if len(group) == 1 else b"".join(group)
        spans = list(remarks(frame))
        if spans:
            copy, changed = bytearray(frame), True
            for start, stop in spans:
                copy[start:stop] = bytes(stop - start)
            whole, at = memoryview(bytes(copy)), 0
            for part in group:
                cleaned.append(whole[at : at + len(part)])
                at += len(part)
        else:
            cleaned += group
    return Fragments((kept, *cleaned)) if changed else fragments


def _beginning(parts: Iterable[memoryview]) -> list[list[memoryview]]:
    """Fragments grouped by frames, as far as their first bytes tell where one begins."""
    groups: list[list[memoryview]] = []
    for part in parts:
        if not groups or bytes(part[:2]) in (START, CODESTREAM):
            groups.append([])
        groups[-1].append(part)
    return groups


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
