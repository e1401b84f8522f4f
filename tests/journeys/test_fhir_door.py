"""FHIR's own door: a response filled as the Questionnaire that is served asks, until it counts."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest

from app.benchmarks import steps
from tests.ingest.measuring import Site
from tests.journeys import test_ninth as ninth
from tests.journeys.test_ninth import ENTRY, FHIR, REGISTRY, VISIT, answered
from tests.make.accounts import bearer

settings, works, site = ninth.settings, ninth.works, ninth.site

BASE = f"/fhir/{REGISTRY}"
Resource = dict[str, Any]


async def sent(site: Site, resource: Any, path: str = "", **headers: str) -> httpx.Response:
    """Send a resource while the steps run, as they do beside a web process."""
    body = resource if isinstance(resource, bytes) else orjson.dumps(resource)
    told = {**bearer(site.key), "Content-Type": FHIR, **headers}
    posting = asyncio.create_task(site.client.post(BASE + path, content=body, headers=told))
    while not posting.done():
        await site.work()
        await asyncio.sleep(0.01)
    return posting.result()


async def created(site: Site, resource: Any, **headers: str) -> httpx.Response:
    return await sent(site, resource, "/QuestionnaireResponse", **headers)


async def response(site: Site, elements: dict[str, Any], form: str = "injection") -> Resource:
    """An answer to a form, found by walking its Questionnaire as a form filler does."""
    asked = await site.get(f"{BASE}/Questionnaire/{REGISTRY}-{form}")
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{asked['url']}|{asked['version']}",
        "status": "completed",
        "item": answered(asked["item"], elements),
    }


def bundle(kind: str, *responses: Any, **request: Any) -> Resource:
    asked = {"method": "POST", "url": "QuestionnaireResponse", **request}
    inside = [{"resource": one, "request": asked} for one in responses]
    return {"resourceType": "Bundle", "type": kind, "entry": inside}


def numbered(number: int, **changed: Any) -> dict[str, Any]:
    return ENTRY | {"accession": f"N-{number}", "record": f"MRN-{number}"} | changed


def issues(outcome: Resource) -> list[tuple[str, str, str]]:
    """Weight, kind and code of the findings in an outcome."""
    assert outcome["resourceType"] == "OperationOutcome"
    return [
        (one["severity"], one["code"], one["details"]["coding"][0]["code"])
        for one in outcome["issue"]
        if "details" in one
    ]


async def test_what_is_served_is_said_and_each_form_is_at_its_own_address(site: Site) -> None:
    stated = await site.get(f"{BASE}/metadata")
    (rest,) = stated["rest"]
    told = {one["type"]: [each["code"] for each in one["interaction"]] for one in rest["resource"]}
    assert told["Questionnaire"] == ["read", "search-type"]
    assert told["QuestionnaireResponse"] == ["create", "read"]
    assert [one["code"] for one in rest["interaction"]] == ["transaction", "batch"]
    found = await site.get(f"{BASE}/Questionnaire")
    assert [one["resource"]["id"] for one in found["entry"]] == [
        f"{REGISTRY}-injection",
        f"{REGISTRY}-visit",
    ]
    for one in found["entry"]:
        form = one["resource"]
        assert (
            form["url"]
            == one["fullUrl"]
            == f"http://hounsfield.test{BASE}/Questionnaire/{form['id']}"
        )
        assert await site.get(f"{BASE}/Questionnaire/{form['id']}") == form
        (same,) = (await site.get(f"{BASE}/Questionnaire?url={form['url']}"))["entry"]
        assert same["resource"] == form


async def test_responses_are_created_amended_read_and_counted(site: Site) -> None:
    first = await created(site, await response(site, ENTRY))
    assert (first.status_code, first.headers["content-type"]) == (201, FHIR)
    assert issues(first.json()) == []
    place = first.headers["location"]
    assert place.startswith(f"http://hounsfield.test{BASE}/QuestionnaireResponse/")
    kept = await site.get(place.removeprefix("http://hounsfield.test"))
    shown = {name: value for name, value in ENTRY.items() if name in ninth.SHOWN}
    asked = await site.get(f"{BASE}/Questionnaire/{REGISTRY}-injection")
    told = {one["linkId"]: one for one in kept["item"][0]["item"]}
    for one in answered(asked["item"], shown)[0]["item"]:
        if "answer" in one and "valueCoding" not in one["answer"][0]:
            assert told[one["linkId"]] == one
    assert "MRN-1" not in str(kept), "who it is stays in the vault"

    again = await created(site, await response(site, ENTRY))
    assert again.status_code == 200, "the same again changes nothing"
    other = {**await response(site, ENTRY | {"exposure": 1700}), "status": "amended"}
    amended = await created(site, other, Prefer="return=representation")
    assert amended.status_code == 201
    assert (amended.json()["resourceType"], amended.json()["status"]) == (
        "QuestionnaireResponse",
        "completed",
    )
    key = {"Idempotency-Key": "once"}
    one = await created(site, await response(site, numbered(2)), **key)
    same = await created(site, await response(site, numbered(2)), **key)
    assert same.headers["location"] == one.headers["location"]
    assert same.headers["idempotency-replayed"] == "true"
    clash = await created(site, await response(site, numbered(3)), **key)
    assert (clash.status_code, clash.json()["resourceType"]) == (422, "OperationOutcome")

    many = bundle("transaction", *[await response(site, numbered(n)) for n in range(3, 13)])
    done = await sent(site, many)
    assert (done.status_code, done.json()["type"]) == (200, "transaction-response")
    assert {one["response"]["status"] for one in done.json()["entry"]} == {"201 Created"}
    visits = [VISIT, VISIT | {"seen_on": "2025-03-03"}]
    batch = bundle("batch", *[await response(site, one, "visit") for one in visits])
    well, ill = (one["response"] for one in (await sent(site, batch)).json()["entry"])
    assert well["status"] == "201 Created"
    assert ill["status"] == "422 Unprocessable Entity"
    assert issues(ill["outcome"]) == [("error", "business-rule", "rule")]
    assert ill["outcome"]["issue"][0]["expression"] == [
        "Bundle.entry[1].resource.descendants().where(linkId = 'seen_on')"
    ]
    while await steps.tabulate(site.works.workshop) or await steps.build(site.works.workshop):
        pass
    over = f"/v1/registries/{REGISTRY}/metrics?facility={site.facility}&period=2025-03"
    (metric,) = (await site.get(over))["metrics"]
    assert (metric["denominator"], metric["rate"]) == (12, 0.08)


async def test_a_transaction_is_taken_whole_or_not_at_all_and_nobody_waits_who_would_not(
    site: Site,
) -> None:
    good = await response(site, numbered(1))
    flawed = await response(site, numbered(2, joints=[{"joint": "O"}]))
    refused = await sent(site, bundle("transaction", good, flawed))
    assert refused.status_code == 422
    assert ("error", "required", "missing") in issues(refused.json())
    assert await site.cases() == []
    some = await sent(site, bundle("batch", good, flawed))
    assert [one["response"]["status"][:3] for one in some.json()["entry"]] == ["201", "422"]
    other = await response(site, numbered(4))
    later = await site.client.post(
        f"{BASE}/QuestionnaireResponse",
        content=orjson.dumps(other),
        headers={**bearer(site.key), "Content-Type": FHIR, "Prefer": "respond-async"},
    )
    assert later.status_code == 202
    await site.work()
    followed = later.headers["content-location"].removeprefix("http://hounsfield.test")
    assert (await site.get(followed))["counts"]["created"] == 1
    assert len(await site.cases()) == 2


async def test_what_is_no_answer_to_a_form_is_refused_where_it_stands(site: Site) -> None:
    good = await response(site, ENTRY)
    (section,) = good["item"]
    inside = section["item"]

    def more(*items: Any) -> Resource:
        return {**good, "item": [{**section, "item": [*inside, *items]}]}

    def other(link: str, **changed: Any) -> Resource:
        items = [{**one, **changed} if one["linkId"] == link else one for one in inside]
        return {**good, "item": [{**section, "item": items}]}

    secret = "Quizzleberry"
    row = next(one for one in inside if one["linkId"] == "joints")
    stray = {**row, "item": [*row["item"], {"linkId": "exposure", "answer": [{"valueInteger": 3}]}]}
    hostile: list[tuple[Resource, int, set[str]]] = [
        (more({"linkId": secret, "answer": [{"valueString": secret}]}), 422, {"unknown-element"}),
        (other("exposure", answer=[{"valueString": secret}]), 422, {"not-an-integer"}),
        (other("exposure", answer=[{"valueReference": {"display": secret}}]), 422, {"not-an-integer"}),
        (other("exposure", answer=[{"valueInteger": 1, "valueString": secret}]), 400, {"not-an-entry"}),
        (other("sedation", answer=[{"valueCoding": {"system": secret, "code": "S"}}]), 422, {"not-in-value-set"}),
        ({**good, "contained": [{"resourceType": "Patient", "id": secret}]}, 422, {"unknown-element"}),
        ({**good, "modifierExtension": [{"url": secret}]}, 422, {"unknown-element"}),
        ({**good, "implicitRules": secret}, 422, {"unknown-element"}),
        (other("exposure", anwser=[{"valueInteger": 1}]), 422, {"unknown-element"}),
        (other("exposure", item=[{"linkId": "sedative"}]), 400, {"not-an-entry"}),
        ({**good, "item": [{**section, "item": [stray]}]}, 422, {"unknown-element", "missing"}),
        ({**good, "item": [{"linkId": "joints.needles", "item": [{"linkId": "joints.needles.gauge"}]}]}, 422,
         {"unknown-element", "missing"}),
        ({**good, "questionnaire": f"http://elsewhere/Questionnaire/{secret}"}, 422, {"unknown-form"}),
        ({**good, "status": secret}, 422, {"unknown-action"}),
    ]  # fmt: skip
    for number, (resource, status, codes) in enumerate(hostile):
        told = await created(site, resource)
        assert told.status_code == status, (number, told.text)
        assert {one[2] for one in issues(told.json())} >= codes, (number, told.text)
        assert secret not in told.text, number
    url = good["questionnaire"].partition("|")[0]
    unheard = await created(site, {**good, "questionnaire": f"{url}|0.9.0"})
    assert unheard.status_code == 422
    deleting = await sent(site, bundle("batch", good, method="DELETE"))
    assert deleting.json()["entry"][0]["response"]["status"] == "400 Bad Request"
    assert await site.cases() == []


@pytest.mark.parametrize(
    ("path", "body", "kind", "status"),
    [
        ("/QuestionnaireResponse", b"{", FHIR, 400),
        ("/QuestionnaireResponse", b"[]", FHIR, 400),
        ("/QuestionnaireResponse", b'{"resourceType":"Patient"}', FHIR, 400),
        ("/QuestionnaireResponse", b'{"resourceType":"Bundle"}', "application/json", 400),
        ("/QuestionnaireResponse", b"<a/>", "application/fhir+xml", 415),
        ("/QuestionnaireResponse", b"{}", "application/fhir+json; charset=utf-16", 415),
        ("", b'{"resourceType":"Bundle","type":"message","entry":[{}]}', FHIR, 400),
        ("", b'{"resourceType":"Bundle","type":"batch"}', FHIR, 400),
        ("", b'{"resourceType":"Bundle","type":["batch"],"entry":[{}]}', FHIR, 400),
    ],
)
async def test_what_is_no_such_resource_never_becomes_a_submission(
    site: Site, path: str, body: bytes, kind: str, status: int
) -> None:
    told = await site.client.post(
        BASE + path, content=body, headers={**bearer(site.key), "Content-Type": kind}
    )
    assert (told.status_code, told.headers["content-type"]) == (status, FHIR)
    assert told.json()["resourceType"] == "OperationOutcome"
    assert await site.get("/v1/submissions") == []
