import asyncio
import csv
import io
from typing import Any

import httpx
import orjson
import pytest

from app.api.progress import harmless
from tests.ingest.landing import REGISTRY, Landing, exam

URL = f"/v1/registries/{REGISTRY}/submissions"


def body(*entries: dict[str, Any]) -> bytes:
    return orjson.dumps({"entries": list(entries)})


async def post(
    client: httpx.AsyncClient,
    content: bytes,
    key: dict[str, str],
    content_type: str = "application/json",
    **headers: str,
) -> httpx.Response:
    return await client.post(
        URL,
        content=content,
        headers={**key, "Content-Type": content_type, **headers},
    )


async def test_a_submission_is_answered_at_once_and_followed_by_its_address(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    key = await landing.key()
    sent = await post(client, body(exam(), exam(exam_unique_id="B", dlp="much")), key)
    assert sent.status_code == 202
    assert sent.json()["state"] == "received"
    where = sent.headers["Location"]
    await landing.run()
    shown = await client.get(where, headers=key)
    assert shown.json()["state"] == "completed"
    counts = shown.json()["counts"]
    assert (counts["entries"], counts["accepted"], counts["rejected"]) == (2, 1, 1)
    again = await client.get(where, headers={**key, "If-None-Match": shown.headers["ETag"]})
    assert again.status_code == 304
    found = (await client.get(f"{where}/findings", headers=key)).json()
    assert [(one["entry"], one["place"], one["code"]) for one in found] == [
        (2, "dlp", "not-a-number")
    ]
    assert "much" not in str(found)
    outcomes = (await client.get(f"{where}/entries?outcome=rejected", headers=key)).json()
    assert [one["entry"] for one in outcomes] == [2]
    listed = (await client.get("/v1/submissions?state=completed", headers=key)).json()
    assert [one["id"] for one in listed] == [sent.json()["id"]]


async def test_whoever_would_wait_gets_the_outcome_in_the_answer(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    key = await landing.key()
    waiting = asyncio.create_task(post(client, body(exam()), key, Prefer="wait=20"))
    while not waiting.done():
        await landing.run()
        await asyncio.sleep(0.05)
    answer = waiting.result()
    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert answer.json()["counts"]["created"] == 1
    late = await post(client, body(exam()), key, Prefer="respond-async, wait=0")
    assert (late.status_code, late.headers["Preference-Applied"]) == (202, "wait=0")


async def test_an_idempotency_key_replays_the_same_and_refuses_another_body(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    key = await landing.key()
    first = await post(client, body(exam()), key, **{"Idempotency-Key": "k1"})
    again = await post(client, body(exam()), key, **{"Idempotency-Key": "k1"})
    other = await post(client, body(exam(dlp="1.00")), key, **{"Idempotency-Key": "k1"})
    assert again.status_code == 202
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.status_code == 422
    assert other.json()["type"].endswith("/problems/idempotency-key-reused")
    stranger = await post(
        client, body(exam(dlp="1.00")), await landing.key(), **{"Idempotency-Key": "k1"}
    )
    assert stranger.status_code == 202
    assert stranger.json()["id"] != first.json()["id"]


async def test_one_idempotency_key_from_sixteen_clients_makes_one_submission(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    key = await landing.key()
    answers = await asyncio.gather(
        *(post(client, body(exam()), key, **{"Idempotency-Key": "k2"}) for _ in range(16))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await landing.rows(
        "SELECT count(*) FROM vault.quarantine WHERE facility_id = :f", f=landing.facilities[0]
    ) == [(1,)]


@pytest.mark.parametrize("content_type", ["application/pdf", "", "text/csv; charset=koi8-r"])
async def test_another_content_type_is_told_what_is_taken(
    client: httpx.AsyncClient, landing: Landing, content_type: str
) -> None:
    answer = await post(client, b"x", await landing.key(), content_type)
    assert answer.status_code == 415
    assert answer.json()["allowed"]


async def test_more_than_the_limit_is_refused_with_the_limit_and_leaves_nothing(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    limit = landing.works.settings.submission_limit

    async def endless() -> Any:
        for _ in range(limit // 1_000_000 + 2):
            yield b" " * 1_000_000

    answer = await client.post(
        URL,
        content=endless(),
        headers={**await landing.key(), "Content-Type": "application/json"},
    )
    assert answer.status_code == 413
    assert answer.json()["limit"] == limit
    files = [path for path in landing.works.settings.data.rglob("quarantine/*/*") if path.is_file()]
    assert files == []


async def test_a_form_carries_a_file_by_its_name_or_its_type(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    key = await landing.key()
    text = ",".join(exam()["elements"]) + "\n" + ",".join(exam()["elements"].values()) + "\n"
    for name, media in (("exams.csv", "application/octet-stream"), ("exams", "text/csv")):
        answer = await client.post(
            URL, headers=key, data={"comment": "x"}, files={"file": (name, text.encode(), media)}
        )
        assert answer.status_code == 202, answer.text
        await landing.run()
        told = (await client.get(answer.headers["Location"], headers=key)).json()
        assert told["channel"] == "delimited"
        assert told["counts"]["accepted"] == 1
    empty = await client.post(URL, headers=key, data={"comment": "x"})
    assert empty.status_code in (415, 422)


async def test_a_form_with_a_boundary_longer_than_any_is_refused(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    kind = f"multipart/form-data; boundary={'b' * 300}"
    answer = await post(client, b"--b--", await landing.key(), kind)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("/problems/broken-form")


async def test_a_form_that_breaks_off_is_refused(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    start = (
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\nexam_unique_id\n'
    )
    answer = await post(client, start, await landing.key(), "multipart/form-data; boundary=b")
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("/problems/broken-form")


async def test_only_an_active_participation_may_submit(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    suspended, active = await landing.participate("suspended", "active")
    refused = await post(client, body(exam()), await landing.key([suspended]))
    assert refused.status_code == 403
    key = await landing.key([suspended, active])
    mixed = await post(
        client,
        body(
            exam(facility_id=str(suspended)), exam(facility_id=str(active)), exam(),
            exam(facility_id="999999"),
        ),
        key,
    )  # fmt: skip
    assert mixed.status_code == 202
    await landing.run()
    found = (await client.get(mixed.headers["Location"] + "/findings", headers=key)).json()
    assert [(one["entry"], one["place"], one["code"]) for one in found] == [
        (1, "facility_id", "not-participating"),
        (3, "facility_id", "unknown-facility"),
        (4, "facility_id", "other-facility"),
    ]


async def test_a_facility_that_is_not_yours_is_not_found(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    (other,) = await landing.participate("active")
    key = await landing.key()
    assert (
        await client.post(
            f"{URL}?facility={other}",
            content=body(exam()),
            headers={**key, "Content-Type": "application/json"},
        )
    ).status_code == 404
    sent = await post(client, body(exam(facility_id=str(other))), key)
    await landing.run()
    found = (await client.get(sent.headers["Location"] + "/findings", headers=key)).json()
    assert [one["code"] for one in found] == ["other-facility"]
    theirs = await landing.key([other])
    for path in "", "/findings", "/entries", "/events":
        assert (
            await client.get(sent.headers["Location"] + path, headers=theirs)
        ).status_code == 404


async def test_findings_come_as_a_table_that_no_spreadsheet_runs(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    key = await landing.key()
    sent = await post(
        client, body(exam(patient_sex="=cmd|' /C calc'!A0"), exam(dlp="@SUM(1)")), key
    )
    await landing.run()
    answer = await client.get(
        sent.headers["Location"] + "/findings", headers={**key, "Accept": "text/csv"}
    )
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["entry"], row["place"]) for row in rows] == [("1", "patient_sex"), ("2", "dlp")]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert "cmd" not in answer.text
    refused = await client.get(
        sent.headers["Location"] + "/findings", headers={**key, "Accept": "image/png"}
    )
    assert refused.status_code == 406


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@a", "\tx", "\rx"])
def test_a_cell_that_begins_like_a_formula_is_set_off(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"
    assert harmless("plain") == "plain"


async def test_events_tell_each_change_once_and_end(
    client: httpx.AsyncClient, landing: Landing
) -> None:
    key = await landing.key()
    sent = await post(client, body(exam()), key)
    where = sent.headers["Location"] + "/events"
    following = asyncio.create_task(client.get(where, headers=key))
    await asyncio.sleep(0.3)
    await landing.run()
    events = (
        [one for one in following.result().text.split("\n\n") if one.startswith("event:")]
        if (await asyncio.wait_for(asyncio.shield(following), 20))
        else []
    )
    states = [orjson.loads(one.split("data: ")[1])["state"] for one in events]
    assert states[0] == "received"
    assert states[-1] == "completed"
    last = events[-1].split("id: ")[1].splitlines()[0]
    after = await client.get(where, headers={**key, "Last-Event-ID": last})
    assert after.text == ""
