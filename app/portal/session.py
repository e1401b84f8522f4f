"""
Signing in to the pages: a key in a cookie that scripts and other sites cannot reach.

The pages have no rights and no door of their own. Whoever signs in gives a key; it stays in their
browser, in a cookie that is HttpOnly and SameSite=Strict and ends after 20 idle minutes. On each
request of our own pages the cookie is put where a key belongs, into `Authorization`, and the API
decides as it does for everybody. A request that another site caused is never given the key.
"""

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "hounsfield_key"
IDLE_SECONDS = 20 * 60
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def kept(key: str, *, secure: bool) -> str:
    """The `Set-Cookie` value that keeps a key for the next twenty minutes."""
    return _cookie(key, IDLE_SECONDS, secure=secure)


def forgotten(*, secure: bool) -> str:
    """The `Set-Cookie` value that makes a browser forget the key."""
    return _cookie("", 0, secure=secure)


def _cookie(value: str, seconds: int, *, secure: bool) -> str:
    written = f"{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict"
    return written + "; Secure" if secure else written


def key_in(headers: Mapping[str, str]) -> str | None:
    """The key that a request's cookie carries."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel is not None and morsel.value else None


def is_ours(method: str, headers: Mapping[str, str]) -> bool:
    """
    Whether one of our own pages, or the person at the address bar, caused a request.

    Browsers say so in `Sec-Fetch-Site`. Where that is missing, a request that changes something
    must name our own origin; one that only reads is covered by SameSite.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin" or (site == "none" and method in SAFE)
    if method in SAFE:
        return True
    named = headers.get("origin", "").partition("://")[2]
    return named != "" and named == headers.get("host")


class KeyCookie:
    """Puts the key of a signed-in browser where the API looks for it."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self.app = app
        self.secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = MutableHeaders(scope=scope)
        key = None if "authorization" in headers else key_in(headers)
        if key is None or not is_ours(scope["method"], headers):
            await self.app(scope, receive, send)
            return
        carried = dict(scope, headers=[*scope["headers"], (b"authorization", _bearer(key))])

        async def renew(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] != 401:
                answer = MutableHeaders(scope=message)
                if "set-cookie" not in answer:
                    answer.append("set-cookie", kept(key, secure=self.secure))
            await send(message)

        await self.app(carried, receive, renew)


def _bearer(key: str) -> bytes:
    """The header's value; what is not ASCII cannot be a key and is refused as an unknown one."""
    return b"Bearer " + key.encode("ascii", "replace")
