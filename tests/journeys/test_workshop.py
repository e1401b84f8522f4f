"""
A registry with everything a form can be: several forms of cases, a facility's periods, groups inside
groups, a facility's own list. Through every door there is, from the entry to the metric.
"""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
import pytest_asyncio

from app.benchmarks import steps
from app.registries.load import load
from app.registries.schema import Definition
from app.registries.workbook import template
from app.settings import Settings
from app.worker import Works, open_works
from tests.ingest.landing import Landing

WORKSHOP = Path(__file__).parents[1] / "make" / "workshop"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture(scope="module")
def definition() -> Definition:
    return load(WORKSHOP)


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"definitions": WORKSHOP})


@pytest_asyncio.fixture
async def works(settings: Settings) -> AsyncIterator[Works]:
    async with open_works(settings) as opened:
        yield opened


@pytest_asyncio.fixture
async def landing(works: Works, web: Any) -> Landing:
    found = Landing(works, web, registry="workshop")
    await found.participate("active")
    return found


def job(number: int, action: str = "submit", **changes: Any) -> dict[str, Any]:
    elements = {
        "job_id": f"J-{number}",
        "patient": f"P-{number}",
        "ordered_on": "2025-03-04",
        "urgent": "N",
    }
    return {"form": "job", "action": action, "elements": elements | changes}


def planning(number: int, **changes: Any) -> dict[str, Any]:
    # The key of a planning session is spelled as that of a job: they are two cases all the same.
    elements = {
        "session": f"J-{number}",
        "patient": f"P-{number}",
        "held_on": "2025-03-10",
        "minutes": 30,
    }
    return {"form": "planning", "elements": elements | changes}


def review(number: int, changed: str) -> dict[str, Any]:
    elements = {"session": f"J-{number}", "reviewed_on": "2025-03-20", "changed_plan": changed}
    return {"form": "review", "elements": elements}


async def metric(
    client: httpx.AsyncClient, landing: Landing, measure: str, period: str = "2025-03"
) -> tuple[int | None, int]:
    """What a facility is told: numerator and denominator."""
    while await steps.tabulate(landing.works.workshop) or await steps.build(landing.works.workshop):
        pass
    answer = await client.get(
        "/v1/registries/workshop/metrics",
        headers=await landing.key(role="facility-administrator"),
        params={"measure": measure, "period": period, "facility": landing.facilities[0]},
    )
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["metrics"]
    return found["numerator"], found["denominator"]


def filled(definition: Definition, form: str, *rows: dict[str, Any]) -> bytes:
    """The template of a form with rows filled in under its headings, `_form` left open."""
    book = openpyxl.load_workbook(io.BytesIO(template(definition, form)))
    sheet = book.worksheets[0]
    headings = [cell.value for cell in sheet[1]]
    for row, elements in enumerate(rows, start=2):
        for name, value in elements.items():
            sheet.cell(row, headings.index(name) + 1, value)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


async def test_two_forms_of_cases_live_side_by_side(
    client: httpx.AsyncClient, landing: Landing, definition: Definition
) -> None:
    sent = [job(1, urgent="Y"), planning(1), review(1, "Y"), job(2), planning(2), review(2, "N")]
    landed = await landing.land(sent)
    assert landed.outcomes == ["accepted"] * 6
    assert landed.findings == []
    key = await landing.key()
    address = "/v1/registries/workshop/cases"
    by_form = {
        form: (await client.get(f"{address}?form={form}", headers=key)).json()
        for form in ("job", "planning", "review")
    }
    assert {form: len(found) for form, found in by_form.items()} == dict.fromkeys(by_form, 2)
    # One patient is one subject, in whichever form the facility names him.
    assert by_form["job"][0]["subject"] == by_form["planning"][0]["subject"]
    assert [one["parent_id"] for one in by_form["review"]] == [
        one["id"] for one in by_form["planning"]
    ]
    wanted = {"form": "planning", "key": {"session": "J-1"}}
    (found,) = (await client.post(f"{address}/search", headers=key, json=wanted)).json()
    assert found["id"] == by_form["planning"][0]["id"]
    assert await metric(client, landing, "urgent_jobs") == (1, 2)
    assert await metric(client, landing, "plans_changed") == (1, 2)
    behind = await client.get(
        "/v1/registries/workshop/metrics/plans_changed/cases",
        headers=await landing.key(role="facility-administrator"),
        params={
            "period": "2025-03",
            "population": "numerator",
            "facility": landing.facilities[0],
        },
    )
    assert [one["id"] for one in behind.json()["cases"]] == [by_form["planning"][0]["id"]]


async def test_a_table_is_read_by_the_headings_of_each_rows_form(
    client: httpx.AsyncClient, landing: Landing, definition: Definition
) -> None:
    # `Date` is what both forms' own documents call the day, and it is another element in each.
    rows = (
        "_form,Job_ID,Session,Patient,Date,Urgent,Minutes\n"
        "job,T-1,,P-1,2025-04-01,Y,\nplanning,,T-2,P-2,04/02/2025,,45\n,T-3,,P-3,2025-04-03,N,\n"
    )
    landed = await landing.land(rows.encode(), "text/csv")
    assert landed.outcomes == ["accepted"] * 3
    days = await landing.rows(
        "SELECT form, case_date::text FROM cases WHERE case_date > '2025-03-31'"
    )
    assert sorted(days) == [
        ("job", "2025-04-01"),
        ("job", "2025-04-03"),
        ("planning", "2025-04-02"),
    ]
    book = filled(
        definition,
        "planning",
        {"session": "X-1", "patient": "P-9", "held_on": "2025-04-09", "minutes": 300},
    )
    landed = await landing.land(book, XLSX)
    assert landed.outcomes == ["accepted"]
    assert landed.findings == [(1, "minutes", "unusual")]


def month(of: str, down: int, action: str = "submit", **changes: Any) -> dict[str, Any]:
    elements = {"reported_month": of, "hours_open": 200, "hours_down": down}
    return {"form": "month", "action": action, "elements": elements | changes}


async def test_a_facility_reports_a_period_once_and_sees_which_are_missing(
    client: httpx.AsyncClient, landing: Landing, definition: Definition
) -> None:
    year = {"form": "year", "elements": {"reported_year": "2025", "technologists": "2.5"}}
    landed = await landing.land([month("2025-02", 10), month("2025-03-17", 4), year])
    assert landed.outcomes == ["accepted"] * 3
    # The same month, however it is spelled and through whichever door, is the same record.
    book = filled(
        definition,
        "month",
        {"reported_month": "03/2025", "hours_open": 200, "hours_down": 12},
        {"reported_month": "2025-13", "hours_open": 200, "hours_down": 300},
    )
    landed = await landing.land(book, XLSX)
    assert landed.outcomes == ["amended", "rejected"]
    assert landed.findings == [
        (2, "reported_month", "not-a-date"),
        (2, "hours_down", "rule"),
    ]
    rows = "_form,Year,Technologists\nyear,2025,3\n".encode()
    assert (await landing.land(rows, "text/csv")).outcomes == ["amended"]
    assert await metric(client, landing, "hours_down") == (None, 1)
    assert await metric(client, landing, "hours_down", "2025") == (None, 2)
    assert await metric(client, landing, "fewer_hours_down", "2025") == (0, 1)
    assert await metric(client, landing, "staff", "2025") == (None, 1)
    # What is about nobody has nothing in the vault.
    kept = await landing.rows(
        "SELECT c.form FROM vault.identities i JOIN cases c ON c.id = i.case_id"
        " WHERE c.form IN ('month', 'year')"
    )
    assert kept == []
    await landing.rows(
        "UPDATE participations SET created_at = '2025-01-15' WHERE facility_id = :one RETURNING id",
        one=landing.facilities[0],
    )
    await landing.land([month("2025-03", 0, "withdraw"), month("2025-05", 3, "save")])
    assert await metric(client, landing, "hours_down", "2025") == (None, 1)
    key = await landing.key()
    address = "/v1/registries/workshop/periods"
    answer = await client.get(f"{address}?facility={landing.facilities[0]}", headers=key)
    told = answer.json()
    assert {one["period"]: one["state"] for one in told[-5:]} == {
        "2025-05": "draft",
        "2025-04": "missing",
        "2025-03": "withdrawn",
        "2025-02": "submitted",
        "2025": "submitted",
    }
    today = datetime.now(UTC).date()
    assert told[0]["period"] == f"{today.replace(day=1) - timedelta(days=1):%Y-%m}"
    assert (await client.get(f"{address}?facility=999999", headers=key)).status_code == 404
