"""
FHIR R4: a QuestionnaireResponse to one of our Questionnaires, or a Bundle of them.

The link ids are those that `app.registries.questionnaire` gives: an element's id, after the path of
the group that it is a row of; a group's rows are items of the same link id, one after the other.
See https://hl7.org/fhir/R4/questionnaireresponse.html.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.errors import UnreadableSubmission
from app.ingest.formats.json import one_document
from app.ingest.formats.sent import Members, RawEntry, packed
from app.registries.findings import FindingCode
from app.registries.questionnaire import questionnaire_id
from app.registries.schema import Definition

ACTIONS = {
    "completed": "submit",
    "amended": "submit",
    "in-progress": "save",
    "stopped": "save",
    "entered-in-error": "withdraw",
}
"""What a response's status asks for."""

_SHAPE = "Send a QuestionnaireResponse, or a Bundle whose entries are QuestionnaireResponses."
_VALUES = (
    "valueString", "valueCoding", "valueInteger", "valueDecimal", "valueBoolean", "valueDate",
    "valueDateTime",
)  # fmt: skip


def entries(body: bytes, definition: Definition) -> Iterator[RawEntry]:
    """The entries of one resource."""
    resource = one_document(body)
    responses = list(_responses(resource))
    if not responses:
        raise UnreadableSubmission("There is no entry in it.", FindingCode.EMPTY)
    forms = {questionnaire_id(definition, one): one.id for one in definition.entry_forms}
    for one in responses:
        yield _entry(one, forms, definition)


def _responses(resource: Any) -> Iterator[Any]:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if kind == "QuestionnaireResponse":
        yield resource
        return
    inside = resource.get("entry", []) if kind == "Bundle" else None
    if not isinstance(inside, list):
        raise UnreadableSubmission(_SHAPE)
    for one in inside:
        yield one.get("resource") if isinstance(one, dict) else None


def _entry(response: Any, forms: Mapping[str, str], definition: Definition) -> RawEntry:
    kind = response.get("resourceType") if isinstance(response, dict) else None
    if kind != "QuestionnaireResponse" or _said_twice(response):
        return RawEntry(b"", FindingCode.NOT_AN_ENTRY)
    url, _, version = str(response.get("questionnaire") or "").partition("|")
    form = forms.get(url.rpartition("/")[2]) if version in ("", definition.version) else None
    reading = _Reading()
    reading.items(response.get("item"), reading.elements, "", "")
    if reading.broken:
        return RawEntry(b"", FindingCode.NOT_AN_ENTRY)
    entry = {
        # A questionnaire that is none of ours is a form that is none of ours.
        "form": form or "?",
        "action": ACTIONS.get(str(response.get("status")), "?"),
        "elements": reading.elements,
    }
    return packed(entry, repeated=reading.repeated)


def _said_twice(value: Any) -> bool:
    """Whether an object has a member twice: which of them is meant cannot be known."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Members) and one.repeated:
            return True
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return False


@dataclass(slots=True)
class _Reading:
    elements: dict[str, Any] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    broken: bool = False
    """Whether something is no item at all."""

    def items(self, items: Any, into: dict[str, Any], path: str, at: str) -> None:
        """The items of a level: answers into `into`, rows of groups into lists of it.

        `path` is the link id that a row's begin with, `at` the row's place: `models[0].`.
        """
        if items is None:
            return
        if not isinstance(items, list):
            self.broken = True
            return
        for item in items:
            link = item.get("linkId") if isinstance(item, dict) else None
            if not isinstance(link, str) or not link:
                self.broken = True
                return
            self._item(item, link, into, path, at)

    def _item(
        self, item: dict[str, Any], link: str, into: dict[str, Any], path: str, at: str
    ) -> None:
        if link.startswith("_"):  # a section of the form
            self.items(item.get("item"), into, path, at)
            return
        name = link.removeprefix(path)
        answers = item.get("answer")
        if answers is None and "item" in item:
            rows = into.setdefault(name, [])
            if not isinstance(rows, list):
                self.repeated.append(at + name)
                return
            row: dict[str, Any] = {}
            rows.append(row)
            self.items(item["item"], row, f"{link}.", f"{at}{name}[{len(rows) - 1}].")
            return
        if answers is None:
            return
        if not isinstance(answers, list) or not all(isinstance(one, dict) for one in answers):
            self.broken = True
            return
        if name in into:
            self.repeated.append(at + name)
        values = [_value(one) for one in answers]
        into[name] = values[0] if len(values) == 1 else values
        for one in answers:  # questions may hang on an answer
            self.items(one.get("item"), into, path, at)


def _value(answer: Mapping[str, Any]) -> Any:
    """What an answer says; a kind of value that no element has is kept for the check to refuse."""
    for name in _VALUES:
        if name in answer:
            value = answer[name]
            return value.get("code") if name == "valueCoding" and isinstance(value, dict) else value
    return next((value for name, value in answer.items() if name.startswith("value")), None)
