"""Comments on AI use cases: left on a section, answered one level deep, settled by the panel, taken away."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field
from sqlalchemy import select

from app import access
from app.access import Act
from app.api.dependencies import (
    LARGEST_BIGINT,
    OPEN_TO_ALL,
    Asker,
    HouseInForce,
    Transactions,
    Visitor,
)
from app.api.fields import PersonName, Prose, Sent, Shown
from app.api.pages import PAGED, TAGGED, PageAsked, Unchanged, etag_of, tagged
from app.api.problems import problems
from app.api.v1.use_cases import UseCaseNumber, VersionNumber, changing
from app.evaluations.use_cases import comments, kept
from app.evaluations.use_cases.comments import Outcome
from app.evaluations.use_cases.document import Section
from app.evaluations.use_cases.steps import UseCaseState
from app.models.use_case import UseCaseComment as Row

router = APIRouter(
    prefix="/use-cases/{use_case_id}/versions/{use_case_version}/comments", tags=["AI use cases"]
)

CommentId = Annotated[int, Path(ge=1, le=LARGEST_BIGINT, description="A comment.")]


class NewUseCaseComment(Sent):
    """Something to say of a section."""

    section: Section | None = Field(
        default=None, description="Needed, unless it answers another comment."
    )
    says: Prose = Field(description="Plain text. No patient belongs here.")
    signed: PersonName | None = Field(
        default=None, description="The name under which you say it; shown to all who read it."
    )
    answers: Annotated[int, Field(strict=True, ge=1, le=LARGEST_BIGINT)] | None = Field(
        default=None, description="The comment that it answers."
    )


class NewOutcome(Sent):
    """What the panel made of a comment."""

    outcome: Outcome
    note: Prose | None = None


class UseCaseAnswer(Shown):
    """What was said; its words are empty once they were taken away."""

    id: int
    revision: int = Field(description="The text that was commented on.")
    during: UseCaseState
    says: str | None
    signed: str | None
    by_role: str
    at: datetime
    removed_at: datetime | None
    mine: bool = Field(description="Whether your key wrote it: you may take it away.")


class UseCaseComment(UseCaseAnswer):
    """A comment with the answers to it."""

    section: Section
    outcome: Outcome | None = Field(description="What the panel made of it.")
    outcome_note: str | None
    outcome_at: datetime | None
    answers: list[UseCaseAnswer]


def _shown(row: Row, answers: Sequence[Row], reader: access.Asker | None) -> UseCaseComment:
    own = set(UseCaseComment.model_fields) - set(UseCaseAnswer.model_fields) - {"answers"}
    return UseCaseComment(
        **_answer(row, reader).model_dump(),
        **{name: getattr(row, name) for name in own},
        answers=[_answer(one, reader) for one in answers],
    )


def _answer(row: Row, reader: access.Asker | None) -> UseCaseAnswer:
    told = {name: getattr(row, name) for name in UseCaseAnswer.model_fields if name != "mine"}
    return UseCaseAnswer(**told, mine=reader is not None and row.by_key == reader.key_id)


@router.get(
    "",
    response_model=list[UseCaseComment],
    responses={200: PAGED, **problems(401, 404, 422)},
    openapi_extra=OPEN_TO_ALL,
)
async def list_comments(
    use_case_id: UseCaseNumber,
    use_case_version: VersionNumber,
    house: HouseInForce,
    visitor: Visitor,
    page: PageAsked,
) -> list[UseCaseComment]:
    """The comments on a version, the oldest first, each with its answers."""
    async with house.database.transaction() as session:
        row = await kept.version_seen(session, visitor, use_case_id, use_case_version)
        found = await page.rows(
            session,
            select(Row).where(comments.of_version(row, visitor), Row.answers.is_(None)),
            Row.id,
        )
        answers = await comments.answers_to(session, row, visitor, [one.id for one in found])
    return [_shown(one, answers[one.id], visitor) for one in found]


@router.post(
    "",
    status_code=201,
    response_model=UseCaseComment,
    responses={201: TAGGED, **problems(400, 401, 403, 404, 409, 422)},
)
async def leave_comment(
    use_case_id: UseCaseNumber,
    use_case_version: VersionNumber,
    asker: Asker,
    transactions: Transactions,
    new: NewUseCaseComment,
    response: Response,
) -> UseCaseComment:
    """Comment on a section, or answer a comment: the panel in its review, everybody in public comment."""
    asker.require(Act.COMMENT)
    act = changing(transactions, asker, use_case_id, use_case_version)
    async with act as (session, row):
        said = await comments.say(session, asker, row, **new.model_dump())
    return tagged(response, _shown(said, (), asker))


@router.put(
    "/{comment_id}/outcome",
    response_model=UseCaseComment,
    responses={200: TAGGED, **problems(400, 401, 403, 404, 409, 412, 422)},
)
async def settle_comment(
    use_case_id: UseCaseNumber,
    use_case_version: VersionNumber,
    comment_id: CommentId,
    asker: Asker,
    transactions: Transactions,
    new: NewOutcome,
    expected: Unchanged,
    response: Response,
) -> UseCaseComment:
    """Say what became of a comment. A version is published when this is said of each."""
    asker.require(Act.REVIEW_USE_CASES)
    act = changing(transactions, asker, use_case_id, use_case_version)
    async with act as (session, row):
        before = await comments.comment_seen(session, asker, row, comment_id)
        answers = (await comments.answers_to(session, row, asker, [comment_id]))[comment_id]
        expected.require(etag_of(_shown(before, answers, asker)))
        settled = await comments.settle(session, asker, row, comment_id, new.outcome, new.note)
        shown = _shown(settled, answers, asker)
    return tagged(response, shown)


@router.delete("/{comment_id}", status_code=204, responses=problems(401, 403, 404, 422))
async def take_comment_away(
    use_case_id: UseCaseNumber,
    use_case_version: VersionNumber,
    comment_id: CommentId,
    asker: Asker,
    transactions: Transactions,
) -> None:
    """Take a comment's words away, for good: your own, or as its panel anybody's."""
    act = changing(transactions, asker, use_case_id, use_case_version)
    async with act as (session, row):
        await comments.take_away(session, asker, row, comment_id)
