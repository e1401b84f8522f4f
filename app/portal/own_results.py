"""A physician's own results: which registry and period, and who looked."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from app import errors
from app.access import Asker, Role
from app.api.dependencies import Catalogue
from app.portal.look import Page, shown
from app.portal.pages import RegistryQuery, SignedIn, registries_of
from app.portal.periods import recent_periods
from app.portal.wire import listed

router = APIRouter(
    prefix="/own-results",
    include_in_schema=False,
    default_response_class=HTMLResponse,
    route_class=Page,
)


def _own(visitor: Asker) -> tuple[int, int]:
    """The facility and the row of the physician whose key it is."""
    if visitor.role is not Role.PHYSICIAN or visitor.physician_id is None or not visitor.facilities:
        raise errors.NotFound("This page is for a physician's own key.")
    (facility,) = visitor.facilities
    return facility, visitor.physician_id


@router.get("")
async def own_results(request: Request, visitor: SignedIn, catalogue: Catalogue) -> HTMLResponse:
    """Where a physician chooses a registry and a period, and sees who looked."""
    facility, physician = _own(visitor)
    looks: list[Any]
    looks, _ = await listed(
        request, f"/v1/facilities/{facility}/physicians/{physician}/looks", limit=50
    )
    return shown(
        "own_results.html",
        visitor,
        place="own-results",
        registries=registries_of(catalogue, visitor),
        periods=recent_periods(),
        looks=looks,
    )


@router.get("/open")
def open_results(
    visitor: SignedIn,
    registry: RegistryQuery,
    period: Annotated[str, Query(max_length=20)],
    format: Annotated[str, Query(pattern="^(html|pdf|json)$")] = "html",
) -> Response:
    """From the choices on the page to the results' own address."""
    facility, physician = _own(visitor)
    path = f"/v1/facilities/{facility}/physicians/{physician}/feedback/{registry}/{quote(period)}"
    return RedirectResponse(f"{path}?format={format}", 303)
