"""NDJSON: one entry per line; blank lines do not count."""

from collections.abc import Iterator

from app.errors import UnreadableSubmission
from app.ingest.formats.json import BOM
from app.ingest.formats.sent import RawEntry, as_sent
from app.registries.findings import FindingCode


def entries(body: bytes) -> Iterator[RawEntry]:
    """The entries of a body, cut at its line ends. A line that is no JSON is found at check."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableSubmission("Send UTF-8.")
    position = len(BOM) if body.startswith(BOM) else 0
    found = False
    while position < len(body):
        end = body.find(b"\n", position)
        end = len(body) if end < 0 else end
        line = body[position:end].strip()
        position = end + 1
        if line:
            found = True
            yield as_sent(line)
    if not found:
        raise UnreadableSubmission("There is no entry in it.", FindingCode.EMPTY)
