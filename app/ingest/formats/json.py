"""JSON: `{"entries": [...]}`, or a single entry."""

from collections.abc import Iterator
from typing import Any

import orjson

from app.errors import UnreadableSubmission
from app.ingest.formats.sent import (
    Members,
    RawEntry,
    as_sent,
    given_twice,
    members,
    packed,
    read_closely,
)
from app.registries.findings import FindingCode

_SHAPE = 'Send {"entries": [...]}, each with "form", "action" and "elements".'
BOM = b"\xef\xbb\xbf"


def one_document(body: bytes) -> Any:
    """The one JSON document of a body; a member that is given twice is not lost."""
    if not body.strip():
        raise UnreadableSubmission("The body is empty.", FindingCode.EMPTY)
    text = body.removeprefix(BOM)
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise UnreadableSubmission("Send one JSON document in UTF-8.") from None
    if members(document) != text.count(b":"):
        return read_closely(text)
    return document


def entries(body: bytes) -> Iterator[RawEntry]:
    """The entries of one document."""
    document = one_document(body)
    if isinstance(document, dict) and "elements" in document:
        yield _entry(document)
        return
    rows = document.get("entries") if isinstance(document, dict) else None
    repeated = isinstance(document, Members) and document.repeated
    if not isinstance(rows, list) or len(document) != 1 or repeated:
        raise UnreadableSubmission(_SHAPE)
    if not rows:
        raise UnreadableSubmission("There is no entry in it.", FindingCode.EMPTY)
    for row in rows:
        yield _entry(row)


def _entry(row: Any) -> RawEntry:
    if isinstance(row, Members):
        return packed(row, repeated=given_twice(row))
    try:
        return as_sent(orjson.dumps(row))
    except TypeError:  # nested deeper than orjson writes
        return RawEntry(b"", FindingCode.NOT_AN_ENTRY)
