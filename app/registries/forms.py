"""A form for a page: sections, questions, choices, and when to show them.

The data dictionary is in `dictionary`, the JSON Schema of an entry in `json_schema.py`, the FHIR
Questionnaire in `questionnaire.py`, the Excel template in `workbook.py`.
"""

from decimal import Decimal
from typing import Any

from app.registries.conditions import condition
from app.registries.dictionary.rows import MARKS
from app.registries.schema import Definition, Element, Form, Group

ACTIONS = ("save", "submit", "withdraw")


def web_form(definition: Definition, form_id: str) -> dict[str, Any]:
    """What a page needs to draw a form: sections, questions, choices, and when to show them."""
    form = definition.form(form_id)
    return {
        "registry": definition.id,
        "version": definition.version,
        "form": form.id,
        "title": form.title,
        "sections": [
            {
                "form": part.id,
                "title": part.title,
                "questions": [
                    _question(definition, form, one)
                    for one in part.elements
                    if one.computed is None
                ],
                "groups": [_rows_asked(definition, form, one) for one in part.groups],
            }
            for part in (form, *form.included)
        ],
    }


def _rows_asked(definition: Definition, form: Form, group: Group) -> dict[str, Any]:
    """A group for a page: it repeats the questions of a row, which a person adds or takes away."""
    return {
        "group": group.id,
        "title": group.title,
        "help": group.help,
        "at_least": group.at_least,
        "at_most": group.at_most,
        "questions": [
            _question(definition, form, one) | {"required": one.required}
            for one in group.elements
            if one.computed is None
        ],
        "groups": [_rows_asked(definition, form, one) for one in group.groups],
    }


def _question(definition: Definition, form: Form, element: Element) -> dict[str, Any]:
    value_set = definition.value_set(element)
    hard = element.range.hard if element.range else None
    shown = condition(element.relevant_when)
    needed = condition(element.required_when)
    return {
        "element": element.id,
        "title": element.title,
        "type": element.type,
        "precision": element.precision if element.type == "date" else None,
        "unit": element.unit,
        "required": element.required or element.id in form.key[:1],
        "required_when": needed.document() if needed else None,
        "shown_when": shown.document() if shown else None,
        "help": " ".join(one for one in (element.pattern_says, element.help) if one) or None,
        "mark": MARKS[element.source] or None,
        "max_length": element.max_length if element.type == "text" or element.list else None,
        "list": element.list,
        "minimum": str(hard.low) if hard and hard.low is not None else None,
        "maximum": str(hard.high) if hard and hard.high is not None else None,
        "step": format(Decimal(1).scaleb(-element.scale), "f")
        if element.type == "decimal"
        else None,
        "unknown": list(element.unknown),
        "choices": [
            {
                "code": one.code,
                "label": one.label,
                "alone": value_set is not None and one.code in value_set.exclusive,
            }
            for one in (value_set.codes if value_set else ())
            if not one.retired
        ],
    }
