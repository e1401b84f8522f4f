"""
The PS3.15 Annex E profile and its options, as data.

`ps315_2026d.json` is Table E.1-1 and Table E.3.4-1 of the edition it names; `attributes.yaml`
decides what the table leaves open; a registry's `deid.yaml` chooses options and overrides. A
`Profile` answers, for a tag, one `Decision`. What nothing names is removed: fail closed.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydicom.datadict import DicomDictionary, tag_for_keyword

from app.deid import actions
from app.deid.actions import BINARY_SIZES, Action, Decision
from app.deid.walk import PIXEL_DATA, vr_of

PATIENT_NAME, PATIENT_ID, ACCESSION_NUMBER = 0x00100010, 0x00100020, 0x00080050
SPECIFIC_CHARACTER_SET, TIMEZONE_OFFSET = 0x00080005, 0x00080201
CONTENT_SEQUENCES = frozenset((0x0040A730, 0x00400555, 0x00400610, 0x00400612, 0x0040B020))

CODES = {  # PS3.16 CID 7050
    "basic": ("113100", "Basic Application Confidentiality Profile"),
    "clean_pixel_data": ("113101", "Clean Pixel Data Option"),
    "clean_graphics": ("113103", "Clean Graphics Option"),
    "clean_structured_content": ("113104", "Clean Structured Content Option"),
    "clean_descriptors": ("113105", "Clean Descriptors Option"),
    "retain_longitudinal_full_dates": (
        "113106",
        "Retain Longitudinal Temporal Information Full Dates Option",
    ),
    "retain_longitudinal_modified_dates": (
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    ),
    "retain_patient_characteristics": ("113108", "Retain Patient Characteristics Option"),
    "retain_device_identity": ("113109", "Retain Device Identity Option"),
    "retain_uids": ("113110", "Retain UIDs Option"),
    "retain_safe_private": ("113111", "Retain Safe Private Option"),
    "retain_institution_identity": ("113112", "Retain Institution Identity Option"),
}
DEFAULT_OPTIONS = (
    "clean_pixel_data",
    "clean_descriptors",
    "clean_graphics",
    "clean_structured_content",
    "retain_longitudinal_modified_dates",
    "retain_patient_characteristics",
    "retain_safe_private",
)
OVERRIDES = {
    "remove": Action.REMOVE,
    "empty": Action.EMPTY,
    "dummy": Action.DUMMY,
    "keep": Action.KEEP,
    "clean": Action.CLEAN,
}


TEXT_MODALITIES = (
    "US",
    "IVUS",
    "SC",
    "OT",
    "XC",
    "ES",
    "GM",
    "DOC",
    "HC",
    "CR",
    "RF",
    "XA",
    "DG",
    "EPS",
    "SMR",
    "VF",
    "BI",
    "CP",
    "DD",
    "DF",
    "DM",
    "DS",
    "EC",
    "FA",
    "FS",
    "LP",
    "LS",
    "MA",
    "MS",
)


class BurnedIn(BaseModel):
    """Which objects may carry text in their pixels and are held unless they say NO."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modalities: tuple[str, ...] = TEXT_MODALITIES
    sop_classes: tuple[str, ...] = (
        "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture and its multi-frame kinds
        "1.2.840.10008.5.1.4.1.1.6",  # Ultrasound
        "1.2.840.10008.5.1.4.1.1.3",  # Ultrasound multi-frame
        "1.2.840.10008.5.1.4.1.1.77",  # Visible light
        "1.2.840.10008.5.1.4.1.1.12",  # X-ray angiography and fluoroscopy
        "1.2.840.10008.5.1.4.1.1.1",  # Computed radiography
    )
    image_types: tuple[str, ...] = (
        "SCREEN SAVE",
        "SCREENSAVE",
        "SCREEN",
        "SAVED",
        "CAPTURE",
        "REPORT",
        "DOSE",
        "PASTED",
        "TEXT",
        "FILM",
        "DIGITIZED",
        "PRINT",
        "CSAPARALLEL",
        "DOSE_INFO",
        "DOSE REPORT",
        "SCREENSHOT",
    )


class Dates(BaseModel):
    """How far back dates may go, in days; the same distance for all of a patient's objects."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    least: int = Field(default=365, ge=1, le=36500)
    most: int = Field(default=3650, ge=2, le=36500)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.most - self.least < 100:
            raise ValueError("`most` must be at least 100 days above `least`")
        return self


class Choices(BaseModel):
    """A registry's `deid.yaml`, validated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: Literal["basic"] = "basic"
    edition: Literal["2026d"] = "2026d"
    options: tuple[str, ...] = DEFAULT_OPTIONS
    overrides: dict[str, Literal["remove", "empty", "dummy", "keep", "clean"]] = Field(
        default_factory=dict
    )
    dates: Dates = Dates()
    burned_in: BurnedIn = BurnedIn()

    @field_validator("options", mode="before")
    @classmethod
    def _spelling(cls, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return tuple(str(option).strip().lower().replace("-", "_") for option in value)
        return value

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        for option in self.options:
            if option not in CODES or option == "basic":
                raise ValueError(f"unknown option {option!r}; known: {', '.join(sorted(CODES))}")
        if len(set(self.options)) != len(self.options):
            raise ValueError("an option is named twice")
        both = {"retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"}
        if both <= set(self.options):
            raise ValueError("full dates and modified dates exclude each other (PS3.15 E.3.6)")
        if "clean_pixel_data" not in self.options:
            raise ValueError("clean_pixel_data cannot be left out: objects are held when in doubt")
        rows = {int(row["tag"], 16): row for row in _named_rows()}
        for keyword, action in self.overrides.items():
            tag = tag_for_keyword(keyword)
            if tag is None:
                raise ValueError(f"override of {keyword!r}: no such attribute in PS3.6")
            row = rows.get(tag)
            if action in ("keep", "clean") and row is not None and not row["options"]:
                raise ValueError(f"override of {keyword}: no option of PS3.15 lets it stay")
            if vr_of(tag) == "UI" or tag in _STRUCTURE:
                raise ValueError(f"override of {keyword}: the object would not hold together")
        return self


class Profile:
    """One registry's answer for every attribute. Decisions are made once per tag."""

    def __init__(self, choices: Choices | None = None) -> None:
        self.choices = choices or Choices()
        self.options = frozenset(self.choices.options)
        self.modified_dates = "retain_longitudinal_modified_dates" in self.options
        self.full_dates = "retain_longitudinal_full_dates" in self.options
        self.codes = tuple(CODES[name] for name in CODES if name == "basic" or name in self.options)
        self._decided: dict[int, Decision] = {}
        self._content = {
            (item["scheme"], item["code"]): self._content_decision(item)
            for item in table()["content_items"]
        }

    @classmethod
    def of(cls, document: Mapping[str, Any] | None) -> Self:
        """From the text of a `deid.yaml`. Raises `ValueError` with every complaint, one a line."""
        try:
            return cls(Choices.model_validate(dict(document or {})))
        except ValidationError as error:
            complaints = [
                ".".join(map(str, flaw["loc"])) + ": " + flaw["msg"] for flaw in error.errors()
            ]
            raise ValueError("\n".join(complaints)) from None

    def decide(self, tag: int) -> Decision:
        """What to do with an attribute of an even group; private ones are decided elsewhere."""
        known = self._decided.get(tag)
        if known is None:
            known = self._decide(tag)
            if tag in DicomDictionary:
                self._decided[tag] = known
        return known

    def content(self, scheme: str, code: str) -> Decision | None:
        """What to do with a content item of this concept name (Table E.3.4-1)."""
        return self._content.get((scheme, code))

    def explain(self) -> list[tuple[str, str, str, str, str]]:
        """(tag, keyword, VR, action, rule) of every attribute the dictionary knows."""
        return [
            (f"({tag >> 16:04X},{tag & 0xFFFF:04X})", DicomDictionary[tag][4], vr_of(tag), *said)
            for tag in sorted(DicomDictionary)
            for said in [self.decide(tag)[:2]]
        ]

    def _decide(self, tag: int) -> Decision:
        group = tag >> 16
        if group in (0x0000, 0x0002, 0x0004) or not tag & 0xFFFF:
            return Decision(Action.REMOVE, "not of the dataset")
        if group & 0xFF00 in (0x5000, 0x6000) and tag not in DicomDictionary:
            return Decision(Action.REMOVE, "graphics: overlays and curves")
        entry = DicomDictionary.get(tag)
        if entry is None:
            return Decision(Action.REMOVE, "unknown attribute")
        vr, longest = vr_of(tag), _longest(tag)
        override = self.choices.overrides.get(entry[4])
        if override is not None:
            action = OVERRIDES[override]
            if action is Action.KEEP:
                action = actions.kept(vr)
            elif action is Action.CLEAN:
                action = actions.cleaned(vr)
            return Decision(action, "override of the registry", Action.DUMMY, longest)
        special = _SPECIAL.get(tag)
        if special is not None:
            return Decision(special, "table E.1-1, pseudonym", Action.DUMMY)
        row = _rows().get(tag)
        if row is not None:
            return self._row(row, tag, vr, longest)
        if entry[3] and vr not in BINARY_SIZES and vr not in ("CS", "DS", "IS", "SQ"):
            return Decision(Action.REMOVE, "retired, not in the table")
        listed = _listed().get(entry[4])
        if listed is not None:
            return Decision(listed[0], listed[1], Action.DUMMY)
        return Decision(actions.unnamed(vr), f"not in the table, by VR {vr}", Action.DUMMY, longest)

    def _row(self, row: Mapping[str, Any], tag: int, vr: str, longest: int) -> Decision:
        """The basic action, unless options in force keep or clean; cleaning wins over keeping."""
        chosen = {option: code for option, code in row["options"].items() if option in self.options}
        emptied = actions.after(row["basic"])
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
                action = Action.CLEAN  # a trait is words we know, or it is something else
            return Decision(action, f"table E.1-1, {option}", emptied, longest)
        action = actions.basic(row["basic"], vr, row["name"])
        if tag in CONTENT_SEQUENCES and action is Action.ITEMS:
            action = Action.REMOVE
        return Decision(action, f"table E.1-1, basic {row['basic']}", emptied)

    def _content_decision(self, item: Mapping[str, Any]) -> Decision:
        chosen = [code for option, code in item["options"].items() if option in self.options]
        action = Action.ITEMS if chosen else Action.REMOVE
        if not chosen and item["basic"].endswith("D"):
            action = Action.DUMMY
        return Decision(action, "table E.3.4-1", Action.DUMMY)


_SPECIAL = {
    PATIENT_NAME: Action.PATIENT_NAME,
    PATIENT_ID: Action.PATIENT_ID,
    ACCESSION_NUMBER: Action.ACCESSION,
}
_STRUCTURE = frozenset((PIXEL_DATA, SPECIFIC_CHARACTER_SET, *_SPECIAL))


@cache
def table() -> dict[str, Any]:
    """Tables E.1-1 and E.3.4-1, as shipped."""
    return dict(json.loads(_text("ps315_2026d.json")))


def _named_rows() -> list[dict[str, Any]]:
    """Rows that name one tag (the others are overlays, curves and private attributes)."""
    return [row for row in table()["rules"] if set(row["tag"]) <= set("0123456789ABCDEF")]


@cache
def _rows() -> dict[int, dict[str, Any]]:
    return {int(row["tag"], 16): row for row in _named_rows()}


@cache
def _listed() -> dict[str, tuple[Action, str]]:
    lists = yaml.safe_load(_text("attributes.yaml"))
    meaning = {
        "technical": (Action.SCRUB, "listed: technical text"),
        "code_parts": (Action.CODE, "listed: part of a code"),
        "class_uids": (Action.CLASS_UID, "listed: names a class"),
        "bulk": (Action.KEEP, "listed: numbers by definition"),
        "remove": (Action.REMOVE, "listed: of no use"),
    }
    return {keyword: meaning[name] for name, keywords in lists.items() for keyword in keywords}


def _longest(tag: int) -> int:
    """Bytes a binary number of this tag may take, from its VM; 0 when it may repeat for ever."""
    size = BINARY_SIZES.get(vr_of(tag), 0)
    most = DicomDictionary[tag][1].split("-")[-1]
    return size * int(most) if size and most.isdigit() else 0


def _text(name: str) -> str:
    return files("app.deid").joinpath(name).read_text(encoding="utf-8")
