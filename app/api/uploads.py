"""
A submission's body as it streams in: the bytes themselves, or the file of a multipart form.

Nothing is spooled to disk on the way: what arrives is in memory a piece at a time until it is in
quarantine, encrypted.
"""

from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.api.bodies import stream_of
from app.errors import TooLarge, Unprocessable, UnsupportedMedia
from app.ingest.formats import CSV, FHIR, JSON, NDJSON, OFFERED, PLAIN, XLSX, Door, door

FORM: Final = "multipart/form-data"
ALLOWANCE: Final = 64 * 1024
"""What a form's boundaries, headers and small fields may take beside its file."""
LONGEST_BOUNDARY: Final = 70
"""Characters (RFC 2046, 5.1.1)."""

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["entries"],
                    "properties": {
                        "entries": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["elements"],
                                "properties": {
                                    "form": {"type": "string"},
                                    "action": {"enum": ["save", "submit", "withdraw"]},
                                    "elements": {"type": "object"},
                                },
                            },
                        }
                    },
                }
            },
            **{media: {"schema": {"type": "string"}} for media in (NDJSON, CSV, PLAIN)},
            XLSX: {"schema": {"type": "string", "format": "binary"}},
            FHIR: {"schema": {"type": "object", "required": ["resourceType"]}},
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}
"""What the document of the API says of a submission's body."""


class BrokenForm(Unprocessable):
    """A multipart form that ends early, or holds no file."""

    code = "broken-form"
    title = "The form cannot be read"


async def body_of(request: Request, limit: int) -> tuple[Door, AsyncIterator[bytes]]:
    """Which door a request's body goes to, and the body in pieces."""
    content_type = request.headers.get("content-type", "")
    is_form = content_type.partition(";")[0].strip().lower() == FORM
    stream = stream_of(request, limit + (ALLOWANCE if is_form else 0))
    if not is_form:
        return door(content_type), stream
    upload = _Upload(content_type, stream)
    return await upload.door(), upload.pieces()


class _Upload:
    """The first file of a form, as it comes."""

    def __init__(self, content_type: str, stream: AsyncIterator[bytes]) -> None:
        _, options = parse_options_header(content_type.encode("latin-1"))
        boundary = options.get(b"boundary")
        if not boundary:
            raise UnsupportedMedia(OFFERED)
        if len(boundary) > LONGEST_BOUNDARY:
            raise BrokenForm("Name a boundary of at most 70 characters in Content-Type.")
        self._stream = stream
        self._pieces: deque[bytes] = deque()
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._is_file = self._begun = self._ended = False
        self._beside = 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part,
                "on_header_field": self._field,
                "on_header_value": self._worth,
                "on_header_end": self._header,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._part_end,
            },
        )

    async def door(self) -> Door:
        """Read up to the file's own headers, which say what it is."""
        while not self._begun:
            if not await self._more():
                raise BrokenForm("Send one file in the form.")
        options = self._options()
        filename = options.get(b"filename", b"").decode("utf-8", "replace")
        content_type = self._headers.get(b"content-type", b"").decode("latin-1")
        return door(content_type, filename)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The file's bytes."""
        while True:
            while self._pieces:
                yield self._pieces.popleft()
            if self._ended:
                return
            if not await self._more():
                raise BrokenForm("The form ends before its file does: send it again.")

    async def _more(self) -> bool:
        piece = await anext(aiter(self._stream), None)
        if piece is None:
            return False
        try:
            self._parser.write(piece)
        except FormParserError:
            raise BrokenForm("Send a form as RFC 7578 has it.") from None
        if self._beside > ALLOWANCE:
            raise TooLarge(ALLOWANCE)
        return True

    def _options(self) -> dict[bytes, bytes]:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        return options

    def _part(self) -> None:
        if not self._begun:
            self._headers = {}

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _worth(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        if not self._begun:
            self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _headers_end(self) -> None:
        if not self._begun and b"filename" in self._options():
            self._begun = self._is_file = True

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._pieces.append(data[start:end])
        else:
            self._beside += end - start

    def _part_end(self) -> None:
        if self._is_file:
            self._is_file, self._ended = False, True
