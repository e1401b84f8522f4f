"""
Whose results: a clinician (NPI and TIN) or a group (TIN), and where their cases are.

Who bills under which TIN, and where each works, is in the lists that corporate accounts keep of their
physicians. A case names an NPI alone; whoever bills under two TINs at one facility cannot be told apart.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import NotFound, Unprocessable
from app.models.account import Participation, Physician, PhysicianFacility


@dataclass(frozen=True, slots=True)
class Entity:
    """Who reports: a group, or with an NPI one clinician of it. Its numbers stand in no log."""

    tin: str = field(repr=False)
    npi: str | None = field(default=None, repr=False)

    @property
    def kind(self) -> Literal["individual", "group"]:
        """In CMS's words."""
        return "individual" if self.npi is not None else "group"


@dataclass(frozen=True, slots=True)
class Places:
    """Where an entity's cases of a registry are, of the facilities within reach."""

    pairs: tuple[tuple[int, str], ...] = field(repr=False)
    """Facilities, each with an NPI that works there under the TIN."""
    clinicians: int
    complete: bool
    """Whether they work at no other facility of the registry."""

    @property
    def facilities(self) -> tuple[int, ...]:
        return tuple(sorted({facility for facility, _ in self.pairs}))


async def places(
    session: AsyncSession, entity: Entity, registry_id: str, reach: Collection[int] | None
) -> Places:
    """Where the entity's clinicians read, among the facilities within reach (None: every facility).

    The session must see every facility's rows: whether the results are whole rests on those out of
    reach too. `NotFound` when no such clinician works within reach.
    """
    listed = select(Physician.npi, Physician.tin, PhysicianFacility.facility_id).join(
        PhysicianFacility, PhysicianFacility.physician_id == Physician.id
    )
    taking_part = select(Participation.facility_id).where(Participation.registry_id == registry_id)
    wanted = listed.where(
        Physician.tin == entity.tin, PhysicianFacility.facility_id.in_(taking_part)
    )
    if entity.npi is not None:
        wanted = wanted.where(Physician.npi == entity.npi)
    everywhere = {(facility, npi) for npi, _, facility in await session.execute(wanted)}
    pairs = {one for one in everywhere if reach is None or one[0] in reach}
    if not pairs:
        raise await _unlisted(session, entity, reach)
    twice = listed.where(
        Physician.npi.in_({npi for _, npi in pairs}), Physician.tin.is_distinct_from(entity.tin)
    )
    for npi, _, facility in await session.execute(twice):
        if (facility, npi) in pairs:
            raise Unprocessable(
                f"A physician of facility {facility} is listed under this TIN and under another, or none."
                " A case names the NPI alone, so that nobody can tell whose it is: take one of them"
                " off the facility's list."
            )
    return Places(
        pairs=tuple(sorted(pairs)),
        clinicians=len({npi for _, npi in pairs}),
        complete=pairs == everywhere,
    )


async def _unlisted(
    session: AsyncSession, entity: Entity, reach: Collection[int] | None
) -> NotFound | Unprocessable:
    """Why there is nobody: the TIN may be missing on the list."""
    without = select(PhysicianFacility.facility_id).join(
        Physician, PhysicianFacility.physician_id == Physician.id
    )
    without = without.where(Physician.npi == entity.npi, Physician.tin.is_(None))
    found = {one for one in await session.scalars(without) if reach is None or one in reach}
    if entity.npi is not None and found:
        return Unprocessable(
            "The physician is listed without a TIN: add the one they bill under, PUT /v1/physicians/…"
        )
    return NotFound(
        "No physician of a facility that takes part and is within your key is listed with these numbers."
    )
