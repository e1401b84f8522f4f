"""Proposals: what somebody would have otherwise in a definition, and the next version they come to."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, audit, errors
from app.access import Act
from app.api.dependencies import (
    NO_SUCH_REGISTRY,
    Asker,
    Catalogue,
    RegistryId,
    Transactions,
)
from app.api.fields import Prose, Sent, VersionAsked
from app.api.pages import (
    NOT_MODIFIED,
    PAGED,
    TAGGED,
    Conditional,
    PageAsked,
    Unchanged,
)
from app.api.problems import problems
from app.api.v1.proposals_kept import (
    Proposal,
    ProposalId,
    ProposalSummary,
    State,
    accepted,
    comments,
    kept_proposal,
    located,
    pointed,
    summary,
    tag_of,
    together,
    whole,
)
from app.models.base import now
from app.models.proposal import Proposal as Row
from app.models.proposal import ProposalComment
from app.registries.alteration import Alteration, altered
from app.registries.schema import Definition

router = APIRouter(prefix="/registries/{registry_id}", tags=["proposals"])


class NewProposal(Sent):
    """What is proposed, and why."""

    version: VersionAsked = None
    alterations: Annotated[list[Alteration], Field(min_length=1, max_length=20)]
    rationale: Prose = Field(description="Why. No patient belongs here.")


class NewComment(Sent):
    """Something to say of a proposal."""

    says: Prose = Field(description="No patient belongs here.")


class Decision(Sent):
    """What becomes of an open proposal."""

    state: Literal["accepted", "declined", "withdrawn"]
    because: Prose | None = Field(default=None, description="Why. No patient belongs here.")


async def registry_asked(registry_id: RegistryId, catalogue: Catalogue, asker: Asker) -> str:
    """The id of the registry in the address; 404 if it is not within the key."""
    asker.require(Act.READ_DEFINITIONS)
    if not asker.sees_registry(registry_id):
        raise errors.NotFound(NO_SUCH_REGISTRY)
    return catalogue.in_force(registry_id).id


RegistryAsked = Annotated[str, Depends(registry_asked, scope="function")]


@router.get(
    "/proposals",
    response_model=list[ProposalSummary],
    responses={200: PAGED, **problems(401, 403, 404, 422)},
)
async def list_proposals(
    registry_id: RegistryAsked,
    asker: Asker,
    transactions: Transactions,
    page: PageAsked,
    state: Annotated[State | None, Query(description="That stand here.")] = None,
) -> list[ProposalSummary]:
    """What was proposed of a registry's definition, the oldest first."""
    statement = select(Row).where(Row.registry_id == registry_id)
    if state is not None:
        statement = statement.where(Row.state == state)
    async with transactions.begin() as session:
        return [summary(row, asker) for row in await page.rows(session, statement, Row.id)]


@router.post(
    "/proposals",
    status_code=201,
    response_model=Proposal,
    responses={201: TAGGED, **problems(400, 401, 403, 404, 422)},
)
async def propose(
    registry_id: RegistryAsked,
    new: NewProposal,
    asker: Asker,
    catalogue: Catalogue,
    transactions: Transactions,
    response: Response,
) -> Proposal:
    """
    Propose elements, codes or value sets: new, otherwise than they are, or taken out.

    They are written as their YAML would be and held against the same checks; each complaint names its
    place as a JSON Pointer.
    """
    asker.require(Act.PROPOSE)
    definition = catalogue.registry(registry_id, version=new.version)
    made = await asyncio.to_thread(altered, definition, new.alterations)
    if made.complaints:
        raise errors.InvalidDefinition(pointed(made))
    row = Row(
        registry_id=registry_id,
        definition_version=definition.version,
        alterations=[one.model_dump(mode="json") for one in new.alterations],
        rationale=new.rationale,
        state="open",
        proposed_at=now(),
        proposed_by=asker.key_id,
        proposed_as=str(asker.role),
    )
    async with transactions.begin() as session:
        session.add(row)
        await session.flush()
        await _note(session, asker, "propose", row)
        said = await comments(session, row)
    return await _answer(response, row, said, definition, asker)


@router.get(
    "/proposals/{proposal_id}",
    response_model=Proposal,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404, 422)},
)
async def show_proposal(
    registry_id: RegistryAsked,
    proposal_id: ProposalId,
    asker: Asker,
    catalogue: Catalogue,
    transactions: Transactions,
    conditions: Conditional,
) -> Proposal | Response:
    """One proposal: what it would change, and what was said of it."""
    async with transactions.begin() as session:
        row = await kept_proposal(session, registry_id, proposal_id)
        definition = catalogue.registry(registry_id, version=row.definition_version)
        said = await comments(session, row)
    return conditions.reply(await whole(row, said, definition, asker), tag_of(row, said, asker))


@router.post(
    "/proposals/{proposal_id}/comments",
    status_code=201,
    response_model=Proposal,
    responses={201: TAGGED, **problems(400, 401, 403, 404, 422)},
)
async def comment(
    registry_id: RegistryAsked,
    proposal_id: ProposalId,
    new: NewComment,
    asker: Asker,
    catalogue: Catalogue,
    transactions: Transactions,
    response: Response,
) -> Proposal:
    """Say something of a proposal. What was said stays."""
    asker.require(Act.PROPOSE)
    async with transactions.begin() as session:
        row = await kept_proposal(session, registry_id, proposal_id)
        session.add(
            ProposalComment(
                proposal_id=row.id,
                says=new.says,
                at=now(),
                by=asker.key_id,
                by_role=str(asker.role),
            )
        )
        await session.flush()
        await _note(session, asker, "comment", row)
        definition = catalogue.registry(registry_id, version=row.definition_version)
        said = await comments(session, row)
    return await _answer(response, row, said, definition, asker)


@router.post(
    "/proposals/{proposal_id}/transitions",
    status_code=201,
    response_model=Proposal,
    responses={201: TAGGED, **problems(400, 401, 403, 404, 409, 412, 422)},
)
async def decide(
    registry_id: RegistryAsked,
    proposal_id: ProposalId,
    decision: Decision,
    asker: Asker,
    catalogue: Catalogue,
    transactions: Transactions,
    expected: Unchanged,
    response: Response,
) -> Proposal:
    """
    Accept or decline an open proposal, or withdraw your own.

    What is accepted must go with what was accepted before for the same version.
    """
    asker.require(Act.PROPOSE if decision.state == "withdrawn" else Act.DECIDE)
    async with transactions.begin() as session:
        # One decision of a registry at a time: two that do not go together must not both be taken.
        await session.execute(
            select(func.pg_advisory_xact_lock(_DECIDING, func.hashtext(registry_id)))
        )
        row = await kept_proposal(session, registry_id, proposal_id, locked=True)
        definition = catalogue.registry(registry_id, version=row.definition_version)
        expected.require(tag_of(row, await comments(session, row), asker))
        if row.state != "open":
            raise errors.Conflict("The proposal was decided: make another one.")
        if decision.state == "withdrawn" and row.proposed_by != asker.key_id:
            raise errors.Forbidden("Who proposed it may withdraw it. You may decline it.")
        if decision.state == "accepted":
            rows = [*await accepted(session, definition), row]
            made = await asyncio.to_thread(altered, definition, together(rows))
            if made.complaints:
                raise errors.InvalidDefinition(located(made, rows))
        row.state, row.because = decision.state, decision.because
        row.decided_at, row.decided_by = now(), asker.key_id
        await session.flush()
        await _note(session, asker, decision.state, row)
        said = await comments(session, row)
    return await _answer(response, row, said, definition, asker)


async def _answer(
    response: Response,
    row: Row,
    said: Sequence[ProposalComment],
    definition: Definition,
    asker: access.Asker,
) -> Proposal:
    """A proposal after a change of it: where it is, and its tag."""
    response.headers["Location"] = f"/v1/registries/{row.registry_id}/proposals/{row.id}"
    response.headers["ETag"] = tag_of(row, said, asker)
    return await whole(row, said, definition, asker)


_DECIDING = 0x9907
"""With a registry's id: the advisory lock of whoever decides."""


async def _note(session: AsyncSession, asker: access.Asker, action: str, row: Row) -> None:
    """Write down an act on a proposal: its number and registry, nothing that was typed."""
    await audit.record(
        session,
        asker,
        action,
        "proposal",
        row.id,
        registry_id=row.registry_id,
        details={"version": row.definition_version},
    )
