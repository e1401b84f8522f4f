"""Value representations (PS3.5 6.2): how long their headers are, and which one an attribute has."""

from pydicom.datadict import DicomDictionary, RepeatersDictionary, mask_match

LONG_HEADER = frozenset(
    ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]
)
SHORT_HEADER = frozenset(
    [
        "AE",
        "AS",
        "AT",
        "CS",
        "DA",
        "DS",
        "DT",
        "FD",
        "FL",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "SL",
        "SS",
        "ST",
        "TM",
        "UI",
        "UL",
        "US",
    ]
)
TEXT_VRS = frozenset(["LO", "LT", "PN", "SH", "ST", "UC", "UT"])
VRS: dict[bytes, str] = {vr.encode(): vr for vr in LONG_HEADER | SHORT_HEADER}


def dictionary_vr(tag: int) -> str:
    """The VR the standard gives a tag; UN where it knows none. Ambiguous ones take the first."""
    known = DicomDictionary.get(tag)
    if known is not None:
        return "OW" if known[0] == "OB or OW" else known[0][:2]
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    if not tag & 0xFFFF:
        return "UL"
    mask = mask_match(tag)
    return RepeatersDictionary[mask][0][:2] if mask else "UN"


class _Known(dict[int, str]):
    """`dictionary_vr`, remembered for the tags of the standard (the rest could grow for ever)."""

    def __missing__(self, tag: int) -> str:
        known = dictionary_vr(tag)
        if tag in DicomDictionary:
            self[tag] = known
        return known


vr_of = _Known().__getitem__
