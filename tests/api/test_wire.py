"""What surrounds every request: traces, counts, safety, compression; and how the service is."""

import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import delete

from app import access
from app.database import EVERYTHING, Database
from app.models.account import Key
from app.models.base import now
from app.models.submission import Submission
from tests.test_claim import submission
from tests.test_telemetry import logged

SECRET = "Zanzibar"


@pytest_asyncio.fixture
async def operator(web: Database) -> AsyncIterator[dict[str, str]]:
    """The header of an operator's key."""
    secret = access.new_secret()
    async with web.transaction(EVERYTHING) as session:
        session.add(
            Key(
                id=secret.key_id,
                digest=secret.digest,
                role="operator",
                label="test",
                created_at=now(),
            )
        )
    yield {"authorization": f"Bearer {secret.text}"}


async def test_a_request_takes_part_in_the_callers_trace(client: httpx.AsyncClient) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    sent = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    answer = await client.get("/health/live", headers=sent)
    assert re.fullmatch(rf"00-{trace}-[0-9a-f]{{16}}-01", answer.headers["traceparent"])
    assert "b7ad6b7169203331" not in answer.headers["traceparent"], "under a span of its own"


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "zz",
        SECRET,
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
    ],
)
async def test_a_trace_that_is_none_is_replaced(
    client: httpx.AsyncClient, given: str | None
) -> None:
    headers = {} if given is None else {"traceparent": given}
    answer = (await client.get("/health/live", headers=headers)).headers["traceparent"]
    assert re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01", answer)
    assert answer != given


async def test_requests_are_counted_by_the_template_of_their_route(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    await client.get(f"/problems/{SECRET.lower()}")
    await client.get(f"/v1/registries/{SECRET.lower()}/measures", headers=operator)
    await client.get(f"/{SECRET}")
    await client.request(SECRET.upper(), "/health/live")
    text = (await client.get("/metrics", headers=operator)).text
    assert SECRET.lower() not in text.lower()
    counted = {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"])
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "hounsfield_requests_total"
    }
    assert counted >= {
        ("GET", "/problems/{code}", "404"),
        ("GET", "/v1/registries/{registry_id}/measures", "404"),
        ("GET", "unmatched", "404"),
        ("OTHER", "/health/live", "405"),
    }


async def test_the_log_has_a_line_for_each_request_without_its_path(
    client: httpx.AsyncClient,
) -> None:
    with logged("info") as stream:
        await client.get(f"/problems/{SECRET.lower()}?name={SECRET}")
    line = json.loads(stream.getvalue().splitlines()[-1])
    assert (line["event"], line["route"], line["status"]) == ("request", "/problems/{code}", 404)
    assert SECRET.lower() not in stream.getvalue().lower()


async def test_metrics_are_for_operators(
    client: httpx.AsyncClient, web: Database, operator: dict[str, str]
) -> None:
    assert (await client.get("/metrics")).status_code == 401
    secret = access.new_secret()
    async with web.transaction(EVERYTHING) as session:
        session.add(
            Key(
                id=secret.key_id,
                digest=secret.digest,
                role="registrar",
                label="test",
                facilities=[123456],
                created_at=now(),
            )
        )
    registrar = {"authorization": f"Bearer {secret.text}"}
    assert (await client.get("/metrics", headers=registrar)).status_code == 403
    answer = await client.get("/metrics", headers=operator)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")


async def test_metrics_say_how_many_rows_wait_and_how_many_are_held(
    client: httpx.AsyncClient, worker: Database, operator: dict[str, str]
) -> None:
    async with worker.transaction(EVERYTHING) as session:
        await session.execute(delete(Submission))
        session.add_all([submission(), submission(), submission(state="held")])
        session.add(submission(state="completed"))
    text = (await client.get("/metrics", headers=operator)).text
    waiting = {
        (sample.labels["job"], sample.labels["state"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "hounsfield_waiting_rows"
    }
    assert waiting[("submission", "received")] == 2
    assert waiting[("submission", "held")] == 1
    assert waiting[("instance", "held")] == 0
    assert ("submission", "completed") not in waiting


async def test_live_and_ready_need_no_key(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/live")).json() == {"status": "live"}
    assert (await client.get("/health/ready")).json() == {"status": "ready"}


async def test_a_browser_is_told_what_it_may_do(client: httpx.AsyncClient) -> None:
    headers = (await client.get("/health/live")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "strict-transport-security" not in headers, "only where we are reached by https"


async def test_text_is_compressed_for_those_who_take_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/openapi.json", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json()["info"]["title"] == "Hounsfield"
    plain = await client.get("/openapi.json", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    dicom = await client.get("/dicomweb/x/studies/1", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in dicom.headers
