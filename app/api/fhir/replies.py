"""How a resource is answered, and how OpenAPI is told so."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import Response

from app.api.outcomes import MEDIA_TYPE

CONTENT: dict[str, Any] = {MEDIA_TYPE: {"schema": {"type": "object"}}}
RESOURCE: dict[int | str, dict[str, Any]] = {200: {"content": CONTENT}}


def resource(
    document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A resource as FHIR's JSON."""
    body = orjson.dumps(dict(document))
    return Response(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def searchset(address: str, found: Sequence[Mapping[str, Any]], query: str = "") -> dict[str, Any]:
    """A Bundle of all that a search of a type's address found."""
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(found),
        "link": [{"relation": "self", "url": f"{address}{query}"}],
        "entry": [
            {"fullUrl": f"{address}/{one['id']}", "resource": one, "search": {"mode": "match"}}
            for one in found
        ],
    }
