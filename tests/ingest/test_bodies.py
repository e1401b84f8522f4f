"""No body is read beyond a limit, through whichever door, whether its length is declared or not."""

import re
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from tests.access.walking import operations
from tests.ingest.landing import REGISTRY, Landing, exam
from tests.make.instances import DICOM_PARTS, multipart, sent

LIMIT = 3_000
OWN_LIMIT = 8_000
"""Of submissions."""
KEYS = "/v1/keys"
STREAMED = {
    "/v1/registries/{registry_id}/submissions",
    "/v1/reporting-modules",
    "/fhir/{registry_id}",
    "/fhir/{registry_id}/QuestionnaireResponse",
    "/dicomweb/{registry_id}/studies",
    "/dicomweb/{registry_id}/studies/{study_instance_uid}",
}
"""Doors that read their bodies themselves, with limits of their own, once they know who asks."""
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def application(settings: Settings) -> FastAPI:
    return create_app(
        settings.model_copy(update={"body_limit": LIMIT, "submission_limit": OWN_LIMIT})
    )


async def _pieces(size: int) -> AsyncIterator[bytes]:
    """A body whose length is not declared."""
    for start in range(0, size, 1_000):
        yield b" " * min(1_000, size - start)


async def test_a_body_beyond_the_limit_is_refused_with_the_limit(client: httpx.AsyncClient) -> None:
    for content in (b" " * (LIMIT + 1), _pieces(LIMIT + 1)):
        answer = await client.post(KEYS, content=content, headers=JSON)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()
        assert (told["type"].rpartition("/")[2], told["limit"]) == ("too-large", LIMIT)
        assert str(LIMIT) in told["detail"]


async def test_a_body_of_just_the_limit_is_read(client: httpx.AsyncClient) -> None:
    for content in (b" " * LIMIT, _pieces(LIMIT)):
        answer = await client.post(KEYS, content=content, headers=JSON)
        assert answer.status_code == 400, "it was read, and is not JSON"


@pytest.mark.parametrize("declared", ["-1", "x", "1e9", "", "١٢", "9" * 400])
async def test_a_length_that_is_none_is_not_believed(
    client: httpx.AsyncClient, declared: str
) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", declared.encode())]
    for size, status in ((LIMIT, 400), (LIMIT + 1, 413)):
        answer = await client.post(KEYS, content=_pieces(size), headers=headers)
        assert answer.status_code == status


async def test_what_is_declared_beyond_the_limit_is_not_waited_for(
    client: httpx.AsyncClient,
) -> None:
    async def never() -> AsyncIterator[bytes]:
        pytest.fail("a piece was asked for")
        yield b""

    headers = {**JSON, "content-length": str(LIMIT + 1)}
    answer = await client.post(KEYS, content=never(), headers=headers)
    assert answer.status_code == 413


async def test_every_door_refuses_what_is_beyond_before_it_asks_for_a_key(
    client: httpx.AsyncClient, application: FastAPI
) -> None:
    streamed = set()
    for method, path, operation in operations(application.openapi()):
        if "requestBody" not in operation:
            continue
        answer = await client.request(
            method, re.sub(r"{\w+}", "1", path), content=_pieces(LIMIT + 1), headers=JSON
        )
        if answer.status_code == 401:
            streamed.add(path)
        else:
            assert answer.status_code == 413, (method, path)
            assert "413" in operation["responses"], (method, path)
    assert streamed == STREAMED


async def test_on_a_page_it_is_told_as_a_page(client: httpx.AsyncClient) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await client.post("/sign-in", content=_pieces(LIMIT + 1), headers=form)
    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("text/html")
    assert str(LIMIT) in answer.text


async def test_what_is_asked_of_a_door_that_reads_no_body_is_answered(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.request("GET", "/health/live", content=_pieces(LIMIT + 1))
    assert answer.status_code == 200


async def test_doors_with_limits_of_their_own_take_more_and_keep_to_those(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    key = await landing.key()
    doors = {
        f"/v1/registries/{REGISTRY}/submissions": ("application/json", 202),
        f"/fhir/{REGISTRY}/QuestionnaireResponse": ("application/fhir+json", 400),
    }
    for url, (media_type, status) in doors.items():
        headers = {**key, "content-type": media_type}
        entries = {"entries": [exam()], "resourceType": "Patient"}
        larger = orjson.dumps(entries) + b" " * LIMIT
        assert (await client.post(url, content=larger, headers=headers)).status_code == status
        for content in (b" " * (OWN_LIMIT + 1), _pieces(OWN_LIMIT + 1)):
            answer = await client.post(url, content=content, headers=headers)
            assert answer.status_code == 413
            assert str(OWN_LIMIT) in answer.text
            assert str(LIMIT) not in answer.text
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert outcome["issue"][0]["code"] == "too-long"


async def test_images_are_counted_one_by_one(client: httpx.AsyncClient, landing: Landing) -> None:
    instances = multipart([sent(number, 7) for number in (1, 2)] * 6)
    assert len(instances) > 2 * OWN_LIMIT
    answer = await client.post(
        f"/dicomweb/{REGISTRY}/studies",
        content=instances,
        headers={**await landing.key(), "content-type": DICOM_PARTS},
    )
    assert answer.status_code == 200
