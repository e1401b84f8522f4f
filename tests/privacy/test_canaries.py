"""
Identities are planted at every door; nothing that comes out may hold one.

Searched are every response of every endpoint to every kind of asker, every log line, every table
outside the vault, and every file: archive, lake, quarantine. Only the owning facility, asking for
an identity by name, is told it.
"""

import asyncio
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
import pydicom
import pytest

from app.commands.checks import tables_tell
from app.commands.definitions import newest
from app.simulation.canaries import Canaries
from app.simulation.plan import Plan
from app.simulation.sending import Nation, bearer, read_lines
from app.simulation.write import simulate
from tests.journeys.conftest import databases  # noqa: F401 - a fixture
from tests.journeys.service import Service
from tests.journeys.travel import REGISTRY, settled, travel

PLAN = Plan(seed=99, facilities=6, cases=150, flawed=0.1, studies=5, single_posts=3)
RETRIEVED = re.compile(r"/studies/([\d.]+)/series/([\d.]+)/instances/([\d.]+)")
PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass
class Heard:
    """Everything a service said, and where it left what it knows."""

    canaries: Canaries
    listed: Path
    data: Path
    log: bytes = b""
    answers: list[tuple[str, bytes]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    """The addresses, as templates, that were asked and answered with 200."""
    stored: list[bytes] = field(default_factory=list)
    """Answers to STOW-RS, which name the sender's own UIDs (PS3.18 10.5.3)."""
    tables: dict[str, str] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)
    others: list[int] = field(default_factory=list)


def hostile(name: str, number: str) -> Iterator[tuple[str, bytes]]:
    """Deliveries that go wrong while they carry a name and a number, in every place there is."""
    ndjson, json, text = "application/x-ndjson", "application/json", "text/csv"
    yield json, f'{{"entries": [{{"elements": {{"patient_last_name": "{name}'.encode()
    yield json, f'{{"{name}": "{number}"}}'.encode()
    yield ndjson, f'{{"form": "{name}", "elements": {{"other_id": "{number}"}}}}\n'.encode()
    yield ndjson, f'{{"action": "{name}", "elements": {{"other_id": "{number}"}}}}\n'.encode()
    yield ndjson, f'{{"elements": {{"{name}": "{number}", "exam_date": "{number}"}}}}\n'.encode()
    yield ndjson, f'{{"elements": {{"other_id": "{name}", "other_id": "{number}"}}}}\n'.encode()
    yield ndjson, f'{name} {number}\n{{"elements": "{name}"}}\n'.encode()
    yield ndjson, f'{{"elements": {{"facility_id": "{name}", "modality": "{name}"}}}}\n'.encode()
    yield text, f"exam_unique_id,{name}\n{number},{number}\n".encode()
    yield text, f'exam_unique_id,modality\n"{name},{number}\n{name}\n'.encode()
    yield text, f"{name}|{number}\n{number}|{name}\n".encode()
    yield text, f"exam_unique_id,modality\n{name}\x00,{number}\xff\n".encode("latin-1")
    yield f"application/{name}", name.encode()
    yield "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", name.encode()


async def send_hostile(office, key, facility, name, number) -> list[httpx.Response]:
    client = office._client
    submissions = f"/v1/registries/{office.registry}/submissions"
    answers = [
        await client.post(submissions, content=body, headers=bearer(key) | {"Content-Type": kind})
        for kind, body in hostile(name, number)
    ]
    upload = {"file": (f"{name}.csv", f"{name},{number}\n1,2\n", "text/csv")}
    answers.append(await client.post(submissions, files=upload, headers=bearer(key)))
    for path in (
        f"/v1/cases/{name}",
        f"/v1/submissions/{name}",
        f"/v1/facilities/{name}",
        f"/v1/registries/{name}/measures",
        f"/v1/registries/{office.registry}/metrics?facility={name}&measure={number}",
        f"/v1/registries/{office.registry}/metrics?facility={facility}&stratum={name}:{number}",
        f"/v1/registries/{office.registry}/benchmarks?measure={name}&period={number}",
        f"/{name}/{number}",
        f"/dicomweb/{office.registry}/studies/{number}/series/{name}/instances/{name}",
    ):
        answers.append(await client.get(path, headers=bearer(key)))
    answers.append(await client.get("/v1/cases", headers=bearer(f"hk_{name}_{number}")))
    search = f"/v1/registries/{office.registry}/cases/search"
    for key_given in ({name: number}, {"exam_unique_id": number}, {"exam_unique_id": name * 60}):
        body = {"key": key_given, "facility": facility}
        answers.append(await client.post(search, json=body, headers=bearer(key)))
    return answers


def broken_instances(nation: Nation) -> Iterator[bytes]:
    """Instances that cannot be used, all of somebody."""
    (path, *_), *_ = (one["paths"] for one in nation.images)
    whole = (nation.folder / path).read_bytes()
    yield whole[: len(whole) // 3]
    yield whole.replace(b"DICM", b"DUCM")
    yield b"Zq" * 300
    instance = pydicom.dcmread(io.BytesIO(whole))
    del instance.PatientID
    instance.BurnedInAnnotation = "YES"
    written = io.BytesIO()
    instance.save_as(written)
    yield written.getvalue()


async def walk(office, heard: Heard, known: dict[str, list[str]], keys: dict[str, str]) -> None:
    """Ask every address that can be read, as everybody; parameters are tried from `known`."""
    document = (await office.get("/openapi.json", office.keys.operator)).json()
    for path, operations in document["paths"].items():
        if "get" not in operations:
            continue
        names = PARAMETER.findall(path)
        assert all(name in known for name in names), f"no value is known for {path}"
        for values in itertools.product(*(known[name] for name in names)):
            address = path
            for name, value in zip(names, values, strict=True):
                address = address.replace(f"{{{name}}}", str(value))
            for key in keys.values():
                answer = await office.get(address, key)
                heard.answers.append((path, answer.content + repr(answer.headers).encode()))
                if answer.status_code == 200:
                    heard.paths.add(path)


async def listen(folder: Path, addresses) -> Heard:
    definition = newest(REGISTRY)
    simulate(PLAN, definition, folder / "nation")
    nation = Nation.read(folder / "nation")
    listed = folder / "nation" / "canaries.txt"
    heard = Heard(Canaries.read(listed), listed, folder / "data")
    service = Service(addresses, folder, lease=60)
    service.env["HOUNSFIELD_LOG_LEVEL"] = "debug"
    with service:
        async with httpx.AsyncClient(base_url=service.url, timeout=120) as client:

            async def remember(answer: httpx.Response) -> None:
                path = answer.request.url.path
                content = await answer.aread() + repr(answer.headers).encode()
                if path.startswith("/dicomweb") and answer.request.method == "POST":
                    heard.stored.append(content)
                else:
                    heard.answers.append((path, content))

            client.event_hooks["response"] = [remember]
            travelled = await travel(service, client, nation, addresses.owner)
            office = travelled.office
            truth = list(read_lines(folder / "nation" / "truth.ndjson"))
            person = next(one for one in truth if one["elements"].get("patient_ssn"))
            facility = person["facility"]
            key = office.keys.facilities[facility]
            name, number = (
                person["elements"]["patient_last_name"],
                person["elements"]["patient_ssn"],
            )
            spoiled = await send_hostile(office, key, facility, name, number)
            assert {one.status_code // 100 for one in spoiled} == {2, 4}
            for broken in broken_instances(nation):
                answer = await office.store([broken], key)
                assert answer.status_code in (200, 409), answer.text
            await settled(service, addresses.owner)
            service.command("compare", "--registry", REGISTRY)
            client.event_hooks["response"] = []
            stranger = next(one for one in office.keys.facilities.values() if one != key)
            asking = {"operator": office.keys.operator, "facility": key, "stranger": stranger}
            await walk(office, heard, await addresses_known(office, heard, key, facility), asking)
            heard.owner, heard.others = await told_to_the_owner(office, person, asking, heard)
        service.command("reconcile", "--registry", REGISTRY)
        heard.tables = await tables_tell(addresses.owner, heard.canaries)
    heard.log = service.log.read_bytes()
    return heard


async def addresses_known(office, heard, key, facility) -> dict[str, list[str]]:
    """Values for the parameters of addresses: a few of everything there is."""
    listed = (await office.get("/v1/submissions?limit=500", office.keys.operator)).json()
    registry = office.registry
    cases = (await office.get(f"/v1/registries/{registry}/cases?limit=3", key)).json()
    images = (await office.get(f"/v1/registries/{registry}/images", office.keys.operator)).json()
    assert images
    study, series, instance = RETRIEVED.findall(heard.stored[0].decode())[0]
    ids = {
        name: [str(one["id"]) for one in (await office.get(path, office.keys.operator)).json()[:1]]
        for name, path in (
            ("account_id", "/v1/corporate-accounts"),
            ("physician_id", "/v1/physicians"),
            ("participation_id", "/v1/participations"),
            ("key_id", "/v1/keys"),
        )
    }
    troubled = [
        one["id"] for one in listed if one["counts"]["rejected"] or one["state"] != "completed"
    ]
    return ids | {
        "registry_id": [registry],
        "facility_id": [str(facility)],
        "submission_id": [listed[0]["id"], *troubled[:12]],
        "case_id": [str(one["id"]) for one in cases],
        "case": [str(cases[0]["id"])],
        "observation_id": [f"case-{one['id']}-0" for one in cases[:3]],
        "list_id": ["exam_names"],
        "questionnaire_id": ["early-lung-cancer-detection-exam"],
        "response_id": [f"{one['id']}-1" for one in listed[:3]],
        "worklist_id": ["annual-screens", "positive-screens"],
        "measure_id": ["ppv1"],
        "chart": ["run", "control", "funnel", "peers", "strata"],
        "form_id": ["exam"],
        "period": ["2025"],
        "code": ["not-found"],
        "version": ["1.12.0"],
        "partner_id": ["1"],
        "project_id": ["1"],
        "proposal_id": ["1"],
        "module_id": ["lung-rads-2022"],
        "use_case_id": ["HUC-01260001"],
        "use_case_version": ["1"],
        "study_instance_uid": [study],
        "series_instance_uid": [series],
        "sop_instance_uid": [instance],
    }


async def told_to_the_owner(office, person, asking, heard):
    """What the owner is told when it asks for an identity, and what others are answered."""
    search = {"key": {"exam_unique_id": person["key"]}, "facility": person["facility"]}
    found = await office._client.post(
        f"/v1/registries/{office.registry}/cases/search",
        json=search,
        headers=bearer(asking["facility"]),
    )
    (case,) = found.json()
    path = f"/v1/cases/{case['id']}?identity=true"
    own = await office.get(path, asking["facility"])
    others = [(await office.get(path, asking[one])) for one in ("operator", "stranger")]
    heard.answers += [("identity", one.content) for one in others]
    return heard.canaries.found_in(own.content), [one.status_code for one in others]


@pytest.fixture(scope="module")
def heard(databases, tmp_path_factory):  # noqa: F811 - the fixture imported above
    return asyncio.run(listen(tmp_path_factory.mktemp("privacy"), databases("canaries")))


def test_no_answer_to_anybody_holds_an_identity(heard):
    told = {path: leaks for path, body in heard.answers if (leaks := heard.canaries.found_in(body))}
    assert told == {}
    assert len(heard.answers) > 300


def test_a_store_answer_names_the_senders_uids_and_nothing_else(heard):
    kinds = set()
    for body in heard.stored:
        kinds |= set(heard.canaries.found_in(body).values())
    assert kinds == {"uid"}


def test_every_kind_of_page_was_read(heard):
    read = {re.sub(r"\{\w+\}", "{}", path) for path in heard.paths}
    assert read >= {
        "/v1/submissions",
        "/v1/submissions/{}",
        "/v1/submissions/{}/findings",
        "/v1/submissions/{}/entries",
        "/v1/registries/{}/cases",
        "/v1/cases/{}",
        "/v1/cases/{}/versions",
        "/v1/registries/{}/images",
        "/v1/registries/{}/metrics",
        "/v1/registries/{}/measures",
        "/v1/facilities/{}/reports/{}/{}",
        "/metrics",
        "/health/ready",
    }


def test_only_the_owner_is_told_who_a_case_is(heard):
    assert set(heard.owner.values()) >= {"name", "national identifier", "birth date"}
    assert heard.others == [403, 404]


def test_no_log_line_holds_an_identity(heard):
    assert heard.canaries.found_in(heard.log) == {}
    assert heard.log.count(b"\n") > 100


def test_no_table_outside_the_vault_holds_an_identity(heard):
    assert heard.tables == {}


def test_no_file_holds_an_identity(heard):
    assert heard.canaries.found_in_files(heard.data) == {}
    assert list(heard.data.rglob("*.parquet")), "the lake was written"


def test_archived_instances_hold_no_identity_in_any_byte(heard):
    archived = [
        content
        for path in heard.data.rglob("*")
        if path.is_file() and (content := path.read_bytes())[128:132] == b"DICM"
    ]
    assert len(archived) >= PLAN.studies * PLAN.instances
    for content in archived:
        assert heard.canaries.found_in(content) == {}
        instance = pydicom.dcmread(io.BytesIO(content))
        assert instance.PatientIdentityRemoved == "YES"
        assert instance.pixel_array.shape == (64, 64)


def test_the_search_of_tables_would_find_an_identity(heard, databases):  # noqa: F811
    addresses = databases("planted")
    name = next(iter(Canaries.read(heard.listed)._kinds)).decode()

    async def plant():
        connection = await asyncpg.connect(addresses.owner)
        await connection.execute(
            "INSERT INTO partners (name, registries, created_at) VALUES ($1, '{}', now())",
            f"made by {name}",
        )
        await connection.close()
        return await tables_tell(addresses.owner, heard.canaries)

    assert list(asyncio.run(plant())) == [f"public.partners: {name}"]
