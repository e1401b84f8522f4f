"""Proposals and versions on the wire: proposed, discussed, decided, carried out, published, ended."""

import io
import json
import tempfile
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import text

from app.access import Role
from app.database import EVERYTHING, Database
from app.database import Role as DatabaseRole
from app.postgres import Addresses
from app.registries import document
from tests.conftest import opened
from tests.make.accounts import Desk, key_for
from tests.make.definitions import SMALL, sent_folder, small

HERE = "/v1/registries/visits"
PULSE = {
    "kind": "element",
    "form": "visit",
    "element": "pulse",
    "definition": {"source_name": "Pulse", "title": "Pulse", "type": "integer"},
}
TODAY = datetime.now(UTC).date()


@dataclass
class Committee:
    steward: Desk
    outsider: Desk
    researcher: Desk
    auditor: Desk


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def committee(application: FastAPI, database: Addresses) -> AsyncIterator[Committee]:
    async with opened(application) as client:

        async def desk(role: Role, **bounds: Any) -> Desk:
            return Desk(client, await key_for(database, role, **bounds))

        steward = await desk(Role.STEWARD, registries=["visits"])
        answer = await steward("POST", f"{HERE}/versions", sent_folder())
        assert answer.status_code == 201, answer.text
        yield Committee(
            steward,
            await desk(Role.STEWARD, registries=["dose-index"]),
            await desk(Role.RESEARCHER, registries=["visits"]),
            await desk(Role.AUDITOR),
        )


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def propose(desk: Desk, *alterations: dict[str, Any]) -> Any:
    body = {"alterations": list(alterations), "rationale": "We see it in every clinic."}
    return await desk.made(f"{HERE}/proposals", body)


async def decide(desk: Desk, proposal: Any, state: str, **headers: str) -> Any:
    path = f"{HERE}/proposals/{proposal['id']}/transitions"
    return await desk("POST", path, {"state": state, "because": "So decided."}, headers=headers)


async def test_a_proposal_is_discussed_accepted_and_in_the_next_versions_folder(
    committee: Committee,
) -> None:
    proposal = await propose(committee.researcher, PULSE)
    assert [(one["weight"], one["place"]) for one in proposal["changes"]] == [
        ("new", "visit.pulse")
    ]
    assert (proposal["state"], proposal["proposed_as"]) == ("open", "researcher")
    path = f"{HERE}/proposals/{proposal['id']}"
    said = await committee.steward("POST", f"{path}/comments", {"says": "In which unit?"})
    assert [one["by_role"] for one in said.json()["comments"]] == ["steward"]
    # The researcher is told who it is by its role alone, the steward by its key too.
    shown = await committee.researcher("GET", path)
    assert shown.json()["comments"][0]["by"] is None
    assert shown.json()["proposed_by"] is not None
    seen = (await committee.steward("GET", path)).headers["ETag"]
    assert (
        await committee.steward("GET", path, headers={"If-None-Match": seen})
    ).status_code == 304

    assert (await decide(committee.researcher, proposal, "accepted")).status_code == 403
    await committee.researcher("POST", f"{path}/comments", {"says": "Beats a minute."})
    stale = await decide(committee.steward, proposal, "accepted", **{"If-Match": seen})
    assert stale.status_code == 412
    seen = (await committee.steward("GET", path)).headers["ETag"]
    done = await decide(committee.steward, proposal, "accepted", **{"If-Match": seen})
    assert done.status_code == 201, done.text
    assert (done.json()["state"], done.json()["because"]) == ("accepted", "So decided.")
    assert (await decide(committee.steward, proposal, "declined")).status_code == 409
    listed = await committee.auditor("GET", f"{HERE}/proposals?state=accepted")
    assert [one["id"] for one in listed.json()] == [proposal["id"]]

    begins = (TODAY + timedelta(days=400)).isoformat()
    asked = f"{HERE}/next-version?accept_from={begins}"
    found = (await committee.researcher("GET", asked)).json()
    assert (found["version"], found["proposals"]) == ("1.1.0", [proposal["id"]])
    assert "id: pulse" in found["files"]["elements/visit.yaml"]
    packed = await committee.researcher("GET", f"{HERE}/next-version/folder?accept_from={begins}")
    assert packed.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        unpacked = {
            name.removeprefix("1.1.0/"): archive.read(name).decode() for name in archive.namelist()
        }
    assert unpacked == found["files"]

    # What was handed out can be published as it is; it waits for its day.
    door = f"{HERE}/versions"
    checked = await committee.steward("POST", f"{door}?check=true", {"files": unpacked})
    assert (checked.status_code, checked.json()["published"]) == (200, False)
    assert [one["place"] for one in checked.json()["changes"]] == ["visit.pulse"]
    assert (await committee.researcher("POST", door, {"files": unpacked})).status_code == 403
    made = await committee.steward("POST", door, {"files": unpacked})
    assert made.status_code == 201, made.text
    assert (made.json()["in_force"], made.json()["since"]) == (False, "1.0.0")
    assert made.headers["Location"] == f"{door}/1.1.0"
    again = await committee.steward("POST", door, {"files": unpacked})
    assert (again.status_code, again.json()["published"]) == (200, True)
    versions = (await committee.researcher("GET", door)).json()["versions"]
    assert [(one["version"], one["accept_from"], one["in_force"]) for one in versions] == [
        ("1.1.0", begins, False),
        ("1.0.0", "2025-01-01", True),
    ]


async def test_each_complaint_of_a_proposal_names_its_place(committee: Committee) -> None:
    wrong = PULSE | {"definition": PULSE["definition"] | {"type": "int", "required_when": "age >"}}  # type: ignore[operator]
    body = {"alterations": [PULSE | {"element": "other"}, wrong], "rationale": "Why not."}
    answer = await committee.steward("POST", f"{HERE}/proposals", body)
    assert answer.status_code == 422
    (complaint,) = answer.json()["complaints"]
    assert complaint.startswith("/alterations/1/definition/type: ")


async def test_two_proposals_that_do_not_go_together_are_not_both_accepted(
    committee: Committee,
) -> None:
    gone = await propose(committee.researcher, PULSE | {"element": "doctor", "definition": None})
    needs = await propose(
        committee.researcher,
        PULSE | {"element": "told", "definition": PULSE["definition"] | {"required_when": "doctor IS NOT NULL"}},  # type: ignore[operator]
    )  # fmt: skip
    assert (await decide(committee.steward, gone, "accepted")).status_code == 201
    refused = await decide(committee.steward, needs, "accepted")
    assert refused.status_code == 422
    assert refused.json()["complaints"][0].startswith(
        f"proposals/{needs['id']}/alterations/0/definition/required_when: "
    )
    # Who proposed it may withdraw it, and nobody else.
    assert (await decide(committee.steward, needs, "withdrawn")).status_code == 403
    assert (await decide(committee.researcher, needs, "withdrawn")).status_code == 201


async def test_another_registrys_steward_sees_and_decides_nothing(committee: Committee) -> None:
    proposal = await propose(committee.researcher, PULSE | {"element": "other_pulse"})
    path = f"{HERE}/proposals/{proposal['id']}"
    outsider = committee.outsider
    for answer in (
        await outsider("GET", path),
        await outsider("GET", f"{HERE}/proposals"),
        await outsider("GET", f"/v1/registries/dose-index/proposals/{proposal['id']}"),
        await outsider("POST", f"{path}/comments", {"says": "We too."}),
        await decide(outsider, proposal, "declined"),
        await outsider("POST", f"{HERE}/versions", sent_folder()),
        await outsider("PUT", f"{HERE}/versions/1.0.0/sunset", {"accept_until": None}),
    ):
        assert answer.status_code == 404, answer.text
    assert (await committee.steward("GET", path)).json()["state"] == "open"


@pytest.mark.parametrize(
    ("changed", "status", "says"),
    [
        ({"rules": SMALL["rules"].replace("packs < 5", "pack < 5")}, 422, "rules.yaml:2: no element or column `pack`"),
        ({"measures_all": SMALL["measures_all"].replace("numerator: 1}]", "numerator: 2}]")}, 422, "measures/all.yaml:12: "),
        ({"deid": "options: [clean_all]\n"}, 422, "deid.yaml:1: options: unknown option"),
        ({"registry": SMALL["registry"].replace("id: visits", "id: visitors")}, 422, "another registry's"),
        ({"rules": SMALL["rules"].replace("packs < 5", "packs < 6")}, 409, "a published version never changes"),
        ({"peers": "&a [" + ", ".join(["*a"] * 3) + "]\n"}, 422, "peers.yaml:1: "),
    ],
)  # fmt: skip
async def test_a_folder_that_cannot_be_published_is_told_why(
    committee: Committee, changed: dict[str, str], status: int, says: str
) -> None:
    answer = await committee.steward("POST", f"{HERE}/versions", sent_folder(**changed))
    assert answer.status_code == status
    told = [answer.json()["detail"], *answer.json().get("complaints", ())]
    assert any(says in one for one in told), told


async def test_a_file_that_is_no_part_of_a_definition_is_refused(committee: Committee) -> None:
    for name in (
        "../registry.yaml",
        "/etc/passwd",
        "elements/../../x.yaml",
        "rules.py",
        "a/b.yaml",
    ):
        body = {"files": {"registry.yaml": SMALL["registry"], name: "x"}}
        answer = await committee.steward("POST", f"{HERE}/versions", body)
        assert answer.status_code == 422, name


async def test_what_lies_near_on_the_machine_is_not_imported(committee: Committee) -> None:
    with tempfile.TemporaryDirectory() as near:  # where what is sent is put down as well
        small(Path(near), registry=SMALL["registry"].replace("id: visits", "id: nearby"))
        imported = "- {id: extra, import: {registry: nearby, version: 1.0.0, value_set: number}}\n"
        sent = sent_folder(sets_all=SMALL["sets_all"] + imported)
        answer = await committee.steward("POST", f"{HERE}/versions", sent)
    assert answer.status_code == 422
    assert any("nearby" in one for one in answer.json()["complaints"]), answer.text


async def test_a_folder_beyond_the_limit_is_not_read(committee: Committee) -> None:
    files = {f"elements/f{number}.yaml": "#" * 1024 * 1024 for number in range(9)}
    answer = await committee.steward("POST", f"{HERE}/versions", {"files": files})
    assert answer.status_code == 413


@pytest.mark.parametrize("most", [20_000, pytest.param(document.MOST, marks=pytest.mark.soak)])
async def test_a_file_that_repeats_itself_without_end_is_not_read_without_end(
    committee: Committee, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(document, "MOST", most)
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    answer = await committee.steward(
        "POST", f"{HERE}/versions", sent_folder(deid="\n".join(lines) + "\n")
    )
    assert answer.status_code == 422
    assert any(f"more than {most} parts" in one for one in answer.json()["complaints"])


async def test_a_version_is_taken_until_the_sunset_that_its_steward_sets(
    committee: Committee, database: Addresses
) -> None:
    path = f"{HERE}/versions/1.0.0"
    shown = await committee.steward("GET", path)
    assert shown.json()["accept_until"] is None
    second = "2199-06-30T17:00:00-05:00"
    assert (
        await committee.researcher("PUT", f"{path}/sunset", {"accept_until": second})
    ).status_code == 403
    stale = await committee.steward(
        "PUT", f"{path}/sunset", {"accept_until": second}, headers={"If-Match": '"x"'}
    )
    assert stale.status_code == 412
    tag = {"If-Match": shown.headers["ETag"]}
    done = await committee.steward("PUT", f"{path}/sunset", {"accept_until": second}, headers=tag)
    assert done.status_code == 200, done.text
    assert done.json()["accept_until"] == "2199-06-30T22:00:00Z"
    assert (await committee.steward("GET", path)).json() == done.json()
    # The folder, sent again, says no end and lifts none.
    assert (await committee.steward("POST", f"{HERE}/versions", sent_folder())).status_code == 200
    assert (await committee.steward("GET", path)).json() == done.json()
    for past in ("2024-12-31", TODAY.replace(year=TODAY.year - 1).isoformat()):
        body = {"accept_until": past}
        assert (await committee.steward("PUT", f"{path}/sunset", body)).status_code == 422
    lifted = await committee.steward("PUT", f"{path}/sunset", {"accept_until": None})
    assert lifted.json()["accept_until"] is None
    unknown = await committee.steward(
        "PUT", f"{HERE}/versions/9.9.9/sunset", {"accept_until": None}
    )
    assert unknown.status_code == 404
    opened_ = Database(database.worker, DatabaseRole.WORKER, pool=1)
    try:
        async with opened_.transaction(EVERYTHING) as session:
            acts = await session.scalars(
                text(
                    "SELECT action FROM audit_events WHERE registry_id = 'visits'"
                    " AND record_type = 'definition' AND record_id = 'visits 1.0.0' ORDER BY id"
                )
            )
            assert acts.all() == ["publish", "sunset", "sunset"]
    finally:
        await opened_.close()


async def test_the_proposal_of_the_how_to_can_be_made(committee: Committee) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "proposals.md"
    first = page.read_text().split("```http\n")[1].split("```")[0]
    line, body = first.split("\n", 1)
    method, path = line.split()
    answer = await committee.outsider(method, path, json.loads(body))
    assert answer.status_code == 201, answer.text
    assert {one["weight"] for one in answer.json()["changes"]} == {"new"}
