"""
Units of measured numbers: from what an object says to what an element wants.

A unit is read as UCUM writes it, and in the spellings that senders use for it (`mGycm`, `mGy*cm`). One
that is not known is not guessed at: a number without its unit is no measurement.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

_PREFIX: Final = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "c": Decimal("1e-2"),
    "d": Decimal("1e-1"),
    "k": Decimal("1e3"),
    "M": Decimal("1e6"),
}
_BASE: Final = {
    "Gy": "dose",
    "Sv": "dose equivalent",
    "m": "length",
    "g": "mass",
    "s": "time",
    "A": "current",
    "V": "voltage",
    "Bq": "activity",
}
_PLAIN: Final = {
    "1": ("number", Decimal(1)),
    "": ("number", Decimal(1)),
    "%": ("number", Decimal("0.01")),
    "min": ("time", Decimal(60)),
    "h": ("time", Decimal(3600)),
    "d": ("time", Decimal(86_400)),
    "wk": ("time", Decimal(604_800)),
    "mo": ("time", Decimal(2_629_800)),  # UCUM: a twelfth of a Julian year
    "a": ("time", Decimal(31_557_600)),
    "[in_i]": ("length", Decimal("0.0254")),
    "[lb_av]": ("mass", Decimal("453.59237")),
}
_SIMPLE = re.compile(r"([numcdkM]?)(Gy|Sv|Bq|[mgsAV])(2?)")
_PRODUCT = re.compile(r"([numcdkM]?Gy)[.*·\u22c5 ]?([cmdk]?m2?)")
_ANNOTATION = re.compile(r"\{[^{}]{0,40}\}")


def convert(number: Decimal, given: str, wanted: str | None) -> Decimal | None:
    """A number in another unit; None where the two do not measure the same or one is not known."""
    if given == (wanted or ""):
        return number
    here, there = _measure(given), _measure(wanted or "")
    if here is None or there is None or here[0] != there[0]:
        return None
    return number * here[1] / there[1]


@lru_cache(maxsize=512)
def _measure(unit: str) -> tuple[str, Decimal] | None:
    """What a unit measures, and how many of its base it is."""
    bare = _ANNOTATION.sub("", unit.strip()).replace("\N{MICRO SIGN}", "u").replace("^2", "2")
    bare = bare.replace("\N{SUPERSCRIPT TWO}", "2").removeprefix("1/")
    if bare in _PLAIN:
        return _PLAIN[bare]
    product = _PRODUCT.fullmatch(bare)
    if product is not None:
        parts = [_measure(part) for part in product.groups()]
        if parts[0] is None or parts[1] is None:
            return None
        return f"{parts[0][0]} {parts[1][0]}", parts[0][1] * parts[1][1]
    simple = _SIMPLE.fullmatch(bare)
    if simple is None:
        return None
    prefix, base, squared = simple.groups()
    if squared and base != "m":
        return None
    factor = _PREFIX[prefix]
    return (f"{_BASE[base]}2", factor * factor) if squared else (_BASE[base], factor)
