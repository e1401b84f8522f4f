"""
The service keeps to the letter of the OpenAPI document that it serves.

Requests are made from the document by schemathesis, right ones and wrong ones, with keys of different
reach, against the real processes. Nothing may fail on our side, and no answer may have a status, a
header, a media type or a shape that the document does not name. `make soak` runs the long form.
"""

import re
import time
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import httpx
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
from tests.ingest.landing import EXAM, FOLLOW_UP, entry
from tests.make.instances import DICOM_PARTS, multipart, sent
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
    "facility": [FACILITY],
    "measure": ["ctdivol", "ppv1"],
    "peer_group": ["all"],
    "form": ["exam"],
    "form_id": ["exam", "follow_up"],
    "measure_id": ["ctdivol", "ppv1"],
    "code": ["not-found"],
    "period": ["2026", "2026Q3", "2026-09", "2025-10..2026-09"],
}
"""What the parameters of addresses may name; `things` adds what the service made."""

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


def dice(*thrown: object) -> int:
    """A number that follows from what was made: the same run gives the same choices."""
    return crc32(repr(thrown).encode())


@schemathesis.hook
def map_path_parameters(_: object, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Most addresses name what exists, or the tests would see nothing but 404."""
    return known(path_parameters)


@schemathesis.hook
def map_query(_: object, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """So do most queries."""
    return known(query)


def known(parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    thrown = dice(parameters)
    if parameters and thrown % 4:
        for name in parameters:
            if name in KNOWN:
                parameters[name] = KNOWN[name][thrown // 4 % len(KNOWN[name])]
    return parameters


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[Served]:
    with whole_service(settings) as service:
        KNOWN.update(things(service))
        yield service


def things(service: Served) -> dict[str, list[Any]]:
    """One of everything that an address can name: answers are held to their shapes as well."""
    with httpx.Client(base_url=service.url, timeout=60) as http:

        def ask(method: str, path: str, key: str, **body: Any) -> httpx.Response:
            headers = service.authorised(key) | body.pop("headers", {})
            answer = http.request(method, path, headers=headers, **body)
            assert answer.is_success, answer.text
            return answer

        def finished(location: str) -> str:
            until = time.monotonic() + 60
            while ask("GET", location, service.registrar).json()["state"] != "completed":
                assert time.monotonic() < until
                time.sleep(0.1)
            return location.rpartition("/")[2]

        entries = [
            entry(EXAM),
            entry(EXAM, exam_unique_id="A-2", dlp="much"),
            entry(FOLLOW_UP, form="follow_up"),
        ]
        door = f"/v1/registries/{REGISTRY}/submissions"
        told = ask("POST", door, service.registrar, json={"entries": entries})
        submission = finished(told.headers["Location"])
        stored = ask(
            "POST",
            f"/dicomweb/{REGISTRY}/studies",
            service.registrar,
            content=multipart([sent(AccessionNumber="A-1")]),
            headers={"Content-Type": DICOM_PARTS},
        )
        delivered = finished(stored.headers["Location"])
        (uids,) = re.findall(r"/studies/([\d.]+)/series/([\d.]+)/instances/([\d.]+)", stored.text)
        account = ask("GET", "/v1/corporate-accounts", service.operator).json()[0]["id"]
        cases = ask("GET", f"/v1/registries/{REGISTRY}/cases", service.registrar).json()
        participations = ask("GET", "/v1/participations", service.operator).json()
        ada = {"npi": "1234567893", "first_name": "Ada", "last_name": "Adams"}
        ada |= {"corporate_account_id": account, "facilities": [FACILITY]}
        physician = ask("POST", "/v1/physicians", service.operator, json=ada).json()
        sender = {"name": "Sender", "registries": [REGISTRY]}
        partner = ask("POST", "/v1/partners", service.operator, json=sender).json()
        spare = {"role": "dashboard", "label": "spare", "facilities": [FACILITY]}
        key = ask("POST", "/v1/keys", service.operator, json=spare).json()
        return {
            "submission_id": [submission, delivered],
            "case_id": [one["id"] for one in cases],
            "account_id": [account],
            "participation_id": [one["id"] for one in participations],
            "physician_id": [physician["id"]],
            "partner_id": [partner["id"]],
            "key_id": [key["id"]],
            **dict(
                zip(
                    ("study_instance_uid", "series_instance_uid", "sop_instance_uid"),
                    ([uid] for uid in uids),
                    strict=True,
                )
            ),
        }


def keeps_its_word(case: schemathesis.Case, served: Served) -> None:
    keys = (served.operator, served.administrator, served.registrar, served.dashboard)
    key = keys[dice(case.path_parameters, case.query, case.headers, case.body) % len(keys)]
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
