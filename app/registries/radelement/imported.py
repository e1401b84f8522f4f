"""A set read into parts of a definition."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from app.registries.element import LONGEST_CODE
from app.registries.radelement.document import (
    IndexCode,
    Number,
    RadElement,
    RadElementSet,
    Values,
)
from app.registries.radelement.terms import INDEX, SYSTEM, UCUM, UNTOLD_SCALE, step_of
from app.registries.schema import Code, Element, ElementCodes, Form, Limits, Range, ValueSet


@dataclass(frozen=True, slots=True)
class Import:
    """A set as parts of a definition."""

    form: Form
    value_sets: tuple[ValueSet, ...]
    left: tuple[str, ...]
    """What the definition has no word for, by place in the set."""


def import_set(
    read: RadElementSet, *, level: Literal["case", "follow-up"] = "case", part: bool = True
) -> Import:
    """The form and value sets that a set is in a definition.

    As a `part` it is carried by a form of entries; a steward gives it a key and a period to have it
    stand alone.
    """
    left = [*read.left(), *(["index_codes"] if _further(read.index_codes) else [])]
    taken = set[str]()
    elements, value_sets = list[Element](), list[ValueSet]()
    for number, one in enumerate(read.elements):
        place = f"elements.{number}"
        left.extend(f"{place}.{what}" for what in _left(one))
        common: dict[str, Any] = {
            "id": _named(one.name, taken),
            "source_name": one.name,
            "title": one.name,
            "help": one.definition or None,
            "question": one.question or None,
            "codes": ElementCodes(radelement=one.id, **_indexed(one.index_codes)),
            "reference": f"{SYSTEM}/{read.id}",
        }
        if one.value_set is not None:
            value_sets.append(_value_set(one, one.value_set, place, left))
            elements.append(_coded(common, one.value_set, value_sets[-1], place, left))
        else:
            elements.append(_number(common, one, place, left))
    form = Form(
        id=_named(read.name, set()),
        title=read.name,
        level=level,
        part=part,
        codes=ElementCodes(radelement=read.id, **_indexed(read.index_codes)),
        elements=tuple(elements),
    )
    return Import(form, tuple(value_sets), tuple(left))


def _coded(
    common: Mapping[str, Any], values: Values, value_set: ValueSet, place: str, left: list[str]
) -> Element:
    several = values.max_cardinality != 1
    if several and values.max_cardinality is not None:
        left.append(f"{place}.value_set.max_cardinality")
    if values.min_cardinality > 1:
        left.append(f"{place}.value_set.min_cardinality")
    return Element(
        **common,
        type="codes" if several else "code",
        value_set=value_set.id,
        required=values.min_cardinality > 0,
    )


def _number(common: Mapping[str, Any], one: RadElement, place: str, left: list[str]) -> Element:
    whole, numbers = one.integer_value is not None, one.integer_value or one.float_value
    assert numbers is not None
    if whole and numbers.step not in (None, Decimal(1)):
        left.append(f"{place}.integer_value.step")
    if not whole and numbers.step is not None and numbers.step != step_of(_scale(numbers)):
        left.append(f"{place}.float_value.step")
    low, high = numbers.min, numbers.max
    return Element(
        **common,
        type="integer" if whole else "decimal",
        scale=0 if whole else _scale(numbers),
        unit=UCUM.get(numbers.unit or "", numbers.unit),
        range=Range(hard=Limits(low=low, high=high))
        if low is not None or high is not None
        else None,
    )


def _value_set(one: RadElement, values: Values, place: str, left: list[str]) -> ValueSet:
    codes = list[Code]()
    taken = set[str]()
    spelled = [one.value or one.name for one in values.values]
    wanted = [re.sub(r"[\s;,|]+", "_", one.strip()) for one in spelled]
    free = (str(one) for one in itertools.count() if str(one) not in wanted)
    for number, value in enumerate(values.values):
        here = f"{place}.value_set.values.{number}"
        code = wanted[number]
        if not code or len(code) > LONGEST_CODE or code in taken:
            code = next(free)
        if code != spelled[number]:
            left.append(f"{here}.value")
        taken.add(code)
        left.extend(f"{here}.{what}" for what in value.left())
        index = value.index_codes if isinstance(value.index_codes, tuple) else (value.index_codes,)
        if _further(index):
            left.append(f"{here}.index_codes")
        found = _indexed(index)
        codes.append(
            Code(
                code=code,
                label=value.name,
                definition=value.definition or None,
                radelement=value.code,
                **found,
            )
        )
    return ValueSet(
        id=one.id.lower().replace("_", "-"), title=one.name, codes=tuple(codes), reference=SYSTEM
    )


def _scale(numbers: Number) -> int:
    """Decimals enough for its step and limits."""
    told = [one for one in (numbers.step, numbers.min, numbers.max) if one is not None]
    if numbers.step is None and not any(_places(one) for one in told):
        return UNTOLD_SCALE
    return max(map(_places, told))


def _places(number: Decimal) -> int:
    return min(max(0, -int(number.normalize().as_tuple().exponent)), 9)


def _indexed(codes: Iterable[IndexCode]) -> dict[str, str]:
    """The first code of each vocabulary that a definition knows."""
    found: dict[str, str] = {}
    for one in codes:
        if one.system in INDEX and one.code:
            found.setdefault(INDEX[one.system], one.code)
    return found


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
