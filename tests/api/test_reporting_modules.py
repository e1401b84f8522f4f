"""Structured reporting modules on the wire: listed, read, imported, evaluated."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from app.access import Role
from app.postgres import Addresses
from app.settings import Settings
from tests.make.accounts import Desk, key_for
from tests.reporting.test_cards import BOMB, WHOLE

HERE = "/v1/reporting-modules"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desks(settings: Settings, database: Addresses) -> AsyncIterator[tuple[Desk, Desk]]:
    from app.main import create_app

    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app, raise_app_exceptions=False),
            base_url="http://hounsfield.test",
        ) as client,
    ):
        operator = Desk(client, await key_for(database, Role.OPERATOR))
        yield operator, Desk(client, await key_for(database, Role.RESEARCHER))


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_shipped_modules_are_listed_and_read_with_their_tables(
    desks: tuple[Desk, Desk],
) -> None:
    _, researcher = desks
    listed = (await researcher("GET", HERE)).json()["modules"]
    assert {one["id"] for one in listed} >= {"lung-rads-2022", "covid-19-chest-ct"}
    assert all(len(one["digest"]) == 64 for one in listed)
    body = (await researcher("GET", f"{HERE}/lung-rads-2022")).json()
    assert [one["id"] for one in body["groups"]] == ["nodules"]
    assert {one["id"] for one in body["tables"]} >= {"solid", "part_solid", "stepped"}
    assert (await researcher("GET", f"{HERE}/lung-rads-1066")).status_code == 404
    assert (await researcher("GET", f"{HERE}/lung-rads-2022?version=1.0")).status_code == 404


async def test_answers_come_to_an_end_point_a_report_codes_and_a_follow_up(
    desks: tuple[Desk, Desk],
) -> None:
    _, researcher = desks
    answers = {"nodules": [{"kind": "solid", "status": "baseline", "diameter": 7.2}]}
    answer = await researcher("POST", f"{HERE}/lung-rads-2022/evaluate", {"answers": answers})
    assert answer.status_code == 200
    body = answer.json()
    assert body["complete"]
    (end,) = body["end_points"]
    assert end["label"] == "Category 3"
    assert end["follow_up"]["earliest"] == "P6M"
    assert body["report"]["impression"] == "Lung-RADS 3: probably benign."
    assert body["items"]["nodules"][0]["category"] == "3"
    assert body["codes"][0]["value"]["code"] == "RDE1301.0"


async def test_what_is_missing_is_asked_and_what_is_wrong_is_placed_without_its_value(
    desks: tuple[Desk, Desk],
) -> None:
    _, researcher = desks
    answers = {"nodules": [{"kind": "canary-7f3a", "canary-9c1d": 1}], "canary-2b8e": 2}
    answer = await researcher("POST", f"{HERE}/lung-rads-2022/evaluate", {"answers": answers})
    assert answer.status_code == 200
    assert "canary" not in answer.text
    body = answer.json()
    assert not body["complete"]
    assert {(one["pointer"], one["code"]) for one in body["flaws"]} == {
        ("/answers", "unknown-element"),
        ("/answers/nodules/0", "unknown-element"),
        ("/answers/nodules/0/kind", "not-a-choice"),
    }
    asked = {one["element"] for one in body["questions"] if one["relevant"] and one["required"]}
    assert {"kind", "status"} <= asked


@pytest.mark.parametrize("place", ["", "/lung-rads-2022"])
async def test_what_a_reader_holds_is_not_sent_again(desks: tuple[Desk, Desk], place: str) -> None:
    _, researcher = desks
    first = await researcher("GET", HERE + place)
    tag = first.headers["ETag"]
    again = await researcher("GET", HERE + place, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert (
        await researcher("GET", HERE + place, headers={"If-None-Match": '"x"'})
    ).status_code == 200


async def test_a_pointer_to_an_element_of_any_name_can_be_followed(
    desks: tuple[Desk, Desk],
) -> None:
    operator, researcher = desks
    odd = WHOLE.replace("renal-stone", "odd-names").replace('"count"', '"count/a~b"')
    assert (await operator("POST", HERE, content=odd)).status_code == 201
    answers = {"answers": {"count/a~b": 0, "seen": "yes"}}
    answer = await researcher("POST", f"{HERE}/odd-names/evaluate", answers)
    assert [one["pointer"] for one in answer.json()["flaws"]] == ["/answers/count~1a~0b"]


@pytest.mark.parametrize(
    "value",
    ["1E999999999", "9" * 100_000, '"\\ud800"', '"1E-999999"', '"sNaN"', "NaN", "1" + "0" * 300],
)
async def test_no_answer_is_an_error_of_ours(desks: tuple[Desk, Desk], value: str) -> None:
    _, researcher = desks
    content = (
        f'{{"answers": {{"nodules": [{{"kind": {value}, "diameter": {value}, "\\ud800": 1}}]}}}}'
    )
    answer = await researcher(
        "POST",
        f"{HERE}/lung-rads-2022/evaluate",
        content=content,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in (200, 400, 422)
    if answer.status_code == 200:
        assert not answer.json()["complete"]


@pytest.mark.parametrize("body", [{}, {"answers": []}, {"answers": {}, "more": 1}, []])
async def test_a_body_that_is_none_is_refused(desks: tuple[Desk, Desk], body: object) -> None:
    _, researcher = desks
    answer = await researcher("POST", f"{HERE}/lung-rads-2022/evaluate", body)
    assert answer.status_code == 422


async def test_a_module_is_imported_once_and_frozen(desks: tuple[Desk, Desk]) -> None:
    operator, researcher = desks
    assert (await researcher("POST", HERE, content=WHOLE)).status_code == 403
    first = await operator("POST", HERE, content=WHOLE)
    assert first.status_code == 201, first.text
    assert first.json() == {"id": "renal-stone", "version": "1.2", "new": True, "doubts": []}
    assert first.headers["Location"] == f"{HERE}/renal-stone?version=1.2"
    again = await operator("POST", HERE, content=WHOLE)
    assert (again.status_code, again.json()["new"]) == (200, False)
    other = await operator("POST", HERE, content=WHOLE.replace("Made up", "Made up twice"))
    assert other.status_code == 409
    newer = WHOLE.replace("<ModuleVersion>1.2", "<ModuleVersion>1.3").replace("Urgent", "At once")
    assert (await operator("POST", HERE, content=newer)).status_code == 201
    answers = {"seen": "yes", "count": 1, "long": 12, "short": 12}
    for version, label in ((None, "At once"), ("1.2", "Urgent"), ("1.3", "At once")):
        params = {"version": version} if version else {}
        answer = await researcher(
            "POST", f"{HERE}/renal-stone/evaluate", {"answers": answers}, params=params
        )
        assert answer.json()["end_points"][0]["label"] == label
    found = (await researcher("GET", first.headers["Location"])).json()
    assert (found["version"], found["shipped"]) == ("1.2", False)
    listed = (await researcher("GET", HERE)).json()["modules"]
    mine = {one["version"]: one for one in listed if one["id"] == "renal-stone"}
    assert [one["version"] for one in listed if one["id"] == "renal-stone"] == ["1.3", "1.2"]
    assert mine["1.2"] == {name: found[name] for name in mine["1.2"] if name != "doubts"} | {
        "doubts": 0
    }
    assert (mine["1.2"]["modalities"], mine["1.2"]["citation"]) == (["CT"], "Made up")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html/>",
        BOMB.encode(),
        b"id: x\n",
        b"[1, 2",
        b"\x00\xff",
        WHOLE.replace("renal-stone", "../../etc").encode(),
        b"id: &a [*a]\n",
    ],
)
async def test_a_hostile_module_is_refused_with_what_is_wrong(
    desks: tuple[Desk, Desk], content: bytes
) -> None:
    operator, _ = desks
    answer = await operator("POST", HERE, content=content)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("invalid-reporting-module")


async def test_a_module_that_is_too_large_and_one_of_a_shipped_id_are_refused(
    desks: tuple[Desk, Desk],
) -> None:
    operator, _ = desks
    assert (await operator("POST", HERE, content=b"<" + b" " * (5 << 20))).status_code == 413
    taken = WHOLE.replace("<ID>renal-stone", "<ID>lung-rads-2022")
    assert (await operator("POST", HERE, content=taken)).status_code == 409
