"""
What a feedback report holds: one object, from which the page and the JSON are both made.

Figures come as text, exactly as they are to be read (`"4.2"`, `"12.5"`), so that no reader rounds
them again; counts come as integers.
"""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A part of a composition: nobody changes it once it was composed."""

    model_config = ConfigDict(frozen=True)


class Withheld(Part):
    """Why a figure is not shown."""

    reason: str
    says: str


class Figures(Part):
    """A facility's result for one measure and period. Without a rate, `withheld` says why."""

    period: str
    rate: str | None
    low: str | None
    high: str | None
    numerator: int | None
    denominator: int | None
    exclusions: int | None
    exceptions: int | None
    caution: bool = Field(description="Few cases: read the interval, not the rate.")
    withheld: Withheld | None


class Stratum(Part):
    """A measure's result in one stratum."""

    title: str
    figures: Figures


class Strata(Part):
    """A measure's result, split one way."""

    title: str
    strata: tuple[Stratum, ...]


class Standing(Part):
    """Where a facility stands in one peer group, by the latest dated snapshot."""

    peer_group: str
    title: str
    snapshot_on: date | None
    facilities: int | None
    low: str | None = Field(description="First quartile of the facilities' rates.")
    median: str | None
    high: str | None = Field(description="Third quartile.")
    quartile: int | None = Field(
        description="1 is the best quarter, or the lowest rates where neither direction is better."
    )
    says: str
    withheld: Withheld | None


class MeasureFeedback(Part):
    """What a report says about one measure."""

    id: str
    title: str
    description: str
    module: str | None
    unit: str = Field(description="What a rate is written in, such as `%` or `mGy`.")
    better: str = Field(description="higher, lower or neither")
    source: str
    reference: str | None
    scoring: str = Field(description="proportion, continuous-variable, ratio or cohort")
    result: Figures
    trend: tuple[Figures, ...]
    standings: tuple[Standing, ...]
    split: tuple[Strata, ...] = Field(description="The same for each way to split the measure.")
    says: str


class Section(Part):
    """Measures that are read together."""

    title: str
    measures: tuple[MeasureFeedback, ...]


class Place(Part):
    """The facility a report is for."""

    id: int
    name: str
    corporate_account: str | None
    category: str
    location: str
    division: str | None


class Quality(Part):
    """How complete the facility's own data are."""

    cases: int = Field(description="Cases of the period that count.")
    drafts: int = Field(description="Drafts at this moment; no measure sees them.")
    waiting: int = Field(description="Follow-ups that wait for their case.")
    submissions: int = Field(description="Submissions received since the period began.")
    entries: int = Field(description="Entries in them.")
    rejected: int
    warnings: int
    says: tuple[str, ...]


class Methods(Part):
    """How the figures came about, and what of it is not confirmed."""

    definition_version: str
    definition_digest: str
    feed_number: int
    as_of: datetime | None
    snapshot_on: date | None
    says: tuple[str, ...]
    unconfirmed: tuple[str, ...]


class Composition(Part):
    """A facility's feedback report for one registry and period."""

    registry_id: str
    registry: str
    steward: str
    facility: Place
    period: str
    period_says: str
    composed_at: datetime
    summary: tuple[str, ...]
    sections: tuple[Section, ...]
    quality: Quality
    methods: Methods
