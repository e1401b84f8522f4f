"""A code of a value set, and lists of codes."""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from app.registries.findings import FindingCode
from app.registries.schema import ValueSet
from app.registries.values.given import Canonical, Parser, Refused, Warn, written
from app.registries.values.numbers import as_number

MOST_CODES = 200


def code_parser(value_set: ValueSet) -> Parser:
    known = {code.code: code for code in value_set.codes}
    by_number = {number: code for code in known if (number := as_number(code)) is not None}
    remedy = "Send one of the allowed codes."

    usual = frozenset(value_set.allowed)

    def parse(value: object, warn: Warn) -> Canonical:
        if isinstance(value, str) and value in usual:
            return value
        code = _known_code(value, known, by_number)
        if code is None:
            raise Refused(FindingCode.NOT_IN_VALUE_SET, remedy, value_set.allowed)
        if known[code].retired:
            warn(FindingCode.RETIRED_CODE, "This code is retired; use another from now on.")
        return code

    return parse


def _known_code(
    value: object, known: Mapping[str, object], by_number: Mapping[Decimal, str]
) -> str | None:
    """The code meant: as written, or, for a number out of a spreadsheet, the code of that number."""
    text = written(value)
    if text is None or len(text) > 40:
        return None
    if text in known:
        return text
    if not isinstance(value, str) and (number := as_number(text)) is not None:
        return by_number.get(number)
    return None


def codes_parser(value_set: ValueSet) -> Parser:
    known = {code.code: code for code in value_set.codes}
    by_number = {number: code for code in known if (number := as_number(code)) is not None}
    exclusive = frozenset(value_set.exclusive)
    usual = frozenset(value_set.allowed)

    @lru_cache(maxsize=4096)
    def usual_codes(text: str) -> tuple[str, ...] | None:
        """Few lists of codes are ever written; one that needs no more thought is remembered."""
        codes = text.replace(",", ";").split(";") if len(text) < 200 else []
        found = {code.strip() for code in codes}
        alone = len(found) == 1 or not found & exclusive
        return (
            tuple(sorted(found)) if alone and found <= usual and len(found) == len(codes) else None
        )

    def parse(value: object, warn: Warn) -> Canonical:
        if isinstance(value, str) and (codes := usual_codes(value)):
            return list(codes)
        parts = value if isinstance(value, list) else _split(value)
        found: set[str] = set()
        if not parts or len(parts) > MOST_CODES:
            raise Refused(FindingCode.NOT_IN_VALUE_SET, "Send allowed codes.", value_set.allowed)
        for part in parts:
            code = _known_code(part, known, by_number)
            if code is None:
                raise Refused(
                    FindingCode.NOT_IN_VALUE_SET,
                    "Send allowed codes only, as a list or separated by semicolons.",
                    value_set.allowed,
                )
            if code in found:
                raise Refused(FindingCode.REPEATED_CODE, "Send each code once.")
            if known[code].retired:
                warn(
                    FindingCode.RETIRED_CODE,
                    "One of these codes is retired; use another from now on.",
                )
            found.add(code)
        if len(found) > 1 and found & exclusive:
            raise Refused(
                FindingCode.EXCLUSIVE_CODE,
                "A code that says none or unknown cannot stand beside another.",
                value_set.exclusive,
            )
        return sorted(found)

    return parse


def _split(value: object) -> list[object]:
    text = written(value)
    if text is None:
        return [value]
    if not isinstance(value, str):
        return [value]
    return [part for part in (one.strip() for one in re.split("[;,]", text[:4000])) if part]
