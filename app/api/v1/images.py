"""Studies in the archive: their state, and the case each belongs to."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import func, select

from app.access import Act
from app.api.dependencies import (
    LARGEST_BIGINT,
    LARGEST_INTEGER,
    Asker,
    RegistryInForce,
    SettingsInForce,
    Transactions,
    visible_facility,
)
from app.api.fields import Shown
from app.api.pages import PAGED, PageAsked
from app.api.problems import problems
from app.models.image import Instance, Study
from app.models.image import Series as SeriesRow

router = APIRouter(prefix="/registries/{registry_id}/images", tags=["images"])

StudyState = Literal["waiting", "linked", "held", "withdrawn"]


class ImageStudy(Shown):
    """A study under its new UID. `waiting`: no case has its accession number yet."""

    id: UUID
    facility_id: int
    study_instance_uid: str
    state: StudyState
    case_id: int | None
    modalities: list[str]
    series: int
    instances: int
    received_at: datetime
    linked_at: datetime | None
    retrieve_url: str


@router.get("", responses={200: PAGED, **problems(401, 403, 404, 422)})
async def images(
    page: PageAsked,
    asker: Asker,
    definition: RegistryInForce,
    transactions: Transactions,
    settings: SettingsInForce,
    facility: Annotated[
        int | None, Query(ge=1, le=LARGEST_INTEGER, description="Of this facility only.")
    ] = None,
    state: Annotated[StudyState | None, Query(description="In this state only.")] = None,
    case: Annotated[
        int | None, Query(ge=1, le=LARGEST_BIGINT, description="Linked to this case only.")
    ] = None,
) -> list[ImageStudy]:
    """Studies of the facilities within the key, the oldest first."""
    asker.require(Act.READ_CASES)
    within = asker.facilities_in(definition.id)
    if facility is not None:
        within = frozenset({visible_facility(asker, facility, definition.id)})
    statement = select(Study).where(Study.registry_id == definition.id)
    if within is not None:
        statement = statement.where(Study.facility_id.in_(within))
    if state is not None:
        statement = statement.where(Study.state == state)
    if case is not None:
        statement = statement.where(Study.case_id == case)
    async with transactions.begin() as session:
        studies: list[Study] = await page.rows(session, statement, Study.received_at, Study.id)
        ids = [study.id for study in studies]
        counted = await session.execute(
            select(SeriesRow.study_id, func.count(SeriesRow.id.distinct()), func.count(Instance.id))
            .outerjoin(
                Instance, (Instance.series_id == SeriesRow.id) & (Instance.state == "archived")
            )
            .where(SeriesRow.study_id.in_(ids))
            .group_by(SeriesRow.study_id)
        )
        sizes = {study: (series, instances) for study, series, instances in counted}
    root = f"{settings.address}/dicomweb/{definition.id}/studies"
    return [
        ImageStudy.model_validate(
            {
                **{name: getattr(study, name) for name in _FROM_ROW},
                "series": sizes.get(study.id, (0, 0))[0],
                "instances": sizes.get(study.id, (0, 0))[1],
                "retrieve_url": f"{root}/{study.study_instance_uid}",
            }
        )
        for study in studies
    ]


_FROM_ROW = (
    "id",
    "facility_id",
    "study_instance_uid",
    "state",
    "case_id",
    "modalities",
    "received_at",
    "linked_at",
)
