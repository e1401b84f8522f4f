"""What an improvement project has to show: before and after, its chart, worksheet and evidence summary."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app import access
from app.access import Act
from app.api.dependencies import Asker, Catalogue, FacilityInReach, Transactions
from app.api.pages import NOT_MODIFIED, TAGGED, Conditional
from app.api.problems import problems
from app.api.v1.improvement_kept import ProjectId, kept_project, note
from app.catalogue import Catalogue as DefinitionsInForce
from app.reports import vega
from app.reports.improvement import paper
from app.reports.improvement.chart import specification
from app.reports.improvement.compose import compose
from app.reports.improvement.evidence import Evidence
from app.reports.improvement.keep import sealed
from app.reports.improvement.project import Kept

router = APIRouter(
    prefix="/facilities/{facility_id}/improvement-projects/{project_id}", tags=["improvement"]
)

PDF = "application/pdf"
PAPER: dict[str, Any] = {PDF: {"schema": {"type": "string", "format": "binary"}}}


class ToldEvidence(Evidence):
    """A project's evidence, and its digest."""

    sha256: str = Field(
        description="Of the evidence as JSON without this member: members in order, no blanks. Of a "
        "closed project it never changes."
    )


@router.get(
    "/evidence",
    response_model=ToldEvidence,
    responses={
        200: {"content": PAPER, **TAGGED},
        304: NOT_MODIFIED,
        **problems(401, 403, 404, 409, 422),
    },
)
async def read_evidence(
    facility_id: FacilityInReach,
    project_id: ProjectId,
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
    conditions: Conditional,
    format: Annotated[
        Literal["json", "pdf"], Query(description="`pdf`: the summary for an office of education.")
    ] = "json",
) -> object:
    """Before and after with the interval of the difference, the run chart's points, and who took part.

    Of an open project as it stands at this moment, of a closed one as it was kept.
    """
    asker.require(Act.READ_RESULTS)
    async with transactions.begin() as session:
        kept, evidence, digest = await _told(session, asker, catalogue, facility_id, project_id)
        if format == "pdf":
            await note(session, asker, "export evidence", kept.row)
    if format == "pdf":
        content = await asyncio.to_thread(paper.summary, evidence, digest)
        return _file(content, f"evidence-{facility_id}-{project_id}")
    told = ToldEvidence(**dict(evidence), sha256=digest)
    return conditions.reply(told) if evidence.state == "closed" else told


@router.get(
    "/worksheet",
    responses={200: {"content": PAPER}, **problems(401, 403, 404, 409, 422)},
    response_class=Response,
)
async def read_worksheet(
    facility_id: FacilityInReach,
    project_id: ProjectId,
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
) -> Response:
    """The worksheet as PDF: the template's questions, what is on record, and room to write."""
    asker.require(Act.READ_RESULTS)
    async with transactions.begin() as session:
        kept, evidence, _ = await _told(session, asker, catalogue, facility_id, project_id)
    content = await asyncio.to_thread(paper.worksheet, evidence, kept.template)
    return _file(content, f"worksheet-{facility_id}-{project_id}")


@router.get(
    "/chart.vl.json",
    responses={
        200: {"content": {vega.MEDIA_TYPE: {"schema": {"type": "object"}}}},
        **problems(401, 403, 404, 409, 422),
    },
    response_class=Response,
)
async def read_chart(
    facility_id: FacilityInReach,
    project_id: ProjectId,
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
) -> Response:
    """The run chart with its phases and changes as a Vega-Lite specification, with its data."""
    asker.require(Act.READ_RESULTS)
    async with transactions.begin() as session:
        _, evidence, _ = await _told(session, asker, catalogue, facility_id, project_id)
    return Response(orjson.dumps(specification(evidence)), media_type=vega.MEDIA_TYPE)


async def _told(
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


def _file(content: bytes, name: str) -> Response:
    """A file under a name of ours: numbers, nothing that somebody typed."""
    return Response(
        content,
        media_type=PDF,
        headers={"Content-Disposition": f'inline; filename="{name}.pdf"'},
    )
