"""Entries as FHIR QuestionnaireResponses, as a form filler would send them."""

from collections.abc import Iterable
from typing import Any

from app.registries import answers
from app.registries.schema import Definition

_ADDRESS = "urn:simulated"


def bundle(definition: Definition, entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A Bundle of the responses that say what entries do."""
    found = [{"resource": _response(definition, one)} for one in entries]
    return {"resourceType": "Bundle", "type": "collection", "entry": found}


def _response(definition: Definition, entry: dict[str, Any]) -> dict[str, Any]:
    status = answers.STATUS.get(entry["action"], entry["action"])
    form = next((one for one in definition.entry_forms if one.id == entry["form"]), None)
    if form is not None:
        return answers.response(definition, form, entry["elements"], status, _ADDRESS)
    # A form that there is not: any response to it will do.
    said = answers.response(definition, definition.entry_forms[0], {}, status, _ADDRESS)
    return said | {"questionnaire": f"{_ADDRESS}/Questionnaire/{entry['form']}"}
