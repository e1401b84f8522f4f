"""The JSON Schema of an entry of a form (draft 2020-12)."""

from collections.abc import Iterable
from typing import Any

from app.registries.forms import ACTIONS
from app.registries.schema import Definition, Element, Group


def entry_schema(definition: Definition, form_id: str, address: str = "") -> dict[str, Any]:
    """
    JSON Schema of an entry of a form, in canonical values.

    It is stricter than the check in one way, canonical spelling, and looser in another: conditions
    and rules are beyond it. What it admits, the types and value sets of the check admit.
    """
    form = definition.form(form_id)
    sent = [one for one in form.all_elements if one.computed is None]
    required = sorted({*form.key[:1], *_needed(form.all_elements, form.all_groups)})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{address}/v1/registries/{definition.id}/forms/{form.id}/schema"
        f"?version={definition.version}",
        "title": f"{definition.title} {definition.version}: {form.title}",
        "type": "object",
        "properties": {
            "form": {"const": form.id},
            "action": {"enum": list(ACTIONS), "default": "submit"},
            "elements": {
                "type": "object",
                "properties": {one.id: _json_schema(definition, one) for one in sent}
                | {one.id: _rows_schema(definition, one) for one in form.all_groups},
                "additionalProperties": False,
                "required": list(form.key[:1]),
            },
        },
        "required": [] if form.id == definition.first_case_form.id else ["form"],
        "additionalProperties": False,
        "if": {
            "properties": {"action": {"const": "submit"}},
        },
        "then": {
            "required": ["elements"],
            "properties": {
                "elements": {"required": required}
                | ({"properties": rows} if (rows := _needs_of_rows(form.all_groups)) else {})
            },
        },
    }


def _rows_schema(definition: Definition, group: Group) -> dict[str, Any]:
    """A group's rows. What a row needs is asked of a submitted entry alone, and so not here."""
    sent = [one for one in group.elements if one.computed is None]
    schema: dict[str, Any] = {
        "title": group.title,
        "type": "array",
        "minItems": 1,
        "maxItems": group.at_most,
        "items": {
            "type": "object",
            "properties": {one.id: _json_schema(definition, one) for one in sent}
            | {one.id: _rows_schema(definition, one) for one in group.groups},
            "additionalProperties": False,
            "minProperties": 1,
        },
    }
    return schema | ({"description": group.help} if group.help else {})


def _needed(elements: Iterable[Element], groups: Iterable[Group]) -> list[str]:
    """What must be there to submit."""
    found = [one.id for one in elements if one.required and one.computed is None]
    return sorted([*found, *(one.id for one in groups if one.at_least)])


def _needs_of_rows(groups: Iterable[Group]) -> dict[str, Any]:
    """What a submitted entry's rows must have."""
    found: dict[str, Any] = {}
    for group in groups:
        items: dict[str, Any] = {}
        if needed := _needed(group.elements, group.groups):
            items["required"] = needed
        if inner := _needs_of_rows(group.groups):
            items["properties"] = inner
        asked: dict[str, Any] = {"items": items} if items else {}
        if group.at_least > 1:
            asked["minItems"] = group.at_least
        if asked:
            found[group.id] = asked
    return found


def _json_schema(definition: Definition, element: Element) -> dict[str, Any]:
    schema: dict[str, Any] = {"title": element.title}
    if element.help:
        schema["description"] = element.help
    value_set = definition.value_set(element)
    codes = list(value_set.allowed) if value_set else []
    match element.type:
        case "text":
            schema |= {"type": "string", "minLength": 1, "maxLength": element.max_length}
            if element.pattern and not element.strip and "(?" not in element.pattern:
                schema["pattern"] = f"^(?:{element.pattern})$"
        case "code":
            schema |= {"enum": codes}
        case "codes":
            schema |= {
                "type": "array",
                "items": {"enum": codes},
                "minItems": 1,
                "uniqueItems": True,
            }
        case "integer":
            schema |= {"type": "integer"} | _numbers(element)
        case "decimal":
            point = rf"(\.\d{{1,{element.scale}}})?" if element.scale else ""
            schema |= {"type": ["string", "number"], "pattern": rf"^-?\d{{1,17}}{point}$"}
            schema |= _numbers(element)
        case "date":
            schema |= {"type": "string", "format": "date"}
            if element.precision != "day":
                schema["pattern"] = "-01-01$" if element.precision == "year" else "-01$"
        case "boolean":
            schema |= {"type": "boolean"}
        case "npi":
            schema |= {"type": "string", "pattern": "^[12][0-9]{9}$"}
    for name in ("required_when", "relevant_when", "unit"):
        if (said := getattr(element, name)) is not None:
            schema[f"x-{name.replace('_', '-')}"] = said
    return schema


def _numbers(element: Element) -> dict[str, Any]:
    """The hard limits; a sentinel lies outside them and is allowed all the same."""
    hard = element.range.hard if element.range else None
    if hard is None:
        return {}
    limits: dict[str, Any] = {}
    if hard.low is not None:
        limits["minimum"] = float(hard.low)
    if hard.high is not None:
        limits["maximum"] = float(hard.high)
    if not element.unknown:
        return limits
    return {"anyOf": [limits, {"enum": [float(one) for one in element.unknown]}]}
