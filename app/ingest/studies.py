"""The rows of studies and series that archived instances belong to, and whose they are."""

from datetime import date, datetime
from typing import Any, TypeAlias
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.deid.deidentify import Deidentified
from app.models.base import now
from app.models.image import Instance
from app.vault import Vault, identities

Places: TypeAlias = dict[tuple[object, ...], Any]
"""What one transaction has seen to already: what tells a study or series -> what is known of it."""


async def keep_study(
    session: AsyncSession, vault: Vault, places: Places, row: Instance, made: Deidentified
) -> tuple[UUID, str]:
    """The study's row, made or completed; whose it is. Once for all its like instances."""
    registry, facility, original = row.registry_id, row.facility_id, made.original
    place = (
        registry,
        facility,
        made.study_instance_uid,
        made.modality,
        original.accession_number,
        original.patient_id,
    )
    if place in places:
        known: tuple[UUID, str] = places[place]
        return known
    patient_token = None
    if original.patient_id:
        patient_token = identities.tokens(
            vault,
            registry,
            facility,
            national=None,
            birth_date=None,
            local=original.patient_id,
        ).local
        await session.execute(
            _KEEP_PATIENT,
            {
                "registry": registry,
                "facility": facility,
                "token": patient_token,
                "pseudonym": made.patient_pseudonym,
                "now": now(),
            },
        )
    accession = original.accession_number
    found = await session.execute(
        _KEEP_STUDY,
        {
            "id": uuid4(),
            "registry": registry,
            "facility": facility,
            "uid": made.study_instance_uid,
            "pseudonym": made.patient_pseudonym,
            "patient": patient_token,
            "accession": vault.case_token(registry, facility, accession) if accession else None,
            "day": day(made.study_date),
            "modalities": [made.modality] if made.modality else [],
            "now": now(),
        },
    )
    study_id, pseudonym = found.one()
    places[place] = (study_id, pseudonym)
    return study_id, pseudonym


async def keep_series(
    session: AsyncSession, places: Places, row: Instance, study_id: UUID, made: Deidentified
) -> UUID:
    """The series' row, made or completed. Once for all its instances."""
    place = (study_id, made.series_instance_uid)
    if place in places:
        known: UUID = places[place]
        return known
    found: UUID = (
        await session.execute(
            _KEEP_SERIES,
            {
                "id": uuid4(),
                "study": study_id,
                "facility": row.facility_id,
                "uid": made.series_instance_uid,
                "modality": made.modality,
            },
        )
    ).scalar_one()
    places[place] = found
    return found


def day(value: str | None) -> date | None:
    """A DA as a date."""
    try:
        return datetime.strptime(value or "", "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None


_KEEP_PATIENT = text(
    "INSERT INTO vault.image_patients (registry_id, facility_id, patient_token, pseudonym, created_at)"
    " VALUES (:registry, :facility, :token, :pseudonym, :now) ON CONFLICT DO NOTHING"
)
_KEEP_STUDY = text(
    "INSERT INTO studies AS held (id, registry_id, facility_id, study_instance_uid,"
    " patient_pseudonym, patient_token, accession_token, study_date, modalities, state, received_at)"
    " VALUES (:id, :registry, :facility, :uid, :pseudonym, :patient, :accession, :day,"
    " CAST(:modalities AS text[]), 'waiting', :now)"
    " ON CONFLICT (registry_id, facility_id, study_instance_uid) DO UPDATE SET"
    " accession_token = COALESCE(held.accession_token, excluded.accession_token),"
    " patient_token = COALESCE(held.patient_token, excluded.patient_token),"
    " modalities = ARRAY(SELECT DISTINCT modality"
    " FROM unnest(held.modalities || excluded.modalities) AS modality ORDER BY modality)"
    " RETURNING id, patient_pseudonym"
)
_KEEP_SERIES = text(
    "INSERT INTO series AS held (id, study_id, facility_id, series_instance_uid, modality)"
    " VALUES (:id, :study, :facility, :uid, :modality)"
    " ON CONFLICT (study_id, series_instance_uid) DO UPDATE"
    " SET modality = COALESCE(held.modality, excluded.modality) RETURNING id"
)
