"""Two versions of a registry at once: each taken in its window, their cases counted together."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from app.benchmarks import generations
from app.benchmarks.engine import Engine
from app.benchmarks.generations import Workshop
from app.benchmarks.lake import Lake
from app.catalogue import EVERY, Catalogue
from app.database import EVERYTHING, Database
from app.errors import NotFound, VersionNotTaken
from app.main import create_app
from app.settings import Settings
from app.worker import open_works
from tests.benchmarks.tables import tabulated
from tests.conftest import opened
from tests.ingest.landing import Landing
from tests.make.versions import NEW, OLD, REGISTRY, both, earlier

KILOGRAMS = Decimal("0.45359237")


@pytest_asyncio.fixture
async def wire(
    settings: Settings, web: Database, tmp_path: Path
) -> AsyncIterator[tuple[httpx.AsyncClient, Landing]]:
    """The service with both versions, the earlier taken for some seconds more; one facility."""
    until = (datetime.now(UTC) + timedelta(seconds=3600)).isoformat()
    own = settings.model_copy(update={"definitions": both(tmp_path, until=until)})
    async with open_works(own) as works, opened(create_app(own)) as client:
        landing = Landing(works, web, registry=REGISTRY)
        await landing.participate("active")
        yield client, landing


def visit_before(number: int, **changed: Any) -> dict[str, Any]:
    elements = {"visit_id": f"old-{number}", "person": f"p{number}", "visit_date": "2025-07-01"}
    return {"form": "visit", "elements": elements | {"smoking": "3"} | changed}


def visit_now(number: int, **changed: Any) -> dict[str, Any]:
    elements = {"visit_id": f"new-{number}", "patient": f"q{number}", "seen_on": "2025-07-02"}
    return {"form": "visit", "elements": elements | {"site": "clinic"} | changed}


async def post(
    client: httpx.AsyncClient,
    key: dict[str, str],
    entries: list[dict[str, Any]],
    version: str | None = None,
    **headers: str,
) -> httpx.Response:
    return await client.post(
        f"/v1/registries/{REGISTRY}/submissions",
        content=orjson.dumps({"entries": entries}),
        params={"version": version} if version else {},
        headers={**key, "Content-Type": "application/json", **headers},
    )


def test_the_second_of_the_sunset_is_inside_and_the_next_is_not(
    settings: Settings, tmp_path: Path
) -> None:
    def taken(until: str, at: datetime) -> str:
        folder = tmp_path / until.replace(":", "")
        own = settings.model_copy(update={"definitions": both(folder, until=until)})
        return Catalogue(own).taking(REGISTRY, OLD, at).version

    whole_day, second = "2026-01-31", "2026-01-31T17:00:00+01:00"
    assert taken(whole_day, datetime(2026, 1, 31, 23, 59, 59, 999_999, UTC)) == OLD
    assert taken(second, datetime(2026, 1, 31, 16, 0, 0, 999_999, UTC)) == OLD
    for until, after in (
        (whole_day, datetime(2026, 2, 1, tzinfo=UTC)),
        (second, datetime(2026, 1, 31, 16, 0, 1, tzinfo=UTC)),
    ):
        with pytest.raises(VersionNotTaken, match=rf"until 2026-01-31T.*version {NEW}"):
            taken(until, after)
    with pytest.raises(VersionNotTaken, match="are taken from 2025-01-01T00:00:00Z"):
        taken(second, datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC))


async def test_what_is_sent_after_the_sunset_is_refused_and_told_the_new_version(
    settings: Settings, web: Database, tmp_path: Path
) -> None:
    own = settings.model_copy(update={"definitions": both(tmp_path)})
    async with open_works(own) as works, opened(create_app(own)) as client:
        landing = Landing(works, web, registry=REGISTRY)
        await landing.participate("active")
        key = await landing.key()
        first = await post(client, key, [visit_before(1)], OLD, **{"Idempotency-Key": "once"})
        assert (first.status_code, first.json()["definition_version"]) == (202, OLD)
        # The sunset is set while the service runs, some time after it has looked again.
        last = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=EVERY + 2)
        earlier(tmp_path / REGISTRY / OLD, until=last.isoformat())
        await asyncio.sleep(EVERY)
        number, refused, ended = 1, None, last + timedelta(seconds=1)
        while refused is None:
            number, begun = number + 1, datetime.now(UTC)
            answer = await post(client, key, [visit_before(number)], OLD)
            if answer.status_code == 202:
                assert begun < ended
                await asyncio.sleep(0.2)
            else:
                assert datetime.now(UTC) >= ended
                refused = answer
        problem = refused.json()
        assert (refused.status_code, problem["type"].split("/")[-1]) == (422, "version-not-taken")
        assert (problem["version"], problem["successor"]) == (OLD, NEW)
        assert problem["taken_until"] == last.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert NEW in problem["detail"]
        again = await post(client, key, [visit_before(1)], OLD, **{"Idempotency-Key": "once"})
        assert again.json()["id"] == first.json()["id"], "what came in time is answered as it was"
        late = await post(client, key, [visit_before(2)], OLD, **{"Idempotency-Key": "late"})
        assert late.status_code == 422
        assert (await post(client, key, [visit_now(1)])).json()["definition_version"] == NEW
        unknown = await post(client, key, [visit_now(1)], "7.7.7")
        assert unknown.status_code == 404
    with pytest.raises(NotFound):
        works.catalogue.registry(REGISTRY, version="7.7.7")


async def test_cases_of_both_versions_are_counted_together(
    wire: tuple[httpx.AsyncClient, Landing], tmp_path: Path
) -> None:
    client, landing = wire
    key, facility = await landing.key(), landing.facilities[0]
    before = [
        visit_before(1, smoking="1", pounds="150.5", wounds=[{"depth": "S"}, {"depth": "D"}]),
        visit_before(2, smoking="9", pounds="999.0", remark="said nothing"),
        visit_before(3, smoking="2", visit_date="2025-08-03"),
        {"form": "call", "elements": {"visit_id": "old-1", "call_date": "2025-07-09", "better": True}},
    ]  # fmt: skip
    now = [
        visit_now(1, smoking_status="current", kilograms="80.10", wounds=[{"how_deep": "shallow"}]),
        visit_now(2, smoking_status="never", site="home", seen_on="2025-08-04"),
        # A follow-up of the new version of a case of the old one, and the other way round.
        {"form": "call", "elements": {"visit_id": "old-3", "called_on": "2025-08-09", "improved": False}},
    ]  # fmt: skip
    assert (await post(client, key, before, OLD)).status_code == 202
    assert (await post(client, key, now)).status_code == 202
    await landing.run()
    workshop = Workshop(
        landing.works.database,
        landing.works.catalogue,
        Engine("1GB", "1GB", tmp_path / "spill"),
        Lake(tmp_path / "lake"),
    )
    definition = landing.works.catalogue.in_force(REGISTRY)
    assert definition.version == NEW
    assert await generations.reconcile(workshop, definition) == []
    assert await rates(workshop, facility) == counted([one["elements"] for one in before + now])
    crossing = [
        {"form": "call", "elements": {"visit_id": "new-2", "call_date": "2025-08-10", "better": True}}
    ]  # fmt: skip
    assert (await post(client, key, crossing, OLD)).status_code == 202
    early = [
        {"form": "call", "elements": {"visit_id": "new-1", "call_date": "2025-01-01", "better": True}}
    ]  # fmt: skip
    refused = (await post(client, key, early, OLD)).json()
    await landing.run()
    found = (await client.get(f"/v1/submissions/{refused['id']}/findings", headers=key)).json()
    assert [(one["place"], one["code"]) for one in found] == [("call_date", "rule")]
    assert await generations.reconcile(workshop, definition) == []
    sent = [one["elements"] for one in before + now + crossing]
    assert await rates(workshop, facility) == counted(sent)
    # What was sent stays as it was sent.
    kept = await landing.rows(
        "SELECT elements ->> 'smoking', elements ->> 'remark' FROM versions"
        " WHERE definition_version = :old AND form = 'visit' AND facility_id = :facility ORDER BY id",
        old=OLD,
        facility=facility,
    )
    assert kept == [("1", None), ("9", "said nothing"), ("2", None)]


async def test_records_meet_though_what_tells_them_apart_is_called_otherwise_now(
    wire: tuple[httpx.AsyncClient, Landing],
) -> None:
    client, landing = wire
    key = await landing.key()
    call = {"visit_id": "old-7", "call_date": "2025-07-09", "better": True}
    before = [visit_before(7), visit_before(8), {"form": "call", "elements": call}]
    assert (await post(client, key, before, OLD)).status_code == 202
    await landing.run()
    again = {"visit_id": "old-7", "called_on": "2025-07-09", "improved": False}
    now = [visit_now(7, visit_id="old-7", patient="p7"), {"form": "call", "elements": again}]
    sent = (await post(client, key, now)).json()
    await landing.run()
    told = (await client.get(f"/v1/submissions/{sent['id']}", headers=key)).json()
    assert (told["counts"]["amended"], told["counts"]["created"]) == (2, 0)
    people = await landing.rows(
        "SELECT DISTINCT subject_id FROM versions WHERE form = 'visit' AND case_id IN"
        " (SELECT case_id FROM versions WHERE definition_version = :new AND facility_id = :facility)",
        new=NEW,
        facility=landing.facilities[0],
    )
    assert len(people) == 1
    # A call that only the earlier version knows is named in the words of the one in force.
    other = [{"form": "call", "elements": call | {"visit_id": "old-8"}}]
    assert (await post(client, key, other, OLD)).status_code == 202
    await landing.run()
    listed = f"/v1/registries/{REGISTRY}/cases?form=call&state=submitted"
    cases = (await client.get(listed, headers=key)).json()
    one = max(cases, key=lambda case: case["id"])
    headers = {
        **key,
        "If-Match": (await client.get(f"/v1/cases/{one['id']}", headers=key)).headers["etag"],
    }
    gone = await client.delete(f"/v1/cases/{one['id']}", headers=headers)
    assert gone.status_code == 202, gone.text
    await landing.run()
    assert (await client.get(f"/v1/cases/{one['id']}", headers=key)).json()["state"] == "withdrawn"


Counts = dict[tuple[str, str, str], tuple[int, int, int]]
"""Measure, stratum and month -> denominator, numerator, sum of observations."""


async def rates(workshop: Workshop, facility: int) -> Counts:
    """What the tables hold of a facility."""
    async with workshop.database.transaction(EVERYTHING) as session:
        found = await tabulated(session, REGISTRY)
    return {
        (measure, stratum, f"{month:%Y-%m}"): (counts[1], counts[4], counts[6])
        for (whose, month, measure, _, stratum), counts in found.items()
        if whose == facility
    }


SMOKING = {"1": "current", "2": "former", "3": "never"}


def counted(sent: list[dict[str, Any]]) -> Counts:
    """The same, case by case, from what was sent: nothing of the product is used."""
    found: Counts = {}

    def add(measure: str, stratum: str, month: str, *counts: int) -> None:
        earlier = found.get((measure, stratum, month), (0, 0, 0))
        found[measure, stratum, month] = tuple(map(sum, zip(earlier, counts, strict=True)))  # type: ignore[assignment]

    visits = [one for one in sent if "smoking" in one or "site" in one]
    calls = [one for one in sent if "call_date" in one or "called_on" in one]
    for one in visits:
        month = (one.get("seen_on") or one["visit_date"])[:7]
        smoking = one.get("smoking_status") or SMOKING.get(one.get("smoking", ""))
        for stratum in ("", one.get("site", "clinic")):
            add("smokers", stratum, month, int(smoking is not None), int(smoking == "current"), 0)
        weight = Decimal(one["kilograms"]) if "kilograms" in one else None
        if one.get("pounds") not in (None, "999.0"):
            exact = Decimal(one["pounds"]) * KILOGRAMS
            weight = exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
        add("weight", "", month, 1, 0, int(weight * 100) if weight is not None else 0)
        depths = [row.get("how_deep") or row.get("depth") for row in one.get("wounds", ())]
        add("deep", "", month, 1, int(not {"deep", "D"}.isdisjoint(depths)), 0)
        told = [call for call in calls if call["visit_id"] == one["visit_id"]]
        better = any(call.get("improved", call.get("better")) for call in told)
        add("improved", "", month, 1, int(better), 0)
    return found
