"""
Proposed alterations of a definition: an element, a value of a value set, or a whole value set.

An alteration is data, written as its author would write YAML. It is read by the schema and held against
the same checks as a folder, and every complaint names its place in what was proposed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from app.registries.document import Document, Place
from app.registries.element import LONGEST_CODE
from app.registries.load import canonical, digest
from app.registries.parts import GroupPath, Identifier, Part, Slug
from app.registries.schema import Definition
from app.registries.shaped import shaped
from app.registries.soundness import unsound

DEEPEST = 12
"""Levels of lists and mappings within each other that a part of a definition never needs."""


def _shallow(definition: dict[str, Any] | None) -> dict[str, Any] | None:
    level: list[Any] = [definition] if definition is not None else []
    for _ in range(DEEPEST):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, (dict, list))
        ]
    if level:
        raise ValueError(f"is more than {DEEPEST} levels deep")
    return definition


Written = Annotated[
    dict[str, Any] | None,
    Field(description="As its YAML would say it; null takes it out.", max_length=100),
    AfterValidator(_shallow),
]


class ElementAlteration(Part):
    """An element of a form or of a group's rows: new, otherwise than before, or taken out."""

    kind: Literal["element"]
    form: Identifier
    group: GroupPath | None = None
    element: Identifier
    definition: Written


class ValueAlteration(Part):
    """One code of a value set: new, otherwise than before, or taken out."""

    kind: Literal["value"]
    value_set: Slug
    code: Annotated[str, Field(min_length=1, max_length=LONGEST_CODE)]
    definition: Written


class ValueSetAlteration(Part):
    """A value set, whole: new, otherwise than before, or taken out."""

    kind: Literal["value-set"]
    value_set: Slug
    definition: Written


Alteration = Annotated[
    ElementAlteration | ValueAlteration | ValueSetAlteration, Field(discriminator="kind")
]


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong, and where: in one of the alterations, by its number, or in the rest of the definition."""

    alteration: int | None
    place: str
    """A JSON Pointer into the alteration, `/definition/unit`, or a path in the definition."""
    says: str


@dataclass(frozen=True, slots=True)
class Altered:
    """What a definition would be, and what speaks against it."""

    definition: Definition | None
    complaints: tuple[Complaint, ...]


def altered(
    definition: Definition,
    alterations: Sequence[Alteration],
    *,
    version: str | None = None,
    accept_from: date | datetime | None = None,
) -> Altered:
    """A definition with alterations made, in order; a next `version` takes entries from a moment of its own."""
    document = Document(data=copy.deepcopy(canonical(definition)))
    if version is not None:
        document.data["version"] = version
    if accept_from is not None:
        document.data["accept_from"] = accept_from.isoformat()
    making = _Making(document)
    for number, one in enumerate(alterations):
        making.make(number, one)
    making.name_places(document.data, (), "", None)
    made = shaped(document)
    if made is not None:
        made = made.model_copy(update={"digest": digest(made)})
        for place, message, _ in unsound(made, frozenset(document.aside)):
            document.complain(place, message)
    said = [
        Complaint(None if line == _UNALTERED else line, where, message)
        for where, line, message in document.complaints
    ]
    return Altered(made, tuple(said))


_UNALTERED = -1
"""Where a document has lines, this one has the numbers of alterations; this stands for none."""


class _Making:
    """A document in the making, and which parts of it were proposed."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._proposed: dict[int, int] = {}
        """A part that was proposed -> the number of its alteration."""

    def make(self, number: int, one: Alteration) -> None:
        """Make one alteration, or complain of what it cannot be made of."""
        if isinstance(one, ElementAlteration):
            rows = self._rows(number, one)
            if rows is not None:
                self._put(number, rows, "id", one.element, one.definition, "element")
            return
        sets: dict[str, Any] = self._document.data.setdefault("value_sets", {})
        known = sets.get(one.value_set)
        if isinstance(one, ValueAlteration):
            if known is None:
                self._complain(number, "/value_set", f"there is no value set `{one.value_set}`")
            else:
                self._put(number, known["codes"], "code", one.code, one.definition, "code")
        elif one.definition is not None:
            sets[one.value_set] = self._named(number, "id", one.value_set, one.definition)
        elif known is not None:
            del sets[one.value_set]
        else:
            self._complain(number, "/value_set", f"there is no value set `{one.value_set}`")

    def name_places(self, node: Any, place: Place, where: str, number: int | None) -> None:
        """Call every place by where it was proposed, or by its ids in the definition."""
        if id(node) in self._proposed:
            where, number = "/definition", self._proposed[id(node)]
        line = _UNALTERED if number is None else number
        self._document.lines[place] = (where or "registry", line)
        for step, inner, name in _inside(node, proposed=number is not None):
            self.name_places(inner, (*place, step), f"{where}/{name}" if where else name, number)

    def _rows(self, number: int, one: ElementAlteration) -> list[dict[str, Any]] | None:
        """The elements among which an element stands."""
        at = "/form"
        holder = _with_id(self._document.data["forms"], one.form)
        for name in (one.group or "").split(".") if holder is not None and one.group else ():
            at = "/group"
            holder = _with_id(holder.get("groups", ()), name) if holder is not None else None
        if holder is None:
            named = one.form if at.endswith("form") else one.group
            self._complain(number, at, f"there is no {at.rpartition('/')[2]} `{named}`")
            return None
        elements: list[dict[str, Any]] = holder["elements"]
        return elements

    def _put(
        self,
        number: int,
        among: list[dict[str, Any]],
        member: str,
        name: str,
        definition: dict[str, Any] | None,
        noun: str,
    ) -> None:
        """Put what was proposed where its name stands, or at the end; nothing takes it out."""
        place = next((at for at, each in enumerate(among) if each.get(member) == name), None)
        if definition is not None:
            made = self._named(number, member, name, definition)
            if place is None:
                among.append(made)
            else:
                among[place] = made
        elif place is not None:
            del among[place]
        else:
            self._complain(number, f"/{noun}", f"there is no {noun} `{name}` to take out")

    def _named(
        self, number: int, member: str, name: str, definition: dict[str, Any]
    ) -> dict[str, Any]:
        """What was proposed, under the name that it is proposed for."""
        if definition.get(member, name) != name:
            says = f"is `{name}` here; propose another under its own name, and take this one out"
            self._complain(number, f"/definition/{member}", says)
        made = {member: name, **copy.deepcopy(definition)} | {member: name}
        self._proposed[id(made)] = number
        return made

    def _complain(self, number: int, where: str, message: str) -> None:
        self._document.complaints[(where, number, message)] = None


def _with_id(parts: Sequence[dict[str, Any]], name: str) -> dict[str, Any] | None:
    return next((one for one in parts if one.get("id") == name), None)


def _inside(node: Any, *, proposed: bool) -> Iterator[tuple[str | int, Any, str]]:
    """What a part holds: the step to it, it, and what the step is called."""
    if isinstance(node, dict):
        for key, inner in node.items():
            yield key, inner, str(key).replace("~", "~0").replace("/", "~1")
    elif isinstance(node, list):
        for number, inner in enumerate(node):
            known = inner.get("id", number) if isinstance(inner, dict) else number
            yield number, inner, str(number if proposed else known)
