"""
UIDs for objects that came without some: made from what the object says, then replaced like any other.

Equal objects get equal ones, whoever sends them and whenever, so that two runs agree; what belongs
together by its own attributes stays together, and what does not say is a study by itself. A UID that is
there but not well-formed needs none of this: its replacement is.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from app.deid.iods import kind_of
from app.deid.patients import BIRTH_DATE, ISSUER, PATIENT_ID, PATIENT_NAME
from app.deid.walk import PIXELS, Dataset, Element, Instance, text_of

SOP_CLASS, SOP_INSTANCE, STUDY, SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_NAMES = (SOP_CLASS, SOP_INSTANCE, STUDY, SERIES)
_META_CLASS, _META_INSTANCE = 0x00020002, 0x00020003
_MODALITY, _CONVERSION, _FRAMES = 0x00080060, 0x00080064, 0x00280008
_STUDY_DATE, _STUDY_TIME, _ACCESSION, _STUDY_ID = 0x00080020, 0x00080030, 0x00080050, 0x00200010
_SERIES_SAYS: Final = (SOP_CLASS, _MODALITY, 0x00200011, 0x0008103E)
"""Class, modality, number and description: what the objects of a series have in common."""
_CLASSES: Final[Mapping[str, str]] = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "RF": "1.2.840.10008.5.1.4.1.1.12.2",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "XA": "1.2.840.10008.5.1.4.1.1.12.1",
}
_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
_US_MULTI_FRAME: Final = "1.2.840.10008.5.1.4.1.1.3.1"
_DIGITAL_INTERFACE: Final = Element("CS", b"DI")


def named(instance: Instance, source: bytes) -> Dataset | None:
    """The UIDs that are missing and what goes with them; None when the object cannot be named.

    That is so when it names no class and shows no picture. What is of a kind that belongs to no
    study (a hanging protocol, a palette, a template) is given none.
    """
    said = instance.dataset
    sop_class, *uids = [text_of(said.get(tag)) for tag in _NAMES]
    if all(uids) and "\\" not in "".join(uids) and _is_class(sop_class):
        return {}
    made = {
        tag: _element(first)
        for tag in (SOP_INSTANCE, STUDY, SERIES)
        if (first := _first_of_several(text_of(said.get(tag))))
    }
    if not _is_class(text_of(said.get(SOP_CLASS))):
        guessed = _class(instance)
        if not guessed:
            return None
        made |= guessed
    whole = said | made if made else said
    if not text_of(whole.get(SOP_INSTANCE)):
        own = text_of(instance.meta.get(_META_INSTANCE))
        made[SOP_INSTANCE] = _element(own or _uid("object", hashlib.sha256(source).hexdigest()))
    whole = said | made if made else said
    if not text_of(whole.get(STUDY)):
        types = kind_of(text_of(whole[SOP_CLASS])).types
        if types is not None and STUDY not in types:
            return made
        made[STUDY] = _element(_study(whole))
    whole = said | made if made else said
    if not text_of(whole.get(SERIES)):
        told = (text_of(whole.get(tag)) for tag in (STUDY, *_SERIES_SAYS))
        made[SERIES] = _element(_uid("series", *told))
    return made


def _class(instance: Instance) -> Dataset:
    """The class that file meta information names, else the one that a picture's modality suggests."""
    said = instance.dataset
    stated = text_of(instance.meta.get(_META_CLASS))
    if _is_class(stated):
        return {SOP_CLASS: _element(stated)}
    if PIXELS.isdisjoint(said):
        return {}
    modality = text_of(said.get(_MODALITY)).upper()
    guessed = _CLASSES.get(modality, _SECONDARY_CAPTURE)
    if modality == "US" and text_of(said.get(_FRAMES)) not in ("", "0", "1"):
        guessed = _US_MULTI_FRAME
    made: Dataset = {SOP_CLASS: _element(guessed)}
    if guessed == _SECONDARY_CAPTURE and not text_of(said.get(_CONVERSION)):
        made[_CONVERSION] = _DIGITAL_INTERFACE  # Type 1 in PS3.3 C.8.6.1
    return made


def _study(said: Dataset) -> str:
    """By patient, day and number; by day and time without a number; else by series, else alone."""
    numbers = [text_of(said.get(tag)) for tag in (_ACCESSION, _STUDY_ID)]
    when = [text_of(said.get(_STUDY_DATE))]
    if not any(numbers):
        when.append(text_of(said.get(_STUDY_TIME)))
    patient = [text_of(said.get(tag)) for tag in (PATIENT_ID, ISSUER)]
    if not patient[0]:
        patient += [text_of(said.get(tag)) for tag in (PATIENT_NAME, BIRTH_DATE)]
    if any(patient) and (any(numbers) or all(when)):
        return _uid("study", *patient, *when, *numbers)
    alone = text_of(said.get(SERIES)) or text_of(said.get(SOP_INSTANCE))
    return _uid("study alone", alone)


def _first_of_several(uids: str) -> str:
    """The first that says something, where there are several and there may be one."""
    parts = uids.split("\\")
    return next((part for part in parts if part.strip("\0 ")), "") if len(parts) > 1 else ""


@lru_cache(maxsize=1024)
def _is_class(uid: str) -> bool:
    return 0 < len(uid) <= 64 and set(uid) <= set("0123456789.")


def _uid(*parts: str) -> str:
    """Not a secret by itself: it never leaves, only its keyed replacement does."""
    said = b"".join(len(part).to_bytes(4, "big") + part.encode() for part in parts)
    return f"2.25.{int.from_bytes(hashlib.sha256(said).digest()[:16], 'big')}"


def _element(uid: str) -> Element:
    return Element("UI", uid.encode("latin-1"))
