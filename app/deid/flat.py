"""
The encoded stream as one flat row of elements, for the second look alone.

Sequences and items are stepped into and not built: where an element stands does not matter to
somebody who looks for an identifier. This shares no code with `walk.py`, whose mistakes it is to
find, and stops at anything that cannot be read.
"""

import struct
import zlib
from functools import cache
from typing import NamedTuple

from pydicom.datadict import DicomDictionary

PIXELS = 0x7FE00010
_PICTURES = frozenset((PIXELS, 0x7FE00008, 0x7FE00009))
_PADDING = b"\0 \t\r\n\x1a\xff"
_LONG = frozenset(
    [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"]
)
_SHORT = frozenset(
    [
        b"AE",
        b"AS",
        b"AT",
        b"CS",
        b"DA",
        b"DS",
        b"DT",
        b"FD",
        b"FL",
        b"IS",
        b"LO",
        b"LT",
        b"PN",
        b"SH",
        b"SL",
        b"SS",
        b"ST",
        b"TM",
        b"UI",
        b"UL",
        b"US",
    ]
)
_UNDEFINED = 0xFFFFFFFF
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_IMPLICIT = b"1.2.840.10008.1.2"
_BIG = b"1.2.840.10008.1.2.2"
_INFLATED_LIMIT = 1 << 31


class Unreadable(Exception):
    """The stream is not one of elements, or it ends too early."""


Found = tuple[int, bytes, int, int]
"""Tag, VR, and where the value begins and ends. The VR of an implicit stream is the dictionary's."""


class Flat(NamedTuple):
    """A whole object: its bytes, inflated where they were deflated, and every value in them.

    `fragments` are the parts of encapsulated pixel data; `little` is the order of the dataset.
    """

    body: bytes
    values: list[Found]
    fragments: list[Found]
    little: bool


def flat(source: bytes, *, whole: bool = True) -> Flat:
    """Read an object of any transfer syntax. Raises `Unreadable`.

    Of one that need not be `whole` something may follow the pixels, and text the last element, that
    is no element.
    """
    try:
        return _flat(source, whole)
    except (struct.error, IndexError, zlib.error, RecursionError) as error:
        raise Unreadable from error


def _flat(source: bytes, whole: bool) -> Flat:
    begin = 132 if source[128:132] == b"DICM" else 4 if source[:4] == b"DICM" else 0
    reader = _Row(source)
    at = reader.meta(begin)
    syntax = b""
    for tag, _, start, stop in reader.values:
        if tag == 0x00020010:
            syntax = source[start:stop].strip(b"\0 ")
    explicit, little = syntax != _IMPLICIT, syntax != _BIG
    if not syntax:
        little = bool(source[at]) or not source[at + 1]
        explicit = source[at + 4 : at + 6] in _LONG | _SHORT
    if syntax == _DEFLATED:
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        body = source[:at] + engine.decompress(source[at:], _INFLATED_LIMIT)
        if engine.unconsumed_tail:
            raise Unreadable
        reader.body = body
    try:
        reader.elements(at, len(reader.body), explicit, little)
    except (Unreadable, struct.error):
        if whole or not (reader.pictured or reader.padded or reader.followed()):
            raise
    return Flat(reader.body, reader.values, reader.fragments, little)


class _Row:
    """What was found so far."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.values: list[Found] = []
        self.fragments: list[Found] = []
        self.pictured = self.padded = False
        """Were the object's own pixels read; is what could not be read padding?"""
        self._depth = self._nested = 0

    def meta(self, at: int) -> int:
        """The file meta information, always explicit and little; returns where it ends."""
        body = self.body
        while body[at : at + 2] == b"\2\0":
            vr = body[at + 4 : at + 6]
            wide = vr in _LONG
            size = struct.unpack_from("<L" if wide else "<H", body, at + (8 if wide else 6))[0]
            start = at + (12 if wide else 8)
            tag = 0x00020000 | int.from_bytes(body[at + 2 : at + 4], "little")
            at = start + size
            self.values.append((tag, vr, start, at))
        return at

    def elements(self, at: int, end: int, explicit: bool, little: bool) -> None:
        """Every element from here to the end, whatever it is nested in."""
        body, keep = self.body, self.values.append
        order = "<" if little else ">"
        head = struct.Struct(order + "HH2sH").unpack_from
        long = struct.Struct(order + "L").unpack_from
        short = _SHORT if explicit else frozenset()
        while at + 8 <= end:
            group, number, vr, size = head(body, at)
            at += 8
            if vr in short and group < 0x7FE0:  # nearly all: neither pixels nor an item
                start, at = at, at + size
                keep((group << 16 | number, vr, start, at))
                continue
            tag = group << 16 | number
            if group == 0xFFFE:  # an item or the end of one: what is inside comes next
                self._depth -= number == 0xE0DD
                continue
            top = not self._depth and at >= self._nested
            if explicit and vr in _SHORT:
                keep((tag, vr, at, at + size))
                at += size
            elif explicit and vr in _LONG:
                size = long(body, at)[0]
                at = self._long(tag, vr, size, at + 4, explicit, little)
            elif explicit and vr.isalpha() and vr.isupper() and vr.isascii():
                keep((tag, b"UN", at, at + size))  # no VR of the standard
                at += size
            else:
                size = long(body, at - 4)[0]
                at = self._long(tag, vr_of(tag), size, at, explicit, little)
            if at > end:
                raise Unreadable
            self.pictured |= top and tag in _PICTURES
        if at > end:
            raise Unreadable
        if any(body[at:end]):
            self.padded = not body[at:end].strip(_PADDING)
            raise Unreadable

    def followed(self) -> bool:
        """Is what could not be read text? Such bytes make no tag that is known and no length."""
        body = self.body
        self.values = [one for one in self.values if one[3] <= len(body)]
        at = max((stop for _, _, _, stop in self.values + self.fragments), default=len(body))
        while body[at : at + 2] in (b"\xfe\xff", b"\xff\xfe"):  # the ends of items
            at += 8
        rest = body[at : at + 8]
        return bool(rest) and all(byte in b"\t\n\r" or 0x1F < byte != 0x7F for byte in rest)

    def _long(self, tag: int, vr: bytes, size: int, at: int, explicit: bool, little: bool) -> int:
        """An element whose length has 32 bits; returns where the next one begins."""
        if vr == b"SQ":
            self._open(at, size)
            return at
        if size == _UNDEFINED:
            if tag == PIXELS or vr in (b"OB", b"OW"):
                return self._encapsulated(tag, at, little)
            if vr != b"UN":
                raise Unreadable
            self._open(at, size)
            if not explicit:
                return at
            stop = self._end_of(at)  # PS3.5 6.2.2: implicit little endian, whatever is around it
            self.elements(at, stop, False, True)
            return stop
        if at + size > len(self.body):
            raise Unreadable
        if vr == b"UN" and little and self.body[at : at + 4] == b"\xfe\xff\x00\xe0":
            before, padded = len(self.values), self.padded
            try:
                self.elements(at, at + size, False, True)
            except (Unreadable, struct.error):
                del self.values[before:]
                self.padded = padded
        self.values.append((tag, vr, at, at + size))
        return at + size

    def _open(self, at: int, size: int) -> None:
        """A sequence begins: what comes is not of the top level until it ends."""
        if size == _UNDEFINED:
            self._depth += 1
        else:
            self._nested = max(self._nested, at + size)

    def _end_of(self, at: int) -> int:
        """Where a sequence of undefined length sent as UN ends, behind its delimiter."""
        body, depth = self.body, 1
        while depth:
            tag, size = body[at : at + 4], struct.unpack_from("<L", body, at + 4)[0]
            at += 8
            if tag == b"\xfe\xff\xdd\xe0":
                depth -= 1
            elif tag in (b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0"):
                continue
            elif size == _UNDEFINED:
                depth += 1
            elif (
                vr_of(int.from_bytes(tag[:2], "little") << 16 | int.from_bytes(tag[2:], "little"))
                != b"SQ"
            ):
                at += size
            if at > len(body):
                raise Unreadable
        return at

    def _encapsulated(self, tag: int, at: int, little: bool) -> int:
        order = "<" if little else ">"
        while True:
            group, number, size = struct.unpack_from(order + "HHL", self.body, at)
            at += 8
            if (group, number) == (0xFFFE, 0xE0DD):
                return at
            if (group, number) != (0xFFFE, 0xE000) or at + size > len(self.body):
                raise Unreadable
            self.fragments.append((tag, b"OB", at, at + size))
            at += size


@cache
def _vrs() -> dict[int, bytes]:
    return {tag: entry[0][:2].encode() for tag, entry in DicomDictionary.items()}


def vr_of(tag: int) -> bytes:
    """The dictionary's VR; UN where it has none."""
    if tag >> 16 & 1:
        return b"LO" if 0x10 <= tag & 0xFFFF <= 0xFF else b"UN"
    return _vrs().get(tag, b"UN" if tag & 0xFFFF else b"UL")
