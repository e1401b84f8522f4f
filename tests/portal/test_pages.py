"""The pages, in this process: what they show to whom, and that they carry nothing that runs."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from app.commands.prepare import prepare
from app.portal.session import COOKIE
from app.postgres import Addresses
from app.settings import Settings
from tests.outline import outline
from tests.served import FACILITY, REGISTRY, Served, settle

BROWSER = {"sec-fetch-site": "same-origin", "accept": "text/html"}
PUBLIC = ["/", "/registries", f"/registries/{REGISTRY}", "/sign-in", "/reference", "/problems"]
PRIVATE = [f"/registries/{REGISTRY}/submit", "/submissions", "/reports", "/improvement"]


@pytest.fixture(scope="module")
def settled(database: Addresses, settings: Settings) -> Served:
    prepare(settings, database.owner)
    return Served("http://hounsfield.test", *asyncio.run(settle(database.web)), settings=settings)


@pytest_asyncio.fixture
async def client(client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """The module's, which forgets after each test who had signed in."""
    own = client.headers.copy()
    yield client
    client.headers = own
    client.cookies.clear()


@pytest_asyncio.fixture
async def visitor(settled: Served, client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Somebody with a registrar's key in the cookie."""
    client.headers.update(BROWSER)
    client.cookies.set(COOKIE, settled.registrar)
    return client


@pytest.mark.parametrize("address", PUBLIC)
async def test_a_public_page_is_whole_and_carries_nothing_that_runs_or_comes_from_elsewhere(
    settled: Served, client: httpx.AsyncClient, address: str
) -> None:
    answer = await client.get(address, headers=BROWSER)
    assert answer.status_code == 200
    check_page(answer)


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_private_page_is_whole_for_who_signed_in(
    visitor: httpx.AsyncClient, address: str
) -> None:
    answer = await visitor.get(address)
    assert answer.status_code == 200
    check_page(answer)


def check_page(answer: httpx.Response) -> None:
    found = outline(answer.text)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    for tag, attributes in found.elements:
        assert not any(name == "style" or name.startswith("on") for name in attributes)
        if tag == "script":
            assert (attributes["src"] or "").startswith("/static/")
        for name in ("href", "src", "action"):
            assert re.match(r"/(?!/)|#", attributes.get(name) or "/"), "a page leads nowhere else"
        if tag == "img":
            assert attributes["alt"]
        if tag in ("input", "select") and attributes.get("type") != "hidden":
            assert ("label", {"for": attributes["id"]}) in found.elements
    names = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(names) == len(set(names))
    assert [tag for tag, _ in found.elements].count("h1") == 1
    assert ("html", {"lang": "en"}) in found.elements


@pytest.mark.parametrize("address", PRIVATE)
async def test_who_is_not_signed_in_is_asked_to_and_led_back(
    settled: Served, client: httpx.AsyncClient, address: str
) -> None:
    answer = await client.get(address, headers=BROWSER)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/sign-in?next={address}"


async def test_signing_in_keeps_a_key_and_signing_out_forgets_it(
    settled: Served, client: httpx.AsyncClient
) -> None:
    form = {"key": f" {settled.registrar} ", "next": "/reports"}
    answer = await client.post("/sign-in", data=form, headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/reports")
    assert settled.registrar in answer.headers["set-cookie"]
    assert "Riverside Imaging" in (await client.get("/reports", headers=BROWSER)).text
    answer = await client.post("/sign-out", headers=BROWSER)
    assert f"{COOKIE}=;" in answer.headers["set-cookie"]
    assert (await client.get("/reports", headers=BROWSER)).status_code == 303


@pytest.mark.parametrize("key", ["hk_aaaaaaaaaaaa_" + "0" * 64, "nonsense", "<script>"])
async def test_a_key_that_is_not_in_force_is_refused_and_not_repeated(
    settled: Served, client: httpx.AsyncClient, key: str
) -> None:
    answer = await client.post("/sign-in", data={"key": key}, headers=BROWSER)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert key not in answer.text


async def test_another_site_cannot_sign_somebody_in(
    settled: Served, client: httpx.AsyncClient
) -> None:
    elsewhere = {**BROWSER, "sec-fetch-site": "cross-site"}
    answer = await client.post("/sign-in", data={"key": settled.registrar}, headers=elsewhere)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_signing_in_does_not_lead_to_another_site(
    settled: Served, client: httpx.AsyncClient
) -> None:
    form = {"key": settled.registrar, "next": "//evil.test/"}
    answer = await client.post("/sign-in", data=form, headers=BROWSER)
    assert answer.headers["location"] == "/"


async def test_the_cookie_opens_the_api_for_our_own_pages_and_nobody_else(
    visitor: httpx.AsyncClient,
) -> None:
    address = f"/v1/facilities/{FACILITY}"
    assert (await visitor.get(address)).status_code == 200
    elsewhere = {"sec-fetch-site": "cross-site"}
    assert (await visitor.get(address, headers=elsewhere)).status_code == 401


async def test_a_visitor_sees_own_facilities_only(visitor: httpx.AsyncClient) -> None:
    text = (await visitor.get("/")).text
    assert "Riverside Imaging" in text
    assert "Hilltop Imaging" not in text


async def test_what_a_key_may_not_do_is_said_in_a_page(
    settled: Served, client: httpx.AsyncClient
) -> None:
    client.cookies.set(COOKIE, settled.dashboard)
    answer = await client.get(f"/registries/{REGISTRY}/submit", headers=BROWSER)
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "address", ["/registries/none", "/submissions/00000000-0000-4000-8000-000000000000"]
)
async def test_what_is_not_there_is_a_page_too(visitor: httpx.AsyncClient, address: str) -> None:
    answer = await visitor.get(address)
    assert answer.status_code == 404
    check_page(answer)


async def test_the_dictionary_shows_what_is_not_confirmed(
    settled: Served, client: httpx.AsyncClient
) -> None:
    text = (await client.get(f"/registries/{REGISTRY}")).text
    assert 'class="mark mark-unconfirmed">unconfirmed<' in text
    assert 'class="mark mark-project">project<' in text
    assert "exam_unique_id" in text


async def test_static_files_are_served_and_nothing_beside_them(
    settled: Served, client: httpx.AsyncClient
) -> None:
    sheet = await client.get("/static/hounsfield.css")
    assert sheet.headers["content-type"].startswith("text/css")
    for outside in ("/static/../pages.py", "/static/%2e%2e/pages.py", "/static/..%2fpages.py"):
        assert (await client.get(outside)).status_code == 404
