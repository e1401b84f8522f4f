"""
The pages' way to our own API: the same requests anybody sends, without the network.

A page shows what the API answers to the signed-in key, so it can neither know nor reveal more,
and there is one place where it is decided who may see what.
"""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
from starlette.requests import Request


class Refused(Exception):
    """The API answered with a problem; the page shows it in words."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.title = str(problem.get("title", "The request failed"))
        self.detail = str(problem.get("detail", ""))
        flawed = [
            str(one.get("pointer", "")).rpartition("/")[2] for one in problem.get("errors", ())
        ]
        if flawed:
            self.detail = (
                f"These parts cannot be used as they are: {', '.join(dict.fromkeys(flawed))}."
            )


async def ask(request: Request, path: str, **query: str | int) -> Any:
    """What the API answers to a GET from whoever is signed in; raises `Refused` on a problem."""
    return orjson.loads((await _get(request, path, query)).content)


async def versioned(request: Request, path: str) -> tuple[Any, str]:
    """The same with its entity tag, for a form that changes only what its reader saw."""
    answer = await _get(request, path, {})
    return orjson.loads(answer.content), answer.headers["etag"]


async def listed(request: Request, path: str, **query: str | int) -> tuple[list[Any], str | None]:
    """One page of a list, and where the next begins."""
    answer = await _get(request, path, query)
    following = re.search(r'<([^>]*)>; rel="next"', answer.headers.get("link", ""))
    after = parse_qs(urlsplit(following[1]).query).get("after") if following else None
    return orjson.loads(answer.content), after[0] if after else None


async def table(request: Request, path: str) -> bytes:
    """A list as CSV."""
    return (await _get(request, path, {}, accept="text/csv")).content


async def send(
    request: Request, method: str, path: str, body: Any = None, *, unchanged: str | None = None
) -> Any:
    """Send what a form of ours holds, for whoever is signed in; raises `Refused` on a problem.

    With an entity tag it changes only what still has it.
    """
    answer = await _request(request, method, path, {}, body=body, unchanged=unchanged)
    return orjson.loads(answer.content) if answer.content else None


async def _get(
    request: Request, path: str, query: dict[str, str | int], *, accept: str = "application/json"
) -> httpx.Response:
    return await _request(request, "GET", path, query, accept=accept)


async def _request(
    request: Request,
    method: str,
    path: str,
    query: dict[str, str | int],
    *,
    accept: str = "application/json",
    body: Any = None,
    unchanged: str | None = None,
) -> httpx.Response:
    headers = {"accept": accept} | ({"if-match": unchanged} if unchanged else {})
    if "authorization" in request.headers:
        headers["authorization"] = request.headers["authorization"]
    transport = httpx.ASGITransport(app=request.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://portal.invalid") as api:
        answer = await api.request(method, path, params=query, headers=headers, json=body)
    if answer.is_error:
        try:
            problem = orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            problem = {}
        raise Refused(answer.status_code, problem)
    return answer
