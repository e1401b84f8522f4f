"""
Common data elements of RadElement: sets read into forms, and a form's elements written as a set.

Both editions of the schema are read: 1.0 says `status` and `history`, 1.1 `current_status` and
`status_history` (github.com/RSNA/ACR-RSNA-CDEs, cde.schema.json). What both sides know is carried
without loss: names, definitions, questions, units, limits, steps that are a power of ten, one value
or several, values and their codes, an index code each of RadLex, SNOMED CT and LOINC. What a
definition has no word for (contributors, images, references, body parts, how many values at least
and at most) is left behind, and `Import.left` says so.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.errors import Unprocessable
from app.registries.schema import Code, Coding, Element, Form, Limits, Range, ValueSet

SYSTEM = "https://radelement.org"
SCHEMA_VERSION = "1.0.0"

_UCUM = {"HU": "[hnsf'U]", "mm3": "mm3", "%": "%"}
"""Units of sets that UCUM writes otherwise."""
_PLAIN = {ucum: unit for unit, ucum in _UCUM.items()}
SPECIALTIES = {
    "AB": "Abdominal Radiology",
    "BR": "Breast Imaging",
    "CA": "Cardiac Radiology",
    "CH": "Chest Radiology",
    "ER": "Emergency Radiology",
    "GI": "Gastrointestinal Radiology",
    "GU": "Genitourinary Radiology",
    "HN": "Head and Neck Imaging",
    "IR": "Interventional Radiology",
    "MI": "Molecular Imaging",
    "MK": "Musculoskeletal Radiology",
    "NR": "Neuroradiology",
    "OB": "Obstetric and Gynecologic Radiology",
    "OI": "Oncologic Imaging",
    "OT": "Other",
    "PD": "Pediatric Radiology",
    "QI": "Quality Improvement",
    "RS": "Radiation Safety",
    "VA": "Vascular Imaging",
}
"""The schema's abbreviations, spelled out."""
_INDEX = {"RADLEX": "radlex", "SNOMEDCT": "snomed", "LOINC": "loinc"}
_ELEMENT = re.compile(r"(RDE|TO_BE_DETERMINED)\d+")
_LONGEST_CODE = 20
_UNTOLD_SCALE = 3
"""Decimals of a number whose set tells neither a step nor limits; such a number has no step there."""
_LEFT = ("contributors", "references", "images", "body_parts", "modalities")
_FREE_TEXT = "a text, a date or a yes-no has no kind of element there"


class UnreadableSet(Unprocessable):
    """A document is no RadElement set; each complaint is one line."""

    code = "unreadable-element-set"
    title = "The element set cannot be read"

    def __init__(self, complaints: Iterable[str]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(self.complaints))


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Adorned(_Read):
    """What may carry more than a definition has a word for."""

    contributors: Any = None
    references: Any = None
    images: Any = None
    body_parts: Any = None
    modalities: Any = None

    def left(self) -> Iterator[str]:
        """Those that say something. Empty lists and objects of empty lists do not."""
        for name in _LEFT:
            found = getattr(self, name)
            if any(found.values()) if isinstance(found, Mapping) else found:
                yield name


class IndexCode(_Read):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class _Version(_Read):
    number: int
    date: str | None = None


class _Value(_Adorned):
    code: str
    value: str | None = None
    name: str
    definition: str | None = None
    index_codes: tuple[IndexCode, ...] | IndexCode = ()


class _ValueSet(_Read):
    min_cardinality: int = 1
    max_cardinality: int | None = None
    values: Annotated[tuple[_Value, ...], Field(min_length=1)]


class _Number(_Read):
    min: Decimal | None = None
    max: Decimal | None = None
    step: Decimal | None = None
    unit: str | None = None


class RadElement(_Adorned):
    """One element of a set, of exactly one kind."""

    id: Annotated[str, Field(pattern=r"^(RDE|TO_BE_DETERMINED)\d+$")]
    name: str
    definition: str | None = None
    question: str | None = None
    element_version: _Version
    index_codes: tuple[IndexCode, ...] = ()
    integer_value: _Number | None = None
    float_value: _Number | None = None
    value_set: _ValueSet | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> RadElement:
        if (
            sum(one is not None for one in (self.integer_value, self.float_value, self.value_set))
            != 1
        ):
            raise ValueError("needs exactly one of integer_value, float_value and value_set")
        return self


class RadElementSet(_Adorned):
    """A set of elements, in either edition of the schema."""

    id: Annotated[str, Field(pattern=r"^(RDES|TO_BE_DETERMINED)\d+$")]
    name: str
    description: str = ""
    set_version: _Version
    status: dict[str, Any] = Field(validation_alias=AliasChoices("current_status", "status"))
    index_codes: tuple[IndexCode, ...] = ()
    elements: Annotated[tuple[RadElement, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self) -> RadElementSet:
        for name, times in Counter(one.id for one in self.elements).items():
            if times > 1:
                raise ValueError(f"{name} is there twice")
        return self


@dataclass(frozen=True, slots=True)
class Import:
    """A set as parts of a definition."""

    form: Form
    value_sets: tuple[ValueSet, ...]
    left: tuple[str, ...]
    """What the definition has no word for, by place in the set."""


def read_set(document: object) -> RadElementSet:
    """The set in a JSON document, also in the envelope (`data`) that the registry's service answers
    with; `UnreadableSet` with every complaint."""
    if isinstance(document, Mapping) and "id" not in document and "data" in document:
        document = document["data"]
    if isinstance(document, Mapping) and isinstance(document.get("elements"), list):
        referred = [
            number
            for number, one in enumerate(document["elements"])
            if isinstance(one, Mapping) and "element_ref_id" in one
        ]
        if referred:
            raise UnreadableSet(
                f"elements.{number}: refers to an element elsewhere; fetch the set with its elements"
                for number in referred
            )
    try:
        return RadElementSet.model_validate(document)
    except ValidationError as error:
        raise UnreadableSet(
            f"{'.'.join(str(part) for part in one['loc']) or 'document'}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False)
        ) from None


def import_set(
    read: RadElementSet, *, level: Literal["case", "follow-up"] = "case", part: bool = True
) -> Import:
    """The form and value sets that a set is in a definition.

    As a `part` it is carried by a form of entries; a steward gives it a key and a period to have it
    stand alone.
    """
    left = [*read.left(), *(["index_codes"] if _further(read.index_codes) else [])]
    taken = set[str]()
    elements, value_sets = [], []
    for number, one in enumerate(read.elements):
        name = _named(one.name, taken)
        left.extend(f"elements.{number}.{what}" for what in _left(one))
        codes = Coding(radelement=one.id, **_indexed(one.index_codes))
        common: dict[str, Any] = {
            "id": name,
            "source_name": one.name,
            "title": one.name,
            "help": one.definition or None,
            "question": one.question or None,
            "codes": codes,
            "reference": f"{SYSTEM}/{read.id}",
        }
        if one.value_set is not None:
            value_set = _value_set(one, one.value_set, number, left)
            value_sets.append(value_set)
            several = one.value_set.max_cardinality != 1
            elements.append(
                Element(
                    **common,
                    type="codes" if several else "code",
                    value_set=value_set.id,
                    required=one.value_set.min_cardinality > 0,
                )
            )
            if several and one.value_set.max_cardinality is not None:
                left.append(f"elements.{number}.value_set.max_cardinality")
            if one.value_set.min_cardinality > 1:
                left.append(f"elements.{number}.value_set.min_cardinality")
            continue
        whole = one.integer_value is not None
        numbers = one.integer_value or one.float_value
        assert numbers is not None
        step = numbers.step
        if whole and step not in (None, Decimal(1)):
            left.append(f"elements.{number}.integer_value.step")
        if not whole and step is not None and step != _step(_scale(numbers)):
            left.append(f"elements.{number}.float_value.step")
        low, high = numbers.min, numbers.max
        elements.append(
            Element(
                **common,
                type="integer" if whole else "decimal",
                scale=0 if whole else _scale(numbers),
                unit=_UCUM.get(numbers.unit or "", numbers.unit),
                range=Range(hard=Limits(low=low, high=high))
                if low is not None or high is not None
                else None,
            )
        )
    form = Form(
        id=_named(read.name, set()),
        title=read.name,
        level=level,
        part=part,
        codes=Coding(radelement=read.id, **_indexed(read.index_codes)),
        elements=tuple(elements),
    )
    return Import(form, tuple(value_sets), tuple(left))


def export_set(
    form: Form,
    value_sets: Mapping[str, ValueSet],
    *,
    on: date,
    description: str = "",
    specialties: tuple[str, ...] = ("OT",),
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A form's elements as a set of schema 1.0.0, and what it cannot say, by element.

    Elements that have no RadElement id get one to be determined, as authors of a set write it.
    `specialties` are the abbreviations of the schema; OT is other.
    """
    left, elements = list[str](), list[dict[str, Any]]()
    status = {"date": on.isoformat(), "status": "Proposed"}
    version = {"number": 1, "date": on.isoformat()}
    # An id is not given to a second element, nor invented where another has it.
    own = [one.codes.radelement for one in form.elements]
    given = set[str]()
    free = (
        f"TO_BE_DETERMINED{number}"
        for number in itertools.count(1)
        if f"TO_BE_DETERMINED{number}" not in own
    )
    for one in form.elements:
        if one.identifying or one.identity is not None:
            left.append(f"{one.id}: says who or where, which is no part of a set")
            continue
        # What the registry codes by a whole set has no element id of its own.
        name = one.codes.radelement or ""
        if name in given:
            left.append(f"{one.id}: has the id of another element; one is to be determined")
        if not _ELEMENT.fullmatch(name) or name in given:
            name = next(free)
        given.add(name)
        kind = _kind(one, name, value_sets)
        if kind is None:
            left.append(f"{one.id}: {_FREE_TEXT}")
            continue
        written: dict[str, Any] = {
            "id": name,
            "name": one.title,
            "element_version": version,
            "schema_version": SCHEMA_VERSION,
            "current_status": status,
            **kind,
        }
        if one.help:
            written["definition"] = one.help
        if one.question:
            written["question"] = one.question
        if codes := list(_index_codes(one.codes)):
            written["index_codes"] = codes
        elements.append(written)
    left += [f"{path}: a set has no rows inside it" for path in form.group_paths]
    document: dict[str, Any] = {
        "id": form.codes.radelement or "TO_BE_DETERMINED0",
        "name": form.title,
        "description": description or form.title,
        "set_version": version,
        "schema_version": SCHEMA_VERSION,
        "current_status": status,
        "specialties": [{"name": SPECIALTIES[one], "abbreviation": one} for one in specialties],
        "elements": elements,
    }
    if codes := list(_index_codes(form.codes)):
        document["index_codes"] = codes
    return document, tuple(left)


# --- small ones ---


def _kind(one: Element, name: str, value_sets: Mapping[str, ValueSet]) -> dict[str, Any] | None:
    if one.type in ("integer", "decimal"):
        hard = one.range.hard if one.range else None
        numbers: dict[str, Any] = {}
        number = int if one.type == "integer" else float
        for name, limit in (("min", hard.low), ("max", hard.high)) if hard else ():
            if limit is not None:
                numbers[name] = number(limit)
        if one.type == "decimal" and (step := _step(one.scale)) is not None:
            numbers["step"] = float(step)
        if one.unit:
            numbers["unit"] = _PLAIN.get(one.unit, one.unit)
        return {"integer_value" if one.type == "integer" else "float_value": numbers}
    if one.value_set is None:
        return None
    codes = [code for code in value_sets[one.value_set].codes if not code.retired]
    if len(codes) < 2:
        return None
    coded = {code.radelement for code in codes}
    numbered = (
        f"{name}.{number}" for number in itertools.count() if f"{name}.{number}" not in coded
    )
    written: dict[str, Any] = {
        "min_cardinality": 1 if one.required else 0,
        "values": [
            {
                "code": code.radelement or next(numbered),
                "value": code.code,
                "name": code.label,
                **({"index_codes": found} if (found := list(_index_codes(code))) else {}),
            }
            for code in codes
        ],
    }
    if one.type == "code":
        written["max_cardinality"] = 1
    return {"value_set": written}


def _value_set(one: RadElement, values: _ValueSet, number: int, left: list[str]) -> ValueSet:
    codes = list[Code]()
    taken = set[str]()
    spelled = [one.value or one.name for one in values.values]
    wanted = [re.sub(r"[\s;,|]+", "_", one.strip()) for one in spelled]
    free = (str(one) for one in itertools.count() if str(one) not in wanted)
    for place, value in enumerate(values.values):
        here = f"elements.{number}.value_set.values.{place}"
        code = wanted[place]
        if not code or len(code) > _LONGEST_CODE or code in taken:
            code = next(free)
        if code != spelled[place]:
            left.append(f"{here}.value")
        taken.add(code)
        if value.definition:
            left.append(f"{here}.definition")
        left.extend(f"{here}.{what}" for what in value.left())
        index = value.index_codes if isinstance(value.index_codes, tuple) else (value.index_codes,)
        if _further(index):
            left.append(f"{here}.index_codes")
        found = _indexed(index)
        codes.append(Code(code=code, label=value.name, radelement=value.code, **found))
    return ValueSet(
        id=one.id.lower().replace("_", "-"), title=one.name, codes=tuple(codes), reference=SYSTEM
    )


def _scale(numbers: _Number) -> int:
    """Decimals enough for its step and limits."""
    told = [one for one in (numbers.step, numbers.min, numbers.max) if one is not None]
    if numbers.step is None and not any(_places(one) for one in told):
        return _UNTOLD_SCALE
    return max(map(_places, told))


def _step(scale: int) -> Decimal | None:
    """The step of a number of so many decimals; None where a set tells none."""
    return None if scale == _UNTOLD_SCALE else Decimal(1).scaleb(-scale)


def _places(number: Decimal) -> int:
    return min(max(0, -int(number.normalize().as_tuple().exponent)), 9)


def _indexed(codes: Iterable[IndexCode]) -> dict[str, str]:
    """The first code of each vocabulary that a definition knows."""
    found: dict[str, str] = {}
    for one in codes:
        if one.system in _INDEX and one.code:
            found.setdefault(_INDEX[one.system], one.code)
    return found


def _index_codes(codes: Coding | Code) -> Iterator[dict[str, str]]:
    for system, name in _INDEX.items():
        if code := getattr(codes, name):
            yield {"system": system, "code": code}


def _left(one: RadElement) -> Iterator[str]:
    yield from one.left()
    if _further(one.index_codes):
        yield "index_codes"


def _further(codes: Sequence[IndexCode]) -> bool:
    """Whether there are more index codes than a definition takes: one of each vocabulary it knows."""
    return len(codes) > len(_indexed(codes))


def _named(name: str, taken: set[str]) -> str:
    """A name in lower snake case that is not taken yet."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:55] or "element"
    plain = plain if plain[0].isalpha() else f"e_{plain}"
    number = 2
    found = plain
    while found in taken:
        found, number = f"{plain}_{number}", number + 1
    taken.add(found)
    return found
