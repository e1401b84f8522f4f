"""
Check one entry of a form: every flaw at once, and what could be used in canonical form.

Most entries are right, and most of those are already spelled canonically: such an entry is taken by
the form's quick type (`quick.py`) in one native call. Whatever it does not take goes through the
parsers of `values`, element by element; these alone say what is wrong. A property test holds the two
to the same answer.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from app.registries import moments
from app.registries.findings import FindingCode
from app.registries.quick import quick_type
from app.registries.schema import Definition, Element, Form, Group
from app.registries.values import parser
from app.registries.values.given import Canonical, Flaw, Refused, Rows, flaw, is_absent

_ROW = re.compile(r"(\w+)\[(\d{1,4})\]", re.ASCII)
_NOT_A_NAME = re.compile(r"[\s\-./]+")


@dataclass(frozen=True, slots=True)
class Checked:
    """What one entry came to: the values that can be used, and every flaw."""

    values: dict[str, Canonical]
    flaws: list[Flaw] = field(default_factory=list)

    @property
    def flawed(self) -> list[str]:
        """The places whose value cannot be used; rules about them say nothing more."""
        return sorted({one.place for one in self.flaws if not has_value(self.values, one.place)})


class FormCheck:
    """The check of one form's entries. Built once per form version; safe to share."""

    def __init__(self, definition: Definition, form_id: str) -> None:
        self.form: Form = definition.form(form_id)
        self._top = _Level(self.form.all_elements, self.form.all_groups, definition)
        self._required = self._top.required
        self._quick = quick_type(definition, self.form).__pydantic_validator__.validate_python

    def element_of(self, heading: str) -> str | None:
        """The element that a column heading or member name means, or None if it is not ours."""
        return self._top.element_of(heading)

    def place_of(self, member: str) -> str | None:
        """The place of a member, `models[0].kind`, by our own names; None if it is not ours."""
        *above, last = member.split(".")
        level, place = self._top, ""
        for step in above:
            found = _ROW.fullmatch(step)
            inner = level.groups.get(level.element_of(found[1]) or "") if found else None
            if found is None or inner is None:
                return None
            place += f"{inner[0].id}[{int(found[2])}]."
            level = inner[1]
        element = level.element_of(last)
        return f"{place}{element}" if element is not None else None

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
            checked = Checked(*self._top.carefully(elements, "", draft))
        checked.flaws.extend(self._missing(checked, draft=draft))
        return checked

    def _missing(self, checked: Checked, *, draft: bool) -> Iterable[Flaw]:
        key = self.form.key
        if self.form.otherwise_key and any(one not in checked.values for one in key):
            key = self.form.otherwise_key
        needed = key if draft else (*key, *self._required)
        return self._top.missing(needed, checked.values, checked.flaws, "", draft)


class _Level:
    """What may stand at one level of an entry: the form's own elements, or those of a group's row."""

    def __init__(
        self, elements: Sequence[Element], groups: Sequence[Group], definition: Definition
    ) -> None:
        sent = [one for one in elements if one.computed is None]
        self.parsers = {one.id: parser(one, definition.value_set(one)) for one in sent}
        self.computed = {one.id for one in elements if one.computed is not None}
        self.required = tuple(one.id for one in sent if one.required)
        self._zones = {one.id: one.zone for one in sent if one.zone is not None}
        self.groups = {
            one.id: (one, _Level(one.elements, one.groups, definition)) for one in groups
        }
        self._needs_rows = tuple(one for one in groups if one.at_least)
        self._headings = _headings(sent) | {one.id: one.id for one in groups}

    def element_of(self, heading: str) -> str | None:
        """The element or group that a name means, or None if it is not ours."""
        return heading if heading in self.parsers else self._headings.get(_plain(heading[:200]))

    def carefully(
        self, elements: Mapping[str, object], at: str, draft: bool
    ) -> tuple[dict[str, Canonical], list[Flaw]]:
        """What can be used, and every flaw; `at` is where the level stands: `models[0].`."""
        values: dict[str, Canonical] = {}
        flaws: list[Flaw] = []
        parsers = self.parsers
        place = ""
        again: set[str] = set()

        def warn(code: FindingCode, remedy: str) -> None:
            warning = flaw(at + place, code, remedy, warn=True)
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
                    flaws.append(self._unknown(number, name, at))
                    continue
                if meant != name and (meant in values or not is_absent(elements.get(meant))):
                    again.add(meant)
                    continue
                if meant in self.groups:
                    if rows := self._rows(meant, value, at + meant, draft, flaws):
                        values[meant] = rows
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
                    flaws.append(flaw(at + place, refused.code, refused.remedy, refused.allowed))
        for element in sorted(again):
            values.pop(element, None)
            flaws[:] = [one for one in flaws if one.place != at + element]
            flaws.append(
                flaw(at + element, FindingCode.DUPLICATE_ELEMENT, "Send this element once.")
            )
        return values, flaws

    def _zone_of(self, place: str, elements: Mapping[str, object]) -> object:
        """What was sent as the zone of a datetime, under whichever of its names."""
        zone = self._zones[place]
        if zone in elements:
            return elements[zone]
        return next((one for name, one in elements.items() if self.element_of(name) == zone), None)

    def _rows(self, name: str, value: object, at: str, draft: bool, flaws: list[Flaw]) -> Rows:
        """The rows of a group; none of them where one cannot be told from the others."""
        group, level = self.groups[name]
        given = list(value) if isinstance(value, list) else [value]
        while given and _is_empty(given[-1]):
            given.pop()
        rows = [row for row in given if isinstance(row, Mapping)]
        if not isinstance(value, list) or len(rows) < len(given):
            flaws.append(flaw(at, FindingCode.NOT_ROWS, "Send a list of objects, one a row."))
            return []
        if len(rows) > group.at_most:
            says = f"Send at most {group.at_most} rows."
            flaws.append(flaw(at, FindingCode.TOO_MANY_ROWS, says))
            return []
        found: Rows = []
        for number, row in enumerate(rows):
            if _is_empty(row):
                says = "Send something in this row: none is empty between others."
                flaws.append(flaw(f"{at}[{number}]", FindingCode.MISSING, says))
            here = f"{at}[{number}]."
            values, flawed = level.carefully(row, here, draft)
            needed = () if draft or _is_empty(row) else level.required
            flawed += level.missing(needed, values, flawed, here, draft)
            flaws += flawed
            found.append(values)
        return found

    def missing(
        self,
        needed: Sequence[str],
        values: Mapping[str, Canonical],
        flaws: Sequence[Flaw],
        at: str,
        draft: bool,
    ) -> list[Flaw]:
        """What should have been given and was not; what was given and is of no use was said already."""
        if not self._needs_rows and values.keys() >= frozenset(needed):
            return []
        absent = [one for one in dict.fromkeys(needed) if one not in values]
        few = [
            one
            for one in (() if draft else self._needs_rows)
            if len(_rows_of(values, one.id)) < one.at_least
        ]
        if not absent and not few:
            return []
        flawed = {one.place for one in flaws}
        found = [
            flaw(at + one, FindingCode.MISSING, "Needed: send a value.")
            for one in absent
            if at + one not in flawed
        ]
        for group in few:
            if at + group.id not in flawed:
                says = f"Needed: send at least {group.at_least} of these rows."
                found.append(flaw(at + group.id, FindingCode.MISSING, says))
        return found

    def _unknown(self, number: int, name: str, at: str) -> Flaw:
        if name in self.computed:
            says = "This is worked out here: leave it out."
            return flaw(at + name, FindingCode.UNKNOWN_ELEMENT, says)
        return flaw(
            f"{at}member {number}",
            FindingCode.UNKNOWN_ELEMENT,
            "No element of this form has that name; see the data dictionary.",
        )


def _is_empty(row: object) -> bool:
    """Whether a row says nothing at all."""
    if isinstance(row, Mapping):
        return all(is_absent(one) or _holds_no_row(one) for one in row.values())
    return is_absent(row)


def _holds_no_row(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, Mapping) and _is_empty(one) for one in value
    )


def _rows_of(values: Mapping[str, Canonical], group: str) -> Rows:
    """The rows of a group among canonical values."""
    rows = values.get(group, [])
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row of a group in an entry, where it stands, and what stands around it."""

    place: str
    """What its elements' places begin with: `models[0].parts[1].`."""
    row: dict[str, Canonical]
    around: dict[str, Canonical]

    def known(self, places: Iterable[str]) -> list[str]:
        """Of some places of the entry, those this row sees, by the name it sees them under."""
        found = []
        for place in places:
            above, _, name = place.rpartition(".")
            if "]" not in name and (not above or self.place.startswith(f"{above}.")):
                found.append(name)
        return found


def rows_of(values: dict[str, Canonical], path: str) -> list[PlacedRow]:
    """The rows of a group by its path, in the order of the entry."""
    found = [PlacedRow("", values, {})]
    for group in path.split("."):
        found = [
            PlacedRow(f"{one.place}{group}[{number}].", row, one.around | _plainly(one.row))
            for one in found
            for number, row in enumerate(_rows_of(one.row, group))
        ]
    return found


def _plainly(values: dict[str, Canonical]) -> dict[str, Canonical]:
    """Values without rows of groups."""
    return {
        name: value
        for name, value in values.items()
        if not (isinstance(value, list) and value and isinstance(value[0], dict))
    }


def has_value(values: Mapping[str, Canonical], place: str) -> bool:
    """Whether something stands at a place of canonical values: `smokes`, `models[0].kind`."""
    if "[" not in place:
        return place in values
    step, _, rest = place.partition(".")
    found = _ROW.fullmatch(step)
    rows = _rows_of(values, found[1]) if found else []
    number = int(found[2]) if found else 0
    return number < len(rows) and (not rest or has_value(rows[number], rest))


def _plain(heading: str) -> str:
    return _NOT_A_NAME.sub("_", heading.strip()).lower()


def _headings(sent: Sequence[Element]) -> dict[str, str]:
    """Every spelling of a heading -> element; one that two elements claim belongs to neither."""
    meant: dict[str, set[str]] = {}
    for element in sent:
        for name in (element.id, element.source_name, element.title):
            meant.setdefault(_plain(name), set()).add(element.id)
    own = {element.id: {element.id} for element in sent}
    return {name: min(ids) for name, ids in (meant | own).items() if len(ids) == 1}
