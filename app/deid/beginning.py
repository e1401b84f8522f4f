"""
Where an object begins: what stands before its dataset, how that is encoded, what it calls itself.

Forgiving about what real senders do: no preamble, no file meta information.
"""

import struct
import zlib
from contextlib import suppress
from typing import NamedTuple

from app.deid.vrs import LONG_HEADER, VRS
from app.deid.walk import (
    DEFLATED_LITTLE,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    PIXELS,
    Dataset,
    Element,
    Instance,
    Malformed,
    Reader,
    text_of,
)

INFLATED_LIMIT = 1 << 31
_SHORT_FORM = struct.Struct("<HH2sH")
_FIRST_GROUPS = frozenset((b"\2\0", b"\4\0", b"\10\0", b"\20\0", b"\0\2", b"\0\10", b"\0\20"))


class Beginning(NamedTuple):
    """What stands before the dataset, and how the dataset is encoded; deflated ones are inflated."""

    meta: Dataset
    transfer_syntax: str
    explicit: bool
    little: bool
    source: bytes
    start: int


def begin(source: bytes) -> Beginning:
    """Decode file meta information and encoding. Raises `Malformed`."""
    view = memoryview(source)
    meta, start = _meta(view)
    syntax = text_of(meta.get(0x00020010))
    if not syntax:
        explicit, little = _guess(view, start)
        syntax = EXPLICIT_LITTLE if little else EXPLICIT_BIG
        syntax = syntax if explicit else IMPLICIT_LITTLE
    else:
        explicit, little = syntax != IMPLICIT_LITTLE, syntax != EXPLICIT_BIG
    if syntax == DEFLATED_LITTLE:
        source, start = _inflate(view[start:]), 0
    return Beginning(meta, syntax, explicit, little, source, start)


def read(source: bytes) -> Instance:
    """Decode one object. Raises `Malformed` with the reason when it cannot be trusted whole."""
    meta, syntax, explicit, little, source, start = begin(source)
    reader = Reader(memoryview(source), explicit, little)
    dataset: Dataset = {}
    try:
        reader.elements(start, len(reader.view), 0, explicit, little, into=dataset)
    except Malformed:
        if PIXELS.isdisjoint(dataset):  # what follows the pixels and is no element is left out
            raise
    if not dataset:
        raise Malformed("no-elements")
    return Instance(meta, dataset, syntax, explicit, little)


def _meta(view: memoryview) -> tuple[Dataset, int]:
    """File meta information (PS3.10 7.1) and where the dataset starts; none is allowed."""
    if len(view) >= 132 and bytes(view[128:132]) == b"DICM":
        start = 132
    elif bytes(view[:6]) == b"DICM\x02\x00":  # the preamble was cut off
        start = 4
    elif len(view) >= 8 and bytes(view[:2]) in _FIRST_GROUPS:
        start = 0
    else:
        raise Malformed("not-dicom")
    meta: Dataset = {}
    at, most = start, len(view)
    while at + 8 <= most:
        group, number, code, length = _SHORT_FORM.unpack_from(view, at)
        if group != 2:
            break
        vr = VRS.get(code)
        if vr is None:
            raise Malformed("file-meta-broken")
        at += 8
        if vr in LONG_HEADER:
            if at + 4 > most:
                raise Malformed("truncated")
            length = int.from_bytes(view[at : at + 4], "little")
            at += 4
        if at + length > most:
            raise Malformed("truncated")
        meta[group << 16 | number] = Element(vr, view[at : at + length])
        at += length
    return meta, at


def _guess(view: memoryview, start: int) -> tuple[bool, bool]:
    """Explicit? Little endian? As the first element shows when no transfer syntax is named."""
    if len(view) < start + 8:
        raise Malformed("no-elements")
    little = bool(view[start]) or not view[start + 1]
    explicit = bytes(view[start + 4 : start + 6]) in VRS
    return explicit, little or not explicit


def _inflate(view: memoryview) -> bytes:
    """The deflated dataset, to a limit: a small object must not become a huge one."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    limit = min(INFLATED_LIMIT, max(64 << 20, len(view) * 100))
    try:
        inflated = engine.decompress(view, limit)
    except zlib.error as error:
        raise Malformed("deflated-content-broken") from error
    if engine.unconsumed_tail:
        raise Malformed("deflated-content-too-large")
    if not engine.eof:
        raise Malformed("truncated")
    return inflated


class Names(NamedTuple):
    """What an object calls itself; empty where its beginning does not say."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str


def names(head: bytes) -> Names | None:
    """The UIDs in the beginning of an object, for the answer to its sender; None: no DICOM."""
    view = memoryview(head)
    try:
        meta, start = _meta(view)
        syntax = text_of(meta.get(0x00020010))
        if syntax == DEFLATED_LITTLE:
            engine = zlib.decompressobj(-zlib.MAX_WBITS)
            view, start = memoryview(engine.decompress(view[start:], 1 << 20)), 0
        if syntax:
            explicit, little = syntax != IMPLICIT_LITTLE, syntax != EXPLICIT_BIG
        else:
            explicit, little = _guess(view, start)
    except (Malformed, zlib.error, IndexError, struct.error):
        return None
    found: Dataset = {}
    with suppress(Malformed, RecursionError):  # the head ends somewhere; what came before counts
        Reader(view, explicit, little).elements(start, len(view), 0, explicit, little, into=found)
    return Names(
        text_of(found.get(0x00080016)) or text_of(meta.get(0x00020002)),
        text_of(found.get(0x00080018)) or text_of(meta.get(0x00020003)),
        text_of(found.get(0x0020000D)),
        text_of(found.get(0x0020000E)),
    )
