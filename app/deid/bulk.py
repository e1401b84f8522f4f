"""
Bulk data that holds no more than its attributes say, and only where it means something.

Lookup tables and waveforms are numbers by definition (PS3.3 C.7.6.3, C.11, C.10.9), but nothing
stops a sender from writing more behind them, or a table that no pixel uses. A voice is silenced.
"""

import re
import struct
from itertools import pairwise

from app.deid.iods import Kind
from app.deid.walk import PIXEL_DATA, Dataset, Element, number_of, text_of

VOICE = "1.2.840.10008.5.1.4.1.1.9.4.1"  # Basic Voice Audio: somebody dictates
_PHOTOMETRIC, _PRESENTATION = 0x00280004, 0x00089205
_COLOURED = frozenset(("COLOR", "MIXED", "COLOR_RANGE", "COLOR_REF"))
_DESCRIPTORS = {0x00281201: 0x00281101, 0x00281202: 0x00281102, 0x00281203: 0x00281103}
_DESCRIPTORS |= {0x00281204: 0x00281104, 0x00283006: 0x00283002}
_LETTERS = re.compile(rb"[A-Za-z][A-Za-z ^,.'-]{7,}")
_SEGMENTED = (0x00281221, 0x00281222, 0x00281223, 0x00281224)
_PALETTE = (*range(0x00281101, 0x00281105), 0x00281199, *range(0x00281201, 0x00281205), *_SEGMENTED)
_IN_PALETTE = frozenset(_PALETTE)
_CHANNELS, _SAMPLES, _BITS, _KIND_OF_SAMPLE = 0x003A0005, 0x003A0010, 0x54001004, 0x54001006
_WAVEFORM_SEQUENCE, _WAVEFORM_DATA = 0x54000100, 0x54001010
_UNSIGNED = frozenset(("UB", "MB", "AB"))
_LENGTHENED = frozenset((*_DESCRIPTORS, _WAVEFORM_DATA))
"""What somebody could have written more behind than it says."""


def settle(dataset: Dataset, kind: Kind, little: bool) -> None:
    """The top level of a treated object: no table without a use, nothing behind and in any."""
    if not _IN_PALETTE.isdisjoint(dataset) and not _palette_means_something(dataset, kind):
        for tag in _PALETTE:
            dataset.pop(tag, None)
    cut(dataset, little)


def settle_item(item: Dataset, sequence: int, sop_class: str, little: bool) -> None:
    """An item of a sequence: nothing behind its tables and waveforms, and no voice."""
    cut(item, little)
    if sequence == _WAVEFORM_SEQUENCE and sop_class == VOICE:
        _silence(item)


def _reads(table: bytes) -> bool:
    """Do letters stand in a row that no ramp of colours makes, in bytes or in every second one?"""
    for letters in (table, table[::2], table[1::2]):
        for found in _LETTERS.finditer(letters):
            steps = [two - one for one, two in pairwise(found[0])]
            if min(steps) < 0 < max(steps):
                return True
    return False


def _ramp(size: int, bits: int, little: bool) -> bytes:
    """A table of 16-bit entries from nothing to the most that so many bits hold."""
    count, most = size // 2, (1 << bits) - 1
    steps = (most * place // max(count - 1, 1) for place in range(count))
    return struct.pack(f"{'<' if little else '>'}{count}H", *steps)


def cut(item: Dataset, little: bool) -> None:
    """Tables and waveforms of one level, as long as they say they are; a table that reads is none."""
    if _LENGTHENED.isdisjoint(item):
        return
    for data, descriptor in _DESCRIPTORS.items():
        if data in item:
            said = item.get(descriptor)
            _cut_to(item, data, _entries(said, little) * 2)
            element = item[data]
            if isinstance(element.value, (bytes, memoryview)) and _reads(bytes(element.value)):
                ramp = _ramp(len(element.value), _bits(said, little), little)
                item[data] = Element(element.vr, ramp)
    if _WAVEFORM_DATA in item:
        channels = number_of(item.get(_CHANNELS), little) or 0
        bits = number_of(item.get(_BITS), little) or 0
        samples = item.get(_SAMPLES)
        counted = 0
        if samples is not None and isinstance(samples.value, (bytes, memoryview)):
            counted = int.from_bytes(samples.value[:4], "little" if little else "big")
        _cut_to(item, _WAVEFORM_DATA, channels * counted * bits // 8)


def _palette_means_something(dataset: Dataset, kind: Kind) -> bool:
    """PALETTE COLOR pixels, a supplemental palette, or an object that is about palettes."""
    if PIXEL_DATA not in dataset:
        return kind.types is not None and bool(kind.types.keys() & _IN_PALETTE)
    if text_of(dataset.get(_PHOTOMETRIC)).upper() == "PALETTE COLOR":
        return True
    return text_of(dataset.get(_PRESENTATION)).upper() in _COLOURED


def _entries(descriptor: Element | None, little: bool) -> int:
    """Entries of a lookup table, from its descriptor; 0 stands for 65,536 (PS3.3 C.11.1.1.1)."""
    counted = number_of(descriptor, little)
    return 0 if counted is None else counted or 65536


def _bits(descriptor: Element | None, little: bool) -> int:
    """Bits of an entry, the third number of its descriptor (PS3.3 C.11.1.1.1)."""
    if descriptor is None or not isinstance(descriptor.value, (bytes, memoryview)):
        return 16
    said = int.from_bytes(descriptor.value[4:6], "little" if little else "big")
    return said if 0 < said <= 16 else 16


def _cut_to(item: Dataset, tag: int, size: int) -> None:
    """At most `size` bytes; what says nothing of its length holds nothing."""
    element = item[tag]
    if isinstance(element.value, (bytes, memoryview)) and len(element.value) > size + (size & 1):
        item[tag] = Element(element.vr, element.value[:size])


def _silence(group: Dataset) -> None:
    data = group.get(_WAVEFORM_DATA)
    if data is None or not isinstance(data.value, (bytes, memoryview)):
        return
    still = b"\x80" if text_of(group.get(_KIND_OF_SAMPLE)) in _UNSIGNED else b"\0"
    group[_WAVEFORM_DATA] = Element(data.vr, still * len(data.value))
