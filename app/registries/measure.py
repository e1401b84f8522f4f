"""What a registry counts: a measure, its strata, its worked examples, and what it is to CMS."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from app.registries.case_mix import Factor
from app.registries.parts import Expression, Identifier, Part, Slug, Source

Scoring = Literal["proportion", "continuous-variable", "ratio", "cohort"]
Improvement = Literal["increase", "decrease", "none"]
ControlChart = Literal["auto", "p", "u", "xmr", "g", "t"]


def _whole(value: object) -> object:
    """A literal number is compared, not converted: text is made one first."""
    return int(value) if isinstance(value, str) and value.isdigit() and len(value) < 9 else value


class Stratifier(Part):
    """A way to split a measure; strata are never crossed. NULL belongs to no stratum."""

    id: Identifier
    title: str
    expression: Expression
    """Gives the stratum as text."""
    strata: dict[str, str] = {}
    """Label of each stratum, in the order of display."""
    source: Source = "confirmed"


class ShownWhen(Part):
    """A result is shown only when another measure of the same facility and period reaches this."""

    measure: Identifier
    at_least: Decimal


class ExampleFollowUp(Part):
    form: Identifier
    elements: dict[str, Any]


class ExampleCase(Part):
    """A case of a worked example: elements as anybody would send them."""

    subject: str
    facility: str = "200001"
    form: Identifier | None = None
    """The measure's form when left out."""
    elements: dict[str, Any]
    follow_ups: tuple[ExampleFollowUp, ...] = ()


class Counts(Part):
    """What a facility counts in an example; `stratum` is `<stratifier>:<stratum>`, else overall."""

    facility: str = "200001"
    stratum: str | None = None
    initial_population: int | None = None
    """Checked where it is given: for a cohort it is all there is."""
    case_mix: dict[str, str] | None = None
    """Of the cases with these levels alone: of each factor of the case mix, its level."""
    denominator: int = 0
    numerator: int = 0
    exclusions: int = 0
    exceptions: int = 0
    observations: int | None = None
    """How many observations went into the sum; the denominator when left out."""
    sum: Decimal | None = None
    sum_of_squares: Decimal | None = None
    histogram: tuple[int, ...] | None = None


class Example(Part):
    """A worked example: cases in, counts out. Examples are tests."""

    title: str
    common: dict[str, Any] = {}
    """Elements that every case of this example has unless it says otherwise (null takes away)."""
    cases: Annotated[tuple[ExampleCase, ...], Field(min_length=1)]
    subjects: dict[str, dict[str, Any]] = {}
    """Subject entries sent by themselves: subject -> elements."""
    expect: tuple[Counts, ...]


class Qpp(Part):
    """Which measure of CMS's Quality Payment Program a measure is, in which performance years.

    CMS's eligible population is the denominator with the exceptions, and with the exclusions unless
    they are `outside` of it.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,20}$")]
    """As CMS writes it: `ACRAD34`, `364`."""
    years: Annotated[
        tuple[Annotated[int, Field(ge=2017, le=2099)], ...], Field(min_length=1, max_length=83)
    ]
    """The performance years in which it is that measure."""
    clinician: Identifier
    """The element with the NPI of whom a case counts for."""
    exclusions: Literal["outside", "exclusion", "numerator-exclusion", "not-reported"] = "outside"
    """What exclusions are to CMS. Not reported: eligible, and nothing known of the performance."""
    exceptions: Literal["exception", "numerator-exclusion", "not-reported"] = "exception"
    """What exceptions are to CMS."""
    stratifier: Identifier | None = None
    """For a measure that CMS takes in strata: what splits it."""
    strata: dict[str, str] = {}
    """CMS's name of each stratum -> the stratifier's."""
    end_to_end: bool = False
    """Whether its data come from certified technology, untouched by hand all the way."""
    source: Source = "confirmed"
    reference: str | None = None


class ReferenceLevel(Part):
    """A named quantile of the facilities' medians."""

    id: Slug
    title: str
    share: Annotated[Decimal, Field(gt=0, lt=1)]
    """Of the facilities whose medians are at or below it: 0.75 of a diagnostic reference level."""


class ReferenceLevels(Part):
    """What facilities' medians are held against, registry-wide: of the measure, or of each stratum."""

    by: Identifier | None = None
    """The stratifier; of the whole measure when left out."""
    levels: Annotated[tuple[ReferenceLevel, ...], Field(min_length=1, max_length=4)]
    source: Source = "confirmed"
    reference: str | None = None


class Measure(Part):
    """What is counted, in the words of FHIR's Measure. NULL counts as FALSE everywhere.

    A case of `form` in `initial_population` and `denominator` is an exclusion if
    `denominator_exclusion`; else, if not in `numerator`, an exception if `denominator_exception`.
    What is left is the denominator that a rate divides by. A continuous variable sums
    `observation` over that denominator, where it is not NULL. A ratio divides the sum of
    `observation` over the numerator by the count of the denominator. A cohort only counts.
    """

    id: Identifier
    title: str
    description: str
    module: Slug | None = None
    form: Identifier
    scoring: Scoring
    initial_population: Expression = "TRUE"
    denominator: Expression = "TRUE"
    denominator_exclusion: Expression | None = None
    denominator_exception: Expression | None = None
    numerator: Expression | None = None
    observation: Expression | None = None
    scale: Annotated[int, Field(ge=0, le=9)] = 0
    """Decimals of the observation."""
    stratifiers: tuple[Stratifier, ...] = ()
    case_mix: tuple[Factor, ...] = ()
    """What patients bring to the outcome of a proportion: observed is then told beside expected."""
    improvement: Improvement = "none"
    matures_after: Annotated[int, Field(ge=0, le=120)] = 0
    """Months after a period's end before its results are shown."""
    shown_when: ShownWhen | None = None
    minimum_cases: Annotated[int, Field(ge=0)] = 10
    """Below this many a rate is withheld."""
    caution_below: Annotated[int, Field(ge=0)] = 30
    """Below this many a rate is shown with caution."""
    per: Annotated[Literal[1, 100, 1000], BeforeValidator(_whole)] = 100
    """A rate is displayed per so many."""
    control_chart: ControlChart = "auto"
    """The control chart of its course. By itself p of a share, u of a rate per 1,000, XmR of a mean or
    ratio, and g, cases between events, where a quarter of the periods have none. `t` is days between."""
    bins: Annotated[tuple[Decimal, ...], Field(max_length=64)] = ()
    """Edges of the histogram of the observation: below the first, between, at or above the last."""
    reference_levels: ReferenceLevels | None = None
    """Quantiles of the facilities' medians that snapshots tell; the medians are read from `bins`."""
    unit: str | None = None
    section: str | None = None
    """The part of a feedback report it stands in."""
    qpp: tuple[Qpp, ...] = ()
    """What it is to CMS's Quality Payment Program, if anything."""
    source: Source = "confirmed"
    reference: str | None = None
    examples: tuple[Example, ...] = ()

    @property
    def reference_strata(self) -> tuple[str, ...]:
        """The strata that have reference levels; one without a name stands for the whole measure."""
        if self.reference_levels is None:
            return ()
        by = self.reference_levels.by
        return next((tuple(one.strata) for one in self.stratifiers if one.id == by), ("",))
