"""
multipart/related, read as it arrives (RFC 2046 5.1, PS3.18 8.6.1).

A part is handed out piece by piece and never held whole. What is wrong with one part is that
part's own outcome: the next one begins at the next boundary.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.multipart import parse_options_header

from app.errors import Malformed

LONGEST_PREAMBLE = 64 * 1024
LONGEST_HEADERS = 16 * 1024
LONGEST_BOUNDARY = 70


def media_range(said: str) -> tuple[str, dict[str, str]]:
    """A media type or range in lower case, and its parameters."""
    kind, parameters = parse_options_header(said.strip() or "*/*")
    plain = {
        name.decode("latin-1").lower(): value.decode("latin-1").strip()
        for name, value in parameters.items()
    }
    return kind.decode("latin-1").lower(), plain


def weight(parameters: dict[str, str]) -> float:
    """How much an offer of `Accept` is wanted (RFC 9110 12.4.2)."""
    try:
        return min(1.0, max(0.0, float(parameters.get("q", "1"))))
    except ValueError:
        return 1.0


@dataclass(slots=True)
class Part:
    """One part: its headers in lower case, and whether they could be read at all."""

    headers: dict[str, str] = field(default_factory=dict)
    readable: bool = True

    @property
    def media_type(self) -> str:
        """Its content type without parameters; empty if it says none."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()


class Multipart:
    """The parts of one body. Take a part, read its `body` to the end, take the next."""

    def __init__(self, stream: AsyncIterator[bytes], boundary: str) -> None:
        try:
            marker = boundary.encode("ascii")
        except UnicodeEncodeError:
            marker = b""
        if not 0 < len(marker) <= LONGEST_BOUNDARY:
            raise Malformed("Name a boundary of 1 to 70 characters in Content-Type.")
        self._stream = stream
        self._delimiter = b"\r\n--" + marker
        self._buffer = bytearray(b"\r\n")  # so that a boundary at the very start is one too
        self._in_body = True  # what precedes the first boundary is read like a part, and dropped
        self._begun = False
        self.broken = False
        """Did the body end inside of a part?"""

    async def next(self) -> Part | None:
        """The next part; None after the closing boundary. What is left of the last is skipped."""
        skipped = 0
        async for piece in self.body():
            skipped += len(piece)
            if skipped > LONGEST_PREAMBLE and not self._begun:
                raise Malformed("The boundary of Content-Type is not in the body.")
        self._begun = True
        while len(self._buffer) < 2:
            await self._more()
        if self._buffer[:2] == b"--":
            return None
        if (await self._line()).strip(b" \t"):
            raise Malformed("A boundary is followed by something other than a part.")
        self._in_body = True
        return await self._headers()

    async def body(self) -> AsyncIterator[bytes]:
        """The rest of the part at hand, in pieces; ends at the boundary, which is taken away."""
        buffer, delimiter = self._buffer, self._delimiter
        while self._in_body:
            at = buffer.find(delimiter)
            if at >= 0:
                piece = bytes(buffer[:at])
                del buffer[: at + len(delimiter)]
                self._in_body = False
            else:
                safe = max(0, len(buffer) - len(delimiter) + 1)
                piece = bytes(buffer[:safe])
                del buffer[:safe]
            if piece:
                yield piece
            if self._in_body:
                await self._more()

    async def _headers(self) -> Part:
        """The headers of a part; unreadable ones make a part whose body is to be skipped."""
        part = Part()
        size = 0
        while line := await self._line(within=LONGEST_HEADERS - size):
            size += len(line) + 2
            name, colon, value = line.partition(b":")
            plain = name.strip()
            if not colon or not plain or not plain.replace(b"-", b"").isalnum():
                part.readable = False
                return part
            part.headers[plain.decode("ascii", "replace").lower()] = value.strip().decode("latin-1")
        return part

    async def _line(self, within: int = LONGEST_HEADERS) -> bytes:
        """A line without its end; b"" when there is none soon, which ends the headers too."""
        while True:
            at = self._buffer.find(b"\r\n")
            if 0 <= at <= within:
                line = bytes(self._buffer[:at])
                # A boundary right here begins with this line end: it belongs to the boundary.
                if not self._buffer.startswith(self._delimiter):
                    del self._buffer[: at + 2]
                return line
            if len(self._buffer) > within:
                return b"?"
            await self._more()

    async def _more(self) -> None:
        async for piece in self._stream:
            if piece:
                self._buffer += piece
                return
        self.broken = self._begun and self._in_body
        raise Malformed("The body ends before its closing boundary.")
