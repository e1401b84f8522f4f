"""What can be done to an attribute, and how a table row becomes one of these for its VR."""

from enum import StrEnum
from typing import NamedTuple

from app.deid.vrs import TEXT_VRS

DATES = frozenset(("DA", "DT", "TM"))
BINARY_SIZES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "AT": 4, "UV": 8, "SV": 8}
NUMBER_BYTES = frozenset(("OD", "OF", "OL", "OV"))


class Action(StrEnum):
    """One thing done to one attribute. The words are those of the report."""

    KEEP = "keep"  # after a check that the value is what its VR says
    SCRUB = "scrub"  # text: own identifiers and what is shaped like one go
    TERM = "term"  # technical text: as scrub, and only known words and what holds digits stay
    PRODUCT = "product"  # makers and products: as scrub, and people's names go
    CLEAN = "clean"  # text: as scrub, and only words of the vocabulary stay
    CODE = "code"  # a part of a code: of a public scheme by what such codes are, else as clean
    SHIFT = "shift"  # dates by the patient's whole days
    AGE = "age"  # capped
    UID = "uid"  # replaced, consistently
    CLASS_UID = "class-uid"
    ITEMS = "items"  # a sequence: kept, its items walked
    CONTENT = "content"  # a sequence of content items: as items, by concept name
    DUMMY = "dummy"
    DUMMY_CODE = "dummy-code"  # a code sequence: one item that says it was taken out
    EMPTY = "empty"
    REMOVE = "remove"
    PATIENT_ID = "patient-id"
    PATIENT_NAME = "patient-name"
    ACCESSION = "accession"


class Decision(NamedTuple):
    """What to do, by which rule, what if nothing is left, and how long a number may be.

    `identifies`: what is taken out there is looked for in every other text of the object.
    """

    action: Action
    rule: str
    emptied: Action = Action.REMOVE
    longest: int = 0
    identifies: bool = False


_ASKED = {"1": "D", "1C": "D", "2": "Z", "2C": "Z", "3": "X"}
_STRENGTH = "XZDU"


def chosen(codes: str, needed: str) -> str:
    """The one code of a row such as X/Z/D for the type an attribute has in its IOD.

    The weakest that keeps the object valid (PS3.15 Table E.1-1a); where the type is not known
    (`""`) the last one: never invalid, and as safe. A row whose code would leave a Type 1
    attribute empty, or take a Type 2 one away, gives way: a dummy tells as little as nothing.
    """
    said = codes.rstrip("*").split("/")
    asked = _ASKED.get(needed)
    if asked is None or said[-1] not in _STRENGTH or said[-1] == "U":
        return said[-1]
    enough = [code for code in said if _STRENGTH.index(code) >= _STRENGTH.index(asked)]
    if enough:
        return enough[0]
    # A condition (1C, 2C) is the sender's to judge: what goes altogether may go.
    return said[-1] if needed.endswith("C") and said[-1] == "X" else asked


def after(codes: str, needed: str) -> Action:
    """What is asked of a value that cleaning left empty."""
    code = chosen(codes, needed)
    return Action.DUMMY if code == "D" else Action.EMPTY if code == "Z" else Action.REMOVE


def basic(codes: str, vr: str, name: str, needed: str = "") -> Action:
    """A row's basic action for its VR and for the type the attribute has in its IOD."""
    code = chosen(codes, needed)
    if vr == "SQ":
        if code == "D":
            coded = name.replace("(Trial)", "").strip().endswith("Code Sequence")
            return Action.DUMMY_CODE if coded else Action.ITEMS
        return {"U": Action.ITEMS, "K": Action.ITEMS, "Z": Action.EMPTY}.get(code, Action.REMOVE)
    if code == "D" and vr == "UI":
        return Action.UID
    return {
        "D": Action.DUMMY,
        "Z": Action.EMPTY,
        "U": Action.UID,
        "K": kept(vr),
    }.get(code, Action.REMOVE)


def kept(vr: str) -> Action:
    """Keep, in the way its VR can be kept."""
    if vr == "SQ":
        return Action.ITEMS
    if vr == "AS":
        return Action.AGE
    return Action.SCRUB if vr in TEXT_VRS or vr in ("AE", "UR") else Action.KEEP


def cleaned(vr: str) -> Action:
    """Clean (C), in the way its VR can be cleaned; REMOVE where nothing can be known of it."""
    if vr == "SQ":
        return Action.ITEMS
    if vr in DATES:
        return Action.SHIFT
    if vr == "UI":
        return Action.UID
    if vr == "AS":
        return Action.AGE
    if vr in TEXT_VRS:
        return Action.CLEAN
    return Action.KEEP if vr in ("CS", "DS", "IS") or vr in BINARY_SIZES else Action.REMOVE


def unnamed(vr: str) -> Action:
    """A standard attribute that no table row and no list names: by what its VR can carry."""
    if vr == "SQ":
        return Action.ITEMS
    if vr in ("CS", "DS", "IS") or vr in BINARY_SIZES or vr in NUMBER_BYTES:
        return Action.KEEP
    if vr in ("PN", "AE", "UR", "OB", "OW", "UN"):
        return Action.REMOVE
    return cleaned(vr)
