"""AI use cases on pages: read by everybody once they are open, commented on, reviewed."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from app import access
from app.api.v1.use_case_comments import CommentId
from app.api.v1.use_cases import UseCaseNumber, VersionNumber
from app.evaluations.use_cases.comments import Outcome
from app.evaluations.use_cases.document import UseCaseDocument
from app.evaluations.use_cases.steps import (
    COMMENTED,
    UNDER_WAY,
    UseCaseState,
    next_states,
    works_on,
)
from app.portal.look import Page, shown
from app.portal.pages import RegistryQuery, Short, SignedIn, Text, Visitor, from_our_page, typed
from app.portal.wire import ask, listed, send, versioned

router = APIRouter(
    prefix="/use-cases",
    include_in_schema=False,
    default_response_class=HTMLResponse,
    route_class=Page,
    dependencies=[Depends(from_our_page)],
)

After = Annotated[str | None, Query(max_length=600)]

SECTIONS = {
    "overview": "Overview",
    "clinical_implementation": "Clinical implementation",
    "dataset_considerations": "Dataset considerations",
    "technical_specification": "Technical specification",
    "future_development": "Future development",
}


@router.get("")
async def use_cases(
    request: Request,
    visitor: Visitor,
    registry: RegistryQuery | None = None,
    after: After = None,
) -> HTMLResponse:
    """The use cases that are open to the visitor."""
    asked = {name: given for name, given in (("registry", registry), ("after", after)) if given}
    rows, more = await listed(request, "/v1/use-cases", limit=100, **asked)
    return shown(
        "use_cases.html", visitor, place="use-cases", rows=rows, more=more, registry=registry
    )


@router.get("/{use_case_id}")
async def use_case(
    request: Request, use_case_id: UseCaseNumber, visitor: Visitor, after: After = None
) -> HTMLResponse:
    """A use case in the version that counts."""
    found = await ask(request, f"/v1/use-cases/{use_case_id}")
    return await _page(request, visitor, use_case_id, found["version"], after)


@router.get("/{use_case_id}/versions/{use_case_version}")
async def use_case_version(
    request: Request,
    use_case_id: UseCaseNumber,
    use_case_version: VersionNumber,
    visitor: Visitor,
    after: After = None,
) -> HTMLResponse:
    """A use case in one of its versions."""
    return await _page(request, visitor, use_case_id, use_case_version, after)


@router.post("/{use_case_id}/versions/{use_case_version}/comments")
async def comment(
    request: Request,
    use_case_id: UseCaseNumber,
    use_case_version: VersionNumber,
    visitor: SignedIn,
    says: Text,
    section: Short = "",
    answers: Short = "",
    signed: Short = "",
) -> Response:
    """Comment on a section, or answer a comment."""
    body = {
        "section": section or None,
        "says": typed(says),
        "signed": signed.strip() or None,
        "answers": int(answers) if answers.isdecimal() else None,
    }
    await send(request, "POST", f"{_path(use_case_id, use_case_version)}/comments", body)
    return _to(use_case_id, use_case_version, "comments")


@router.post("/{use_case_id}/versions/{use_case_version}/comments/{comment_id}/outcome")
async def settle(
    request: Request,
    use_case_id: UseCaseNumber,
    use_case_version: VersionNumber,
    comment_id: CommentId,
    visitor: SignedIn,
    outcome: Short,
    note: Text = "",
) -> Response:
    """Say what became of a comment."""
    path = f"{_path(use_case_id, use_case_version)}/comments/{comment_id}/outcome"
    await send(request, "PUT", path, {"outcome": outcome, "note": typed(note) or None})
    return _to(use_case_id, use_case_version, f"comment-{comment_id}")


@router.post("/{use_case_id}/versions/{use_case_version}/comments/{comment_id}/remove")
async def take_away(
    request: Request,
    use_case_id: UseCaseNumber,
    use_case_version: VersionNumber,
    comment_id: CommentId,
    visitor: SignedIn,
) -> Response:
    """Take a comment's words away."""
    await send(request, "DELETE", f"{_path(use_case_id, use_case_version)}/comments/{comment_id}")
    return _to(use_case_id, use_case_version, "comments")


@router.post("/{use_case_id}/versions/{use_case_version}/transitions")
async def step(
    request: Request,
    use_case_id: UseCaseNumber,
    use_case_version: VersionNumber,
    visitor: SignedIn,
    state: Short,
    tag: Short,
    note: Text = "",
) -> Response:
    """Take the next step, of just what was on the page."""
    path = f"{_path(use_case_id, use_case_version)}/transitions"
    await send(request, "POST", path, {"state": state, "note": typed(note) or None}, unchanged=tag)
    return _to(use_case_id, use_case_version, "steps")


async def _page(
    request: Request,
    visitor: access.Asker | None,
    use_case_id: str,
    version: int,
    after: str | None,
) -> HTMLResponse:
    path = _path(use_case_id, version)
    found, tag = await versioned(request, path)
    versions, _ = await listed(request, f"/v1/use-cases/{use_case_id}/versions", limit=500)
    asked = {"after": after} if after else {}
    comments, more = await listed(request, f"{path}/comments", limit=200, **asked)
    state = UseCaseState(found["state"])
    reviews = works_on(visitor, found["registries"])
    return shown(
        "use_case.html",
        visitor,
        place="use-cases",
        case=found,
        document=UseCaseDocument.model_validate(found["document"]),
        tag=tag,
        sections=SECTIONS,
        versions=versions,
        comments=_by_section(comments),
        more=more,
        steps=next_states(state, visitor, found["registries"]),
        may_comment=visitor is not None and state in COMMENTED,
        under_way=state in UNDER_WAY,
        may_settle=visitor is not None and visitor.may(access.Act.REVIEW_USE_CASES) and reviews,
        outcomes=[str(one) for one in Outcome],
    )


def _by_section(comments: list[Any]) -> dict[str, list[Any]]:
    return {name: [one for one in comments if one["section"] == name] for name in SECTIONS}


def _path(use_case_id: str, version: int) -> str:
    return f"/v1/use-cases/{use_case_id}/versions/{version}"


def _to(use_case_id: str, version: int, anchor: str) -> Response:
    return RedirectResponse(f"/use-cases/{use_case_id}/versions/{version}#{anchor}", 303)
