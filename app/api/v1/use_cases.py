"""
AI use cases: written, reviewed by a panel, opened to comment, published, in versions.

Stewards write, panel members review, and what is open needs no key to be read. A use case belongs to
the registries whose elements it refers to: a key works on it when all of them are within it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, errors
from app.access import Act
from app.api.dependencies import (
    LARGEST_INTEGER,
    OPEN_TO_ALL,
    Asker,
    Catalogue,
    HouseInForce,
    Transactions,
    Visitor,
)
from app.api.fields import Prose, RegistryName, Sent, Shown
from app.api.pages import (
    NOT_MODIFIED,
    PAGED,
    TAGGED,
    Conditional,
    PageAsked,
    Unchanged,
    etag_of,
    tagged,
)
from app.api.problems import problems
from app.evaluations.use_cases import kept
from app.evaluations.use_cases.document import UseCaseDocument
from app.evaluations.use_cases.soundness import Definitions, require_sound, told_of
from app.evaluations.use_cases.steps import STANDING, UseCaseState, seen_by, works_on
from app.models.use_case import UseCaseStep, UseCaseVersion
from app.registries.reference import ToldElement

router = APIRouter(prefix="/use-cases", tags=["AI use cases"])

UseCaseNumber = Annotated[
    str, Path(pattern=r"^HUC-(0[1-9]|1[0-2])[0-9]{6}$", description="A use case's number.")
]
VersionNumber = Annotated[int, Path(ge=1, le=LARGEST_INTEGER, description="A version of it.")]


class UseCaseSummary(Shown):
    """A version of a use case."""

    use_case_id: str
    version: int
    state: UseCaseState
    title: str
    registries: list[str] = Field(description="Those whose elements it refers to.")
    created_at: datetime
    changed_at: datetime = Field(description="When its text or its state changed last.")
    published_at: datetime | None


class UseCaseStepTaken(Shown):
    """A step that a version took."""

    state: UseCaseState
    revision: int
    at: datetime
    by_role: str | None
    note: str | None


class UseCase(UseCaseSummary):
    """A version of a use case, whole."""

    revision: int = Field(description="Which text of this version it is.")
    digest: str = Field(description="SHA-256 of the text.")
    document: UseCaseDocument
    elements: dict[str, ToldElement] = Field(
        description="By reference, what definitions say of the elements it refers to."
    )
    steps: list[UseCaseStepTaken]


class NewUseCaseStep(Sent):
    """A step of a version."""

    state: UseCaseState
    note: Prose | None = Field(default=None, description="Why, for all who may read the version.")


async def whole(session: AsyncSession, row: UseCaseVersion, definitions: Definitions) -> UseCase:
    """A version as it is answered with."""
    written = await kept.current_text(session, row)
    document = UseCaseDocument.model_validate(written.document)
    steps = await session.scalars(
        select(UseCaseStep)
        .where(UseCaseStep.use_case_id == row.use_case_id, UseCaseStep.version == row.version)
        .order_by(UseCaseStep.id)
    )
    return UseCase(
        **UseCaseSummary.model_validate(row).model_dump(),
        revision=row.revision,
        digest=written.digest,
        document=document,
        elements={
            one.element: found
            for one in document.signals
            if one.element is not None and (found := told_of(one, definitions)) is not None
        },
        steps=[UseCaseStepTaken.model_validate(one) for one in steps],
    )


def require_work(asker: access.Asker, act: Act, registries: list[str]) -> None:
    """Refuse whoever may not do this, or not to a use case of these registries."""
    asker.require(act)
    if not works_on(asker, registries):
        raise errors.Forbidden("It refers to registries that are not within your key.")


@asynccontextmanager
async def changing(
    transactions: Transactions, asker: access.Asker, use_case_id: str, version: int
) -> AsyncIterator[tuple[AsyncSession, UseCaseVersion]]:
    """A version that the asker sees, its use case locked until the change is kept."""
    async with transactions.begin() as session:
        await kept.locked(session, use_case_id)
        yield session, await kept.version_seen(session, asker, use_case_id, version)


def _location(response: Response, row: UseCaseVersion) -> None:
    response.headers["Location"] = f"/v1/use-cases/{row.use_case_id}/versions/{row.version}"


@router.get(
    "",
    response_model=list[UseCaseSummary],
    responses={200: PAGED, **problems(401, 422)},
    openapi_extra=OPEN_TO_ALL,
)
async def list_use_cases(
    house: HouseInForce,
    visitor: Visitor,
    page: PageAsked,
    state: Annotated[
        UseCaseState | None,
        Query(description="That stand here; otherwise what is in force or under way."),
    ] = None,
    registry: Annotated[
        RegistryName | None, Query(description="That refer to elements of this registry.")
    ] = None,
    element: Annotated[
        str | None,
        Query(
            max_length=130,
            pattern=r"^[a-z][a-z0-9-]{0,62}/[a-z][a-z0-9_]{0,62}$",
            description="That refer to this element, `<registry>/<element>`, in any version.",
        ),
    ] = None,
) -> list[UseCaseVersion]:
    """The use cases that are open to you, each version by itself."""
    statement = select(UseCaseVersion).where(
        seen_by(visitor),
        UseCaseVersion.state.in_(STANDING) if state is None else UseCaseVersion.state == state,
    )
    if registry is not None:
        statement = statement.where(UseCaseVersion.registries.contains([registry]))
    if element is not None:
        statement = statement.where(UseCaseVersion.elements.contains([element]))
    async with house.database.transaction() as session:
        return await page.rows(
            session, statement, UseCaseVersion.use_case_id, UseCaseVersion.version
        )


@router.post(
    "",
    status_code=201,
    response_model=UseCase,
    responses={201: TAGGED, **problems(400, 401, 403, 409, 422)},
)
async def begin_use_case(
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
    new: UseCaseDocument,
    response: Response,
) -> UseCase:
    """Begin a use case: its first version is a draft. It is given its number."""
    require_work(asker, Act.WRITE_USE_CASES, [])
    require_sound(new, kept.at_hand(catalogue, asker.sees_registry))
    async with transactions.begin() as session:
        row = await kept.begin(session, asker, new)
        shown = await whole(session, row, kept.at_hand(catalogue))
    _location(response, row)
    return tagged(response, shown)


@router.get(
    "/{use_case_id}",
    response_model=UseCase,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 404, 422)},
    openapi_extra=OPEN_TO_ALL,
)
async def show_use_case(
    use_case_id: UseCaseNumber,
    house: HouseInForce,
    visitor: Visitor,
    catalogue: Catalogue,
    conditions: Conditional,
) -> UseCase | Response:
    """A use case: the version that is published, otherwise the newest that is open to you."""
    async with house.database.transaction() as session:
        row = await kept.version_seen(session, visitor, use_case_id)
        shown = await whole(session, row, kept.at_hand(catalogue))
    return conditions.reply(shown)


@router.get(
    "/{use_case_id}/versions",
    response_model=list[UseCaseSummary],
    responses={200: PAGED, **problems(401, 404, 422)},
    openapi_extra=OPEN_TO_ALL,
)
async def list_use_case_versions(
    use_case_id: UseCaseNumber, house: HouseInForce, visitor: Visitor, page: PageAsked
) -> list[UseCaseVersion]:
    """Every version of a use case that is open to you, the newest first."""
    statement = select(UseCaseVersion).where(
        UseCaseVersion.use_case_id == use_case_id, seen_by(visitor)
    )
    async with house.database.transaction() as session:
        await kept.version_seen(session, visitor, use_case_id)
        return await page.rows(session, statement, UseCaseVersion.version, descending=True)


@router.post(
    "/{use_case_id}/versions",
    status_code=201,
    response_model=UseCase,
    responses={201: TAGGED, **problems(401, 403, 404, 409, 422)},
)
async def begin_use_case_version(
    use_case_id: UseCaseNumber,
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
    response: Response,
) -> UseCase:
    """Begin the next version: a draft with the text of the one before, to be replaced.

    What is published stays so until this one is.
    """
    require_work(asker, Act.WRITE_USE_CASES, [])
    async with transactions.begin() as session:
        await kept.locked(session, use_case_id)
        before = await kept.version_seen(session, asker, use_case_id)
        require_work(asker, Act.WRITE_USE_CASES, before.registries)
        row = await kept.begin_version(session, asker, use_case_id)
        shown = await whole(session, row, kept.at_hand(catalogue))
    _location(response, row)
    return tagged(response, shown)


@router.get(
    "/{use_case_id}/versions/{use_case_version}",
    response_model=UseCase,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 404, 422)},
    openapi_extra=OPEN_TO_ALL,
)
async def show_use_case_version(
    use_case_id: UseCaseNumber,
    use_case_version: VersionNumber,
    house: HouseInForce,
    visitor: Visitor,
    catalogue: Catalogue,
    conditions: Conditional,
) -> UseCase | Response:
    """One version of a use case."""
    async with house.database.transaction() as session:
        row = await kept.version_seen(session, visitor, use_case_id, use_case_version)
        shown = await whole(session, row, kept.at_hand(catalogue))
    return conditions.reply(shown)


@router.put(
    "/{use_case_id}/versions/{use_case_version}",
    response_model=UseCase,
    responses={200: TAGGED, **problems(400, 401, 403, 404, 409, 412, 422)},
)
async def rewrite_use_case(
    use_case_id: UseCaseNumber,
    use_case_version: VersionNumber,
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
    new: UseCaseDocument,
    expected: Unchanged,
    response: Response,
) -> UseCase:
    """Replace the text of a draft. The texts before it are kept."""
    require_work(asker, Act.WRITE_USE_CASES, [])
    require_sound(new, kept.at_hand(catalogue, asker.sees_registry))
    act = changing(transactions, asker, use_case_id, use_case_version)
    async with act as (session, row):
        require_work(asker, Act.WRITE_USE_CASES, row.registries)
        expected.require(etag_of(await whole(session, row, kept.at_hand(catalogue))))
        await kept.rewrite(session, asker, row, new)
        shown = await whole(session, row, kept.at_hand(catalogue))
    return tagged(response, shown)


@router.post(
    "/{use_case_id}/versions/{use_case_version}/transitions",
    status_code=201,
    response_model=UseCase,
    responses={201: TAGGED, **problems(400, 401, 403, 404, 409, 412, 422)},
)
async def take_use_case_step(
    use_case_id: UseCaseNumber,
    use_case_version: VersionNumber,
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
    new: NewUseCaseStep,
    expected: Unchanged,
    response: Response,
) -> UseCase:
    """Take the next step: to the panel, back, to public comment, published, withdrawn."""
    act = changing(transactions, asker, use_case_id, use_case_version)
    async with act as (session, row):
        if not works_on(asker, row.registries):
            raise errors.Forbidden("Whoever writes or reviews this use case takes its steps.")
        expected.require(etag_of(await whole(session, row, kept.at_hand(catalogue))))
        await kept.take_step(
            session, asker, row, new.state, note=new.note, definitions=kept.at_hand(catalogue)
        )
        shown = await whole(session, row, kept.at_hand(catalogue))
    _location(response, row)
    return tagged(response, shown)
