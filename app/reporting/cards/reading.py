"""A module under reading: what was found wrong, and what is to be looked up once all of it is known."""

from __future__ import annotations

from decimal import Decimal

from app.reporting.conditions import MOST_DIGITS, AnyChoices, Compared, Contains, Present, number_in
from app.reporting.markup import Node
from app.reporting.module import Coding, Insert

Looked = Compared | Contains | AnyChoices | Present
"""A condition on one element."""


class Reading:
    """One document under way."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.doubts: list[str] = []
        self.conditions: list[tuple[Node, Looked]] = []
        self.inserts: list[tuple[Node, str]] = []

    def complain(self, node: Node, message: str) -> None:
        """Say what keeps the document from being read."""
        self.complaints.append(f"line {node.line}: {message}")

    def doubt(self, node: Node, message: str) -> None:
        """Say what can be read, and reads as a slip."""
        self.doubts.append(f"line {node.line}: {message}")

    def attribute(self, node: Node, name: str) -> str:
        """An attribute that must be there."""
        value = node.attributes.get(name, "").strip()
        if not value:
            self.complain(node, f"`{node.name}` needs `{name}`")
        return value

    def number(self, node: Node, text: str | None) -> Decimal | None:
        """A number, if there is a text; complained of where that is none."""
        if text is None:
            return None
        number = number_in(text)
        if number is None:
            self.complain(node, "a number is needed")
        return number

    def small(self, node: Node, name: str) -> int | None:
        """An attribute that is a whole number from 1 to 28, if it is given."""
        number = self.number(node, node.attributes.get(name))
        if number is None:
            return None
        if number not in range(1, MOST_DIGITS + 1):
            self.complain(node, f"`{name}` is a whole number from 1 to {MOST_DIGITS}")
            return None
        return int(number)

    def insert(self, node: Node, name: str) -> Insert:
        """An element's answer among words."""
        self.inserts.append((node, name))
        return Insert(name, self.small(node, "SignificantDigits"))


def codings(node: Node) -> tuple[Coding, ...]:
    """What vocabularies call a node."""
    return tuple(
        Coding(
            _said(coding.first("System")),
            _said(coding.first("Code")),
            _said(coding.first("Display")),
        )
        for concept in node.named("CodableConcept")
        for coding in concept.named("Coding")
    )


def _said(node: Node | None) -> str:
    return (node.attributes.get("Value") or node.text) if node else ""
