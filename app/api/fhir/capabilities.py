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
RESPONSES: dict[str, Any] = {
    "type": "QuestionnaireResponse",
    "documentation": "A response is an entry of the registry: its case is the one that the form's key elements"
    " name, so that the same response again changes nothing, and another with the same key amends it."
    " `Idempotency-Key` is honoured; `facility` names the facility where a key has several.",
    "interaction": [{"code": "create"}, {"code": "read"}],
    "versioning": "no-version",
    "conditionalCreate": False,
}


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
    questionnaire: dict[str, Any] = {
        "type": "Questionnaire",
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [{"name": "url", "type": "uri"}, {"name": "version", "type": "token"}],
    }
    served = [questionnaire, measure, observation]
    rest: dict[str, Any] = {"mode": "server", "resource": served}
    if "fhir" in definition.channels:
        served.insert(1, RESPONSES)
        rest["interaction"] = [{"code": "transaction"}, {"code": "batch"}]
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
        "rest": [rest],
    }
    return resource(statement)
