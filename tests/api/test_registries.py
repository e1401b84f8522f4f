"""Registries on the wire: who sees them, in which version, and what can be downloaded."""

import io
from collections.abc import AsyncIterator
from typing import Any

import openpyxl
import pytest
import pytest_asyncio
from fastapi import FastAPI

from app.access import Role
from app.postgres import Addresses
from app.registries.load import PACKAGED, folders
from tests.conftest import opened
from tests.ingest.landing import EXAM
from tests.make.accounts import REGISTRY, Desk, key_for

HERE = f"/v1/registries/{REGISTRY}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def operator(application: FastAPI, database: Addresses) -> AsyncIterator[Desk]:
    async with opened(application) as client:
        yield Desk(client, await key_for(database, Role.OPERATOR))


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_every_registry_is_listed_in_the_version_in_force(operator: Desk) -> None:
    body = (await operator("GET", "/v1/registries")).json()
    listed = [(one["id"], one["version"]) for one in body["registries"]]
    assert len(dict(listed)) == len(listed)
    assert dict(listed)[REGISTRY] == "1.12.0"
    assert set(dict(listed)) == {folder.parts[-2] for folder in folders(PACKAGED)}


async def test_a_registry_tells_its_forms_rules_and_peers(operator: Desk) -> None:
    answer = await operator("GET", HERE)
    body = answer.json()
    assert {form["id"]: form["level"] for form in body["forms"]} == {
        "exam": "case", "follow_up": "follow-up", "risk_factors": "case", "subject": "subject",
        "nodule_exam": "case", "nodule_follow_up": "follow-up", "nodule_recommendation": "case",
        "nodules": "case", "highest_risk_nodule": "case",
    }  # fmt: skip
    assert len(body["rules"]) == 27
    assert body["measures"] == 47
    again = await operator("GET", HERE, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    versioned = await operator("GET", f"{HERE}?version=1.12.0")
    assert versioned.json() == body


async def test_versions_say_which_is_in_force(operator: Desk) -> None:
    body = (await operator("GET", f"{HERE}/versions")).json()
    assert [(one["version"], one["in_force"]) for one in body["versions"]] == [
        ("1.12.0", True),
        ("1.1.0", False),
    ]


async def test_the_dictionary_shows_what_no_source_confirms(operator: Desk) -> None:
    rows: list[dict[str, Any]] = (await operator("GET", f"{HERE}/dictionary")).json()["elements"]
    marks = {row["element"]: row["source"] for row in rows}
    assert marks["exam_date"] == "project"
    assert marks["follow_up_diagnostic"] == "unconfirmed"
    assert marks["smoking_status"] == "confirmed"


async def test_forms_come_as_schema_questionnaire_page_and_workbook(operator: Desk) -> None:
    schema = await operator("GET", f"{HERE}/forms/exam/schema")
    assert schema.headers["Content-Type"] == "application/schema+json"
    assert schema.json()["$id"].startswith("http://hounsfield.test/v1/registries/")
    asked = await operator("GET", f"{HERE}/forms/exam/questionnaire")
    assert asked.headers["Content-Type"].startswith("application/fhir+json")
    assert asked.json()["url"].startswith(
        "http://hounsfield.test/fhir/early-lung-cancer-detection/Questionnaire/"
    )
    page = await operator("GET", f"{HERE}/forms/follow_up")
    assert page.json()["form"] == "follow_up"
    book = await operator("GET", f"{HERE}/forms/exam/template")
    assert book.headers["Content-Disposition"] == (
        'attachment; filename="early-lung-cancer-detection-exam-1.12.0.xlsx"'
    )
    assert openpyxl.load_workbook(io.BytesIO(book.content)).sheetnames[0] == "Entries"
    held = {"If-None-Match": book.headers["ETag"]}
    assert (await operator("GET", f"{HERE}/forms/exam/template", headers=held)).status_code == 304


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/registries/no-such-registry", 404),
        ("/v1/registries/no-such-registry/versions", 404),
        (f"{HERE}?version=9.9.9", 404),
        (f"{HERE}?version=latest", 422),
        (f"{HERE}/forms/risk_factors", 404),
        (f"{HERE}/forms/nothing/schema", 404),
        (f"{HERE}/forms/nothing/template", 404),
    ],
)
async def test_what_is_not_there_is_said_so(operator: Desk, path: str, status: int) -> None:
    assert (await operator("GET", path)).status_code == status


async def test_a_key_sees_its_own_registries_alone(operator: Desk, database: Addresses) -> None:
    partner = Desk(operator.client, await key_for(database, Role.STEWARD, registries=["elsewhere"]))
    assert (await partner("GET", "/v1/registries")).json() == {"registries": []}
    for path in ("", "/versions", "/dictionary", "/forms/exam", "/forms/exam/template"):
        assert (await partner("GET", HERE + path)).status_code == 404
    nobody = await operator.client.get(HERE)
    assert nobody.status_code == 401


async def test_an_entry_can_be_tried_by_any_version_and_nothing_is_kept(operator: Desk) -> None:
    elements = {**EXAM, "exam_unique_id": "TRIED", "dlp": "Quizzleberry", "lung_rads_version": None}
    answer = await operator("POST", f"{HERE}/forms/exam/trials", {"elements": elements})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["version"], told["accepted"]) == ("1.12.0", False)
    found = {(one["place"], one["code"]) for one in told["findings"]}
    assert {("dlp", "not-a-number"), ("lung_rads_version", "missing")} <= found
    assert "Quizzleberry" not in answer.text
    assert told["computed"]["age_at_exam"] == 69
    sound = {name: value for name, value in elements.items() if name != "lung_rads_version"}
    before = await operator(
        "POST", f"{HERE}/forms/exam/trials?version=1.1.0", {"elements": sound | {"dlp": "80.00"}}
    )
    assert (before.json()["version"], before.json()["accepted"]) == ("1.1.0", True), before.text
    draft = {"action": "save", "elements": {"exam_unique_id": "D"}}
    assert (await operator("POST", f"{HERE}/forms/exam/trials", draft)).json()["accepted"] is True
    for wrong, status in (({"elements": []}, 422), ({"elements": {}, "form": "exam"}, 422)):
        answer = await operator("POST", f"{HERE}/forms/exam/trials", wrong)
        assert answer.status_code == status
    listed = await operator("GET", f"/v1/submissions?registry={REGISTRY}")
    assert listed.json() == []
