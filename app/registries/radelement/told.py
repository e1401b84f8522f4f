"""What a case says in RadElement's codes: its coded elements, by the sets that they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.registries.entries import rows_of
from app.registries.schema import Code, Definition, Element, ElementCodes

_CODED = re.compile(r"RDE(S)?\d+")
"""An element's id, or that of a whole set that a registry codes one element by."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One element of a case, and what was said."""

    element: Element
    codes: tuple[Code, ...]
    """Of a coded element: what was chosen, as its value set has it."""
    value: Any
    """The canonical value; None where it is known not to be known."""


@dataclass(frozen=True, slots=True)
class AnsweredSet:
    """Elements that were answered together: those of a form, or of a row of a group."""

    form: str
    """The form or group that asked."""
    title: str
    codes: ElementCodes
    place: str
    """Of a row: where it stands, `nodules[0].`; empty for a form's own."""
    answered: tuple[Answered, ...]


def answered_sets(
    definition: Definition, form_id: str, elements: Mapping[str, Any]
) -> list[AnsweredSet]:
    """What the canonical elements of a case say of elements that RadElement knows; empty sets are left out."""
    form = definition.form(form_id)
    found = [
        AnsweredSet(
            one.id, one.title, one.codes, "", tuple(_answered(definition, one.elements, elements))
        )
        for one in (form, *form.included)
    ]
    for path, (*_, group) in form.group_paths.items():
        for row in rows_of(dict(elements), path):
            answered = tuple(_answered(definition, group.elements, row.row))
            found.append(AnsweredSet(group.id, group.title, ElementCodes(), row.place, answered))
    return [one for one in found if one.answered]


def _answered(
    definition: Definition, elements: Iterable[Element], values: Mapping[str, Any]
) -> Iterator[Answered]:
    for one in elements:
        name, value = one.codes.radelement, values.get(one.id)
        if value is None or name is None or not _CODED.fullmatch(name) or one.identifying:
            continue
        if str(value) in one.unknown:
            yield Answered(one, (), None)
            continue
        value_set = definition.value_set(one)
        chosen = value if isinstance(value, list) else [value]
        codes = [code for code in value_set.codes if code.code in chosen] if value_set else []
        yield Answered(one, tuple(codes), value)
