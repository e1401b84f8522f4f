"""What must be true of an object's output: the answer key, written while the object is made."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

Path = tuple[str | int, ...]
"""Keywords (or tags) and item numbers: ("RequestAttributesSequence", 0, "RequestedProcedureID")."""


class Category(StrEnum):
    """The kinds of checks, as MIDI-B counts them."""

    REMOVED = "removed"
    RETAINED = "retained"
    TEXT_KEPT = "text kept"
    UID_CHANGED = "uid changed"
    UID_CONSISTENT = "uid consistent"
    PATIENT_CONSISTENT = "patient consistent"
    DATE_SHIFTED = "date shifted"
    PIXELS_HIDDEN = "pixels hidden"
    PIXELS_RETAINED = "pixels retained"
    MARKERS = "markers"
    VALID = "valid"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Secret:
    """Something that identifies, and where it was planted."""

    value: str
    place: str
    codecs: tuple[str, ...] = ()
    """Character sets it was written in, beside those every secret is searched in."""


@dataclass(frozen=True, slots=True)
class Box:
    """Text in the pixels: where its strokes are, and what stood there with and without it."""

    frame: int
    top: int
    left: int
    strokes: NDArray[np.bool_]


@dataclass(slots=True)
class Case:
    """An object, what was planted in it, and what its output must be like."""

    name: str
    patient: int
    source: bytes = b""
    dataset: Dataset = field(default_factory=Dataset)
    secrets: list[Secret] = field(default_factory=list)
    kept: list[tuple[Path, object]] = field(default_factory=list)
    words: list[tuple[Path, tuple[str, ...]]] = field(default_factory=list)
    dated: list[Path] = field(default_factory=list)
    uids: list[Path] = field(default_factory=list)
    present: list[Path] = field(default_factory=list)
    """Attributes of Type 1: there, and not empty."""
    absent: list[Path] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    lossy: bool = False
    document: bool = False
    """An encapsulated document: holding it back is right."""
    page: bool = False
    """A page of text (a screen, a dose report, a label), which may be blanked whole."""
    spare: bool = False
    """Something was drawn in the bits above BitsStored: they must be empty."""
    age: str | None = None
    """What PatientAge must say; older than 89 may be any of 089Y and 090Y."""
