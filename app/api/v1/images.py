"""Studies in the archive, the case each belongs to, and what became of a delivery's instances."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from sqlalchemy import func, select

from app import errors
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
from app.models.submission import Submission

router = APIRouter(tags=["images"])

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


class ReceivedInstance(Shown):
    """What became of one part of a delivery; its findings are those of the same entry number."""

    entry: int
    state: Literal["received", "archived", "unchanged", "held", "refused"]
    sop_instance_uid: str | None
    archived_at: datetime | None
    retrieve_url: str | None


@router.get(
    "/registries/{registry_id}/images", responses={200: PAGED, **problems(401, 403, 404, 422)}
)
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


@router.get(
    "/submissions/{submission_id}/instances",
    responses={200: PAGED, **problems(401, 403, 404, 422)},
)
async def instances(
    page: PageAsked,
    asker: Asker,
    submission_id: Annotated[UUID, Path(description="A submission of instances.")],
    transactions: Transactions,
    settings: SettingsInForce,
) -> list[ReceivedInstance]:
    """The parts of a delivery in order, each with what became of it and our UID for it."""
    asker.require(Act.READ_SUBMISSIONS)
    async with transactions.begin() as session:
        submission = await session.scalar(
            select(Submission).where(Submission.id == submission_id, Submission.kind == "instances")
        )
        if submission is None or not asker.sees_registry(submission.registry_id):
            raise errors.NotFound(NO_SUCH_SUBMISSION)
        statement: Any = (
            select(Instance, Study.study_instance_uid, SeriesRow.series_instance_uid)
            .outerjoin(Study, Study.id == Instance.study_id)
            .outerjoin(SeriesRow, SeriesRow.id == Instance.series_id)
            .where(Instance.submission_number == submission.number)
        )
        rows = await page.rows(session, statement, Instance.row)
    root = f"{settings.address}/dicomweb/{submission.registry_id}/studies"
    return [
        ReceivedInstance(
            entry=row.row,
            state=row.state,
            sop_instance_uid=row.sop_instance_uid,
            archived_at=row.archived_at,
            retrieve_url=f"{root}/{study}/series/{series}/instances/{row.sop_instance_uid}"
            if study and series
            else None,
        )
        for row, study, series, *_ in rows
    ]


NO_SUCH_SUBMISSION = "There is no such submission of instances, or it is not within your key."
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
