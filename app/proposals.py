"""
Proposals as they are kept: made, spoken of, decided; and what those accepted come to together.

Each act is in the audit trail with the number and the version, and nothing that was typed.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import audit
from app.errors import Conflict, Forbidden, InvalidDefinition, NotFound
from app.locks import Lock, take
from app.models.base import now
from app.models.proposal import Proposal, ProposalComment
from app.registries.alteration import Alteration, Altered, altered
from app.registries.schema import Definition

Decided = Literal["accepted", "declined", "withdrawn"]

_ALTERATIONS: TypeAdapter[list[Alteration]] = TypeAdapter(list[Alteration])


async def require_sound(definition: Definition, alterations: Sequence[Alteration]) -> None:
    """`InvalidDefinition` with JSON Pointers into what is proposed, if a version cannot be altered so."""
    made = await asyncio.to_thread(altered, definition, alterations)
    if made.complaints:
        raise InvalidDefinition(pointed(made))


async def propose(
    session: AsyncSession,
    actor: audit.Actor,
    definition: Definition,
    alterations: Sequence[Alteration],
    rationale: str,
) -> Proposal:
    """Keep a proposal against a version, open. That it is sound was asked before."""
    row = Proposal(
        registry_id=definition.id,
        definition_version=definition.version,
        alterations=[one.model_dump(mode="json") for one in alterations],
        rationale=rationale,
        state="open",
        proposed_at=now(),
        proposed_by=actor.key_id,
        proposed_as=str(actor.role),
    )
    session.add(row)
    await session.flush()
    await _note(session, actor, "propose", row)
    return row


async def comment(session: AsyncSession, actor: audit.Actor, row: Proposal, says: str) -> None:
    """Keep what somebody says of a proposal, in any state."""
    session.add(
        ProposalComment(
            proposal_id=row.id, says=says, at=now(), by=actor.key_id, by_role=str(actor.role)
        )
    )
    await session.flush()
    await _note(session, actor, "comment", row)


async def decide(
    session: AsyncSession,
    actor: audit.Actor,
    row: Proposal,
    definition: Definition,
    state: Decided,
    because: str | None,
) -> None:
    """
    Decide a proposal that is held for it, against the version it was made for.

    `Conflict` if it was decided; `Forbidden` if another's would be withdrawn; `InvalidDefinition` if it
    does not go with what was accepted before.
    """
    if row.state != "open":
        raise Conflict("The proposal was decided: make another one.")
    if state == "withdrawn" and row.proposed_by != actor.key_id:
        raise Forbidden("Who proposed it may withdraw it. You may decline it.")
    if state == "accepted":
        rows = [*await accepted(session, definition), row]
        made = await asyncio.to_thread(altered, definition, alterations_of(*rows))
        if made.complaints:
            raise InvalidDefinition(located(made, rows))
    row.state, row.because = state, because
    row.decided_at, row.decided_by = now(), actor.key_id
    await session.flush()
    await _note(session, actor, state, row)


async def one_of(
    session: AsyncSession, registry_id: str, proposal_id: int, *, to_decide: bool = False
) -> Proposal:
    """
    A proposal of a registry; `NotFound` if it has none of this number.

    Who is to decide holds what is decided of the registry, so that two that do not go together are not
    both accepted, and the proposal itself, so that nothing more is said of it meanwhile.
    """
    wanted = select(Proposal).where(Proposal.id == proposal_id, Proposal.registry_id == registry_id)
    if to_decide:
        await take(session, Lock.DECIDE, registry_id)
        wanted = wanted.with_for_update()
    row = await session.scalar(wanted)
    if row is None:
        raise NotFound("There is no such proposal, or it is not within your key.")
    return row


async def comments(session: AsyncSession, row: Proposal) -> Sequence[ProposalComment]:
    """What was said of a proposal, in order."""
    found = await session.scalars(
        select(ProposalComment)
        .where(ProposalComment.proposal_id == row.id)
        .order_by(ProposalComment.id)
    )
    return found.all()


async def accepted(session: AsyncSession, definition: Definition) -> Sequence[Proposal]:
    """What was accepted for a version, in the order of acceptance."""
    rows = await session.scalars(
        select(Proposal)
        .where(
            Proposal.registry_id == definition.id,
            Proposal.definition_version == definition.version,
            Proposal.state == "accepted",
        )
        .order_by(Proposal.decided_at, Proposal.id)
    )
    return rows.all()


def alterations_of(*rows: Proposal) -> list[Alteration]:
    """What proposals would alter, one after another."""
    return [each for row in rows for each in _ALTERATIONS.validate_python(row.alterations)]


def pointed(made: Altered) -> list[str]:
    """Complaints with JSON Pointers into the body that proposed the alterations."""
    return _told(made, lambda number: f"/alterations/{number}")


def located(made: Altered, rows: Sequence[Proposal]) -> list[str]:
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


async def _note(session: AsyncSession, actor: audit.Actor, action: str, row: Proposal) -> None:
    await audit.record(
        session,
        actor,
        action,
        "proposal",
        row.id,
        registry_id=row.registry_id,
        details={"version": row.definition_version},
    )
