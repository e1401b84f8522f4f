"""
Compose a facility's feedback report: one object, from which every form of it is made.

What may be shown was decided below, in `app.benchmarks`; nothing is decided again here. The session is
in the facility's own scope, so that the database itself would refuse another's rows.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import errors
from app.benchmarks.ground import Ground, ground
from app.benchmarks.periods import Period, year_before
from app.benchmarks.position import position_of
from app.benchmarks.query import AsOf, Result, results
from app.models.account import CorporateAccount, Facility
from app.registries.measure import Measure
from app.registries.schema import Definition
from app.reports import spans, words
from app.reports.composition import (
    Composition,
    Issue,
    MeasureFeedback,
    Methods,
    Place,
    Section,
)
from app.reports.evidence import adjusted, change, funnel, peer_position
from app.reports.figures import Split, figures, levelled, standing, strata
from app.reports.methods import METHODS
from app.reports.quality import quality
from app.reports.runs import run
from app.reports.summary import summary
from app.reports.unshown import unshown


@dataclass(frozen=True, slots=True)
class Told:
    """A measure's results: of the report's period, of the one that is shown, and of others."""

    own: Result
    shown: Result
    """With its peers; of an earlier period where outcomes of the report's own are not known yet."""
    others: Mapping[Period, Result]
    split: Sequence[Split] = ()

    @property
    def measure(self) -> Measure:
        return self.own.measure

    def over(self, periods: Sequence[Period]) -> list[Result]:
        """The results over some periods, in their order."""
        return [self.others[one] for one in periods]


async def compose(
    session: AsyncSession,
    definition: Definition,
    facility_id: int,
    over: Period,
    *,
    at: datetime,
    issue: Issue | None = None,
) -> Composition:
    """The report of one facility, registry and period as it stands at this moment."""
    place = await _place(session, definition, facility_id)
    as_of, told = await _told(
        session, definition, facility_id, over, at.date(), definition.measures
    )
    measures = [feedback(told[one.id]) for one in definition.measures]
    own_data = await quality(session, definition, facility_id, over, at)
    hidden = unshown(definition, measures, at.date())
    snapshots = [one.snapshot_on for measure in measures for one in measure.standings]
    return Composition(
        registry_id=definition.id,
        registry=definition.title,
        steward=definition.steward,
        facility=place,
        period=over.label,
        period_says=words.period_says(over.label),
        composed_at=at,
        issue=issue,
        summary=summary(over.label, measures, own_data, hidden),
        sections=_sections(definition, measures),
        quality=own_data,
        not_shown=hidden,
        methods=Methods(
            definition_version=definition.version,
            definition_digest=definition.digest,
            feed_number=as_of.feed_number,
            as_of=as_of.at,
            snapshot_on=next((day for day in snapshots if day is not None), None),
            says=METHODS,
            unconfirmed=words.unconfirmed(definition),
        ),
    )


def feedback(told: Told) -> MeasureFeedback:
    """What the report says of one measure."""
    measure, own, shown = told.measure, told.own, told.shown
    result = figures(own)
    latest = figures(shown) if shown.period != own.period else None
    standings = tuple(standing(measure, one) for one in shown.peers)
    before = year_before(shown.period)
    changed = change(shown, told.others[before], words.period_says(before.label))
    trend = told.over(spans.trend(own.period))
    counted = measure.scoring == "cohort"
    group = next((one for one in shown.peers if one.median is not None), None)
    found = None if group is None else position_of(shown, group.norm)
    placing = peer_position(shown, found, group)
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
        result=result,
        latest=latest,
        trend=tuple(figures(one) for one in trend),
        standings=standings,
        split=strata(measure, told.split),
        levels=levelled(measure, shown, told.split),
        change=changed,
        run=None
        if counted
        else run(told.over(spans.months(shown.period)), told.over(spans.quarters(shown.period))),
        funnel=funnel(shown, found, group, told.over(spans.trend(shown.period))),
        placing=placing,
        adjusted=adjusted(shown),
        says=words.measure_says(measure, result, latest, changed, standings, placing),
    )


async def compose_measure(
    session: AsyncSession,
    definition: Definition,
    facility_id: int,
    over: Period,
    measure_id: str,
    *,
    today: date,
) -> MeasureFeedback:
    """One measure of a report alone; KeyError where the definition has no such measure."""
    measure = definition.measure(measure_id)
    _, told = await _told(session, definition, facility_id, over, today, [measure])
    return feedback(told[measure_id])


async def _told(
    session: AsyncSession,
    definition: Definition,
    facility_id: int,
    over: Period,
    today: date,
    wanted_measures: Sequence[Measure],
) -> tuple[AsOf, dict[str, Told]]:
    """The measures' results. Measures whose outcomes take equally long are asked for together."""
    alike: dict[Period, list[Measure]] = defaultdict(list)
    for measure in wanted_measures:
        alike[spans.matured(over, measure.matures_after, today)].append(measure)
    as_of = AsOf(0, None)
    found: dict[str, Told] = {}
    stands = await ground(session, definition, facility_id)
    for period, measures in alike.items():
        wanted = dict.fromkeys(
            [
                *spans.trend(over),
                *spans.trend(period),
                year_before(period),
                *spans.months(period),
                *spans.quarters(period),
            ]
        )
        others = await results(
            session,
            definition,
            facility_id,
            list(wanted),
            today=today,
            measures=measures,
            with_peers=False,
            on=stands,
            bare=set(wanted) - {*spans.trend(over), *spans.trend(period), over},
        )
        shown = await results(
            session,
            definition,
            facility_id,
            [period],
            today=today,
            measures=measures,
            with_case_mix=True,
            on=stands,
        )
        as_of = others.as_of
        split = await _split(session, definition, facility_id, period, today, measures, stands)
        by_measure: dict[str, dict[Period, Result]] = defaultdict(dict)
        for one in others.results:
            by_measure[one.measure.id][one.period] = one
        for one in shown.results:
            known = by_measure[one.measure.id]
            found[one.measure.id] = Told(known[over], one, known, split[one.measure.id])
    return as_of, found


async def _split(
    session: AsyncSession,
    definition: Definition,
    facility_id: int,
    over: Period,
    today: date,
    measures: Sequence[Measure],
    stands: Ground,
) -> dict[str, list[Split]]:
    found: dict[str, list[Split]] = defaultdict(list)
    for stratifier in dict.fromkeys(one.id for measure in measures for one in measure.stratifiers):
        answer = await results(
            session,
            definition,
            facility_id,
            [over],
            today=today,
            measures=measures,
            stratifier=stratifier,
            on=stands,
        )
        for measure in measures:
            title = next((one.title for one in measure.stratifiers if one.id == stratifier), None)
            own = [one for one in answer.results if one.measure.id == measure.id]
            if title is not None and own:
                found[measure.id].append(Split(measure.id, stratifier, title, own))
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
