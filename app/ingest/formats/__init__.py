"""The doors: each turns a body into entries as sent, one after the other, and judges none of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.errors import UnsupportedMedia
from app.ingest.formats import delimited, fhir, json, ndjson, xlsx
from app.ingest.formats.sent import RawEntry
from app.registries.schema import Channel, Definition

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
PLAIN = "text/plain"
FHIR = "application/fhir+json"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

CHANNELS: Mapping[str, Channel] = {
    JSON: "json",
    NDJSON: "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    CSV: "delimited",
    PLAIN: "delimited",
    XLSX: "xlsx",
    FHIR: "fhir",
}
"""Which door takes which media type."""

OFFERED = (JSON, NDJSON, CSV, PLAIN, XLSX, FHIR, "multipart/form-data")
"""What a sender is told to choose from."""

CHARSETS = {
    "utf-8": "utf-8-sig",
    "utf8": "utf-8-sig",
    "us-ascii": "utf-8-sig",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
}
"""Declared charsets of delimited text and the codec that reads them; without one it is UTF-8."""

_BY_SUFFIX = {
    ".json": JSON,
    ".ndjson": NDJSON,
    ".jsonl": NDJSON,
    ".csv": CSV,
    ".txt": PLAIN,
    ".psv": PLAIN,
    ".xlsx": XLSX,
}


@dataclass(frozen=True, slots=True)
class Door:
    """Where a body goes: its channel, its media type and, for text, its codec."""

    channel: Channel
    media_type: str
    codec: str = "utf-8-sig"

    def __str__(self) -> str:
        """How a submission remembers it."""
        return self.media_type if self.codec == "utf-8-sig" else f"{self.media_type};{self.codec}"

    @classmethod
    def remembered(cls, kept: str) -> "Door":
        """The door of a submission that was received earlier."""
        media_type, _, codec = kept.partition(";")
        return cls(CHANNELS.get(media_type, "json"), media_type, codec or "utf-8-sig")


def door(content_type: str, filename: str | None = None) -> Door:
    """The door for a Content-Type; a browser's upload may only tell by its file name."""
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower()
    if media_type not in CHANNELS and filename is not None:
        media_type = _BY_SUFFIX.get("." + filename.lower().rpartition(".")[2], media_type)
    channel = CHANNELS.get(media_type)
    if channel is None:
        raise UnsupportedMedia(OFFERED)
    codec = CHARSETS.get(_charset(parameters))
    if codec is None or (codec != "utf-8-sig" and channel != "delimited"):
        raise UnsupportedMedia([f"{media_type}; charset=utf-8"])
    return Door(channel, media_type, codec)


def entries_of(door: Door, body: bytes, definition: Definition) -> Iterator[RawEntry]:
    """Every entry of a body, numbered from 1. `UnreadableSubmission` when there is no telling."""
    match door.channel:
        case "json":
            return json.entries(body)
        case "ndjson":
            return ndjson.entries(body)
        case "fhir":
            return fhir.entries(body, definition)
        case "xlsx":
            return xlsx.entries(body, definition)
        case _:
            return delimited.entries(body, definition, door.codec)


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return "utf-8"
