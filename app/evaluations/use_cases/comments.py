"""
What is said of a use case: by the panel while it reviews, by everybody in public comment.

A comment is of a section, and may be answered, one level deep. The panel says what became of each
before the version is published. Whoever wrote a comment may take it away, and so may the panel:
should somebody have named a patient, the words are gone and the audit trail says who took them.
"""

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app import audit
from app.access import Act, Asker
from app.errors import Conflict, Forbidden, NotFound, Unprocessable
from app.evaluations.use_cases.document import Section
from app.evaluations.use_cases.steps import COMMENTED, UNDER_WAY, UseCaseState, works_on
from app.models.base import now
from app.models.use_case import UseCaseComment, UseCaseVersion

MOST_OF_ONE = 200
"""Comments that one key may leave on a version."""


class Outcome(StrEnum):
    """What a panel made of a comment."""

    TAKEN_UP = "taken-up"
    DECLINED = "declined"
    NOTED = "noted"


def of_version(row: UseCaseVersion, asker: Asker | None) -> ColumnElement[bool]:
    """The comments of a version that somebody sees: what a panel says in its review is its own."""
    mine = (UseCaseComment.use_case_id == row.use_case_id) & (UseCaseComment.version == row.version)
    inside = works_on(asker, row.registries)
    return mine & (true() if inside else UseCaseComment.during == UseCaseState.PUBLIC_COMMENT)


async def answers_to(
    session: AsyncSession, row: UseCaseVersion, asker: Asker | None, comments: Sequence[int]
) -> dict[int, list[UseCaseComment]]:
    """The answers to some comments, in their order."""
    found = await session.scalars(
        select(UseCaseComment)
        .where(of_version(row, asker), UseCaseComment.answers.in_(comments))
        .order_by(UseCaseComment.id)
    )
    gathered: dict[int, list[UseCaseComment]] = {one: [] for one in comments}
    for one in found:
        assert one.answers is not None
        gathered[one.answers].append(one)
    return gathered


async def say(
    session: AsyncSession,
    asker: Asker,
    row: UseCaseVersion,
    *,
    section: Section | None,
    says: str,
    signed: str | None,
    answers: int | None,
) -> UseCaseComment:
    """Leave a comment on a section, or answer one. The use case is held locked."""
    asker.require(Act.COMMENT)
    if row.state not in COMMENTED:
        raise Conflict(f"Version {row.version} is {row.state}: no comments are taken.")
    if answers is not None:
        section = (await _open_comment(session, asker, row, answers)).section  # type: ignore[assignment]
    if section is None:
        raise Unprocessable("Name the section, or the comment that is answered.")
    own = (
        UseCaseComment.use_case_id == row.use_case_id,
        UseCaseComment.version == row.version,
        UseCaseComment.by_key == asker.key_id,
    )
    if (await session.scalar(select(func.count()).where(*own)) or 0) >= MOST_OF_ONE:
        raise Unprocessable(f"One key leaves at most {MOST_OF_ONE} comments on a version.")
    twin = select(UseCaseComment.id).where(
        *own,
        UseCaseComment.section == section,
        UseCaseComment.says == says,
        UseCaseComment.answers.is_not_distinct_from(answers),
    )
    if await session.scalar(twin) is not None:
        raise Conflict("You have said just this already.")
    comment = UseCaseComment(
        use_case_id=row.use_case_id,
        version=row.version,
        revision=row.revision,
        during=row.state,
        section=section,
        answers=answers,
        says=says,
        signed=signed,
        by_key=asker.key_id,
        by_role=asker.role,
    )
    session.add(comment)
    await session.flush()
    await _note(session, asker, "comment", row, comment)
    return comment


async def settle(
    session: AsyncSession,
    asker: Asker,
    row: UseCaseVersion,
    comment_id: int,
    outcome: Outcome,
    note: str | None,
) -> UseCaseComment:
    """Say what became of a comment, or say it anew, as long as the version is under way."""
    asker.require(Act.REVIEW_USE_CASES)
    if not works_on(asker, row.registries):
        raise Forbidden("Another panel reviews this use case.")
    comment = await _open_comment(session, asker, row, comment_id)
    if row.state not in UNDER_WAY:
        raise Conflict(f"Version {row.version} is {row.state}: its comments are settled.")
    comment.outcome, comment.outcome_note = outcome, note
    comment.outcome_at, comment.outcome_by = now(), asker.key_id
    await session.flush()
    await _note(session, asker, f"settle comment as {outcome}", row, comment)
    return comment


async def take_away(
    session: AsyncSession, asker: Asker, row: UseCaseVersion, comment_id: int
) -> None:
    """Take a comment's words away, for good: one's own, or as its panel anybody's."""
    comment = await comment_seen(session, asker, row, comment_id)
    panel = asker.may(Act.REVIEW_USE_CASES) and works_on(asker, row.registries)
    if comment.by_key != asker.key_id and not panel:
        raise Forbidden("Whoever wrote it takes it away, or the panel does.")
    if comment.removed_at is None:
        comment.says = comment.signed = None
        comment.removed_at = now()
        await session.flush()
        await _note(session, asker, "remove comment", row, comment)


async def comment_seen(
    session: AsyncSession, asker: Asker, row: UseCaseVersion, comment_id: int
) -> UseCaseComment:
    """A comment of the version that the asker sees."""
    found = select(UseCaseComment).where(of_version(row, asker), UseCaseComment.id == comment_id)
    comment = await session.scalar(found)
    if comment is None:
        raise NotFound("This version has no such comment.")
    return comment


async def _open_comment(
    session: AsyncSession, asker: Asker, row: UseCaseVersion, comment_id: int
) -> UseCaseComment:
    """A comment that can be answered and settled: neither an answer itself nor taken away."""
    comment = await comment_seen(session, asker, row, comment_id)
    if comment.answers is not None or comment.removed_at is not None:
        raise Conflict(
            "Answers, and comments that were taken away, are neither answered nor settled."
        )
    return comment


async def _note(
    session: AsyncSession, asker: Asker, action: str, row: UseCaseVersion, comment: UseCaseComment
) -> None:
    await audit.record(
        session,
        asker,
        action,
        "use-case",
        row.use_case_id,
        details={"version": row.version, "comment": comment.id},
    )
