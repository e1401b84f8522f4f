"""A form as a FHIR R4 Questionnaire: https://hl7.org/fhir/R4/questionnaire.html."""

import hashlib
from typing import Any, Final

from app.registries.conditions import Asked, condition
from app.registries.schema import Definition, Element, Form

LONGEST_ID: Final = 64
_TYPES = {
    "text": "string",
    "code": "choice",
    "codes": "choice",
    "integer": "integer",
    "decimal": "decimal",
    "date": "date",
    "datetime": "dateTime",
    "boolean": "boolean",
    "npi": "string",
}
_SYSTEMS = {
    "loinc": "http://loinc.org",
    "radelement": "https://radelement.org",
    "radlex": "http://radlex.org",
    "snomed": "http://snomed.info/sct",
}
_MIN_OCCURS = "http://hl7.org/fhir/StructureDefinition/questionnaire-minOccurs"
_MAX_OCCURS = "http://hl7.org/fhir/StructureDefinition/questionnaire-maxOccurs"
_MINIMUM = "http://hl7.org/fhir/StructureDefinition/minValue"
_MAXIMUM = "http://hl7.org/fhir/StructureDefinition/maxValue"
_UNIT = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit"
_DECIMALS = "http://hl7.org/fhir/StructureDefinition/maxDecimalPlaces"
_EXCLUSIVE = "http://hl7.org/fhir/StructureDefinition/questionnaire-optionExclusive"


def questionnaire(definition: Definition, form_id: str, address: str) -> dict[str, Any]:
    """The form and those it includes, a group each; computed elements are not asked."""
    form = definition.form(form_id)
    return {
        "resourceType": "Questionnaire",
        "id": questionnaire_id(definition, form),
        "url": canonical(definition, form, address),
        "version": definition.version,
        "name": "".join(
            part.title() for part in f"{definition.id}-{form.id}".replace("_", "-").split("-")
        ),
        "title": f"{definition.title}: {form.title}",
        "status": "active",
        "subjectType": ["Patient"],
        "publisher": definition.steward,
        "date": definition.accept_from.isoformat(),
        "item": [_group(definition, form, part) for part in (form, *form.included)],
    }


def questionnaire_id(definition: Definition, form: Form) -> str:
    """What its canonical address ends with; a response names it. At most 64 characters, as FHIR has it."""
    whole = f"{definition.id}-{form.id.replace('_', '-')}"
    if len(whole) <= LONGEST_ID:
        return whole
    return f"{whole[: LONGEST_ID - 9]}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def canonical(definition: Definition, form: Form, address: str) -> str:
    """The address of a form's Questionnaire, in the FHIR base of its registry."""
    return f"{address}/fhir/{definition.id}/Questionnaire/{questionnaire_id(definition, form)}"


def coding(definition: Definition, value_set: str, code: str) -> dict[str, str]:
    """A code with the vocabulary it is of: another's, or the value set's own."""
    known = definition.value_sets[value_set].by_code.get(code)
    system = known.system if known is not None else None
    return {"system": system or f"urn:hounsfield:{definition.id}:{value_set}", "code": code}


def _group(definition: Definition, form: Form, part: Form) -> dict[str, Any]:
    return {
        "linkId": f"_{part.id}",
        "text": part.title,
        "type": "group",
        "item": [
            *(_item(definition, form, one) for one in part.elements if one.computed is None),
            *(_repeating(definition, form, one.id) for one in part.groups),
        ],
    }


def _repeating(definition: Definition, form: Form, path: str) -> dict[str, Any]:
    """A group of rows: a group item that repeats. Its rows' link ids begin with its path."""
    group = form.group_paths[path][-1]
    return {
        "linkId": path,
        "text": group.title,
        "type": "group",
        "required": group.at_least > 0,
        "repeats": True,
        "extension": [
            {"url": _MIN_OCCURS, "valueInteger": group.at_least},
            {"url": _MAX_OCCURS, "valueInteger": group.at_most},
        ],
        "item": [
            *(_item(definition, form, one, path) for one in group.elements if one.computed is None),
            *(_repeating(definition, form, f"{path}.{one.id}") for one in group.groups),
        ],
    }


def _item(
    definition: Definition, form: Form, element: Element, path: str | None = None
) -> dict[str, Any]:
    item: dict[str, Any] = {
        "linkId": element.id if path is None else f"{path}.{element.id}",
        "text": element.question or element.title,
        "type": "string" if element.list else _TYPES[element.type],
        "required": element.required or (path is None and element.id in form.key[:1]),
    }
    meant = [
        {"system": system, "code": code}
        for name, system in _SYSTEMS.items()
        if (code := getattr(element.codes, name)) is not None
    ]
    if meant:
        item["code"] = meant
    if element.type == "codes":
        item["repeats"] = True
    if element.type == "text" or element.list:
        item["maxLength"] = element.max_length
    if (value_set := definition.value_set(element)) is not None:
        item["answerOption"] = [
            {
                "valueCoding": coding(definition, value_set.id, one.code) | {"display": one.label},
                **(
                    {"extension": [{"url": _EXCLUSIVE, "valueBoolean": True}]}
                    if one.code in value_set.exclusive
                    else {}
                ),
            }
            for one in value_set.codes
            if not one.retired
        ]
    if extensions := _extensions(element):
        item["extension"] = extensions
    shown = condition(element.relevant_when)
    if shown is not None:
        item["enableWhen"] = [_enable(definition, form, path, one) for one in shown.asked]
        if len(shown.asked) > 1:
            item["enableBehavior"] = shown.behavior
    return item


def _extensions(element: Element) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    hard = element.range.hard if element.range else None
    # A sentinel lies outside the limits; a form that enforced them could not say "unknown".
    if hard is not None and not element.unknown:
        kind = "valueInteger" if element.type == "integer" else "valueDecimal"
        for url, limit in ((_MINIMUM, hard.low), (_MAXIMUM, hard.high)):
            if limit is not None:
                number = int(limit) if element.type == "integer" else float(limit)
                found.append({"url": url, kind: number})
    if element.type == "decimal":
        found.append({"url": _DECIMALS, "valueInteger": element.scale})
    if element.unit is not None:
        coding = {"system": "http://unitsofmeasure.org", "code": element.unit}
        found.append({"url": _UNIT, "valueCoding": coding})
    return found


def _enable(definition: Definition, form: Form, path: str | None, one: Asked) -> dict[str, Any]:
    """A condition on another answer. In a row, FHIR takes the nearest answer of that link id."""
    link, asked = one.element, form.by_id.get(one.element)
    if asked is None:
        # A row's conditions ask of the row itself, or of those it stands in.
        chain = form.group_paths[path or ""]
        depth, asked = next(
            (number, group.by_id[one.element])
            for number, group in enumerate(chain, start=1)
            if one.element in group.by_id
        )
        link = ".".join([*(group.id for group in chain[:depth]), one.element])
    if one.code is None:
        return {"question": link, "operator": "exists", "answerBoolean": one.holds}
    operator = "=" if one.holds else "!="
    value_set = definition.value_set(asked)
    if value_set is None:
        return {"question": link, "operator": operator, "answerString": one.code}
    return {
        "question": link,
        "operator": operator,
        "answerCoding": coding(definition, value_set.id, one.code),
    }
