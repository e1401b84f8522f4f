"""Improvement projects on pages: begin one, write down its steps, see before and after, close it."""

from typing import Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from app import access
from app.api.dependencies import Catalogue, FacilityNumber
from app.api.v1.improvement_kept import ProjectId
from app.portal.look import Page, shown
from app.portal.pages import (
    FacilityQuery,
    Short,
    SignedIn,
    Text,
    facilities_of,
    from_our_page,
    registries_of,
    typed,
)
from app.portal.wire import ask, listed, send
from app.registries.improvement import STEPS
from app.reports.drawing import svg
from app.reports.improvement.chart import drawing
from app.reports.improvement.evidence import Evidence

router = APIRouter(
    prefix="/improvement",
    include_in_schema=False,
    default_response_class=HTMLResponse,
    route_class=Page,
    dependencies=[Depends(from_our_page)],
)


@router.get("")
async def projects(
    request: Request,
    visitor: SignedIn,
    catalogue: Catalogue,
    facility: FacilityQuery = None,
) -> HTMLResponse:
    """A facility's projects, and where one is begun."""
    visitor.require(access.Act.READ_RESULTS)
    choice = await facilities_of(request, facility)
    facility = choice["chosen"]
    rows: list[Any] = []
    if facility is not None:
        rows, _ = await listed(request, _path(facility), limit=200)
    return shown(
        "improvement.html",
        visitor,
        place="improvement",
        **choice,
        rows=rows[::-1],
        offered=[one for one in registries_of(catalogue, visitor) if one.improvement],
        may_change=visitor.may(access.Act.IMPROVE),
    )


@router.post("/{facility_id}")
async def begin(
    request: Request,
    facility_id: FacilityNumber,
    visitor: SignedIn,
    choice: Short,
    aim: Text,
    baseline: Short,
    remeasurement: Short = "",
) -> Response:
    """Begin a project; `choice` is registry, template and measure as the form offers them."""
    registry, _, rest = choice.partition(" ")
    template, _, measure = rest.partition(" ")
    made = await send(
        request,
        "POST",
        _path(facility_id),
        {
            "registry_id": registry,
            "template": template,
            "measure": measure,
            "aim": typed(aim),
            "baseline": baseline.strip(),
            "remeasurement": remeasurement.strip() or None,
        },
    )
    return _to(facility_id, made["id"])


@router.get("/{facility_id}/{project_id}")
async def project(
    request: Request, facility_id: FacilityNumber, project_id: ProjectId, visitor: SignedIn
) -> HTMLResponse:
    """One project: before and after, its chart, its steps, who takes part."""
    path = _path(facility_id, project_id)
    found = await ask(request, path)
    told = await ask(request, f"{path}/evidence")
    told.pop("sha256")
    evidence = Evidence.model_validate(told)
    drawn = drawing(evidence)
    offered, _ = await listed(
        request, f"/v1/registries/{found['registry_id']}/improvement-templates"
    )
    return shown(
        "improvement_project.html",
        visitor,
        place="improvement",
        project=found,
        evidence=evidence,
        chart=None if drawn is None else svg(drawn, "run"),
        offer=next((one for one in offered if one["id"] == found["template"]), None),
        steps=STEPS,
        may_change=visitor.may(access.Act.IMPROVE) and found["state"] == "open",
    )


@router.post("/{facility_id}/{project_id}/interventions")
async def add_step(
    request: Request,
    facility_id: FacilityNumber,
    project_id: ProjectId,
    visitor: SignedIn,
    kind: Short,
    on: Short,
    says: Text,
    suggestion: Short = "",
) -> Response:
    """Write down a step."""
    body = {"kind": kind, "on": on, "says": typed(says), "suggestion": suggestion or None}
    await send(request, "POST", f"{_path(facility_id, project_id)}/interventions", body)
    return _to(facility_id, project_id)


@router.post("/{facility_id}/{project_id}/participants")
async def add_participant(
    request: Request,
    facility_id: FacilityNumber,
    project_id: ProjectId,
    visitor: SignedIn,
    name: Short,
    role: Short,
    from_day: Short,
    to_day: Short = "",
) -> Response:
    """Name somebody who takes part."""
    body = {
        "name": name.strip(),
        "role": role.strip(),
        "from_day": from_day,
        "to_day": to_day or None,
    }
    await send(request, "POST", f"{_path(facility_id, project_id)}/participants", body)
    return _to(facility_id, project_id)


@router.post("/{facility_id}/{project_id}/{rows}/{row_id}/remove")
async def remove(
    request: Request,
    facility_id: FacilityNumber,
    project_id: ProjectId,
    rows: Literal["interventions", "participants"],
    row_id: int,
    visitor: SignedIn,
) -> Response:
    """Take a step or a participant away."""
    await send(request, "DELETE", f"{_path(facility_id, project_id)}/{rows}/{row_id}")
    return _to(facility_id, project_id)


@router.post("/{facility_id}/{project_id}/closing")
async def close(
    request: Request,
    facility_id: FacilityNumber,
    project_id: ProjectId,
    visitor: SignedIn,
    conclusion: Text,
) -> Response:
    """Close the project for good."""
    body = {"conclusion": typed(conclusion)}
    await send(request, "POST", f"{_path(facility_id, project_id)}/closing", body)
    return _to(facility_id, project_id)


def _path(facility_id: int, project_id: int | None = None) -> str:
    path = f"/v1/facilities/{facility_id}/improvement-projects"
    return path if project_id is None else f"{path}/{project_id}"


def _to(facility_id: int, project_id: int) -> Response:
    return RedirectResponse(f"/improvement/{facility_id}/{project_id}", 303)
