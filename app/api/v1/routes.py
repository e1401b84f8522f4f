"""Version 1 of the wire, put together: one line per resource."""

from fastapi import APIRouter

from app.api.v1 import (
    administrators,
    audit_events,
    benchmarks,
    cases,
    corporate_accounts,
    drafts,
    drill_down,
    facilities,
    images,
    improvement_evidence,
    improvement_projects,
    improvement_rows,
    keys,
    lists,
    measures,
    metrics,
    participations,
    partners,
    periods,
    physician_feedback,
    physicians,
    qpp,
    registries,
    reporting_modules,
    reports,
    structured_reports,
    submissions,
    worklists,
)

router = APIRouter(prefix="/v1")
for resource in (
    registries,
    corporate_accounts,
    facilities,
    administrators,
    physicians,
    participations,
    partners,
    keys,
    submissions,
    cases,
    lists,
    structured_reports,
    periods,
    images,
    measures,
    metrics,
    drill_down,
    worklists,
    benchmarks,
    reports,
    reporting_modules,
    drafts,
    physician_feedback,
    improvement_projects,
    improvement_rows,
    improvement_evidence,
    qpp,
    audit_events,
):
    router.include_router(resource.router)
router.include_router(qpp.checks)
router.include_router(improvement_projects.templates)
