"""The identifying elements of cases, for their own facility: whoever asks for them is audited."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from app.models.case import Case, Version
from app.models.vault import IdentityRecord
from app.registries.lineage import now_called
from app.registries.schema import Definition
from app.vault import Vault, identities


async def identity_of(session: AsyncSession, vault: Vault, case: Case) -> dict[str, Any]:
    """The identifying elements of what was last known of a case, whatever state it is in, as sent."""
    rows = await session.execute(_last_known([case.id]))
    for _, sealed, number, place, *_ in rows:
        return identities.unseal(vault, case.registry_id, number, place, sealed)
    return {}


async def identities_of(
    session: AsyncSession, vault: Vault, definition: Definition, cases: Collection[int]
) -> dict[int, dict[str, Any]]:
    """The same of some cases, by case, as the definition calls them; of which there are none is not there."""
    found = {}
    for case, sealed, number, place, form, version in await session.execute(_last_known(cases)):
        names = now_called(definition, form, version)
        sent = identities.unseal(vault, definition.id, number, place, sealed)
        found[case] = {names.get(name, name): value for name, value in sent.items()}
    return found


def _last_known(cases: Collection[int]) -> Select[int, bytes, int, int, str, str]:
    return (
        select(
            IdentityRecord.case_id,
            IdentityRecord.sealed,
            Version.submission_number,
            Version.row,
            Version.form,
            Version.definition_version,
        )
        .ext(distinct_on(IdentityRecord.case_id))
        .join(Version, Version.id == IdentityRecord.version_id)
        .where(IdentityRecord.case_id.in_(cases), Version.case_id == IdentityRecord.case_id)
        .order_by(IdentityRecord.case_id, Version.from_seq.desc())
    )
