"""
Physician feedback: a physician's own results, for the physician and the facility's administrator alone.

A physician's key is for one row of the list at one facility: of anybody else there is nothing. Each
look is kept in the audit trail, and whoever may read the feedback may list who looked.
"""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, audit, errors
from app.access import Act
from app.api.dependencies import (
    Asker,
    FacilityInReach,
    RegistryInForce,
    SettingsInForce,
    Transactions,
    visible_facility,
)
from app.api.fields import Shown
from app.api.pages import PAGED, PageAsked
from app.api.problems import problems
from app.api.v1.physicians import PhysicianId
from app.api.v1.reports import PDF, PeriodAsked, preferred
from app.benchmarks import query
from app.benchmarks.engine import Engine
from app.benchmarks.periods import period
from app.models.account import Facility, Physician, PhysicianFacility
from app.models.audit import AuditEvent
from app.reports.physicians.compose import Whose, compose, each, told_measures
from app.reports.physicians.feedback import PhysicianFeedback
from app.reports.physicians.render import page as written
from app.reports.physicians.render import pdf
from app.reports.render import POLICY

router = APIRouter(
    prefix="/facilities/{facility_id}/physicians/{physician_id}", tags=["physician feedback"]
)

NO_SUCH_PHYSICIAN = "There is no such physician at this facility, or none within your key."
RECORD = "physician-feedback"
FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/html": {"schema": {"type": "string"}},
            PDF: {"schema": {"type": "string", "format": "binary"}},
        },
        "headers": {"Vary": {"schema": {"type": "string"}}},
    },
    **problems(401, 403, 404, 406, 422),
}


class Look(Shown):
    """Somebody read a physician's feedback."""

    at: datetime
    role: str | None
    key_id: str | None
    registry_id: str | None
    period: str | None = Field(description="Which period's.")
    form: str | None = Field(description="As a page, a file, or JSON.")


async def _whose(
    session: AsyncSession, asker: access.Asker, facility_id: int, physician_id: int
) -> Whose:
    """Whose feedback it is, if the asker may read it; somebody else's is nobody's."""
    if asker.role is access.Role.PHYSICIAN and asker.physician_id != physician_id:
        raise errors.NotFound(NO_SUCH_PHYSICIAN)
    found = (
        await session.execute(
            select(Physician, Facility.name)
            .join(PhysicianFacility, PhysicianFacility.physician_id == Physician.id)
            .join(Facility, Facility.id == PhysicianFacility.facility_id)
            .where(Physician.id == physician_id, PhysicianFacility.facility_id == facility_id)
        )
    ).one_or_none()
    if found is None:
        raise errors.NotFound(NO_SUCH_PHYSICIAN)
    return Whose(found[0], facility_id, found[1])


@router.get("/feedback/{registry_id}/{period}", response_model=PhysicianFeedback, responses=FORMS)
async def read_feedback(
    facility_id: FacilityInReach,
    physician_id: PhysicianId,
    registry: RegistryInForce,
    asked: PeriodAsked,
    asker: Asker,
    transactions: Transactions,
    settings: SettingsInForce,
    request: Request,
    response: Response,
    format: Annotated[
        Literal["html", "json", "pdf"] | None,
        Query(description="Instead of `Accept`: a page, a file, or the same as JSON."),
    ] = None,
) -> PhysicianFeedback | Response:
    """A physician's own rates beside the facility's and its peers', worked out at this moment."""
    asker.require(Act.READ_PHYSICIAN_FEEDBACK)
    visible_facility(asker, facility_id, registry.id)
    form = format or preferred(request.headers.get("accept", "*/*"))
    if form == "xlsx":
        raise errors.NotAcceptable(["text/html", "application/json", PDF])
    over, at = period(asked), datetime.now(UTC)
    async with transactions.begin() as session:
        whose = await _whose(session, asker, facility_id, physician_id)
        await audit.record(
            session,
            asker,
            "read",
            RECORD,
            physician_id,
            facility_id=facility_id,
            registry_id=registry.id,
            details={"period": over.label, "form": form},
        )
        answer = await query.results(
            session,
            registry,
            facility_id,
            [over],
            today=at.date(),
            measures=told_measures(registry),
        )
    async with transactions.unbound() as session:  # windows see a person's cases everywhere
        counted = await each(session, Engine.of(settings), registry, facility_id, over)
    feedback = compose(registry, whose, over, answer, counted, at=at)
    response.headers["Vary"] = "Accept"
    if form == "html":
        return HTMLResponse(
            written(feedback), headers={"Content-Security-Policy": POLICY, "Vary": "Accept"}
        )
    if form == "pdf":
        name = f"physician-{physician_id}-{facility_id}-{registry.id}-{over.label}.pdf"
        return Response(
            await asyncio.to_thread(pdf, feedback),
            media_type=PDF,
            headers={"Content-Disposition": f'inline; filename="{name}"', "Vary": "Accept"},
        )
    return feedback


@router.get("/looks", response_model=list[Look], responses={200: PAGED, **problems(401, 403, 404)})
async def list_looks(
    facility_id: FacilityInReach,
    physician_id: PhysicianId,
    asker: Asker,
    transactions: Transactions,
    page: PageAsked,
) -> list[Look]:
    """Who read a physician's feedback at this facility, the latest first."""
    asker.require(Act.READ_PHYSICIAN_FEEDBACK)
    statement = select(AuditEvent).where(
        AuditEvent.record_type == RECORD,
        AuditEvent.record_id == str(physician_id),
        AuditEvent.facility_id == facility_id,
    )
    if asker.registries is not None:
        statement = statement.where(AuditEvent.registry_id.in_(sorted(asker.registries)))
    async with transactions.begin() as session:
        await _whose(session, asker, facility_id, physician_id)
        rows = await page.rows(session, statement, AuditEvent.id, descending=True)
    return [
        Look(
            at=one.at,
            role=one.role,
            key_id=one.key_id,
            registry_id=one.registry_id,
            period=(one.details or {}).get("period"),
            form=(one.details or {}).get("form"),
        )
        for one in rows
    ]
