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
from app.registries.questionnaire import coding, questionnaire_id
from app.registries.schema import Definition, Element, Form

ACTIONS = {
    "completed": "submit",
    "amended": "submit",
    "in-progress": "save",
    "stopped": "save",
    "entered-in-error": "withdraw",
}
"""What a response's status asks for."""

_SHAPE = "Send a QuestionnaireResponse, or a Bundle whose entries are QuestionnaireResponses."
_RESPONSE = frozenset(
    {
        "resourceType", "id", "meta", "language", "text", "extension", "identifier", "basedOn", "partOf",
        "questionnaire", "status", "subject", "encounter", "authored", "author", "source", "item",
    }
)  # fmt: skip
"""What a response may have: of what else R4 knows, `implicitRules` and `modifierExtension` may turn its
meaning round, and what is `contained` would be lost."""
_ITEM = frozenset({"id", "extension", "linkId", "definition", "text", "answer", "item"})
_ANSWER = frozenset({"id", "extension", "item"})
_NOT_TAKEN = frozenset({"contained", "implicitRules", "modifierExtension"})


def entries(body: bytes, definition: Definition) -> Iterator[RawEntry]:
    """The entries of one resource."""
    resource = one_document(body)
    responses = list(_responses(resource))
    if not responses:
        raise UnreadableSubmission("There is no entry in it.", FindingCode.EMPTY)
    forms = {questionnaire_id(definition, one): one for one in definition.entry_forms}
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
        yield one.get("resource") if isinstance(one, dict) and _creates(one) else None


def _creates(entry: Mapping[str, Any]) -> bool:
    """Whether a Bundle's entry asks for what is done here; one that asks for nothing is taken so."""
    asked = entry.get("request")
    if asked is None:
        return True
    return (
        isinstance(asked, dict)
        and asked.get("method") == "POST"
        and asked.get("url") == "QuestionnaireResponse"
    )


def _entry(response: Any, forms: Mapping[str, Form], definition: Definition) -> RawEntry:
    kind = response.get("resourceType") if isinstance(response, dict) else None
    if kind != "QuestionnaireResponse" or _said_twice(response):
        return RawEntry(b"", FindingCode.NOT_AN_ENTRY)
    url, version = named(response)
    form = forms.get(url.rpartition("/")[2]) if version in ("", definition.version) else None
    reading = _Reading(definition, form)
    reading.stray(response, _RESPONSE)
    reading.items(response.get("item"), reading.elements, "", "")
    if reading.broken:
        return RawEntry(b"", FindingCode.NOT_AN_ENTRY)
    entry = {
        # A questionnaire that is none of ours is a form that is none of ours.
        "form": form.id if form is not None else "?",
        "action": ACTIONS.get(str(response.get("status")), "?"),
        "elements": reading.elements,
    }
    return packed(entry, repeated=reading.repeated, strangers=reading.strangers)


def named(response: Mapping[str, Any]) -> tuple[str, str]:
    """The questionnaire that a response names, and the version of it; empty where it names none."""
    url, _, version = str(response.get("questionnaire") or "").partition("|")
    return url, version


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
    definition: Definition
    form: Form | None
    elements: dict[str, Any] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    """Members of FHIR's own, where something stands that is not taken."""
    broken: bool = False
    """Whether something is no item at all."""

    def stray(self, of: Mapping[str, Any], known: frozenset[str]) -> None:
        """Note what cannot be left out unseen: what changes a meaning, what is no member, what is enclosed."""
        for number, name in enumerate(of, 1):
            if name.removeprefix("_") not in known:
                place = name if name in _NOT_TAKEN else f"member {number}"
                if place not in self.strangers:
                    self.strangers.append(place)

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
            self.stray(item, _ITEM)
            self._item(item, link, into, path, at)

    def _item(
        self, item: dict[str, Any], link: str, into: dict[str, Any], path: str, at: str
    ) -> None:
        if link.startswith("_"):  # a section of the form
            if "answer" in item:
                self.broken = True
            self.items(item.get("item"), into, path, at)
            return
        # What asks for something outside of the row that it stands in is no element of the row.
        name = link.removeprefix(path) if link.startswith(path) else f"/{link}"
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
        if (
            not isinstance(answers, list)
            or not all(isinstance(one, dict) and len(_said(one)) <= 1 for one in answers)
            or "item" in item  # questions hang on an answer, not beside it
        ):
            self.broken = True
            return
        if name in into:
            self.repeated.append(at + name)
        element = self._element(path, name)
        values = [self._value(element, one) for one in answers]
        into[name] = values[0] if len(values) == 1 else values
        for one in answers:  # questions may hang on an answer
            self.stray(one, _ANSWER | frozenset(_said(one)))
            self.items(one.get("item"), into, path, at)

    def _element(self, path: str, name: str) -> Element | None:
        if self.form is None:
            return None
        chain = self.form.group_paths.get(path.removesuffix("."))
        known = self.form.by_id if chain is None else chain[-1].by_id
        return known.get(name)

    def _value(self, element: Element | None, answer: Mapping[str, Any]) -> Any:
        """What an answer says; a kind of value that no element has is kept for the check to refuse."""
        said = _said(answer)
        if not said:
            return None
        value = answer[said[0]]
        if not isinstance(value, dict):
            return value
        if said[0] == "valueCoding" and "code" in value:
            code, system = value["code"], value.get("system")
            known = element.value_set if element is not None else None
            if known is None or system is None or not isinstance(code, str):
                return code
            return code if system == coding(self.definition, known, code)["system"] else value
        if said[0] == "valueQuantity" and element is not None and "comparator" not in value:
            unit = value.get("code", value.get("unit"))
            return value.get("value") if unit in (None, element.unit) else value
        return value


def _said(answer: Mapping[str, Any]) -> list[str]:
    """The members of an answer that are its value."""
    return [name for name in answer if name.startswith("value")]
