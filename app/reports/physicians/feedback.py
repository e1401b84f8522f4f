"""What a physician's feedback holds: one object, from which page, paper and JSON are made."""

from datetime import date, datetime

from pydantic import Field

from app.reports.composition import Figures, Part, Withheld


class Beside(Part):
    """The facility's rate beside the physician's own, without a count."""

    rate: str | None
    withheld: Withheld | None


class PeerRates(Part):
    """How facilities' rates are spread in one peer group, by the latest dated snapshot."""

    title: str
    snapshot_on: date | None
    low: str | None = Field(description="First quartile of the facilities' rates.")
    median: str | None
    high: str | None = Field(description="Third quartile.")
    withheld: Withheld | None


class OwnMeasure(Part):
    """A physician's own result in one measure."""

    id: str
    title: str
    description: str
    section: str
    unit: str
    better: str
    source: str
    reference: str | None
    own: Figures
    facility: Beside
    peers: tuple[PeerRates, ...]
    says: str


class PhysicianFeedback(Part):
    """A physician's results of one facility, registry and period: for the physician and its administrator."""

    registry_id: str
    registry: str
    steward: str
    facility: int
    facility_name: str
    physician: int
    physician_name: str
    period: str
    period_says: str
    measures: tuple[OwnMeasure, ...]
    colleagues: int = Field(
        description="Others with cases of the period; 0 where they are fewer than 5."
    )
    methods: tuple[str, ...]
    definition_version: str
    definition_digest: str
    feed_number: int
    as_of: datetime | None
    composed_at: datetime
