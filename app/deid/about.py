"""
What an object says of its kind and its patient, and the treatment that follows from it.

Hundreds of objects say the same, so each answer is made once, and is the very same one for all of them.
"""

from dataclasses import dataclass
from functools import lru_cache

from app.deid import dates, text, uids
from app.deid.elements import Treatment
from app.deid.facts import Facts
from app.deid.identifiers import Nobody
from app.deid.own import CHARACTER_SET, Found, View
from app.deid.patients import BIRTH_DATE, ISSUER, PATIENT_ID, PATIENT_NAME, who
from app.deid.profile import ACCESSION_NUMBER, Policy, Profile
from app.deid.uids import Keys
from app.deid.walk import Dataset, Element, text_of

SOP_CLASS_UID, SCHEME = 0x00080016, 0x00080102
STUDY_INSTANCE_UID, SERIES_INSTANCE_UID = 0x0020000D, 0x0020000E


@dataclass(frozen=True, slots=True)
class About:
    """What an object says of its kind and its patient, for all objects that say the same."""

    sop_class: str
    policy: Policy
    charset: str
    codecs: list[str] | None
    scheme: str
    study_instance_uid: str
    series_instance_uid: str
    patient_id: str
    issuer_of_patient_id: str
    accession_number: str
    pseudonym: str
    days: int
    view: View


def _about(top: Dataset, profile: Profile, keys: Keys) -> About:
    sop_class, scheme = text_of(top.get(SOP_CLASS_UID)), text_of(top.get(SCHEME))
    study, series = (text_of(top.get(tag)) for tag in (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID))
    policy, charset = profile.policy(sop_class), text_of(top.get(CHARACTER_SET))
    codecs = text.encodings(charset)
    said = {
        tag: _value(top.get(tag), codecs)
        for tag in (PATIENT_ID, ISSUER, PATIENT_NAME, BIRTH_DATE, ACCESSION_NUMBER)
    }
    numbers = said[PATIENT_ID], said[ISSUER], said[ACCESSION_NUMBER]
    pseudonym, days = _pseudonym(keys, profile, *who(said, study))
    view = _view(policy, charset, scheme)
    kind = sop_class, policy, charset, codecs, scheme
    return About(*kind, study, series, *numbers, pseudonym, days, view)


ABOUT = Facts(
    (
        *(SOP_CLASS_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, CHARACTER_SET, SCHEME),
        *(PATIENT_ID, ISSUER, PATIENT_NAME, BIRTH_DATE, ACCESSION_NUMBER),
    ),
    _about,
)


@lru_cache(maxsize=256)
def _pseudonym(keys: Keys, profile: Profile, *who: str) -> tuple[str, int]:
    """A patient's pseudonym, and the days to move dates back by."""
    pseudonym, chosen = uids.token(keys.patient, *who), profile.choices.dates
    if not profile.modified_dates:
        return pseudonym, 0
    return pseudonym, dates.offset(keys.dates, pseudonym, chosen.least, chosen.most)


@lru_cache(maxsize=256)
def _view(policy: Policy, charset: str, scheme: str) -> View:
    """The very same one for all of these, the scheme of top-level codes included."""
    return View(policy, charset)


def _value(element: Element | None, codecs: list[str] | None) -> str:
    if element is None or not isinstance(element.value, (bytes, memoryview)):
        return ""
    return text.decoded(bytes(element.value), codecs, element.vr).strip(" \0")


@lru_cache(maxsize=256)
def cleaner_of(found: tuple[Found, ...]) -> text.Cleaner:
    """The cleaner of all that was found in an object: the same for all that hold the same."""
    names, identifiers = ([one[place] for one in found] for place in (0, 1))
    return text.cleaner(frozenset().union(*names), frozenset().union(*identifiers))


@lru_cache(maxsize=16)
def anybodys(keys: Keys, dates_kept: bool, foreign: bool) -> tuple[Treatment, Nobody]:
    """A treatment for anybody, and who notes what was asked in it."""
    cleaner = text.ForAnybody(foreign)
    return Treatment(keys, None, None, dates_kept, cleaner), cleaner.own


@lru_cache(maxsize=256)
def ground_of(view: View, keys: Keys, foreign: bool) -> object:
    """What becomes of an element depends on this beside its bytes and, for some, the patient."""
    return object()


@lru_cache(maxsize=64)
def treatment_of(
    ground: object, keys: Keys, pseudonym: str, days: int, dates_kept: bool, cleaner: text.Cleaner
) -> Treatment:
    """One treatment, the very same object, for all that may be treated alike."""
    return Treatment(keys, pseudonym, days, dates_kept, cleaner)
