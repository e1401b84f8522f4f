"""A case as a DICOM structured report, in the codes of RadElement."""

import asyncio
import io

from fastapi import APIRouter, Response
from pydicom.dataset import Dataset
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import Act
from app.api.coded import CodedCase, submitted_case
from app.api.dependencies import Asker, Catalogue, Transactions
from app.api.pages import NOT_MODIFIED, TAGGED, Conditional, etag
from app.api.problems import problems
from app.api.v1.cases import CaseId
from app.errors import NotFound
from app.models import Instance, Series, Study
from app.registries.radelement import AnsweredSet, answered_sets
from app.reporting.structured import Imaged, structured_report, uid_of

router = APIRouter(prefix="/cases/{case_id}/structured-report", tags=["cases"])

DICOM = "application/dicom"
MOST_NAMED = 2_000
"""Instances that a report names as what it is about."""


@router.get(
    "",
    response_class=Response,
    responses={
        200: {"content": {DICOM: {"schema": {"type": "string", "format": "binary"}}}, **TAGGED},
        304: NOT_MODIFIED,
        **problems(401, 403, 404, 422),
    },
)
async def read_structured_report(
    case_id: CaseId,
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
    conditions: Conditional,
) -> Response:
    """What a submitted case says in RadElement's codes, as a Comprehensive SR of TID 1500.

    It stands in the study that is linked to the case, by its pseudonyms, and holds no date of service.
    """
    asker.require(Act.READ_CASES)
    async with transactions.begin() as session:
        coded = await submitted_case(session, case_id, asker.registries)
        study = coded.studies[0] if coded.studies else None
        about = await _about(session, study) if study is not None else []
    definition = catalogue.in_force(coded.case.registry_id)
    sets = answered_sets(definition, coded.case.form, coded.elements)
    if not sets:
        raise NotFound("The case has no element that RadElement has a code for.")
    content = await asyncio.to_thread(_written, coded, study, about, sets)
    tag = etag(content.hex())
    named = f'attachment; filename="case-{case_id}.dcm"'
    reply = Response(content, media_type=DICOM, headers={"Content-Disposition": named})
    return conditions.file(reply, tag)


def _written(
    coded: CodedCase, study: Study | None, about: list[Imaged], sets: list[AnsweredSet]
) -> bytes:
    case = coded.case
    named = f"{case.registry_id} case {case.id} version {case.version_id}"
    report: Dataset = structured_report(
        sets,
        study=study.study_instance_uid if study else uid_of(case.registry_id, "case", case.id),
        patient=study.patient_pseudonym if study else coded.pseudonym,
        about=about,
        named=named,
        at=case.updated_at,
    )
    written = io.BytesIO()
    report.save_as(written, enforce_file_format=True)
    return written.getvalue()


async def _about(session: AsyncSession, study: Study) -> list[Imaged]:
    rows = await session.execute(
        select(Instance.sop_class_uid, Instance.sop_instance_uid, Series.series_instance_uid)
        .join(Series, Series.id == Instance.series_id)
        .where(Instance.study_id == study.id, Instance.state == "archived")
        .order_by(Series.series_instance_uid, Instance.sop_instance_uid)
        .limit(MOST_NAMED)
    )
    return [Imaged(str(kind), str(uid), series) for kind, uid, series in rows]
