"""
The pages' way to our own API: the same requests anybody sends, without the network.

A page shows what the API answers to the signed-in key, so it can neither know nor reveal more,
and there is one place where it is decided who may see what.
"""

from typing import Any

import httpx
import orjson
from starlette.requests import Request


class Refused(Exception):
    """The API answered with a problem; the page shows it in words."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("code", status))
        self.status = status
        self.title = str(problem.get("title", "The request failed"))
        self.detail = str(problem.get("detail", ""))


async def ask(request: Request, path: str, **query: str | int) -> Any:
    """What the API answers to a GET from whoever is signed in; raises `Refused` on a problem."""
    headers = {"accept": "application/json"}
    if "authorization" in request.headers:
        headers["authorization"] = request.headers["authorization"]
    transport = httpx.ASGITransport(app=request.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://portal.invalid") as api:
        answer = await api.get(path, params=query, headers=headers)
    document = _read(answer)
    if answer.is_error:
        raise Refused(answer.status_code, document if isinstance(document, dict) else {})
    return document


def _read(answer: httpx.Response) -> Any:
    try:
        return orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return None
