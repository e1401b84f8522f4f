"""
The marks that say what was done (PS3.15 E.1.1, E.3.6), and what every patient's object must have.

Patient Identity Removed, the method with its version, the codes of the profile and its options,
whether dates are true, and that no text is burned in. The pseudonym stands where the name and
the number stood.
"""

from functools import lru_cache

from app.deid import dates
from app.deid.iods import Kind
from app.deid.patients import BIRTH_DATE, PATIENT_ID, PATIENT_NAME
from app.deid.pixels import has_pixels
from app.deid.profile import ACCESSION_NUMBER, METHOD, Profile
from app.deid.vrs import vr_of
from app.deid.walk import Dataset, Element, text_of

_STUDY_DATE, _AGE = 0x00080020, 0x00101010
_REMOVED, _METHOD, _CODES = 0x00120062, 0x00120063, 0x00120064
_BURNED_IN, _TEMPORAL = 0x00280301, 0x00280303
_NO = Element("CS", b"NO")
# Type 2 in the Patient and General Study modules, which all but a few definitions include.
_PATIENT = (BIRTH_DATE, 0x00100040)
_STUDY = (_STUDY_DATE, 0x00080030, ACCESSION_NUMBER, 0x00080090, 0x00200010)


def mark(dataset: Dataset, source: Dataset, kind: Kind, profile: Profile, pseudonym: str) -> None:
    """Write the marks into a treated dataset; `source` is the original it was made from."""
    if _has(kind, PATIENT_NAME) or PATIENT_NAME in dataset or PATIENT_ID in dataset:
        dataset[PATIENT_ID] = Element("LO", pseudonym.encode())
        dataset[PATIENT_NAME] = Element("PN", pseudonym.encode())
        _complete(dataset, kind, _PATIENT)
    _complete(dataset, kind, _STUDY)
    if "retain_patient_characteristics" in profile.options and _AGE not in dataset:
        aged = dates.age(text_of(source.get(BIRTH_DATE)), text_of(source.get(_STUDY_DATE)))
        if aged:
            dataset[_AGE] = Element("AS", aged.encode())
    dataset.update(same_for_all(profile))
    if has_pixels(dataset):
        dataset[_BURNED_IN] = _NO


@lru_cache(maxsize=64)
def same_for_all(profile: Profile) -> Dataset:
    """The marks that depend on the profile alone."""
    return {
        _REMOVED: Element("CS", b"YES"),
        _METHOD: Element("LO", method(profile).encode()),
        _CODES: Element("SQ", [code(*said) for said in profile.codes]),
        _TEMPORAL: Element("CS", temporal(profile).encode()),
    }


def method(profile: Profile) -> str:
    """De-identification Method: the rules' version, and which policy was in force."""
    return f"{METHOD}\\Policy {profile.choices.version} {profile.digest[:12]}"


def temporal(profile: Profile) -> str:
    """Longitudinal Temporal Information Modified (PS3.3 C.7.6.1.1)."""
    if profile.full_dates:
        return "UNMODIFIED"
    return "MODIFIED" if profile.modified_dates else "REMOVED"


def code(value: str, meaning: str) -> Dataset:
    """One item of a code sequence, of the scheme DCM."""
    return {
        0x00080100: Element("SH", value.encode()),
        0x00080102: Element("SH", b"DCM"),
        0x00080104: Element("LO", meaning.encode()),
    }


def _complete(dataset: Dataset, kind: Kind, tags: tuple[int, ...]) -> None:
    for tag in tags:
        if tag not in dataset and _has(kind, tag):
            dataset[tag] = Element(vr_of(tag), b"")


def _has(kind: Kind, tag: int) -> bool:
    """Must an object of this kind have the attribute, as far as anybody knows?"""
    return kind.types is None or tag in kind.types
