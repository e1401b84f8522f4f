"""Whatever goes wrong is answered by a problem that helps and repeats nothing."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter, FastAPI, Query, Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text
from starlette.responses import StreamingResponse

from app import errors
from app.api import problems
from app.api.wire import BrokenOff
from app.database import Database, Role
from app.main import create_app
from app.postgres import Addresses
from app.settings import Settings

SECRET = "Zanzibar"


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    age: int = Field(ge=0, le=150)
    kind: Literal["screen", "diagnostic"]
    names: dict[str, int] = {}


def faulty() -> APIRouter:
    """Endpoints that fail in every way, some of them in `app.state.faults`, a database."""
    router = APIRouter(prefix="/faults/{part}")

    @router.post("/body")
    async def body(part: int, sent: Body, page: Annotated[int, Query(ge=1)] = 1) -> int:
        return part

    @router.get("/expected/{name}")
    async def expected(part: int, name: str) -> None:
        kind = getattr(errors, name)
        raise {
            "TooLarge": lambda: errors.TooLarge(50),
            "UnsupportedMedia": lambda: errors.UnsupportedMedia(["text/csv"]),
            "NotAcceptable": lambda: errors.NotAcceptable(["text/html"]),
            "InvalidDefinition": lambda: errors.InvalidDefinition(["a.yaml:1: x"]),
        }.get(name, lambda: kind("Do this next."))()

    @router.get("/bug")
    async def bug(part: int) -> None:
        raise LookupError(SECRET)

    @router.get("/late")
    async def late(part: int) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"begun"
            raise LookupError(SECRET)

        return StreamingResponse(pieces())

    @router.get("/stored")
    async def stored(request: Request, part: int, value: str) -> None:
        async with request.app.state.faults.transaction() as session:
            await session.execute(text("SELECT CAST(:value AS text)"), {"value": value})

    @router.get("/overflow")
    async def overflow(request: Request, part: int, value: int) -> None:
        async with request.app.state.faults.transaction() as session:
            await session.execute(text("SELECT CAST(:value AS int)"), {"value": value})

    @router.get("/away")
    async def away(part: int) -> None:
        nowhere = Database("postgresql://x:y@127.0.0.1:1/none", Role.WEB, pool=1)
        async with nowhere.transaction():
            pass

    @router.get("/cut")
    async def cut(request: Request, part: int) -> None:
        async with request.app.state.faults.transaction() as session:
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    @router.get("/several")
    async def several(part: int) -> None: ...

    @router.put("/several")
    async def replace(part: int) -> None: ...

    return router


@pytest.fixture(scope="module")
def app(settings: Settings) -> FastAPI:
    made = create_app(settings)
    made.include_router(faulty())
    return made


@pytest_asyncio.fixture(scope="module")
async def faults(app: FastAPI, database: Addresses) -> AsyncIterator[httpx.AsyncClient]:
    opened = Database(database.owner, Role.OWNER, pool=2)
    app.state.faults = opened
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://host.test") as client:
        yield client
    await opened.close()


def told(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem of an answer, with what every problem must have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.text
    assert SECRET not in str(answer.headers)
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["type"].startswith("http://hounsfield.test/problems/"), "never from Host"
    assert re.fullmatch("[0-9a-f]{32}", found["trace_id"])
    assert found["title"]
    assert found["detail"]
    return found


async def test_every_flaw_of_a_body_is_told_at_once_with_what_is_allowed(
    faults: httpx.AsyncClient,
) -> None:
    sent = {"age": 200, "kind": SECRET, SECRET: 1, "names": {SECRET: SECRET}}
    problem = told(await faults.post("/faults/1/body?page=0", json=sent), 422)
    found = {(flaw["pointer"], flaw["code"], flaw.get("allowed")) for flaw in problem["errors"]}
    assert found == {
        ("/query/page", "greater-than-equal", "at least 1"),
        ("/body/age", "less-than-equal", "at most 150"),
        ("/body/kind", "literal-error", "one of 'screen' or 'diagnostic'"),
        ("/body/names/*", "int-parsing", "an integer"),
        ("/body/*", "extra-forbidden", "only the members of the schema"),
    }


async def test_a_path_that_is_no_number_is_told_without_it(faults: httpx.AsyncClient) -> None:
    problem = told(await faults.get(f"/faults/{SECRET}/several"), 422)
    assert problem["errors"] == [
        {"pointer": "/path/part", "code": "int-parsing", "allowed": "an integer"}
    ]


@pytest.mark.parametrize("body", [b"{", b'{"age": ' + b"9" * 5000, b'\xff\xfe"', b'{"a": NaN}'])
async def test_a_body_that_is_no_json_is_malformed(faults: httpx.AsyncClient, body: bytes) -> None:
    answer = await faults.post(
        "/faults/1/body", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    told(answer, answer.status_code)


@given(st.lists(st.one_of(st.integers(0, 9), st.text(max_size=8)), max_size=6))
def test_a_pointer_names_nothing_that_is_not_ours(location: list[str | int]) -> None:
    pointer = problems.pointer(["body", *location], frozenset({"body", "age", "a/b"}))
    for part in pointer.split("/")[1:]:
        assert part in {"body", "age", "*", "a~1b"} or (part.isascii() and part.isdigit())


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("Unauthenticated", 401, "unauthenticated"),
        ("Forbidden", 403, "forbidden"),
        ("Withheld", 403, "withheld"),
        ("NotFound", 404, "not-found"),
        ("NotAcceptable", 406, "not-acceptable"),
        ("Conflict", 409, "conflict"),
        ("PreconditionFailed", 412, "precondition-failed"),
        ("TooLarge", 413, "too-large"),
        ("UnsupportedMedia", 415, "unsupported-media-type"),
        ("InvalidDefinition", 422, "invalid-definition"),
        ("UnreadableSubmission", 422, "unreadable-submission"),
        ("Unavailable", 503, "unavailable"),
    ],
)
async def test_an_expected_failure_has_its_status_and_a_page_of_its_own(
    faults: httpx.AsyncClient, app: FastAPI, name: str, status: int, code: str
) -> None:
    problem = told(await faults.get(f"/faults/1/expected/{name}"), status)
    assert problem["type"] == f"http://hounsfield.test/problems/{code}"
    page = await faults.get(f"/problems/{code}")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert str(status) in page.text


async def test_what_a_sender_needs_to_go_on_is_a_member_or_a_field(
    faults: httpx.AsyncClient,
) -> None:
    async def ask(name: str) -> httpx.Response:
        return await faults.get(f"/faults/1/expected/{name}")

    assert (await ask("TooLarge")).json()["limit"] == 50
    assert (await ask("UnsupportedMedia")).json()["allowed"] == ["text/csv"]
    assert (await ask("NotAcceptable")).json()["offered"] == ["text/html"]
    assert (await ask("InvalidDefinition")).json()["complaints"] == ["a.yaml:1: x"]
    assert (await ask("Unauthenticated")).headers["www-authenticate"].startswith("Bearer")
    assert int((await ask("Unavailable")).headers["retry-after"]) > 0


def test_every_error_has_a_status_and_codes_are_not_shared_by_strangers() -> None:
    found = list(problems.kinds())
    assert len({code for code, *_ in found}) == len(found)
    unknown = [code for code, _, status, _ in found if status == 500]
    assert sorted(unknown) == ["internal-error", "registry-error"]
    assert all(meaning for *_, meaning in found)


async def test_a_bug_is_a_problem_without_its_words(faults: httpx.AsyncClient) -> None:
    problem = told(await faults.get("/faults/1/bug"), 500)
    assert problem["type"].endswith("/internal-error")


async def test_a_reply_that_fails_after_it_began_is_broken_off(
    faults: httpx.AsyncClient, app: FastAPI
) -> None:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://host.test") as client:
        with pytest.raises(BrokenOff) as broken:
            await client.get("/faults/1/late")
    assert SECRET not in repr(broken.value)
    assert broken.value.__cause__ is None


@pytest.mark.parametrize("value", ["%00", "a%00b"])
async def test_a_character_that_cannot_be_stored_is_the_senders_and_no_failure_of_ours(
    faults: httpx.AsyncClient, value: str
) -> None:
    told(await faults.get(f"/faults/1/stored?value={value}"), 422)


async def test_a_number_beyond_its_column_is_the_senders_as_well(faults: httpx.AsyncClient) -> None:
    told(await faults.get(f"/faults/1/overflow?value={2**40}"), 422)
    told(await faults.get(f"/faults/1/overflow?value={2**80}"), 422)


@pytest.mark.parametrize("name", ["away", "cut"])
async def test_without_its_database_the_service_says_when_to_ask_again(
    faults: httpx.AsyncClient, name: str
) -> None:
    answer = await faults.get(f"/faults/1/{name}")
    problem = told(answer, 503)
    assert problem["type"].endswith("/unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_an_address_that_is_none_and_a_method_that_is_none(faults: httpx.AsyncClient) -> None:
    told(await faults.get(f"/nowhere/{SECRET}"), 404)
    answer = await faults.delete("/faults/1/several")
    told(answer, 405)
    assert answer.headers["allow"] == "GET, PUT", "all of them, not those of the first route only"


async def test_a_page_about_a_problem_that_is_none_is_not_found(faults: httpx.AsyncClient) -> None:
    told(await faults.get("/problems/no-such-problem"), 404)
    told(await faults.get("/problems/%3Cscript%3E"), 422)


def test_every_operation_tells_which_problems_it_may_answer_with(application: FastAPI) -> None:
    document = application.openapi()
    assert "HTTPValidationError" not in str(document)
    seen = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            failures = {
                status: it for status, it in operation["responses"].items() if status >= "4"
            }
            assert {"500", "503"} <= set(failures), (method, path)
            if operation.get("security"):
                assert "401" in failures, (method, path)
            if "requestBody" in operation:
                assert {"400", "422"} <= set(failures), (method, path)
            for response in failures.values():
                kinds = {
                    "application/problem+json",
                    "application/dicom+json",  # PS3.18, table 10.5.3-1
                    "application/fhir+json",
                }
                assert kinds & set(response["content"]), (method, path)
                seen += 1
    assert seen > 100
