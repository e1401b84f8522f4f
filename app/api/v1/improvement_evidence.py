"""What an improvement project has to show: before and after, its chart, worksheet and evidence summary."""

import asyncio
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import Field

from app.access import Act
from app.api.dependencies import Asker, Catalogue, FacilityInReach, Transactions
from app.api.pages import NOT_MODIFIED, TAGGED, Conditional
from app.api.problems import problems
from app.api.v1.improvement_projects import ProjectId, note, told_evidence
from app.reports import vega
from app.reports.improvement import paper
from app.reports.improvement.chart import specification
from app.reports.improvement.evidence import Evidence

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
        kept, evidence, digest = await told_evidence(
            session, asker, catalogue, facility_id, project_id
        )
        if format == "pdf":
            await note(session, asker, "export evidence", kept)
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
        kept, evidence, _ = await told_evidence(session, asker, catalogue, facility_id, project_id)
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
        _, evidence, _ = await told_evidence(session, asker, catalogue, facility_id, project_id)
    return Response(orjson.dumps(specification(evidence)), media_type=vega.MEDIA_TYPE)


def _file(content: bytes, name: str) -> Response:
    """A file under a name of ours: numbers, nothing that somebody typed."""
    return Response(
        content,
        media_type=PDF,
        headers={"Content-Disposition": f'inline; filename="{name}.pdf"'},
    )
