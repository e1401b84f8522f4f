"""
What is held has a way back: list it, and let the step that failed try again.

A submission goes back to the state it was in when its step failed, an instance to `received`, each
with fresh tries and without the findings that held it. Its place in the order stays: what was sent
later and accepted meanwhile is not undone by it. A term whose list was not brought to all of its cases
is `changed` again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import audit
from app.claim import ring
from app.errors import Conflict, NotFound
from app.ingest.expire import end_date
from app.ingest.relist import CHANGED, relist
from app.models.image import Instance
from app.models.submission import Finding, Submission
from app.models.vault import QuarantineObject, Term
from app.registries.findings import FindingCode

STEPS: Final = {"received": "read", "read": "check", "checked": "accept"}
"""The step whose turn a submission's state says it is."""
_AFRESH: Final[dict[str, Any]] = {
    "tries": 0,
    "not_before": func.now(),
    "lease_until": None,
    "token": None,
}


_TERMS: Final = UUID("8f0b6c9e-52a3-4f0e-9a5d-6f3c1d7be214")
"""The namespace of what terms are called here: they have no ids of their own."""


@dataclass(frozen=True, slots=True)
class Held:
    """A submission, instance or term that is held: where it stopped, since when, and until when it is kept."""

    id: UUID
    kind: str
    registry_id: str
    facility_id: int | None
    why: str
    """The step that failed; of an instance the codes of its findings."""
    since: datetime | None
    until: datetime | None
    """None of a term, which stays."""


def stood_at(submission: Submission) -> str:
    """The state in which a submission's step failed."""
    if submission.entries is None:
        return "received"
    return "read" if submission.rows_checked < submission.entries else "checked"


async def held(session: AsyncSession, days: int) -> list[Held]:
    """Everything that can be tried again, longest held first."""
    submissions = await session.scalars(
        select(Submission).where(
            Submission.kind == "entries",
            Submission.state == "held",
            Submission.received_at >= end_date(days),
        )
    )
    codes = (
        select(func.string_agg(Finding.code.distinct(), ", "))
        .where(Finding.submission_number == Instance.submission_number, Finding.row == Instance.row)
        .scalar_subquery()
    )
    instances = await session.execute(
        select(Instance, codes, Submission.completed_at, QuarantineObject.expires_at)
        .join(Submission, Submission.number == Instance.submission_number)
        .join(QuarantineObject, QuarantineObject.id == Instance.quarantine_id)
        .where(Instance.state == "held", QuarantineObject.destroyed_at.is_(None))
    )
    found = [
        Held(
            one.id,
            "submission",
            one.registry_id,
            one.facility_id,
            STEPS[stood_at(one)],
            one.completed_at,
            one.received_at + timedelta(days=days),
        )
        for one in submissions
    ] + [
        Held(
            one.id,
            "instance",
            one.registry_id,
            one.facility_id,
            why or "",
            since or one.received_at,
            until,
        )
        for one, why, since, until in instances
    ]
    found += [
        Held(
            _id_of(one), "term", one.registry_id, one.facility_id, relist.__name__,
            one.not_before, None,
        )
        for one in await _terms(session)
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.since or one.until, one.id))


async def retry(session: AsyncSession, id: UUID, days: int) -> str:
    """Put a held submission, a term, an instance, or all held ones of a delivery back; their state."""
    submission = await session.scalar(
        select(Submission)
        .outerjoin(Instance, Instance.submission_number == Submission.number)
        .where(or_(Submission.id == id, Instance.id == id))
        .limit(1)
    )
    if submission is None:
        return await _term(session, id)
    await session.refresh(submission, with_for_update=True)
    if submission.kind == "entries":
        state, record = await _submission(session, submission, days), "submission"
        details: dict[str, Any] = {"state": state}
    else:
        state, record = "received", "submission" if submission.id == id else "instance"
        only = () if submission.id == id else (Instance.id == id,)
        details = {"state": state, "instances": await _instances(session, submission, *only)}
    await audit.record(
        session,
        None,
        "retry",
        record,
        id,
        facility_id=submission.facility_id,
        registry_id=submission.registry_id,
        details=details,
    )
    await ring(session, state if submission.kind == "entries" else "images")
    return state


async def _submission(session: AsyncSession, submission: Submission, days: int) -> str:
    if submission.state != "held":
        raise Conflict(f"This submission is not held: it is {submission.state}.")
    state = stood_at(submission)
    gone = submission.received_at < end_date(days)
    if gone or (state == "received" and not await _is_kept(session, submission.quarantine_id)):
        raise Conflict("It has reached its end date and can only be sent again.")
    await session.execute(
        delete(Finding).where(
            Finding.submission_number == submission.number,
            Finding.row == 0,
            Finding.code == FindingCode.HELD,
        )
    )
    await session.execute(
        update(Submission)
        .where(Submission.number == submission.number)
        .values(state=state, completed_at=None, **_AFRESH)
    )
    return state


async def _instances(
    session: AsyncSession, submission: Submission, *only: ColumnElement[bool]
) -> int:
    """Put held instances back, and the delivery, which is counted anew when they are through."""
    kept = select(QuarantineObject.id).where(QuarantineObject.destroyed_at.is_(None))
    rows = (
        await session.scalars(
            update(Instance)
            .where(
                Instance.submission_number == submission.number,
                Instance.state == "held",
                Instance.quarantine_id.in_(kept),
                *only,
            )
            .values(state="received", **_AFRESH)
            .returning(Instance.row)
            .execution_options(synchronize_session=False)
        )
    ).all()
    if not rows:
        raise Conflict("Nothing of it is held, or it has reached its end date.")
    await session.execute(
        delete(Finding).where(Finding.submission_number == submission.number, Finding.row.in_(rows))
    )
    await session.execute(
        update(Submission)
        .where(Submission.number == submission.number)
        .values(state="received", completed_at=None)
    )
    return len(rows)


async def _term(session: AsyncSession, id: UUID) -> str:
    term = next((one for one in await _terms(session) if _id_of(one) == id), None)
    if term is None:
        raise NotFound("There is no submission, instance or held term with this id.")
    await session.execute(
        update(Term)
        .where(
            Term.registry_id == term.registry_id,
            Term.facility_id == term.facility_id,
            Term.list_form == term.list_form,
            Term.term == term.term,
        )
        .values(state=CHANGED, **_AFRESH)
        .execution_options(synchronize_session=False)
    )
    await audit.record(
        session,
        None,
        "retry",
        "term",
        id,
        facility_id=term.facility_id,
        registry_id=term.registry_id,
        details={"state": CHANGED},
    )
    await ring(session, CHANGED)
    return CHANGED


async def _terms(session: AsyncSession) -> Sequence[Term]:
    return (await session.scalars(select(Term).where(Term.state == "held"))).all()


def _id_of(term: Term) -> UUID:
    """What a term is called by who puts it back: always the same, and nothing of what it says."""
    own = (term.registry_id, str(term.facility_id), term.list_form, term.term)
    return uuid5(_TERMS, " ".join(own))


async def _is_kept(session: AsyncSession, id: UUID | None) -> bool:
    found = select(QuarantineObject.id).where(
        QuarantineObject.id == id, QuarantineObject.destroyed_at.is_(None)
    )
    return await session.scalar(found) is not None
