"""An improvement project from its aim to its evidence, over the wire, beside a recount of the cases."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import httpx
import pytest
import vl_convert
from scipy import stats
from sqlalchemy import text

from app.database import EVERYTHING, Database
from app.database import Role as DatabaseRole
from tests.benchmarks.history import History
from tests.make.accounts import Desk
from tests.reports.improvement.world import (
    HERE,
    HISTORY,
    PROJECTS,
    THERE,
    World,
    exams,
    found,
    make_world,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
world = pytest.fixture(scope="module")(make_world)

NEW: dict[str, Any] = {
    "registry_id": "toy",
    "template": "lower-dose",
    "measure": "dose",
    "aim": "A mean of 1.8 or less by December.\nFor everybody.",
    "baseline": "2024-07..2024-12",
}
DONE = {"kind": "do", "on": "2025-01-15", "says": "One protocol on both scanners.", "suggestion": "protocol"}  # fmt: skip
ADA = {"name": "Ada Long", "role": "Lead technologist", "from_day": "2024-12-01", "to_day": None}


async def rid_of(world: World) -> None:
    """Take every project away: each test begins its own."""
    owner = Database(world.database.owner, DatabaseRole.OWNER, pool=1)
    async with owner.transaction(EVERYTHING) as session:
        await session.execute(text("TRUNCATE improvement_projects CASCADE"))
    await owner.close()


async def begun(desk: Desk, **changes: Any) -> str:
    """The address of a project that was just begun."""
    return f"{PROJECTS}/{(await desk.made(PROJECTS, NEW | changes))['id']}"


def mean(first: date, last: date) -> list[Decimal]:
    return [
        Decimal(one.elements["dose"]).quantize(Decimal("0.1"), ROUND_HALF_UP)
        for one in exams(HERE, first, last)
    ]


def newcombe(x1: int, n1: int, x2: int, n2: int) -> tuple[float, float]:
    """Newcombe's method 10 of the difference x1/n1 - x2/n2, written out."""

    def wilson(x: int, n: int) -> tuple[float, float]:
        z = stats.norm.ppf(0.975)
        middle, half = x + z * z / 2, z * (x * (n - x) / n + z * z / 4) ** 0.5
        return (middle - half) / (n + z * z), (middle + half) / (n + z * z)

    p1, p2 = x1 / n1, x2 / n2
    (l1, u1), (l2, u2) = wilson(x1, n1), wilson(x2, n2)
    return (
        p1 - p2 - ((p1 - l1) ** 2 + (u2 - p2) ** 2) ** 0.5,
        p1 - p2 + ((u1 - p1) ** 2 + (p2 - l2) ** 2) ** 0.5,
    )


async def test_before_and_after_are_the_facilitys_own_cases_and_the_interval_is_welchs(
    world: World, client: httpx.AsyncClient
) -> None:
    await rid_of(world)
    desk = world.at(client, "registrar")
    address = await begun(desk)
    await desk.made(f"{address}/interventions", DONE)
    told = (await desk("GET", f"{address}/evidence")).json()
    before = mean(date(2024, 7, 1), date(2024, 12, 31))
    assert told["baseline"]["denominator"] == len(before)
    assert float(told["baseline"]["rate"]) == pytest.approx(
        float(sum(before) / len(before)), abs=0.05
    )
    # The re-measurement begins with the first month that lies wholly after the change.
    first, last = told["remeasurement"]["period"].split("..")
    assert first == "2025-02"
    ends = date(int(last[:4]), int(last[5:]), 28)
    after = mean(date(2025, 2, 1), min(ends, date(2025, 12, 31)))
    assert told["remeasurement"]["denominator"] == len(after)
    welch = stats.ttest_ind(
        [float(one) for one in after], [float(one) for one in before], equal_var=False
    ).confidence_interval()
    low, high = (float(told["change"][end].replace("−", "-")) for end in ("low", "high"))
    assert (low, high) == (pytest.approx(welch.low, abs=0.06), pytest.approx(welch.high, abs=0.06))
    assert told["change"]["better"] is True
    assert any("This is the better direction." in line for line in told["says"])
    assert "cannot tell what a change did" in told["says"][-1]


async def test_a_proportions_interval_is_newcombes(world: World, client: httpx.AsyncClient) -> None:
    await rid_of(world)
    desk = world.at(client, "registrar")
    address = await begun(desk, measure="found", remeasurement="2025-02..2025-10")
    told = (await desk("GET", f"{address}/evidence")).json()
    spans = [(date(2025, 2, 1), date(2025, 10, 31)), (date(2024, 7, 1), date(2024, 12, 31))]
    counts = []
    for span in spans:
        suspicious = [one for one in exams(HERE, *span) if one.elements["result"] in "34"]
        counts += [sum(map(found, suspicious)), len(suspicious)]
    shown = told["remeasurement"], told["baseline"]
    assert [one[name] for one in shown for name in ("numerator", "denominator")] == counts
    low, high = newcombe(*counts)
    said = [float(told["change"][end].replace("−", "-")) for end in ("low", "high")]
    assert said == [pytest.approx(100 * low, abs=0.051), pytest.approx(100 * high, abs=0.051)]


async def test_the_run_chart_has_a_phase_after_each_change_and_draws(
    world: World, client: httpx.AsyncClient
) -> None:
    await rid_of(world)
    desk = world.at(client, "administrator")
    address = await begun(desk, baseline="2024")
    await desk.made(f"{address}/interventions", DONE)
    await desk.made(
        f"{address}/interventions", DONE | {"on": "2025-06-01", "says": "A second one."}
    )
    await desk.made(f"{address}/interventions", DONE | {"kind": "study", "on": "2025-09-01"})
    run = (await desk("GET", f"{address}/evidence")).json()["run"]
    assert run["unit"] == "month"
    points = {one["period"]: one for one in run["points"]}
    for month in range(1, 13):
        own = mean(date(2024, month, 1), date(2024, month, 28))
        assert points[f"2024-{month:02d}"]["value"] == pytest.approx(
            float(sum(own) / len(own)), abs=1e-4
        )
    assert [(one["title"], one["first"]) for one in run["phases"]] == [
        ("Before the first change", "2024-01-01"),
        ("After change 1", "2025-02-01"),
        ("After change 2", "2025-06-01"),
    ]
    for phase in run["phases"]:
        inside = sorted(
            one["value"]
            for one in run["points"]
            if phase["first"] <= one["first"] <= phase["last"] and one["value"] is not None
        )
        middle = (inside[(len(inside) - 1) // 2] + inside[len(inside) // 2]) / 2
        assert phase["median"] == pytest.approx(middle, abs=1e-4)
    assert [(one["number"], one["on"]) for one in run["changes"]] == [(1, "2025-01-15"), (2, "2025-06-01")]  # fmt: skip
    chart = await desk("GET", f"{address}/chart.vl.json")
    assert chart.headers["content-type"] == "application/vnd.vegalite.v6+json"
    assert vl_convert.vegalite_to_svg(chart.text).startswith("<svg")
    assert "Change 2 on 1 June 2025." in chart.json()["description"]


async def test_a_closed_project_never_changes_and_its_digest_says_so(
    world: World, client: httpx.AsyncClient
) -> None:
    await rid_of(world)
    desk = world.at(client, "registrar")
    address = await begun(desk)
    for kind, on in (("plan", "2024-11-01"), ("do", "2025-01-15"), ("study", "2025-10-01"), ("act", "2025-11-01")):  # fmt: skip
        await desk.made(f"{address}/interventions", DONE | {"kind": kind, "on": on})
    ada = await desk.made(f"{address}/participants", ADA)
    told = (await desk("GET", f"{address}/evidence")).json()
    lacking = [one["what"] for one in told["requirements"] if not one["met"]]
    assert (told["complete"], lacking) == (False, ["conclusion"])
    closed = await desk("POST", f"{address}/closing", {"conclusion": "We keep it."})
    assert closed.status_code == 200, closed.text
    assert closed.json()["state"] == "closed"
    first = await desk("GET", f"{address}/evidence")
    kept = first.json()
    assert kept["complete"] is True
    digest = kept.pop("sha256")
    canonical = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(canonical.encode()).hexdigest() == digest
    assert digest == closed.json()["evidence_sha256"]
    papers = [(await desk("GET", f"{address}/evidence?format=pdf")).content for _ in range(2)]
    assert papers[0].startswith(b"%PDF-")
    assert papers[0] == papers[1]
    late = History(known=dict(HISTORY.known), number=HISTORY.number)
    for case in (one.case for one in exams(HERE, date(2025, 3, 1), date(2025, 3, 31))):
        late.withdraw(case)
    try:
        await world.more(late)
        assert (await desk("GET", f"{address}/evidence")).json() == first.json()
        other = await begun(desk)
        await desk.made(f"{other}/interventions", DONE)
        now = (await desk("GET", f"{other}/evidence")).json()
        assert now["remeasurement"]["denominator"] < kept["remeasurement"]["denominator"]
    finally:
        back = History(known=dict(HISTORY.known), number=late.number)
        back.changed = [one.case for one in exams(HERE, date(2025, 3, 1), date(2025, 3, 31))]
        await world.more(back)
    matching = {"If-None-Match": first.headers["ETag"]}
    assert (await desk("GET", f"{address}/evidence", headers=matching)).status_code == 304
    for method, path, body in (
        ("PUT", "", {name: NEW[name] for name in ("measure", "aim", "baseline")}),
        ("POST", "/closing", {"conclusion": "Again."}),
        ("POST", "/interventions", DONE | {"says": "Later."}),
        ("PUT", f"/participants/{ada['id']}", ADA | {"role": "Other"}),
        ("DELETE", f"/participants/{ada['id']}", None),
    ):
        answer = await desk(method, address + path, body)
        assert answer.status_code == 409, (method, path, answer.text)


async def test_an_early_project_says_what_is_missing_and_compares_nothing(
    world: World, client: httpx.AsyncClient
) -> None:
    await rid_of(world)
    desk = world.at(client, "registrar")
    address = await begun(desk)
    told = (await desk("GET", f"{address}/evidence")).json()
    assert (told["remeasurement"], told["change"], told["complete"]) == (None, None, False)
    assert any(line.startswith("No re-measurement yet.") for line in told["says"])
    met = {one["what"]: one["met"] for one in told["requirements"]}
    assert met == {
        "baseline": True,
        "changes": False,
        "steps": False,
        "re-measurement": False,
        "order": False,
        "participants": False,
        "conclusion": False,
    }
    sheet = await desk("GET", f"{address}/worksheet")
    assert sheet.content.startswith(b"%PDF-")
    assert sheet.headers["content-disposition"].startswith(f'inline; filename="worksheet-{HERE}-')


AHEAD = (datetime.now(UTC).date() + timedelta(days=400)).isoformat()


async def test_a_project_out_of_its_limits_is_refused(
    world: World, client: httpx.AsyncClient
) -> None:
    await rid_of(world)
    desk = world.at(client, "registrar")
    for change in (
        {"baseline": "2024-11..2024-12"},
        {"baseline": "2098"},
        {"baseline": "yesterday"},
        {"baseline": "0000"},
        {"remeasurement": "2024-12..2025-06"},
        {"remeasurement": "2025-02..2025-03"},
        {"remeasurement": "2034-01..2034-12"},
        {"measure": "returned"},
        {"measure": "none"},
        {"template": "unheard-of"},
        {"registry_id": "elsewhere"},
        {"aim": ""},
        {"aim": "x" * 2001},
        {"aim": "a\x00b"},
        {"aim": 7},
        {"unknown": 1},
    ):
        answer = await desk("POST", PROJECTS, NEW | change)
        assert answer.status_code == (404 if "registry_id" in change else 422), answer.text
        for value in change.values():
            assert len(str(value)) < 3 or str(value) not in answer.text


async def test_a_step_or_stay_out_of_its_limits_is_refused(
    world: World, client: httpx.AsyncClient
) -> None:
    await rid_of(world)
    desk = world.at(client, "registrar")
    address = await begun(desk)
    for change in (
        {"on": "2024-12-31"},
        {"on": AHEAD},
        {"on": "2023-01-01", "kind": "plan"},
        {"on": "2025-02-30"},
        {"on": 20250115},
        {"kind": "perform"},
        {"says": "y" * 2001},
        {"says": " "},
        {"suggestion": "another"},
    ):
        answer = await desk("POST", f"{address}/interventions", DONE | change)
        assert answer.status_code == 422, (change, answer.text)
    for stay in (
        {"to_day": "2024-11-30"},
        {"from_day": AHEAD},
        {"from_day": "2022-01-01"},
        {"name": ""},
        {"name": "A\x1bB"},
        {"role": "z" * 81},
    ):
        answer = await desk("POST", f"{address}/participants", ADA | stay)
        assert answer.status_code == 422, (stay, answer.text)


async def test_what_is_sent_twice_is_kept_once_and_what_was_not_seen_is_not_changed(
    world: World, client: httpx.AsyncClient
) -> None:
    await rid_of(world)
    desk = world.at(client, "registrar")
    address = await begun(desk)
    assert (await desk("POST", PROJECTS, NEW)).status_code == 409
    second = await begun(desk, measure="found")
    fields = {name: NEW[name] for name in ("measure", "aim", "baseline")}
    assert (await desk("PUT", second, fields)).status_code == 409
    step = await desk("POST", f"{address}/interventions", DONE)
    assert (await desk("POST", f"{address}/interventions", DONE)).status_code == 409
    ada = await desk("POST", f"{address}/participants", ADA)
    assert (await desk("POST", f"{address}/participants", ADA)).status_code == 409
    stale = {"If-Match": '"0"'}
    for method, path, body in (
        ("PUT", address, fields),
        ("POST", f"{address}/closing", {"conclusion": "Done."}),
        ("PUT", f"{address}/interventions/{step.json()['id']}", DONE),
        ("DELETE", f"{address}/interventions/{step.json()['id']}", None),
        ("PUT", f"{address}/participants/{ada.json()['id']}", ADA),
        ("DELETE", f"{address}/participants/{ada.json()['id']}", None),
    ):
        assert (await desk(method, path, body, headers=stale)).status_code == 412, path
    whole = await desk("GET", address)
    again = await desk("GET", address, headers={"If-None-Match": whole.headers["ETag"]})
    assert again.status_code == 304
    amended = await desk(
        "PUT", f"{address}/interventions/{step.json()['id']}", DONE | {"on": "2025-02-01"},
        headers={"If-Match": step.headers["ETag"]},
    )  # fmt: skip
    assert amended.json()["on"] == "2025-02-01"
    # A baseline that the change has overtaken would compare the change with itself.
    moved = await desk("PUT", address, fields | {"baseline": "2024-12..2025-03"})
    assert moved.status_code == 409
    assert (await desk("DELETE", f"{address}/interventions/{step.json()['id']}")).status_code == 204
    assert (
        await desk("PUT", address, fields | {"baseline": "2024-12..2025-03"})
    ).status_code == 200


async def test_a_project_is_its_facilitys_alone_and_changed_by_whom_it_lets(
    world: World, client: httpx.AsyncClient
) -> None:
    await rid_of(world)
    desk, neighbour = world.at(client, "registrar"), world.at(client, "neighbour")
    address = await begun(desk)
    step = await desk.made(f"{address}/interventions", DONE)
    borrowed = address.replace(str(HERE), str(THERE))
    theirs = await neighbour.made(f"/v1/facilities/{THERE}/improvement-projects", NEW)
    for at in (address, borrowed):
        for method, path, body in (
            ("GET", "", None),
            ("GET", "/evidence", None),
            ("GET", "/worksheet", None),
            ("GET", "/chart.vl.json", None),
            ("POST", "/interventions", DONE),
            ("DELETE", f"/interventions/{step['id']}", None),
            ("POST", "/closing", {"conclusion": "Mine."}),
        ):
            answer = await neighbour(method, at + path, body)
            assert answer.status_code == 404, (method, at + path)
            assert NEW["aim"].split(".")[0] not in answer.text
    # A step of one project is none of another.
    own = f"/v1/facilities/{THERE}/improvement-projects/{theirs['id']}"
    assert (await neighbour("DELETE", f"{own}/interventions/{step['id']}")).status_code == 404
    assert [one["id"] for one in (await neighbour("GET", own.rpartition("/")[0])).json()] == [theirs["id"]]  # fmt: skip
    dashboard, service = world.at(client, "dashboard"), world.at(client, "service")
    assert (await dashboard("GET", address)).status_code == 200
    assert (await dashboard("POST", PROJECTS, NEW)).status_code == 403
    assert (await dashboard("POST", f"{address}/closing", {"conclusion": "No."})).status_code == 403
    assert (await service("GET", address)).status_code == 403
    steward = world.at(client, "steward")
    offered = (await steward("GET", "/v1/registries/toy/improvement-templates")).json()
    assert [one["id"] for one in offered] == ["lower-dose"]
    assert (await steward("GET", address)).status_code == 404


async def test_every_act_is_kept_and_nothing_that_was_typed_leaves_the_project(
    world: World, client: httpx.AsyncClient, capfd: pytest.CaptureFixture[str]
) -> None:
    await rid_of(world)
    desk = world.at(client, "registrar")
    secret = "Zebulonpatient"  # a canary: nobody should type one, and somebody will
    address = await begun(desk, aim=secret)
    await desk.made(f"{address}/interventions", DONE | {"says": secret})
    await desk.made(f"{address}/participants", ADA | {"name": secret})
    await desk("POST", f"{address}/interventions", DONE | {"says": secret, "kind": secret})
    await desk("GET", f"{address}/evidence?format=pdf")
    await desk("POST", f"{address}/closing", {"conclusion": secret})
    owner = Database(world.database.owner, DatabaseRole.OWNER, pool=1)
    async with owner.transaction(EVERYTHING) as session:
        rows = await session.execute(
            text(
                "SELECT action, details::text FROM audit_events WHERE record_type = 'improvement-project'"
                " AND record_id = :id ORDER BY id"
            ),
            {"id": address.rpartition("/")[2]},
        )
        acts = [tuple(row) for row in rows]
    await owner.close()
    assert [action for action, _ in acts] == [
        "begin",
        "add step",
        "add participant",
        "export evidence",
        "close",
    ]
    written = capfd.readouterr()
    assert all(secret not in str(details) for _, details in acts)
    assert secret not in written.out + written.err
