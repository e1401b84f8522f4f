"""What goes wrong under `/fhir`, in FHIR's own shape: an OperationOutcome (R4) instead of a problem."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

MEDIA_TYPE = "application/fhir+json"
PREFIX = "/fhir/"

_CODES = {
    400: "structure",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    409: "conflict",
    413: "too-long",
    422: "invalid",
    503: "transient",
}
"""HTTP status -> FHIR's IssueType."""


def speaks_fhir(request: Request) -> bool:
    """Whether a request is answered in FHIR."""
    return request.url.path.startswith(PREFIX)


def outcome(
    status: int, detail: str, headers: Mapping[str, str], errors: list[dict[str, Any]] | None
) -> JSONResponse:
    """An OperationOutcome with an issue for the failure, and one for each flaw of the request."""
    severity, code = "fatal" if status >= 500 else "error", _CODES.get(status, "exception")
    issues: list[dict[str, Any]] = [{"severity": severity, "code": code, "diagnostics": detail}]
    for flaw in errors or ():
        allowed = f"; allowed: {flaw['allowed']}" if flaw.get("allowed") else ""
        said = f"{flaw['pointer']}: {flaw['code']}{allowed}"
        issues.append({"severity": "error", "code": "invalid", "diagnostics": said})
    content = {"resourceType": "OperationOutcome", "issue": issues}
    return JSONResponse(content, status, headers=dict(headers), media_type=MEDIA_TYPE)
