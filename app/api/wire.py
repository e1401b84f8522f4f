"""
What surrounds every request: its trace, its count, its safety, and an answer when all else fails.

Plain ASGI, so that streams stay streams. Nothing here reads a body, and nothing writes down a path.
"""

import re
import secrets
import time
from collections.abc import Mapping

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import telemetry
from app.api import problems
from app.api.pages import COMPRESSED_TAG

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "content-security-policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
"""Set unless the endpoint has set its own."""

log = structlog.get_logger(__name__)


def traceparent(headers: Mapping[str, str]) -> str | None:
    """The caller's trace, if it is one: what is kept has W3C's shape and no room for anything else."""
    came = headers.get("traceparent", "")
    return came if _TRACEPARENT.fullmatch(came) else None


class Traced:
    """Give each request a trace (W3C Trace Context), count it, and log one line about it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take part in the caller's trace, or begin one."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        came = _TRACEPARENT.fullmatch(Headers(scope=scope).get("traceparent", ""))
        trace_id = came[1] if came else secrets.token_hex(16)
        span_id = secrets.token_hex(8)
        status, begun = 500, time.perf_counter()

        async def traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["traceparent"] = f"00-{trace_id}-{span_id}-01"
            await send(message)

        with structlog.contextvars.bound_contextvars(trace_id=trace_id, span_id=span_id):
            try:
                await self.app(scope, receive, traced)
            finally:
                seconds = time.perf_counter() - begun
                method, route = scope["method"], problems.route_template(scope)
                telemetry.count_request(method, route, status, seconds)
                level = log.debug if route.startswith("/health/") else log.info
                level(
                    "request",
                    method=telemetry.plain_method(method),
                    route=route,
                    status=status,
                    seconds=round(seconds, 4),
                )


class Answered:
    """Answer what nobody expected with a problem that tells nothing of it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; catch."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def noticed(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noticed)
        except ClientDisconnect:
            log.info("the client went away")
        except Exception as error:
            reply = problems.unexpected(Request(scope, receive), error)
            if begun:  # too late for a status: break the connection, so that it does not seem whole
                raise BrokenOff from None
            await reply(scope, receive, send)


class BrokenOff(Exception):
    """A reply failed after it had begun; what happened is in the log already."""


class Guarded:
    """Say to browsers what they may do with our replies."""

    def __init__(self, app: ASGIApp, *, encrypted: bool) -> None:
        self.app = app
        self.always = dict(_ALWAYS)
        if encrypted:
            self.always["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the fields that the endpoint has not set itself."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.always.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, guarded if scope["type"] == "http" else send)


class Compressed:
    """Compress what is text; pixel data never (it is compressed as it is, or not at all)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.compressed = GZipMiddleware(app, minimum_size=1_000, compresslevel=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Leave DICOMweb alone. What is compressed has other bytes, so its strong tag is another."""

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-encoding") == "gzip" and "etag" in headers:
                    headers["etag"] = headers["etag"].removesuffix('"') + f'{COMPRESSED_TAG}"'
            await send(message)

        if scope["type"] == "http" and not scope["path"].startswith("/dicomweb/"):
            await self.compressed(scope, receive, tagged)
        else:
            await self.app(scope, receive, send)
