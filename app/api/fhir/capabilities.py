"""What this FHIR server can do: what exists, and no more."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Response

from app.access import Act
from app.api.dependencies import Asker, RegistryInForce, SettingsInForce
from app.api.fhir.measures import base_of
from app.api.fhir.replies import RESOURCE, resource
from app.api.outcomes import MEDIA_TYPE

router = APIRouter()

FHIR_VERSION = "4.0.1"
EVALUATE = "http://hl7.org/fhir/OperationDefinition/Measure-evaluate-measure"
STARTED = datetime.now(UTC).date()
"""A server of instances dates its statement when what it can do last changed: at its start."""


@router.get("/metadata", response_class=Response, responses=RESOURCE)
async def capabilities(
    definition: RegistryInForce, asker: Asker, settings: SettingsInForce
) -> Response:
    """The CapabilityStatement of a registry's FHIR base."""
    asker.require(Act.READ_DEFINITIONS)
    measure: dict[str, Any] = {
        "type": "Measure",
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "operation": [
            {
                "name": "evaluate-measure",
                "definition": EVALUATE,
                "documentation": "By GET on a Measure; answers a MeasureReport that is not kept. Beside the"
                " operation's own parameters `facility` is the number of the facility whose cases count.",
            }
        ],
    }
    observation: dict[str, Any] = {
        "type": "Observation",
        "documentation": "What a submitted case says in RadElement's codes. Search needs `case`, the number"
        " of a case; `shape` is `has-member` or `component`.",
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [
            {"name": "case", "type": "token"},
            {"name": "shape", "type": "token"},
        ],
    }
    statement = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": STARTED.isoformat(),
        "kind": "instance",
        "software": {"name": "Hounsfield", "version": version("hounsfield")},
        "implementation": {
            "description": definition.title,
            "url": base_of(settings, definition.id),
        },
        "fhirVersion": FHIR_VERSION,
        "format": [MEDIA_TYPE],
        "rest": [{"mode": "server", "resource": [measure, observation]}],
    }
    return resource(statement)
