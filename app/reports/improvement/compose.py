"""
Compose what an improvement project has to show, from the facility's own tables.

The session is in the facility's own scope. What may be shown was decided below; a period that is
withheld is said to be, with its reason, and nothing is compared with it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import errors
from app.benchmarks.periods import Period, later
from app.benchmarks.query import Result, results
from app.benchmarks.statistics.charts import phases
from app.benchmarks.statistics.run_charts import FEWEST, run_chart, trend
from app.models.account import Facility
from app.models.improvement import (
    ImprovementIntervention,
    ImprovementParticipant,
    ImprovementProject,
)
from app.registries.improvement import ImprovementTemplate
from app.registries.measure import Measure
from app.registries.schema import Definition
from app.reports import words
from app.reports.composition import Figures
from app.reports.evidence import change
from app.reports.figures import figures
from app.reports.improvement.evidence import (
    Evidence,
    Intervention,
    MarkedStep,
    MeasureNamed,
    Participant,
    PhasePart,
    PlacedPoint,
    ProjectRun,
    Requirement,
)
from app.reports.improvement.plan import first_month, months, remeasured
from app.reports.runs import SHOWN_SHARE, point

CAUTION = (
    "A comparison of before and after cannot tell what a change did from anything else that happened "
    "at the time."
)
THREE = 3


@dataclass(frozen=True, slots=True)
class Kept:
    """A project with everything that was written down of it."""

    row: ImprovementProject
    interventions: Sequence[ImprovementIntervention]
    participants: Sequence[ImprovementParticipant]

    @property
    def template(self) -> ImprovementTemplate:
        return ImprovementTemplate.model_validate(self.row.template)

    @property
    def baseline(self) -> Period:
        return Period(self.row.baseline_first, self.row.baseline_last)

    @property
    def asked_again(self) -> Period | None:
        first, last = self.row.remeasurement_first, self.row.remeasurement_last
        return None if first is None or last is None else Period(first, last)

    def changes(self, until: date) -> list[ImprovementIntervention]:
        """What was carried out up to a day, in order."""
        done = [one for one in self.interventions if one.kind == "do" and one.on <= until]
        return sorted(done, key=lambda one: (one.on, one.id))


async def compose(
    session: AsyncSession, definition: Definition, kept: Kept, *, at: datetime
) -> Evidence:
    """The evidence as it stands; Conflict where the registry has the project's measure no more."""
    row, template, today = kept.row, kept.template, at.date()
    if all(one.id != row.measure_id for one in definition.measures):
        raise errors.Conflict(
            "The registry counts this measure no more: choose another of the project's."
        )
    measure = definition.measure(row.measure_id)
    changes = kept.changes(today)
    again = remeasured(
        template,
        kept.baseline,
        kept.asked_again,
        [one.on for one in changes],
        measure.matures_after,
        today,
    )
    places, wider = _places(kept.baseline, again, today)
    wanted = dict.fromkeys([kept.baseline, *([again] if again else []), *places, *wider])
    answer = await results(
        session,
        definition,
        row.facility_id,
        list(wanted),
        today=today,
        measures=[measure],
        with_peers=False,
    )
    known = {one.period: one for one in answer.results}
    before = known[kept.baseline]
    after = known[again] if again else None
    facility = await session.scalar(select(Facility.name).where(Facility.id == row.facility_id))
    run = _run(
        measure,
        _with_cases(known[one] for one in places),
        _with_cases(known[one] for one in wider),
        changes,
    )
    told = _Told(kept, measure, before, after, run, today)
    requirements = _requirements(told)
    return Evidence(
        project=row.id,
        state=row.state,
        template=row.template_id,
        title=template.title,
        purpose=template.purpose,
        aim=row.aim,
        facility=row.facility_id,
        facility_name=facility or "",
        registry_id=definition.id,
        registry=definition.title,
        steward=definition.steward,
        definition_version=definition.version,
        definition_digest=definition.digest,
        measure=MeasureNamed(
            id=measure.id,
            title=measure.title,
            description=measure.description,
            unit=words.unit_of(measure),
            per=measure.per,
            better=words.better(measure),
            source=measure.source,
            reference=measure.reference,
        ),
        baseline=figures(before),
        remeasurement=None if after is None else figures(after),
        change=None if after is None else change(after, before, _period(before)),
        run=run,
        interventions=tuple(
            Intervention.model_validate(one, from_attributes=True)
            for one in sorted(kept.interventions, key=lambda one: (one.on, one.id))
        ),
        participants=tuple(
            Participant.model_validate(one, from_attributes=True)
            for one in sorted(kept.participants, key=lambda one: (one.from_day, one.id))
        ),
        requirements=requirements,
        complete=all(one.met for one in requirements),
        conclusion=row.conclusion,
        says=_says(told),
        feed_number=answer.as_of.feed_number,
        as_of=answer.as_of.at,
        composed_at=at,
        began_on=row.created_at.date(),
        closed_on=None if row.closed_at is None else row.closed_at.date(),
    )


@dataclass(frozen=True, slots=True)
class _Told:
    kept: Kept
    measure: Measure
    before: Result
    after: Result | None
    run: ProjectRun
    today: date


def _period(result: Result) -> str:
    return words.period_says(result.period.label)


def _places(
    baseline: Period, again: Period | None, today: date
) -> tuple[list[Period], list[Period]]:
    """The chart's periods, by month and by three months: whole ones, from the baseline's first month on."""
    last = max(later(today.replace(day=1), -1), baseline.last)
    if again is not None:
        last = min(last, max(again.last, baseline.last))
    whole = list(Period(baseline.first, last).months())
    single = [Period(one, one) for one in whole]
    starts = [one for one in whole[::THREE] if later(one, THREE - 1) <= last]
    return single, [Period(one, later(one, THREE - 1)) for one in starts]


def _with_cases(found: Iterable[Result]) -> list[Result]:
    """Up to the last period with a case, of two at least: what is yet to come is no gap."""
    shown = list(found)
    while len(shown) > 2 and not shown[-1].counts.initial_population:
        shown.pop()
    return shown


def _run(
    measure: Measure,
    by_month: Sequence[Result],
    by_three: Sequence[Result],
    changes: Sequence[ImprovementIntervention],
) -> ProjectRun:
    shown = sum(one.rate is not None for one in by_month)
    fine = shown >= max(SHOWN_SHARE * len(by_month), 2) or not by_three
    chosen, size = (by_month, 1) if fine else (by_three, THREE)
    points = [PlacedPoint(first=one.period.first, **point(one).model_dump()) for one in chosen]
    # A phase begins with the first point that lies wholly after a change.
    starts = {
        next((place for place, one in enumerate(chosen) if one.period.first >= since), None)
        for since in (first_month(one.on) for one in changes)
    }
    inside = sorted(one for one in starts if one is not None and one > 0)
    chart = run_chart([one.value for one in points], phases(len(points), inside))
    parts = [
        PhasePart(
            title=_phase_title(number, chosen[phase.first].period, changes),
            first=points[phase.first].first,
            last=points[phase.after - 1].first,
            median=None if (centre := chart.centre[phase.first]) is None else round(centre, 4),
        )
        for number, phase in enumerate(chart.phases)
    ]
    whole = run_chart([one.value for one in points])
    return ProjectRun(
        unit="month" if size == 1 else "three months",
        months=size,
        points=tuple(points),
        phases=tuple(parts),
        changes=tuple(
            MarkedStep(number=number, on=one.on, says=one.says)
            for number, one in enumerate(changes, start=1)
        ),
        says=f"Over all points: {words.lowered(trend(whole, measure.improvement).words)}"
        if sum(one.value is not None for one in points) >= FEWEST
        else f"Fewer than {FEWEST} points can be shown: too few to tell a change from chance by their run.",
    )


def _phase_title(number: int, begins: Period, changes: Sequence[ImprovementIntervention]) -> str:
    if number:
        return f"After change {_after(begins, changes)}"
    return "Before the first change" if changes else "All points"


def _after(begins: Period, changes: Sequence[ImprovementIntervention]) -> str:
    """The numbers of the changes that a phase begins after: the last one, or several of one time."""
    before = [
        (first_month(one.on), number)
        for number, one in enumerate(changes, start=1)
        if first_month(one.on) <= begins.first
    ]
    latest = max(first for first, _ in before)
    return words.listed(str(number) for first, number in before if first == latest)


def _requirements(told: _Told) -> tuple[Requirement, ...]:
    """What the template asks for, one by one."""
    kept, needs = told.kept, told.kept.template.evidence
    changes = kept.changes(told.today)
    on_record = {one.kind for one in kept.interventions if one.on <= told.today}
    lacking = [step for step in needs.steps if step not in on_record]
    after = told.after
    days = needs.participation_months
    ends = told.today if kept.row.closed_at is None else kept.row.closed_at.date()
    short = [
        one
        for one in kept.participants
        if min(one.to_day or ends, ends) < _months_on(one.from_day, days)
    ]
    late = bool(changes) and after is not None and after.period.first >= first_month(changes[0].on)
    return (
        Requirement(
            what="baseline",
            met=told.before.rate is not None,
            says="The baseline is shown."
            if told.before.rate is not None
            else f"The baseline is not shown: {_reason(figures(told.before))}",
        ),
        Requirement(
            what="changes",
            met=len(changes) >= needs.changes,
            says=f"Changes carried out: {len(changes)}, of at least {needs.changes}.",
        ),
        Requirement(
            what="steps",
            met=not lacking,
            says="Every step is on record."
            if not lacking
            else f"Not on record yet: {words.listed(lacking)}.",
        ),
        Requirement(
            what="re-measurement",
            met=after is not None
            and after.rate is not None
            and months(after.period) >= kept.template.remeasurement_months
            and told.today > after.period.end,
            says=_remeasured_says(told),
        ),
        Requirement(
            what="order",
            met=late,
            says="The re-measurement begins after the first change."
            if late
            else "The re-measurement must begin after the first change.",
        ),
        Requirement(
            what="participants",
            met=bool(kept.participants) and not short,
            says="Nobody is named who took part."
            if not kept.participants
            else f"Everybody named took part for {days} months or longer."
            if not short
            else f"Took part for less than {days} months: {len(short)} of {len(kept.participants)}.",
        ),
        Requirement(
            what="conclusion",
            met=kept.row.conclusion is not None,
            says="The project was closed with a conclusion."
            if kept.row.conclusion is not None
            else "The project is open: it is closed with a conclusion.",
        ),
    )


def _months_on(day: date, so_many: int) -> date:
    """The day so many months later; the last of a month that is shorter."""
    first = later(day.replace(day=1), so_many)
    last = later(first, 1) - timedelta(days=1)
    return first.replace(day=min(day.day, last.day))


def _reason(shown: Figures) -> str:
    return shown.withheld.says if shown.withheld else "there is no case of this period."


def _remeasured_says(told: _Told) -> str:
    template = told.kept.template
    if told.after is None:
        return f"It takes {template.remeasurement_months} whole months after the first change, with outcomes known."
    if told.today <= told.after.period.end:
        return "The re-measurement has not ended yet."
    shown = figures(told.after)
    if shown.rate is None:
        return f"The re-measurement is not shown: {_reason(shown)}"
    return f"The re-measurement is shown: {_period(told.after)}."


def _says(told: _Told) -> tuple[str, ...]:
    """What came of it, in plain words."""
    lines = [f"Baseline, {_result_says(told.measure, told.before)}"]
    if told.after is None:
        lines.append(f"No re-measurement yet. {_remeasured_says(told)}")
    else:
        lines.append(f"Re-measurement, {_result_says(told.measure, told.after)}")
        changed = change(told.after, told.before, _period(told.before))
        if changed is not None:
            way = {
                True: "This is the better direction.",
                False: "This is the worse direction.",
                None: "",
            }
            lines.append(f"{changed.says} {way[changed.better]}".strip())
    lines += [told.run.says, CAUTION]
    return tuple(lines)


def _result_says(measure: Measure, result: Result) -> str:
    shown = figures(result)
    if shown.rate is None:
        return f"{_period(result)}: not shown. {_reason(shown)}"
    unit = words.unit_of(measure)
    limits = "" if shown.low is None else f", 95% interval {shown.low} to {shown.high}"
    counted = (
        f"{shown.numerator:,} of {shown.denominator:,} cases"
        if shown.numerator is not None
        else f"{shown.denominator:,} cases"
    )
    return f"{_period(result)}: {shown.rate}{unit} ({counted}{limits})."
