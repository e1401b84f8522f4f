"""What comes of one object: an instance that may leave, or why there is none."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from app.deid.json_model import json_model
from app.deid.pixels import Reason
from app.deid.walk import Dataset


@dataclass(frozen=True, slots=True)
class Original:
    """What the object was called before. It identifies: for the vault alone, never stored or told."""

    study_instance_uid: str = field(repr=False)
    series_instance_uid: str = field(repr=False)
    sop_instance_uid: str = field(repr=False)
    patient_id: str = field(repr=False)
    issuer_of_patient_id: str = field(repr=False)
    accession_number: str = field(repr=False)


Told = tuple[str, str, str]
"""A place, the action that was taken there, and by which rule."""


@dataclass(frozen=True)
class Report:
    """What was done where and by which rule, and how often each action."""

    places: tuple[Told, ...] = ()

    @cached_property
    def actions(self) -> dict[str, int]:
        """How often each action was taken."""
        return dict(Counter(str(action) for _, action, _ in self.places))


@dataclass(frozen=True)
class Deidentified:
    """An instance that may leave, once the second look agrees. `parts` are its bytes in order.

    The UIDs of study and series are empty for what belongs to none, as a hanging protocol does.
    """

    parts: tuple[bytes | memoryview, ...] = field(repr=False)
    report: Report
    original: Original = field(repr=False)
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    patient_pseudonym: str
    accession_token: str | None
    study_date: str | None
    modality: str | None
    dataset: Dataset = field(repr=False)
    little: bool = True
    made: frozenset[int] = frozenset()
    """Tags of what the object came without and cannot be without: its UIDs were made."""

    @cached_property
    def content(self) -> bytes:
        """Its bytes in one piece, which copies them: to write them, take the parts."""
        return b"".join(self.parts)

    def json(self) -> dict[str, Any]:
        """The output as DICOM JSON (PS3.18 F.2), without bulk data."""
        return json_model(self.dataset, self.little)


@dataclass(frozen=True, slots=True)
class Withheld:
    """No output, and why; `reason.holds` tells held from refused."""

    reason: Reason


Outcome = Deidentified | Withheld
