"""
Improvement projects: a facility sets out to do something better, changes something, and measures again.

What may be set out to do is a registry's template. A project is open until it is closed, with a
conclusion; from then on nothing of it is altered. Its text is the facility's own: no patient belongs
in it. Of one template and measure a facility has one open project, and of each step and participant
one row, so that a request that is sent twice does nothing twice.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, audit, errors
from app.access import Act
from app.api.dependencies import (
    LARGEST_BIGINT,
    NO_SUCH_FACILITY,
    Asker,
    Catalogue,
    FacilityInReach,
    RegistryInForce,
    Transactions,
    visible_facility,
    visible_registry,
)
from app.api.fields import LINE_PATTERN, Day, PersonName, RegistryName, Sent, Shown
from app.api.pages import (
    NOT_MODIFIED,
    PAGED,
    TAGGED,
    Conditional,
    PageAsked,
    Unchanged,
    etag_of,
    tagged,
)
from app.api.problems import problems
from app.benchmarks.periods import PATTERN, Period, period
from app.catalogue import Catalogue as DefinitionsInForce
from app.models.account import Facility
from app.models.improvement import (
    ImprovementIntervention,
    ImprovementParticipant,
)
from app.models.improvement import ImprovementProject as Row
from app.registries.improvement import ImprovementTemplate, Step
from app.registries.parts import Identifier, Slug
from app.registries.schema import Definition
from app.reports.improvement.compose import Kept, compose
from app.reports.improvement.evidence import Evidence, Intervention, Participant
from app.reports.improvement.keep import sealed
from app.reports.improvement.plan import check_day, check_periods, check_stay

router = APIRouter(prefix="/facilities/{facility_id}/improvement-projects", tags=["improvement"])
templates = APIRouter(
    prefix="/registries/{registry_id}/improvement-templates", tags=["improvement"]
)

PROSE_PATTERN = r"^[^\x00-\x20\x7f-\xa0]([^\x00-\x09\x0b-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0])?$"
"""As `LINE_PATTERN`, in several lines."""

Prose = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=PROSE_PATTERN)]
"""The facility's own words. No patient belongs in them."""

ProjectId = Annotated[int, Path(ge=1, le=LARGEST_BIGINT, description="A project.")]
PeriodText = Annotated[str, StringConstraints(pattern=PATTERN, max_length=20)]
NO_SUCH_PROJECT = "There is no such improvement project, or none within your key."
MOST_ROWS = 200
"""Steps of a project, and people who take part in it."""


class ProjectFields(Sent):
    """What a project sets out to do."""

    measure: Identifier = Field(
        description="One of the template's: what tells whether it is better."
    )
    aim: Prose = Field(
        description="What is to be accomplished, by how much and by when. No patient belongs here."
    )
    baseline: PeriodText = Field(
        description="What it is compared with, such as `2025-01..2025-06`: months that have ended."
    )
    remeasurement: PeriodText | None = Field(
        default=None,
        description="Over what it is measured again; when left out, from the month after the first "
        "change on.",
    )


class NewProject(ProjectFields):
    """A project to begin."""

    registry_id: RegistryName
    template: Slug = Field(description="A template of the registry's definition in force.")


class NewIntervention(Sent):
    """A step of the cycle of change."""

    kind: Step
    on: Day = Field(description="The day it was, or is to be, taken.")
    says: Prose = Field(
        description="What was planned, changed, seen or decided. No patient belongs here."
    )
    suggestion: Slug | None = Field(
        default=None, description="The template's suggestion it follows."
    )


class NewParticipant(Sent):
    """Somebody who takes part."""

    name: PersonName
    role: Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=LINE_PATTERN)]
    from_day: Day
    to_day: Day | None = Field(default=None, description="When left out, to the project's end.")


class Conclusion(Sent):
    """What a project came to."""

    conclusion: Prose = Field(description="What is kept, altered or dropped, and why.")


class Project(Shown):
    """A facility's improvement project."""

    id: int
    facility_id: int
    registry_id: str
    template: str
    title: str
    definition_version: str
    measure: str
    aim: str
    baseline: str
    remeasurement: str | None
    state: Literal["open", "closed"]
    created_at: datetime
    closed_at: datetime | None
    conclusion: str | None
    evidence_sha256: str | None = Field(description="Of the evidence as it was when it was closed.")


class ProjectWhole(Project):
    """A project with its steps and those who take part."""

    interventions: list[Intervention]
    participants: list[Participant]


def _fields(row: Row) -> dict[str, Any]:
    again = None
    if row.remeasurement_first is not None and row.remeasurement_last is not None:
        again = Period(row.remeasurement_first, row.remeasurement_last).label
    return {
        "id": row.id,
        "facility_id": row.facility_id,
        "registry_id": row.registry_id,
        "template": row.template_id,
        "title": row.template["title"],
        "definition_version": row.definition_version,
        "measure": row.measure_id,
        "aim": row.aim,
        "baseline": Period(row.baseline_first, row.baseline_last).label,
        "remeasurement": again,
        "state": row.state,
        "created_at": row.created_at,
        "closed_at": row.closed_at,
        "conclusion": row.conclusion,
        "evidence_sha256": row.evidence_sha256,
    }


def _whole(kept: Kept) -> ProjectWhole:
    return ProjectWhole(
        **_fields(kept.row),
        interventions=[
            Intervention.model_validate(one, from_attributes=True) for one in kept.interventions
        ],
        participants=[
            Participant.model_validate(one, from_attributes=True) for one in kept.participants
        ],
    )


def _bounds(asker: access.Asker) -> ColumnElement[bool]:
    """Within the facilities in scope, the registries of the key."""
    return true() if asker.registries is None else Row.registry_id.in_(sorted(asker.registries))


async def kept_project(
    session: AsyncSession,
    asker: access.Asker,
    facility_id: int,
    project_id: int,
    *,
    to_change: bool = False,
) -> Kept:
    """A project of the facility with all that is written down of it; locked, and open, to be changed."""
    statement = select(Row).where(
        Row.id == project_id, Row.facility_id == facility_id, _bounds(asker)
    )
    row = await session.scalar(statement.with_for_update() if to_change else statement)
    if row is None:
        raise errors.NotFound(NO_SUCH_PROJECT)
    if to_change and row.state != "open":
        raise errors.Conflict("The project is closed: nothing of it is altered any more.")
    return await _kept(session, row)


async def _kept(session: AsyncSession, row: Row) -> Kept:
    steps = await session.scalars(
        select(ImprovementIntervention)
        .where(ImprovementIntervention.project_id == row.id)
        .order_by(ImprovementIntervention.on, ImprovementIntervention.id)
        .execution_options(populate_existing=True)
    )
    people = await session.scalars(
        select(ImprovementParticipant)
        .where(ImprovementParticipant.project_id == row.id)
        .order_by(ImprovementParticipant.from_day, ImprovementParticipant.id)
        .execution_options(populate_existing=True)
    )
    return Kept(row, steps.all(), people.all())


async def note(session: AsyncSession, asker: access.Asker, action: str, kept: Kept | Row) -> None:
    """Write down an act on a project: its number and registry, nothing that was typed."""
    row = kept if isinstance(kept, Row) else kept.row
    await audit.record(
        session,
        asker,
        action,
        "improvement-project",
        row.id,
        facility_id=row.facility_id,
        registry_id=row.registry_id,
        details={"measure": row.measure_id},
    )


def _today() -> date:
    return datetime.now(UTC).date()


def _offered(definition: Definition, template_id: str) -> ImprovementTemplate:
    try:
        return definition.improvement_template(template_id)
    except KeyError:
        names = ", ".join(one.id for one in definition.improvement) or "none"
        raise errors.Unprocessable(f"The registry offers: {names}.") from None


def _checked(
    definition: Definition, template: ImprovementTemplate, new: ProjectFields
) -> tuple[Period, Period | None]:
    """The periods of a project; refused where they, or its measure, are not the template's."""
    counted = {one.id for one in definition.measures}
    if new.measure not in template.measures or new.measure not in counted:
        offered = ", ".join(one for one in template.measures if one in counted)
        raise errors.Unprocessable(f"The template offers the measures: {offered}.")
    baseline = period(new.baseline)
    again = None if new.remeasurement is None else period(new.remeasurement)
    check_periods(template, baseline, again, _today())
    return baseline, again


def _set_out(new: ProjectFields, baseline: Period, again: Period | None) -> dict[str, Any]:
    return {
        "measure_id": new.measure,
        "aim": new.aim,
        "baseline_first": baseline.first,
        "baseline_last": baseline.last,
        "remeasurement_first": again.first if again else None,
        "remeasurement_last": again.last if again else None,
    }


@templates.get("", response_model=list[ImprovementTemplate], responses=problems(401, 403, 404))
async def list_templates(definition: RegistryInForce, asker: Asker) -> list[ImprovementTemplate]:
    """The improvement projects that a registry offers."""
    asker.require(Act.READ_DEFINITIONS)
    return list(definition.improvement)


@router.post(
    "",
    status_code=201,
    response_model=ProjectWhole,
    responses={201: TAGGED, **problems(400, 401, 403, 404, 409, 422)},
)
async def begin(
    facility_id: FacilityInReach,
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
    new: NewProject,
    response: Response,
) -> ProjectWhole:
    """Begin a project: a template, one of its measures, an aim and a baseline."""
    asker.require(Act.IMPROVE)
    definition = visible_registry(catalogue, asker, new.registry_id)
    visible_facility(asker, facility_id, definition.id)
    template = _offered(definition, new.template)
    baseline, again = _checked(definition, template, new)
    async with transactions.begin() as session:
        if await session.get(Facility, facility_id) is None:
            raise errors.NotFound(NO_SUCH_FACILITY)
        row = await session.scalar(
            insert(Row)
            .values(
                facility_id=facility_id,
                registry_id=definition.id,
                definition_version=definition.version,
                template_id=template.id,
                template=template.model_dump(mode="json"),
                state="open",
                created_by=asker.key_id,
                **_set_out(new, baseline, again),
            )
            .on_conflict_do_nothing()
            .returning(Row)
        )
        if row is None:
            raise errors.Conflict(
                "The facility has an open project of this template and measure: go on with it, or close it."
            )
        await note(session, asker, "begin", row)
        whole = _whole(await _kept(session, row))
    response.headers["Location"] = f"/v1/facilities/{facility_id}/improvement-projects/{row.id}"
    return tagged(response, whole)


@router.get(
    "", response_model=list[Project], responses={200: PAGED, **problems(401, 403, 404, 422)}
)
async def list_projects(
    facility_id: FacilityInReach,
    asker: Asker,
    transactions: Transactions,
    page: PageAsked,
    registry: Annotated[RegistryName | None, Query(description="Of this registry.")] = None,
    state: Annotated[
        Literal["open", "closed"] | None, Query(description="That stand here.")
    ] = None,
) -> list[Project]:
    """A facility's projects, the oldest first."""
    asker.require(Act.READ_RESULTS)
    statement = select(Row).where(Row.facility_id == facility_id, _bounds(asker))
    if registry is not None:
        statement = statement.where(Row.registry_id == registry)
    if state is not None:
        statement = statement.where(Row.state == state)
    async with transactions.begin() as session:
        return [Project(**_fields(row)) for row in await page.rows(session, statement, Row.id)]


@router.get(
    "/{project_id}",
    response_model=ProjectWhole,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404, 422)},
)
async def show(
    facility_id: FacilityInReach,
    project_id: ProjectId,
    asker: Asker,
    transactions: Transactions,
    conditions: Conditional,
) -> object:
    """One project with its steps and those who take part."""
    asker.require(Act.READ_RESULTS)
    async with transactions.begin() as session:
        whole = _whole(await kept_project(session, asker, facility_id, project_id))
    return conditions.reply(whole)


@router.put(
    "/{project_id}",
    response_model=ProjectWhole,
    responses={200: TAGGED, **problems(400, 401, 403, 404, 409, 412, 422)},
)
async def change(
    facility_id: FacilityInReach,
    project_id: ProjectId,
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
    new: ProjectFields,
    expected: Unchanged,
    response: Response,
) -> ProjectWhole:
    """Replace what an open project sets out to do. Steps that the new baseline overtakes are named."""
    asker.require(Act.IMPROVE)
    async with transactions.begin() as session:
        kept = await kept_project(session, asker, facility_id, project_id, to_change=True)
        expected.require(etag_of(_whole(kept)))
        definition = catalogue.in_force(kept.row.registry_id)
        baseline, again = _checked(definition, kept.template, new)
        if any(one.kind != "plan" and one.on <= baseline.end for one in kept.interventions):
            raise errors.Conflict(
                "A step was taken before this baseline ends: amend or remove it first."
            )
        twin = select(Row.id).where(
            Row.facility_id == facility_id,
            Row.registry_id == kept.row.registry_id,
            Row.template_id == kept.row.template_id,
            Row.measure_id == new.measure,
            Row.state == "open",
            Row.id != kept.row.id,
        )
        if await session.scalar(twin) is not None:
            raise errors.Conflict("Another open project of the facility has this measure.")
        for name, value in _set_out(new, baseline, again).items():
            setattr(kept.row, name, value)
        await session.flush()
        await note(session, asker, "change", kept)
        whole = _whole(kept)
    return tagged(response, whole)


@router.post(
    "/{project_id}/closing",
    response_model=ProjectWhole,
    responses={200: TAGGED, **problems(400, 401, 403, 404, 409, 412, 422)},
)
async def close(
    facility_id: FacilityInReach,
    project_id: ProjectId,
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
    new: Conclusion,
    expected: Unchanged,
    response: Response,
) -> ProjectWhole:
    """Close a project for good. Its evidence is kept as it stands, with a digest."""
    asker.require(Act.IMPROVE)
    async with transactions.begin() as session:
        kept = await kept_project(session, asker, facility_id, project_id, to_change=True)
        expected.require(etag_of(_whole(kept)))
        row, at = kept.row, datetime.now(UTC)
        row.state, row.closed_at, row.conclusion = "closed", at, new.conclusion
        evidence = await compose(session, catalogue.in_force(row.registry_id), kept, at=at)
        row.evidence, row.evidence_sha256 = sealed(evidence)
        await session.flush()
        await note(session, asker, "close", kept)
        whole = _whole(kept)
    return tagged(response, whole)


async def told_evidence(
    session: AsyncSession,
    asker: access.Asker,
    catalogue: DefinitionsInForce,
    facility_id: int,
    project_id: int,
) -> tuple[Kept, Evidence, str]:
    """A project's evidence and its digest: of a closed one as it was kept, of an open one as it stands."""
    kept = await kept_project(session, asker, facility_id, project_id)
    if kept.row.evidence is not None and kept.row.evidence_sha256 is not None:
        return kept, Evidence.model_validate(kept.row.evidence), kept.row.evidence_sha256
    definition = catalogue.in_force(kept.row.registry_id)
    evidence = await compose(session, definition, kept, at=datetime.now(UTC))
    return kept, evidence, sealed(evidence)[1]


PROJECT_ROWS: Mapping[str, str] = {
    "intervention": "There is no such step of this project.",
    "participant": "There is no such participant of this project.",
}
"""What is said where a row of a project is not there."""


def check_step(kept: Kept, new: NewIntervention) -> None:
    """Refuse a step that does not go with its project."""
    check_day(kept.baseline, new.kind, new.on, _today())
    known = {one.id for one in kept.template.interventions}
    if new.suggestion is not None and new.suggestion not in known:
        raise errors.Unprocessable(f"The template suggests: {', '.join(sorted(known))}.")


def check_participant(kept: Kept, new: NewParticipant) -> None:
    """Refuse somebody who takes part outside of the project."""
    check_stay(kept.baseline, new.from_day, new.to_day, _today())
