"""
What an improvement project has to show: one object, from which chart, page, paper and JSON are made.

Figures come as they are read, from the same tables and by the same rules as a feedback report's.
"""

from datetime import date, datetime

from pydantic import Field

from app.reports.composition import Figures, Part, ReportedChange, RunPoint


class PlacedPoint(RunPoint):
    """A point of the run chart, and the first day of its period."""

    first: date


class PhasePart(Part):
    """A stretch of the run chart with a median of its own."""

    title: str
    first: date = Field(description="The first day of its first period.")
    last: date = Field(description="The first day of its last period.")
    median: float | None


class MarkedStep(Part):
    """A change that was carried out, as it is marked in the chart."""

    number: int
    on: date
    says: str


class ProjectRun(Part):
    """The measure over time, in phases that begin after each change."""

    unit: str = Field(description="month, or three months where single ones hold too few cases")
    months: int = Field(description="How many months a point stands for.")
    points: tuple[PlacedPoint, ...]
    phases: tuple[PhasePart, ...]
    changes: tuple[MarkedStep, ...]
    says: str


class Intervention(Part):
    """One step of the cycle of change."""

    id: int
    kind: str
    on: date
    says: str
    suggestion: str | None


class Participant(Part):
    """Somebody who took part."""

    id: int
    name: str
    role: str
    from_day: date
    to_day: date | None


class Requirement(Part):
    """Something that must be on record, and whether it is."""

    what: str
    met: bool
    says: str


class MeasureNamed(Part):
    """The measure a project is judged by."""

    id: str
    title: str
    description: str
    unit: str
    per: int
    better: str
    source: str
    reference: str | None


class Evidence(Part):
    """What an office of continuing education needs: who, what, since when, and what came of it."""

    project: int
    state: str
    template: str
    title: str
    purpose: str
    aim: str
    facility: int
    facility_name: str
    registry_id: str
    registry: str
    steward: str
    definition_version: str
    definition_digest: str
    measure: MeasureNamed
    baseline: Figures
    remeasurement: Figures | None = Field(
        description="None while there are too few months after the first change."
    )
    change: ReportedChange | None = Field(
        description="The difference with its 95 % interval: Newcombe's of proportions, Welch's of means."
    )
    run: ProjectRun
    interventions: tuple[Intervention, ...]
    participants: tuple[Participant, ...]
    requirements: tuple[Requirement, ...]
    complete: bool = Field(description="All requirements are met.")
    conclusion: str | None
    says: tuple[str, ...]
    feed_number: int
    as_of: datetime | None
    composed_at: datetime
    began_on: date
    closed_on: date | None
