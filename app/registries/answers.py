"""
What an entry says, as a FHIR R4 QuestionnaireResponse to the Questionnaire of its form.

https://hl7.org/fhir/R4/questionnaireresponse.html. It is read back by `app.ingest.formats.fhir`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.registries.questionnaire import canonical, coding
from app.registries.schema import Definition, Element, Form

STATUS: Final = {"submit": "completed", "save": "in-progress", "withdraw": "entered-in-error"}
"""A response's status, by the action of an entry."""
_KINDS: Final = {
    "integer": "valueInteger",
    "decimal": "valueDecimal",
    "date": "valueDate",
    "datetime": "valueDateTime",
    "boolean": "valueBoolean",
}
_BY_TYPE: Final = {bool: "valueBoolean", int: "valueInteger", float: "valueDecimal"}
_FITTING: Final = {
    "valueInteger": (int,),
    "valueDecimal": (int, float),
    "valueDate": (str,),
    "valueDateTime": (str,),
    "valueBoolean": (bool,),
}


def response(
    definition: Definition, form: Form, elements: Mapping[str, Any], status: str, address: str
) -> dict[str, Any]:
    """The response that gives these answers to a form; what is no element of it stands last, in no section.

    A value that its element's kind of answer cannot hold is given as what it is, so that the check of
    whoever reads it says so.
    """
    known = {part.id: _asked(part) for part in (form, *form.included)}
    items = []
    for part, names in known.items():
        own = {name: value for name, value in elements.items() if name in names}
        inside = list(_items(definition, form, own, ""))
        if inside:
            items.append({"linkId": f"_{part}", "item": inside})
    placed = frozenset().union(*known.values())
    stray = {name: value for name, value in elements.items() if name not in placed}
    items += _items(definition, form, stray, "")
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{canonical(definition, form, address)}|{definition.version}",
        "status": status,
        **({"item": items} if items else {}),
    }


def _asked(part: Form) -> frozenset[str]:
    return frozenset([*(one.id for one in part.elements), *(one.id for one in part.groups)])


def _items(
    definition: Definition, form: Form, elements: Mapping[str, Any], path: str
) -> Iterator[dict[str, Any]]:
    chain = form.group_paths.get(path.removesuffix("."))
    known = form.by_id if chain is None else chain[-1].by_id
    for name, value in elements.items():
        link = path + name
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            for row in value:
                yield {"linkId": link, "item": list(_items(definition, form, row, f"{link}."))}
        elif value is not None and value != []:
            many = value if isinstance(value, list) else [value]
            answers = [_answer(definition, known.get(name), one) for one in many]
            yield {"linkId": link, "answer": answers}


def _answer(definition: Definition, element: Element | None, value: Any) -> dict[str, Any]:
    if element is not None and element.value_set is not None and isinstance(value, str):
        return {"valueCoding": coding(definition, element.value_set, value)}
    kind = _KINDS.get(element.type) if element is not None and not element.list else None
    if kind is None or type(value) not in _FITTING[kind]:
        kind = _BY_TYPE.get(type(value), "valueString")
    return {kind: value}
