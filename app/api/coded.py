"""A submitted case as it is told in the codes of RadElement: as FHIR, and as a DICOM structured report."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import NotFound
from app.models import Case, Study, Subject, Version


@dataclass(frozen=True, slots=True)
class CodedCase:
    """What is known of a case, its person's pseudonym, and its linked studies by UID."""

    case: Case
    elements: dict[str, Any]
    pseudonym: str
    studies: Sequence[Study]


async def submitted_case(
    session: AsyncSession, case_id: int, registries: Collection[str] | None
) -> CodedCase:
    """A submitted case within the session's scope, of one of some registries (None: of any)."""
    statement = (
        select(Case, Version.elements, Subject.pseudonym)
        .join(Version, (Version.subject_id == Case.subject_id) & (Version.id == Case.version_id))
        .join(Subject, Subject.id == Case.subject_id)
        .where(Case.id == case_id, Case.state == "submitted")
    )
    if registries is not None:
        statement = statement.where(Case.registry_id.in_(registries))
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        raise NotFound("There is no such submitted case, or it is not within your key.")
    case, elements, pseudonym = found
    studies = await session.scalars(
        select(Study)
        .where(Study.case_id == case.id, Study.state == "linked")
        .order_by(Study.study_instance_uid)
    )
    return CodedCase(case, elements, pseudonym, studies.all())
