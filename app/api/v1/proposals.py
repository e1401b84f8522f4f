"""Proposals: what somebody would have otherwise in a definition, and the next version they come to."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field
from sqlalchemy import select

from app import access, errors, proposals
from app.access import Act
from app.api.dependencies import (
    LARGEST_BIGINT,
    NO_SUCH_REGISTRY,
    Asker,
    Catalogue,
    RegistryId,
    Transactions,
)
from app.api.fields import Prose, Sent, Shown, VersionAsked
from app.api.pages import (
    NOT_MODIFIED,
    PAGED,
    TAGGED,
    Conditional,
    PageAsked,
    Unchanged,
    etag,
)
from app.api.problems import problems
from app.api.v1.versions import DefinitionChange, told_changes
from app.models.proposal import Proposal as Row
from app.models.proposal import ProposalComment
from app.registries.alteration import Alteration, altered
from app.registries.schema import Definition

router = APIRouter(prefix="/registries/{registry_id}", tags=["proposals"])


ProposalId = Annotated[int, Path(ge=1, le=LARGEST_BIGINT, description="A proposal.")]
State = Literal["open", "accepted", "declined", "withdrawn"]


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

    state: proposals.Decided
    because: Prose | None = Field(default=None, description="Why. No patient belongs here.")


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
        return [_summary(row, asker) for row in await page.rows(session, statement, Row.id)]


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
    await proposals.require_sound(definition, new.alterations)
    async with transactions.begin() as session:
        row = await proposals.propose(session, asker, definition, new.alterations, new.rationale)
        said = await proposals.comments(session, row)
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
        row = await proposals.one_of(session, registry_id, proposal_id)
        definition = catalogue.registry(registry_id, version=row.definition_version)
        said = await proposals.comments(session, row)
    return conditions.reply(await _whole(row, said, definition, asker), _tag_of(row, said, asker))


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
        row = await proposals.one_of(session, registry_id, proposal_id)
        await proposals.comment(session, asker, row, new.says)
        definition = catalogue.registry(registry_id, version=row.definition_version)
        said = await proposals.comments(session, row)
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
        row = await proposals.one_of(session, registry_id, proposal_id, to_decide=True)
        definition = catalogue.registry(registry_id, version=row.definition_version)
        expected.require(_tag_of(row, await proposals.comments(session, row), asker))
        await proposals.decide(session, asker, row, definition, decision.state, decision.because)
        said = await proposals.comments(session, row)
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
    response.headers["ETag"] = _tag_of(row, said, asker)
    return await _whole(row, said, definition, asker)


def _shown_to(asker: access.Asker, key_id: str) -> str | None:
    return key_id if asker.may(Act.DECIDE) or asker.key_id == key_id else None


def _summary(row: Row, asker: access.Asker) -> ProposalSummary:
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


def _tag_of(row: Row, said: Sequence[ProposalComment], asker: access.Asker) -> str:
    """The tag of a proposal as this asker is shown it: nothing but its state and comments changes."""
    return etag(row.id, row.state, len(said), asker.key_id, asker.may(Act.DECIDE))


async def _whole(
    row: Row, said: Sequence[ProposalComment], definition: Definition, asker: access.Asker
) -> Proposal:
    """A proposal with what it would change of its version."""
    alterations = proposals.alterations_of(row)
    made = await asyncio.to_thread(altered, definition, alterations)
    return Proposal(
        **_members(row, asker),
        alterations=alterations,
        changes=told_changes(definition, made.definition) if made.definition else [],
        complaints=proposals.pointed(made),
        comments=[
            Comment(says=one.says, at=one.at, by=_shown_to(asker, one.by), by_role=one.by_role)
            for one in said
        ],
    )
