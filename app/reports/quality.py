"""How complete a facility's own data are: its cases, their elements, follow-ups and delays."""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    RowMapping,
    cast,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.benchmarks.periods import Period
from app.models.case import Case, Version
from app.models.submission import Entry, Finding, Submission
from app.registries.conditions import condition
from app.registries.schema import Definition, Element, Form
from app.reports import words
from app.reports.composition import Completeness, Delay, FollowUps, Quality

DELAYS = (
    ("within 30 days", 0, 30),
    ("31 to 90 days", 31, 90),
    ("91 to 180 days", 91, 180),
    ("later", 181, 1_000_000),
)
"""Days from a case's date to its first receipt."""


async def quality(
    session: AsyncSession,
    definition: Definition,
    facility_id: int,
    over: Period,
    at: datetime,
) -> Quality:
    """What there is of the period, and what came since it began."""
    forms = [form for form in definition.forms if form.level == "case" and not form.part]
    counted = await _counted(session, definition, facility_id, over, at)
    cases, complete, followed, late = 0, list[Completeness](), list[FollowUps](), list[Delay]()
    for form in forms:
        found = await _of_form(session, definition, form, facility_id, over)
        number = int(found["cases"])
        cases += number
        if number:
            complete += _completeness(definition, form, found, number)
            followed += [
                FollowUps(
                    title=one.title,
                    cases=number,
                    followed=int(found[f"f{place}"]),
                    share=words.share(int(found[f"f{place}"]), number),
                )
                for place, one in enumerate(definition.follow_up_forms(form.id))
            ]
            late = _added(late, found)
    complete.sort(key=lambda one: (not one.always, one.filled / one.cases, one.element))
    said = words.quality_says(
        cases=cases, **{k: v for k, v in counted.items() if k != "submissions"}
    )
    return Quality(
        cases=cases,
        **counted,
        completeness=tuple(complete),
        follow_ups=tuple(followed),
        delays=tuple(late),
        says=said + words.completeness_says(complete, late),
    )


async def _counted(
    session: AsyncSession, definition: Definition, facility_id: int, over: Period, at: datetime
) -> dict[str, int]:
    """What was sent, and what waits."""
    since = datetime.combine(over.first, time(), UTC)
    drafts = select(func.count()).where(
        Case.registry_id == definition.id,
        Case.facility_id == facility_id,
        or_(Case.draft_version_id.is_not(None), Case.state == "draft"),
    )
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
    return {
        "drafts": await session.scalar(drafts) or 0,
        "waiting": await session.scalar(waiting) or 0,
        "submissions": submissions,
        "entries": entries,
        "rejected": rejected,
        "warnings": await session.scalar(warned) or 0,
    }


async def _of_form(
    session: AsyncSession, definition: Definition, form: Form, facility_id: int, over: Period
) -> RowMapping:
    """One pass over the period's cases of a form: how many, filled elements, follow-ups, delays."""
    columns: list[ColumnElement[Any]] = [func.count().label("cases")]
    for place, element in enumerate(_judged(definition, form)):
        there = Version.elements.has_key(element.id)
        columns.append(func.count().filter(there).label(f"e{place}"))
        if sentinels := _sentinels(element):
            value = Version.elements[element.id].astext
            columns.append(func.count().filter(value.in_(sentinels)).label(f"u{place}"))
    for place, one in enumerate(definition.follow_up_forms(form.id)):
        child = aliased(Case)
        has = exists().where(
            child.parent_id == Case.id, child.form == one.id, child.state == "submitted"
        )
        columns.append(func.count().filter(has).label(f"f{place}"))
    days = cast(cast(func.timezone("UTC", Case.created_at), Date) - Case.case_date, Integer)
    for place, (_, least, most) in enumerate(DELAYS):
        reached = days <= most if not place else days.between(least, most)
        columns.append(func.count().filter(reached).label(f"d{place}"))
    # Every filter looks into the same document: it is read from disk once, not once a filter.
    found = await session.execute(
        select(*columns)
        .select_from(Case)
        .join(Version, (Version.subject_id == Case.subject_id) & (Version.id == Case.version_id))
        .where(
            Case.registry_id == definition.id,
            Case.facility_id == facility_id,
            Case.form == form.id,
            Case.state == "submitted",
            Case.case_date.between(over.first, over.end),
        )
    )
    return found.mappings().one()


def _judged(definition: Definition, form: Form) -> list[Element]:
    """The elements a sender fills in: not those we work out, nor those kept in the vault."""
    return [one for one in definition.visible_elements(form.id) if one.computed is None]


def _sentinels(element: Element) -> Sequence[str]:
    return element.unknown


def _completeness(
    definition: Definition, form: Form, found: RowMapping, cases: int
) -> list[Completeness]:
    judged = _judged(definition, form)
    always = asked_always(judged)
    return [
        Completeness(
            form=form.id,
            element=element.id,
            title=element.title,
            cases=cases,
            filled=int(found[f"e{place}"]),
            unknown=int(found[f"u{place}"]) if _sentinels(element) else 0,
            always=element.id in always,
            share=words.share(int(found[f"e{place}"]), cases),
        )
        for place, element in enumerate(judged)
    ]


def asked_always(elements: Sequence[Element]) -> set[str]:
    """The elements that are asked of every case: where one is left out, something is missing.

    Others are asked when another value calls for them, or told only of those to whom it happened, such as
    a date of death: that these are told makes others relevant, so that leaving them out says something.
    """
    conditions = [condition(one.relevant_when) for one in elements]
    happens = {
        question.element
        for one in conditions
        if one is not None
        for question in one.asked
        if question.code is None and question.holds
    }
    return {
        one.id
        for one in elements
        if one.required
        or (one.relevant_when is None and one.required_when is None and one.id not in happens)
    }


def _added(before: Sequence[Delay], found: RowMapping) -> list[Delay]:
    """The delays of one form more."""
    earlier = [one.cases for one in before] or [0] * len(DELAYS)
    numbers = [number + int(found[f"d{place}"]) for place, number in enumerate(earlier)]
    return [
        Delay(title=title, cases=number, share=words.share(number, sum(numbers)))
        for (title, _, _), number in zip(DELAYS, numbers, strict=True)
    ]
