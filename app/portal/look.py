"""
How every page is written, and what it answers when something stood in the way.

A page loads its sheet and scripts from us and nothing from anywhere else; its policy says so.
"""

from collections.abc import Callable, Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app import access, errors
from app.api.bodies import BeyondLimit
from app.api.problems import status_of
from app.portal.wire import Refused
from app.registries.schema import Limits

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
RELEASE = version("hounsfield")

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def shown(
    template: str, visitor: access.Asker | None, status: int = 200, place: str = "", **names: Any
) -> HTMLResponse:
    """A page, with the headers every page has."""
    written = _pages.get_template(template).render(
        visitor=visitor,
        place=place,
        release=RELEASE,
        bounds=bounds,
        count=count,
        unit=unit,
        **names,
    )
    return HTMLResponse(
        written,
        status,
        headers={
            "Content-Security-Policy": POLICY,
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        },
    )


def bounds(limits: Limits) -> str:
    """Limits in words."""
    if limits.low is None:
        return f"at most {limits.high}"
    if limits.high is None:
        return f"at least {limits.low}"
    return f"{limits.low} to {limits.high}"


def unit(ucum: str) -> str:
    """A unit as people read it; UCUM's own spelling for what has no plainer one."""
    return {"a": "years", "mo": "months", "d": "days", "1": ""}.get(ucum, ucum.strip("{}"))


def count(value: int | None) -> str:
    """A count as people read it; one that is not known yet is blank."""
    return "" if value is None else f"{value:,}"


class Page(APIRoute):
    """A route whose failures are pages too; who is not signed in is asked to."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def answer_in_words(request: Request) -> Response:
            try:
                return await answer(request)
            except Refused as refused:
                if refused.status == 401:
                    return RedirectResponse(f"/sign-in?next={quote(_address(request))}", 303)
                return problem(refused.status, refused.title, refused.detail)
            except errors.RegistryError as error:
                return problem(status_of(type(error)), error.title, str(error))
            except BeyondLimit as beyond:
                too_large = errors.TooLarge(beyond.limit)
                return problem(413, too_large.title, str(too_large))
            except RequestValidationError:
                return problem(
                    422, "The address cannot be used", "Follow a link from one of our pages."
                )

        return answer_in_words


def problem(status: int, title: str, detail: str) -> HTMLResponse:
    """A page that says what went wrong and what to do."""
    return shown("problem.html", None, status, title=title, detail=detail, problem_status=status)


def safe_address(address: str) -> str:
    """An address of our own to go on to; anything that could lead elsewhere becomes the start."""
    if address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable():
        return address
    return "/"


def _address(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return request.url.path + query if request.method == "GET" else "/"
