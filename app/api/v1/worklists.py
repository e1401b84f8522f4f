"""Worklists: what a facility is to look after, what is due and overdue, and what happened to it."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import audit, errors
from app.access import Act
from app.access import Asker as Who
from app.api import progress
from app.api.dependencies import (
    LARGEST_BIGINT,
    Asker,
    RegistryInForce,
    SettingsInForce,
    Transactions,
    VaultRoom,
    visible_facility,
)
from app.api.pages import PAGED, PageAsked
from app.api.problems import problems
from app.api.v1.metrics import Facility, the_facility
from app.api.v1.open_cases import Look, LoopState, OpenCase, standing, table
from app.benchmarks.engine import Engine
from app.models import OpenLoop, WorklistEvent, WorklistMark
from app.registries.schema import Definition
from app.registries.worklist import Worklist

router = APIRouter(prefix="/registries/{registry_id}/worklists", tags=["worklists"])

WorklistId = Annotated[str, Path(description="A worklist's id.", pattern=r"^[a-z][a-z0-9-]{0,62}$")]


class LoopCounts(BaseModel):
    """How many open cases a facility has."""

    upcoming: int = Field(description="Open, and nothing to be done yet.")
    due: int
    overdue: int


class ListedWorklist(BaseModel):
    """A worklist, and how much is on it."""

    id: str
    title: str
    description: str
    form: str
    counts: LoopCounts


class Worklists(BaseModel):
    """The worklists of a registry for a facility."""

    registry: str
    definition_version: str
    facility: int
    feed_number: int = Field(description="Whatever was accepted up to this number is in them.")
    worklists: list[ListedWorklist]


class WorklistColumn(BaseModel):
    """What is shown of a case."""

    id: str
    title: str
    unit: str | None
    labels: dict[str, str] = Field(description="What the codes of a coded element mean.")


class ShownWorklist(ListedWorklist):
    """Some of what is open, what was due first first."""

    registry: str
    definition_version: str
    facility: int
    feed_number: int = Field(description="Whatever was accepted up to this number is in it.")
    on: date = Field(description="The day that it is of, in UTC.")
    columns: list[WorklistColumn]
    cases: list[OpenCase]


class ShownEvent(BaseModel):
    """Something that happened to an open case."""

    feed_number: int = Field(description="Its place in the registry's feed: they only rise.")
    event: Literal["due", "overdue", "closed"]
    case: int
    href: str
    on: date = Field(description="The day on which it fell due or became late, or was closed.")
    at: datetime = Field(description="When it was told.")


@router.get("", response_model=Worklists, responses=problems(401, 403, 404, 422))
async def list_worklists(
    definition: RegistryInForce,
    asker: Asker,
    transactions: Transactions,
    facility: Facility = None,
) -> Worklists:
    """What a registry's worklists hold for the facility. Nobody but its own people reads them."""
    number = _own(asker, facility, definition)
    async with transactions.begin() as session:
        counts = await _counts(session, definition, number, _today())
        feed_number = await _feed_number(session, definition)
    return Worklists(
        registry=definition.id,
        definition_version=definition.version,
        facility=number,
        feed_number=feed_number,
        worklists=[_listed(one, counts[one.id]) for one in definition.worklists],
    )


@router.get(
    "/{worklist_id}",
    response_model=ShownWorklist,
    responses={
        200: {"content": {progress.CSV: {"schema": {"type": "string"}}}, **PAGED},
        **problems(401, 403, 404, 406, 422),
    },
)
async def read_worklist(
    definition: RegistryInForce,
    worklist_id: WorklistId,
    asker: Asker,
    transactions: Transactions,
    settings: SettingsInForce,
    vault: VaultRoom,
    page: PageAsked,
    facility: Facility = None,
    state: Annotated[
        list[LoopState] | None,
        Query(max_length=3, description="Due and overdue when left out."),
    ] = None,
    identity: Annotated[
        bool, Query(description="With the identifying elements of each case; audited.")
    ] = False,
    accept: Annotated[str | None, Header(max_length=1000)] = None,
) -> ShownWorklist | Response:
    """What is open at the facility: JSON in pages, or with `Accept: text/csv` all of it as a table.

    Nobody but the facility's own people reads it.
    """
    number = _own(asker, facility, definition)
    if identity:
        asker.require(Act.READ_IDENTITIES)
    worklist = _known(definition, worklist_id)
    as_table = progress.prefers_csv(accept)
    look = Look(
        definition=definition,
        worklist=worklist,
        facility=number,
        today=_today(),
        states=tuple(dict.fromkeys(state or ("due", "overdue"))),
        asker=asker,
        engine=Engine.of(settings),
        vault=vault if identity else None,
    )
    async with transactions.begin() as session:
        counts = await _counts(session, definition, number, look.today)
        feed_number = await _feed_number(session, definition)
        await audit.record(
            session,
            asker,
            "read",
            "worklist",
            worklist.id,
            facility_id=number,
            registry_id=definition.id,
        )
        if not as_table:
            loops = await page.rows(session, look.loops(), OpenLoop.due_on, OpenLoop.case_id)
            cases = await look.told(session, loops)
    if as_table:
        return StreamingResponse(
            table(transactions, look),
            media_type=f"{progress.CSV}; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{worklist.id}.csv"'},
        )
    return ShownWorklist(
        **_listed(worklist, counts[worklist.id]).model_dump(),
        registry=definition.id,
        definition_version=definition.version,
        facility=number,
        feed_number=feed_number,
        on=look.today,
        columns=_columns(definition, worklist),
        cases=cases,
    )


@router.get(
    "/{worklist_id}/events",
    response_model=list[ShownEvent],
    responses={200: PAGED, **problems(401, 403, 404, 422)},
)
async def list_worklist_events(
    definition: RegistryInForce,
    worklist_id: WorklistId,
    asker: Asker,
    transactions: Transactions,
    page: PageAsked,
    facility: Facility = None,
    since: Annotated[
        int, Query(ge=0, le=LARGEST_BIGINT, description="The last feed number that you hold.")
    ] = 0,
) -> list[ShownEvent]:
    """What fell due, became overdue or was closed since, in the order of the registry's feed.

    Keep the last feed number and ask again with it: no event is shown before an earlier one.
    """
    number = _own(asker, facility, definition)
    worklist = _known(definition, worklist_id)
    statement = select(WorklistEvent).where(
        WorklistEvent.facility_id == number,
        WorklistEvent.registry_id == definition.id,
        WorklistEvent.worklist_id == worklist.id,
        WorklistEvent.feed_seq > since,
    )
    async with transactions.begin() as session:
        rows = await page.rows(session, statement, WorklistEvent.feed_seq)
    return [
        ShownEvent(
            feed_number=one.feed_seq,
            event=one.event,
            case=one.case_id,
            href=f"/v1/cases/{one.case_id}",
            on=one.on_day,
            at=one.created_at,
        )
        for one in rows
    ]


async def _counts(
    session: AsyncSession, definition: Definition, facility: int, today: date
) -> dict[str, LoopCounts]:
    """How many cases of each worklist stand where."""
    number = {one: func.count().filter(standing(one, today)) for one in get_args(LoopState)}
    found = await session.execute(
        select(OpenLoop.worklist_id, *(count.label(name) for name, count in number.items()))
        .where(OpenLoop.facility_id == facility, OpenLoop.registry_id == definition.id)
        .group_by(OpenLoop.worklist_id)
    )
    known = {
        row.worklist_id: LoopCounts(upcoming=row.upcoming, due=row.due, overdue=row.overdue)
        for row in found
    }
    nothing = LoopCounts(upcoming=0, due=0, overdue=0)
    return {one.id: known.get(one.id, nothing) for one in definition.worklists}


async def _feed_number(session: AsyncSession, definition: Definition) -> int:
    mark = await session.get(WorklistMark, definition.id)
    return mark.feed_seq if mark is not None else 0


def _own(asker: Who, facility: int | None, definition: Definition) -> int:
    """The facility whose worklists are asked for: one that the asker belongs to."""
    asker.require(Act.READ_WORKLISTS)
    return visible_facility(asker, the_facility(asker, facility, definition), definition.id)


def _known(definition: Definition, worklist_id: str) -> Worklist:
    try:
        return definition.worklist(worklist_id)
    except KeyError:
        raise errors.NotFound("This registry has no such worklist.") from None


def _listed(worklist: Worklist, counts: LoopCounts) -> ListedWorklist:
    return ListedWorklist(
        id=worklist.id,
        title=worklist.title,
        description=worklist.description,
        form=worklist.form,
        counts=counts,
    )


def _columns(definition: Definition, worklist: Worklist) -> list[WorklistColumn]:
    form = definition.form(worklist.form)
    derived = {one.id: one for one in definition.derived if one.form == form.id}
    found = []
    for name in worklist.columns:
        element = form.by_id.get(name)
        values = definition.value_set(element) if element is not None else None
        title = (
            element.title if element is not None else derived[name].title if name in derived else ""
        )
        found.append(
            WorklistColumn(
                id=name,
                title=title or name,
                unit=element.unit if element is not None else None,
                labels={code.code: code.label for code in values.codes} if values else {},
            )
        )
    return found


def _today() -> date:
    return datetime.now(UTC).date()
