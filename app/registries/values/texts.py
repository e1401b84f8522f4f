"""One line of text, true or false, and the identifier of a physician or an organisation."""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from app.registries.findings import FindingCode
from app.registries.schema import Element
from app.registries.values.given import Canonical, Parser, Refused, Warn, written

_PLAIN = re.compile("[!-~](?:[ -~]*[!-~])?")
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def usual_text(element: Element) -> Callable[[str], bool]:
    """Whether a text is plain, trimmed, short enough and as the pattern says."""
    limit, strip = element.max_length, frozenset(element.strip or "")
    pattern = re.compile(element.pattern).fullmatch if element.pattern else None
    plain = _PLAIN.fullmatch

    def usual(text: str) -> bool:
        return (
            len(text) <= limit
            and plain(text) is not None
            and (pattern is None or pattern(text) is not None)
            and (not strip or strip.isdisjoint(text))
        )

    return usual


def text_parser(element: Element) -> Parser:
    limit, strip = element.max_length, element.strip or ""
    pattern = re.compile(element.pattern) if element.pattern else None
    says = element.pattern_says or "Follow the pattern in the data dictionary."
    remove = str.maketrans("", "", strip)
    usual = usual_text(element)

    def parse(value: object, warn: Warn) -> Canonical:
        if isinstance(value, str) and usual(value):
            return value
        text = written(value)
        if text is None:
            raise Refused(FindingCode.NOT_TEXT, "Send text.")
        if _FORBIDDEN.search(text):
            raise Refused(
                FindingCode.FORBIDDEN_CHARACTER, "Send one line without control characters."
            )
        text = text.translate(remove) if strip else text
        if not text:
            raise Refused(FindingCode.NOT_TEXT, "Send text.")
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        if len(text) > limit:
            raise Refused(FindingCode.TOO_LONG, f"Send at most {limit} characters.")
        if pattern is not None and not pattern.fullmatch(text):
            raise Refused(FindingCode.PATTERN, says)
        return text

    return parse


_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def parse_boolean(value: object, warn: Warn) -> Canonical:
    if isinstance(value, bool):
        return value
    text = written(value)
    meant = _BOOLEANS.get(text.lower()) if text is not None and len(text) < 6 else None
    if meant is None:
        raise Refused(FindingCode.NOT_A_BOOLEAN, "Send true or false.", ("true", "false"))
    return meant


def parse_npi(value: object, warn: Warn) -> Canonical:
    text = written(value)
    if text is None or len(text) != 10 or not is_npi(text):
        raise Refused(
            FindingCode.NOT_AN_NPI, "Send the 10 digits of the NPI; the last is a check digit."
        )
    return text


@lru_cache(maxsize=65536)
def is_npi(text: str) -> bool:
    """Whether this is a National Provider Identifier: 10 digits, Luhn over 80840 and them."""
    if len(text) != 10 or not (text.isascii() and text.isdigit()) or text[0] not in "12":
        return False
    # 24 is what the issuer prefix 80840 adds to the Luhn sum.
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in text[-2::-2])
    return (24 + sum(doubled) + sum(int(digit) for digit in text[-1::-2])) % 10 == 0
