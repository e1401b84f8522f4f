"""
Read the encoded stream: bytes to elements, without pydicom objects.

A dataset is a dict of tag to element; a sequence holds such dicts, encapsulated pixels hold
their fragments, and everything else is a slice of the bytes that came in, so that pixel data is
never copied before the output is put together (PS3.5 sections 7 and A.4).

Reading is strict about lengths: a length that runs past its parent stops the object. It is
forgiving about what real senders do: odd lengths, unknown VRs, implicit elements inside an explicit stream, UN sequences, undefined lengths.
"""

import struct
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from app.deid.vrs import LONG_HEADER, VRS, vr_of

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010
PIXELS = frozenset((PIXEL_DATA, 0x7FE00008, 0x7FE00009))
"""Integer, floating point and double floating point pixels: the last a sender means (PS3.3)."""

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED_LITTLE = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

DEEPEST = 64
PADDING = b"\0 \t\r\n\x1a\xff"
"""What editors, tapes and transfers leave behind the last element."""


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


_SWAPPED = {
    **dict.fromkeys(("US", "SS", "OW", "AT"), 2),
    **dict.fromkeys(("UL", "SL", "FL", "OF", "OL"), 4),
    **dict.fromkeys(("UV", "SV", "FD", "OD", "OV"), 8),
}
_TAGS, _SHORTS, _LONGS = (
    {True: struct.Struct(f"<{form}"), False: struct.Struct(f">{form}")} for form in ("HH", "H", "L")
)


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
        """Elements up to `end`, or to the delimiter of an `item` without length; one when `only`."""
        if depth > DEEPEST:
            raise Malformed("nested-too-deep")
        view = self.view
        tags, short, long = self.tags[little], self.short[little], self.long[little]
        found: Dataset = {} if into is None else into
        vrs = VRS
        while at < end and not (only and found):
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
                vr, length = self._unnamed_vr(tag, at, explicit, little)
                at += 8
            elif vr in LONG_HEADER:
                if at + 12 > end:
                    raise Malformed("truncated")
                length, at = long.unpack_from(view, at + 8)[0], at + 12
            else:
                length, at = short.unpack_from(view, at + 6)[0], at + 8
            if length == UNDEFINED:
                found[tag], at = self._delimited(tag, vr, at, end, depth, explicit, little)
                continue
            stop = at + length
            if stop > end:
                if depth == 0 and vr_of(tag) == "UN" and _is_text(bytes(view[begin : begin + 8])):
                    return found, end
                raise Malformed("wrong-length" if depth else "truncated")
            if vr == "SQ":
                items, at = self.items(at, stop, depth, explicit, little, False)
                found[tag] = Element("SQ", items)
                continue
            unnamed = vr == "UN" and not group & 1
            known = self._named(tag, at, stop, depth, little) if unnamed else None
            found[tag] = known or Element(vr, view[at:stop])
            at = stop
        if item:
            raise Malformed("truncated")
        return found, at

    def _unnamed_vr(self, tag: int, at: int, explicit: bool, little: bool) -> tuple[str, int]:
        """VR and length of an element whose header names no VR that is known."""
        if explicit and _is_like_a_vr(self.view, at):
            # A VR this edition does not know has a 32-bit length (PS3.5 7.1.2), but the
            # ones met in the field are misspelt old ones with 16 bits.
            return "UN", self.short[little].unpack_from(self.view, at + 6)[0]
        vr = vr_of(tag)
        return "UN" if vr == "NO" else vr, self.long[little].unpack_from(self.view, at + 4)[0]

    def _delimited(
        self, tag: int, vr: str, at: int, end: int, depth: int, explicit: bool, little: bool
    ) -> tuple[Element, int]:
        """An element without a length, and where its delimiter ends: compressed pixels, or items."""
        if tag == PIXEL_DATA or vr in ("OB", "OW"):
            fragments, at = self.fragments(at, end, little)
            return Element("OB" if tag == PIXEL_DATA else vr, fragments), at
        if vr == "UN":  # PS3.5 6.2.2: implicit VR little endian, whatever is around it
            explicit, little = False, True
        elif vr != "SQ":
            raise Malformed("undefined-length")
        items, at = self.items(at, end, depth, explicit, little, True)
        return Element("SQ", items), at

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


def _is_like_a_vr(view: memoryview, at: int) -> bool:
    """Do two capital letters stand where a VR should? Else it looks implicit."""
    return 65 <= view[at + 4] <= 90 and 65 <= view[at + 5] <= 90


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
