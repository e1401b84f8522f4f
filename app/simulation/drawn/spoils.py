"""
Spoils: how one value of a sound entry is made wrong, by its element alone, and what is found of it.

Each takes the answers of an entry and gives them back spoiled, or None where there is nothing to spoil.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

from app.registries.findings import FindingCode, severity
from app.registries.schema import Element
from app.simulation.drawn.values import Moment
from app.simulation.entries import Elements, Expected

Spoil = Callable[[Random, Moment, Elements, Elements | None], "Spoiled | None"]


class Spoiled:
    """What a flaw makes of an entry."""

    __slots__ = ("elements", "found", "later", "unusable")

    def __init__(
        self, elements: Elements, *found: Expected, unusable: str | None = None, later: bool = False
    ) -> None:
        self.elements, self.found, self.unusable = elements, found, unusable
        self.later = later
        """Found only when the case is known that it follows up."""


def expected(place: str, code: FindingCode) -> Expected:
    """A finding with the severity of its code."""
    return Expected(place, code.value, severity(code).value)


def changed(told: Elements, element: Element, wrong: Any, code: FindingCode) -> Spoiled | None:
    """A wrong value where the entry has one."""
    if element.id not in told:
        return None
    told[element.id] = wrong
    return Spoiled(told, expected(element.id, code), unusable=element.id)


def left_out(_: Random, element: Element, told: Elements) -> Spoiled | None:
    if told.pop(element.id, None) is None:
        return None
    return Spoiled(told, expected(element.id, FindingCode.MISSING), unusable=element.id)


def taken_away(_: Random, element: Element, told: Elements) -> Spoiled | None:
    return None if told.pop(element.id, None) is None else Spoiled(told)


def word(_: Random, element: Element, told: Elements) -> Spoiled | None:
    code = {
        "integer": FindingCode.NOT_AN_INTEGER,
        "decimal": FindingCode.NOT_A_NUMBER,
        "boolean": FindingCode.NOT_A_BOOLEAN,
    }[element.type]
    return changed(told, element, "plenty", code)


def half(_: Random, element: Element, told: Elements) -> Spoiled | None:
    return changed(told, element, "1.5", FindingCode.NOT_AN_INTEGER)


def too_fine(_: Random, element: Element, told: Elements) -> Spoiled | None:
    value = told.get(element.id)
    if not isinstance(value, str) or value in element.unknown or len(value) > 10:
        return None
    told[element.id] = f"{value}{'' if '.' in value else '.'}04"
    return Spoiled(told, expected(element.id, FindingCode.TOO_MANY_DECIMALS))


def too_much(_: Random, element: Element, told: Elements) -> Spoiled | None:
    assert element.range
    assert element.range.hard
    hard = element.range.hard
    if hard.high is not None:
        wrong = hard.high + 1_000
    else:
        assert hard.low is not None
        wrong = hard.low - 1_000
    if wrong in [Decimal(one) for one in element.unknown]:
        wrong *= 7
    return changed(told, element, str(wrong), FindingCode.OUT_OF_RANGE)


def odd(element: Element) -> int | str | None:
    """A number that is possible and unusual."""
    soft = element.range.soft if element.range else None
    hard = element.range.hard if element.range else None
    if soft is None or element.type not in ("integer", "decimal"):
        return None
    step = Decimal(1).scaleb(-element.scale)
    for limit, odd in ((soft.high, step), (soft.low, -step)):
        if limit is None:
            continue
        number = limit + odd
        inside = hard is None or (
            (hard.high is None or number <= hard.high) and (hard.low is None or number >= hard.low)
        )
        if inside and number not in [Decimal(one) for one in element.unknown]:
            return int(number) if element.type == "integer" else f"{number:.{element.scale}f}"
    return None


def unusual(_: Random, element: Element, told: Elements) -> Spoiled | None:
    if element.id not in told:
        return None
    told[element.id] = odd(element)
    return Spoiled(told, expected(element.id, FindingCode.UNUSUAL))


def no_day(rng: Random, element: Element, told: Elements) -> Spoiled | None:
    day = told.get(element.id)
    if not isinstance(day, str):
        return None
    wrong = f"{day[:4]}-02-{rng.choice(('30', '31'))}"
    return changed(told, element, wrong, FindingCode.NOT_A_DATE)


def no_moment(rng: Random, element: Element, told: Elements) -> Spoiled | None:
    moment = told.get(element.id)
    if not isinstance(moment, str):
        return None
    wrong = rng.choice((f"{moment[:11]}24{moment[13:]}", f"{moment[:14]}60{moment[16:]}"))
    return changed(told, element, wrong, FindingCode.NOT_A_DATETIME)


def no_npi(_: Random, element: Element, told: Elements) -> Spoiled | None:
    number = told.get(element.id)
    if not isinstance(number, str):
        return None
    wrong = number[:-1] + str((int(number[-1]) + 3) % 10)
    return changed(told, element, wrong, FindingCode.NOT_AN_NPI)


def too_long(_: Random, element: Element, told: Elements) -> Spoiled | None:
    return changed(told, element, "x" * (element.max_length + 1), FindingCode.TOO_LONG)


def against(element: Element) -> str | None:
    """A short text that an element's pattern does not take."""
    if element.pattern is None:
        return None
    for text in ("?", "0", "x", "!!", "x0x"):
        left = "".join(one for one in text if one not in (element.strip or ""))
        if 0 < len(left) <= element.max_length and not re.fullmatch(element.pattern, left):
            return text
    return None


def against_pattern(_: Random, element: Element, told: Elements) -> Spoiled | None:
    return changed(told, element, against(element), FindingCode.PATTERN)


def stranger(_: Random, moment: Moment, told: Elements, __: Any) -> Spoiled | None:
    told["favourite_colour"] = "blue"
    place = f"member {len(told)}"
    return Spoiled(told, expected(place, FindingCode.UNKNOWN_ELEMENT))
