"""What a project's template asks for as evidence, one by one, and whether it is there."""

from datetime import date, timedelta

from app.benchmarks.periods import later
from app.benchmarks.query import Result
from app.registries.improvement import ImprovementTemplate
from app.reports import words
from app.reports.composition import Figures
from app.reports.figures import figures
from app.reports.improvement.evidence import Requirement
from app.reports.improvement.plan import first_month, months
from app.reports.improvement.project import Kept


def requirements(
    kept: Kept, before: Result, after: Result | None, today: date
) -> tuple[Requirement, ...]:
    """What the template asks for, one by one."""
    template = kept.template
    needs = template.evidence
    changes = kept.changes(today)
    on_record = {one.kind for one in kept.interventions if one.on <= today}
    lacking = [step for step in needs.steps if step not in on_record]
    days = needs.participation_months
    ends = today if kept.row.closed_at is None else kept.row.closed_at.date()
    short = [
        one
        for one in kept.participants
        if min(one.to_day or ends, ends) < _months_on(one.from_day, days)
    ]
    late = bool(changes) and after is not None and after.period.first >= first_month(changes[0].on)
    return (
        Requirement(
            what="baseline",
            met=before.rate is not None,
            says="The baseline is shown."
            if before.rate is not None
            else f"The baseline is not shown: {reason(figures(before))}",
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
            and months(after.period) >= template.remeasurement_months
            and today > after.period.end,
            says=remeasured_says(template, after, today),
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


def remeasured_says(template: ImprovementTemplate, after: Result | None, today: date) -> str:
    """Whether the re-measurement is shown, or why it is not."""
    if after is None:
        return f"It takes {template.remeasurement_months} whole months after the first change, with outcomes known."
    if today <= after.period.end:
        return "The re-measurement has not ended yet."
    shown = figures(after)
    if shown.rate is None:
        return f"The re-measurement is not shown: {reason(shown)}"
    return f"The re-measurement is shown: {period_says(after)}."


def reason(shown: Figures) -> str:
    """Why a result is not shown."""
    return shown.withheld.says if shown.withheld else "there is no case of this period."


def period_says(result: Result) -> str:
    """The period of a result, in words."""
    return words.period_says(result.period.label)
