"""FHIR R4: a base for each registry, with its forms and the responses to them, its measures and
their reports, and what its cases say in codes."""

from fastapi import APIRouter

from app.api.fhir import (
    capabilities,
    measure_reports,
    measures,
    observations,
    questionnaires,
    responses,
)

router = APIRouter(tags=["fhir"])
for part in (capabilities, questionnaires, responses, measures, measure_reports, observations):
    router.include_router(part.router, prefix="/fhir/{registry_id}")
