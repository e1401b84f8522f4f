"""
Compose a facility's feedback report: one object, from which page and JSON are made.

What may be shown was decided below, in `app.benchmarks`; nothing is decided again here. The session is
in the facility's own scope, so that the database itself would refuse another's rows.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import errors
from app.benchmarks import rates
from app.benchmarks.periods import Period, later
from app.benchmarks.query import REASONS, Result, Spread, results
from app.benchmarks.statistics import half_up
from app.models.account import CorporateAccount, Facility
from app.registries.schema import Definition, Measure
from app.reports import words
from app.reports.composition import (
    Composition,
    Figures,
    MeasureFeedback,
    Methods,
    Place,
    Section,
    Standing,
    Strata,
    Stratum,
    Withheld,
)
from app.reports.quality import quality

PERIODS = 6
"""How many periods a trend shows, the report's own included."""

MOST_DECIMALS = 2
"""Of a mean or a ratio: people read no more."""


async def compose(
    session: AsyncSession,
    definition: Definition,
    facility_id: int,
    over: Period,
    *,
    at: datetime,
) -> Composition:
    """The report of one facility, registry and period as it stands at this moment."""
    place = await _place(session, definition, facility_id)
    asked = trend_periods(over)
    answer = await results(session, definition, facility_id, asked, today=at.date())
    split = await _split(session, definition, facility_id, over, at)
    told = {(one.measure.id, one.period): one for one in answer.results}
    measures = [
        feedback(measure, [told[measure.id, period] for period in asked], split)
        for measure in definition.measures
    ]
    own_data = await quality(session, definition, facility_id, over, at)
    snapshots = [one.snapshot_on for result in answer.results for one in result.peers]
    return Composition(
        registry_id=definition.id,
        registry=definition.title,
        steward=definition.steward,
        facility=place,
        period=over.label,
        period_says=words.period_says(over.label),
        composed_at=at,
        summary=words.summary(over.label, measures, own_data),
        sections=_sections(definition, measures),
        quality=own_data,
        methods=Methods(
            definition_version=definition.version,
            definition_digest=definition.digest,
            feed_number=answer.as_of.feed_number,
            as_of=answer.as_of.at,
            snapshot_on=next((day for day in snapshots if day is not None), None),
            says=words.METHODS,
            unconfirmed=words.unconfirmed(definition),
        ),
    )


def trend_periods(over: Period) -> list[Period]:
    """The period and those of the same length before it, oldest first."""
    length = sum(1 for _ in over.months())
    return [
        Period(later(over.first, -length * back), later(over.last, -length * back))
        for back in reversed(range(PERIODS))
    ]


class Split(NamedTuple):
    """One measure's results in the strata of one stratifier."""

    measure_id: str
    title: str
    results: Sequence[Result]


def feedback(
    measure: Measure, trend: Sequence[Result], split: Iterable[Split] = ()
) -> MeasureFeedback:
    """What the report says of one measure; the last of `trend` is the report's own period."""
    own = trend[-1]
    shown = [figures(one) for one in trend]
    standings = tuple(standing(measure, one) for one in own.peers)
    return MeasureFeedback(
        id=measure.id,
        title=measure.title,
        description=measure.description,
        module=measure.module,
        unit=words.unit_of(measure),
        better=words.better(measure),
        source=measure.source,
        reference=measure.reference,
        scoring=measure.scoring,
        result=shown[-1],
        trend=tuple(shown),
        standings=standings,
        split=tuple(_strata(measure, one) for one in split if one.measure_id == measure.id),
        says=words.measure_says(
            measure, shown[-1], shown[-2] if len(shown) > 1 else None, standings
        ),
    )


def figures(result: Result) -> Figures:
    """A result as it is read. A numerator that may not be known yet stays unsaid."""
    measure, counts = result.measure, result.counts
    exact: Fraction | None = None
    if measure.scoring == "cohort" and result.withheld is None:
        exact = Fraction(counts.initial_population)
    elif result.rate is not None:
        exact = rates.rate(measure, counts)
    hidden = result.hides_outcome or measure.scoring != "proportion"
    return Figures(
        period=result.period.label,
        rate=None if exact is None else _read(measure, exact),
        low=None if result.low is None else _read(measure, result.low),
        high=None if result.high is None else _read(measure, result.high),
        numerator=None if hidden else counts.numerator,
        denominator=counts.initial_population
        if measure.scoring == "cohort"
        else rates.size(measure, counts),
        exclusions=counts.exclusions,
        exceptions=None if result.hides_outcome else counts.exceptions,
        caution=result.caution,
        withheld=_withheld(result.withheld),
    )


def standing(measure: Measure, spread: Spread) -> Standing:
    """Where the facility stands among one group of peers."""
    withheld = _withheld(spread.withheld)
    return Standing(
        peer_group=spread.peer_group,
        title=spread.title,
        snapshot_on=spread.snapshot_on,
        facilities=spread.facilities if withheld is None else None,
        low=None if spread.low is None else _read(measure, spread.low),
        median=None if spread.median is None else _read(measure, spread.median),
        high=None if spread.high is None else _read(measure, spread.high),
        quartile=spread.quartile,
        says=withheld.says
        if withheld
        else words.standing_says(spread.quartile, words.better(measure), spread.facilities),
        withheld=withheld,
    )


def _read(measure: Measure, value: Fraction | Decimal) -> str:
    """A rate as it is read: per 100 or 1,000 where the measure says so; a count without decimals."""
    if measure.scoring == "cohort":
        return str(half_up(value, 0))
    if measure.scoring == "proportion":
        return str(half_up(Fraction(value) * measure.per, 3 if measure.per == 1 else 1))
    return str(half_up(value, min(rates.peer_digits(measure), MOST_DECIMALS)))


def _withheld(reason: str | None) -> Withheld | None:
    return None if reason is None else Withheld(reason=reason, says=REASONS[reason])


def _strata(measure: Measure, split: Split) -> Strata:
    labels = next(one.strata for one in measure.stratifiers if one.title == split.title)
    return Strata(
        title=split.title,
        strata=tuple(
            Stratum(
                title=labels.get(one.stratum or "", one.stratum or ""),
                figures=figures(one),
            )
            for one in split.results
        ),
    )


async def _split(
    session: AsyncSession,
    definition: Definition,
    facility_id: int,
    over: Period,
    at: datetime,
) -> list[Split]:
    found = []
    identifiers = dict.fromkeys(
        one.id for measure in definition.measures for one in measure.stratifiers
    )
    for stratifier in identifiers:
        answer = await results(
            session, definition, facility_id, [over], today=at.date(), stratifier=stratifier
        )
        for measure in definition.measures:
            title = next((one.title for one in measure.stratifiers if one.id == stratifier), None)
            own = [one for one in answer.results if one.measure.id == measure.id]
            if title is not None and own:
                found.append(Split(measure.id, title, own))
    return found


def _sections(definition: Definition, measures: Sequence[MeasureFeedback]) -> tuple[Section, ...]:
    """Measures under the headings their definition gives them, in its order."""
    titles = {module.id: module.title for module in definition.modules}
    grouped: dict[str, list[MeasureFeedback]] = {}
    for measure, told in zip(definition.measures, measures, strict=True):
        title = measure.section or titles.get(measure.module or "", definition.title)
        grouped.setdefault(title, []).append(told)
    return tuple(Section(title=title, measures=tuple(told)) for title, told in grouped.items())


async def _place(session: AsyncSession, definition: Definition, facility_id: int) -> Place:
    row = (
        await session.execute(
            select(Facility, CorporateAccount.name)
            .join(CorporateAccount, CorporateAccount.id == Facility.corporate_account_id)
            .where(Facility.id == facility_id)
        )
    ).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such facility, or it is not within your key.")
    facility, account = row
    called = {grouping.by: grouping.groups for grouping in definition.peers}

    def said(by: str, value: str) -> str:
        return called.get(by, {}).get(value, value)  # type: ignore[call-overload, no-any-return]

    return Place(
        id=facility.id,
        name=facility.name,
        corporate_account=account,
        category=said("category", facility.category),
        location=said("location", facility.location),
        division=said("division", facility.census_division) if facility.census_division else None,
    )
