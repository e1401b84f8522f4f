"""
The service keeps to the letter of the OpenAPI document that it serves.

Requests are made from the document by schemathesis, right ones and wrong ones, with keys of different
reach, against the real processes. Nothing may fail on our side, and no answer may have a status, a
header, a media type or a shape that the document does not name. `make soak` runs the long form.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.main import create_app
from app.settings import Settings
from tests.served import FACILITY, NEIGHBOUR, REGISTRY, Served, whole_service

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    ignored_auth,
]
KNOWN: dict[str, list[Any]] = {
    "registry_id": [REGISTRY],
    "registry": [REGISTRY],
    "facility_id": [FACILITY, NEIGHBOUR],
    "period": ["2026", "2026Q3", "2026-09", "2025-10..2026-09"],
}

DOCUMENT = create_app(Settings()).openapi()
# The short form leaves out the phase that tries every boundary of every parameter by turns.
SHORT = SchemathesisConfig.from_dict({"phases": {"coverage": {"enabled": False}}})
short = schemathesis.openapi.from_dict(DOCUMENT, config=SHORT)
long = schemathesis.openapi.from_dict(DOCUMENT)


@schemathesis.serializer(
    "application/x-ndjson",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/dicom",
    "multipart/related",
)
def as_bytes(_: object, value: object) -> bytes:
    """Bodies that are bytes: sent as they come, whatever they are."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.hook
def map_path_parameters(_: object, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Half of the addresses name what exists, or the tests would see nothing but 404."""
    if path_parameters and len(repr(path_parameters)) % 2:
        for name, values in KNOWN.items():
            if name in path_parameters:
                path_parameters[name] = values[len(repr(path_parameters[name])) % len(values)]
    return path_parameters


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[Served]:
    with whole_service(settings) as service:
        yield service


def keeps_its_word(case: schemathesis.Case, served: Served) -> None:
    keys = (served.operator, served.administrator, served.registrar, served.dashboard)
    key = keys[len(repr(case.body)) % len(keys)]
    case.call_and_validate(
        base_url=served.url, headers=served.authorised(key), checks=CHECKS, timeout=30
    )


@short.parametrize()
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_every_operation_answers_as_the_document_says(
    case: schemathesis.Case, served: Served
) -> None:
    keeps_its_word(case, served)


@pytest.mark.soak
@long.parametrize()
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_operation_answers_as_the_document_says_at_length(
    case: schemathesis.Case, served: Served
) -> None:
    keeps_its_word(case, served)
