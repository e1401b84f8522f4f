"""Entries as FHIR QuestionnaireResponses, as a form filler would send them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.registries.questionnaire import questionnaire_id
from app.registries.schema import Definition

_STATUS = {"submit": "completed", "save": "in-progress", "withdraw": "entered-in-error"}


def bundle(definition: Definition, entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A Bundle of the responses that say what entries do."""
    found = [{"resource": _response(definition, one)} for one in entries]
    return {"resourceType": "Bundle", "type": "collection", "entry": found}


def _response(definition: Definition, entry: dict[str, Any]) -> dict[str, Any]:
    form = next((one for one in definition.entry_forms if one.id == entry["form"]), None)
    named = questionnaire_id(definition, form) if form is not None else str(entry["form"])
    elements = list(form.all_elements) if form is not None else []
    for chain in form.group_paths.values() if form is not None else ():
        elements += chain[-1].elements
    coded = frozenset(one.id for one in elements if one.value_set is not None)
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"urn:simulated/Questionnaire/{named}|{definition.version}",
        "status": _STATUS.get(entry["action"], entry["action"]),
        "item": [
            {"linkId": f"_{entry['form']}", "item": list(_items(entry["elements"], coded, ""))}
        ],
    }


def _items(
    elements: Mapping[str, Any], coded: frozenset[str], path: str
) -> Iterator[dict[str, Any]]:
    for name, value in elements.items():
        link = path + name
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            for row in value:
                yield {"linkId": link, "item": list(_items(row, coded, f"{link}."))}
        elif value is not None:
            many = value if isinstance(value, list) else [value]
            yield {"linkId": link, "answer": [_answer(one, name in coded) for one in many]}


def _answer(value: Any, is_code: bool) -> dict[str, Any]:
    if is_code and isinstance(value, str):
        return {"valueCoding": {"code": value}}
    kinds = {bool: "Boolean", int: "Integer", float: "Decimal"}
    return {f"value{kinds.get(type(value), 'String')}": value}
