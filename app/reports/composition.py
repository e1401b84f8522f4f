"""
What a feedback report holds: one object, from which page, PDF, workbook, JSON and charts are made.

Figures come as text, exactly as they are to be read (`"4.2"`, `"12.5"`), so that no reader rounds
them again; counts come as integers. Only what a chart draws, and nobody reads, is a number.
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


class ReportedLevel(Part):
    """A quantile of the facilities' medians, and whether the facility's own is above it."""

    title: str
    value: str | None
    above: bool | None
    withheld: Withheld | None


class Levelled(Part):
    """A facility's median beside the reference levels of a measure or stratum."""

    title: str
    cases: int
    median: str | None
    levels: tuple[ReportedLevel, ...]


class Standing(Part):
    """Where a facility stands in one peer group, by the latest dated snapshot."""

    peer_group: str
    title: str
    snapshot_on: date | None
    facilities: int | None
    low: str | None = Field(description="First quartile of the facilities' rates.")
    median: str | None
    high: str | None = Field(description="Third quartile.")
    p10: str | None = Field(
        default=None, description="10th percentile, told of groups of 20 facilities or more."
    )
    p90: str | None = None
    pooled: str | None = Field(
        default=None, description="The rate of all cases of the group together."
    )
    quartile: int | None = Field(
        description="1 is the best quarter, or the lowest rates where neither direction is better."
    )
    says: str
    withheld: Withheld | None


class RunPoint(Part):
    """One point of a run chart; without a value, `note` says why none is drawn."""

    period: str
    value: float | None
    cases: int
    note: str = ""


class Note(Part):
    """Something written beside a stretch of a run chart."""

    first: str
    last: str
    says: str


class ControlLimit(Part):
    """A point of a control chart with its lines; drawn numbers, in the unit of the chart."""

    period: str
    value: float | None
    centre: float | None
    low: float | None
    high: float | None


class ReportedControl(Part):
    """The control chart that fits the measure, and the special causes it shows (Provost's rules)."""

    chart: str = Field(
        description="p, u, p-prime, u-prime or xmr of periods; g or t, cases or days between events"
    )
    title: str
    points: tuple[ControlLimit, ...]
    signals: tuple[Note, ...] = ()
    trial: bool = Field(default=False, description="Limits rest on fewer than 12 points.")
    says: str

    @property
    def between(self) -> bool:
        """Whether its points are events rather than the periods of the run chart."""
        return self.chart in ("g", "t")


class Run(Part):
    """A measure over time: points of equal length, their median, and whether chance explains them.

    The rules are Anhøj's: the longest run on one side of the median, and how often it is crossed,
    against what chance gives for so many points.
    """

    unit: str = Field(description="month, quarter or year")
    points: tuple[RunPoint, ...]
    median: float | None = Field(
        default=None, description="Of the points; none where fewer than 10 are drawn."
    )
    longest_run: int | None = None
    longest_expected: int | None = None
    crossings: int | None = None
    fewest_expected: int | None = None
    signal: bool = Field(default=False, description="More than chance: the process has changed.")
    course: str = Field(
        default="too-few",
        description="improving, worsening, rising, falling, unsteady, no-signal or too-few",
    )
    notes: tuple[Note, ...] = ()
    control: ReportedControl | None = None
    says: str


class FunnelLimit(Part):
    """Where a facility of so many cases lies if it differs from its peers by chance alone."""

    cases: int
    low_95: float
    high_95: float
    low_998: float
    high_998: float


class Funnel(Part):
    """A facility's result by its number of cases, within the limits of chance around its peers."""

    title: str
    target: float
    target_says: str
    scatter: bool = Field(
        default=False, description="The limits hold ordinary scatter of facilities, beside chance."
    )
    limits: tuple[FunnelLimit, ...]
    cases: int
    value: float
    zone: str = Field(description="inside, beyond-95 or beyond-998")
    earlier: tuple[tuple[int, float], ...] = Field(description="Cases and rate of earlier periods.")
    says: str


class Placing(Part):
    """A result among those of all facilities, chance and their ordinary scatter allowed for."""

    title: str
    target: str = Field(description="The pooled rate; of means the middle of all, geometric.")
    score: str = Field(description="z: standard errors from the target, scatter in the error.")
    zone: str = Field(description="inside, beyond-95 or beyond-998")
    flagged: bool = Field(
        description="Differs from its peers more than chance explains, with all facilities and "
        "measures that were looked at allowed for (Benjamini and Hochberg)."
    )
    above: bool = Field(description="Of the target.")
    reliability: str = Field(description="From 0 to 1: how much of such differences is no chance.")
    shrunk: str = Field(description="The result as far as it can be relied on.")
    low: str
    high: str
    says: str


class ReportedAdjusted(Part):
    """A result beside what patients bring to it: as if all facilities had the same patients."""

    factors: tuple[str, ...] = Field(description="What is allowed for.")
    observed: int | None = None
    expected: str | None = Field(
        default=None, description="Events, were outcomes as those of all facilities' like cases."
    )
    ratio: str | None = Field(default=None, description="Observed to expected.")
    ratio_low: str | None = None
    ratio_high: str | None = None
    shrunk: str | None = Field(
        default=None, description="The ratio as far as it can be relied on (gamma-Poisson)."
    )
    shrunk_low: str | None = None
    shrunk_high: str | None = None
    reliability: str | None = Field(default=None, description="From 0 to 1.")
    rate: str | None = Field(
        default=None,
        description="The rate of all facilities times the ratio, in the report's unit.",
    )
    low: str | None = None
    high: str | None = None
    says: str
    withheld: Withheld | None = None


class ReportedChange(Part):
    """A result beside the same span a year before, with the 95 % interval of what changed."""

    since: str
    before: str
    kind: str = Field(
        default="difference",
        description="`ratio` of rates per 1,000: 1 is no change; else `difference`: 0 is none.",
    )
    value: str | None = Field(description="None of a ratio to nothing.")
    low: str
    high: str | None = Field(description="None where a ratio to nothing has no end.")
    clear: bool = Field(description="The interval leaves out that nothing changed.")
    better: bool | None = Field(description="None where neither direction is better, or not clear.")
    says: str


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
    result: Figures = Field(description="Of the report's own period.")
    latest: Figures | None = Field(
        default=None,
        description="Of the latest period of equal length whose outcomes are known, where that of "
        "the report is too early; standings, strata, funnel and change are then of this one.",
    )
    trend: tuple[Figures, ...]
    standings: tuple[Standing, ...]
    split: tuple[Strata, ...] = Field(description="The same for each way to split the measure.")
    levels: tuple[Levelled, ...] = Field(
        default=(),
        description="Of measures with reference levels, where the facility has cases: what its medians "
        "are held against.",
    )
    change: ReportedChange | None = None
    run: Run | None = None
    funnel: Funnel | None = None
    placing: Placing | None = None
    adjusted: ReportedAdjusted | None = Field(
        default=None, description="Of measures with a case mix, where there is a result to adjust."
    )
    says: str

    @property
    def shown(self) -> Figures:
        """What the page speaks of: the report's period, or the latest one that may be shown."""
        return self.latest or self.result


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


class Completeness(Part):
    """How often one element was filled in."""

    form: str
    element: str
    title: str
    cases: int
    filled: int = Field(description="With a value, one that says `not known` included.")
    unknown: int = Field(description="Of these: not known.")
    always: bool = Field(
        description="Asked of every case; others when another value calls, or if it happened."
    )
    share: str = Field(description="Filled in, in percent.")


class Delay(Part):
    """How many cases of the period came so late after their exam."""

    title: str
    cases: int
    share: str


class FollowUps(Part):
    """How many cases of the period have a follow-up of one kind."""

    title: str
    cases: int
    followed: int
    share: str


class Quality(Part):
    """How complete the facility's own data are."""

    cases: int = Field(description="Cases of the period that count.")
    drafts: int = Field(description="Drafts at this moment; no measure sees them.")
    waiting: int = Field(description="Follow-ups that wait for their case.")
    submissions: int = Field(description="Submissions received since the period began.")
    entries: int = Field(description="Entries in them.")
    rejected: int
    warnings: int
    completeness: tuple[Completeness, ...] = Field(
        default=(), description="By element, the least complete first; those always asked first."
    )
    follow_ups: tuple[FollowUps, ...] = ()
    delays: tuple[Delay, ...] = Field(default=(), description="From exam to first receipt.")
    says: tuple[str, ...]


class NotShown(Part):
    """Something that a reader may look for, and why it is not there."""

    what: str = Field(description="`own result`, `what patients bring`, or the peer group.")
    title: str
    measure_id: str
    reason: str
    says: str


class Summary(Part):
    """What somebody should know who reads nothing else."""

    overall: tuple[str, ...]
    changed: tuple[str, ...]
    stands_out: tuple[str, ...]
    look_at: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, in order."""
        return (*self.overall, *self.changed, *self.stands_out, *self.look_at)


class Issue(Part):
    """Which issue of a report this is: nothing issued is altered, a correction is another issue."""

    number: int
    supersedes: int | None = None
    reason: str | None = None


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
    issue: Issue | None = Field(
        default=None, description="None of a report composed for this look alone."
    )
    summary: Summary
    sections: tuple[Section, ...]
    quality: Quality
    not_shown: tuple[NotShown, ...] = ()
    methods: Methods

    @property
    def measures(self) -> tuple[MeasureFeedback, ...]:
        """Every measure, in the order of the sections."""
        return tuple(one for section in self.sections for one in section.measures)

    def measure(self, measure_id: str) -> MeasureFeedback | None:
        """One measure by its id."""
        return next((one for one in self.measures if one.id == measure_id), None)
