"""
What images and dose reports say of cases, and one set of elements out of all that was said of one.

Pure: no database. Two documents go in, both as DICOM JSON: the object as it was sent, and as it is
archived. Elements that identify, and dates, are read in the first, everything else in the second, so
that what de-identification takes away is not there to be read. Several objects may speak of one case: a
document that names another as its predecessor, or that has all of its irradiation events, takes its
place; what is left is put together element by element.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, Final

from pydicom.datadict import tag_for_keyword

from app.ingest.content import Json, Tree, concept, tree_of, values
from app.ingest.units import convert
from app.registries.findings import FindingCode
from app.registries.images import ImageSource, Reading, Where
from app.registries.schema import Definition, Element, Form

EVENT: Final = "DCM 113769"
"""Irradiation Event UID (PS3.16 TID 10013, 10003)."""
MOST_VALUES: Final = 10_000
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_AGE_UNIT = {"D": "d", "W": "wk", "M": "mo", "Y": "a"}
_DAY = re.compile(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)")


@dataclass(frozen=True, slots=True)
class Doubt:
    """A value that stands in an object and cannot be used, at the element that wanted it."""

    element: str
    code: FindingCode
    place: str


NO_CONTENT: Final = Doubt("content", FindingCode.MISSING, "")
"""A document came without its content."""


@dataclass(slots=True)
class Heard:
    """What one object says of one case."""

    source: str
    elements: dict[str, list[str]] = field(default_factory=dict)
    """By element, values as text in the element's unit, reduced as far as `take` lets them be."""
    events: list[str] = field(default_factory=list)
    """Irradiation events, under their new UIDs."""
    uid: str = ""
    replaces: list[str] = field(default_factory=list)
    """SOP Instance UIDs of predecessor documents, new ones too."""


def sources(
    definition: Definition, sop_class: str, modality: str | None
) -> tuple[ImageSource, ...]:
    """The sources that an object of this kind may belong to; the rest is asked of the object."""
    return tuple(
        one
        for one in definition.images
        if (not one.sop_classes or sop_class in one.sop_classes)
        and (not one.modalities or (modality or "") in one.modalities)
    )


def hear(
    definition: Definition, source: ImageSource, sent: Json, archived: Json
) -> tuple[list[Heard], list[Doubt]]:
    """What an object says of the cases of a source; nothing when it is none of its objects.

    A report without content, whose title may be missing too, is a doubt: it is one that came broken.
    Raises `Unmanageable` when its content tree is too large to be read.
    """
    if not all(_says(where, sent) for where in source.where):
        return [], []
    tree = tree_of(archived, sent)
    if source.documents and tree.title not in source.documents:
        empty = tree.title is None and len(tree.items) == 1
        return [], [NO_CONTENT] if empty else []
    if source.documents and len(tree.items) == 1:
        return [], [NO_CONTENT]
    if source.holding and not any(tree.below([name]) for name in source.holding):
        return [], []
    form = definition.form(source.form)
    tops = tree.below([source.each]) if source.each else [0]
    said: list[Heard] = []
    doubts: dict[Doubt, None] = {}
    for top in tops:
        heard = Heard(source.id, uid=_text(archived, "SOPInstanceUID") or "")
        heard.events = sorted(
            {
                uid
                for at in tree.below([EVENT], [top])
                for uid in map(str, values(tree.items[at], "0040A124"))
            }
        )
        heard.replaces = sorted(_predecessors(archived))
        for element in form.all_elements:
            allowed = _allowed(definition, element)
            for reading in element.from_dicom:
                found = _read(reading, element, allowed, source, tree, top, sent, archived, doubts)
                if found:
                    heard.elements[element.id] = found
                    break
        said.append(heard)
    return said, list(doubts)


def _says(where: Where, sent: Json) -> bool:
    text = " ".join(map(str, _attributes(sent, where.attribute))).casefold()
    return any(word.casefold() in text for word in where.says)


def _read(
    reading: Reading,
    element: Element,
    allowed: frozenset[str],
    source: ImageSource,
    tree: Tree,
    top: int,
    sent: Json,
    archived: Json,
    doubts: dict[Doubt, None],
) -> list[str]:
    """The values of one place, in the element's own terms, reduced by `take`."""
    header = sent if element.identifying or element.type == "date" else archived
    if reading.age_on is not None:
        return _age(sent, reading.age_on)
    if reading.content:
        path, tops = reading.content, [top]
        if path[0] == source.each:
            path = path[1:]
        found = tree.below(path, tops)
        if reading.take == "count":
            return [str(len(found))] if found else []
        raw = [_value(tree.items[at], tree.sent[at]) for at in found[:MOST_VALUES]]
    else:
        raw = [(one, reading.unit) for one in _attributes(header, reading.attribute or "")]
        if reading.take == "count":
            return [str(len(raw))] if raw else []
    usable = [_usable(value, unit, reading, element, allowed) for value, unit in raw]
    wrong = [one for one in usable if isinstance(one, FindingCode)]
    for code in wrong:
        doubts[Doubt(element.id, code, reading.place)] = None
    if wrong and reading.take == "sum":
        return []  # a sum without one of its parts is another number
    found_values = [one for one in usable if one is not None and not isinstance(one, FindingCode)]
    return reduced(reading.take, found_values)


def _usable(
    value: Any, unit: str | None, reading: Reading, element: Element, allowed: frozenset[str]
) -> str | FindingCode | None:
    """A value in the element's terms; None where there is none, a code where it cannot be used."""
    match element.type:
        case "integer" | "decimal":
            return _number(value, unit, element)
        case "date":
            day = _DAY.match(str(value or ""))
            return "-".join(day.groups()) if day else None
        case "code":
            said = str(value).strip() if value not in (None, "") else None
            if said is None:
                return None
            if said in reading.codes:
                return reading.codes[said]
            return said if said in allowed else reading.otherwise
        case _:
            return " ".join(str(value).split()) or None if value not in (None, "") else None


def _number(value: Any, unit: str | None, element: Element) -> str | FindingCode | None:
    if value == "":
        return None
    if isinstance(value, str) and (age := _AGE.fullmatch(value)):
        value, unit = int(age[1]), _AGE_UNIT[age[2]]
        whole = convert(Decimal(value), unit, element.unit or "a")
        return None if whole is None else str(whole.to_integral_value(ROUND_FLOOR))
    try:
        number = Decimal(repr(value)) if isinstance(value, (int, float)) else Decimal(str(value))
    except ArithmeticError:
        return FindingCode.NOT_A_NUMBER
    if not number.is_finite() or abs(number) >= Decimal("1e15"):
        return FindingCode.NOT_A_NUMBER
    if unit is not None:
        converted = convert(number, unit, element.unit)
        if converted is None:
            return FindingCode.UNKNOWN_UNIT
        number = converted
    return f"{number.quantize(Decimal(1).scaleb(-element.scale), ROUND_HALF_UP):f}"


def _age(sent: Json, on: str) -> list[str]:
    """Whole years from the birth date to a date; the calendar's way."""
    days = [
        _DAY.match(str(next(iter(_attributes(sent, one)), "") or ""))
        for one in ("PatientBirthDate", on)
    ]
    if days[0] is None or days[1] is None:
        return []
    born, then = (tuple(map(int, day.groups())) for day in days if day is not None)
    years = then[0] - born[0] - (then[1:] < born[1:])
    return [str(years)] if 0 <= years < 150 else []


def reduced(take: str, found: Sequence[str]) -> list[str]:
    """As few values as the way of taking them needs; `only` keeps the different ones."""
    if not found:
        return []
    match take:
        case "first":
            return [found[0]]
        case "max":
            return [max(found, key=Decimal)]
        case "min":
            return [min(found, key=Decimal)]
        case "sum" | "count":
            return [f"{sum(map(Decimal, found)):f}"]
        case _:
            return list(dict.fromkeys(found))[:MOST_VALUES]


# --- one case out of all that was said of it ------------------------------------------------------


@dataclass(slots=True)
class Composed:
    """The elements that the objects of one case come to."""

    elements: dict[str, str] = field(default_factory=dict)
    overlapping: bool = False
    """Documents share some of their irradiation events and not others: their totals cannot be added."""


def composed(form: Form, order: Sequence[str], heard: Sequence[Heard]) -> Composed:
    """Put together what was said of one case, in the order it arrived.

    `order` are the sources' ids; where one value is taken, an earlier source's goes first.
    """
    standing = _standing(heard)
    ranked = sorted(
        standing, key=lambda one: order.index(one.source) if one.source in order else 99
    )
    made = Composed(overlapping=_overlap(standing))
    for element in form.all_elements:
        reading = next(iter(element.from_dicom), None)
        if reading is None:
            continue
        found = [value for one in ranked for value in one.elements.get(element.id, ())]
        left = reduced(reading.take, found)
        if len(left) > 1:
            left = [reading.mixed] if reading.mixed else []
        if left:
            made.elements[element.id] = left[0]
    return made


def _standing(heard: Sequence[Heard]) -> list[Heard]:
    """The documents that no later one takes the place of."""
    replaced = {uid for one in heard for uid in one.replaces if uid != one.uid}
    kept = [one for one in heard if one.uid not in replaced]
    standing: list[Heard] = []
    for number, one in enumerate(kept):
        events = frozenset(one.events)
        outdone = events and any(
            events < set(other.events) or (events == set(other.events) and later > number)
            for later, other in enumerate(kept)
            if later != number and other.source == one.source
        )
        if not outdone:
            standing.append(one)
    return standing


def _overlap(standing: Sequence[Heard]) -> bool:
    seen: set[str] = set()
    for one in standing:
        if not seen.isdisjoint(one.events):
            return True
        seen.update(one.events)
    return False


# --- attributes -----------------------------------------------------------------------------------


def _attributes(document: Json, keywords: str) -> list[Any]:
    """The values of an attribute, through the items of sequences where a path leads there."""
    items: list[Mapping[str, Any]] = [document]
    tags = _tags(keywords)
    for tag in tags[:-1]:
        items = [one for item in items for one in values(item, tag) if isinstance(one, Mapping)][
            :MOST_VALUES
        ]
    return [
        one
        for item in items
        for one in values(item, tags[-1])
        if one is not None and not isinstance(one, Mapping)
    ]


@lru_cache(maxsize=1024)
def _tags(keywords: str) -> tuple[str, ...]:
    tags = [tag_for_keyword(keyword) for keyword in keywords.split("/")]
    return tuple(f"{tag:08X}" if tag is not None else "" for tag in tags)


def _text(document: Json, keyword: str) -> str | None:
    found = _attributes(document, keyword)
    return str(found[0]) if found else None


def _predecessors(archived: Json) -> Iterator[str]:
    """The SOP Instance UIDs of the documents that this one amends (PS3.3 C.17.2)."""
    path = (
        "PredecessorDocumentsSequence/ReferencedSeriesSequence/ReferencedSOPSequence"
        "/ReferencedSOPInstanceUID"
    )
    yield from map(str, _attributes(archived, path))


def _value(item: Json, sent: Json | None) -> tuple[Any, str | None]:
    """What a content item says, and the unit where it is a number.

    De-identification puts a number where it finds none, and takes away the code of a unit that is not
    spelled as the vocabulary spells it: whether there is a number, and in what unit, the item as it
    was sent says.
    """
    kind = next(iter(values(item, "0040A040")), None)
    match kind:
        case "NUM":
            number, unit = _measured(item)
            if sent is not None:
                told, unit = _measured(sent)
                number = number if isinstance(told, (int, float)) else told
            return number, unit
        case "CODE":
            return concept(item.get("0040A168")), None
        case "TEXT" | "UIDREF" | "DATE" | "DATETIME":
            tag = {"TEXT": "0040A160", "UIDREF": "0040A124", "DATE": "0040A121"}
            return next(iter(values(item, tag.get(kind, "0040A120"))), None), None
        case _:
            return None, None


def _measured(item: Json) -> tuple[Any, str | None]:
    """The number of a numeric item and its unit: "" where it says that there is none."""
    measured = next(iter(values(item, "0040A300")), None)
    if not isinstance(measured, Mapping):
        return "", None
    unit = concept(measured.get("004008EA")) or ""
    return next(iter(values(measured, "0040A30A")), None), unit.removeprefix("UCUM ")


def _allowed(definition: Definition, element: Element) -> frozenset[str]:
    if element.value_set is None:
        return frozenset()
    return frozenset(definition.value_sets[element.value_set].allowed)
