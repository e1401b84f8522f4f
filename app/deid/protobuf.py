"""
Protocol buffers as bytes: the fields of a message, and a message of fields.

Enough to read and write the file of a network (ONNX), whose messages are made of lengths and whole
numbers. Fields that nobody asks for are handed on as they came.
"""

from collections.abc import Iterable, Iterator

VARINT, DOUBLE, BYTES, FLOAT = 0, 1, 2, 5
"""Kinds of fields on the wire."""
_FIXED = {DOUBLE: 8, FLOAT: 4}
Field = tuple[int, int, int | memoryview]
"""Number, kind, and a whole number for `VARINT` or the content as bytes for all others."""


def fields(message: bytes | memoryview) -> Iterator[Field]:
    """The fields of a message in order. Raises `ValueError` when it is none."""
    view, at = memoryview(message), 0
    while at < len(view):
        key, at = _number(view, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _number(view, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, at = _number(view, at)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise ValueError("kind of field")
        if at + length > len(view):
            raise ValueError("length of field")
        yield number, kind, view[at : at + length]
        at += length


def message(content: Iterable[Field]) -> bytes:
    """The message of these fields."""
    parts: list[bytes | memoryview] = []
    for number, kind, value in content:
        parts.append(_varint(number << 3 | kind))
        if isinstance(value, int):
            parts.append(_varint(value))
            continue
        if kind == BYTES:
            parts.append(_varint(len(value)))
        parts.append(value)
    return b"".join(parts)


def text(number: int, value: str) -> Field:
    """A field of text."""
    return number, BYTES, memoryview(value.encode())


def _number(view: memoryview, at: int) -> tuple[int, int]:
    """A whole number of seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(view) or shift > 63:
            raise ValueError("number")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _varint(value: int) -> bytes:
    coded = bytearray()
    while value > 0x7F:
        coded.append(value & 0x7F | 0x80)
        value >>= 7
    coded.append(value)
    return bytes(coded)
