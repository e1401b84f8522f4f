"""The shape of a dictionary's contents: pages of sections, each a table with a heading."""

from dataclasses import dataclass

from app.registries.dictionary.rows import MARKS
from app.registries.parts import Source


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table; the first cell names it."""

    anchor: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A table with a heading."""

    anchor: str
    title: str
    says: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    code: tuple[int, ...] = (0,)
    """The columns that hold ids, codes or SQL, and no words."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the dictionary."""

    file: str
    title: str
    says: str
    sections: tuple[Section, ...]


def marks(source: Source, *more: str) -> str:
    """What the last column says: what no source confirms, and whatever else is to be known."""
    return ", ".join(one for one in (MARKS[source], *more) if one)
