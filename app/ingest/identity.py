"""The identifying elements of cases, for their own facility: whoever asks for them is audited."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from app.models.case import Case, Version
from app.models.vault import IdentityRecord
from app.vault import Vault, identities


async def identity_of(session: AsyncSession, vault: Vault, case: Case) -> dict[str, Any]:
    """The identifying elements of what was last known of a case, whatever state it is in."""
    found = await identities_of(session, vault, case.registry_id, [case.id])
    return found.get(case.id, {})


async def identities_of(
    session: AsyncSession, vault: Vault, registry_id: str, cases: Collection[int]
) -> dict[int, dict[str, Any]]:
    """The same of some cases of a registry, by case; of which there are none is not in the answer."""
    rows = await session.execute(
        select(
            IdentityRecord.case_id, IdentityRecord.sealed, Version.submission_number, Version.row
        )
        .ext(distinct_on(IdentityRecord.case_id))
        .join(Version, Version.id == IdentityRecord.version_id)
        .where(IdentityRecord.case_id.in_(cases), Version.case_id == IdentityRecord.case_id)
        .order_by(IdentityRecord.case_id, Version.from_seq.desc())
    )
    return {
        case: identities.unseal(vault, registry_id, number, place, sealed)
        for case, sealed, number, place in rows
    }
