"""
Compose what an improvement project has to show, from the facility's own tables.

The session is in the facility's own scope. What may be shown was decided below; a period that is
withheld is said to be, with its reason, and nothing is compared with it.
"""

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import errors
from app.benchmarks.query import Result, results
from app.models.account import Facility
from app.registries.measure import Measure
from app.registries.schema import Definition
from app.reports import words
from app.reports.evidence import change
from app.reports.figures import figures
from app.reports.improvement.evidence import (
    Evidence,
    Intervention,
    MeasureNamed,
    Participant,
    ProjectRun,
)
from app.reports.improvement.plan import remeasured
from app.reports.improvement.project import Kept
from app.reports.improvement.requirements import period_says, reason, remeasured_says, requirements
from app.reports.improvement.run import places, project_run

CAUTION = (
    "A comparison of before and after cannot tell what a change did from anything else that happened "
    "at the time."
)


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
    single, wider = places(kept.baseline, again, today)
    wanted = dict.fromkeys([kept.baseline, *([again] if again else []), *single, *wider])
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
    run = project_run(
        measure, [known[one] for one in single], [known[one] for one in wider], changes
    )
    asked = requirements(kept, before, after, today)
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
        change=None if after is None else change(after, before, period_says(before)),
        run=run,
        interventions=tuple(
            Intervention.model_validate(one, from_attributes=True)
            for one in sorted(kept.interventions, key=lambda one: (one.on, one.id))
        ),
        participants=tuple(
            Participant.model_validate(one, from_attributes=True)
            for one in sorted(kept.participants, key=lambda one: (one.from_day, one.id))
        ),
        requirements=asked,
        complete=all(one.met for one in asked),
        conclusion=row.conclusion,
        says=_says(kept, measure, before, after, run, today),
        feed_number=answer.as_of.feed_number,
        as_of=answer.as_of.at,
        composed_at=at,
        began_on=row.created_at.date(),
        closed_on=None if row.closed_at is None else row.closed_at.date(),
    )


def _says(
    kept: Kept,
    measure: Measure,
    before: Result,
    after: Result | None,
    run: ProjectRun,
    today: date,
) -> tuple[str, ...]:
    """What came of it, in plain words."""
    lines = [f"Baseline, {_result_says(measure, before)}"]
    if after is None:
        lines.append(f"No re-measurement yet. {remeasured_says(kept.template, after, today)}")
    else:
        lines.append(f"Re-measurement, {_result_says(measure, after)}")
        changed = change(after, before, period_says(before))
        if changed is not None:
            way = {
                True: "This is the better direction.",
                False: "This is the worse direction.",
                None: "",
            }
            lines.append(f"{changed.says} {way[changed.better]}".strip())
    lines += [run.says, CAUTION]
    return tuple(lines)


def _result_says(measure: Measure, result: Result) -> str:
    shown = figures(result)
    if shown.rate is None:
        return f"{period_says(result)}: not shown. {reason(shown)}"
    unit = words.unit_of(measure)
    limits = "" if shown.low is None else f", 95% interval {shown.low} to {shown.high}"
    counted = (
        f"{shown.numerator:,} of {shown.denominator:,} cases"
        if shown.numerator is not None
        else f"{shown.denominator:,} cases"
    )
    return f"{period_says(result)}: {shown.rate}{unit} ({counted}{limits})."
