"""Feedback reports: what a facility's cases say, beside its peers, as a page and as JSON."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from app import errors
from app.access import Act
from app.api.dependencies import (
    Asker,
    FacilityInReach,
    RegistryInForce,
    Transactions,
    visible_facility,
)
from app.api.problems import problems
from app.benchmarks.periods import PATTERN, period
from app.reports.compose import compose
from app.reports.composition import Composition
from app.reports.render import POLICY, page

router = APIRouter(prefix="/facilities/{facility_id}/reports", tags=["reports"])

Asked = Literal["html", "json"]
MEDIA_TYPES: dict[str, Asked] = {
    "application/json": "json",
    "application/*": "json",
    "*/*": "json",
    "text/html": "html",
    "text/*": "html",
}


@router.get(
    "/{registry_id}/{period}",
    response_model=Composition,
    responses={
        200: {
            "content": {"text/html": {"schema": {"type": "string"}}},
            "headers": {"Vary": {"schema": {"type": "string"}}},
        },
        **problems(403, 404, 406, 422),
    },
)
async def report(
    facility_id: FacilityInReach,
    registry: RegistryInForce,
    asked: Annotated[
        str,
        Path(
            alias="period",
            pattern=PATTERN,
            description="`2026`, `2026Q3`, `2026-09` or `2025-10..2026-09`.",
        ),
    ],
    asker: Asker,
    transactions: Transactions,
    request: Request,
    response: Response,
    format: Annotated[
        Asked | None, Query(description="Instead of `Accept`: a page, or the same as JSON.")
    ] = None,
) -> Composition | Response:
    """A facility's feedback report for one registry and period, composed at this moment.

    For the facility itself. As a page (`text/html`) it stands by itself: it loads nothing and can be
    saved and printed. As JSON it is the same composition.
    """
    asker.require(Act.READ_RESULTS)
    visible_facility(asker, facility_id, registry.id)
    wanted = format or preferred(request.headers.get("accept", "*/*"))
    over = period(asked)
    async with transactions.begin() as session:
        composed = await compose(session, registry, facility_id, over, at=datetime.now(UTC))
    if wanted == "html":
        headers = {"Content-Security-Policy": POLICY, "Vary": "Accept"}
        return HTMLResponse(page(composed), headers=headers)
    response.headers["Vary"] = "Accept"
    return composed


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
        raise errors.NotAcceptable(["text/html", "application/json"])
    return best[2]


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
