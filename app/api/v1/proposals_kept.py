"""A proposal as it is kept and shown: found within a key's bounds, told with what it would change."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import Field, TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, errors
from app.access import Act
from app.api.dependencies import LARGEST_BIGINT
from app.api.fields import Shown
from app.api.pages import etag
from app.api.v1.versions import DefinitionChange, told_changes
from app.models.proposal import Proposal as Row
from app.models.proposal import ProposalComment
from app.registries.alteration import Alteration, Altered, altered
from app.registries.schema import Definition

ProposalId = Annotated[int, Path(ge=1, le=LARGEST_BIGINT, description="A proposal.")]
State = Literal["open", "accepted", "declined", "withdrawn"]

_ALTERATIONS: TypeAdapter[list[Alteration]] = TypeAdapter(list[Alteration])


class Comment(Shown):
    """What somebody said of a proposal."""

    says: str
    at: datetime
    by: str | None = Field(description="The key; told to its holder and to those who decide.")
    by_role: str


class ProposalSummary(Shown):
    """A proposal as it is listed."""

    id: int
    registry_id: str
    version: str = Field(description="The version whose definition it would alter.")
    rationale: str
    state: State
    proposed_at: datetime
    proposed_by: str | None = Field(
        description="The key; told to its holder and to those who decide."
    )
    proposed_as: str = Field(description="The role of the key.")
    decided_at: datetime | None
    because: str | None


class Proposal(ProposalSummary):
    """A proposal, whole, and what it would change of the version it was made for."""

    alterations: list[Alteration]
    changes: list[DefinitionChange]
    complaints: list[str] = Field(
        description="What speaks against it by now; none when it was proposed."
    )
    comments: list[Comment]


def _shown_to(asker: access.Asker, key_id: str) -> str | None:
    return key_id if asker.may(Act.DECIDE) or asker.key_id == key_id else None


def summary(row: Row, asker: access.Asker) -> ProposalSummary:
    return ProposalSummary.model_validate(_members(row, asker))


def _members(row: Row, asker: access.Asker) -> dict[str, Any]:
    return {
        "id": row.id,
        "registry_id": row.registry_id,
        "version": row.definition_version,
        "rationale": row.rationale,
        "state": row.state,
        "proposed_at": row.proposed_at,
        "proposed_by": _shown_to(asker, row.proposed_by),
        "proposed_as": row.proposed_as,
        "decided_at": row.decided_at,
        "because": row.because,
    }


def tag_of(row: Row, said: Sequence[ProposalComment], asker: access.Asker) -> str:
    """The tag of a proposal as this asker is shown it: nothing but its state and comments changes."""
    return etag(row.id, row.state, len(said), asker.key_id, asker.may(Act.DECIDE))


async def comments(session: AsyncSession, row: Row) -> Sequence[ProposalComment]:
    """What was said of a proposal, in order."""
    found = await session.scalars(
        select(ProposalComment)
        .where(ProposalComment.proposal_id == row.id)
        .order_by(ProposalComment.id)
    )
    return found.all()


async def whole(
    row: Row, said: Sequence[ProposalComment], definition: Definition, asker: access.Asker
) -> Proposal:
    """A proposal with what it would change of its version."""
    alterations = _ALTERATIONS.validate_python(row.alterations)
    made = await asyncio.to_thread(altered, definition, alterations)
    return Proposal(
        **_members(row, asker),
        alterations=alterations,
        changes=told_changes(definition, made.definition) if made.definition else [],
        complaints=pointed(made),
        comments=[
            Comment(says=one.says, at=one.at, by=_shown_to(asker, one.by), by_role=one.by_role)
            for one in said
        ],
    )


def pointed(made: Altered) -> list[str]:
    """Complaints with JSON Pointers into the body that proposed the alterations."""
    return _told(made, lambda number: f"/alterations/{number}")


def located(made: Altered, rows: Sequence[Row]) -> list[str]:
    """Complaints of several proposals' alterations together, each with the proposal it is about."""
    places = [
        f"proposals/{row.id}/alterations/{number}"
        for row in rows
        for number in range(len(row.alterations))
    ]
    return _told(made, places.__getitem__)


def _told(made: Altered, called: Callable[[int], str]) -> list[str]:
    return [
        f"{'' if one.alteration is None else called(one.alteration)}{one.place}: {one.says}"
        for one in made.complaints
    ]


async def kept_proposal(
    session: AsyncSession, registry_id: str, proposal_id: int, *, locked: bool = False
) -> Row:
    statement = select(Row).where(Row.id == proposal_id, Row.registry_id == registry_id)
    row = await session.scalar(statement.with_for_update() if locked else statement)
    if row is None:
        raise errors.NotFound("There is no such proposal, or it is not within your key.")
    return row


async def accepted(session: AsyncSession, definition: Definition) -> Sequence[Row]:
    """What was accepted for a version, in the order of acceptance."""
    rows = await session.scalars(
        select(Row)
        .where(
            Row.registry_id == definition.id,
            Row.definition_version == definition.version,
            Row.state == "accepted",
        )
        .order_by(Row.decided_at, Row.id)
    )
    return rows.all()


def together(rows: Sequence[Row]) -> list[Alteration]:
    return [each for row in rows for each in _ALTERATIONS.validate_python(row.alterations)]
