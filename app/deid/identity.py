"""
Who an original says it is about, for the second look alone.

The attributes are listed here and not asked of a profile, so that a mistake of one is none of the
other.
"""

import re
import warnings
from functools import cache, lru_cache

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import DicomDictionary, tag_for_keyword

from app.deid.flat import Flat
from app.deid.spellings import Identity, Spelt, Trace

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
    "PatientTelephoneNumbers",
    "PersonTelephoneNumbers",
    "ReferringPhysicianTelephoneNumbers",
    "OrderCallbackPhoneNumber",
    "PatientTelecomInformation",
]
PLACES = [
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
    "PatientAddress",
    "StationName",
    "ReferringPhysicianAddress",
    "PersonAddress",
    "CountryOfResidence",
    "RegionOfResidence",
    "PatientReligiousPreference",
    "ResponsibleOrganization",
    "MilitaryRank",
    "VerifyingOrganization",
    "PerformedStationName",
    "ScheduledStationName",
]
DAYS = ("PatientBirthDate", "StudyDate", "AcquisitionDate")
_REPEATED = frozenset((b"UI", b"DA", b"DT"))
"""What is the same in many attributes, some of which may stay and some not."""
_CLASS_KEYWORD = re.compile(r"SOPClass|TransferSyntax|CodingScheme|ContextUID|MappingResource")


def read(
    seen: Flat, staying: frozenset[int] = frozenset()
) -> tuple[tuple[tuple[bytes, bytes], ...], frozenset[bytes]]:
    """What identifies in an original: (kind, raw value) of each, in order, and its UIDs.

    The kinds are the VR `PN`, `number`, `place`, `day` and `charset`. What stands in an attribute of
    `staying` is nothing to look for; a UID or day that stands there is none wherever else it stands.
    """
    kinds, body = _kinds(), seen.body
    told: dict[tuple[bytes, bytes], None] = {}
    uids: set[bytes] = set()
    may_stay: set[bytes] = set()
    classes = _class_tags()
    for tag, vr, start, stop in seen.values:
        if tag & 0x10000:  # private
            continue
        if tag in staying:
            if vr in _REPEATED:
                may_stay.update(body[start:stop].strip(b"\0 ").split(b"\\"))
        elif vr == b"UI":
            if tag not in classes:
                uids.update(body[start:stop].strip(b"\0 ").split(b"\\"))
        elif start < stop:
            kind = b"PN" if vr == b"PN" else kinds.get(tag)
            if kind:
                told[kind, body[start:stop]] = None
    uids = {uid for uid in uids if len(uid) > 9 and not uid.startswith(b"1.2.840.10008.")}
    if may_stay:
        uids -= may_stay
        days = {_digits(value) for value in may_stay}
        told = {one: None for one in told if one[0] != b"day" or _digits(one[1]) not in days}
    return tuple(told), frozenset(uids)


def _digits(day: bytes) -> str:
    """The eight digits of a day, also of one with its time; fewer when it is none."""
    return re.sub(rb"\D", b"", day)[:8].decode("ascii")


@lru_cache(maxsize=64)
def _class_tags() -> frozenset[int]:
    return frozenset(
        tag for tag, entry in DicomDictionary.items() if _CLASS_KEYWORD.search(entry[4])
    )


@cache
def _kinds() -> dict[int, bytes]:
    named = ((NUMBERS, b"number"), (PLACES, b"place"), (DAYS, b"day"))
    kinds = {tag: kind for words, kind in named for word in words if (tag := tag_for_keyword(word))}
    return kinds | {0x00080005: b"charset"} | dict.fromkeys(_names_of_people(), b"PN")


@cache
def _names_of_people() -> frozenset[int]:
    return frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "PN")


@lru_cache(maxsize=64)
def identity(told: tuple[tuple[bytes, bytes], ...]) -> Identity:
    """Everything to look for; a patient's slices say the same and share it. Without UIDs."""
    spelt = Spelt()
    charsets = [value for kind, value in told if kind == b"charset"]
    codecs = [codec for charset in charsets or [b""] for codec in [_codecs(charset)]]
    for kind, value in told:
        if kind == b"day":
            digits = _digits(value)
            if len(digits) == 8:
                spelt.day(digits)
            continue
        readings = {_text(value, codec) for codec in codecs} | {_text(value, None)}
        for reading in readings if kind in (b"PN", b"number", b"place") else ():
            for part in reading.split("\\"):
                if kind == b"PN":
                    for group in part.split("="):
                        spelt.name(group)
                elif kind == b"number":
                    spelt.number(part.strip(" \0"))
                else:
                    spelt.place(part.strip(" \0"))
        if kind == b"PN" and not value.isascii():
            for raw in re.split(rb"[\\=^ \0]", value):
                if len(raw) > 3 and not raw.isascii():
                    spelt.needles.setdefault(raw.lower(), Trace.NAME)
    return spelt.identity()


@lru_cache(maxsize=64)
def _codecs(charset: bytes) -> tuple[str, ...]:
    names = [part.strip() for part in charset.decode("latin-1").strip(" \0").split("\\")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return tuple(convert_encodings(names)) if any(names) else ("iso8859",)
        except (LookupError, UnicodeError, ValueError):
            return ("iso8859",)


def _text(value: bytes, codecs: tuple[str, ...] | None) -> str:
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    if codecs is None:
        return value.decode("utf-8", "ignore")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return str(decode_bytes(value, list(codecs), {"\\", "^", "="}))
        except (LookupError, UnicodeError):
            return value.decode("latin-1")
