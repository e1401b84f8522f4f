"""FHIR R4: a base for each registry, with its measures, their reports, and what its cases say in codes."""

from fastapi import APIRouter

from app.api.fhir import capabilities, measure_reports, measures, observations

router = APIRouter(prefix="/fhir/{registry_id}", tags=["fhir"])
router.include_router(capabilities.router)
router.include_router(measures.router)
router.include_router(measure_reports.router)
router.include_router(observations.router)
