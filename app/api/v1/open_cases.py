"""The open cases of a worklist as they are told: some of them, or all as a table."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, and_, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app import audit
from app.access import Asker
from app.api import progress
from app.api.dependencies import ScopedTransactions, VaultRoom
from app.benchmarks.engine import Engine
from app.benchmarks.feed import in_force_of
from app.benchmarks.worklists import shown
from app.ingest.identity import identities_of
from app.models import Case, OpenLoop, Subject
from app.registries.schema import Definition
from app.registries.worklist import Worklist

LoopState = Literal["upcoming", "due", "overdue"]
ROWS = 500
"""Cases of a table that are read in one transaction."""


class OpenCase(BaseModel):
    """A case that waits for something."""

    id: int
    href: str = Field(description="The case itself.")
    subject: str = Field(description="The pseudonym of the person.")
    case_date: date
    state: LoopState
    due_on: date = Field(description="From this day on it can be done.")
    overdue_on: date | None = Field(description="From this day on it is late.")
    values: dict[str, Any]
    identity: dict[str, Any] | None = Field(
        default=None, description="Identifying elements, if asked for."
    )


@dataclass(frozen=True, slots=True)
class Look:
    """One facility's look at a worklist."""

    definition: Definition
    worklist: Worklist
    facility: int
    today: date
    states: Sequence[LoopState]
    asker: Asker
    engine: Engine
    vault: VaultRoom | None
    """Where identities are asked for."""

    def loops(self) -> Select[Any]:
        return select(OpenLoop).where(
            OpenLoop.facility_id == self.facility,
            OpenLoop.registry_id == self.definition.id,
            OpenLoop.worklist_id == self.worklist.id,
            or_(*(standing(one, self.today) for one in self.states)),
        )

    async def told(self, session: AsyncSession, loops: Sequence[OpenLoop]) -> list[OpenCase]:
        """The cases as they stand; one that was withdrawn this moment is left out."""
        known = {
            row.id: row
            for row in await session.execute(
                select(Case.id, Case.subject_id, Case.case_date, Subject.pseudonym)
                .join(Subject, Subject.id == Case.subject_id)
                .where(
                    Case.id.in_({one.case_id for one in loops}),
                    Case.facility_id == self.facility,
                    Case.state == "submitted",
                )
            )
        }
        versions = await in_force_of(
            session, self.definition.id, {row.subject_id for row in known.values()}
        )
        values = await asyncio.to_thread(
            shown, self.engine, self.definition, self.worklist, versions, list(known)
        )
        identities = {}
        if self.vault is not None:
            identities = await identities_of(session, self.vault, self.definition, known)
            await audit.record_each(
                session,
                self.asker,
                "read-identity",
                "case",
                known,
                facility_id=self.facility,
                registry_id=self.definition.id,
            )
        return [
            OpenCase(
                id=one.case_id,
                href=f"/v1/cases/{one.case_id}",
                subject=known[one.case_id].pseudonym,
                case_date=known[one.case_id].case_date,
                state=self._state(one),
                due_on=one.due_on,
                overdue_on=one.overdue_on,
                values=values[one.case_id],
                identity=None if self.vault is None else identities.get(one.case_id, {}),
            )
            for one in loops
            if one.case_id in values
        ]

    def _state(self, one: OpenLoop) -> LoopState:
        if one.overdue_on is not None and one.overdue_on <= self.today:
            return "overdue"
        return "due" if one.due_on <= self.today else "upcoming"


def table(transactions: ScopedTransactions, look: Look) -> AsyncIterator[str]:
    """Every open case as a line of CSV, read in runs by short transactions."""
    identifying = _identifying(look.definition, look.worklist) if look.vault is not None else []
    fixed = ("case", "subject", "state", "due_on", "overdue_on")

    async def run(last: OpenLoop | None) -> tuple[Sequence[OpenLoop], list[tuple[object, ...]]]:
        after = look.loops().order_by(OpenLoop.due_on, OpenLoop.case_id).limit(ROWS)
        if last is not None:
            after = after.where(
                tuple_(OpenLoop.due_on, OpenLoop.case_id) > (last.due_on, last.case_id)
            )
        async with transactions.begin() as session:
            loops = (await session.scalars(after)).all()
            cases = await look.told(session, loops)
        return loops, [
            (
                one.id,
                one.subject,
                one.state,
                one.due_on,
                one.overdue_on,
                *(_cell(value) for value in one.values.values()),
                *((one.identity or {}).get(name) for name in identifying),
            )
            for one in cases
        ]

    return progress.table((*fixed, *look.worklist.columns, *identifying), run, ROWS)


def _cell(value: Any) -> Any:
    return " ".join(value) if isinstance(value, list) else value


def _identifying(definition: Definition, worklist: Worklist) -> list[str]:
    form = definition.form(worklist.form)
    return [one.id for one in form.all_elements if one.identifying]


def standing(state: LoopState, today: date) -> ColumnElement[bool]:
    late = and_(OpenLoop.overdue_on.is_not(None), OpenLoop.overdue_on <= today)
    match state:
        case "overdue":
            return late
        case "due":
            return and_(OpenLoop.due_on <= today, ~late)
        case "upcoming":
            return and_(OpenLoop.due_on > today, ~late)
