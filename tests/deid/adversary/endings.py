"""Where an object ends or begins wrongly: words behind its pixels, frames cut in two, no UIDs."""

import struct

from pydicom import uid

from tests.deid.adversary import encoding
from tests.deid.adversary.answers import Case
from tests.deid.adversary.encoding import Writing, fits, packed
from tests.deid.adversary.planting import Planting

_NAMES = ("StudyInstanceUID", "SeriesInstanceUID")
_AT_ONCE = b"\xfe\xff\x00\xe0"


def followed(at: Planting) -> bytes:
    """A note behind the last pixel, as a copying program leaves one; a line end where no pixels are."""
    source = packed(at.dataset)
    if "PixelData" not in at.dataset:
        return source + b"\r\n"
    at.name_secrets("behind the pixels", at.patient.family)
    return source + f"\ncopied for {at.patient.family} {at.patient.mrn}\n".encode()


def unnamed(at: Planting) -> bytes:
    """Without study and series; the instance is named by file meta information alone."""
    ds = at.dataset
    for keyword in _NAMES:
        del ds[keyword]
    at.case.uids = [path for path in at.case.uids if path[0] not in (*_NAMES, "SOPInstanceUID")]
    source = packed(ds)
    size = len(ds.SOPInstanceUID) + 1 & ~1
    start = source.index(
        b"\x08\0\x18\0UI" + struct.pack("<H", size), encoding.dataset_start(source)
    )
    return source[:start] + source[start + 8 + size :]


def halved(at: Planting) -> bytes:
    """A JPEG of two fragments, with a comment that begins in one and ends in the other."""
    whole = encoding.jpeg(at)
    said = f"{at.patient.family} {at.patient.mrn}".encode()
    at.name_secrets("JPEG comment, cut in two", at.patient.family)
    start = whole.rindex(b"\xe0\x7f\x10\0OB") + 12
    start += 8 + int.from_bytes(whole[start + 4 : start + 8], "little")
    size = int.from_bytes(whole[start + 4 : start + 8], "little")
    frame = whole[start + 8 : start + 8 + size]
    end = frame.rindex(b"\xff\xd9")
    remark = b"\xff\xfe" + struct.pack(">H", len(said) + 2) + said
    frame = frame[:end] + remark + frame[end:]
    frame += b"\0" * (len(frame) & 1)
    cut = end + 4 + len(said) // 2 & ~1
    parts = (frame[:cut], frame[cut:])
    made = b"".join(_AT_ONCE + struct.pack("<L", len(part)) + part for part in parts)
    table = _AT_ONCE + bytes(4)
    return (
        whole[: whole.rindex(b"\xe0\x7f\x10\0OB") + 12] + table + made + whole[start + 8 + size :]
    )


PLAIN: tuple[Writing, ...] = (followed, unnamed)
COMPRESSED: tuple[Writing, ...] = (halved,)


def ends(writing: Writing, case: Case) -> bool:
    """Can an object be written like this?"""
    if writing is halved:
        frames = int(case.dataset.get("NumberOfFrames", 1) or 1)
        return frames == 1 and fits(encoding.jpeg, case)
    return bool(case.dataset.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian)
