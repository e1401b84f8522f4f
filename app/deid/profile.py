"""
The PS3.15 Annex E profile and its options: for every attribute of every kind of object, one decision.

Table E.1-1 decides what it names (`table.py`), the registry's `deid.yaml` chooses options and
overrides (`choices.py`), and for everything else the lists of the object's family say whether it
may stay at all (`iods.py`). What nothing names is removed: fail closed.
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pydicom.datadict import DicomDictionary

from app.deid import actions, iods
from app.deid.actions import BINARY_SIZES, Action, Decision
from app.deid.choices import CODES, Choices, choices_of
from app.deid.iods import UNKNOWN, Kind
from app.deid.table import digest, listed, named_rows, table
from app.deid.vrs import TEXT_VRS, vr_of

PATIENT_NAME, PATIENT_ID, ACCESSION_NUMBER = 0x00100010, 0x00100020, 0x00080050
SPECIFIC_CHARACTER_SET, TIMEZONE_OFFSET = 0x00080005, 0x00080201
CONTENT_SEQUENCES = frozenset((0x0040A730, 0x00400555, 0x00400610, 0x00400612, 0x0040B020))
_CODE_OF = {"remove": "X", "empty": "Z", "dummy": "D"}
_SPECIAL = {
    PATIENT_NAME: Action.PATIENT_NAME,
    PATIENT_ID: Action.PATIENT_ID,
    ACCESSION_NUMBER: Action.ACCESSION,
}
_TAKEN_OUT = frozenset(
    (Action.REMOVE, Action.EMPTY, Action.DUMMY, Action.PATIENT_ID, Action.ACCESSION)
)
_STAYING = frozenset((Action.KEEP, Action.SCRUB, Action.TERM))
_NAMING_VRS = TEXT_VRS | {"AE"}
METHOD = "Hounsfield 0.2 PS3.15 2026d"
REFERENCE = "table E.3.4-1, basic X: its UIDs are replaced"
NOT_LISTED = "in no IOD of this family (PS3.3)"


class Level(dict[int, Decision]):
    """The decisions for one place of one kind of object: `level[tag]`, made when first asked for."""

    __slots__ = ("_inside", "_kind", "_profile")

    def __init__(self, profile: "Profile", kind: Kind, inside: int) -> None:
        super().__init__()
        self._profile, self._kind, self._inside = profile, kind, inside

    def __missing__(self, tag: int) -> Decision:
        kind = self._kind
        needed = kind.type_of(tag, self._inside)
        made = self._profile.decide(tag, needed, listed=tag in kind.allowed)
        if tag in DicomDictionary:  # the rest could grow for ever
            self[tag] = made
        return made


class Policy:
    """A profile's answers for one kind of object."""

    def __init__(self, profile: "Profile", kind: Kind) -> None:
        self.profile, self.kind = profile, kind
        self._levels: dict[int, Level] = {}

    def level(self, inside: int = 0) -> Level:
        """The decisions at the top of the dataset, or for items of the sequence `inside`."""
        known = self._levels.get(inside)
        if known is None:
            known = Level(self.profile, self.kind, inside)
            if inside == 0 or inside in DicomDictionary:
                self._levels[inside] = known
        return known


class Profile:
    """One registry's answer for every attribute."""

    def __init__(self, choices: Choices | None = None) -> None:
        self.choices = choices or Choices()
        self.options = frozenset(self.choices.options)
        self.modified_dates = "retain_longitudinal_modified_dates" in self.options
        self.full_dates = "retain_longitudinal_full_dates" in self.options
        self.codes = tuple(CODES[name] for name in CODES if name == "basic" or name in self.options)
        self._overridden = self.choices.overridden
        self._policies: dict[str, Policy] = {}
        self._content: dict[tuple[str, str, str], Decision] = {}
        for item in table()["content_items"]:
            made = self._content_decision(item)
            concept = item["scheme"], item["code"]
            self._content[*concept, item["value_type"]] = made
            self._content.setdefault((*concept, ""), made)

    @classmethod
    def of(cls, document: Mapping[str, Any] | None) -> Self:
        """From the text of a `deid.yaml`. Raises `ValueError` with every complaint, one a line."""
        return cls(choices_of(document))

    @property
    def digest(self) -> str:
        """SHA-256 of the choices and of every list they rest on: equal for equal policies."""
        said = self.choices.model_dump_json() + digest()
        return hashlib.sha256(said.encode()).hexdigest()

    @cached_property
    def staying(self) -> frozenset[int]:
        """The tags of the table, and the overridden ones, whose values are chosen to stay."""
        named = named_rows().keys() | self._overridden.keys()
        return frozenset(tag for tag in named if self.decide(tag).action in _STAYING)

    def policy(self, sop_class: str) -> Policy:
        """The answers for objects of a SOP class (its UID)."""
        kind = iods.kind_of(sop_class)
        known = self._policies.get(kind.iod)
        if known is None:
            known = self._policies[kind.iod] = Policy(self, kind)
        return known

    def content(self, scheme: str, code: str, value_type: str = "") -> Decision | None:
        """What to do with a content item of this concept name and value type (Table E.3.4-1)."""
        known = self._content.get((scheme, code, value_type))
        return self._content.get((scheme, code, "")) if known is None else known

    def decide(self, tag: int, needed: str = UNKNOWN, listed: bool = True) -> Decision:
        """What to do with an attribute of an even group; private ones are decided elsewhere.

        `needed` is its type in the IOD (`1`, `1C`, `2`, `2C`, `3`, or unknown), `listed` says
        whether its family lists it, which counts for what Table E.1-1 does not name.
        """
        made = self._decide(tag, needed, listed)
        if made.action in _TAKEN_OUT and made.rule != NOT_LISTED and vr_of(tag) in _NAMING_VRS:
            return made._replace(identifies=True)
        return made

    def _decide(self, tag: int, needed: str, listed: bool) -> Decision:
        group = tag >> 16
        if group in (0x0000, 0x0002, 0x0004) or not tag & 0xFFFF:
            return Decision(Action.REMOVE, "not of the dataset")
        if group & 0xFF00 in (0x5000, 0x6000) and tag not in DicomDictionary:
            return Decision(Action.REMOVE, "graphics: overlays and curves")
        if tag not in DicomDictionary:
            return Decision(Action.REMOVE, "unknown attribute")
        vr, longest = vr_of(tag), _longest(tag)
        override = self._overridden.get(tag)
        if override is not None:
            return self._override(override, vr, needed, longest)
        special = _SPECIAL.get(tag)
        if special is not None:
            return Decision(special, "table E.1-1, pseudonym", Action.DUMMY)
        row = named_rows().get(tag)
        if row is not None:
            return self._row(row, tag, vr, longest, needed)
        made = _unnamed(tag, vr, longest, needed, listed)
        if made.action is Action.SHIFT and not self.modified_dates:
            return made._replace(action=Action.KEEP if self.full_dates else made.emptied)
        return made

    def _override(self, override: str, vr: str, needed: str, longest: int) -> Decision:
        rule, emptied = "override of the registry", actions.after("X/Z/D", needed)
        if override == "keep":
            return Decision(actions.kept(vr), rule, emptied, longest)
        if override == "clean":
            return Decision(actions.cleaned(vr), rule, emptied, longest)
        return Decision(actions.basic(_CODE_OF[override], vr, "", needed), rule, emptied)

    def _row(
        self, row: Mapping[str, Any], tag: int, vr: str, longest: int, needed: str
    ) -> Decision:
        """The basic action, unless options in force keep or clean; cleaning wins over keeping."""
        chosen = {option: code for option, code in row["options"].items() if option in self.options}
        emptied = actions.after(row["basic"], needed)
        if "C" in chosen.values():
            option = next(option for option, code in chosen.items() if code == "C")
            action = actions.cleaned(vr)
            if tag in CONTENT_SEQUENCES:
                action = Action.CONTENT
            elif tag == TIMEZONE_OFFSET:
                action = Action.SHIFT
            elif option == "clean_graphics" and vr != "SQ":
                action = Action.REMOVE
            return Decision(action, f"table E.1-1, {option}", emptied, longest)
        if chosen:
            option = next(iter(chosen))
            action = actions.kept(vr)
            if action is Action.SCRUB and option == "retain_patient_characteristics":
                action = Action.TERM  # a trait is words we know, or it is something else
            return Decision(action, f"table E.1-1, {option}", emptied, longest)
        action = actions.basic(row["basic"], vr, row["name"], needed)
        if tag in CONTENT_SEQUENCES and action is Action.ITEMS:
            action = Action.REMOVE
        return Decision(action, f"table E.1-1, basic {row['basic']}", emptied)

    def _content_decision(self, item: Mapping[str, Any]) -> Decision:
        chosen = [code for option, code in item["options"].items() if option in self.options]
        if chosen:
            return Decision(Action.ITEMS, "table E.3.4-1, an option lets it stay")
        if item["basic"].endswith("D"):
            return Decision(Action.DUMMY, f"table E.3.4-1, basic {item['basic']}")
        if "retain_uids" in item["options"]:
            # A reference whose UIDs are replaced tells nothing, and evidence hangs on it.
            return Decision(Action.ITEMS, REFERENCE)
        return Decision(Action.REMOVE, f"table E.3.4-1, basic {item['basic']}")


def _unnamed(tag: int, vr: str, longest: int, needed: str, allowed: bool) -> Decision:
    """An attribute that no row of the table names: as its family's list and our lists say."""
    keyword, retired = DicomDictionary[tag][4], DicomDictionary[tag][3]
    emptied = actions.after("X/Z/D", needed)
    known = listed().get(keyword)
    if known is not None and known[0] is Action.REMOVE:
        return Decision(actions.basic("X", vr, "", needed), known[1])
    if not allowed:
        return Decision(Action.REMOVE, NOT_LISTED)
    if retired and vr not in BINARY_SIZES and vr not in ("CS", "DS", "IS", "SQ"):
        return Decision(Action.REMOVE, "retired, not in the table")
    if known is not None:
        return Decision(known[0], known[1], emptied)
    action = actions.unnamed(vr)
    if action is Action.REMOVE:
        action = actions.basic("X", vr, "", needed)
    return Decision(action, f"not in the table, by VR {vr}", emptied, longest)


def _longest(tag: int) -> int:
    """Bytes a binary number of this tag may take, from its VM; 0 when it may repeat for ever."""
    size = BINARY_SIZES.get(vr_of(tag), 0)
    most = DicomDictionary[tag][1].split("-")[-1]
    return size * int(most) if size and most.isdigit() else 0
