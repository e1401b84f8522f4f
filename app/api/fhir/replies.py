"""How a resource is answered, and how OpenAPI is told so."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response

from app.api.outcomes import MEDIA_TYPE

RESOURCE: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "object"}}}}
}


def resource(document: Mapping[str, Any]) -> Response:
    """A resource as FHIR's JSON."""
    return Response(orjson.dumps(dict(document)), media_type=MEDIA_TYPE)
