"""Every page: it asks the API what it may show, and shows it."""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from app import access, errors
from app.api.dependencies import Catalogue, HouseInForce, RegistryId
from app.api.problems import kinds
from app.database import EVERYTHING
from app.portal import session
from app.portal.look import Page, safe_address, shown
from app.portal.periods import recent_periods
from app.portal.wire import Refused, ask, listed, table
from app.registries.schema import Definition

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse, route_class=Page)

ENDS = ("completed", "unreadable", "held")
Text = Annotated[str, Form(max_length=8000)]
Short = Annotated[str, Form(max_length=200)]
FacilityQuery = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
RegistryQuery = Annotated[str, Query(max_length=100, pattern=r"^[a-z0-9-]+$")]


async def visitor(request: Request, house: HouseInForce) -> access.Asker | None:
    """Who is signed in, if anybody; a key that ended is nobody's."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        return None
    async with house.database.transaction(EVERYTHING) as opened:
        try:
            return await access.authenticate(opened, key)
        except errors.Unauthenticated:
            return None


Visitor = Annotated[access.Asker | None, Depends(visitor, scope="function")]


def signed_in(request: Request, visitor: Visitor) -> access.Asker:
    """Who is signed in; nobody is sent to the sign-in page, and back afterwards."""
    if visitor is None:
        raise Refused(401, {})
    return visitor


SignedIn = Annotated[access.Asker, Depends(signed_in, scope="function")]


def from_our_page(request: Request) -> None:
    """A form that another site sent changes nothing."""
    if not session.is_ours(request.method, request.headers):
        raise Refused(403, {"title": "Send the form from our own page"})


async def facilities_of(request: Request, chosen: int | None) -> dict[str, Any]:
    """What a page offers to choose a facility from: `facilities`, whether there are `more`, and the `chosen`.

    Who has but one need not choose.
    """
    facilities, more = await listed(request, "/v1/facilities", limit=200)
    if chosen is None and len(facilities) == 1:
        chosen = facilities[0]["id"]
    return {"facilities": facilities, "more": more, "chosen": chosen}


def typed(text: str) -> str:
    """A form's text as the API takes it: browsers end lines with a carriage return as well."""
    return text.replace("\r\n", "\n").strip()


@router.get("/")
async def home(request: Request, visitor: Visitor, catalogue: Catalogue) -> HTMLResponse:
    """What runs here."""
    facilities: list[Any] = []
    if visitor is not None and visitor.may(access.Act.READ_ACCOUNTS):
        facilities, _ = await listed(request, "/v1/facilities", limit=12)
    return shown(
        "home.html", visitor, registries=registries_of(catalogue, visitor), facilities=facilities
    )


@router.get("/sign-in")
def sign_in(visitor: Visitor, next: Annotated[str, Query(max_length=300)] = "/") -> HTMLResponse:
    """Where a key is asked for."""
    return shown("sign_in.html", visitor, place="sign-in", next=safe_address(next), refused=False)


@router.post("/sign-in")
async def keep_key(
    house: HouseInForce,
    request: Request,
    key: Annotated[str, Form(max_length=200)],
    next: Annotated[str, Form(max_length=300)] = "/",
) -> Response:
    """Keep a key that is in force in the visitor's browser; ask again for any other."""
    if not session.is_ours("POST", request.headers):
        raise Refused(403, {"title": "Sign in from our own page"})
    async with house.database.transaction(EVERYTHING) as opened:
        try:
            await access.authenticate(opened, key.strip())
        except errors.Unauthenticated:
            return shown(
                "sign_in.html", None, 401, place="sign-in", next=safe_address(next), refused=True
            )
    answer = RedirectResponse(safe_address(next), 303)
    answer.headers["Set-Cookie"] = session.kept(key.strip(), secure=_secure(house.settings.address))
    return answer


@router.post("/sign-out")
def forget_key(house: HouseInForce) -> Response:
    """Make the visitor's browser forget the key."""
    answer = RedirectResponse("/", 303)
    answer.headers["Set-Cookie"] = session.forgotten(secure=_secure(house.settings.address))
    return answer


@router.get("/registries")
def registries(visitor: Visitor, catalogue: Catalogue) -> HTMLResponse:
    """The registries in force."""
    found = registries_of(catalogue, visitor)
    return shown("registries.html", visitor, place="registries", registries=found)


@router.get("/registries/{registry_id}")
def registry(registry_id: RegistryId, visitor: Visitor, catalogue: Catalogue) -> HTMLResponse:
    """One registry with its data dictionary."""
    found = _registry(catalogue, visitor, registry_id)
    return shown("registry.html", visitor, place="registries", registry=found)


@router.get("/registries/{registry_id}/submit")
async def submit(
    request: Request,
    registry_id: RegistryId,
    visitor: SignedIn,
    house: HouseInForce,
) -> HTMLResponse:
    """Where a file is chosen and sent."""
    visitor.require(access.Act.SUBMIT)
    facilities, more = await listed(request, "/v1/facilities", limit=200)
    return shown(
        "submit.html",
        visitor,
        place="submissions",
        registry=_registry(house.catalogue, visitor, registry_id),
        facilities=[] if more else facilities,
        limit=f"{house.settings.submission_limit / 2**20:,.0f} MB",
    )


@router.get("/registries/{registry_id}/forms/{form_id}")
async def entry_form(
    request: Request,
    registry_id: RegistryId,
    form_id: Annotated[str, Path(min_length=1, max_length=100)],
    visitor: SignedIn,
    house: HouseInForce,
) -> HTMLResponse:
    """Where an entry is typed; its questions are those of the API."""
    visitor.require(access.Act.SUBMIT)
    found = _registry(house.catalogue, visitor, registry_id)
    form = next((one for one in found.entry_forms if one.id == form_id), None)
    if form is None or "web-form" not in found.channels:
        raise errors.NotFound("The registry has no such form to fill in.")
    facilities, more = await listed(request, "/v1/facilities", limit=200)
    return shown(
        "entry_form.html",
        visitor,
        place="submissions",
        registry=found,
        form=form,
        facilities=[] if more else facilities,
    )


@router.get("/submissions")
async def submissions(
    request: Request,
    visitor: SignedIn,
    catalogue: Catalogue,
    registry: Annotated[str | None, Query(max_length=100, pattern=r"^[a-z0-9-]+$")] = None,
    after: Annotated[str | None, Query(max_length=600)] = None,
) -> HTMLResponse:
    """A registry's submissions, newest first."""
    found = registries_of(catalogue, visitor)
    chosen = registry or (found[0].id if found else "")
    asked = {"after": after} if after else {}
    rows, more = (
        await listed(request, "/v1/submissions", registry=chosen, limit=50, **asked)
        if chosen
        else ([], None)
    )
    return shown(
        "submissions.html",
        visitor,
        place="submissions",
        registries=found,
        chosen=chosen,
        rows=rows,
        more=more,
    )


@router.get("/submissions/{submission_id}")
async def submission(
    request: Request,
    submission_id: UUID,
    visitor: SignedIn,
    after: Annotated[str | None, Query(max_length=600)] = None,
) -> HTMLResponse:
    """One submission: how far it is, what became of its entries, and every finding."""
    asked = {"after": after} if after else {}
    found = await ask(request, f"/v1/submissions/{submission_id}")
    findings, more = await listed(
        request, f"/v1/submissions/{submission_id}/findings", limit=100, **asked
    )
    return shown(
        "submission.html",
        visitor,
        place="submissions",
        submission=found,
        findings=findings,
        more=more,
        ends=ENDS,
    )


@router.get("/submissions/{submission_id}/findings.csv")
async def findings_table(request: Request, submission_id: UUID, visitor: SignedIn) -> Response:
    """Every finding as a table: the API's own, at an address that a link can have."""
    content = await table(request, f"/v1/submissions/{submission_id}/findings")
    name = f'attachment; filename="findings-{submission_id}.csv"'
    return Response(content, media_type="text/csv", headers={"Content-Disposition": name})


@router.get("/reports")
async def reports(
    request: Request,
    visitor: SignedIn,
    catalogue: Catalogue,
    facility: FacilityQuery = None,
) -> HTMLResponse:
    """The feedback reports a visitor may open."""
    visitor.require(access.Act.READ_RESULTS)
    choice = await facilities_of(request, facility)
    facility = choice["chosen"]
    issued: list[Any] = []
    if facility is not None:
        issued, _ = await listed(request, f"/v1/facilities/{facility}/reports", limit=200)
    return shown(
        "reports.html",
        visitor,
        place="reports",
        **choice,
        issued=issued[::-1],
        registries=registries_of(catalogue, visitor),
        periods=recent_periods(),
    )


@router.get("/reports/open")
def open_report(
    visitor: SignedIn,
    facility: Annotated[int, Query(ge=1, le=2**31 - 1)],
    registry: RegistryQuery,
    period: Annotated[str, Query(max_length=20)],
) -> Response:
    """From the choices on the page to the report's own address."""
    return RedirectResponse(f"/v1/facilities/{facility}/reports/{registry}/{quote(period)}", 303)


@router.get("/reference")
def reference(request: Request, visitor: Visitor) -> HTMLResponse:
    """The API, from the OpenAPI document that the service itself serves."""
    return shown("reference.html", visitor, place="reference", api=request.app.openapi())


@router.get("/problems")
def problems_page(visitor: Visitor) -> HTMLResponse:
    """Every kind of problem, with what it means."""
    return shown("problems.html", visitor, kinds=sorted(kinds()))


def registries_of(catalogue: Catalogue, visitor: access.Asker | None) -> list[Definition]:
    """The registries in force that a visitor's key holds; without a key, all that are published."""
    return [
        one for one in catalogue.registries() if visitor is None or visitor.sees_registry(one.id)
    ]


def _registry(catalogue: Catalogue, visitor: access.Asker | None, wanted: str) -> Definition:
    for one in registries_of(catalogue, visitor):
        if one.id == wanted:
            return one
    raise errors.NotFound("There is no such registry, or it is not within your key.")


def _secure(address: str) -> bool:
    return address.startswith("https://")
