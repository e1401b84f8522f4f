"""
One shape for everything that goes wrong (RFC 9457), and the only place that knows statuses.

A problem says what to do next and never repeats what was sent: no value, no name that the sender
made up, no text of an exception that is not ours.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.exceptions import HTTPException

from app import errors
from app.api.bodies import BeyondLimit
from app.api.outcomes import outcome, speaks_fhir

MEDIA_TYPE = "application/problem+json"
STATUS: dict[type[errors.RegistryError], int] = {
    errors.Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Withheld: 403,
    errors.NotAcceptable: 406,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.TooLarge: 413,
    errors.UnsupportedMedia: 415,
    errors.Unprocessable: 422,
    errors.Unavailable: 503,
}
RETRY_AFTER_SECONDS = 2

# What the framework says itself: status -> code, title, what to do next.
TRANSPORT: dict[int, tuple[str, str, str]] = {
    400: ("malformed", "The request is malformed", "Send it as its media type demands."),
    404: (errors.NotFound.code, errors.NotFound.title, "There is nothing at this address."),
    405: (
        "method-not-allowed",
        "Not a method of this resource",
        "Use one of the methods in the Allow field.",
    ),
    406: (errors.NotAcceptable.code, errors.NotAcceptable.title, "Ask for another media type."),
    413: (errors.TooLarge.code, errors.TooLarge.title, "Split the content and send the parts."),
    415: (errors.UnsupportedMedia.code, errors.UnsupportedMedia.title, "Send another media type."),
    422: ("invalid-request", "Parts of the request cannot be used", "See `errors`."),
    500: (
        "internal-error",
        "We failed",
        "It is our fault and has been logged. Ask again; if it fails again, tell the operator the "
        "`trace_id` of this problem.",
    ),
    503: (errors.Unavailable.code, errors.Unavailable.title, "Ask again in a few seconds."),
}

log = structlog.get_logger(__name__)


class Flaw(BaseModel):
    """One part of a request that cannot be used."""

    pointer: str = Field(
        description="A JSON Pointer: below `/body` for the body; `/query/…`, `/path/…`, `/header/…` "
        "for parameters. A name that is not ours reads `*`."
    )
    code: str
    allowed: str | None = Field(default=None, description="What may stand there instead.")


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Resolves to a page about this kind of problem.")
    title: str
    status: int
    detail: str = Field(description="What to do next.")
    trace_id: str | None = Field(default=None, description="Names this request in our log.")
    errors: list[Flaw] | None = None


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an endpoint that may answer with these problems."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def status_of(kind: type[errors.RegistryError]) -> int:
    """The status of the nearest ancestor that has one; a kind without any is our own fault."""
    return next((STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in STATUS), 500)


def install(app: FastAPI) -> None:
    """Let every failure of the application be answered by a problem."""
    app.add_exception_handler(errors.RegistryError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _from_framework)
    app.add_exception_handler(BeyondLimit, _beyond_limit)


def reply(
    request: Request,
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """A problem as a response; its type is an address of ours, never of the Host field.

    Under `/fhir` the same is told as an OperationOutcome.
    """
    if speaks_fhir(request):
        return outcome(status, detail, headers or {}, more.get("errors"))
    trace_id = structlog.contextvars.get_contextvars().get("trace_id")
    content = {
        "type": f"{request.app.state.settings.address}/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        **({"trace_id": trace_id} if trace_id else {}),
        **more,
    }
    return JSONResponse(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


async def _expected(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.RegistryError)
    status = status_of(type(error))
    if status >= 500:
        log.warning("request could not be served", code=error.code, status=status)
    return reply(
        request,
        status,
        error.code,
        error.title,
        str(error) or error.title,
        headers=_headers(status),
        **dict(_extensions(error)),
    )


async def _beyond_limit(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BeyondLimit)
    return await _expected(request, errors.TooLarge(error.limit))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    flaws = error.errors()
    if any(flaw["type"] == "json_invalid" for flaw in flaws):
        return reply(request, 400, *TRANSPORT[400][:2], "The body is not JSON.")
    known = _known_names(request.app)
    told = [
        Flaw(pointer=pointer(flaw["loc"], known), code=_code(flaw["type"]), allowed=allowed(flaw))
        for flaw in flaws[:100]
    ]
    return reply(
        request, 422, *TRANSPORT[422], errors=[flaw.model_dump(exclude_none=True) for flaw in told]
    )


async def _from_framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = error.status_code
    code, title, detail = TRANSPORT.get(
        status, (f"http-{status}", HTTPStatus(status).phrase, "See the status of this reply.")
    )
    headers = dict(error.headers or {}) | _headers(status)
    if status == 405:
        headers["Allow"] = _methods(request) or headers.get("Allow", headers.get("allow", ""))
        headers.pop("allow", None)
    return reply(request, status, code, title, detail, headers=headers)


def unexpected(request: Request, error: Exception) -> JSONResponse:
    """The answer to a failure that nobody expected: nothing of it is told."""
    if _database_is_away(error):
        status = 503
        log.warning("the database does not answer", status=status, error=type(error).__name__)
    elif _cannot_be_stored(error):
        log.info("a value that PostgreSQL cannot hold", status=422, error=type(error).__name__)
        detail = "A value holds a character or a size that cannot be stored."
        return reply(request, 422, *TRANSPORT[422][:2], detail)
    else:
        status = 500
        log.error("request failed", status=status, exc_info=error)
    return reply(request, status, *TRANSPORT[status], headers=_headers(status))


def pointer(location: Sequence[str | int], known: frozenset[str]) -> str:
    """A JSON Pointer to a flaw; a member that we do not name ourselves may be anything."""
    names = (str(part) if isinstance(part, int) or part in known else "*" for part in location)
    return "/" + "/".join(name.replace("~", "~0").replace("/", "~1") for name in names)


def allowed(flaw: Mapping[str, Any]) -> str | None:
    """What may stand there, from the model's own bounds; nothing that came with the request."""
    context, kind = flaw.get("ctx") or {}, flaw["type"]
    bounds = {
        "ge": "at least {}",
        "gt": "more than {}",
        "le": "at most {}",
        "lt": "less than {}",
        "min_length": "at least {} long",
        "max_length": "at most {} long",
        "pattern": "matching {}",
        "expected": "one of {}",
        "expected_tags": "one of {}",
        "multiple_of": "a multiple of {}",
        "max_digits": "at most {} digits",
        "decimal_places": "at most {} decimals",
    }
    said = [text.format(context[name]) for name, text in bounds.items() if name in context]
    if said:
        return ", ".join(said)
    plain = {
        "missing": "a value",
        "extra_forbidden": "only the members of the schema",
        "uuid": "a UUID",
        "int": "an integer",
        "float": "a number",
        "decimal": "a number",
        "bool": "true or false",
        "datetime": "a time as RFC 3339 writes it, with its zone",
        "date": "a date as YYYY-MM-DD",
        "timezone": "a time with its zone",
        "string": "text",
        "list": "a list",
        "dict": "an object",
        "model": "an object",
    }
    return next((text for start, text in plain.items() if kind.startswith(start)), None)


def kinds() -> Iterator[tuple[str, str, int, str]]:
    """Every kind of problem there is: code, title, status, and what it means."""
    seen = set()
    waiting: list[type[errors.RegistryError]] = [errors.RegistryError]
    while waiting:
        kind = waiting.pop(0)
        waiting += kind.__subclasses__()
        if kind.code not in seen:
            seen.add(kind.code)
            yield kind.code, kind.title, status_of(kind), " ".join((kind.__doc__ or "").split())
    for status, (code, title, detail) in TRANSPORT.items():
        if code not in seen:
            yield code, title, status, detail


def _headers(status: int) -> dict[str, str]:
    if status == 401:
        return {"WWW-Authenticate": 'Bearer realm="hounsfield"'}
    if status == 503:
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return {}


def _extensions(error: errors.RegistryError) -> Iterator[tuple[str, Any]]:
    """The members that an error of ours carries beside its message."""
    for name in ("limit", "allowed", "offered", "finding", "complaints"):
        value = getattr(error, name, None)
        if value is not None:
            yield name, list(value) if isinstance(value, tuple) else value
    if isinstance(error, errors.VersionNotTaken):
        for name in ("version", "taken_from", "taken_until", "successor"):
            if (told := getattr(error, name)) is not None:
                yield name, told
    if isinstance(error, errors.KeyUsedForOtherContent):
        yield "earlier", str(error.earlier)


def _code(kind: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-")


def _known_names(app: FastAPI) -> frozenset[str]:
    """The names that are ours: of parameters, of members of bodies, and of where they stand."""
    names: frozenset[str] | None = getattr(app.state, "known_names", None)
    if names is None:
        names = frozenset({"body", "query", "path", "header", "cookie", *_names(app.openapi())})
        app.state.known_names = names
    return names


def _names(document: Any) -> Iterator[str]:
    if isinstance(document, Mapping):
        properties = document.get("properties")
        if isinstance(properties, Mapping):
            yield from properties
        if "in" in document and isinstance(document.get("name"), str):
            yield document["name"]
            yield document["name"].lower().replace("-", "_")
        for value in document.values():
            yield from _names(value)
    elif isinstance(document, list):
        for value in document:
            yield from _names(value)


def _methods(request: Request) -> str:
    """Every method of an address; the framework names only those of the first route it tried."""
    document = request.app.openapi()
    operations = document.get("paths", {}).get(route_template(request.scope), {})
    return ", ".join(sorted(name.upper() for name in operations if name != "parameters"))


def route_template(scope: Mapping[str, Any]) -> str:
    """The template of the route that took a request, with its prefixes; never its path."""
    context = scope.get("fastapi", {}).get("effective_route_context")
    found = getattr(context, "path_format", None) or getattr(scope.get("route"), "path", None)
    return str(found or "unmatched")


def _database_is_away(error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        state = str(getattr(error.orig, "sqlstate", None) or "")
        # connection, no resources, operator intervention, deadlock or serialisation
        return error.connection_invalidated or state[:2] in {"08", "53", "57", "40"}
    return isinstance(error, ConnectionError | NoConnectionFree)


def _cannot_be_stored(error: Exception) -> bool:
    """NUL characters, lone surrogates, numbers beyond a column: the sender's, whatever let them in."""
    if isinstance(error, UnicodeEncodeError):
        return True
    return isinstance(error, DBAPIError) and str(
        getattr(error.orig, "sqlstate", "") or ""
    ).startswith("22")
