"""FHIR R4: a base for each registry, with its measures and the reports that evaluate them."""

from fastapi import APIRouter

from app.api.fhir import capabilities, measure_reports, measures

router = APIRouter(prefix="/fhir/{registry_id}", tags=["fhir"])
router.include_router(capabilities.router)
router.include_router(measures.router)
router.include_router(measure_reports.router)
