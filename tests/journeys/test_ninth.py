"""
A ninth registry, written from the how-to alone: rows inside rows, a conditional rule, a ratio within an
outcome window and elements that images say. Each door brings the same entry to the same case.
"""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import orjson
import pytest
import pytest_asyncio

from app.benchmarks import steps
from app.database import Database
from app.postgres import Addresses
from app.settings import Settings
from app.simulation.doors import Doors
from app.worker import Works, open_works
from tests.ingest.measuring import Site, opened
from tests.make.accounts import bearer
from tests.make.instances import sent

NINTH = Path(__file__).parents[1] / "make" / "ninth"
REGISTRY = "joint-injections"
FORM = f"/v1/registries/{REGISTRY}/forms/injection"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FHIR = "application/fhir+json"
RADIOFLUOROSCOPY = "1.2.840.10008.5.1.4.1.1.12.2"

ENTRY: dict[str, Any] = {
    "accession": "ACC-000001",
    "record": "MRN-1",
    "born": "1961-07-04",
    "done_on": "2025-03-04",
    "sedation": "S",
    "sedative": "Midazolam",
    "risks": ["1", "2"],
    "consent": True,
    "exposure": 1500,
    "joints": [
        {"joint": "K", "needles": [{"gauge": 22, "volume": "12.5"}, {"gauge": 27}]},
        {"joint": "O", "joint_other": "Thumb"},
    ],
}
VISIT = {"accession": "ACC-000001", "seen_on": "2025-03-20", "infections": 1}
SHOWN = {
    name: value for name, value in ENTRY.items() if name not in ("accession", "record", "born")
}


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"definitions": NINTH})


@pytest_asyncio.fixture(scope="module")
async def works(settings: Settings) -> Any:
    async with open_works(settings) as found:
        yield found


@pytest_asyncio.fixture
async def site(
    client: httpx.AsyncClient, database: Addresses, works: Works, worker: Database
) -> Site:
    return await opened(client, database, works, worker, REGISTRY)


async def submitted(site: Site, body: bytes, media_type: str) -> dict[str, Any]:
    """Send a body, run every step, and tell what became of it."""
    answer = await site.client.post(
        f"/v1/registries/{REGISTRY}/submissions",
        content=body,
        headers={**bearer(site.key), "Content-Type": media_type},
    )
    assert answer.status_code == 202, answer.text
    await site.work()
    found = await site.get(f"/v1/submissions/{answer.json()['id']}")
    told = await site.get(f"/v1/submissions/{answer.json()['id']}/findings")
    return {**found, "findings": [(one["entry"], one["place"], one["code"]) for one in told]}


def flat(elements: dict[str, Any], at: str = "") -> dict[str, Any]:
    """An entry as the columns of a table, rows counted from 1."""
    found: dict[str, Any] = {}
    for name, value in elements.items():
        if isinstance(value, list) and isinstance(value[0], dict):
            for number, row in enumerate(value, start=1):
                found |= flat(row, f"{at}{name}.{number}.")
        else:
            found[at + name] = ";".join(value) if isinstance(value, list) else value
    return found


def as_json(*entries: dict[str, Any]) -> tuple[bytes, str]:
    body = [{"form": "injection", "elements": one} for one in entries]
    return orjson.dumps({"entries": body}), "application/json"


def as_lines(*entries: dict[str, Any]) -> tuple[bytes, str]:
    lines = (orjson.dumps({"form": "injection", "elements": one}) for one in entries)
    return b"\n".join(lines), "application/x-ndjson"


def as_text(*entries: dict[str, Any]) -> tuple[bytes, str]:
    rows = [flat(one) for one in entries]
    names = list(dict.fromkeys(name for row in rows for name in row))
    made = io.StringIO()
    writer = csv.DictWriter(made, names, delimiter="|")
    writer.writeheader()
    writer.writerows(rows)
    return made.getvalue().encode(), "text/plain"


def answered(items: list[dict[str, Any]], elements: dict[str, Any], path: str = "") -> list[Any]:
    """The items of a QuestionnaireResponse, found by walking the Questionnaire as a form filler does."""
    found: list[Any] = []
    for item in items:
        name = item["linkId"].removeprefix(path)
        if item["type"] == "group" and not item.get("repeats"):
            inner = answered(item["item"], elements, path)
            found += [{"linkId": item["linkId"], "item": inner}] if inner else []
        elif item["type"] == "group":
            for row in elements.get(name, ()):
                inner = answered(item["item"], row, f"{item['linkId']}.")
                found.append({"linkId": item["linkId"], "item": inner})
        elif name in elements:
            value = elements[name]
            many = value if isinstance(value, list) else [value]
            found.append({"linkId": item["linkId"], "answer": [_answer(item, one) for one in many]})
    return found


def _answer(item: dict[str, Any], value: Any) -> dict[str, Any]:
    match item["type"]:
        case "choice":
            codings = [one["valueCoding"] for one in item["answerOption"]]
            return {"valueCoding": next(one for one in codings if one["code"] == value)}
        case "decimal":
            return {"valueDecimal": float(value)}
        case kind:
            return {f"value{kind[0].upper()}{kind[1:]}": value}


async def responses(
    site: Site, *entries: dict[str, Any], status: str = "completed"
) -> tuple[bytes, str]:
    asked = await site.get(f"{FORM}/questionnaire")
    made = [
        {
            "resourceType": "QuestionnaireResponse",
            "questionnaire": f"{asked['url']}|{asked['version']}",
            "status": status,
            "item": answered(asked["item"], one),
        }
        for one in entries
    ]
    if len(made) == 1:
        return orjson.dumps(made[0]), FHIR
    bundle = [{"resource": one} for one in made]
    return orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": bundle}), FHIR


async def in_the_template(site: Site, *entries: dict[str, Any]) -> tuple[bytes, str]:
    answer = await site.client.get(f"{FORM}/template", headers=bearer(site.key))
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    sheet = book.worksheets[0]
    headings = [cell.value for cell in sheet[1]]
    for number, one in enumerate(entries, start=2):
        for name, value in flat(one).items():
            sheet.cell(number, headings.index(name) + 1, value)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue(), XLSX


async def through(site: Site, door: str, *entries: dict[str, Any]) -> tuple[bytes, str]:
    plain: dict[str, Callable[..., tuple[bytes, str]]] = {
        "json": as_json, "ndjson": as_lines, "delimited": as_text,
    }  # fmt: skip
    if door in plain:
        return plain[door](*entries)
    return await (responses if door == "fhir" else in_the_template)(site, *entries)


DOORS = ("json", "ndjson", "delimited", "xlsx", "fhir")


async def test_every_door_makes_the_same_case_of_an_entry(site: Site) -> None:
    for number, door in enumerate(DOORS):
        one = ENTRY | {"accession": f"{door}-1", "record": f"MRN-{number}"}
        other = ENTRY | {"accession": f"{door}-2", "record": f"MRN-{number}", "sedation": "N"}
        flawed = {**other, "joints": [{"joint": "K", "needles": [{"gauge": 27, "volume": "20.0"}]}]}
        done = await submitted(site, *await through(site, door, one, flawed))
        assert (done["state"], done["counts"]["created"]) == ("completed", 1), door
        assert done["findings"] == [
            (2, "joints[0].needles[0].volume", "rule"),
            (2, "sedative", "not-relevant"),
        ] or {found[1:] for found in done["findings"]} == {
            ("joints[0].needles[0].volume", "rule"),
            ("sedative", "not-relevant"),
        }, (door, done["findings"])
    cases = await site.cases()
    assert len(cases) == len(DOORS)
    assert [
        {name: value for name, value in one["elements"].items() if name != "facility_id"}
        for one in cases
    ] == [SHOWN] * len(DOORS)


async def test_a_response_says_by_its_status_what_is_meant_and_nothing_in_it_is_lost(
    site: Site,
) -> None:
    draft = {"accession": "F-1", "record": "MRN-9"}
    body, kind = await responses(site, draft, status="in-progress")
    assert (await submitted(site, body, kind))["counts"]["saved"] == 1
    body, kind = await responses(site, ENTRY | {"accession": "F-1"}, status="amended")
    assert (await submitted(site, body, kind))["counts"]["accepted"] == 1
    response = orjson.loads(body)
    wrong: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
        ({"questionnaire": "http://elsewhere/Questionnaire/other"}, [("_form", "unknown-form")]),
        ({"questionnaire": response["questionnaire"].replace("|1.0.0", "|0.9.0")}, [("_form", "unknown-form")]),
        ({"status": "unheard-of"}, [("_action", "unknown-action")]),
        ({"item": "nothing"}, [("row", "not-an-entry")]),
    ]  # fmt: skip
    for change, found in wrong:
        told = await submitted(site, orjson.dumps(response | change), FHIR)
        assert [one[1:] for one in told["findings"]] == found
    (section,) = response["item"]
    secret = {"linkId": "Ottoline", "answer": [{"valueString": "Quizzleberry"}]}
    twice = {"linkId": "exposure", "answer": [{"valueInteger": 7}]}
    more = response | {"item": [{**section, "item": [*section["item"], secret, twice]}]}
    told = await submitted(site, orjson.dumps(more), FHIR)
    codes = {one[2] for one in told["findings"]}
    assert codes == {"unknown-element", "duplicate-element"}
    assert "Ottoline" not in str(told)
    gone, kind = await responses(site, {"accession": "F-1"}, status="entered-in-error")
    assert (await submitted(site, gone, kind))["counts"]["withdrawn"] == 1
    for body in (b"", b"[]", b'{"resourceType": "Patient"}', b'{"resourceType": "Bundle"}'):
        assert (await submitted(site, body, FHIR))["state"] == "unreadable"


async def test_images_begin_a_case_and_are_held_against_what_is_typed(site: Site) -> None:
    image = {
        "SOPClassUID": RADIOFLUOROSCOPY, "Modality": "RF", "ExposureTime": "1400",
        "PatientID": "MRN-77", "AccessionNumber": "ACC-77", "StudyDate": "20250304",
    }  # fmt: skip
    await site.store(sent(1, 77, **image))
    case = await site.case()
    assert case["state"] == "draft"
    assert case["draft"]["exposure"] == 1400
    one = ENTRY | {"accession": "ACC-77", "record": "MRN-77"}
    told = await submitted(site, *as_json(one))
    assert [found[1:] for found in told["findings"]] == [("exposure", "measured-otherwise")]
    case = await site.case()
    assert (case["state"], case["elements"]["exposure"]) == ("submitted", 1500)


async def test_the_ratio_counts_what_came_within_its_window(site: Site) -> None:
    cases = [ENTRY] + [ENTRY | {"accession": f"B-{n}", "record": f"MRN-{n}"} for n in range(2, 13)]
    assert (await submitted(site, *as_json(*cases)))["counts"]["created"] == 12
    visits = [VISIT, VISIT | {"seen_on": "2025-05-20", "infections": 5}]
    body = orjson.dumps({"entries": [{"form": "visit", "elements": one} for one in visits]})
    assert (await submitted(site, body, "application/json"))["counts"]["created"] == 2
    early = orjson.dumps({"form": "visit", "elements": VISIT | {"seen_on": "2025-03-03"}})
    told = await submitted(site, early, "application/json")
    assert [found[1:] for found in told["findings"]] == [("seen_on", "rule")]
    while await steps.tabulate(site.works.workshop) or await steps.build(site.works.workshop):
        pass
    asked = f"/v1/registries/{REGISTRY}/metrics?facility={site.facility}&period=2025-03"
    (metric,) = (await site.get(asked))["metrics"]
    assert (metric["denominator"], metric["observations"]) == (12, 12)
    assert metric["rate"] == 0.08, "one infection of twelve injections"
    report = await site.get(f"/v1/facilities/{site.facility}/reports/{REGISTRY}/2025Q1?format=json")
    (section,) = report["sections"]
    assert [one["id"] for one in section["measures"]] == ["infections"]
    assert report["quality"]["cases"] == 12


def test_its_simulated_entries_are_written_for_the_fhir_door_too(tmp_path: Path) -> None:
    from app.registries.load import load

    doors = Doors(load(NINTH))
    path = tmp_path / "one.json"
    entry = {"form": "injection", "action": "submit", "elements": ENTRY}
    doors.write("fhir", iter([orjson.dumps(entry)]), path)
    assert orjson.loads(path.read_bytes())["resourceType"] == "Bundle"
