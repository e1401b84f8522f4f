"""Submit, follow, read findings."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from app import access
from app.access import Act
from app.api import followed, progress
from app.api.dependencies import (
    LARGEST_INTEGER,
    Asker,
    Catalogue,
    RegistryInForce,
    Transactions,
)
from app.api.entries import Entries, FacilitySentFor, IdempotencyKey, Preferred
from app.api.fields import RegistryName, VersionAsked
from app.api.pages import NOT_MODIFIED, PAGED, TAGGED, Conditional, PageAsked
from app.api.problems import problems
from app.api.submitted import EntryOutcome, Shown, ShownEntry, ShownFinding, SubmissionState
from app.api.uploads import BODY, body_of
from app.ingest.receive import taken
from app.models.base import now
from app.models.submission import Entry, Finding, Submission

router = APIRouter(tags=["submissions"])

SubmissionId = Annotated[UUID, Path(description="A submission.")]
SMALL = 64 * 1024


@router.post(
    "/registries/{registry_id}/submissions",
    status_code=202,
    response_model=Shown,
    openapi_extra=BODY,
    responses={
        200: {"model": Shown, "description": "It was finished within the time you would wait."},
        202: {"description": "It is safe with us; its address is in `Location`."},
        **problems(400, 401, 403, 404, 413, 415, 422),
    },
)
async def submit(
    request: Request,
    response: Response,
    asker: Asker,
    registry: RegistryInForce,
    catalogue: Catalogue,
    door: Entries,
    transactions: Transactions,
    version: VersionAsked = None,
    facility: FacilitySentFor = None,
    idempotency_key: IdempotencyKey = None,
    prefer: Preferred = None,
) -> Shown:
    """Take a submission in and answer at once. Checking follows: watch its `state`.

    Its entries are read as those of `version`, as long as that one is taken; otherwise of the one in
    force.
    """
    asker.require(Act.SUBMIT)
    at = now()
    if idempotency_key is None:  # what came in time is answered as it was, however late it is asked
        registry = catalogue.taking(registry.id, version, at)
    elif version is not None:
        registry = catalogue.registry(registry.id, version=version)
    if not _is_small(request):
        await door.admit(registry, facility)
    media, pieces = await body_of(request, door.settings.submission_limit)
    taken(registry, media)
    shown = await door.take(
        registry,
        media,
        pieces,
        facility=facility,
        idempotency_key=idempotency_key,
        version=version,
        taking=lambda: catalogue.taking(registry.id, version, at),
    )
    seconds = followed.wait_of(prefer)
    if seconds is not None:
        shown = await followed.finished(transactions, shown, seconds)
        response.headers["Preference-Applied"] = f"wait={seconds}"
        if shown.state in followed.ENDS:
            response.status_code = 200
    return shown


def _is_small(request: Request) -> bool:
    """Whether the body is hardly more than the question if it may be sent."""
    declared = request.headers.get("content-length", "")
    return declared.isdecimal() and len(declared) <= 6 and int(declared) <= SMALL


@router.get(
    "/submissions", response_model=list[Shown], responses={200: PAGED, **problems(401, 403, 422)}
)
async def list_submissions(
    asker: Asker,
    transactions: Transactions,
    page: PageAsked,
    registry: Annotated[RegistryName | None, Query(description="To this registry.")] = None,
    facility: Annotated[
        int | None, Query(ge=1, le=LARGEST_INTEGER, description="For this facility alone.")
    ] = None,
    state: Annotated[SubmissionState | None, Query(description="That stand here.")] = None,
    sent_since: Annotated[datetime | None, Query(description="Received at or after.")] = None,
) -> list[Shown]:
    """The submissions within your key, the latest first."""
    asker.require(Act.READ_SUBMISSIONS)
    statement = followed.visible(asker)
    if registry is not None:
        statement = statement.where(Submission.registry_id == registry)
    if facility is not None:
        statement = statement.where(Submission.facility_id == facility)
    if state is not None:
        statement = statement.where(Submission.state == state)
    if sent_since is not None:
        statement = statement.where(Submission.received_at >= progress.moment(sent_since))
    async with transactions.begin() as session:
        rows = await page.rows(session, statement, Submission.number, descending=True)
    return [Shown.of(row) for row in rows]


@router.get(
    "/submissions/{submission_id}",
    response_model=Shown,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404, 422)},
)
async def show(
    submission_id: SubmissionId,
    asker: Asker,
    transactions: Transactions,
    conditions: Conditional,
) -> object:
    """Where a submission stands, and what became of its entries."""
    asker.require(Act.READ_SUBMISSIONS)
    async with transactions.begin() as session:
        shown = Shown.of(await followed.one(session, submission_id, asker))
    return conditions.reply(shown)


@router.get(
    "/submissions/{submission_id}/findings",
    response_model=list[ShownFinding],
    responses={
        200: {**PAGED, "content": {progress.CSV: {"schema": {"type": "string"}}}},
        **problems(401, 403, 404, 406, 422),
    },
)
async def findings(
    submission_id: SubmissionId,
    asker: Asker,
    transactions: Transactions,
    page: PageAsked,
    entry: Annotated[int | None, Query(ge=0, le=LARGEST_INTEGER, description="Of it.")] = None,
    severity: Annotated[
        Literal["reject", "warn", "information"] | None, Query(description="Of this weight.")
    ] = None,
    accept: Annotated[str | None, Header(max_length=1000)] = None,
) -> object:
    """Everything that was found: JSON in pages, or with `Accept: text/csv` all of it as a table."""
    asker.require(Act.READ_SUBMISSIONS)
    as_table = progress.prefers_csv(accept)
    async with transactions.begin() as session:
        submission = await followed.one(session, submission_id, asker)
        statement = select(Finding).where(Finding.submission_number == submission.number)
        if entry is not None:
            statement = statement.where(Finding.row == entry)
        if severity is not None:
            statement = statement.where(Finding.severity == severity)
        if not as_table:
            rows = await page.rows(session, statement, Finding.row, Finding.id)
            return [ShownFinding.of(row) for row in rows]
    return StreamingResponse(
        progress.findings_table(transactions, statement),
        media_type=f"{progress.CSV}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="findings-{submission_id}.csv"'},
    )


@router.get(
    "/submissions/{submission_id}/entries",
    response_model=list[ShownEntry],
    responses={200: PAGED, **problems(401, 403, 404, 422)},
)
async def entries(
    submission_id: SubmissionId,
    asker: Asker,
    transactions: Transactions,
    page: PageAsked,
    outcome: Annotated[
        EntryOutcome | None,
        Query(description="That came to this."),
    ] = None,
) -> list[ShownEntry]:
    """What became of each entry."""
    asker.require(Act.READ_SUBMISSIONS)
    async with transactions.begin() as session:
        submission = await followed.one(session, submission_id, asker)
        statement = select(Entry).where(Entry.submission_number == submission.number)
        if outcome is not None:
            statement = statement.where(Entry.outcome == outcome)
        rows = await page.rows(session, statement, Entry.row)
    return [ShownEntry.of(row) for row in rows]


@router.get(
    "/submissions/{submission_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "An event for each change, until the submission has ended.",
            "content": {progress.EVENT_STREAM: {"schema": progress.EVENT}},
        },
        **problems(401, 403, 404, 422),
    },
)
async def events(
    submission_id: SubmissionId,
    asker: Asker,
    transactions: Transactions,
    last_event_id: Annotated[
        str | None, Header(max_length=100, description="The last event you have seen.")
    ] = None,
) -> StreamingResponse:
    """Follow a submission by server-sent events; each carries what `GET` would answer."""
    asker.require(Act.READ_SUBMISSIONS)

    async def look() -> tuple[str, str, bool]:
        async with transactions.begin() as session:
            await access.still_known(session, asker)
            row = await followed.one(session, submission_id, asker)
        shown = Shown.of(row)
        at = f"{row.state}-{row.rows_read}-{row.rows_checked}-{row.rows_accepted}"
        return at, shown.model_dump_json(), shown.state in followed.ENDS

    await look()  # a problem is answered as one, before the stream begins
    return StreamingResponse(
        progress.stream(look, last_event_id),
        media_type=progress.EVENT_STREAM,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
