"""How complete a facility's own data are: its cases, and what became of what it sent."""

from datetime import UTC, datetime, time

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.periods import Period
from app.models.case import Case
from app.models.submission import Entry, Finding, Submission
from app.registries.schema import Definition
from app.reports import words
from app.reports.composition import Quality


async def quality(
    session: AsyncSession,
    definition: Definition,
    facility_id: int,
    over: Period,
    at: datetime,
) -> Quality:
    """What there is of the period, and what came since it began."""
    forms = [form.id for form in definition.forms if form.level == "case" and not form.part]
    own = (Case.registry_id == definition.id, Case.facility_id == facility_id)
    cases = select(func.count()).where(
        *own,
        Case.form.in_(forms),
        Case.state == "submitted",
        Case.case_date.between(over.first, over.end),
    )
    drafts = select(func.count()).where(
        *own, or_(Case.draft_version_id.is_not(None), Case.state == "draft")
    )
    since = datetime.combine(over.first, time(), UTC)
    sent = (
        select(
            func.count(func.distinct(Submission.number)),
            func.count(),
            func.count().filter(Entry.state == "rejected"),
        )
        .select_from(Entry)
        .join(Submission, Submission.number == Entry.submission_number)
        .where(
            Entry.facility_id == facility_id,
            Submission.registry_id == definition.id,
            Submission.received_at.between(since, at),
        )
    )
    waiting = select(func.count()).where(
        Entry.registry_id == definition.id,
        Entry.facility_id == facility_id,
        Entry.state == "waiting",
    )
    warned = (
        select(func.count())
        .select_from(Finding)
        .join(Submission, Submission.number == Finding.submission_number)
        .where(
            Finding.facility_id == facility_id,
            Finding.severity == "warn",
            Submission.registry_id == definition.id,
            Submission.received_at.between(since, at),
        )
    )
    submissions, entries, rejected = (await session.execute(sent)).one()
    counted = {
        "cases": await session.scalar(cases) or 0,
        "drafts": await session.scalar(drafts) or 0,
        "waiting": await session.scalar(waiting) or 0,
        "entries": entries,
        "rejected": rejected,
        "warnings": await session.scalar(warned) or 0,
    }
    return Quality(**counted, submissions=submissions, says=words.quality_says(**counted))
