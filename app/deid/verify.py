"""
The second look: does an output still say who it was?

It shares nothing with the first look but pydicom, and reads the original for itself. Two searches:
the output's raw bytes, inflated where deflated, for the original's identifiers in several
spellings and character sets, wherever they stand; and, when asked, every decoded value for what is
shaped like an identifier. A trace names a kind and never what was found.
"""

import logging
import re
import unicodedata
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import DicomDictionary, dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag


class Trace(StrEnum):
    """What kind of identifier remained, or what else speaks against an output."""

    NAME = "name"
    IDENTIFIER = "identifier"
    DATE = "date"
    UID = "uid"
    PATTERN = "pattern"
    MARKER = "marker"
    LEFT_OVER = "left-over"
    UNREADABLE = "unreadable"


NUMBERS = [
    "PatientID",
    "OtherPatientIDs",
    "AccessionNumber",
    "IssuerOfPatientID",
    "AdmissionID",
    "RequestedProcedureID",
    "ScheduledProcedureStepID",
    "PerformedProcedureStepID",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
    "InsurancePlanIdentification",
    "MedicalRecordLocator",
    "DeviceSerialNumber",
    "DetectorID",
    "GantryID",
    "PlateID",
    "CassetteID",
    "StudyID",
    "ServiceEpisodeID",
    "SpecimenIdentifier",
    "ContainerIdentifier",
    "ClinicalTrialSubjectID",
    "InterpretationID",
]
PLACES = [
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
    "PatientAddress",
    "StationName",
    "ReferringPhysicianAddress",
    "PersonAddress",
    "PatientTelephoneNumbers",
    "PersonTelephoneNumbers",
    "ReferringPhysicianTelephoneNumbers",
    "OrderCallbackPhoneNumber",
    "PatientTelecomInformation",
    "CountryOfResidence",
    "RegionOfResidence",
    "PatientReligiousPreference",
    "ResponsibleOrganization",
    "MilitaryRank",
    "VerifyingOrganization",
    "PerformedStationName",
    "ScheduledStationName",
]
BODY_PARTS = (  # PS3.16 table L-1, those that could be a name
    "abdomen ankle arm axilla back bladder brain breast calf chest ear elbow eye face femur finger "
    "foot hand head heart hip humerus jaw kidney knee larynx leg lips liver lumbar lung mouth neck nose "
    "orbit ovary palm pelvis rib shoulder skin skull spine spleen thigh thorax thumb toe tongue uterus "
    "wrist"
)
DAYS = ("PatientBirthDate", "StudyDate", "AcquisitionDate")
_CLASS_KEYWORD = re.compile(r"SOPClass|TransferSyntax|CodingScheme|ContextUID|MappingResource")
_PIXELS = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
_WORDS = re.compile(r"[^\W\d_]+")
_SHAPES = re.compile(
    r"\b\d{3}-\d{2}-\d{4}\b|[\w.+-]+@[\w-]+\.[\w.]+|\(\d{3}\) ?\d{3}-\d{4}|\b\d{3}-\d{3}-\d{4}\b"
    r"|\b(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])/(?:19|20)\d\d\b|\b(?:19|20)\d\d-[01]\d-[0-3]\d\b"
)
_STAND_IN = re.compile(r"[A-Z2-7]{16}|REMOVED|")
_TEXT = frozenset(("LO", "SH", "ST", "LT", "UT", "UC", "PN", "AE", "UR", "CS"))
_BULK = frozenset(("OB", "OW", "OF", "OD", "OL", "OV", "UN"))


logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # it repeats values too


@dataclass(frozen=True, slots=True)
class Identity:
    """The original's identifiers as bytes to look for: in the header, and (long ones) in pixels."""

    needles: tuple[tuple[bytes, Trace], ...]
    bulk: tuple[tuple[bytes, Trace], ...]
    words: frozenset[str]

    def __repr__(self) -> str:
        return f"Identity({len(self.needles)} needles)"


def identity(source: bytes, *, dates: bool = True, uids: bool = True) -> Identity:
    """Read an original's identifiers, at every level. `dates` and `uids`: are they replaced?"""
    original = dcmread(BytesIO(source), stop_before_pixels=True, force=True)
    names: set[str] = set()
    numbers: set[str] = set()
    days: set[str] = set()
    known: set[str] = set()
    raw: set[bytes] = set()
    _read(original, ["iso8859"], names, numbers, days if dates else set(), known, raw)
    spelt: dict[bytes, Trace] = {}
    words: set[str] = set()
    for name in names:
        for spelling in _spellings(name):
            _add(spelt, spelling, Trace.NAME, least=5)
        for word in _WORDS.findall(unicodedata.normalize("NFC", name)):
            if word.casefold() not in _words_of_the_standard():
                words.add(word.casefold())
                _add(spelt, word, Trace.NAME, least=4)
    for number in numbers:
        _add(spelt, number, Trace.IDENTIFIER, least=6 if number.isdigit() else 5)
    for day in days:
        year, month, date = day[:4], day[4:6], day[6:8]
        for form in (
            day,
            f"{year}-{month}-{date}",
            f"{month}/{date}/{year}",
            f"{year}.{month}.{date}",
        ):
            _add(spelt, form, Trace.DATE, least=8)
    if uids:
        for uid in known:
            _add(spelt, uid, Trace.UID, least=10)
    for value in raw:
        if len(value) > 4:
            spelt[value.lower()] = Trace.NAME
    # What every spelling holds, long enough not to stand in pixels by chance.
    cores = dict.fromkeys(words, Trace.NAME) | dict.fromkeys(numbers, Trace.IDENTIFIER)
    cores |= dict.fromkeys(known, Trace.UID) if uids else {}
    bulk = tuple(
        (encoded, kind)
        for text, kind in cores.items()
        if len(encoded := text.lower().encode()) >= 6
    )
    return Identity(tuple(spelt.items()), bulk, frozenset(word for word in words if len(word) > 3))


def verify(found: Identity, output: bytes, *, decode: bool = True) -> frozenset[Trace]:
    """What remains of an identity in an output; nothing means that it may leave."""
    traces: set[Trace] = set()
    body = _inflated(output)
    if any(output[:128]) or output[128:132] != b"DICM":
        traces.add(Trace.LEFT_OVER)
    start, end = _pixels(body)
    header = (body[:start] + b"\0" + body[end:]).lower()
    bulk = body[start:end].lower() if end > start else b""
    for needle, kind in found.needles:
        at = header.find(needle)
        while at >= 0:
            if _stands_alone(header, at, len(needle)):
                traces.add(kind)
                break
            at = header.find(needle, at + 1)
    for needle, kind in found.bulk:
        if needle in bulk and _alone_anywhere(bulk, needle):
            traces.add(kind)
    if decode:
        traces |= _decoded(output, found.words)
    return frozenset(traces)


def _read(
    dataset: Dataset,
    codecs: list[str],
    names: set[str],
    numbers: set[str],
    days: set[str],
    uids: set[str],
    raw: set[bytes],
) -> None:
    said = _plain(dataset.get_item(0x00080005)) if 0x00080005 in dataset else ""
    if said:
        try:
            codecs = convert_encodings([part.strip() for part in said.split("\\")])
        except (LookupError, UnicodeError, ValueError):
            codecs = ["iso8859"]
    for tag in list(dataset.keys()):
        if tag.is_private:
            continue
        try:
            element = dataset.get_item(tag)
            vr = str(element.VR or dictionary_VR(tag)) if tag in DicomDictionary else ""
            if vr == "UN":
                vr = dictionary_VR(tag)
        except KeyError:
            continue
        if vr == "SQ":
            try:
                items = dataset[tag].value
            except Exception:  # a broken sequence has no readable identifiers  # noqa: S112
                continue
            for item in items if not isinstance(items, (bytes, str)) and items else ():
                _read(item, codecs, names, numbers, days, uids, raw)
            continue
        value = _bytes(element)
        if not value:
            continue
        if vr == "PN":
            text = _text(value, codecs)
            names.update(part for name in text.split("\\") for part in name.split("=") if part)
            if not value.isascii():
                raw.update(part for part in re.split(rb"[\\=^ \0]", value) if not part.isascii())
        elif tag in _numbers_and_places():
            numbers.update(part.strip(" \0") for part in _text(value, codecs).split("\\"))
        elif tag in _days():
            digits = re.sub(rb"\D", b"", value)[:8].decode("ascii")
            if len(digits) == 8:
                days.add(digits)
        elif vr == "UI" and not _CLASS_KEYWORD.search(DicomDictionary[tag][4]):
            for uid in _plain(element).split("\\"):
                if not uid.startswith("1.2.840.10008."):
                    uids.add(uid.strip(" \0"))


def _bytes(element: object) -> bytes:
    value = getattr(element, "value", None)
    if isinstance(element, RawDataElement):
        return value or b""
    return str(value).encode("utf-8", "replace") if value not in (None, "") else b""


def _plain(element: object) -> str:
    return _bytes(element).decode("latin-1").strip(" \0")


def _text(value: bytes, codecs: list[str]) -> str:
    try:
        return str(decode_bytes(value, codecs, {"\\", "^", "="})).strip(" \0")
    except (LookupError, UnicodeError):
        return value.decode("latin-1").strip(" \0")


@cache
def _numbers_and_places() -> frozenset[int]:
    return frozenset(tag for word in NUMBERS + PLACES if (tag := tag_for_keyword(word)))


@cache
def _days() -> frozenset[int]:
    return frozenset(tag for word in DAYS if (tag := tag_for_keyword(word)))


@cache
def _words_of_the_standard() -> frozenset[str]:
    """Words every dataset may hold, whatever its patient is called: names of attributes, body parts."""
    return frozenset(BODY_PARTS.split()) | frozenset(
        word.casefold() for entry in DicomDictionary.values() for word in _WORDS.findall(entry[2])
    )


def _spellings(name: str) -> Iterator[str]:
    parts = [part.strip() for part in name.split("^") if part.strip(" \0")]
    if len(parts) < 2:
        yield name.strip(" ^\0")
        return
    family, given = parts[0], parts[1]
    yield "^".join(parts[:2])
    for between in (" ", ", ", "_", "-", ""):
        yield f"{family}{between}{given}"
        yield f"{given}{between}{family}"


def _add(spelt: dict[bytes, Trace], text: str, kind: Trace, least: int) -> None:
    text = text.strip(" \0")
    if len(text) < (least if text.isascii() else 2):
        return
    for codec in ("utf-8", "utf-16-le", "utf-16-be"):
        spelt.setdefault(text.lower().encode(codec, "ignore"), kind)
        if not text.isascii():
            spelt.setdefault(text.encode(codec, "ignore").lower(), kind)
    bare = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").lower()
    if len(bare) >= least:
        spelt.setdefault(bare, kind)


def _inflated(output: bytes) -> bytes:
    """The output with its dataset inflated, if its transfer syntax is the deflated one."""
    if b"1.2.840.10008.1.2.1.99" not in output[:1024]:
        return output
    length = int.from_bytes(output[140:144], "little")
    try:
        return output[: 144 + length] + zlib.decompress(output[144 + length :], -zlib.MAX_WBITS)
    except zlib.error:
        return output


def _pixels(body: bytes) -> tuple[int, int]:
    """Where the pixel data lies; what is before and after it is looked at closely."""
    for mark in _PIXELS:
        at = body.find(mark, 132)
        while at >= 0:
            order = "little" if mark == _PIXELS[0] else "big"
            if body[at + 4 : at + 6] in (b"OW", b"OB"):
                length = int.from_bytes(body[at + 8 : at + 12], order)  # type: ignore[arg-type]
                start = at + 12
            else:
                length = int.from_bytes(body[at + 4 : at + 8], order)  # type: ignore[arg-type]
                start = at + 8
            if length == 0xFFFFFFFF:
                return start, len(body)
            if length > 1024 and start + length <= len(body):
                return start, start + length
            at = body.find(mark, at + 1)
    return len(body), len(body)


def _stands_alone(body: bytes, at: int, size: int) -> bool:
    """Short findings count where no letter or digit touches them; long ones everywhere."""
    needle = body[at : at + size]
    if size > 10 and not needle.isdigit() and b"." not in needle:
        return True
    before, after = body[at - 1 : at], body[at + size : at + size + 1]
    if b"." in needle:  # a UID that is the beginning of another is another
        return not (before.isdigit() or before == b"." or after.isdigit() or after == b".")
    if needle.isdigit():
        return not (before.isdigit() or after.isdigit() or before == b"." or after == b".")
    return not (before.isalpha() or after.isalpha())


def _alone_anywhere(body: bytes, needle: bytes) -> bool:
    at = body.find(needle)
    while at >= 0:
        if _stands_alone(body, at, len(needle)):
            return True
        at = body.find(needle, at + 1)
    return False


def _decoded(output: bytes, words: frozenset[str]) -> set[Trace]:
    """Every value as pydicom reads it: shapes, stand-ins, markers, and what must be gone."""
    traces: set[Trace] = set()
    try:
        read = dcmread(BytesIO(output))
        for tag, vr, value in _values(read):
            traces |= _wrong(tag, vr, value, words)
        marked = read.get("PatientIdentityRemoved") == "YES" and bool(
            read.get("DeidentificationMethodCodeSequence")
        )
        same = read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
    except Exception:  # whatever pydicom cannot read, nobody should be sent
        return {Trace.UNREADABLE}
    if not marked or not same:
        traces.add(Trace.MARKER)
    return traces


def _values(dataset: Dataset) -> Iterator[tuple[BaseTag, str, object]]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _values(item)
        else:
            yield element.tag, element.VR, element.value


def _wrong(tag: BaseTag, vr: str, value: object, words: frozenset[str]) -> set[Trace]:
    if tag.group & 0xFF00 in (0x5000, 0x6000) and not tag.group & 1:
        return {Trace.LEFT_OVER}
    if tag in (0x04000561, 0xFFFCFFFC, 0xFFFAFFFA, 0x00880200, 0x00420011):
        return {Trace.LEFT_OVER}
    if vr in _BULK or value in (None, "") or vr not in _TEXT:
        return set()
    text = "\\".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    if vr == "PN" and not all(_STAND_IN.fullmatch(part) for part in re.split(r"[\\^=]", text)):
        return {Trace.NAME}
    found = {Trace.PATTERN} if _SHAPES.search(text) else set()
    if words and any(word.casefold() in words for word in _WORDS.findall(text)):
        found.add(Trace.NAME)
    return found


def second_look(
    source: bytes, output: bytes, *, decode: bool = True, dates: bool = True, uids: bool = True
) -> frozenset[Trace]:
    """Read an original and look for it in its output; what cannot be read cannot be cleared."""
    # pydicom's warnings repeat values: they must reach no log.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            known = identity(source, dates=dates, uids=uids)
        except Exception:
            return frozenset({Trace.UNREADABLE})
        return verify(known, output, decode=decode)
