"""
Rows of numbers as PostgreSQL's binary COPY writes them, and as one array of NumPy.

A row of a fixed number of numbers has a fixed length there, so that a nation's cells are read, or
written, without an object for each of them. Rows of other kinds are put together from their fields.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

BEGINNING = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""The signature, no flags and no extension (PostgreSQL, "COPY: Binary Format")."""
END = b"\xff\xff"
ELEMENTS = {"bigint": (20, ">i8"), "float8": (701, ">f8")}
"""PostgreSQL's number of a type, which an array says of its elements, and NumPy's name of it."""
PIECE = 4 * 1024 * 1024
"""Bytes that are read at once: COPY gives them out row by row."""

Records = npt.NDArray[np.void]


class Text(NamedTuple):
    """A column that holds the same ASCII text in each row."""

    value: str


class Array(NamedTuple):
    """A column of arrays of so many numbers, one at least, of a type of `ELEMENTS`."""

    size: int
    of: str = "bigint"


class Several(NamedTuple):
    """So many columns of a type of `ELEMENTS` side by side, or of `PAIR`."""

    size: int
    of: str = "bigint"


PAIR = "pair"
"""A number of eight bytes that is two of four, as `in_pairs` puts them."""
INTEGER = "integer"
"""A column of whole numbers of four bytes; dates too, as days since 2000."""

Columns = Mapping[str, str | Text | Array | Several]


def in_pairs(counts: Sequence[str]) -> list[str]:
    """SQL for columns of `PAIR`: counts, which are not below 0, two in each; alone with a zero.

    PostgreSQL takes as long to send a number as to work out several, and fails where a count does not
    fit four bytes.
    """
    even = [*counts, *["0"] * (len(counts) % 2)]
    return [
        f"{one} * 4294967296 + ({other})::integer"
        for one, other in zip(even[::2], even[1::2], strict=True)
    ]


def dtype(columns: Columns) -> np.dtype[np.void]:
    """A row's form. The values of a column stand under its name, those of several, or of an array, in
    `value` of it."""
    fields: list[tuple[Any, ...]] = [("columns", ">i2")]
    for name, kind in columns.items():
        if isinstance(kind, Several):
            pair = ("value", ">i4", (2,))
            value = pair if kind.of == PAIR else ("value", ELEMENTS[kind.of][1])
            fields.append((name, [("length", ">i4"), value], (kind.size,)))
            continue
        fields.append((f"{name} length", ">i4"))
        if isinstance(kind, Array):
            fields.append((f"{name} head", ">i4", (5,)))
            element = ("value", ELEMENTS[kind.of][1])
            fields.append((name, [("length", ">i4"), element], (kind.size,)))
        elif isinstance(kind, Text):
            if kind.value:
                fields.append((name, f"S{len(kind.value)}"))
        else:
            fields.append((name, ">i4"))
    return np.dtype(fields)


def blank(columns: Columns, rows: int) -> Records:
    """Rows with everything in place but the numbers."""
    made = np.zeros(rows, dtype(columns))
    made["columns"] = sum(
        kind.size if isinstance(kind, Several) else 1 for kind in columns.values()
    )
    for name, kind in columns.items():
        if isinstance(kind, Several):
            made[name]["length"] = 8
        elif isinstance(kind, Array):
            made[f"{name} length"] = 20 + 12 * kind.size
            made[f"{name} head"] = (1, 0, ELEMENTS[kind.of][0], kind.size, 1)
            made[name]["length"] = 8
        elif isinstance(kind, Text):
            made[f"{name} length"] = len(kind.value)
            if kind.value:
                made[name] = kind.value.encode("ascii")
        else:
            made[f"{name} length"] = 4
    return made


def written(some: Iterable[Records]) -> Iterator[bytes]:
    """The rows as COPY takes them in."""
    yield BEGINNING
    for rows in some:
        yield rows.tobytes()
    yield END


class Reader:
    """Takes in what COPY gives out, in pieces of any size, and gives the rows that are whole by then."""

    def __init__(self, columns: Columns) -> None:
        self._form = dtype(columns)
        self._several = [name for name, kind in columns.items() if isinstance(kind, Several)]
        self._expected = blank(columns, 1)[0]
        self._held: list[bytes] = []
        self._size = 0
        self._begun = False

    def take(self, piece: bytes) -> Iterator[Records]:
        """Rows, once there are many; ValueError if they are of another form."""
        self._held.append(piece)
        self._size += len(piece)
        if self._size >= PIECE:
            yield self._rows()

    def end(self) -> Iterator[Records]:
        """The last rows, if there are any; ValueError if something is missing."""
        if len(rows := self._rows()):
            yield rows
        if self._held != [END]:
            raise ValueError("rows of another form, or cut off")

    def _rows(self) -> Records:
        held = b"".join(self._held)
        if not self._begun:
            if not held.startswith(BEGINNING):
                raise ValueError("not what COPY writes")
            held, self._begun = held[len(BEGINNING) :], True
        rows: Records = np.frombuffer(held, self._form, len(held) // self._form.itemsize)
        self._held = [held[rows.nbytes :]]
        self._size = len(self._held[0])
        for name in self._form.names or ():
            fixed = name == "columns" or name.endswith((" length", " head"))
            if fixed and (rows[name] != self._expected[name]).any():
                raise ValueError("rows of another form")
        if any((rows[name]["length"] != 8).any() for name in self._several):
            raise ValueError("rows of another form")
        return rows


NULL = struct.pack(">i", -1)


@lru_cache(4096)
def text_field(value: str | None) -> bytes:
    """One value of a row of another length than the next row's: a text, of those that come again."""
    if value is None:
        return NULL
    encoded = value.encode()
    return struct.pack(">i", len(encoded)) + encoded


def integer_field(value: int | None) -> bytes:
    """A whole number of four bytes."""
    return NULL if value is None else struct.pack(">ii", 4, value)


def long_field(value: int) -> bytes:
    """A whole number of eight bytes."""
    return struct.pack(">iq", 8, value)


def jsonb_field(value: bytes | None) -> bytes:
    """A document of JSON, in version 1 of how it is sent."""
    return NULL if value is None else struct.pack(">iB", len(value) + 1, 1) + value


def bytes_field(value: bytes | None) -> bytes:
    """Bytes as they are."""
    return NULL if value is None else struct.pack(">i", len(value)) + value
