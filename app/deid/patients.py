"""
Who an object is about, as far as its own attributes tell: what makes two patients two.

One pseudonym and one date offset belong to each (issuer, Patient ID) under a facility's keys. A
patient nobody gave a number is told apart by name and birth date, and one without either by the
study: never two persons under one pseudonym because a field was left empty.
"""

from collections.abc import Mapping

from app.deid import text

PATIENT_NAME, PATIENT_ID, ISSUER, BIRTH_DATE = 0x00100010, 0x00100020, 0x00100021, 0x00100030


def who(said: Mapping[int, str], study_instance_uid: str) -> tuple[str, str, str]:
    """What stands for the patient, from the decoded values of four attributes; it identifies."""
    number = said[PATIENT_ID].strip()
    if number:
        return "id", said[ISSUER].strip(), number
    name = _plain(said[PATIENT_NAME])
    if name:
        return "name", name, said[BIRTH_DATE].strip()
    return "study", study_instance_uid, ""


def _plain(name: str) -> str:
    """A name as it is meant: `Doe^John^^` and `DOE^JOHN` are one; the first of its groups counts."""
    groups = [group.strip(" ^\0") for group in name.split("=")]
    first = next((group for group in groups if group), "")
    return "^".join(part.strip() for part in text.folded(first).split("^")).rstrip("^")
