"""
FHIR R4 QuestionnaireResponses as entries: created one at a time, or in a Bundle.

The body goes in by the door of every submission, byte for byte. What became of it is waited for and
answered as FHIR has it: 201 with a Location, an OperationOutcome of the findings, or, where the answer
takes longer than the sender would wait, 202 and where to follow it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Path, Request, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import errors
from app.access import Act
from app.api import followed
from app.api.bodies import whole
from app.api.dependencies import Asker, Catalogue, RegistryInForce, SettingsInForce, Transactions
from app.api.entries import Entries, FacilitySentFor, IdempotencyKey, once
from app.api.fhir.issues import issue, outcome, said
from app.api.fhir.measures import base_of
from app.api.fhir.replies import CONTENT, RESOURCE, resource
from app.api.problems import problems
from app.api.submitted import Shown
from app.catalogue import Catalogue as DefinitionsInForce
from app.ingest.formats import FHIR, JSON, door, fhir
from app.ingest.receive import taken
from app.models import Version
from app.models.base import now
from app.models.submission import Entry, Finding
from app.registries import answers
from app.registries.schema import Policy

router = APIRouter()

LIMIT: Final = 16 * 1024 * 1024
"""Bytes of a body here; what is larger is a submission, which is streamed."""
PATIENCE: Final = 20
"""Seconds that a sender is thought to wait who does not say how long."""
POLICIES: Final[Mapping[str, Policy | None]] = {
    "transaction": "whole-file",
    "batch": None,
    "collection": None,
}
"""The Bundles that are taken; where none is named the registry's own policy holds."""
_STATUS: Final = {
    "accepted": 201,
    "amended": 201,
    "withdrawn": 201,
    "saved": 201,
    "superseded": 201,
    "unchanged": 200,
    "waiting": 202,
}
"""What became of an entry -> how its creation is answered."""
_PHRASES: Final = {
    200: "200 OK",
    201: "201 Created",
    202: "202 Accepted",
    400: "400 Bad Request",
    422: "422 Unprocessable Entity",
}
_ID: Final = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-([1-9]\d{0,8})", re.ASCII)
_NO_RESPONSE: Final = "There is no such QuestionnaireResponse, or it is not within your key."

Preferred = Annotated[
    str | None,
    Header(
        max_length=1000,
        description="`wait=N` seconds, `respond-async`, `return=minimal` or `return=representation`.",
    ),
]
ResponseId = Annotated[
    str, Path(max_length=64, pattern=r"^[A-Za-z0-9.-]+$", description="As its Location had it.")
]


def _body(kind: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["resourceType"],
        "properties": {"resourceType": {"const": kind}},
    }
    return {"requestBody": {"required": True, "content": {FHIR: {"schema": schema}}}}


ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": CONTENT, "description": "Nothing new was said; a Bundle was gone through."},
    201: {"content": CONTENT, "description": "It was taken: see `Location`."},
    202: {"content": CONTENT, "description": "It is safe with us: follow `Content-Location`."},
    **problems(400, 401, 403, 404, 413, 415, 422),
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request that brings responses: what of, through which door, and how it would be answered."""

    request: Request
    definition: RegistryInForce
    catalogue: Catalogue
    door: Entries
    facility: FacilitySentFor = None
    idempotency_key: IdempotencyKey = None
    prefer: Preferred = None

    @property
    def base(self) -> str:
        """The FHIR base that it came to."""
        return base_of(self.door.settings, self.definition.id)

    async def read(self, kind: str) -> "_Sent":
        """The resource of the body, if it is one of this kind, and the registry takes such."""
        self.door.asker.require(Act.SUBMIT)
        await self.door.admit(self.definition, self.facility)
        content_type = self.request.headers.get("content-type", "")
        media, _, parameters = content_type.partition(";")
        if media.strip().lower() == JSON:
            content_type = f"{FHIR};{parameters}"
        gate = door(content_type)
        if gate.media_type != FHIR:
            raise errors.UnsupportedMedia((FHIR, JSON))
        taken(self.definition, gate)
        body = await whole(self.request, min(LIMIT, self.door.settings.submission_limit))
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise errors.Malformed("Send one JSON document in UTF-8.") from None
        if not isinstance(document, dict) or document.get("resourceType") != kind:
            raise errors.Malformed(f"Send a resource of the type {kind} here.")
        return _Sent(body, document)

    async def take(
        self, sent: "_Sent", responses: Sequence[Any], policy: Policy | None = None
    ) -> "_Found":
        """Receive a body, and wait for what becomes of it as long as the sender would."""
        version, at = self._version(responses), now()
        shown = await self.door.take(
            self.definition,
            door(FHIR),
            once(sent.body),
            facility=self.facility,
            idempotency_key=self.idempotency_key,
            version=version,
            policy=policy,
            taking=lambda: self.catalogue.taking(self.definition.id, version, at),
        )
        seconds = 0 if self.prefers("respond-async") else followed.wait_of(self.prefer)
        shown = await followed.finished(
            self.door.transactions, shown, PATIENCE if seconds is None else seconds
        )
        entries: list[Entry] = []
        findings: list[Finding] = []
        if shown.state in followed.ENDS:
            async with self.door.transactions.begin() as session:
                entries = await _of(session, Entry, shown, Entry.row)
                findings = await _of(session, Finding, shown, Finding.row, Finding.id)
        replayed = self.door.response.headers.get("Idempotency-Replayed")
        headers = {"Idempotency-Replayed": replayed} if replayed else {}
        return _Found(self.base, shown, entries, findings, headers)

    def prefers(self, what: str) -> bool:
        """Whether the sender would have something so (RFC 7240)."""
        asked = (self.prefer or "").replace(";", ",").split(",")
        return what in (one.strip().lower() for one in asked)

    def unread(self, found: "_Found") -> Response:
        """The answer to a body that nothing became of yet, or nothing at all."""
        issues = [issue(one) for one in found.findings]
        if found.shown.state == "unreadable":
            return resource(outcome(issues), 400, found.headers)
        at = f"{self.door.settings.address}/v1/submissions/{found.shown.id}"
        first = said("information", "incomplete", "It was received: follow Content-Location.")
        return resource(outcome([first, *issues]), 202, {**found.headers, "Content-Location": at})

    def _version(self, responses: Sequence[Any]) -> str | None:
        """The one version that responses name, if any does."""
        asked = {
            version
            for one in responses
            if isinstance(one, dict) and (version := fhir.named(one)[1])
        }
        if len(asked) > 1:
            raise errors.Unprocessable("Send a Bundle for each version of the questionnaires.")
        known = {one.version for one in self.catalogue.versions(self.definition.id)}
        if asked - known:
            raise errors.Unprocessable(
                "The questionnaire is named in a version that there is not: ask for /Questionnaire."
            )
        return next(iter(asked), None)


Delivered = Annotated[Delivery, Depends(Delivery, scope="function")]


@router.post(
    "/QuestionnaireResponse",
    response_class=Response,
    openapi_extra=_body("QuestionnaireResponse"),
    responses=ANSWERS,
)
async def create_response(delivery: Delivered) -> Response:
    """Send an entry as a QuestionnaireResponse to one of the registry's Questionnaires."""
    sent = await delivery.read("QuestionnaireResponse")
    found = await delivery.take(sent, [sent.resource])
    if not found.entries:
        return delivery.unread(found)
    (entry,) = found.entries
    reply = found.reply(entry)
    headers = found.headers | ({"Location": reply.location} if reply.location else {})
    if reply.status < 300 and delivery.prefers("return=minimal"):
        return Response(status_code=reply.status, headers=headers)
    document = reply.outcome
    asker = delivery.door.asker
    if delivery.prefers("return=representation") and asker.may(Act.READ_CASES):
        async with delivery.door.transactions.begin() as session:
            kept = await _kept(session, found, delivery.catalogue, entry)
        document = kept or document
    return resource(document, reply.status, headers)


@router.post("", response_class=Response, openapi_extra=_body("Bundle"), responses=ANSWERS)
async def send_bundle(delivery: Delivered) -> Response:
    """Send a Bundle of QuestionnaireResponses: a `transaction` as a whole, a `batch` each by itself."""
    sent = await delivery.read("Bundle")
    kind, inside = sent.resource.get("type"), sent.resource.get("entry")
    if not isinstance(kind, str) or kind not in POLICIES:
        raise errors.Malformed(f"A Bundle that is sent here is one of: {', '.join(POLICIES)}.")
    if not isinstance(inside, list) or not inside:
        raise errors.Malformed("The Bundle has no entry.")
    several = [one.get("resource") for one in inside if isinstance(one, dict)]
    found = await delivery.take(sent, several, POLICIES[kind])
    if not found.entries:
        return delivery.unread(found)
    replies = [found.reply(one, inside=True) for one in found.entries]
    worst = max(one.status for one in replies)
    if kind == "transaction" and worst >= 400:
        issues = [each for one in replies for each in one.outcome["issue"]]
        return resource(outcome(issues), worst, found.headers)
    document = {
        "resourceType": "Bundle",
        "type": "transaction-response" if kind == "transaction" else "batch-response",
        "entry": [{"response": one.told()} for one in replies],
    }
    return resource(document, 200, found.headers)


@router.get(
    "/QuestionnaireResponse/{response_id}",
    response_class=Response,
    responses={**RESOURCE, **problems(403)},
)
async def read_response(
    response_id: ResponseId,
    definition: RegistryInForce,
    catalogue: Catalogue,
    settings: SettingsInForce,
    asker: Asker,
    transactions: Transactions,
) -> Response:
    """What an entry came to, as a response in the words of the registry: identities are left out."""
    asker.require(Act.READ_CASES)
    named = _ID.fullmatch(response_id)
    if named is None:
        raise errors.NotFound(_NO_RESPONSE)
    async with transactions.begin() as session:
        shown = Shown.of(await followed.one(session, UUID(named[1]), asker))
        entry = await session.get(Entry, (shown.number, int(named[2])))
        kept = None
        if shown.registry_id == definition.id and entry is not None:
            found = _Found(base_of(settings, definition.id), shown, [entry], [], {})
            kept = await _kept(session, found, catalogue, entry)
    if kept is None:
        raise errors.NotFound(_NO_RESPONSE)
    return resource(kept)


@dataclass(frozen=True, slots=True)
class _Sent:
    body: bytes
    resource: dict[str, Any]


async def _of(session: AsyncSession, kind: type[Any], shown: Shown, *order: Any) -> list[Any]:
    """The entries or findings of a submission, in order."""
    statement = select(kind).where(kind.submission_number == shown.number).order_by(*order)
    return list(await session.scalars(statement))


@dataclass(frozen=True, slots=True)
class _Reply:
    """How the creation of one resource is answered."""

    status: int
    location: str | None
    outcome: dict[str, Any]

    def told(self) -> dict[str, Any]:
        """As an entry of a Bundle's response."""
        placed = {"location": self.location} if self.location else {}
        return {"status": _PHRASES[self.status], **placed, "outcome": self.outcome}


@dataclass(frozen=True, slots=True)
class _Found:
    """A submission that has ended, with its entries and findings."""

    base: str
    shown: Shown
    entries: list[Entry]
    findings: list[Finding]
    headers: dict[str, str]

    def reply(self, entry: Entry, *, inside: bool = False) -> _Reply:
        """How one entry is answered."""
        within = f"Bundle.entry[{entry.row - 1}].resource" if inside else ""
        own = [one for one in self.findings if one.row == entry.row]
        issues = [issue(one, within) for one in own]
        status = _STATUS.get(entry.outcome or "")
        if status is None:
            unread = any(one.code == "not-an-entry" for one in own)
            return _Reply(400 if unread else 422, None, outcome(issues))
        if status == 202:
            return _Reply(status, None, outcome(issues))
        done = said("information", "informational", f"The entry was {entry.outcome}.")
        location = f"{self.base}/QuestionnaireResponse/{self.shown.id}-{entry.row}"
        return _Reply(status, location, outcome([done, *issues]))


async def _kept(
    session: AsyncSession, found: _Found, catalogue: DefinitionsInForce, entry: Entry
) -> dict[str, Any] | None:
    """The response that says what an entry came to, if its version is within the session's scope."""
    if entry.case_id is None or entry.version_id is None:
        return None
    version = await session.scalar(
        select(Version).where(Version.case_id == entry.case_id, Version.id == entry.version_id)
    )
    if version is None:
        return None
    definition = catalogue.registry(found.shown.registry_id, version=version.definition_version)
    states = {"submitted": "completed", "draft": "in-progress", "withdrawn": "entered-in-error"}
    address = found.base.removesuffix(f"/fhir/{definition.id}")
    return {
        **answers.response(
            definition,
            definition.form(version.form),
            version.elements,
            states[version.state],
            address,
        ),
        "id": f"{found.shown.id}-{entry.row}",
        "meta": {"lastUpdated": version.created_at.isoformat()},
        "authored": found.shown.received_at.isoformat(),
    }
