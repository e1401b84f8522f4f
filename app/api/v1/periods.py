"""Periods: which months and years a facility has reported of itself, and which are missing."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import func, select

from app.access import Act
from app.api.dependencies import (
    LARGEST_INTEGER,
    Asker,
    RegistryInForce,
    Transactions,
    visible_facility,
)
from app.api.problems import problems
from app.models.account import Participation, ParticipationState, ParticipationTransition
from app.models.case import Case
from app.registries.schema import Precision

router = APIRouter(prefix="/registries/{registry_id}/periods", tags=["cases"])

MOST = 120
"""Periods of a form that are told of, the newest."""


class ReportedPeriod(BaseModel):
    """A month or year that a facility reports of itself, and whether it has."""

    form: str
    title: str = Field(description="What the form is called.")
    period: str = Field(description="A month as `2026-09`, a year as `2026`.")
    state: Literal["submitted", "draft", "withdrawn", "missing"]
    cases: list[int] = Field(
        description="The records of the period; more than one where the form's key says more."
    )


@router.get("", response_model=list[ReportedPeriod], responses=problems(401, 403, 404, 422))
async def list_periods(
    asker: Asker,
    registry: RegistryInForce,
    transactions: Transactions,
    facility: Annotated[int, Query(ge=1, le=LARGEST_INTEGER, description="Of this facility.")],
) -> list[ReportedPeriod]:
    """Every period since a facility takes part, newest first: those it reported, those that are missing.

    A period is due when it has ended. A registry without forms of a facility's periods has none. What is
    reported for each physician is not missing of anybody: only those that came are told.
    """
    asker.require(Act.READ_CASES)
    visible_facility(asker, facility)
    forms = [
        form for form in registry.entry_forms if form.level == "facility-period" and form.period
    ]
    told: list[ReportedPeriod] = []
    async with transactions.begin() as session:
        active = select(func.min(ParticipationTransition.at)).where(
            ParticipationTransition.participation_id == Participation.id,
            ParticipationTransition.state == ParticipationState.ACTIVE,
        )
        since = await session.scalar(
            select(func.coalesce(active.scalar_subquery(), Participation.created_at)).where(
                Participation.facility_id == facility, Participation.registry_id == registry.id
            )
        )
        for form in forms:
            found = await session.execute(
                select(Case.id, Case.case_date, Case.state)
                .where(
                    Case.registry_id == registry.id,
                    Case.facility_id == facility,
                    Case.form == form.id,
                )
                .order_by(Case.id)
            )
            records: dict[date, list[tuple[int, str]]] = {}
            for id, day, state in found:
                if day is not None:
                    records.setdefault(day, []).append((id, state))
            precision = form.by_id[form.period or ""].precision
            begin = since.date() if since is not None else None
            due = set[date]()
            if form.physician is None:
                due |= set(_due(precision, begin, datetime.now(UTC).date()))
            told += [
                ReportedPeriod(
                    form=form.id,
                    title=form.title,
                    period=f"{day:%Y}" if precision == "year" else f"{day:%Y-%m}",
                    state=_state({state for _, state in records.get(day, ())}),
                    cases=[id for id, _ in records.get(day, ())],
                )
                for day in sorted({*due, *records}, reverse=True)[:MOST]
            ]
    return told


def _due(precision: Precision, since: date | None, today: date) -> Iterator[date]:
    """The first day of each whole period that began on or after a day and has ended by another."""
    if since is None:
        return
    first = since.replace(day=1, month=1 if precision == "year" else since.month)
    if first < since:
        first = _next(precision, first)
    while (following := _next(precision, first)) <= today:
        yield first
        first = following


def _next(precision: Precision, first: date) -> date:
    if precision == "year" or first.month == 12:
        return date(first.year + 1, 1, 1)
    return first.replace(month=first.month + 1)


def _state(states: set[str]) -> Literal["submitted", "draft", "withdrawn", "missing"]:
    """Of several records of a period, what is furthest on its way."""
    if "submitted" in states:
        return "submitted"
    if "draft" in states:
        return "draft"
    return "withdrawn" if states else "missing"
