from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app.portal.look import safe_address
from app.portal.session import COOKIE, KeyCookie, forgotten, kept

KEY = "hk_abcdefghijkl_" + "0" * 64
OURS = {"cookie": f"{COOKIE}={KEY}", "sec-fetch-site": "same-origin"}


async def who(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.headers.get("authorization", "nobody"))


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=[Route("/v1/who", who, methods=["GET", "POST"])])
    app.add_middleware(KeyCookie, secure=True)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://testserver"
    ) as opened:
        yield opened


@pytest.mark.parametrize(
    ("method", "headers", "answer"),
    [
        ("GET", OURS, f"Bearer {KEY}"),
        ("POST", OURS, f"Bearer {KEY}"),
        ("GET", {**OURS, "sec-fetch-site": "none"}, f"Bearer {KEY}"),
        ("POST", {**OURS, "sec-fetch-site": "none"}, "nobody"),
        ("GET", {**OURS, "sec-fetch-site": "cross-site"}, "nobody"),
        ("POST", {**OURS, "sec-fetch-site": "cross-site"}, "nobody"),
        ("POST", {**OURS, "sec-fetch-site": "same-site"}, "nobody"),
        ("GET", {"cookie": OURS["cookie"]}, f"Bearer {KEY}"),
        ("POST", {"cookie": OURS["cookie"]}, "nobody"),
        ("POST", {"cookie": OURS["cookie"], "origin": "http://testserver"}, f"Bearer {KEY}"),
        ("POST", {"cookie": OURS["cookie"], "origin": "http://elsewhere.test"}, "nobody"),
        ("POST", {"cookie": OURS["cookie"], "origin": "null"}, "nobody"),
        ("GET", {**OURS, "authorization": "Bearer other"}, "Bearer other"),
        ("GET", {"sec-fetch-site": "same-origin"}, "nobody"),
        ("GET", {**OURS, "cookie": f"{COOKIE}="}, "nobody"),
        ("GET", {**OURS, "cookie": "\x7f;;=;=="}, "nobody"),
    ],
)
async def test_the_cookie_is_a_key_for_requests_of_our_own_pages_only(
    browser: httpx.AsyncClient, method: str, headers: dict[str, str], answer: str
) -> None:
    assert (await browser.request(method, "/v1/who", headers=headers)).text == answer


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites() -> None:
    written = kept(KEY, secure=True).split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Secure", "Path=/", "Max-Age=1200"} < set(written)
    assert "Secure" not in kept(KEY, secure=False).split("; ")


def test_signing_out_makes_the_browser_forget() -> None:
    assert forgotten(secure=True).startswith(f"{COOKIE}=; ")
    assert "Max-Age=0" in forgotten(secure=True)


async def test_using_a_page_keeps_the_session_alive_and_a_foreign_request_does_not(
    browser: httpx.AsyncClient,
) -> None:
    ours = await browser.get("/v1/who", headers=OURS)
    assert ours.headers["set-cookie"] == kept(KEY, secure=True)
    foreign = await browser.get("/v1/who", headers={**OURS, "sec-fetch-site": "cross-site"})
    assert "set-cookie" not in foreign.headers


@pytest.mark.parametrize(
    "address",
    [
        "//evil.test",
        "/\\evil.test",
        "https://evil.test",
        "javascript:alert(1)",
        "",
        "evil",
        "/a\r\nSet-Cookie: x",
        "/a\tb",
    ],
)
def test_signing_in_never_leads_to_another_place(address: str) -> None:
    assert safe_address(address) == "/"


@pytest.mark.parametrize("address", ["/", "/reports?facility=200001", "/submissions/1#findings"])
def test_signing_in_leads_back_to_where_one_was(address: str) -> None:
    assert safe_address(address) == address
