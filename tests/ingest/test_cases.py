import httpx
import orjson

from tests.ingest.landing import REGISTRY, Landing, exam, follow_up

CASES = f"/v1/registries/{REGISTRY}/cases"


async def test_cases_are_listed_filtered_and_read_with_their_versions(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    key = await landing.key()
    await landing.land(
        [exam(), exam(exam_unique_id="B", other_id="MRN-2", exam_date="2025-05-06"), follow_up()]
    )
    await landing.land([exam(ct_exam_result_lung_rads="3")])
    listed = (await client.get(CASES, headers=key)).json()
    assert [one["form"] for one in listed] == ["exam", "exam", "follow_up"]
    (late,) = (await client.get(f"{CASES}?form=exam&since=2025-05-01", headers=key)).json()
    assert late["case_date"] == "2025-05-06"
    (child,) = (await client.get(f"{CASES}?parent={listed[0]['id']}", headers=key)).json()
    assert child["parent_id"] == listed[0]["id"]
    assert child["subject"] == listed[0]["subject"]
    first = await client.get(f"{CASES}?limit=1", headers=key)
    assert 'rel="next"' in first.headers["Link"]
    shown = await client.get(f"/v1/cases/{listed[0]['id']}", headers=key)
    assert shown.json()["elements"]["ct_exam_result_lung_rads"] == "3"
    assert shown.json()["identity"] is None
    held = {**key, "If-None-Match": shown.headers["ETag"]}
    assert (await client.get(f"/v1/cases/{listed[0]['id']}", headers=held)).status_code == 304
    versions = (await client.get(f"/v1/cases/{listed[0]['id']}/versions", headers=key)).json()
    assert [one["elements"]["ct_exam_result_lung_rads"] for one in versions] == ["2", "3"]
    assert versions[0]["to_seq"] == versions[1]["from_seq"]


async def test_only_the_owning_facility_reads_identities_and_each_look_is_on_record(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    key = await landing.key()
    await landing.land([exam()])
    (case,) = (await client.get(CASES, headers=key)).json()
    address = f"/v1/cases/{case['id']}?identity=true"
    shown = (await client.get(address, headers=key)).json()
    assert shown["identity"]["patient_last_name"] == "Long"
    assert "patient_last_name" not in shown["elements"]
    audited = await landing.rows(
        "SELECT facility_id FROM audit_events WHERE action = 'read-identity' AND record_id = :id",
        id=str(case["id"]),
    )
    assert audited == [(landing.facilities[0],)]
    operator = await landing.key(role="operator")
    assert (await client.get(address, headers=operator)).status_code == 403
    plain = (await client.get(f"/v1/cases/{case['id']}", headers=operator)).json()
    assert plain["identity"] is None
    (other,) = await landing.participate("active")
    assert (await client.get(address, headers=await landing.key([other]))).status_code == 404


async def test_a_case_is_found_by_its_identifier_in_a_body_and_by_its_facility_alone(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    key = await landing.key()
    await landing.land([exam(), follow_up()])
    (found,) = (
        await client.post(f"{CASES}/search", headers=key, json={"key": {"exam_unique_id": " A-1 "}})
    ).json()
    assert found["form"] == "exam"
    child = await client.post(
        f"{CASES}/search",
        headers=key,
        json={"form": "follow_up", "key": {"exam_unique_id": "A-1", "follow_up_unique_id": "F-1"}},
    )
    assert [one["parent_id"] for one in child.json()] == [found["id"]]
    (other,) = await landing.participate("active")
    theirs = await client.post(
        f"{CASES}/search",
        headers=await landing.key([other]),
        json={"key": {"exam_unique_id": "A-1"}},
    )
    assert theirs.json() == []
    wrong = await client.post(
        f"{CASES}/search", headers=key, json={"key": {"patient_last_name": "Long"}}
    )
    assert wrong.status_code in (200, 422)
    assert "Long" not in wrong.text


async def test_deleting_a_case_withdraws_it_by_a_submission(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    key = await landing.key()
    await landing.land([exam(), follow_up(), follow_up(follow_up_unique_id=None)])
    cases = (await client.get(CASES, headers=key)).json()
    for case in reversed(cases):
        address = f"/v1/cases/{case['id']}"
        tag = (await client.get(address, headers=key)).headers["ETag"]
        stale = await client.delete(address, headers={**key, "If-Match": '"other"'})
        assert stale.status_code == 412
        answer = await client.delete(address, headers={**key, "If-Match": tag})
        assert answer.status_code == 202
        await landing.run()
        told = (await client.get(answer.headers["Location"], headers=key)).json()
        assert told["counts"]["withdrawn"] == 1, told
        assert (await client.get(address, headers=key)).json()["state"] == "withdrawn"
        assert (await client.delete(address, headers=key)).status_code == 409


async def test_a_subject_entry_is_a_case_of_its_own_that_can_be_withdrawn(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    key = await landing.key()
    person = {
        name: value
        for name, value in exam()["elements"].items()
        if name.startswith(("patient_", "other_id", "refused", "facility"))
        and name not in ("patient_height", "patient_weight")
    }
    landed = await landing.land([{"form": "subject", "action": "submit", "elements": person}])
    assert landed.outcomes == ["accepted"], landed.findings
    await landing.land([exam()])
    cases = (await client.get(CASES, headers=key)).json()
    assert len({case["subject"] for case in cases}) == 1
    answer = await client.delete(f"/v1/cases/{cases[0]['id']}", headers=key)
    await landing.run()
    told = (await client.get(answer.headers["Location"], headers=key)).json()
    assert told["counts"]["withdrawn"] == 1
    again = orjson.dumps({"entries": [{"form": "subject", "elements": person}]})
    assert (await landing.land(again)).outcomes == ["accepted"]
