"""The tables: they hold, they do not decide."""

from app.models.account import (
    Administrator,
    CorporateAccount,
    Facility,
    Key,
    Participation,
    ParticipationTransition,
    Partner,
    PartnerAuthorisation,
    Physician,
    PhysicianFacility,
)
from app.models.audit import AuditBlock, AuditEvent
from app.models.base import Base
from app.models.benchmark import (
    Cell,
    Generation,
    Histogram,
    LakeFile,
    Snapshot,
    SnapshotMember,
    SnapshotSpread,
)
from app.models.case import Case, LookedUp, Subject, Version
from app.models.definition import PublishedDefinition
from app.models.image import Instance, MeasuredCase, Series, Study
from app.models.improvement import (
    ImprovementIntervention,
    ImprovementParticipant,
    ImprovementProject,
)
from app.models.proposal import Proposal, ProposalComment
from app.models.report import IssuedReport, ReportIssue
from app.models.reporting import ImportedModule
from app.models.submission import Entry, Feed, Finding, Schedule, Submission
from app.models.use_case import UseCase, UseCaseComment, UseCaseStep, UseCaseText, UseCaseVersion
from app.models.vault import (
    IdentityRecord,
    ImagePatient,
    Measurement,
    Merge,
    QuarantineObject,
    SubjectToken,
    Term,
)
from app.models.worklist import OpenLoop, WorklistEvent, WorklistMark

__all__ = [
    "Administrator",
    "AuditBlock",
    "AuditEvent",
    "Base",
    "Case",
    "Cell",
    "CorporateAccount",
    "Entry",
    "Facility",
    "Feed",
    "Finding",
    "Generation",
    "Histogram",
    "IdentityRecord",
    "ImagePatient",
    "ImportedModule",
    "ImprovementIntervention",
    "ImprovementParticipant",
    "ImprovementProject",
    "Instance",
    "IssuedReport",
    "Key",
    "LakeFile",
    "LookedUp",
    "MeasuredCase",
    "Measurement",
    "Merge",
    "OpenLoop",
    "Participation",
    "ParticipationTransition",
    "Partner",
    "PartnerAuthorisation",
    "Physician",
    "PhysicianFacility",
    "Proposal",
    "ProposalComment",
    "PublishedDefinition",
    "QuarantineObject",
    "ReportIssue",
    "Schedule",
    "Series",
    "Snapshot",
    "SnapshotMember",
    "SnapshotSpread",
    "Study",
    "Subject",
    "SubjectToken",
    "Submission",
    "Term",
    "UseCase",
    "UseCaseComment",
    "UseCaseStep",
    "UseCaseText",
    "UseCaseVersion",
    "Version",
    "WorklistEvent",
    "WorklistMark",
]
