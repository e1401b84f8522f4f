"""Use cases on the wire: from a draft over the panel and public comment to a published version, and the next."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from app.access import Role
from app.cli import assembled
from app.database import Database
from app.database import Role as DatabaseRole
from app.evaluations.use_cases.read import examples
from app.models.audit import AuditEvent
from app.models.use_case import UseCaseComment, UseCaseText
from app.portal.session import COOKIE
from app.postgres import Addresses
from app.settings import Settings
from tests.evaluations.writing import COVID, NODULES, other, written
from tests.make.accounts import REGISTRY, Desk, key_for
from tests.portal.test_pages import BROWSER, check_page

HERE = "/v1/use-cases"
COVID_REGISTRY = "covid-19-imaging"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class People:
    """Who has to do with use cases: of the lung registry unless named otherwise."""

    client: httpx.AsyncClient
    operator: Desk
    steward: Desk
    panel: Desk
    stranger: Desk
    """A steward of another registry."""
    reader: Desk
    vendor: Desk

    async def begun(self, title: str, example: str = NODULES) -> str:
        """The address of a new draft's version."""
        made = await self.operator("POST", HERE, written(example, title=title))
        assert made.status_code == 201, made.text
        return str(made.headers["Location"])

    async def took(self, desk: Desk, address: str, *states: str) -> None:
        for state in states:
            answer = await desk("POST", f"{address}/transitions", {"state": state})
            assert answer.status_code == 201, answer.text

    async def opened(self, title: str) -> str:
        """The address of a version in public comment."""
        address = await self.begun(title)
        await self.took(self.operator, address, "panel-review", "public-comment")
        return address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(settings: Settings, database: Addresses) -> AsyncIterator[People]:
    from app.main import create_app

    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app, raise_app_exceptions=False),
            base_url="http://hounsfield.test",
        ) as client,
    ):

        async def desk(role: Role, **bounds: Any) -> Desk:
            return Desk(client, await key_for(database, role, **bounds))

        yield People(
            client,
            operator=await desk(Role.OPERATOR),
            steward=await desk(Role.STEWARD, registries=[REGISTRY]),
            panel=await desk(Role.PANEL_MEMBER),
            stranger=await desk(Role.STEWARD, registries=[COVID_REGISTRY]),
            reader=await desk(Role.RESEARCHER),
            vendor=await desk(Role.RESEARCHER),
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def a_draft(people: People) -> str:
    """The address of a version that stays a draft."""
    return await people.begun("A draft")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def for_comments(people: People) -> str:
    """The address of a version that takes comments."""
    return await people.opened("For comments")


async def test_a_use_case_goes_from_draft_to_published_and_a_second_version_takes_its_place(
    people: People,
) -> None:
    steward, panel, reader, anybody = people.steward, people.panel, people.reader, people.client
    made = await steward("POST", HERE, written())
    assert made.status_code == 201, made.text
    number, address = made.json()["use_case_id"], made.headers["Location"]
    assert address == f"{HERE}/{number}/versions/1"
    assert made.json()["state"] == "draft"
    size = made.json()["elements"][f"{REGISTRY}/1.12.0/hr_nodule_size"]
    assert (size["label"], size["unit"], size["data_type"]) == ("Mean diameter", "mm", "decimal")

    # Nobody but those who work on it knows of a draft.
    assert (await reader("GET", address)).status_code == 404
    assert (await anybody.get(address)).status_code == 404
    assert (await people.stranger("GET", address)).status_code == 404
    assert (await panel("GET", address)).status_code == 200

    # A text is replaced by whoever saw the last one.
    better = other(written(), "Nodules on CT", "title")
    stale = {"If-Match": '"0123456789abcdef"'}
    assert (await steward("PUT", address, better, headers=stale)).status_code == 412
    seen = {"If-Match": made.headers["ETag"]}
    changed = await steward("PUT", address, better, headers=seen)
    assert (changed.status_code, changed.json()["revision"]) == (200, 2)
    assert changed.json()["title"] == "Nodules on CT"
    assert (await steward("PUT", address, written(), headers=seen)).status_code == 412
    same = await steward("PUT", address, better)
    assert same.json() == changed.json(), "the same text once more changes nothing"
    assert same.headers["ETag"] == changed.headers["ETag"]

    # The panel comments among itself, sends it back, and gets it again.
    comments = f"{address}/comments"
    await people.took(steward, address, "panel-review")
    assert (await steward("PUT", address, better)).status_code == 409
    inside = {"section": "overview", "says": "Say who it is for.", "signed": "Ada Byron"}
    asked = await panel("POST", comments, inside)
    assert asked.status_code == 201, asked.text
    assert (await reader("GET", comments)).status_code == 404
    await people.took(panel, address, "draft")
    final = other(better, "Find nodules, for radiologists.", "overview", "purpose")
    assert (await steward("PUT", address, final)).json()["revision"] == 3
    await people.took(steward, address, "panel-review")
    await people.took(panel, address, "public-comment")

    # Everybody reads it now, without a key, and who has one comments.
    assert (await anybody.get(address)).json()["document"]["title"] == "Nodules on CT"
    assert (await anybody.post(comments, json=inside)).status_code == 401
    said = {"section": "dataset_considerations", "says": "Children too?\n\nWhy not?"}
    first = await reader("POST", comments, said)
    assert first.status_code == 201, first.text
    assert (await reader("POST", comments, said)).status_code == 409, "sent twice, said once"
    answer = {"says": "Their nodules differ.", "answers": first.json()["id"]}
    answered = await people.vendor("POST", comments, answer)
    assert answered.json()["section"] == "dataset_considerations"
    deeper = {"says": "How?", "answers": answered.json()["id"]}
    assert (await reader("POST", comments, deeper)).status_code == 409, "one level"
    listed = (await anybody.get(comments)).json()
    assert [(one["says"], one["by_role"], one["mine"]) for one in listed] == [
        (said["says"], "researcher", False)
    ]
    assert [one["says"] for one in listed[0]["answers"]] == ["Their nodules differ."]
    assert [one["says"] for one in (await panel("GET", comments)).json()] == [
        "Say who it is for.",
        said["says"],
    ]

    # It is published when the panel has said what became of each comment.
    step = {"state": "published"}
    early = await panel("POST", f"{address}/transitions", step)
    assert (early.status_code, early.json()["detail"]) == (
        409,
        "Comments that wait for the panel: 2. Say what became of each.",
    )
    outcome = {"outcome": "declined", "note": "In a later version."}
    for one in (asked.json()["id"], first.json()["id"]):
        assert (await reader("PUT", f"{comments}/{one}/outcome", outcome)).status_code == 403
        settled = await panel("PUT", f"{comments}/{one}/outcome", outcome)
        assert (settled.status_code, settled.json()["outcome"]) == (200, "declined")
    assert (await steward("POST", f"{address}/transitions", step)).status_code == 403
    published = await panel("POST", f"{address}/transitions", step | {"note": "Unanimous."})
    assert published.status_code == 201
    assert published.json()["published_at"] is not None
    taken = [(one["state"], one["by_role"]) for one in published.json()["steps"]]
    assert taken == [
        ("draft", "steward"),
        ("panel-review", "steward"),
        ("draft", "panel-member"),
        ("panel-review", "steward"),
        ("public-comment", "panel-member"),
        ("published", "panel-member"),
    ]

    # A published version never changes; the next one takes its place when it is published.
    assert (await steward("PUT", address, better)).status_code == 409
    assert (await reader("POST", comments, said | {"says": "Late."})).status_code == 409
    assert (
        await panel("PUT", f"{comments}/{first.json()['id']}/outcome", outcome)
    ).status_code == 409
    versions = f"{HERE}/{number}/versions"
    second = await steward("POST", versions)
    assert second.status_code == 201, second.text
    assert second.json()["document"] == published.json()["document"]
    assert (await steward("POST", versions)).status_code == 409
    later = f"{HERE}/{number}/versions/2"
    assert (await steward("PUT", later, other(final, "Nodules, 2", "title"))).status_code == 200
    assert (await anybody.get(f"{HERE}/{number}")).json()["version"] == 1
    await people.took(steward, later, "panel-review")
    await people.took(panel, later, "public-comment", "published")
    current = await anybody.get(f"{HERE}/{number}")
    assert (current.json()["version"], current.json()["title"]) == (2, "Nodules, 2")
    states = (await anybody.get(f"{HERE}/{number}/versions")).json()
    assert [(one["version"], one["state"]) for one in states] == [
        (2, "published"),
        (1, "superseded"),
    ]
    before = (await anybody.get(address)).json()
    assert (before["digest"], before["document"]) == (
        published.json()["digest"],
        published.json()["document"],
    )
    held = {"If-None-Match": current.headers["ETag"]}
    assert (await anybody.get(f"{HERE}/{number}", headers=held)).status_code == 304


@pytest.mark.parametrize(
    ("desk", "state", "status"),
    [
        ("panel", "panel-review", 403),
        ("steward", "public-comment", 409),
        ("steward", "published", 409),
        ("steward", "superseded", 409),
        ("steward", "draft", 409),
        ("stranger", "panel-review", 404),
        ("reader", "panel-review", 404),
        ("steward", "forgotten", 422),
    ],
)
async def test_no_step_is_skipped_or_taken_by_another(
    people: People, a_draft: str, desk: str, state: str, status: int
) -> None:
    answer = await getattr(people, desk)("POST", f"{a_draft}/transitions", {"state": state})
    assert answer.status_code == status, answer.text
    assert (await people.steward("GET", a_draft)).json()["state"] == "draft"


async def test_a_withdrawn_version_is_seen_by_all_only_if_it_was_published(people: People) -> None:
    never = await people.opened("Never published")
    assert (await people.client.get(never)).status_code == 200
    await people.took(people.operator, never, "withdrawn")
    assert (await people.client.get(never)).status_code == 404
    once = await people.opened("Once published")
    await people.took(people.operator, once, "published", "withdrawn")
    assert (await people.client.get(once)).json()["state"] == "withdrawn"
    assert (
        await people.operator("POST", f"{once}/transitions", {"state": "draft"})
    ).status_code == 409
    begun = await people.operator("POST", once.rpartition("/")[0])
    assert begun.json()["version"] == 2


@pytest.mark.parametrize(
    ("place", "value", "pointer"),
    [
        (("technical_specification", "outputs", 1, "element"), f"{REGISTRY}/1.12.0/canary_7f3a", "/technical_specification/outputs/1/element: "),
        (("technical_specification", "outputs", 1, "element"), "canary-7f3a/1.0.0/x", "/technical_specification/outputs/1/element: "),
        (("technical_specification", "outputs", 1, "element"), f"{REGISTRY}/1.12.0/patient_dob", "/technical_specification/outputs/1/element: "),
        (("technical_specification", "outputs", 1, "element"), "canary 7f3a", "/body/technical_specification/outputs/1/element"),
        (("technical_specification", "inputs"), [], "/body/technical_specification/inputs"),
        (("overview", "canary_7f3a"), "x", "/body/overview/*"),
        (("overview", "purpose"), "canary_7f3a" * 2000, "/body/overview/purpose"),
        (("overview", "purpose"), "canary_7f3a \x00", "/body/overview/purpose"),
        (("overview", "tags"), ["canary_7f3a"] * 51, "/body/overview/tags"),
        (("title",), "canary_7f3a\nand more", "/body/title"),
        (("overview",), None, "/body/overview"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_at_its_place_without_its_value(
    people: People, place: tuple[str | int, ...], value: object, pointer: str
) -> None:
    answer = await people.steward("POST", HERE, other(written(), value, *place))
    assert answer.status_code == 422, answer.text
    body = answer.json()
    if pointer.startswith("/body"):
        assert [one["pointer"] for one in body["errors"]] == [pointer]
    else:
        assert [one.startswith(pointer) for one in body["complaints"]] == [True]
    assert "canary" not in answer.text


async def test_a_steward_works_on_the_use_cases_of_the_own_registries_alone(people: People) -> None:
    foreign = await people.steward("POST", HERE, written(COVID))
    assert foreign.status_code == 422
    assert all("within your key" in one for one in foreign.json()["complaints"])
    address = await people.begun("Another committee's", COVID)
    assert (await people.steward("PUT", address, written())).status_code == 404
    await people.took(people.operator, address, "panel-review", "public-comment")
    step = {"state": "withdrawn"}
    assert (await people.steward("PUT", address, written())).status_code == 403
    assert (await people.steward("POST", f"{address}/transitions", step)).status_code == 403
    versions = address.rpartition("/")[0]
    assert (await people.steward("POST", versions)).status_code == 403
    for desk in (people.reader, people.panel):
        assert (await desk("POST", HERE, written())).status_code == 403
    assert (await people.client.post(HERE, json=written())).status_code == 401


async def test_words_that_name_somebody_are_taken_away_by_their_writer_or_the_panel(
    people: People, database: Addresses
) -> None:
    address = await people.opened("Taken away")
    comments = f"{address}/comments"
    ids = []
    for number in range(2):
        says = {"section": "overview", "says": f"Canary Jane Doe {number}", "signed": "Canary"}
        ids.append((await people.reader("POST", comments, says)).json()["id"])
    assert (await people.vendor("DELETE", f"{comments}/{ids[0]}")).status_code == 403
    assert (await people.stranger("DELETE", f"{comments}/{ids[0]}")).status_code == 403
    assert (await people.reader("DELETE", f"{comments}/{ids[0]}")).status_code == 204
    assert (await people.panel("DELETE", f"{comments}/{ids[1]}")).status_code == 204
    assert (await people.panel("DELETE", f"{comments}/{ids[1]}")).status_code == 204, (
        "once is enough"
    )
    listed = await people.client.get(comments)
    assert [one["says"] for one in listed.json()] == [None, None]
    assert "Canary" not in listed.text
    reply = {"says": "Indeed.", "answers": ids[0]}
    assert (await people.reader("POST", comments, reply)).status_code == 409
    await people.took(people.panel, address, "published")
    worker = Database(database.worker, DatabaseRole.WORKER, pool=1)
    async with worker.transaction() as session:
        kept = (
            await session.scalars(select(UseCaseComment.says).where(UseCaseComment.id.in_(ids)))
        ).all()
        told = (
            await session.scalars(
                select(AuditEvent.action).where(AuditEvent.record_id == address.split("/")[3])
            )
        ).all()
    await worker.close()
    assert kept == [None, None]
    assert told.count("remove comment") == 2
    assert told[-1] == "published"


async def test_one_key_does_not_fill_a_version_with_comments(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.evaluations.use_cases.comments.MOST_OF_ONE", 2)
    address = await people.opened("Many comments")
    said = [
        await people.reader("POST", f"{address}/comments", {"section": "overview", "says": f"{n}"})
        for n in range(3)
    ]
    assert [one.status_code for one in said] == [201, 201, 422]
    second = await people.client.get(f"{address}/comments?limit=1")
    assert 'rel="next"' in second.headers["Link"]


@pytest.mark.parametrize(
    "body",
    [
        {"section": "overview", "says": "x" * 2001},
        {"section": "overview", "says": "a\x00b"},
        {"section": "overview", "says": " "},
        {"section": "overview", "says": "a\x1b[31m"},
        {"section": "appendix", "says": "canary"},
        {"says": "canary"},
        {"section": "overview", "says": "canary", "by_role": "operator"},
        {"says": "canary", "answers": 2**63 - 1},
        {"says": "canary", "answers": "1"},
    ],
)
async def test_a_comment_that_is_none_is_refused(
    people: People, for_comments: str, body: dict[str, Any]
) -> None:
    answer = await people.reader("POST", f"{for_comments}/comments", body)
    assert answer.status_code in (404, 422), answer.text
    assert "canary" not in answer.text


async def test_of_two_who_begin_the_next_version_at_once_one_does(people: People) -> None:
    address = await people.opened("Twice at once")
    await people.took(people.operator, address, "published")
    versions = address.rpartition("/")[0]
    begun = await asyncio.gather(*(people.operator("POST", versions) for _ in range(4)))
    assert sorted(one.status_code for one in begun) == [201, 409, 409, 409]


async def test_use_cases_that_are_begun_at_once_have_numbers_of_their_own(people: People) -> None:
    begun = await asyncio.gather(
        *(people.operator("POST", HERE, written(title=f"New {n}")) for n in range(4))
    )
    assert len({one.json()["use_case_id"] for one in begun}) == 4


async def test_the_same_text_is_not_begun_twice(people: People) -> None:
    assert (await people.operator("POST", HERE, written(title="Only once"))).status_code == 201
    again = await people.operator("POST", HERE, written(title="Only once"))
    assert again.status_code == 409
    assert "HUC-" in again.json()["detail"]


async def test_use_cases_are_found_by_state_registry_and_element(people: People) -> None:
    address = await people.opened("To be found")
    number = address.split("/")[3]
    await people.took(people.operator, address, "published")

    async def found(query: str) -> set[tuple[str, str]]:
        answer = await people.client.get(f"{HERE}?limit=500&{query}")
        assert answer.status_code == 200, answer.text
        return {(one["use_case_id"], one["state"]) for one in answer.json()}

    assert (number, "published") in await found(f"element={REGISTRY}/hr_nodule_size")
    assert (number, "published") in await found(f"registry={REGISTRY}&state=published")
    assert {state for _, state in await found("state=published")} == {"published"}
    assert number not in {one for one, _ in await found(f"registry={COVID_REGISTRY}")}
    assert await found(f"element={REGISTRY}/pitch") == set()
    assert not {state for _, state in await found("")} & {"draft", "panel-review", "superseded"}
    assert (await people.client.get(f"{HERE}?element=nothing")).status_code == 422


async def test_texts_and_steps_cannot_be_altered_by_any_process(
    people: People, database: Addresses
) -> None:
    await people.begun("For good")
    for url, role in ((database.web, DatabaseRole.WEB), (database.worker, DatabaseRole.WORKER)):
        opened = Database(url, role, pool=1)
        for statement in (
            update(UseCaseText).values(digest="x"),
            text("DELETE FROM use_case_texts"),
            text("UPDATE use_case_steps SET state = 'published'"),
        ):
            with pytest.raises(DBAPIError, match="permission denied"):
                async with opened.transaction() as session:
                    await session.execute(statement)
        await opened.close()


async def test_the_page_is_read_by_everybody_and_shows_what_definitions_say(people: People) -> None:
    document = other(written(), "<b>bold</b> & <script>x()</script>", "overview", "purpose")
    made = await people.operator("POST", HERE, document | {"title": "A page & more"})
    address = made.headers["Location"]
    page = address.removeprefix("/v1")
    assert (await people.client.get(page, headers=BROWSER)).status_code == 404
    await people.took(people.operator, address, "panel-review", "public-comment")
    hostile = "<img src=x onerror=alert(1)>\"'</textarea>"
    await people.reader("POST", f"{address}/comments", {"section": "overview", "says": hostile})
    shown = await people.client.get(page, headers=BROWSER)
    assert shown.status_code == 200
    check_page(shown)
    for words in (
        "A page &amp; more", "&lt;b&gt;bold&lt;/b&gt;", "&lt;img src=x onerror", "Mean diameter",
        "public-comment", "RadElement RDE1304", f"/registries/{REGISTRY}#highest_risk_nodule-hr_nodule_size",
        "Sign in to comment",
    ):  # fmt: skip
        assert words in shown.text, words
    assert "<b>bold" not in shown.text
    assert "<img" not in shown.text
    assert 'action="/use-cases' not in shown.text, "whoever has no key is offered nothing to do"
    listed = await people.client.get("/use-cases", headers=BROWSER)
    check_page(listed)
    assert "A page &amp; more" in listed.text


async def test_a_panel_member_works_on_the_page(people: People) -> None:
    address = await people.opened("Worked on a page")
    page = address.removeprefix("/v1")

    async def post(desk: Desk, where: str, **form: str) -> httpx.Response:
        cookie = {"cookie": f"{COOKIE}={desk.key}"}
        return await people.client.post(page + where, data=form, headers=BROWSER | cookie)

    async def get(desk: Desk) -> str:
        answer = await people.client.get(page, headers=BROWSER | {"cookie": f"{COOKIE}={desk.key}"})
        check_page(answer)
        return answer.text

    said = await post(
        people.reader, "/comments", section="overview", says="Line\r\nbreak", signed="Ada"
    )
    assert (said.status_code, said.headers["location"]) == (303, f"{page}#comments")
    (comment,) = (await people.panel("GET", f"{address}/comments")).json()
    assert (comment["says"], comment["signed"]) == ("Line\nbreak", "Ada")
    assert "No patient belongs here" in await get(people.reader)
    assert (
        await post(people.vendor, "/comments", answers=str(comment["id"]), says="Yes")
    ).status_code == 303
    assert "Take the step" not in await get(people.reader)
    one = f"/comments/{comment['id']}"
    assert (
        await post(people.panel, f"{one}/outcome", outcome="noted", note="Thanks")
    ).status_code == 303
    shown = await get(people.panel)
    assert "The panel: noted." in shown
    tag = shown.partition('name="tag" value="')[2].partition('">')[0].replace("&#34;", '"')
    stale = await post(people.panel, "/transitions", state="published", tag='"0"')
    assert stale.status_code == 412
    elsewhere = BROWSER | {"sec-fetch-site": "cross-site", "cookie": f"{COOKIE}={people.panel.key}"}
    forged = await people.client.post(
        f"{page}/transitions", data={"state": "published", "tag": tag}, headers=elsewhere
    )
    assert forged.status_code == 403
    assert (await post(people.panel, "/transitions", state="published", tag=tag)).status_code == 303
    assert (await post(people.panel, f"{one}/remove")).status_code == 303
    assert "were taken away" in await get(people.reader)
    assert (await people.client.get(address)).json()["state"] == "published"


async def test_an_operator_brings_a_file_in_and_again(
    people: People,
    database: Addresses,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOUNSFIELD_DATA", str(settings.data))
    for name, url in (("", database.owner), ("_WEB", database.web), ("_WORKER", database.worker)):
        monkeypatch.setenv(f"HOUNSFIELD_DATABASE_URL{name}", url)

    async def run(*words: str) -> str:
        group = assembled("use-case")
        result = await asyncio.to_thread(CliRunner().invoke, group, ["use-case", *words])
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output.strip()

    file = tmp_path / "case.yaml"
    file.write_text(
        examples()[COVID].read_text().replace("title: COVID", "title: Brought in, COVID")
    )
    said = await run("import", str(file))
    number = said.split()[0]
    assert said == f"{number} version 1 is a draft."
    file.write_text(file.read_text().replace("Brought in", "Brought in again"))
    assert await run("import", str(file), "--use-case", number) == said
    address = f"{HERE}/{number}/versions/1"
    found = (await people.operator("GET", address)).json()
    assert (found["revision"], found["title"][:16]) == (2, "Brought in again")
