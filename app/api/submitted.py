"""How a submission, its entries and its findings are shown."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.models.submission import Entry, Finding, Submission
from app.registries.schema import Policy

SubmissionState = Literal["received", "read", "checked", "completed", "unreadable", "held"]
EntryOutcome = Literal[
    "accepted", "amended", "unchanged", "withdrawn", "saved", "waiting", "rejected", "superseded"
]


class Counts(BaseModel):
    """How many entries came to what; accepted, rejected and waiting make up all of them."""

    entries: int = 0
    accepted: int = 0
    created: int = 0
    amended: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    saved: int = 0
    superseded: int = 0
    waiting: int = 0
    rejected: int = 0
    warnings: int = 0
    archived: int = Field(default=0, description="Instances in the archive, de-identified.")
    held: int = Field(default=0, description="Instances that may identify somebody, kept back.")
    refused: int = Field(default=0, description="Parts that are no usable instance.")


class Progress(BaseModel):
    """How many entries each step has done."""

    read: int
    checked: int
    accepted: int


class Shown(BaseModel):
    """A submission: where it stands and what became of its entries."""

    id: UUID
    number: int = Field(description="Its place in the order in which submissions count.")
    registry_id: str
    definition_version: str
    facility_id: int | None = Field(description="The facility it is for, if it is one.")
    kind: Literal["entries", "instances"]
    channel: str
    state: SubmissionState = Field(description="completed, unreadable and held are ends.")
    policy: Policy
    body_size: int
    received_at: datetime
    completed_at: datetime | None
    entries: int | None = Field(description="How many there are; known once it is read.")
    progress: Progress
    counts: Counts = Field(description="Filled in when it is completed.")

    @classmethod
    def of(cls, row: Submission) -> "Shown":
        """The row as it is shown."""
        fields = {
            name: getattr(row, name)
            for name in cls.model_fields
            if name not in ("progress", "counts")
        }
        done = Progress(read=row.rows_read, checked=row.rows_checked, accepted=row.rows_accepted)
        return cls(**fields, progress=done, counts=Counts(**row.counts))


class ShownFinding(BaseModel):
    """One thing wrong at one place; never the value that stood there."""

    entry: int = Field(description="The entry's number, from 1; 0: all of it.")
    form: str | None
    place: str = Field(
        description="An element, or `column N`, `member N`, `row`, `submission`, `instance`."
    )
    code: str
    severity: Literal["reject", "warn", "information"]
    remedy: str
    allowed: str | None
    facility_id: int | None

    @classmethod
    def of(cls, row: Finding) -> "ShownFinding":
        """The row as it is shown."""
        return cls(
            entry=row.row,
            **{name: getattr(row, name) for name in cls.model_fields if name != "entry"},
        )


class ShownEntry(BaseModel):
    """What became of one entry."""

    entry: int = Field(description="The entry's number, from 1.")
    form: str | None
    action: str | None
    state: Literal["read", "checked", "rejected", "waiting", "accepted"]
    outcome: EntryOutcome | None
    facility_id: int | None
    case_id: int | None

    @classmethod
    def of(cls, row: Entry) -> "ShownEntry":
        """The row as it is shown."""
        return cls(
            entry=row.row,
            **{name: getattr(row, name) for name in cls.model_fields if name != "entry"},
        )
