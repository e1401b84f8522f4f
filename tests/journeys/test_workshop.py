"""
A registry with everything a form can be: several forms of cases, a facility's periods, groups inside
groups, a facility's own list. Through every door there is, from the entry to the metric.
"""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import openpyxl
import orjson
import pytest
import pytest_asyncio

from app.benchmarks import generations, physicians, steps
from app.benchmarks.periods import period
from app.database import EVERYTHING
from app.registries.load import load
from app.registries.schema import Definition
from app.registries.workbook import template
from app.settings import Settings
from app.worker import Works, open_works
from tests.ingest.landing import Landing, Sender

WORKSHOP = Path(__file__).parents[1] / "make" / "workshop"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture(scope="module")
def definition() -> Definition:
    return load(WORKSHOP)


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"definitions": WORKSHOP})


@pytest_asyncio.fixture(scope="module")
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
        "models": [{"model_kind": "A"}],
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
    found = await result(client, landing, measure, period)
    return found["numerator"], found["denominator"]


async def result(
    client: httpx.AsyncClient, landing: Landing, measure: str, period: str = "2025-03"
) -> dict[str, Any]:
    """What a facility is told of a measure."""
    while await steps.tabulate(landing.works.workshop) or await steps.build(landing.works.workshop):
        pass
    answer = await client.get(
        "/v1/registries/workshop/metrics",
        headers=await landing.key(role="facility-administrator"),
        params={"measure": measure, "period": period, "facility": landing.facilities[0]},
    )
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["metrics"]
    told: dict[str, Any] = found
    return told


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
        "_form,Job_ID,Session,Patient,Date,Urgent,Minutes,Models.1.Model_Kind\n"
        "job,T-1,,P-1,2025-04-01,Y,,A\nplanning,,T-2,P-2,04/02/2025,,45,\n"
        ",T-3,,P-3,2025-04-03,N,,G\n"
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
    rows = b"_form,Year,Technologists\nyear,2025,3\n"
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


ADA, BEN = "1003000126", "1003000134"


def own_month(npi: str, sessions: int, action: str = "submit") -> dict[str, Any]:
    elements = {"reported_month": "2025-04", "planner_npi": npi, "sessions": sessions}
    return {"form": "own_month", "action": action, "elements": elements}


async def test_a_month_is_reported_for_each_physician_and_counts_in_the_own_results(
    client: httpx.AsyncClient, landing: Landing, definition: Definition
) -> None:
    landed = await landing.land([own_month(ADA, 4), own_month(BEN, 8), own_month(ADA, 6)])
    assert landed.outcomes == ["accepted", "accepted", "amended"]
    told = await result(client, landing, "sessions", "2025-04")
    assert (told["denominator"], told["rate"]) == (2, 7)
    (measure,) = (one for one in definition.measures if one.id == "sessions")
    own = {}
    async with landing.works.database.transaction(EVERYTHING) as session:
        for npi in (ADA, BEN):
            found = await physicians.counted(
                session,
                landing.works.workshop.engine,
                definition,
                [physicians.Asked(measure)],
                "planner_npi",
                [(landing.facilities[0], npi)],
                period("2025"),
            )
            own[npi] = found["sessions", None]
    assert {npi: (one.denominator, one.total) for npi, one in own.items()} == {
        ADA: (1, 6),
        BEN: (1, 8),
    }
    address = f"/v1/registries/workshop/periods?facility={landing.facilities[0]}"
    periods = (await client.get(address, headers=await landing.key())).json()
    (only,) = (one for one in periods if one["form"] == "own_month")
    assert (only["period"], only["state"], len(only["cases"])) == ("2025-04", "submitted", 2)
    landed = await landing.land([own_month(BEN, 8, "withdraw")])
    assert landed.outcomes == ["withdrawn"]
    assert (await result(client, landing, "sessions", "2025-04"))["rate"] == 6


MODELS: list[dict[str, Any]] = [
    {
        "model_kind": "A",
        "model_volume": "10.5",
        "parts": [
            {"material": "R", "layer": "0.10", "printed_on": "2025-03-08", "colours": ["RED"]},
            {"material": "M"},
        ],
    },
    {"model_kind": "O", "model_other": "Phantom"},
]
COLUMNS = {
    "models.1.model_kind": "A",
    "models.1.model_volume": "10.5",
    "models.1.parts.1.material": "R",
    "models.1.parts.1.layer": "0.1",
    "models.1.parts.1.printed_on": "03/08/2025",
    "models.1.parts.1.colours": "RED",
    "models.1.parts.2.material": "M",
    "models.2.model_kind": "O",
    "models.2.model_other": "Phantom",
}
"""The same rows as flat columns, spelled as people do."""


async def test_rows_of_a_group_come_the_same_through_every_door(
    client: httpx.AsyncClient, landing: Landing, definition: Definition
) -> None:
    key = await landing.key()
    sent = job(1, models=MODELS)
    landed = await landing.land([sent])
    assert (landed.outcomes, landed.findings) == (["accepted"], [])
    kept = await landing.rows(
        "SELECT v.elements FROM versions v JOIN cases c ON c.version_id = v.id"
        " WHERE c.form = 'job' AND c.facility_id = :one",
        one=landing.facilities[0],
    )
    (elements,) = kept[0]
    assert elements["models"][0]["parts"][0] == {
        "material": "R",
        "layer": "0.10",
        "printed_on": "2025-03-08",
        "colours": ["RED"],
        "slices": "105.00",  # worked out from the part and the model around it
    }
    assert elements["models"][1] == {"model_kind": "O", "model_other": "Phantom"}
    flat: dict[str, str] = {**sent["elements"], **COLUMNS}
    del flat["models"]
    line = ",".join(flat) + "\n" + ",".join(flat.values()) + "\n"
    doors = (
        (line.encode(), "text/csv"),
        (line.replace(",", "|").encode(), "text/plain"),
        (orjson.dumps(sent), "application/x-ndjson"),
        (filled(definition, "job", flat), XLSX),
    )
    for body, content_type in doors:
        again = await landing.land(body, content_type)
        assert (again.outcomes, again.findings) == (["unchanged"], []), content_type
    fewer = [{**MODELS[0], "parts": MODELS[0]["parts"][1:]}]
    assert (await landing.land([job(1, models=fewer)])).outcomes == ["amended"]
    (case,) = (await client.get("/v1/registries/workshop/cases?form=job", headers=key)).json()
    shown = (await client.get(f"/v1/cases/{case['id']}", headers=key)).json()
    assert shown["elements"]["models"] == [
        {"model_kind": "A", "model_volume": "10.5", "parts": [{"material": "M"}]}
    ]


async def test_what_is_wrong_in_a_row_is_told_with_its_place(
    landing: Landing, definition: Definition
) -> None:
    wrong: list[dict[str, Any]] = [
        {"model_kind": "G", "parts": [{"material": "R"}, {"material": "M", "layer": 9}]},
        {"model_kind": "O", "model_other": "", "rushed_hours": 90},
        {"model_kind": "A", "model_other": "x", "model_volume": 600, "unheard_of": 1},
    ]
    line = ",".join(
        ("job_id", "patient", "ordered_on", "urgent", "models.2.model_kind", "models.6.model_kind")
    )
    landed = await landing.land([job(3, urgent="Y", models=wrong), job(4, models=[]), job(5)])
    assert landed.outcomes == ["rejected", "rejected", "accepted"]
    assert sorted(landed.findings) == [
        (1, "models[0].parts[1].layer", "out-of-range"),
        (1, "models[0].parts[1].material", "rule"),
        (1, "models[1].model_other", "missing"),
        (1, "models[1].rushed_hours", "rule"),
        (1, "models[2].member 4", "unknown-element"),
        (1, "models[2].model_other", "not-relevant"),
        (1, "models[2].model_volume", "unusual"),
        (2, "models", "missing"),
    ]
    late = f"{line}\nC-1,P-1,2025-03-04,N,A,A\nC-2,P-2,2025-03-04,N,,\n"
    landed = await landing.land(late.encode(), "text/csv")
    assert landed.findings == [
        (1, "column 6", "unknown-element"),  # five models and no more
        (1, "models[0]", "missing"),
        (2, "models", "missing"),
    ]
    twice = (
        b'{"form":"job","elements":{"job_id":"D","models":[{"model_kind":"A","model_kind":"G"}]}}'
    )
    landed = await landing.land(twice, "application/x-ndjson")
    assert (1, "models[0].model_kind", "duplicate-element") in landed.findings


async def test_measures_see_rows_as_an_oracle_counts_them(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    rng = Random(7)
    jobs: list[dict[str, Any]] = []
    for number in range(30):
        models: list[dict[str, Any]] = [
            {
                "model_kind": rng.choice("AG"),
                **({"model_volume": str(rng.randint(1, 400))} if rng.random() < 0.8 else {}),
                "parts": [{"material": rng.choice("RP")} for _ in range(rng.randint(0, 3))]
                + ([{"material": "M"}] if number % 4 == 0 else []),
            }
            for _ in range(rng.randint(1, 5))
        ]
        for model in models:
            if model["parts"] and model["model_kind"] == "G":
                model["parts"] = [one for one in model["parts"] if one["material"] != "M"]
            if not model["parts"]:
                del model["parts"]
        jobs.append(job(number, models=models))
    landed = await landing.land(jobs)
    assert landed.outcomes == ["accepted"] * 30
    parts = [
        [part for model in one["elements"]["models"] for part in model.get("parts", ())]
        for one in jobs
    ]
    metal = sum(any(one["material"] == "M" for one in some) for some in parts)
    assert 0 < metal < sum(map(bool, parts)) < 30
    assert await metric(client, landing, "jobs_with_metal") == (metal, sum(map(bool, parts)))
    volumes = [
        [int(each["model_volume"]) for each in one["elements"]["models"] if "model_volume" in each]
        for one in jobs
    ]
    known = [sum(some) for some in volumes if some]
    assert len(known) < 30
    mean = (await result(client, landing, "volume_of_models"))["rate"]
    assert mean == pytest.approx(sum(known) / len(known))
    await landing.land([{**jobs[0], "action": "withdraw"}, job(1, models=MODELS)])
    parts[0], parts[1] = [], [{"material": "M"}]
    metal = sum(any(one["material"] == "M" for one in some) for some in parts)
    assert await metric(client, landing, "jobs_with_metal") == (metal, sum(map(bool, parts)))
    # The tables, told as they changed, are those of the lake.
    works = landing.works
    assert await generations.reconcile(works.workshop, works.catalogue.in_force("workshop")) == []


def printer(name: str, action: str = "submit") -> dict[str, Any]:
    elements = {"printer_name": name, "technology": "Jetting"}
    return {"form": "printers", "action": action, "elements": elements}


def printed(number: int, *printers: str, action: str = "submit") -> dict[str, Any]:
    parts = [{"material": "R", "printer": one} for one in printers]
    return job(number, action, models=[{"model_kind": "A", "parts": parts}])


async def test_what_is_taken_from_a_facilitys_own_list_must_be_on_it(
    client: httpx.AsyncClient, landing: Landing, definition: Definition
) -> None:
    # One file may bring the list and what refers to it: what counts is what came before.
    sent = [printed(1, "J-1"), printer("J1"), printed(2, "J-1", "J1"), printed(3, "J1", "K2")]
    landed = await landing.land(sent)
    assert landed.outcomes == ["rejected", "accepted", "accepted", "rejected"]
    assert landed.findings == [
        (1, "models[0].parts[0].printer", "not-on-list"),
        (4, "models[0].parts[1].printer", "not-on-list"),
    ]
    (says,) = await landing.rows(
        "SELECT DISTINCT remedy FROM findings WHERE submission_number = :n",
        n=landed.submission.number,
    )
    assert says == ("Add it to the facility's own list `printers` first, or correct it.",)
    # A list lives as cases do: through every door, amended, withdrawn.
    book = filled(definition, "printers", {"printer_name": "K2", "technology": "Sintering"})
    assert (await landing.land(book, XLSX)).outcomes == ["accepted"]
    landed = await landing.land([printed(3, "K2"), printer("J1", "withdraw"), printed(4, "J1")])
    assert landed.outcomes == ["accepted", "withdrawn", "rejected"]
    assert (await landing.land([printed(5, "J9", action="save")])).outcomes == ["saved"]
    # Where the definition only warns, the entry goes through.
    landed = await landing.land([planning(1, room="Blue")])
    assert (landed.outcomes, landed.findings) == (["accepted"], [(1, "room", "not-on-list")])
    assert await metric(client, landing, "urgent_jobs") == (0, 2)
    # Another facility's list is its own.
    (other,) = await landing.participate("active")
    theirs = await landing.land(
        [printed(9, "K2")], facility=other, sender=Sender(frozenset({other}))
    )
    assert theirs.outcomes == ["rejected"]
