"""The report over the wire: to whom, in what form, for which periods."""

import asyncio

import httpx
import pytest

from app.api.v1.reports import preferred
from app.commands.prepare import prepare
from app.errors import NotAcceptable
from app.postgres import Addresses
from app.reports.composition import Composition
from app.reports.render import POLICY
from app.settings import Settings
from tests.outline import outline
from tests.served import FACILITY, NEIGHBOUR, REGISTRY, Served, settle

ADDRESS = f"/v1/facilities/{FACILITY}/reports/{REGISTRY}"


@pytest.fixture(scope="module")
def settled(database: Addresses, settings: Settings) -> Served:
    prepare(settings, database.owner)
    return Served("http://hounsfield.test", *asyncio.run(settle(database.web)), settings=settings)


async def test_page_and_json_are_the_same_composition(
    settled: Served, client: httpx.AsyncClient
) -> None:
    headers = settled.authorised(settled.dashboard)
    answer = await client.get(f"{ADDRESS}/2026Q1?format=json", headers=headers)
    told = Composition.model_validate(answer.json())
    assert (told.facility.name, told.period) == ("Riverside Imaging", "2026Q1")
    drawn = await client.get(f"{ADDRESS}/2026Q1", headers={**headers, "accept": "text/html"})
    assert drawn.headers["content-type"] == "text/html; charset=utf-8"
    assert drawn.headers["content-security-policy"] == POLICY
    text = outline(drawn.text).text
    assert all(one.title in text for section in told.sections for one in section.measures)
    assert all(line in text for line in told.summary.lines)


async def test_a_facility_without_cases_gets_a_report_that_says_so(
    settled: Served, client: httpx.AsyncClient
) -> None:
    answer = await client.get(f"{ADDRESS}/2026", headers=settled.authorised(settled.dashboard))
    told = Composition.model_validate(answer.json())
    assert told.quality.cases == 0
    for section in told.sections:
        for one in section.measures:
            assert one.result.rate in (None, "0")
            assert (one.result.withheld is not None) == (one.result.rate is None)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (f"/v1/facilities/{NEIGHBOUR}/reports/{REGISTRY}/2026", 404),
        (f"/v1/facilities/999999/reports/{REGISTRY}/2026", 404),
        (f"/v1/facilities/{FACILITY}/reports/none/2026", 404),
        (f"{ADDRESS}/2026Q5", 422),
        (f"{ADDRESS}/2026-13", 422),
        (f"{ADDRESS}/2026-09..2026-01", 422),
        (f"{ADDRESS}/0000", 422),
        (f"{ADDRESS}/yesterday", 422),
        (f"{ADDRESS}/2026?format=docx", 422),
        (f"{ADDRESS}/2026/issued", 404),
        (f"{ADDRESS}/2026/charts/none/run.vl.json", 404),
        (f"{ADDRESS}/2026/charts/ctdivol/pie.vl.json", 422),
        (f"/v1/facilities/{NEIGHBOUR}/reports", 404),
        (f"/v1/facilities/{NEIGHBOUR}/reports/{REGISTRY}/2026/issued", 404),
        (f"/v1/facilities/{NEIGHBOUR}/reports/{REGISTRY}/2026/charts/ctdivol/run.vl.json", 404),
    ],
)
async def test_what_is_not_yours_or_not_a_period_is_a_problem(
    settled: Served, client: httpx.AsyncClient, address: str, status: int
) -> None:
    answer = await client.get(address, headers=settled.authorised(settled.registrar))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Hilltop" not in answer.text


@pytest.mark.parametrize(
    ("form", "media_type", "begins"),
    [
        ("pdf", "application/pdf", b"%PDF-"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK"),
    ],
)
async def test_the_report_comes_as_a_file_under_a_name_of_ours(
    settled: Served, client: httpx.AsyncClient, form: str, media_type: str, begins: bytes
) -> None:
    headers = settled.authorised(settled.dashboard)
    answer = await client.get(f"{ADDRESS}/2026Q1?format={form}", headers=headers)
    assert answer.headers["content-type"] == media_type
    assert answer.content.startswith(begins)
    assert answer.headers["content-disposition"] == (
        f'inline; filename="{FACILITY}-{REGISTRY}-2026Q1.{form}"'
    )


async def test_a_chart_of_which_nothing_may_be_shown_says_why(
    settled: Served, client: httpx.AsyncClient
) -> None:
    answer = await client.get(
        f"{ADDRESS}/2026Q1/charts/ctdivol/run.vl.json",
        headers=settled.authorised(settled.dashboard),
    )
    assert answer.status_code == 403
    assert answer.json()["type"].endswith("/withheld")


async def test_an_operator_reads_any_report_and_a_stranger_none(
    settled: Served, client: httpx.AsyncClient
) -> None:
    address = f"/v1/facilities/{NEIGHBOUR}/reports/{REGISTRY}/2026"
    answer = await client.get(address, headers=settled.authorised(settled.operator))
    assert answer.json()["facility"]["name"] == "Hilltop Imaging"
    assert (await client.get(address)).status_code == 401


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("*/*", "json"),
        ("text/html", "html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        ("text/html;q=0.4, application/json;q=0.5", "json"),
        ("application/json;q=0.1, text/*", "html"),
        ("*/*, text/html", "html"),
        ("TEXT/HTML ; Q=1", "html"),
        ("application/pdf", "pdf"),
        (
            "application/pdf;q=0.3, application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "xlsx",
        ),
    ],
)
def test_what_is_liked_best_is_answered(accept: str, wanted: str) -> None:
    assert preferred(accept) == wanted


@pytest.mark.parametrize("accept", ["image/png", "text/html;q=0", "text/html;q=nonsense", ""])
def test_what_cannot_be_made_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        preferred(accept)
