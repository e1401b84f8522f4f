"""
How much of a body is read: no more than the house's limit, unless a door says another.

FastAPI reads a JSON body whole before it is known who asks, so the limit holds where bytes come in. A
door that reads its body itself, with a limit of its own, says so by asking for it here. What is beyond
is not read, whether its length was declared or not.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MEASURE: Final = "hounsfield.body"


class BeyondLimit(HTTPException):
    """A body is larger than `limit` bytes.

    Of the framework's kind: FastAPI calls whatever else breaks off its reading a malformed body.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(413)
        self.limit = limit


@dataclass(slots=True)
class _Measure:
    limit: int | None
    declared: int
    came: int = 0
    answered: bool = False
    """Whether the reply began: nobody reads what comes then."""

    def check(self) -> None:
        if (
            self.limit is not None
            and max(self.declared, self.came) > self.limit
            and not self.answered
        ):
            raise BeyondLimit(self.limit)


class Bounded:
    """Let no request's body be read beyond the limit."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what is read."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        plain = declared.isascii() and declared.isdecimal() and len(declared) < 20
        measure = _Measure(self.limit, int(declared) if plain else 0)
        scope[_MEASURE] = measure

        async def bounded() -> Message:
            measure.check()
            message = await receive()
            measure.came += len(message.get("body", b""))
            measure.check()
            return message

        async def noticed(message: Message) -> None:
            measure.answered = True
            await send(message)

        await self.app(scope, bounded, noticed)


def stream_of(request: Request, limit: int | None) -> AsyncIterator[bytes]:
    """A body in pieces, for a door with a limit of its own; None where it counts for itself.

    Raises BeyondLimit at once if more is declared, else when more comes.
    """
    measure: _Measure = request.scope[_MEASURE]
    measure.limit = limit
    measure.check()
    return request.stream()


async def whole(request: Request, limit: int) -> bytes:
    """A body of at most `limit` bytes. Raises BeyondLimit."""
    return b"".join([piece async for piece in stream_of(request, limit)])
