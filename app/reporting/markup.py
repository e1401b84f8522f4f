"""XML as a tree that knows its lines. What XML can be misused for is refused: it declares nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from app.errors import InvalidReportingModule

LARGEST = 4 * 1024 * 1024
DEEPEST = 200


@dataclass(slots=True)
class Node:
    """An element: what it holds is text and other elements, in order."""

    name: str
    line: int
    attributes: dict[str, str]
    content: list[Node | str] = field(default_factory=list)

    @property
    def children(self) -> list[Node]:
        return [one for one in self.content if isinstance(one, Node)]

    def named(self, *names: str) -> Iterator[Node]:
        """Its children of these names, in order."""
        return (one for one in self.children if one.name in names)

    def first(self, name: str) -> Node | None:
        return next(self.named(name), None)

    @property
    def text(self) -> str:
        """Its own text with runs of blanks as one, without those at the ends."""
        return " ".join("".join(one for one in self.content if isinstance(one, str)).split())

    @property
    def words(self) -> str:
        """Its own text, where a blank at an end parts it from what stands beside it."""
        return spaced("".join(one for one in self.content if isinstance(one, str)))

    def said(self, name: str) -> str:
        """The text of its first child of this name, or nothing."""
        found = self.first(name)
        return found.text if found else ""


def spaced(text: str) -> str:
    """A text with each run of blanks as one blank."""
    return re.sub(r"\s+", " ", text)


def read(content: bytes) -> Node:
    """The root element of a document; `InvalidReportingModule` with the line where it is no XML."""
    if len(content) > LARGEST:
        raise InvalidReportingModule([f"line 1: is larger than {LARGEST // 1024 // 1024} MiB"])
    reader = expat.ParserCreate()
    reader.buffer_text = True
    roots: list[Node] = []
    open_nodes: list[Node] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_nodes) >= DEEPEST:
            raise _Refused(f"is nested deeper than {DEEPEST} elements")
        node = Node(name.rpartition(":")[2], reader.CurrentLineNumber, attributes)
        (open_nodes[-1].content if open_nodes else roots).append(node)
        open_nodes.append(node)

    def end(name: str) -> None:
        open_nodes.pop()

    def text(found: str) -> None:
        open_nodes[-1].content.append(found)

    def declared(*_: object) -> None:
        raise _Refused("declares a document type, which a module needs not")

    reader.StartElementHandler = start
    reader.EndElementHandler = end
    reader.CharacterDataHandler = text
    reader.StartDoctypeDeclHandler = declared
    try:
        reader.Parse(content, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise InvalidReportingModule([f"line {error.lineno}: {reason}"]) from None
    except (LookupError, ValueError):
        raise InvalidReportingModule(["line 1: names an encoding that is not known"]) from None
    except _Refused as refused:
        raise InvalidReportingModule([f"line {reader.CurrentLineNumber}: {refused}"]) from None
    return roots[0]


class _Refused(Exception):
    """What the document does is not wanted."""
