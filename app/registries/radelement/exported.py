"""A form's elements written as a set."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from app.registries.radelement.terms import INDEX, PLAIN, SPECIALTIES, step_of
from app.registries.schema import Code, Element, ElementCodes, Form, ValueSet

SCHEMA_VERSION = "1.0.0"
_ELEMENT = re.compile(r"(RDE|TO_BE_DETERMINED)\d+")
_FREE_TEXT = "a text, a date or a yes-no has no kind of element there"


def export_set(
    form: Form,
    value_sets: Mapping[str, ValueSet],
    *,
    on: date,
    description: str = "",
    specialties: tuple[str, ...] = ("OT",),
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A form's elements as a set of schema 1.0.0, and what it cannot say, by element.

    Elements that have no RadElement id get one to be determined, as authors of a set write it.
    `specialties` are the abbreviations of the schema; OT is other.
    """
    left, elements = list[str](), list[dict[str, Any]]()
    status = {"date": on.isoformat(), "status": "Proposed"}
    version = {"number": 1, "date": on.isoformat()}
    # An id is not given to a second element, nor invented where another has it.
    own = [one.codes.radelement for one in form.elements]
    given = set[str]()
    free = (
        f"TO_BE_DETERMINED{number}"
        for number in itertools.count(1)
        if f"TO_BE_DETERMINED{number}" not in own
    )
    for one in form.elements:
        if one.identifying or one.identity is not None:
            left.append(f"{one.id}: says who or where, which is no part of a set")
            continue
        # What the registry codes by a whole set has no element id of its own.
        name = one.codes.radelement or ""
        if name in given:
            left.append(f"{one.id}: has the id of another element; one is to be determined")
        if not _ELEMENT.fullmatch(name) or name in given:
            name = next(free)
        given.add(name)
        kind = _kind(one, name, value_sets)
        if kind is None:
            left.append(f"{one.id}: {_FREE_TEXT}")
            continue
        written: dict[str, Any] = {
            "id": name,
            "name": one.title,
            "element_version": version,
            "schema_version": SCHEMA_VERSION,
            "current_status": status,
            **kind,
        }
        if one.help:
            written["definition"] = one.help
        if one.question:
            written["question"] = one.question
        if codes := list(_index_codes(one.codes)):
            written["index_codes"] = codes
        elements.append(written)
    left += [f"{path}: a set has no rows inside it" for path in form.group_paths]
    document: dict[str, Any] = {
        "id": form.codes.radelement or "TO_BE_DETERMINED0",
        "name": form.title,
        "description": description or form.title,
        "set_version": version,
        "schema_version": SCHEMA_VERSION,
        "current_status": status,
        "specialties": [{"name": SPECIALTIES[one], "abbreviation": one} for one in specialties],
        "elements": elements,
    }
    if codes := list(_index_codes(form.codes)):
        document["index_codes"] = codes
    return document, tuple(left)


def _kind(one: Element, name: str, value_sets: Mapping[str, ValueSet]) -> dict[str, Any] | None:
    """What the element may be, by the schema's word for such; None where it has none."""
    if one.type == "integer":
        return {"integer_value": _numbers(one, int)}
    if one.type == "decimal":
        return {"float_value": _numbers(one, float)}
    if one.value_set is None:
        return None
    codes = [code for code in value_sets[one.value_set].codes if not code.retired]
    return {"value_set": _values(one, name, codes)} if len(codes) > 1 else None


def _numbers(one: Element, number: type[int] | type[float]) -> dict[str, Any]:
    hard = one.range.hard if one.range else None
    numbers: dict[str, Any] = {}
    for name, limit in (("min", hard.low), ("max", hard.high)) if hard else ():
        if limit is not None:
            numbers[name] = number(limit)
    if one.type == "decimal" and (step := step_of(one.scale)) is not None:
        numbers["step"] = float(step)
    if one.unit:
        numbers["unit"] = PLAIN.get(one.unit, one.unit)
    return numbers


def _values(one: Element, name: str, codes: Sequence[Code]) -> dict[str, Any]:
    coded = {code.radelement for code in codes}
    numbered = (
        f"{name}.{number}" for number in itertools.count() if f"{name}.{number}" not in coded
    )
    written: dict[str, Any] = {
        "min_cardinality": 1 if one.required else 0,
        "values": [
            {
                "code": code.radelement or next(numbered),
                "value": code.code,
                "name": code.label,
                **({"definition": code.definition} if code.definition else {}),
                **({"index_codes": found} if (found := list(_index_codes(code))) else {}),
            }
            for code in codes
        ],
    }
    if one.type == "code":
        written["max_cardinality"] = 1
    return written


def _index_codes(codes: ElementCodes | Code) -> Iterator[dict[str, str]]:
    for system, name in INDEX.items():
        if code := getattr(codes, name):
            yield {"system": system, "code": code}
