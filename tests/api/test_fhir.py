"""Measures and MeasureReports under `/fhir`: FHIR R4's shape, the tables' counts, and nobody else's."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.api.outcomes import MEDIA_TYPE
from tests.reports.qpp.registry import MEASURES
from tests.reports.qpp.world import ADA, BEN, HERE, HISTORY, THERE, World, make_world

world = pytest.fixture(scope="module")(make_world)

BASE = "/fhir/toy"
YEAR = {"periodStart": "2025", "periodEnd": "2025"}


async def evaluated(
    client: httpx.AsyncClient, headers: Mapping[str, str], measure: str, **asked: Any
) -> Any:
    params = {**YEAR, "facility": HERE, **asked}
    path = f"{BASE}/Measure/{measure}/$evaluate-measure"
    answer = await client.get(path, params=params, headers=dict(headers))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    return answer.json()


def told(group: Any) -> dict[str, int]:
    """Counts by FHIR's code of the population."""
    return {one["code"]["coding"][0]["code"]: one["count"] for one in group["population"]}


async def test_a_measure_is_read_as_it_is_counted(world: World, client: httpx.AsyncClient) -> None:
    bundle = (await client.get(f"{BASE}/Measure", headers=world.here)).json()
    assert (bundle["resourceType"], bundle["total"]) == ("Bundle", len(MEASURES))
    for entry, measure in zip(bundle["entry"], MEASURES, strict=True):
        found = entry["resource"]
        alone = await client.get(f"{BASE}/Measure/{found['id']}", headers=world.here)
        assert alone.json() == found
        assert (
            found["url"]
            == entry["fullUrl"]
            == f"http://hounsfield.test/fhir/toy/Measure/{found['id']}"
        )
        assert found["name"] == measure.id
        assert found["id"] == measure.id.replace("_", "-")
        assert found["scoring"]["coding"][0]["code"] == measure.scoring
        criteria = {
            one["code"]["coding"][0]["code"]: one["criteria"]["expression"]
            for one in found["group"][0]["population"]
        }
        whole = "measure-population" if measure.observation else "denominator"
        assert criteria[whole] == measure.denominator
        assert criteria.get("numerator") == measure.numerator
        assert criteria.get("measure-observation") == measure.observation


async def test_a_facilitys_summary_is_what_its_metrics_say(
    world: World, client: httpx.AsyncClient
) -> None:
    for measure in MEASURES:
        asked = {"facility": HERE, "measure": measure.id, "period": "2025"}
        path = "/v1/registries/toy/metrics"
        (metric,) = (await client.get(path, params=asked, headers=world.here)).json()["metrics"]
        report = await evaluated(client, world.here, measure.id.replace("_", "-"))
        assert (report["type"], report["status"]) == ("summary", "complete")
        assert report["measure"].endswith(f"/Measure/{measure.id.replace('_', '-')}|1.0.0")
        assert report["period"] == {"start": "2025-01-01", "end": "2025-12-31"}
        assert report["reporter"]["identifier"]["value"] == str(HERE)
        (group,) = report["group"]
        counts = told(group)
        whole = metric["denominator"] + metric["exclusions"] + (metric["exceptions"] or 0)
        assert counts["initial-population"] == metric["initial_population"] > 0
        assert counts.get("denominator", counts.get("measure-population")) == whole
        if measure.numerator:
            assert counts["numerator"] == metric["numerator"]
            left = whole - counts.get("denominator-exclusion", 0)
            left -= counts.get("denominator-exception", 0)
            assert group["measureScore"]["value"] == round(counts["numerator"] / left, 6)
        assert group["measureScore"]["value"] == metric["rate"]
        for stratifier in group.get("stratifier", ()):
            split = [told(one) for one in stratifier["stratum"]]
            assert sum(one["numerator"] for one in split) == counts["numerator"]


async def test_a_physicians_summary_is_of_the_cases_they_read(
    world: World, client: httpx.AsyncClient
) -> None:
    asked = "SELECT id, npi FROM physicians ORDER BY id"
    rows = await world.as_owner(lambda session: session.execute(text(asked)))
    numbers = {npi: number for number, npi in rows}
    for npi in (ADA, BEN):
        practitioner = f"Practitioner/{numbers[npi]}"
        report = await evaluated(client, world.here, "told", practitioner=practitioner)
        assert report["subject"]["identifier"] == {
            "system": "http://hl7.org/fhir/sid/us-npi",
            "value": npi,
        }
        own = [
            one
            for one in HISTORY.known.values()
            if one.form == "exam"
            and one.state == "submitted"
            and one.facility == HERE
            and one.elements["reader_npi"] == npi
            and one.elements["exam_date"].startswith("2025")
        ]
        counts = told(report["group"][0])
        assert counts["initial-population"] == counts["denominator"] == len(own) > 0
        excluded = sum("X" in one.elements["signs"] for one in own)
        assert counts["denominator-exclusion"] == excluded
        # What rests on another measure is told where that one, of the same cases, is high enough.
        resting = await evaluated(client, world.here, "resting", practitioner=practitioner)
        assert resting["status"] == "complete"
        (group,) = resting["group"]
        smoked = told(group)["numerator"]
        assert group["measureScore"]["value"] == round(smoked / len(own), 6)


async def test_a_persons_report_is_of_their_cases_here_and_all_of_them_make_the_summary(
    world: World, client: httpx.AsyncClient
) -> None:
    people = {one.subject for one in HISTORY.known.values() if one.form == "exam"}
    rows = ", ".join(f"({one}, 'toy', 'person-{one}', now())" for one in people)
    named = "INSERT INTO subjects (id, registry_id, pseudonym, created_at) OVERRIDING SYSTEM VALUE"
    await world.as_owner(lambda session: session.execute(text(f"{named} VALUES {rows}")))
    summary = told((await evaluated(client, world.here, "recommended"))["group"][0])
    together = dict.fromkeys(summary, 0)
    seen = {
        one.subject
        for one in HISTORY.known.values()
        if one.form == "exam"
        and one.state == "submitted"
        and one.facility == HERE
        and one.elements["exam_date"].startswith("2025")
    }
    for one in sorted(seen):
        asked = {"reportType": "subject", "subject": f"Patient/person-{one}"}
        report = await evaluated(client, world.registrar, "recommended", **asked)
        assert report["type"] == "individual"
        assert report["subject"]["identifier"]["value"] == f"person-{one}"
        for code, many in told(report["group"][0]).items():
            together[code] += many
    assert together == summary
    path = f"{BASE}/Measure/recommended/$evaluate-measure"
    gone = max(people) + 1
    asked = {**YEAR, "reportType": "subject", "subject": f"Patient/person-{gone}"}
    answer = await client.get(path, params=asked, headers=world.registrar)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("asked", "status", "code", "says"),
    [
        ({"periodStart": "2025-01-02", "periodEnd": "2025"}, 422, "invalid", "whole months"),
        ({"periodStart": "2025", "periodEnd": "2025-06-29"}, 422, "invalid", "whole months"),
        ({"periodStart": "2025-06", "periodEnd": "2025-05"}, 422, "invalid", "ends in or after"),
        ({"periodStart": "yesterday", "periodEnd": "2025"}, 422, "invalid", "/query/periodStart"),
        ({"periodStart": "2025"}, 422, "invalid", "/query/periodEnd"),
        ({**YEAR, "reportType": "subject"}, 422, "invalid", "names a `subject`"),
        ({**YEAR, "subject": "Patient/x"}, 422, "invalid", "names a `subject`"),
        ({**YEAR, "facility": THERE}, 404, "not-found", "no such facility"),
        ({**YEAR, "practitioner": "Practitioner/999999"}, 404, "not-found", "no such physician"),
    ],
)
async def test_a_request_that_cannot_be_answered_is_an_operation_outcome(
    world: World,
    client: httpx.AsyncClient,
    asked: dict[str, Any],
    status: int,
    code: str,
    says: str,
) -> None:
    path = f"{BASE}/Measure/recommended/$evaluate-measure"
    answer = await client.get(path, params=asked, headers=world.here)
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    found = answer.json()
    assert found["resourceType"] == "OperationOutcome"
    assert found["issue"][0]["code"] == code
    assert any(says in one["diagnostics"] for one in found["issue"])


async def test_outcomes_are_told_in_fhir_for_strangers_wrong_addresses_and_wrong_methods(
    world: World, client: httpx.AsyncClient
) -> None:
    for method, path, headers, status, code in (
        ("GET", f"{BASE}/Measure", {}, 401, "login"),
        ("GET", f"{BASE}/Measure/none", world.here, 404, "not-found"),
        ("GET", "/fhir/none/Measure", world.here, 404, "not-found"),
        ("GET", f"{BASE}/Patient/1", world.here, 404, "not-found"),
        ("DELETE", f"{BASE}/Measure", world.here, 405, "not-supported"),
    ):
        answer = await client.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")
        assert answer.json()["issue"][0]["code"] == code


async def test_a_registrar_reads_no_single_physicians_report(
    world: World, client: httpx.AsyncClient
) -> None:
    params = {**YEAR, "practitioner": "Practitioner/1"}
    path = f"{BASE}/Measure/told/$evaluate-measure"
    answer = await client.get(path, params=params, headers=world.registrar)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (403, "forbidden")


async def test_the_capability_statement_names_what_exists_and_nothing_else(
    world: World, client: httpx.AsyncClient
) -> None:
    found = (await client.get(f"{BASE}/metadata", headers=world.here)).json()
    assert (found["resourceType"], found["fhirVersion"]) == ("CapabilityStatement", "4.0.1")
    (asked, measure, observation), *none = [one["resource"] for one in found["rest"]]
    assert none == []
    described = (await client.get("/openapi.json")).json()["paths"]
    ours = {path.removeprefix("/fhir/{registry_id}") for path in described if "/fhir/" in path}
    assert ours == {
        "",
        "/metadata",
        "/Questionnaire",
        "/Questionnaire/{questionnaire_id}",
        "/QuestionnaireResponse",
        "/QuestionnaireResponse/{response_id}",
        "/Measure",
        "/Measure/{measure_id}",
        "/Measure/{measure_id}/$evaluate-measure",
        "/Observation",
        "/Observation/{observation_id}",
    }
    told = (asked["type"], measure["type"], observation["type"])
    assert told == ("Questionnaire", "Measure", "Observation"), "the registry takes no responses"
    for resource in (asked, measure, observation):
        assert {one["code"] for one in resource["interaction"]} == {"read", "search-type"}
    assert [one["name"] for one in measure["operation"]] == ["evaluate-measure"]
    assert "operation" not in observation
