"""
WADO-RS: get an archived, de-identified instance (PS3.18 10.4).

Addresses hold our own UIDs. Image dates are shifted and case dates are not: together they would
give the shift away, so only the owning facility, which knows both already, reads its images here.
"""

import secrets
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from app import errors
from app.access import Act
from app.api.dependencies import Archive, Asker, RegistryInForce, Transactions
from app.api.dicomweb.multipart import media_range, weight
from app.api.dicomweb.stow import DICOM, DICOM_JSON, MULTIPART, UID_PATTERN, StudyUid
from app.api.problems import problems
from app.models.image import Instance, Series, Study

router = APIRouter()

SHOWN = ("waiting", "linked")
"""States of a study whose instances are given out; held and withdrawn ones are not."""
NO_SUCH_INSTANCE = "There is no such instance, or it is not within your key."

SeriesUid = Annotated[
    str, Path(pattern=UID_PATTERN, max_length=64, description="Our SeriesInstanceUID.")
]
InstanceUid = Annotated[
    str, Path(pattern=UID_PATTERN, max_length=64, description="Our SOPInstanceUID.")
]
_BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/studies/{study_instance_uid}/series/{series_instance_uid}/instances/{sop_instance_uid}",
    summary="Retrieve an instance (WADO-RS)",
    response_class=Response,
    responses={
        200: {
            "description": "The instance as it is archived.",
            "content": {f'{MULTIPART}; type="{DICOM}"': _BYTES, DICOM: _BYTES},
        },
        **problems(401, 403, 404, 406, 422),
    },
)
async def retrieve(
    request: Request,
    study_instance_uid: StudyUid,
    series_instance_uid: SeriesUid,
    sop_instance_uid: InstanceUid,
    asker: Asker,
    definition: RegistryInForce,
    transactions: Transactions,
    archive: Archive,
) -> Response:
    """The archived instance, as `multipart/related` or `application/dicom`."""
    row = await _found(
        asker,
        definition,
        transactions,
        study_instance_uid,
        series_instance_uid,
        sop_instance_uid,
    )
    assert row.path is not None
    multipart = _as_multipart(request.headers.get("accept", "*/*"), row.transfer_syntax_uid or "")
    pieces = archive.pieces(row.path)
    first = await anext(pieces, b"")  # a missing object is answered before the reply begins
    syntax = f"{DICOM}; transfer-syntax={row.transfer_syntax_uid}"
    if not multipart:
        return StreamingResponse(
            _from(first, pieces), media_type=DICOM, headers={"Content-Length": str(row.size)}
        )
    boundary = secrets.token_hex(16)
    return StreamingResponse(
        _wrapped(first, pieces, boundary, syntax),
        media_type=f'{MULTIPART}; type="{DICOM}"; boundary={boundary}',
    )


@router.get(
    "/studies/{study_instance_uid}/series/{series_instance_uid}/instances/{sop_instance_uid}/metadata",
    summary="Retrieve an instance's metadata (WADO-RS)",
    response_class=Response,
    responses={
        200: {
            "description": "The attributes of the instance, without bulk data.",
            "content": {DICOM_JSON: {"schema": {"type": "array", "items": {"type": "object"}}}},
        },
        **problems(401, 403, 404, 422),
    },
)
async def metadata(
    study_instance_uid: StudyUid,
    series_instance_uid: SeriesUid,
    sop_instance_uid: InstanceUid,
    asker: Asker,
    definition: RegistryInForce,
    transactions: Transactions,
) -> Response:
    """The instance as DICOM JSON, as it was kept at ingest."""
    row = await _found(
        asker,
        definition,
        transactions,
        study_instance_uid,
        series_instance_uid,
        sop_instance_uid,
    )
    return Response(orjson.dumps([row.metadata_json]), media_type=DICOM_JSON)


async def _found(
    asker: Asker,
    definition: RegistryInForce,
    transactions: Transactions,
    study: str,
    series: str,
    instance: str,
) -> Instance:
    asker.require(Act.READ_CASES)
    asker.require(Act.READ_IDENTITIES)
    async with transactions.begin() as session:
        row: Instance | None = await session.scalar(
            select(Instance)
            .join(Study, Study.id == Instance.study_id)
            .join(Series, Series.id == Instance.series_id)
            .where(
                Instance.registry_id == definition.id,
                Instance.sop_instance_uid == instance,
                Instance.state == "archived",
                Study.study_instance_uid == study,
                Study.state.in_(SHOWN),
                Series.series_instance_uid == series,
            )
        )
    if row is None:
        raise errors.NotFound(NO_SUCH_INSTANCE)
    return row


def _as_multipart(accept: str, syntax: str) -> bool:
    """Multipart or bare? The first range of Accept that we can serve decides (PS3.18 8.7.4)."""
    ranges = [media_range(offer) for offer in accept.split(",")]
    for kind, parameters in sorted(ranges, key=lambda one: -weight(one[1])):
        wanted = parameters.get("transfer-syntax", "*")
        if not weight(parameters) or wanted not in ("*", syntax):
            continue
        if kind in ("*/*", "multipart/*", MULTIPART):
            if parameters.get("type", DICOM).lower() in (DICOM, "*/*", "application/*"):
                return True
        elif kind in (DICOM, "application/*"):
            return False
    raise errors.NotAcceptable([f'{MULTIPART}; type="{DICOM}"', DICOM])


async def _from(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _wrapped(
    first: bytes, rest: AsyncIterator[bytes], boundary: str, media_type: str
) -> AsyncIterator[bytes]:
    yield f"--{boundary}\r\nContent-Type: {media_type}\r\n\r\n".encode()
    async for piece in _from(first, rest):
        yield piece
    yield f"\r\n--{boundary}--\r\n".encode()
