"""
One submitted value to its canonical form, or to what is wrong with it.

Canonical: text, code and NPI are strings; codes a sorted list without repeats; an integer a
number; a decimal a string with exactly its scale; a date `YYYY-MM-DD`; a boolean true or false.
An absent value has no canonical form: None, blanks and the empty string all say "not given".

Nothing here raises on a value, whatever was sent, and nothing repeats it: what is wrong is said
by a code and by what would have been right.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import TypeAlias

from app.registries.findings import FindingCode, Severity, severity
from app.registries.schema import Element, Limits, Precision, ValueSet

Canonical: TypeAlias = str | int | bool | list[str] | list[dict[str, "Canonical"]]
"""Of an element; of a group, its rows."""
Rows: TypeAlias = list[dict[str, Canonical]]

DIGITS = 18
"""What fits a BIGINT and a DECIMAL(18, scale) alike."""
EARLIEST, LATEST = date(1850, 1, 1), date(2199, 12, 31)
MOST_CODES = 200

_ARITHMETIC = Context(prec=60, Emin=-1000, Emax=1000)
_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})", re.ASCII)
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_ISO_MIDNIGHT = re.compile(r"(\d{4})-(\d{2})-(\d{2})[T ]00:00(?::00(?:\.0+)?)?", re.ASCII)
_US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_PLAIN = re.compile("[!-~](?:[ -~]*[!-~])?")
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong at one place: what it is, what it does, and what would be right."""

    place: str
    code: FindingCode
    severity: Severity
    remedy: str
    allowed: tuple[str, ...] = ()


class Refused(Exception):
    """Raised inside a parser, caught by whoever called it: this value cannot be used."""

    def __init__(self, code: FindingCode, remedy: str, allowed: Sequence[str] = ()) -> None:
        super().__init__(code)
        self.code, self.remedy, self.allowed = code, remedy, tuple(allowed)


Warn: TypeAlias = Callable[[FindingCode, str], None]
Parser: TypeAlias = Callable[[object, Warn], Canonical]


def flaw(
    place: str, code: FindingCode, remedy: str, allowed: Sequence[str] = (), *, warn: bool = False
) -> Flaw:
    """A flaw with the severity its code has, unless the definition only wants to warn."""
    return Flaw(place, code, Severity.WARN if warn else severity(code), remedy, tuple(allowed))


def is_absent(value: object) -> bool:
    """Whether nothing was given: no value, blanks, or a list of nothing."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value or value.isspace()
    return isinstance(value, list) and not value


def parser(element: Element, value_set: ValueSet | None) -> Parser:
    """The parser of one element: canonical value out, or `Refused`; it may warn on the way."""
    match element.type:
        case "text":
            return _text_parser(element)
        case "code":
            assert value_set is not None
            return _code_parser(value_set)
        case "codes":
            assert value_set is not None
            return _codes_parser(value_set)
        case "integer":
            return _integer_parser(element)
        case "decimal":
            return _decimal_parser(element)
        case "date":
            return _date if element.precision == "day" else _period_parser(element.precision)
        case "boolean":
            return _boolean
        case "npi":
            return _npi


def written(value: object) -> str | None:
    """
    A scalar as somebody would have written it, or None for what is not a scalar.

    A spreadsheet stores 200007 as the float 200007.0; nobody typed the point.
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if -(10**40) < value < 10**40 else None
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return None
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        return format(Decimal(repr(value)), "f") if 1e-20 < abs(value) < 1e40 else None
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() and abs(value.adjusted()) < 40 else None
    return None


# --- beyond doubt: canonical already, and nothing to say about it ---------------------------------


def usual_limits(element: Element) -> tuple[Decimal, Decimal]:
    """The narrowest limits: inside them nothing is said."""
    most = Decimal(10) ** (DIGITS - element.scale) - 1
    low, high = -most, most
    for limits in (element.range.soft, element.range.hard) if element.range else ():
        if limits is not None:
            low = low if limits.low is None else max(low, limits.low)
            high = high if limits.high is None else min(high, limits.high)
    return low, high


def usual_decimal(element: Element) -> Callable[[str], bool]:
    """Whether a text is a decimal of this element, canonical and inside every limit."""
    low, high = (float(limit) for limit in usual_limits(element))
    point = rf"\.\d{{{element.scale}}}" if element.scale else ""
    canonical = re.compile(rf"(?:0|[1-9]\d{{0,5}}){point}", re.ASCII).fullmatch

    # Up to 15 digits a float tells apart what the text does.
    def usual(text: str) -> bool:
        return canonical(text) is not None and low <= float(text) <= high

    return usual


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


# --- one parser a type ----------------------------------------------------------------------------


def _text_parser(element: Element) -> Parser:
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


def _code_parser(value_set: ValueSet) -> Parser:
    known = {code.code: code for code in value_set.codes}
    by_number = {number: code for code in known if (number := _as_number(code)) is not None}
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


def _as_number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _known_code(
    value: object, known: Mapping[str, object], by_number: Mapping[Decimal, str]
) -> str | None:
    """The code meant: as written, or, for a number out of a spreadsheet, the code of that number."""
    text = written(value)
    if text is None or len(text) > 40:
        return None
    if text in known:
        return text
    if not isinstance(value, str) and (number := _as_number(text)) is not None:
        return by_number.get(number)
    return None


def _codes_parser(value_set: ValueSet) -> Parser:
    known = {code.code: code for code in value_set.codes}
    by_number = {number: code for code in known if (number := _as_number(code)) is not None}
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


def _number(value: object) -> Decimal:
    text = written(value)
    if text is None or not _NUMBER.fullmatch(text):
        raise Refused(FindingCode.NOT_A_NUMBER, "Send a plain decimal number, such as 2.50.")
    try:
        return Decimal(text)
    except InvalidOperation:  # pragma: no cover - the pattern admits nothing Decimal refuses
        raise Refused(FindingCode.NOT_A_NUMBER, "Send a plain decimal number.") from None


def _described(limits: Limits) -> str:
    if limits.low is None:
        return f"at most {limits.high}"
    if limits.high is None:
        return f"at least {limits.low}"
    return f"{limits.low} to {limits.high}"


def _outside(number: Decimal, limits: Limits | None) -> bool:
    if limits is None:
        return False
    return (limits.low is not None and number < limits.low) or (
        limits.high is not None and number > limits.high
    )


def _within_range(element: Element) -> Callable[[Decimal, Warn], None]:
    soft = element.range.soft if element.range else None
    hard = element.range.hard if element.range else None
    sentinels = frozenset(Decimal(one) for one in element.unknown)
    unit = f" {element.unit}" if element.unit else ""
    unknown = f", or {' or '.join(element.unknown)} for unknown" if element.unknown else ""

    def within(number: Decimal, warn: Warn) -> None:
        if number in sentinels:
            return
        if hard is not None and _outside(number, hard):
            raise Refused(FindingCode.OUT_OF_RANGE, f"Send {_described(hard)}{unit}{unknown}.")
        if soft is not None and _outside(number, soft):
            warn(FindingCode.UNUSUAL, f"Usual is {_described(soft)}{unit}: please make sure.")

    return within


def _integer_parser(element: Element) -> Parser:
    within = _within_range(element)
    low, high = usual_limits(element)

    def parse(value: object, warn: Warn) -> Canonical:
        if isinstance(value, str) and len(value) < 10 and value.isascii() and value.isdigit():
            usual = int(value)
            if low <= usual <= high:
                return usual
        try:
            number = _number(value)
        except Refused:
            raise Refused(FindingCode.NOT_AN_INTEGER, "Send a whole number.") from None
        whole = int(number)
        if whole != number:
            raise Refused(FindingCode.NOT_AN_INTEGER, "Send a whole number.")
        if abs(whole) >= 10**DIGITS:
            raise Refused(FindingCode.OUT_OF_RANGE, f"Send at most {DIGITS} digits.")
        within(number, warn)
        return whole

    return parse


def _decimal_parser(element: Element) -> Parser:
    within, scale = _within_range(element), element.scale
    step = Decimal(1).scaleb(-scale)
    most = Decimal(10) ** (DIGITS - scale)
    usual = usual_decimal(element)

    def parse(value: object, warn: Warn) -> Canonical:
        if isinstance(value, str) and usual(value):
            return value
        number = _number(value)
        kept = number.quantize(step, rounding=ROUND_HALF_UP, context=_ARITHMETIC)
        if abs(kept) >= most:
            raise Refused(
                FindingCode.OUT_OF_RANGE, f"Send at most {DIGITS - scale} digits before the point."
            )
        within(kept, warn)
        # A binary float cannot be blamed for its ninth decimal; somebody who wrote digits can.
        if number != kept and not (
            isinstance(value, float) and abs(number - kept) < Decimal("1e-9")
        ):
            warn(FindingCode.TOO_MANY_DECIMALS, f"Kept with {scale} decimals, rounded half up.")
        return format(abs(kept) if kept == 0 else kept, "f")

    return parse


_NOT_A_DATE = "Send a day of the calendar as YYYY-MM-DD or MM/DD/YYYY."


def _date(value: object, warn: Warn) -> Canonical:
    if isinstance(value, str) and len(value) < 40:
        return _day(value)
    if isinstance(value, datetime):
        day = value.date()
    elif isinstance(value, date):
        day = value
    else:
        raise Refused(FindingCode.NOT_A_DATE, _NOT_A_DATE)
    return _of_our_time(day)


@lru_cache(maxsize=1 << 16)
def _day(text: str) -> str:
    """Days come back by the thousand; what was worked out once is remembered."""
    text = text.strip()
    try:
        if found := _ISO_DATE.fullmatch(text) or _ISO_MIDNIGHT.fullmatch(text):
            return _of_our_time(date(int(found[1]), int(found[2]), int(found[3])))
        if found := _US_DATE.fullmatch(text):
            return _of_our_time(date(int(found[3]), int(found[1]), int(found[2])))
    except ValueError:
        pass
    raise Refused(FindingCode.NOT_A_DATE, _NOT_A_DATE)


_PERIODS: Mapping[Precision, tuple[re.Pattern[str], str]] = {
    "month": (
        re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})|(?P<m>\d{1,2})/(?P<y>\d{4})", re.ASCII),
        "Send a month as YYYY-MM, or a day in it.",
    ),
    "year": (re.compile(r"(?P<year>\d{4})", re.ASCII), "Send a year as YYYY, or a day in it."),
}


def _period_parser(precision: Precision) -> Parser:
    """A month or a year, kept as its first day; a day says in which it is."""
    pattern, says = _PERIODS[precision]

    def parse(value: object, warn: Warn) -> Canonical:
        text = written(value) if not isinstance(value, date) else None
        if text is not None and len(text) < 40 and (found := pattern.fullmatch(text)):
            parts = found.groupdict()
            year = int(parts["year"] or parts.get("y") or 0)
            month = int(parts.get("month") or parts.get("m") or 1)
            if not 1 <= month <= 12 or year < 1:
                raise Refused(FindingCode.NOT_A_DATE, says)
            return _of_our_time(date(year, month, 1))
        try:
            day = date.fromisoformat(str(_date(value, warn)))
        except Refused as refused:
            if refused.code is FindingCode.NOT_A_DATE:
                raise Refused(FindingCode.NOT_A_DATE, says) from None
            raise
        return day.replace(day=1, month=1 if precision == "year" else day.month).isoformat()

    return parse


def _of_our_time(day: date) -> str:
    if not EARLIEST <= day <= LATEST:
        says = f"Send a date from {EARLIEST.year} to {LATEST.year}."
        raise Refused(FindingCode.OUT_OF_RANGE, says)
    return day.isoformat()


_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def _boolean(value: object, warn: Warn) -> Canonical:
    if isinstance(value, bool):
        return value
    text = written(value)
    meant = _BOOLEANS.get(text.lower()) if text is not None and len(text) < 6 else None
    if meant is None:
        raise Refused(FindingCode.NOT_A_BOOLEAN, "Send true or false.", ("true", "false"))
    return meant


def _npi(value: object, warn: Warn) -> Canonical:
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
