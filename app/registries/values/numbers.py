"""Whole numbers and decimals, inside the limits of their element."""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

from app.registries.findings import FindingCode
from app.registries.schema import Element, Limits
from app.registries.values.given import Canonical, Parser, Refused, Warn, written

DIGITS = 18
"""What fits a BIGINT and a DECIMAL(18, scale) alike."""

_ARITHMETIC = Context(prec=60, Emin=-1000, Emax=1000)
_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})", re.ASCII)


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


def as_number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


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


def integer_parser(element: Element) -> Parser:
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


def decimal_parser(element: Element) -> Parser:
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
