"""
What a registry chooses: the text of its `deid.yaml`, validated with every complaint at once.

The options are those of PS3.15 Annex E, with the combinations the standard rules out; overrides
change single attributes; a wrong text never half applies.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from pydicom.datadict import DicomDictionary, tag_for_keyword

from app.deid.dates import SHIFTED
from app.deid.table import named_rows
from app.deid.vrs import vr_of
from app.deid.walk import PIXEL_DATA

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
EFFECTS = {
    "basic": "Every attribute of Table E.1-1 gets its basic action; what is not listed goes.",
    "clean_pixel_data": "Text in pixels is found and blanked, or the object is held back.",
    "clean_graphics": "Overlays and curves are removed; the text of graphic annotations is cleaned.",
    "clean_structured_content": "Content items stay by Table E.3.4-1, their values cleaned.",
    "clean_descriptors": "Descriptions and comments stay, cleaned word by word.",
    "retain_longitudinal_full_dates": "Dates and times stay as they are.",
    "retain_longitudinal_modified_dates": "Dates move by the patient's own number of whole days.",
    "retain_patient_characteristics": "Sex, age (89 at most), size and weight and the like stay.",
    "retain_device_identity": "Serial numbers and names of machines stay.",
    "retain_uids": "UIDs stay as they are.",
    "retain_safe_private": "Private attributes of the shipped list stay when they look right.",
    "retain_institution_identity": "Institution names, addresses and departments stay.",
}
NOT_OFFERED = {
    "clean_recognizable_visual_features": (
        "faces cannot be made unrecognizable without harm to the image (PS3.15 E.3.2)"
    )
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
_DATES = frozenset(("retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"))
# What holds an object together, says who is meant, or says what was done.
_STRUCTURE = frozenset(
    (
        PIXEL_DATA,
        0x00080005,  # Specific Character Set
        0x00080050,  # Accession Number
        0x00100010,  # Patient's Name
        0x00100020,  # Patient ID
        0x00120062,
        0x00120063,
        0x00120064,
        0x00280301,
        0x00280303,
    )
)
_DAYS_ASK = {
    "keep": "retain_longitudinal_full_dates",
    "clean": "retain_longitudinal_modified_dates",
}
_LETS_STAY = frozenset(("keep", "clean"))

TEXT_MODALITIES = (
    *("US", "IVUS", "SC", "OT", "XC", "ES", "GM", "DOC", "HC", "CR", "RF", "XA", "DG", "EPS"),
    *("SMR", "VF", "BI", "CP", "DD", "DF", "DM", "DS", "EC", "FA", "FS", "LP", "LS", "MA", "MS"),
    *("DX", "MG", "PX", "IO", "PR", "RTIMAGE", "IVOCT", "OCT"),
)


Place = tuple[str | int, ...]
"""Where in a `deid.yaml` something stands: `("options", 2)`."""


class WrongChoices(ValueError):
    """A `deid.yaml` that cannot be followed: every complaint with its place, and all as one text."""

    def __init__(self, complaints: Sequence[tuple[Place, str]]) -> None:
        super().__init__("\n".join(says for _, says in complaints))
        self.complaints = tuple(complaints)


class BurnedIn(BaseModel):
    """Which objects are searched for text in their pixels, and what becomes of pages and doubts.

    `unseen` is for an object whose sender says YES (BurnedInAnnotation) and in which no text is
    found; `pages` for pictures that are nothing but text, as dose reports are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    modalities: tuple[str, ...] = TEXT_MODALITIES
    sop_classes: tuple[str, ...] = (
        "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture and its multi-frame kinds
        "1.2.840.10008.5.1.4.1.1.6",  # Ultrasound
        "1.2.840.10008.5.1.4.1.1.3",  # Ultrasound multi-frame
        "1.2.840.10008.5.1.4.1.1.77",  # Visible light
        "1.2.840.10008.5.1.4.1.1.12",  # X-ray angiography and fluoroscopy
        "1.2.840.10008.5.1.4.1.1.14",  # Optical coherence tomography in vessels
        "1.2.840.10008.5.1.4.1.1.1",  # Computed radiography
    )
    manufacturers: tuple[str, ...] = ("VIDAR", "HOWTEK", "LUMISYS", "VITAL IMAGES", "TERARECON")
    unseen: Literal["hold", "release"] = "hold"
    pages: Literal["blank", "hold"] = "blank"
    image_types: tuple[str, ...] = (
        "LOCALIZER",
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
    """A registry's `deid.yaml`, validated. `version` is the registry's own, told in each object."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: Literal["basic"] = "basic"
    edition: Literal["2026d"] = "2026d"
    version: str = Field(default="1", pattern=r"^[A-Za-z0-9._-]{1,16}$")
    options: tuple[str, ...] = DEFAULT_OPTIONS
    overrides: dict[str, Literal["remove", "empty", "dummy", "keep", "clean"]] = Field(
        default_factory=dict
    )
    encapsulated_documents: Literal["hold", "keep"] = "hold"
    dates: Dates = Dates()
    burned_in: BurnedIn = BurnedIn()

    @field_validator("version", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return str(value) if isinstance(value, (int, float)) else value

    @field_validator("options", mode="before")
    @classmethod
    def _spelling(cls, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return tuple(str(option).strip().lower().replace("-", "_") for option in value)
        return value

    @field_validator("options")
    @classmethod
    def _go_together(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        said: list[tuple[Place, str]] = []
        known = ", ".join(name for name in CODES if name != "basic")
        for number, option in enumerate(options):
            if option in options[:number]:
                said.append(((number,), "an option is named twice"))
            elif option in NOT_OFFERED:
                why = f"option {option!r} is not offered: {NOT_OFFERED[option]}"
                said.append(((number,), why))
            elif option not in CODES or option == "basic":
                said.append(((number,), f"unknown option {option!r}; known: {known}"))
        if set(options) >= _DATES:
            second = max(options.index(one) for one in _DATES)
            why = "full dates and modified dates exclude each other (PS3.15 E.3.6)"
            said.append(((second,), why))
        if "clean_pixel_data" not in options:
            why = "clean_pixel_data cannot be left out: objects are held when in doubt"
            said.append(((), why))
        _refuse(said)
        return options

    @field_validator("overrides", mode="wrap")
    @classmethod
    def _sensible(
        cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> dict[str, Any]:
        # Both halves are always asked, so that nobody learns of a wrong name only once the
        # actions are right.
        said: list[tuple[Place, str]] = []
        options = frozenset(info.data.get("options", _DATES))
        if isinstance(value, Mapping):
            said = [
                ((str(name),), against)
                for name, action in value.items()
                if (against := _against(str(name), action, options))
            ]
        try:
            checked: dict[str, Any] = validate(value)
        except ValidationError as error:
            said += [
                (flaw["loc"][:1], f"{'.'.join(map(str, flaw['loc']))}: {flaw['msg']}")
                for flaw in error.errors()
            ]
            _refuse(said)
            raise
        _refuse(said)
        return checked

    @property
    def overridden(self) -> dict[int, str]:
        """The overrides by tag."""
        return {tag: action for name, action in self.overrides.items() if (tag := tag_of(name))}


_MEMBERS: Mapping[Place, type[BaseModel]] = {
    (): Choices,
    ("dates",): Dates,
    ("burned_in",): BurnedIn,
}


def choices_of(document: Mapping[str, Any] | None) -> Choices:
    """From the text of a `deid.yaml`. Raises `WrongChoices` with every complaint."""
    try:
        return Choices.model_validate(dict(document or {}))
    except ValidationError as error:
        raise WrongChoices([one for flaw in error.errors() for one in _told(flaw)]) from None


def _refuse(said: Sequence[tuple[Place, str]]) -> None:
    """Let pydantic say of one member what is wrong at several places in it."""
    if said:
        raise PydanticCustomError("choices", "see its places", {"said": said})


def _told(flaw: ErrorDetails) -> Iterator[tuple[Place, str]]:
    place = flaw["loc"]
    name = ".".join(map(str, place))
    says = flaw["msg"].removeprefix("Value error, ")
    if flaw["type"] == "extra_forbidden":
        says = f"nothing of that name; known: {', '.join(_MEMBERS[place[:-1]].model_fields)}"
    elif flaw["type"] == "tuple_type":
        says = "must be a list"
    inner = flaw.get("ctx", {}).get("said") or [((), says)]
    for within, says in inner:
        yield (*place, *within), f"{name}: {says}"


def tag_of(name: str) -> int | None:
    """A tag from a keyword of PS3.6 or from `(gggg,eeee)`; None for what the standard lacks."""
    digits = name.strip("() ").replace(",", "")
    if len(digits) == 8 and set(digits.upper()) <= set("0123456789ABCDEF"):
        tag = int(digits, 16)
        return tag if tag in DicomDictionary else None
    found: int | None = tag_for_keyword(name)
    return found


def _against(name: str, action: object, options: frozenset[str]) -> str:
    """What speaks against an override beside these options; nothing when it makes sense."""
    tag = tag_of(name)
    if tag is None:
        return f"override of {name!r}: no such attribute in PS3.6"
    row = named_rows().get(tag)
    if action in _LETS_STAY and row is not None and not row["options"]:
        return f"override of {name}: no option of PS3.15 lets it stay"
    asked = _DAYS_ASK.get(str(action)) if vr_of(tag) in SHIFTED else None
    if asked is not None and asked not in options:
        return f"override of {name}: dates stay or move all together, by the option {asked!r}"
    if vr_of(tag) == "UI" or tag in _STRUCTURE:
        return f"override of {name}: the object would not hold together"
    if tag >> 16 in (0x0000, 0x0002, 0x0004) or tag >> 16 & 0xFF00 in (0x5000, 0x6000):
        return f"override of {name}: it never stays"
    return ""
