"""The audit trail: who did what to which record, newest first."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import select

from app.access import Act
from app.api.dependencies import LARGEST_INTEGER, Asker, Transactions
from app.api.fields import RegistryName, Shown
from app.api.pages import PAGED, PageAsked
from app.api.problems import problems
from app.models.audit import AuditEvent as Row

router = APIRouter(prefix="/audit-events", tags=["operations"])


class AuditEvent(Shown):
    """One act. `details` holds our own words and numbers, never what somebody submitted."""

    id: int
    at: datetime
    key_id: str | None
    role: str | None
    action: str
    record_type: str
    record_id: str | None
    registry_id: str | None
    facility_id: int | None
    details: dict[str, Any] | None


@router.get("", response_model=list[AuditEvent], responses={200: PAGED, **problems(401, 403, 422)})
async def list_events(
    asker: Asker,
    transactions: Transactions,
    page: PageAsked,
    facility: Annotated[
        int | None, Query(ge=1, le=LARGEST_INTEGER, description="That concern this facility.")
    ] = None,
    registry: Annotated[RegistryName | None, Query(description="In this registry.")] = None,
    key: Annotated[
        str | None, Query(pattern=r"^[a-z2-7]{12}$", description="Done with this key.")
    ] = None,
    record_type: Annotated[
        str | None, Query(pattern=r"^[a-z][a-z-]{0,40}$", description="To this kind of record.")
    ] = None,
    record_id: Annotated[
        str | None,
        Query(pattern=r"^[A-Za-z0-9-]{1,64}$", description="To the record of this id."),
    ] = None,
) -> list[Row]:
    """What was done: for auditors all of it, for an administrator what concerns its facilities."""
    asker.require(Act.READ_AUDIT)
    statement = select(Row)
    wanted = {
        Row.facility_id: facility,
        Row.registry_id: registry,
        Row.key_id: key,
        Row.record_type: record_type,
        Row.record_id: record_id,
    }
    for column, value in wanted.items():
        if value is not None:
            statement = statement.where(column == value)
    if asker.registries is not None:
        statement = statement.where(
            Row.registry_id.is_(None) | Row.registry_id.in_(asker.registries)
        )
    async with transactions.begin() as session:
        return await page.rows(session, statement, Row.id, descending=True)
