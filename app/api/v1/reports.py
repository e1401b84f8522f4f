"""Feedback reports: what a facility's cases say, beside its peers, live and as issued."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import Field
from sqlalchemy import select

from app import errors
from app.access import Act
from app.api.dependencies import (
    LARGEST_INTEGER,
    Archive,
    Asker,
    FacilityInReach,
    RegistryInForce,
    Transactions,
    visible_facility,
)
from app.api.fields import Shown
from app.api.pages import PAGED, PageAsked
from app.api.problems import problems
from app.benchmarks.periods import PATTERN, period
from app.models.report import IssuedReport as Row
from app.reports import vega
from app.reports.changed import Difference, differences
from app.reports.compose import compose, compose_measure
from app.reports.composition import Composition
from app.reports.issue import as_issued, latest
from app.reports.paper import pdf
from app.reports.render import POLICY, page
from app.reports.workbook import workbook

router = APIRouter(prefix="/facilities/{facility_id}/reports", tags=["reports"])

Asked = Literal["html", "json", "pdf", "xlsx"]
PDF = "application/pdf"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MEDIA_TYPES: dict[str, Asked] = {
    "application/json": "json",
    "application/*": "json",
    "*/*": "json",
    "text/html": "html",
    "text/*": "html",
    PDF: "pdf",
    XLSX: "xlsx",
}
FILES: Mapping[str, tuple[str, Callable[[Composition], bytes]]] = {
    "pdf": (PDF, pdf),
    "xlsx": (XLSX, workbook),
}
"""Forms that are files: their media type and what makes them."""

PeriodAsked = Annotated[
    str,
    Path(
        alias="period",
        pattern=PATTERN,
        description="`2026`, `2026Q3`, `2026-09` or `2025-10..2026-09`.",
    ),
]
FormAsked = Annotated[
    Asked | None, Query(description="Instead of `Accept`: a page, a file, or the same as JSON.")
]
FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/html": {"schema": {"type": "string"}},
            PDF: {"schema": {"type": "string", "format": "binary"}},
            XLSX: {"schema": {"type": "string", "format": "binary"}},
        },
        "headers": {"Vary": {"schema": {"type": "string"}}},
    },
    **problems(403, 404, 406, 422),
}


class Issued(Shown):
    """A report that was sent to its facility: what it was, and the digests of its bytes."""

    registry_id: str
    period: str
    number: int = Field(description="1 for the first; each correction has the next.")
    supersedes: int | None = Field(description="The number it corrects.")
    reason: str | None = Field(description="Why it was issued again.")
    definition_version: str
    feed_number: int
    snapshot_on: date | None
    composition_sha256: str
    pdf_sha256: str
    pdf_size: int
    issued_at: datetime


class AsIssued(Issued):
    """An issued report whole, and what has changed since."""

    composition: Composition = Field(description="As it was issued.")
    superseded: bool = Field(description="A later number has taken its place.")
    changed: list[Difference] = Field(
        description="Figures that cases which came, changed or went since have moved."
    )


@router.get("", response_model=list[Issued], responses={200: PAGED, **problems(403, 404, 422)})
async def reports(
    facility_id: FacilityInReach,
    asker: Asker,
    transactions: Transactions,
    page: PageAsked,
    registry: Annotated[str | None, Query(max_length=100, description="One registry's.")] = None,
) -> list[Row]:
    """The reports that were issued to a facility, the oldest first."""
    asker.require(Act.READ_RESULTS)
    query = select(Row).where(Row.facility_id == facility_id, Row.state == "issued")
    if asker.registries is not None:
        query = query.where(Row.registry_id.in_(sorted(asker.registries)))
    if registry is not None:
        query = query.where(Row.registry_id == registry)
    async with transactions.begin() as session:
        return await page.rows(session, query, Row.id)


@router.get("/{registry_id}/{period}", response_model=Composition, responses=FORMS)
async def report(
    facility_id: FacilityInReach,
    registry: RegistryInForce,
    asked: PeriodAsked,
    asker: Asker,
    transactions: Transactions,
    request: Request,
    response: Response,
    format: FormAsked = None,
) -> Composition | Response:
    """A facility's feedback report for one registry and period, composed at this moment.

    For the facility itself. As a page (`text/html`) it stands by itself: it loads nothing and can be
    saved and printed. As PDF, workbook or JSON it is the same composition.
    """
    asker.require(Act.READ_RESULTS)
    visible_facility(asker, facility_id, registry.id)
    wanted = format or preferred(request.headers.get("accept", "*/*"))
    over = period(asked)
    async with transactions.begin() as session:
        composed = await compose(session, registry, facility_id, over, at=datetime.now(UTC))
    if wanted == "html":
        return _page(page(composed))
    if wanted in FILES:
        media_type, make = FILES[wanted]
        return _file(await asyncio.to_thread(make, composed), media_type, composed, wanted)
    response.headers["Vary"] = "Accept"
    return composed


@router.get("/{registry_id}/{period}/issued", response_model=AsIssued, responses=FORMS)
async def issued_report(
    facility_id: FacilityInReach,
    registry: RegistryInForce,
    asked: PeriodAsked,
    asker: Asker,
    transactions: Transactions,
    archive: Archive,
    request: Request,
    response: Response,
    number: Annotated[
        int | None,
        Query(ge=1, le=LARGEST_INTEGER, description="Which issue; the newest when left out."),
    ] = None,
    format: FormAsked = None,
) -> AsIssued | Response:
    """A report as it was issued, with the figures that have changed since.

    The PDF is the one that was sent, byte for byte. Page and JSON show what was issued and list
    each figure that late cases, amendments or withdrawals have moved.
    """
    asker.require(Act.READ_RESULTS)
    visible_facility(asker, facility_id, registry.id)
    wanted = format or preferred(request.headers.get("accept", "*/*"))
    over = period(asked)
    async with transactions.begin() as session:
        row = await latest(session, facility_id, registry.id, over.label, number)
        if row is None:
            raise errors.NotFound("No such report was issued to this facility.")
        newest = await latest(session, facility_id, registry.id, over.label)
        assert row.pdf_path is not None
        assert row.issued_at is not None
        live = None
        if wanted in ("html", "json"):
            live = await compose(session, registry, facility_id, over, at=datetime.now(UTC))
    if wanted == "pdf":
        found = await archive.get(row.pdf_path)
        return _file(found, PDF, None, wanted, name=f"{facility_id}-{registry.id}-{over.label}")
    composed = await as_issued(archive, row)
    if live is None:
        return _file(await asyncio.to_thread(workbook, composed), XLSX, composed, wanted)
    changed = differences(composed, live)
    if wanted == "html":
        return _page(page(composed, issued_on=row.issued_at, differences=changed))
    response.headers["Vary"] = "Accept"
    return AsIssued(
        **Issued.model_validate(row).model_dump(),
        composition=composed,
        superseded=newest is not None and newest.number != row.number,
        changed=list(changed),
    )


@router.get(
    "/{registry_id}/{period}/charts/{measure_id}/{chart}.vl.json",
    responses={
        200: {"content": {vega.MEDIA_TYPE: {"schema": {"type": "object"}}}},
        **problems(403, 404, 409, 422),
    },
    response_class=Response,
)
async def chart(
    facility_id: FacilityInReach,
    registry: RegistryInForce,
    asked: PeriodAsked,
    measure_id: Annotated[str, Path(max_length=63, pattern=r"^[a-z][a-z0-9_]*$")],
    chart: Annotated[vega.Chart, Path(description="Over time, funnel, peers or strata.")],
    asker: Asker,
    transactions: Transactions,
) -> Response:
    """One chart of a report as a Vega-Lite specification, with its data, for a dashboard to draw."""
    asker.require(Act.READ_RESULTS)
    visible_facility(asker, facility_id, registry.id)
    if all(one.id != measure_id for one in registry.measures):
        raise errors.NotFound("The registry has no such measure.")
    over = period(asked)
    async with transactions.begin() as session:
        measured = await compose_measure(
            session, registry, facility_id, over, measure_id, today=datetime.now(UTC).date()
        )
    specification = vega.specification(measured, chart)
    return Response(orjson.dumps(specification), media_type=vega.MEDIA_TYPE)


def _page(content: str) -> HTMLResponse:
    return HTMLResponse(content, headers={"Content-Security-Policy": POLICY, "Vary": "Accept"})


def _file(
    content: bytes, media_type: str, report: Composition | None, form: str, name: str = ""
) -> Response:
    """A file under a name of ours: numbers and ids, nothing that somebody typed."""
    if report is not None:
        name = f"{report.facility.id}-{report.registry_id}-{report.period}"
    return Response(
        content,
        media_type=media_type,
        headers={"Content-Disposition": f'inline; filename="{name}.{form}"', "Vary": "Accept"},
    )


def preferred(accept: str) -> Asked:
    """What an `Accept` field likes best of what there is (RFC 9110, 12.5.1); 406 if nothing."""
    best: tuple[float, int, Asked] | None = None
    for named in accept.split(","):
        media, *parameters = (part.strip().lower() for part in named.split(";"))
        kind = MEDIA_TYPES.get(media)
        if kind is None:
            continue
        weight = next((_weight(one[2:]) for one in parameters if one.startswith("q=")), 1.0)
        exactness = 2 - media.count("*")
        if weight > 0 and (best is None or (weight, exactness) > best[:2]):
            best = weight, exactness, kind
    if best is None:
        raise errors.NotAcceptable(["text/html", "application/json", PDF, XLSX])
    return best[2]


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
