"""What a value must look like to be kept as it is, and what stands in for one that is not."""

import re
from functools import lru_cache

from pydicom.datadict import DicomDictionary

from app.deid.actions import BINARY_SIZES, NUMBER_BYTES
from app.deid.dates import DUMMIES as DATE_DUMMIES
from app.deid.walk import Dataset, Element

REMOVED = b"REMOVED"
DUMMIES: dict[str, bytes] = {
    **dict.fromkeys(("LO", "SH", "ST", "LT", "UT", "UC", "PN", "AE", "CS"), REMOVED),
    **{vr: dummy.encode() for vr, dummy in DATE_DUMMIES.items()},
    **{vr: b"\0" * size for vr, size in BINARY_SIZES.items()},
    "AS": b"000D",
    "DS": b"0",
    "IS": b"0",
    "OB": b"\0\0",
    "OW": b"\0\0",
    "UN": b"\0\0",
    "UR": b"http://removed.invalid",
}
_CODE_STRING = re.compile(r"[A-Z0-9 _]{0,16}(?:\\[A-Z0-9 _]{0,16})*")
_LONG_NUMBER = re.compile(r"\d{7}")
_NUMBER = re.compile(r" *[+-]?(?:\d{1,16}\.?\d{0,16}|\.\d{1,16})(?:[eE][+-]?\d{1,4})? *")
_MEASURE = rb" *(?:[+-]?(?:[0-9]{1,5}(?:\.[0-9]{0,16})?|\.[0-9]{1,16}))? *"
_MEASURES = re.compile(_MEASURE + rb"(?:\\" + _MEASURE + rb")*[ \0]*")
_DAY = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")


def is_code_string(said: str) -> bool:
    """A CS of any multiplicity; lower case is met in the field. Long numbers are no codes."""
    return bool(_CODE_STRING.fullmatch(said.upper())) and not _LONG_NUMBER.search(said)


def is_number(said: str) -> bool:
    """A DS or IS of any multiplicity."""
    return all(not part.strip() or _NUMBER.fullmatch(part) for part in said.split("\\"))


def are_measures(value: bytes | memoryview) -> bool:
    """Numbers (DS, IS) of up to five digits before the point: too short to be anybody's."""
    return _MEASURES.fullmatch(value) is not None


def is_like_a_date(said: str) -> bool:
    """A whole number that reads as a day of the last or of this century."""
    return bool(_DAY.fullmatch(said.strip()))


def is_long(said: str) -> bool:
    """Does any value have more digits before its point than a measurement has?"""
    return any(len(part.strip().split(".")[0].lstrip("+-0")) > 6 for part in said.split("\\"))


@lru_cache(maxsize=16384)
def suits(tag: int, vr: str) -> bool:
    """Is this one of the VRs the dictionary gives the tag? `US or SS`, `OB or OW` give several."""
    entry = DicomDictionary.get(tag)
    if entry is None:
        return False
    allowed = entry[0].split(" or ")
    if vr in allowed:
        return True
    if "OB" in allowed or "OW" in allowed:
        return vr in ("OB", "OW", "UN")
    return vr in NUMBER_BYTES and bool(set(allowed) & NUMBER_BYTES)


@lru_cache(maxsize=16384)
def may_repeat(tag: int) -> bool:
    """May the attribute have any number of values (1-n, 2-n …), so that one may be missing?"""
    entry = DicomDictionary.get(tag)
    return entry is not None and entry[1].endswith("n")


def dummy_code() -> Dataset:
    """One item that says a code was taken out."""
    return {
        0x00080100: Element("SH", REMOVED),
        0x00080102: Element("SH", b"99REMOVED"),
        0x00080104: Element("LO", b"Removed"),
    }
