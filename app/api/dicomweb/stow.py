"""
STOW-RS: take instances in (PS3.18 10.5).

The parts go straight to quarantine as they arrive, one after the other, none held whole. The answer
says what is durably received, naming the sender's UIDs; what became of each instance afterwards
is in the submission that `Location` names.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from app import access, errors
from app.access import Act
from app.api.bodies import stream_of
from app.api.dependencies import (
    LARGEST_INTEGER,
    NO_SUCH_FACILITY,
    Asker,
    Quarantine,
    RegistryInForce,
    SettingsInForce,
    Transactions,
    VaultRoom,
)
from app.api.dicomweb.multipart import Multipart, media_range, weight
from app.api.problems import problems
from app.deid.beginning import Names
from app.deid.uids import replaced
from app.ingest.images import keys_of
from app.ingest.instances import MOST_PARTS, Failure, Received, receive_instances, take

router = APIRouter()

DICOM: Final = "application/dicom"
DICOM_JSON: Final = "application/dicom+json"
MULTIPART: Final = "multipart/related"
UID_PATTERN: Final = r"^[0-9.]{1,64}$"
StudyUid = Annotated[
    str, Path(pattern=UID_PATTERN, max_length=64, description="A StudyInstanceUID.")
]
FacilityAsked = Annotated[
    int | None,
    Query(
        ge=1,
        le=LARGEST_INTEGER,
        description="The facility the instances are of; needed if the key has several.",
    ),
]


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            f'{MULTIPART}; type="{DICOM}"': {"schema": {"type": "string", "format": "binary"}},
            DICOM: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
_ANSWER: dict[str, Any] = {
    "content": {DICOM_JSON: {"schema": {"type": "object"}}},
    "headers": {
        "Location": {
            "description": "The submission that follows what becomes of the instances.",
            "schema": {"type": "string"},
        }
    },
}
_DOCUMENTED: dict[int | str, dict[str, Any]] = {
    200: {"description": "Every instance is received.", **_ANSWER},
    202: {"description": "Some instances are received, some are not.", **_ANSWER},
    409: {"description": "No instance is received.", **_ANSWER},
    **problems(400, 401, 403, 404, 406, 413, 415, 422),
}


@router.post(
    "/studies",
    summary="Store instances (STOW-RS)",
    response_class=Response,
    responses=_DOCUMENTED,
    openapi_extra=_BODY,
)
async def store(
    request: Request,
    asker: Asker,
    definition: RegistryInForce,
    transactions: Transactions,
    quarantine: Quarantine,
    vault: VaultRoom,
    settings: SettingsInForce,
    facility: FacilityAsked = None,
) -> Response:
    """Take instances of any study in."""
    return await _store(
        request, asker, definition, transactions, quarantine, vault, settings, facility, None
    )


@router.post(
    "/studies/{study_instance_uid}",
    summary="Store instances of one study (STOW-RS)",
    response_class=Response,
    responses=_DOCUMENTED,
    openapi_extra=_BODY,
)
async def store_study(
    request: Request,
    study_instance_uid: StudyUid,
    asker: Asker,
    definition: RegistryInForce,
    transactions: Transactions,
    quarantine: Quarantine,
    vault: VaultRoom,
    settings: SettingsInForce,
    facility: FacilityAsked = None,
) -> Response:
    """Take instances of one study in; an instance of another fails."""
    return await _store(
        request,
        asker,
        definition,
        transactions,
        quarantine,
        vault,
        settings,
        facility,
        study_instance_uid,
    )


async def _store(
    request: Request,
    asker: Asker,
    definition: RegistryInForce,
    transactions: Transactions,
    quarantine: Quarantine,
    vault: VaultRoom,
    settings: SettingsInForce,
    facility: int | None,
    study: str | None,
) -> Response:
    asker.require(Act.SUBMIT)
    _answerable(request.headers.get("accept", "*/*"))
    media_type, bodies = _bodies(request)
    async with transactions.begin() as session:
        active = await access.may_submit_for(session, asker, definition.id)
    facility = _facility(asker, definition.id, active, facility)
    parts: list[Received] = []
    kept = False
    try:
        async for body in bodies:
            part = await take(body, quarantine, settings.image_limit, study, len(parts))
            parts.append(part)
            if len(parts) > MOST_PARTS:  # that one was told so; the rest is not read
                break
        if not parts:
            raise errors.Malformed("There is no instance in the body.")
        if all(part.reason is Failure.OUT_OF_RESOURCES for part in parts):
            raise errors.TooLarge(settings.image_limit)
        async with transactions.begin() as session:
            submission = await receive_instances(
                session,
                quarantine,
                definition,
                facility,
                asker.sender,
                media_type,
                parts,
            )
            kept = True  # a commit that seems to fail may have happened: the sweep finds out
    except BaseException:
        for part in () if kept else parts:
            if part.quarantined is not None:
                await quarantine.forget(part.quarantined)
        raise
    stored = sum(part.quarantined is not None for part in parts)
    key = keys_of(vault, definition.id, facility).uid
    address = f"{settings.address}/dicomweb/{definition.id}/studies"
    return Response(
        orjson.dumps(_said(parts, key, address)),
        status_code=200 if stored == len(parts) else 202 if stored else 409,
        media_type=DICOM_JSON,
        headers={"Location": f"{settings.address}/v1/submissions/{submission.id}"},
    )


def _answerable(accept: str) -> None:
    """We answer in DICOM JSON and nothing else."""
    for offer in accept.split(","):
        kind, parameters = media_range(offer)
        if kind in ("*/*", "application/*", DICOM_JSON, "application/json") and weight(parameters):
            return
    raise errors.NotAcceptable([DICOM_JSON])


def _bodies(request: Request) -> tuple[str, AsyncIterator[AsyncIterator[bytes] | None]]:
    """The bodies of the instances, each a stream; None where a part is not DICOM."""
    kind, parameters = media_range(request.headers.get("content-type", ""))
    if kind == DICOM:
        return DICOM, _single(request)
    if kind != MULTIPART or parameters.get("type", DICOM).lower() != DICOM:
        raise errors.UnsupportedMedia([f'{MULTIPART}; type="{DICOM}"', DICOM])
    return MULTIPART, _several(Multipart(stream_of(request, None), parameters.get("boundary", "")))


async def _single(request: Request) -> AsyncIterator[AsyncIterator[bytes] | None]:
    stream = stream_of(request, None)
    async for first in stream:
        if first:
            yield _chained(first, stream)
            return


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _several(body: Multipart) -> AsyncIterator[AsyncIterator[bytes] | None]:
    """Each part's stream. A body that breaks off after a part leaves one more that failed."""
    taken = 0
    while True:
        try:
            part = await body.next()
        except errors.Malformed:
            if not taken:
                raise
            if not body.broken:  # else the part it broke in has said so itself
                yield None
            return
        if part is None:
            return
        taken += 1
        usual = part.media_type in ("", DICOM, "application/octet-stream")
        yield body.body() if part.readable and usual else None


def _facility(asker: access.Asker, registry: str, active: frozenset[int], asked: int | None) -> int:
    """Whose instances these are: the facility asked for, or the key's only one."""
    if asked is not None:
        if not asker.sees_facility(asked, registry):
            raise errors.NotFound(NO_SUCH_FACILITY)
        if asked not in active:
            raise errors.Forbidden("This facility's participation in the registry is not active.")
        return asked
    if not active:
        raise errors.Forbidden("No facility of this key participates actively in the registry.")
    if len(active) > 1:
        raise errors.Unprocessable("The key has several facilities: name one with `?facility=`.")
    return next(iter(active))


def _said(parts: list[Received], key: bytes, address: str) -> dict[str, Any]:
    """The Store Instances response (PS3.18 table I.1-1). Our URLs hold our UIDs alone."""
    stored = [_referenced(part, key, address) for part in parts if part.reason is None]
    failed = [_failed(part) for part in parts if part.reason is not None]
    said: dict[str, Any] = {}
    studies = {part.named.study_instance_uid for part in parts if not part.reason and part.named}
    if len(studies) == 1 and (uid := studies.pop()):
        said["00081190"] = {"vr": "UR", "Value": [f"{address}/{replaced(key, uid)}"]}
    if failed:
        said["00081198"] = {"vr": "SQ", "Value": failed}
    if stored:
        said["00081199"] = {"vr": "SQ", "Value": stored}
    return said


def _referenced(part: Received, key: bytes, address: str) -> dict[str, Any]:
    assert part.named is not None
    named = part.named
    item = _uids(named)
    if named.study_instance_uid and named.series_instance_uid:
        url = (
            f"{address}/{replaced(key, named.study_instance_uid)}"
            f"/series/{replaced(key, named.series_instance_uid)}"
            f"/instances/{replaced(key, named.sop_instance_uid)}"
        )
        item["00081190"] = {"vr": "UR", "Value": [url]}
    return item


def _failed(part: Received) -> dict[str, Any]:
    return {
        **(_uids(part.named) if part.named else {}),
        "00081197": {"vr": "US", "Value": [int(part.reason or 0)]},
    }


def _uids(named: Names) -> dict[str, Any]:
    return {
        tag: {"vr": "UI", "Value": [uid]}
        for tag, uid in (("00081150", named.sop_class_uid), ("00081155", named.sop_instance_uid))
        if uid
    }
