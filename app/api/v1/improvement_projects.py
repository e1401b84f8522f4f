"""
Improvement projects: a facility sets out to do something better, changes something, and measures again.

What may be set out to do is a registry's template. A project is open until it is closed, with a
conclusion; from then on nothing of it is altered. Its text is the facility's own: no patient belongs
in it. Of one template and measure a facility has one open project, and of each step and participant
one row, so that a request that is sent twice does nothing twice.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app import errors
from app.access import Act
from app.api.dependencies import (
    NO_SUCH_FACILITY,
    Asker,
    Catalogue,
    FacilityInReach,
    RegistryInForce,
    Transactions,
    visible_facility,
    visible_registry,
)
from app.api.fields import Prose, RegistryName, Sent
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
from app.api.v1.improvement_kept import (
    Project,
    ProjectId,
    ProjectWhole,
    bounds,
    changing,
    kept_project,
    note,
    shown,
    whole,
)
from app.benchmarks.periods import PATTERN, Period, period
from app.models.account import Facility
from app.models.improvement import ImprovementProject
from app.registries.improvement import ImprovementTemplate
from app.registries.parts import Identifier, Slug
from app.registries.schema import Definition
from app.reports.improvement.compose import compose
from app.reports.improvement.keep import sealed
from app.reports.improvement.plan import check_periods
from app.reports.improvement.project import Kept

router = APIRouter(prefix="/facilities/{facility_id}/improvement-projects", tags=["improvement"])
templates = APIRouter(
    prefix="/registries/{registry_id}/improvement-templates", tags=["improvement"]
)

PeriodText = Annotated[str, StringConstraints(pattern=PATTERN, max_length=20)]


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


class Conclusion(Sent):
    """What a project came to."""

    conclusion: Prose = Field(description="What is kept, altered or dropped, and why.")


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
    check_periods(template, baseline, again, datetime.now(UTC).date())
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
            insert(ImprovementProject)
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
            .returning(ImprovementProject)
        )
        if row is None:
            raise errors.Conflict(
                "The facility has an open project of this template and measure: go on with it, or close it."
            )
        await note(session, asker, "begin", row)
        project = whole(Kept(row, (), ()))
    response.headers["Location"] = f"/v1/facilities/{facility_id}/improvement-projects/{row.id}"
    return tagged(response, project)


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
    statement = select(ImprovementProject).where(
        ImprovementProject.facility_id == facility_id, bounds(asker)
    )
    if registry is not None:
        statement = statement.where(ImprovementProject.registry_id == registry)
    if state is not None:
        statement = statement.where(ImprovementProject.state == state)
    async with transactions.begin() as session:
        return [shown(row) for row in await page.rows(session, statement, ImprovementProject.id)]


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
        project = whole(await kept_project(session, asker, facility_id, project_id))
    return conditions.reply(project)


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
    async with changing(transactions, asker, facility_id, project_id, "change") as (session, kept):
        expected.require(etag_of(whole(kept)))
        definition = catalogue.in_force(kept.row.registry_id)
        baseline, again = _checked(definition, kept.template, new)
        if any(one.kind != "plan" and one.on <= baseline.end for one in kept.interventions):
            raise errors.Conflict(
                "A step was taken before this baseline ends: amend or remove it first."
            )
        twin = select(ImprovementProject.id).where(
            ImprovementProject.facility_id == facility_id,
            ImprovementProject.registry_id == kept.row.registry_id,
            ImprovementProject.template_id == kept.row.template_id,
            ImprovementProject.measure_id == new.measure,
            ImprovementProject.state == "open",
            ImprovementProject.id != kept.row.id,
        )
        if await session.scalar(twin) is not None:
            raise errors.Conflict("Another open project of the facility has this measure.")
        for name, value in _set_out(new, baseline, again).items():
            setattr(kept.row, name, value)
        await session.flush()
        project = whole(kept)
    return tagged(response, project)


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
    async with changing(transactions, asker, facility_id, project_id, "close") as (session, kept):
        expected.require(etag_of(whole(kept)))
        row, at = kept.row, datetime.now(UTC)
        row.state, row.closed_at, row.conclusion = "closed", at, new.conclusion
        evidence = await compose(session, catalogue.in_force(row.registry_id), kept, at=at)
        row.evidence, row.evidence_sha256 = sealed(evidence)
        await session.flush()
        project = whole(kept)
    return tagged(response, project)
