"""
Check one entry of a form: every flaw at once, and what could be used in canonical form.

Most entries are right, and most of those are already spelled canonically. So a form has a pydantic
type, built once, that takes such an entry in one native call. Whatever it does not take goes through
the parsers of `values.py`, element by element; these alone say what is wrong. A property test
holds the two to the same answer.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    create_model,
)

from app.registries import moments
from app.registries.findings import FindingCode
from app.registries.schema import Definition, Element, Form, ValueSet
from app.registries.values import (
    Canonical,
    Flaw,
    Refused,
    flaw,
    is_absent,
    is_npi,
    parser,
    usual_decimal,
    usual_limits,
    usual_text,
)

_NOT_A_NAME = re.compile(r"[\s\-./]+")


@dataclass(frozen=True, slots=True)
class Checked:
    """What one entry came to: the values that can be used, and every flaw."""

    values: dict[str, Canonical]
    flaws: list[Flaw] = field(default_factory=list)

    @property
    def flawed(self) -> list[str]:
        """The elements whose value cannot be used; rules about them say nothing more."""
        return sorted({one.place for one in self.flaws if one.place not in self.values})


class FormCheck:
    """The check of one form's entries. Built once per form version; safe to share."""

    def __init__(self, definition: Definition, form_id: str) -> None:
        self.form: Form = definition.form(form_id)
        sent = [one for one in self.form.all_elements if one.computed is None]
        self._parsers = {one.id: parser(one, definition.value_set(one)) for one in sent}
        self._computed = {one.id for one in self.form.all_elements if one.computed is not None}
        self._zones = {one.id: one.zone for one in sent if one.zone is not None}
        self._required = tuple(one.id for one in sent if one.required)
        self._quick = _quick_type(
            self.form, sent, definition
        ).__pydantic_validator__.validate_python
        self._headings = _headings(self.form)

    def element_of(self, heading: str) -> str | None:
        """The element that a column heading or member name means, or None if it is not ours."""
        return heading if heading in self._parsers else self._headings.get(_plain(heading[:200]))

    def check(self, elements: Mapping[str, object], *, draft: bool = False) -> Checked:
        """Check an entry as sent. A draft may leave out everything but its key."""
        sent = elements.values()
        if "" in sent or None in sent:
            given: dict[str, Any] = {
                one: value for one, value in elements.items() if value is not None and value != ""
            }
        else:
            given = dict(elements)
        try:
            self._quick(given)
            checked = Checked(given)
        except ValidationError:
            checked = self._carefully(elements)
        checked.flaws.extend(self._missing(checked, draft=draft))
        return checked

    def _carefully(self, elements: Mapping[str, object]) -> Checked:
        values: dict[str, Canonical] = {}
        flaws: list[Flaw] = []
        parsers = self._parsers
        place = ""
        again: set[str] = set()

        def warn(code: FindingCode, remedy: str) -> None:
            warning = flaw(place, code, remedy, warn=True)
            if warning not in flaws:
                flaws.append(warning)

        for number, (name, value) in enumerate(elements.items(), start=1):
            if value is None or value == "":
                continue  # an empty column carries nothing that could be lost, whoever's it is
            place, parse = name, parsers.get(name)
            if parse is None:
                if is_absent(value):
                    continue
                meant = self.element_of(name)
                if meant is None:
                    flaws.append(self._unknown(number, name))
                    continue
                if meant in values or not is_absent(elements.get(meant)):
                    again.add(meant)
                    continue
                place, parse = meant, parsers[meant]
            said = len(flaws)
            if place in self._zones:
                value = moments.in_zone(value, self._zone_of(place, elements))
            try:
                values[place] = parse(value, warn)
            except Refused as refused:
                if not is_absent(value):
                    del flaws[said:]
                    flaws.append(flaw(place, refused.code, refused.remedy, refused.allowed))
        for element in sorted(again):
            values.pop(element, None)
            flaws[:] = [one for one in flaws if one.place != element]
            flaws.append(flaw(element, FindingCode.DUPLICATE_ELEMENT, "Send this element once."))
        return Checked(values, flaws)

    def _zone_of(self, place: str, elements: Mapping[str, object]) -> object:
        """What was sent as the zone of a datetime, under whichever of its names."""
        zone = self._zones[place]
        if zone in elements:
            return elements[zone]
        return next((one for name, one in elements.items() if self.element_of(name) == zone), None)

    def _unknown(self, number: int, name: str) -> Flaw:
        if name in self._computed:
            return flaw(name, FindingCode.UNKNOWN_ELEMENT, "This is worked out here: leave it out.")
        return flaw(
            f"member {number}",
            FindingCode.UNKNOWN_ELEMENT,
            "No element of this form has that name; see the data dictionary.",
        )

    def _missing(self, checked: Checked, *, draft: bool) -> Iterable[Flaw]:
        key = self.form.key
        if self.form.otherwise_key and any(one not in checked.values for one in key):
            key = self.form.otherwise_key
        needed = key if draft else (*key, *self._required)
        if checked.values.keys() >= frozenset(needed):
            return
        absent = [one for one in dict.fromkeys(needed) if one not in checked.values]
        flawed = {one.place for one in checked.flaws}
        for element in absent:
            if element not in flawed:
                yield flaw(element, FindingCode.MISSING, "Needed: send a value.")


def _plain(heading: str) -> str:
    return _NOT_A_NAME.sub("_", heading.strip()).lower()


def _headings(form: Form) -> dict[str, str]:
    """Every spelling of a heading -> element; one that two elements claim belongs to neither."""
    meant: dict[str, set[str]] = {}
    for element in form.all_elements:
        if element.computed is None:
            for name in (element.id, element.source_name, element.title):
                meant.setdefault(_plain(name), set()).add(element.id)
    own = {element.id: {element.id} for element in form.all_elements if element.computed is None}
    return {name: min(ids) for name, ids in (meant | own).items() if len(ids) == 1}


# --- the quick type: only what is canonical and usual beyond doubt --------------------------------

# 29 February and the ends of the calendar are left to the careful look. The native pattern takes any
# script's digits for \d.
_DAY = (
    r"^(?:19|20)[0-9]{2}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))$"
)
_MOMENT = _DAY.removesuffix("$") + moments.USUAL_TIME + "$"
_PLAIN = "^[!-~](?:[ -~]*[!-~])?$"


def _quick_type(form: Form, sent: list[Element], definition: Definition) -> type[BaseModel]:
    members: Any = {
        # A member of a model may not shadow the model's own words, such as `copy`.
        f"m_{number}": (_quick(one, definition.value_set(one)), Field(default=None, alias=one.id))
        for number, one in enumerate(sent)
    }
    strict = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
    made: type[BaseModel] = create_model(f"{form.id}_entry", __config__=strict, **members)
    return made


def _quick(element: Element, value_set: ValueSet | None) -> Any:
    match element.type:
        case "code":
            assert value_set is not None
            return Literal[value_set.allowed]
        case "codes":
            assert value_set is not None
            return Annotated[list[str], AfterValidator(_usual_codes(value_set))]
        case "integer":
            low, high = usual_limits(element)
            return Annotated[
                int, Field(ge=int(low.to_integral_value("ROUND_CEILING")), le=int(high))
            ]
        case "decimal":
            return Annotated[str, AfterValidator(_remembered(_only(usual_decimal(element))))]
        case "date":
            return Annotated[str, StringConstraints(pattern=_DAY)]
        case "datetime":
            return Annotated[str, StringConstraints(pattern=_MOMENT)]
        case "boolean":
            return bool
        case "npi":
            return Annotated[str, AfterValidator(_remembered(_only(is_npi)))]
        case "text" if element.pattern or element.strip:
            return Annotated[str, AfterValidator(_only(usual_text(element)))]
        case "text":
            return Annotated[str, StringConstraints(pattern=_PLAIN, max_length=element.max_length)]


def _only(usual: Callable[[str], bool]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if usual(text):
            return text
        raise ValueError

    return check


def _remembered(check: Callable[[str], str]) -> Callable[[str], str]:
    """A check of values of which few different ones are sent, and which identify no patient."""
    return lru_cache(maxsize=16_384)(check)


def _usual_codes(value_set: ValueSet) -> Callable[[list[str]], list[str]]:
    allowed, exclusive = frozenset(value_set.allowed), frozenset(value_set.exclusive)

    def check(codes: list[str]) -> list[str]:
        found = set(codes)
        alone = len(codes) == 1 or not found & exclusive
        if not codes or codes != sorted(found) or not found <= allowed or not alone:
            raise ValueError
        return codes

    return check
