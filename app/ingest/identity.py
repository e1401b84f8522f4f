"""The identifying elements of a case, for its own facility: whoever asks for them is audited."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models.case import Case, Version
from app.models.vault import IdentityRecord
from app.vault import Vault, identities


async def identity_of(session: AsyncSession, vault: Vault, case: Case) -> dict[str, Any]:
    """The identifying elements of what was last known of a case, whatever state it is in."""
    row = (
        await session.execute(
            select(IdentityRecord.sealed, Version.submission_number, Version.row)
            .join(Version, Version.id == IdentityRecord.version_id)
            .where(IdentityRecord.case_id == case.id, Version.case_id == case.id)
            .order_by(Version.from_seq.desc())
            .limit(1)
        )
    ).one_or_none()
    if row is None:
        return {}
    sealed, number, place = row
    return identities.unseal(vault, case.registry_id, number, place, sealed)
