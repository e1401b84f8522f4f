"""
Write the encoded stream: elements to bytes, under the transfer syntax they came in.

Even lengths, defined lengths for sequences, elements in the order of their tags, a zero preamble
(PS3.5 section 7, PS3.10 section 7.1). Large values, pixels above all, are handed on uncopied.
"""

import os
import struct
import zlib
from collections.abc import Mapping, Sequence

from app.deid.vrs import LONG_HEADER, SHORT_HEADER, TEXT_VRS
from app.deid.walk import DEFLATED_LITTLE, UNDEFINED, Dataset, Element, Fragments, Instance

_AT_ONCE = 512  # pieces; Linux and macOS take 1024
LARGE = 1 << 16  # bytes; what is smaller is cheaper to copy than to keep apart


def write(instance: Instance, ready: Mapping[int, tuple[Element, bytes]] | None = None) -> bytes:
    """Encode under the transfer syntax the instance came in: zero preamble, meta, dataset."""
    return b"".join(parts(instance, ready))


def parts(
    instance: Instance, ready: Mapping[int, tuple[Element, bytes]] | None = None
) -> list[bytes | memoryview]:
    """The same in pieces, large values uncopied. `ready` has elements encoded before, by tag."""
    chunks: list[bytes | memoryview] = []
    explicit, little = instance.explicit, instance.little
    dataset, known = instance.dataset, (ready or {}).get
    append = chunks.append
    for tag in sorted(dataset):
        element = dataset[tag]
        before = known(tag)
        if before is not None and before[0] is element:
            append(before[1])
        else:
            _write({tag: element}, chunks, explicit, little)
    if instance.transfer_syntax == DEFLATED_LITTLE:
        engine = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = [engine.compress(chunk) for chunk in chunks] + [engine.flush()]
        deflated = b"".join(packed)
        chunks = [deflated, b"\0"] if len(deflated) & 1 else [deflated]
    meta = [encoded(tag, instance.meta[tag], True, True) for tag in sorted(instance.meta)]
    size = struct.pack("<HH2sHL", 2, 0, b"UL", 4, sum(map(len, meta)))
    return _joined([b"\0" * 128 + b"DICM", size, *meta, *chunks])


def save(descriptor: int, pieces: Sequence[bytes | memoryview]) -> int:
    """Write all pieces to an open file, from where they lie; returns how many bytes that was.

    Raises `OSError` as `os.writev` does, when the disk is full.
    """
    left = [memoryview(piece) for piece in pieces if len(piece)]
    total = sum(map(len, left))
    while left:
        written = os.writev(descriptor, left[:_AT_ONCE])
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if written:
            left[0] = left[0][written:]
    return total


def encoded(tag: int, element: Element, explicit: bool, little: bool) -> bytes:
    """One element by itself."""
    vr, value = element
    if explicit and little and vr in SHORT_HEADER and isinstance(value, (bytes, memoryview)):
        size = len(value)
        if size <= 0xFFFE:
            value = bytes(value)
            if size & 1:
                value, size = value + _PADS[vr], size + 1
            return _SHORT.pack(tag >> 16, tag & 0xFFFF, _CODES[vr], size) + value
    chunks: list[bytes | memoryview] = []
    _write({tag: element}, chunks, explicit, little)
    return b"".join(chunks)


def _joined(chunks: list[bytes | memoryview]) -> list[bytes | memoryview]:
    """Small pieces joined, large ones as they are."""
    told: list[bytes | memoryview] = []
    start = 0
    large = [number for number, chunk in enumerate(chunks) if len(chunk) > LARGE]
    for number in large:
        told += [b"".join(chunks[start:number]), chunks[number]]
        start = number + 1
    return [*told, b"".join(chunks[start:])]


def _write(dataset: Dataset, out: list[bytes | memoryview], explicit: bool, little: bool) -> int:
    """Append the elements in tag order; returns how many bytes that made."""
    bare, short, long = _HEADERS[little]
    written = 0
    for tag in sorted(dataset):
        vr, value = dataset[tag]
        place = len(out)
        out.append(b"")  # its header, when its length is known
        if isinstance(value, Fragments):
            length, size = UNDEFINED, _write_fragments(value, out, bare)
        elif isinstance(value, list):
            size = 0
            for item in value:
                begin = len(out)
                out.append(b"")
                inner = _write(item, out, explicit, little)
                out[begin] = bare.pack(0xFFFE, 0xE000, inner)
                size += inner + 8
            length = size
        else:
            size = len(value)
            out.append(value)
            if size & 1:
                out.append(_PADS[vr])
                size += 1
            length = size
        if not explicit:
            header = bare.pack(tag >> 16, tag & 0xFFFF, length)
        elif vr in LONG_HEADER:
            header = long.pack(tag >> 16, tag & 0xFFFF, _CODES[vr], 0, length)
        elif length > 0xFFFF:  # PS3.5 6.2.2 note: too long for its VR goes out as UN
            header = long.pack(tag >> 16, tag & 0xFFFF, b"UN", 0, length)
        else:
            header = short.pack(tag >> 16, tag & 0xFFFF, _CODES[vr], length)
        out[place] = header
        written += len(header) + size
    return written


_PADDED_BY_SPACE = TEXT_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UR"}
_PADS = {vr: b" " if vr in _PADDED_BY_SPACE else b"\0" for vr in LONG_HEADER | SHORT_HEADER}
_HEADERS = {
    little: tuple(struct.Struct(order + form) for form in ("HHL", "HH2sH", "HH2sHL"))
    for little, order in ((True, "<"), (False, ">"))
}
_SHORT = _HEADERS[True][1]
_CODES = {vr: vr.encode() for vr in LONG_HEADER | SHORT_HEADER}


def _write_fragments(value: Fragments, out: list[bytes | memoryview], bare: struct.Struct) -> int:
    size = 0
    for part in value.parts:
        odd = len(part) & 1
        out.append(bare.pack(0xFFFE, 0xE000, len(part) + odd))
        out.append(part)
        if odd:
            out.append(b"\0")
        size += 8 + len(part) + odd
    out.append(bare.pack(0xFFFE, 0xE0DD, 0))
    return size + 8
