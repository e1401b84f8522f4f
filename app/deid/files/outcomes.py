"""
What becomes of one input: its outcome in words of our own, and what stands in the report.

    written    an output, under a name that holds new UIDs alone
    held       readable, but it may identify somebody: a person has to look
    refused    an object that cannot be used, or a place that cannot be read
    passed by  no DICOM object at all: listed, and of no consequence for the exit code
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.deid.pixels import Reason

Row = tuple[str, str, str, int]
"""Attribute (tags of eight digits, `/` between levels), action, rule, and how often."""


class Obstacle(StrEnum):
    """Why a place gave no object to de-identify. The words are ours: no name, no value."""

    SYMBOLIC_LINK = "symbolic-link"
    NOT_A_FILE = "not-a-file"
    CANNOT_BE_READ = "cannot-be-read"
    TOO_LARGE = "too-large"
    ARCHIVE_BROKEN = "archive-broken"
    ARCHIVE_ENCRYPTED = "archive-encrypted"
    ARCHIVE_UNSUPPORTED = "archive-method-unsupported"
    ARCHIVE_TOO_LARGE = "archive-too-large"
    ARCHIVE_TOO_DEEP = "archive-in-too-many-archives"
    FAILED = "failed"


class OutputFailed(Exception):
    """An output cannot be written: the disk is full, or the folder may not be written to."""


class Fate(StrEnum):
    """The four ways an input can end."""

    WRITTEN = "written"
    HELD = "held"
    REFUSED = "refused"
    PASSED_BY = "passed-by"


PASSED_BY = frozenset(
    (
        Reason.NOT_DICOM.value,
        Reason.NOT_AN_INSTANCE.value,
        Obstacle.SYMBOLIC_LINK.value,
        Obstacle.NOT_A_FILE.value,
    )
)
"""Reasons that say that there was nothing to de-identify."""

REMEDIES: Mapping[str, str] = {
    Obstacle.SYMBOLIC_LINK: "A symbolic link. Name its target as an input if it is wanted.",
    Obstacle.NOT_A_FILE: "A pipe, socket or device. Nothing was read from it.",
    Obstacle.CANNOT_BE_READ: "The file or folder cannot be read. Look at its permissions.",
    Obstacle.TOO_LARGE: "Larger than one object may be here.",
    Obstacle.ARCHIVE_BROKEN: "The archive is damaged at this place. Make it again.",
    Obstacle.ARCHIVE_ENCRYPTED: "The archive needs a password. Unpack it first.",
    Obstacle.ARCHIVE_UNSUPPORTED: "The archive's compression is not read here. Unpack it first.",
    Obstacle.ARCHIVE_TOO_LARGE: "It would grow beyond every proportion. Unpack it first.",
    Obstacle.ARCHIVE_TOO_DEEP: "An archive within several others. Unpack it first.",
    Obstacle.FAILED: "De-identification itself failed. Please report it, without the object.",
    Reason.NOT_DICOM: "Not DICOM.",
    Reason.NOT_AN_INSTANCE: "A directory of media (DICOMDIR): it lists objects and is none.",
    Reason.TRUNCATED: "The object ends too early. Export it again from its source.",
    Reason.WRONG_LENGTH: "A length in it is wrong: attributes or pixels are missing. Export it again.",
    Reason.UNREADABLE: "It is broken inside. Export it again.",
    Reason.UNSUPPORTED_SYNTAX: "Its transfer syntax is none of the standard's. Export it in another.",
    Reason.MISSING_UID: "It names no class and shows no picture.",
    Reason.BURNED_IN: "BurnedInAnnotation says YES. Look at the pixels.",
    Reason.MAY_BE_BURNED_IN: "Objects of this kind often have text in their pixels. Look at them.",
    Reason.PIXEL_OVERLAY: "An overlay is drawn in unused bits of its pixels. Export it without.",
    Reason.ENCAPSULATED: "A document inside the object cannot be shown to be clean.",
    Reason.IDENTIFIER_REMAINS: "The second look found something of the object's own. Look at it.",
}


def fate(reason: str | None) -> Fate:
    """How an input ended, from its reason; none means that it was written."""
    if reason is None:
        return Fate.WRITTEN
    if reason in PASSED_BY:
        return Fate.PASSED_BY
    return Fate.HELD if reason in _HELD else Fate.REFUSED


_HELD = frozenset(reason.value for reason in Reason if reason.holds)


@dataclass(frozen=True, slots=True)
class Treated:
    """One input as a worker left it: an output under a temporary name, or a reason for none."""

    reason: str | None = None
    patient: str = ""
    study: str = ""
    series: str = ""
    instance: str = ""
    sop_class: str = ""
    size: int = 0
    draft: str = field(default="", repr=False)
    """The output's temporary name in the working folder of OUT."""
    actions: Mapping[str, int] = field(default_factory=dict)
    traces: tuple[str, ...] = ()
    """What the second look found, when it held the object back."""
    treatment: str = ""
    """The digest of `rows`; the rows themselves come once from each worker."""
    rows: tuple[Row, ...] = ()
