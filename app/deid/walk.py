"""
Read the encoded stream: bytes to elements, without pydicom objects.

A dataset is a dict of tag to element; a sequence holds such dicts, encapsulated pixels hold
their fragments, and everything else is a slice of the bytes that came in, so that pixel data is
never copied before the output is put together (PS3.5 sections 7 and A.4).

Reading is strict about lengths: a length that runs past its parent stops the object. It is
forgiving about what real senders do: no preamble, no file meta information, odd lengths,
unknown VRs, implicit elements inside an explicit stream, UN sequences, undefined lengths.
"""

import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from pydicom.datadict import DicomDictionary, RepeatersDictionary, mask_match

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010
PIXELS = frozenset((PIXEL_DATA, 0x7FE00008, 0x7FE00009))
"""Integer, floating point and double floating point pixels: the last a sender means (PS3.3)."""

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED_LITTLE = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

LONG_HEADER = frozenset(
    ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]
)
SHORT_HEADER = frozenset(
    [
        "AE",
        "AS",
        "AT",
        "CS",
        "DA",
        "DS",
        "DT",
        "FD",
        "FL",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "SL",
        "SS",
        "ST",
        "TM",
        "UI",
        "UL",
        "US",
    ]
)
TEXT_VRS = frozenset(["LO", "LT", "PN", "SH", "ST", "UC", "UT"])
DEEPEST = 64
PADDING = b"\0 \t\r\n\x1a\xff"
"""What editors, tapes and transfers leave behind the last element."""
INFLATED_LIMIT = 1 << 31
VRS: dict[bytes, str] = {vr.encode(): vr for vr in LONG_HEADER | SHORT_HEADER}


class Malformed(Exception):
    """The bytes are not a readable DICOM instance; `reason` is one of our own words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Fragments(NamedTuple):
    """Encapsulated pixel data: the basic offset table, then the fragments, each a slice."""

    parts: tuple[memoryview, ...]


Value: TypeAlias = "bytes | memoryview | list[dict[int, Element]] | Fragments"


class Element(NamedTuple):
    """One element: its VR, and a slice of bytes, a list of items, or fragments."""

    vr: str
    value: Value


Dataset: TypeAlias = dict[int, Element]


@dataclass(slots=True)
class Instance:
    """A decoded object: the file meta information, the dataset, and how it was written."""

    meta: Dataset
    dataset: Dataset
    transfer_syntax: str
    explicit: bool
    little: bool


def dictionary_vr(tag: int) -> str:
    """The VR the standard gives a tag; UN where it knows none. Ambiguous ones take the first."""
    known = DicomDictionary.get(tag)
    if known is not None:
        return "OW" if known[0] == "OB or OW" else known[0][:2]
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    if not tag & 0xFFFF:
        return "UL"
    mask = mask_match(tag)
    return RepeatersDictionary[mask][0][:2] if mask else "UN"


_vr_of: dict[int, str] = {}


def vr_of(tag: int) -> str:
    """`dictionary_vr`, remembered for the tags of the standard (the rest could grow for ever)."""
    known = _vr_of.get(tag)
    if known is None:
        known = dictionary_vr(tag)
        if tag in DicomDictionary:
            _vr_of[tag] = known
    return known


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


_SWAPPED = {
    **dict.fromkeys(("US", "SS", "OW", "AT"), 2),
    **dict.fromkeys(("UL", "SL", "FL", "OF", "OL"), 4),
    **dict.fromkeys(("UV", "SV", "FD", "OD", "OV"), 8),
}
_SHORT_FORM = struct.Struct("<HH2sH")
_TAGS, _SHORTS, _LONGS = (
    {True: struct.Struct(f"<{form}"), False: struct.Struct(f">{form}")} for form in ("HH", "H", "L")
)
_FIRST_GROUPS = frozenset((b"\2\0", b"\4\0", b"\10\0", b"\20\0", b"\0\2", b"\0\10", b"\0\20"))


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


class Reader:
    """One pass over one buffer; nested items may switch to implicit (UN sequences)."""

    def __init__(self, view: memoryview, explicit: bool, little: bool) -> None:
        self.view = view
        self.tags, self.short, self.long = _TAGS, _SHORTS, _LONGS

    def elements(
        self,
        at: int,
        end: int,
        depth: int,
        explicit: bool,
        little: bool,
        item: bool = False,
        into: Dataset | None = None,
        only: bool = False,
    ) -> tuple[Dataset, int]:
        """Elements up to `end`, or up to the item delimiter when `item` has no length.

        Just the first one when `only`.
        """
        if depth > DEEPEST:
            raise Malformed("nested-too-deep")
        view = self.view
        tags, short, long = self.tags[little], self.short[little], self.long[little]
        found: Dataset = {} if into is None else into
        vrs = VRS
        while at < end:
            if only and found:
                break
            if at + 8 > end:
                rest = bytes(view[at:end])
                if depth == 0 and (not rest.strip(PADDING) or _is_text(rest)):
                    return found, end
                raise Malformed("truncated")
            begin = at
            group, number = tags.unpack_from(view, at)
            tag = group << 16 | number
            if group == 0xFFFE:
                if tag == ITEM_END and item:
                    return found, at + 8
                raise Malformed("stray-delimiter")
            vr = vrs.get(bytes(view[at + 4 : at + 6])) if explicit else None
            if vr is None:
                if explicit and (other := _unknown_vr(view, at)):
                    # A VR this edition does not know has a 32-bit length (PS3.5 7.1.2), but the
                    # ones met in the field are misspelt old ones with 16 bits.
                    vr, length, at = other, short.unpack_from(view, at + 6)[0], at + 8
                else:
                    vr, length, at = vr_of(tag), long.unpack_from(view, at + 4)[0], at + 8
                    if vr == "NO":
                        vr = "UN"
            elif vr in LONG_HEADER:
                if at + 12 > end:
                    raise Malformed("truncated")
                length, at = long.unpack_from(view, at + 8)[0], at + 12
            else:
                length, at = short.unpack_from(view, at + 6)[0], at + 8
            if length == UNDEFINED:
                value: Value
                if tag == PIXEL_DATA or vr in ("OB", "OW"):
                    value, at = self.fragments(at, end, little)
                    found[tag] = Element("OB" if tag == PIXEL_DATA else vr, value)
                elif vr == "SQ":
                    value, at = self.items(at, end, depth, explicit, little, True)
                    found[tag] = Element("SQ", value)
                elif vr == "UN":  # PS3.5 6.2.2: implicit VR little endian, whatever is around it
                    value, at = self.items(at, end, depth, False, True, True)
                    found[tag] = Element("SQ", value)
                else:
                    raise Malformed("undefined-length")
                continue
            stop = at + length
            if stop > end:
                if depth == 0 and vr_of(tag) == "UN" and _is_text(bytes(view[begin : begin + 8])):
                    return found, end
                raise Malformed("wrong-length" if depth else "truncated")
            if vr == "SQ":
                value, at = self.items(at, stop, depth, explicit, little, False)
                found[tag] = Element("SQ", value)
                continue
            if vr == "UN" and not group & 1:
                known = self._named(tag, at, stop, depth, little)
                if known is not None:
                    found[tag] = known
                    at = stop
                    continue
            found[tag] = Element(vr, view[at:stop])
            at = stop
        if item:
            raise Malformed("truncated")
        return found, at

    def _named(self, tag: int, at: int, stop: int, depth: int, little: bool) -> Element | None:
        """An element sent as UN that the standard names: under its own VR, if it can be read."""
        vr = vr_of(tag)
        if vr == "UN":
            return None
        if not little and vr in _SWAPPED:  # what UN holds is always little endian (PS3.5 6.2.2)
            size, value = _SWAPPED[vr], bytes(self.view[at:stop])
            turned = [value[place : place + size][::-1] for place in range(0, len(value), size)]
            return Element(vr, b"".join(turned))
        if vr == "SQ":
            try:
                return Element("SQ", self.items(at, stop, depth, False, True, False)[0])
            except Malformed:
                return None
        return Element(vr, self.view[at:stop])

    def items(
        self, at: int, end: int, depth: int, explicit: bool, little: bool, undefined: bool
    ) -> tuple[list[Dataset], int]:
        """The items of a sequence, up to its end or its delimiter."""
        found: list[Dataset] = []
        tags, long = self.tags[little], self.long[little]
        while at < end:
            if at + 8 > end:
                raise Malformed("truncated")
            group, number = tags.unpack_from(self.view, at)
            tag, length = group << 16 | number, long.unpack_from(self.view, at + 4)[0]
            at += 8
            if tag == SEQUENCE_END and undefined:
                return found, at
            if tag != ITEM:
                raise Malformed("sequence-broken")
            if length == UNDEFINED:
                item, at = self.elements(at, end, depth + 1, explicit, little, True)
            else:
                if at + length > end:
                    raise Malformed("wrong-length")
                item, at = self.elements(at, at + length, depth + 1, explicit, little)
            found.append(item)
        if undefined:
            raise Malformed("truncated")
        return found, at

    def fragments(self, at: int, end: int, little: bool) -> tuple[Fragments, int]:
        """The fragments of encapsulated pixel data (PS3.5 A.4)."""
        parts: list[memoryview] = []
        tags, long = self.tags[little], self.long[little]
        while at + 8 <= end:
            group, number = tags.unpack_from(self.view, at)
            tag, length = group << 16 | number, long.unpack_from(self.view, at + 4)[0]
            at += 8
            if tag == SEQUENCE_END:
                return Fragments(tuple(parts)), at
            if tag != ITEM or at + length > end:
                raise Malformed("pixel-fragments-broken")
            parts.append(self.view[at : at + length])
            at += length
        raise Malformed("truncated")


def _unknown_vr(view: memoryview, at: int) -> str | None:
    """`UN` when two capital letters stand where a VR should; None when it looks implicit."""
    first, second = view[at + 4], view[at + 5]
    return "UN" if 65 <= first <= 90 and 65 <= second <= 90 else None


def _is_text(head: bytes) -> bool:
    """Are these letters that somebody wrote behind the dataset, and no head of an element?

    The tag of an element that is known holds a byte below the space, and so does a length below 500 MB.
    """
    return len(head) > 3 and all(
        0x20 <= byte < 0x7F or byte >= 0xA0 or byte in b"\t\r\n" for byte in head
    )


def text_of(element: Element | None) -> str:
    """A value of the default repertoire (UI, CS, DA …) as text without its padding."""
    if element is None:
        return ""
    value = element[1]
    if isinstance(value, (bytes, memoryview)):
        return str(value, "latin-1").strip("\0 \t\r\n")
    return ""


def number_of(element: Element | None, little: bool = True) -> int | None:
    """An US value as a number; None when it is not there or not one."""
    if element is None or not isinstance(element.value, (bytes, memoryview)):
        return None
    return (
        int.from_bytes(element.value[:2], "little" if little else "big") if element.value else None
    )


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
