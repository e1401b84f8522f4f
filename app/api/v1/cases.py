"""Cases: list, read, find by identifier, withdraw."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Select, and_, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, audit
from app.access import Act
from app.api.dependencies import (
    LARGEST_BIGINT,
    LARGEST_INTEGER,
    Asker,
    Catalogue,
    RegistryInForce,
    Transactions,
    VaultRoom,
)
from app.api.entries import Entries
from app.api.fields import FacilityId, Sent
from app.api.pages import NOT_MODIFIED, PAGED, TAGGED, Conditional, PageAsked, Unchanged, etag_of
from app.api.problems import problems
from app.api.submitted import Shown as ShownSubmission
from app.errors import Conflict, Forbidden, NotFound, Unprocessable
from app.ingest.checks import FormAtWork, at_work
from app.ingest.identity import identity_of
from app.models.case import Case, Subject, Version
from app.models.submission import Submission
from app.registries.lineage import now_called

router = APIRouter(tags=["cases"])

CaseId = Annotated[int, Path(ge=1, le=LARGEST_BIGINT, description="A case.")]
CaseState = Literal["submitted", "draft", "withdrawn"]
FormName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class ListedCase(BaseModel):
    """A case as a list shows it."""

    id: int
    registry_id: str
    facility_id: int
    form: str
    state: CaseState = Field(description="That of the version in force.")
    has_draft: bool
    subject: str = Field(description="The pseudonym of the person.")
    parent_id: int | None = Field(description="The case it follows up.")
    case_date: date | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, case: Case, pseudonym: str) -> "ListedCase":
        """The row as it is shown."""
        own = {
            name: getattr(case, name)
            for name in ListedCase.model_fields
            if name not in ("has_draft", "subject")
        }
        return cls(**own, has_draft=case.draft_version_id is not None, subject=pseudonym)


class ShownCase(ListedCase):
    """A case with what is known of it."""

    version: int | None = Field(description="The version in force.")
    definition_version: str | None
    elements: dict[str, Any] = Field(description="Canonical values, without identifying ones.")
    draft: dict[str, Any] | None = Field(description="What was saved and not submitted yet.")
    identity: dict[str, Any] | None = Field(
        default=None, description="Identifying elements, if asked for by the owning facility."
    )


class ShownVersion(BaseModel):
    """What was known of a case from one feed number to another."""

    version: int
    state: CaseState
    definition_version: str
    case_date: date | None
    elements: dict[str, Any]
    submission: UUID | None = Field(description="Where it came from, while that is kept.")
    entry: int
    from_seq: int
    to_seq: int | None = Field(description="Exclusive; absent while it is in force.")
    created_at: datetime


class Search(Sent):
    """A case by its own identifiers; they travel in a body and never in an address."""

    key: dict[Annotated[str, Field(max_length=63)], Annotated[str, Field(max_length=255)]] = Field(
        min_length=1,
        max_length=10,
        description="Elements of the form's key, such as the exam's id.",
    )
    form: FormName | None = Field(default=None, description="The first case form if left out.")
    facility: FacilityId | None = Field(default=None, description="Of this facility alone.")


@router.get(
    "/registries/{registry_id}/cases",
    response_model=list[ListedCase],
    responses={200: PAGED, **problems(401, 403, 404, 422)},
)
async def list_cases(
    asker: Asker,
    registry: RegistryInForce,
    transactions: Transactions,
    page: PageAsked,
    facility: Annotated[
        int | None, Query(ge=1, le=LARGEST_INTEGER, description="Of this facility.")
    ] = None,
    form: Annotated[
        str | None, Query(pattern=r"^[a-z][a-z0-9_]{0,62}$", description="Of this form.")
    ] = None,
    state: Annotated[CaseState | None, Query(description="That stand here.")] = None,
    parent: Annotated[
        int | None, Query(ge=1, le=LARGEST_BIGINT, description="That follow up this case.")
    ] = None,
    since: Annotated[date | None, Query(description="Of this day or later.")] = None,
    until: Annotated[date | None, Query(description="Of this day or earlier.")] = None,
) -> list[ListedCase]:
    """The cases within your key."""
    asker.require(Act.READ_CASES)
    statement = _visible(asker).where(Case.registry_id == registry.id)
    if facility is not None:
        statement = statement.where(Case.facility_id == facility)
    if form is not None:
        statement = statement.where(Case.form == form)
    if state is not None:
        statement = statement.where(Case.state == state)
    if parent is not None:
        statement = statement.where(Case.parent_id == parent)
    if since is not None:
        statement = statement.where(Case.case_date >= since)
    if until is not None:
        statement = statement.where(Case.case_date <= until)
    async with transactions.begin() as session:
        cases = await page.rows(session, statement, Case.id)
        names = await _pseudonyms(session, cases)
    return [ListedCase.of(case, names[case.subject_id]) for case in cases]


@router.post(
    "/registries/{registry_id}/cases/search",
    response_model=list[ListedCase],
    responses=problems(400, 401, 403, 404, 422),
)
async def search(
    asker: Asker,
    registry: RegistryInForce,
    transactions: Transactions,
    vault: VaultRoom,
    wanted: Search,
) -> list[ListedCase]:
    """Find a case by the identifiers its facility gave it."""
    asker.require(Act.READ_CASES)
    known = at_work(registry)
    form = known.form(wanted.form or known.first)
    if form is None:
        raise Unprocessable("The registry has no such form.")
    reach = asker.facilities_in(registry.id)
    facilities = sorted(reach or ()) if wanted.facility is None else [wanted.facility]
    if reach is None and wanted.facility is None:
        raise Unprocessable("Name the facility.")
    if wanted.facility is not None and reach is not None and wanted.facility not in reach:
        raise NotFound("There is no such facility, or it is not within your key.")
    values = form.check.check(wanted.key, draft=True).values
    if not form.form.key or any(one not in values for one in form.parent_key):
        raise Unprocessable("Give the elements of the form's key: see the data dictionary.")
    token = {
        facility: vault.case_token(registry.id, facility, *form.key(values))
        for facility in facilities
    }
    statement = _visible(asker).where(
        Case.registry_id == registry.id,
        Case.form == form.form.id,
        or_(
            false(),
            *(and_(Case.facility_id == one, Case.key_token == key) for one, key in token.items()),
        ),
    )
    async with transactions.begin() as session:
        cases = list(await session.scalars(statement.order_by(Case.id)))
        names = await _pseudonyms(session, cases)
        for case in cases:
            await audit.record(
                session,
                asker,
                "find-by-identifier",
                "case",
                case.id,
                facility_id=case.facility_id,
                registry_id=case.registry_id,
            )
    return [ListedCase.of(case, names[case.subject_id]) for case in cases]


@router.get(
    "/cases/{case_id}",
    response_model=ShownCase,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404, 422)},
)
async def show(
    case_id: CaseId,
    asker: Asker,
    transactions: Transactions,
    vault: VaultRoom,
    conditions: Conditional,
    identity: Annotated[
        bool, Query(description="With identifying elements: the owning facility only, audited.")
    ] = False,
) -> object:
    """One case, and what is known of it."""
    asker.require(Act.READ_CASES)
    if identity:
        asker.require(Act.READ_IDENTITIES)
    async with transactions.begin() as session:
        case = await _one(session, asker, case_id)
        shown = await _shown(session, case)
        if identity:
            if asker.facilities is None or case.facility_id not in asker.facilities:
                raise Forbidden("Only the owning facility reads identifying elements.")
            await audit.record(
                session,
                asker,
                "read-identity",
                "case",
                case.id,
                facility_id=case.facility_id,
                registry_id=case.registry_id,
            )
            shown.identity = await identity_of(session, vault, case)
    return conditions.reply(shown)


@router.get(
    "/cases/{case_id}/versions",
    response_model=list[ShownVersion],
    responses={200: PAGED, **problems(401, 403, 404, 422)},
)
async def versions(
    case_id: CaseId, asker: Asker, transactions: Transactions, page: PageAsked
) -> list[ShownVersion]:
    """Every version of a case, the first one first."""
    asker.require(Act.READ_CASES)
    async with transactions.begin() as session:
        case = await _one(session, asker, case_id)
        rows = await page.rows(
            session, select(Version).where(Version.case_id == case.id), Version.from_seq, Version.id
        )
        sent = await session.execute(
            select(Submission.number, Submission.id).where(
                Submission.number.in_({row.submission_number for row in rows})
            )
        )
        by_number = {row.number: row.id for row in sent}
    return [
        ShownVersion(
            version=row.id,
            submission=by_number.get(row.submission_number),
            entry=row.row,
            **{
                name: getattr(row, name)
                for name in ShownVersion.model_fields
                if name not in ("version", "submission", "entry")
            },
        )
        for row in rows
    ]


@router.delete(
    "/cases/{case_id}",
    status_code=202,
    response_model=ShownSubmission,
    responses={
        202: {"description": "The withdrawal is a submission: see `Location`."},
        **problems(401, 403, 404, 409, 412, 422),
    },
)
async def withdraw(
    case_id: CaseId,
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
    vault: VaultRoom,
    door: Entries,
    unchanged: Unchanged,
) -> ShownSubmission:
    """Withdraw a case: it leaves the benchmarks, and its history stays."""
    asker.require(Act.SUBMIT)
    asker.require(Act.READ_CASES)
    async with transactions.begin() as session:
        case = await _one(session, asker, case_id)
        shown = await _shown(session, case)
        unchanged.require(etag_of(shown))
        if case.state == "withdrawn" and case.draft_version_id is None:
            raise Conflict("This case is withdrawn already.")
        definition = catalogue.in_force(case.registry_id)
        form = at_work(definition).form(case.form)
        if form is None:
            raise Conflict("The definition in force has no such form any more.")
        sent = {**shown.elements, **(shown.draft or {}), **await identity_of(session, vault, case)}
        names = now_called(definition, case.form, shown.definition_version or definition.version)
        named = {names.get(name, name): value for name, value in sent.items()}
    entry = {"form": case.form, "action": "withdraw", "elements": _naming(form, case, named)}
    return await door.write(definition, [entry], facility=case.facility_id)


def _naming(form: FormAtWork, case: Case, known: dict[str, Any]) -> dict[str, Any]:
    """The elements that name a case, and no others."""
    names = {*form.key_elements, form.national, form.local, form.birth_date} - {None}
    chosen = {name: value for name, value in known.items() if name in names}
    if form.facility is not None:
        chosen[form.facility] = str(case.facility_id)
    return chosen


def _visible(asker: access.Asker) -> Select[Case]:
    statement = select(Case)
    if asker.registries is not None:
        statement = statement.where(Case.registry_id.in_(asker.registries))
    return statement


async def _one(session: AsyncSession, asker: access.Asker, case_id: int) -> Case:
    case: Case | None = await session.scalar(_visible(asker).where(Case.id == case_id))
    if case is None:
        raise NotFound("There is no such case, or it is not within your key.")
    return case


async def _pseudonyms(session: AsyncSession, cases: list[Case]) -> dict[int, str]:
    found = await session.execute(
        select(Subject.id, Subject.pseudonym).where(
            Subject.id.in_({case.subject_id for case in cases})
        )
    )
    return {row.id: row.pseudonym for row in found}


async def _shown(session: AsyncSession, case: Case) -> ShownCase:
    ids = [id for id in (case.version_id, case.draft_version_id) if id is not None]
    found = {
        version.id: version
        for version in await session.scalars(
            select(Version).where(Version.subject_id == case.subject_id, Version.id.in_(ids))
        )
    }
    current = found.get(case.version_id or 0)
    draft = found.get(case.draft_version_id or 0)
    names = await _pseudonyms(session, [case])
    basis = current or draft
    return ShownCase(
        **ListedCase.of(case, names[case.subject_id]).model_dump(),
        version=case.version_id,
        definition_version=basis.definition_version if basis else None,
        elements=current.elements if current else {},
        draft=draft.elements if draft else None,
    )
