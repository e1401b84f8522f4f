"""
An element of a definition, called by its name from a document beside the registries.

`REGISTRY/1.0.0/nodule_size` names registry, version and element. Where several
forms ask an element of one name, the form stands before it (`exam.exam_date`), and so may the groups it
stands in. Whoever refers to an element does not type what it is: that is read here.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Annotated

from pydantic import StringConstraints

from app.registries.element import Element
from app.registries.parts import Part
from app.registries.schema import Definition

ElementReference = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z][a-z0-9-]{0,62}/[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}"
        r"/([a-z][a-z0-9_]{0,62}\.){0,3}[a-z][a-z0-9_]{0,62}$"
    ),
]
"""`<registry>/<version>/<element>`, the element with its form where several have one of its name."""


class ToldCode(Part):
    """An allowed code and what it means."""

    code: str
    label: str


class ToldElement(Part):
    """What a definition says of an element that is referred to."""

    registry: str
    version: str
    form: str
    element: str
    label: str
    definition: str | None
    data_type: str
    unit: str | None
    value_set: str | None
    codes: tuple[ToldCode, ...]
    radelement: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Reference:
    """The parts of a reference."""

    registry: str
    version: str
    path: str

    @classmethod
    def of(cls, written: str) -> Reference:
        """The parts of an `ElementReference`."""
        return cls(*written.split("/"))


class NoSuchElement(Exception):
    """A path that names no element, or more than one; the message says what to write instead."""


def element_named(definition: Definition, path: str) -> tuple[str, Element]:
    """The form and the element that a path names. Raises `NoSuchElement`; it names our elements alone."""
    every = _paths(definition)
    found = [one for one in every if one == path or one.endswith(f".{path}")]
    if len(found) == 1:
        return found[0].partition(".")[0], every[found[0]]
    if found:
        raise NoSuchElement(f"several forms ask it: write {', '.join(found)}")
    names = {one.rpartition(".")[2] for one in every}
    close = difflib.get_close_matches(path.rpartition(".")[2], sorted(names), 1)
    hint = f"; did you mean `{close[0]}`?" if close else ""
    raise NoSuchElement(f"this version of the registry has no such element{hint}")


def told(definition: Definition, path: str) -> ToldElement:
    """What the definition says of the element that a path names. Raises `NoSuchElement`."""
    form, element = element_named(definition, path)
    value_set = definition.value_set(element)
    return ToldElement(
        registry=definition.id,
        version=definition.version,
        form=form,
        element=element.id,
        label=element.title,
        definition=element.help,
        data_type=element.type,
        unit=element.unit,
        value_set=value_set.title if value_set else None,
        codes=tuple(
            ToldCode(code=one.code, label=one.meaning)
            for one in (value_set.codes if value_set else ())
            if not one.retired
        ),
        radelement=element.codes.radelement,
        source=element.source,
    )


def _paths(definition: Definition) -> dict[str, Element]:
    """Every element where it is asked, by its form, the groups it stands in, and its id."""
    found: dict[str, Element] = {}
    for form in definition.forms:
        found |= {f"{form.id}.{one.id}": one for one in form.elements}
        for group in form.groups:
            for row, above in ((group, ""), *((inner, f"{group.id}.") for inner in group.groups)):
                found |= {f"{form.id}.{above}{row.id}.{one.id}": one for one in row.elements}
    return found
