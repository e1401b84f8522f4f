"""
The DICOM JSON model (PS3.18 F.2) of a de-identified dataset, kept at ingest.

Bulk data is left out; everything else is as the encoded stream says it.
"""

import struct
from typing import Any

from app.deid import text
from app.deid.actions import NUMBER_BYTES
from app.deid.vrs import TEXT_VRS
from app.deid.walk import Dataset, Element, Fragments, text_of

_FORMATS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_BULK = frozenset(("OB", "OW", "UN")) | NUMBER_BYTES
_WHOLE = frozenset(("LT", "ST", "UT", "UR"))
_COMPONENTS = ("Alphabetic", "Ideographic", "Phonetic")


def json_model(dataset: Dataset, little: bool, charset: str = "") -> dict[str, Any]:
    """A dataset as DICOM JSON; text is Unicode, so the character set is always UTF-8."""
    charset = text_of(dataset.get(0x00080005)) or charset
    codecs = text.encodings(charset)
    told: dict[str, Any] = {}
    for tag in sorted(dataset):
        element = dataset[tag]
        if element.vr in _BULK or isinstance(element.value, Fragments):
            continue
        attribute: dict[str, Any] = {"vr": element.vr}
        values = _values(element, little, charset, codecs)
        if values:
            attribute["Value"] = values
        told[f"{tag:08X}"] = attribute
    if "00080005" in told:
        told["00080005"]["Value"] = ["ISO_IR 192"]
    return told


def _values(element: Element, little: bool, charset: str, codecs: list[str] | None) -> list[Any]:
    vr, value = element.vr, element.value
    if isinstance(value, list):
        return [json_model(item, little, charset) for item in value]
    if isinstance(value, Fragments) or not value:
        return []
    raw = bytes(value)
    order = "<" if little else ">"
    if vr == "AT":
        return [
            f"{group:04X}{number:04X}" for group, number in struct.iter_unpack(order + "HH", raw)
        ]
    if vr in _FORMATS:
        return [_number(one) for (one,) in struct.iter_unpack(order + _FORMATS[vr], raw)]
    said = text.decoded(raw, codecs if vr in TEXT_VRS else None, vr).replace("\0", "")
    if vr in _WHOLE:
        return [said.rstrip()] if said.strip() else []
    parts = [part.strip() for part in said.split("\\")]
    if not any(parts):
        return []
    if vr == "PN":
        return [
            {
                name: group
                for name, group in zip(_COMPONENTS, part.split("="), strict=False)
                if group
            }
            or None
            for part in parts
        ]
    if vr in ("DS", "IS"):
        return [_decimal(part, whole=vr == "IS") for part in parts]
    return [part or None for part in parts]


def _decimal(said: str, whole: bool) -> float | int | None:
    try:
        value = float(said)
        return int(value) if whole else _number(value)
    except (ValueError, OverflowError):
        return None


def _number(value: float) -> float | int | None:
    """JSON has no infinity and no NaN."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
