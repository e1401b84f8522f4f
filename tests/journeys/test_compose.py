"""`compose.yaml` names what there is, and in its form, on two machines, the whole journey passes."""

import asyncio
import subprocess
import time
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import obstore
import pytest
from obstore.store import S3Store

from app.commands.definitions import newest
from app.settings import Settings
from app.simulation.plan import Plan
from app.simulation.proof import counts_differ, findings_differ, images_differ, rates_differ
from app.simulation.sending import Nation, bearer
from app.simulation.write import simulate
from tests.journeys.composition import FILE, composition, here, wanted, without_ours
from tests.journeys.service import Service
from tests.journeys.travel import REGISTRY, settled, travel
from tests.object_store import WEED, free_ports
from tests.oracles.cells import cells_of, differing
from tests.oracles.counting import count, exams_of
from tests.oracles.elcdr import MEASURES

PLAN = Plan(seed=41, facilities=6, cases=300, flawed=0.03, studies=3, years=4, single_posts=3)
OURS = ("migrate", "web", "worker")


def test_every_command_and_setting_of_the_composition_exists() -> None:
    services = composition()["services"]
    commands = (FILE.parent / "docs" / "reference" / "cli.md").read_text()
    known = {f"HOUNSFIELD_{name.upper()}" for name in Settings.model_fields}
    for name in OURS:
        (command,) = services[name]["command"]
        assert f"hounsfield {command}" in commands
        environment = services[name]["environment"]
        ours = {one for one in environment if one.startswith("HOUNSFIELD_")}
        assert ours <= known
        assert {
            "HOUNSFIELD_ARCHIVE_URL",
            "HOUNSFIELD_QUARANTINE_URL",
            "HOUNSFIELD_LAKE_URL",
        } <= ours
        assert environment == services["web"]["environment"], "they find the same things"
    for one in services.values():
        depended = one.get("depends_on", [])
        assert set(depended) <= services.keys()
    volumes = {one.partition(":")[0] for its in services.values() for one in its.get("volumes", [])}
    assert volumes == composition()["volumes"].keys()


def test_the_database_is_ready_only_where_others_reach_it() -> None:
    """The image's first start runs a server of its own on the socket alone, and stops it again."""
    postgres = composition()["services"]["postgres"]
    assert "--host=127.0.0.1" in postgres["healthcheck"]["test"]


def test_only_one_process_migrates_and_the_others_wait_for_it() -> None:
    services = composition()["services"]
    assert services["migrate"]["restart"] == "on-failure"
    for name in ("web", "worker"):
        waits = services[name]["depends_on"]
        assert waits["migrate"] == {"condition": "service_completed_successfully"}
        assert waits["buckets"] == {"condition": "service_completed_successfully"}
    # The image's health is that of a web process; nothing else listens.
    assert [name for name in OURS if services[name].get("healthcheck") == {"disable": True}] == [
        "migrate",
        "worker",
    ]


def test_what_has_to_be_given_is_told_and_the_store_is_the_one_that_is_tested() -> None:
    page = (FILE.parent / "docs" / "how-to" / "many-machines.md").read_text()
    for name in wanted():
        assert f"{name}=" in page
        with pytest.raises(KeyError):
            composition({})
    said = subprocess.run([WEED, "version"], capture_output=True, text=True, check=True).stdout
    for name in ("s3", "buckets"):
        image = composition()["services"][name]["image"]
        assert image.rpartition(":")[2] in said.split()


class EitherMachine(httpx.AsyncHTTPTransport):
    """A load balancer: each request goes to the next of the machines that are there."""

    def __init__(self, machines: list[Service]) -> None:
        super().__init__()
        self.machines, self.number = machines, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.number += 1
        machine = self.machines[self.number % len(self.machines)]
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=machine.port)
        return await super().handle_async_request(request)


class Store:
    """The composition's S3 server, as its own command starts it, on ports of this machine."""

    def __init__(self, folder: Path) -> None:
        ports = free_ports(8)
        names = ("master", "volume", "filer", "s3")
        self.ports = dict(zip((*names, *(f"{one}.port.grpc" for one in names)), ports, strict=True))
        service = composition()["services"]["s3"]
        command = [
            one.replace("/data", str(folder)).replace("-ip=s3", "-ip=127.0.0.1")
            for one in service["command"]
            if not one.startswith("-s3.port")
        ]
        command += [f"-{one}.port={self.ports[one]}" for one in names]
        command += [f"-{one}={port}" for one, port in self.ports.items() if one.endswith("grpc")]
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
        self.log = (folder / "server.log").open("wb")
        self.process = subprocess.Popen(
            [WEED, *command],
            cwd=folder,
            env=without_ours() | service["environment"],
            stdout=self.log,
            stderr=self.log,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3']}"

    def make_buckets(self) -> None:
        """As the one-shot service does, again until it goes well."""
        (script,) = composition()["services"]["buckets"]["command"]
        for place, name in {"s3:9333": "master", "s3:8888": "filer"}.items():
            own = f"127.0.0.1:{self.ports[name]}.{self.ports[f'{name}.port.grpc']}"
            script = script.replace(place, own)
        script = script.replace("weed shell", f"{WEED} shell")
        until = time.monotonic() + 120
        while subprocess.run(["sh", "-c", script], capture_output=True, timeout=120).returncode:
            assert time.monotonic() < until
            time.sleep(1)

    def names(self, prefix: str) -> set[str]:
        """What lies in the bucket."""
        web = here("web", s3=self.url)
        store = S3Store(
            "hounsfield",
            endpoint=self.url,
            access_key_id=web["AWS_ACCESS_KEY_ID"],
            secret_access_key=web["AWS_SECRET_ACCESS_KEY"],
            region=web["AWS_REGION"],
            client_options={"allow_http": True},
        )
        return {one["path"] for some in obstore.list(store, prefix=prefix) for one in some}

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_on_two_machines_that_share_database_and_store_the_whole_journey_passes(
    databases: Any, tmp_path: Path
) -> None:
    (tmp_path / "store").mkdir()
    store = Store(tmp_path / "store")
    try:
        store.make_buckets()
        asyncio.run(journey(databases("machines"), store, tmp_path))
    finally:
        store.stop()


async def journey(addresses: Any, store: Store, folder: Path) -> None:
    definition = newest(REGISTRY)
    simulate(PLAN, definition, folder / "nation")
    nation = Nation.read(folder / "nation")
    given = here("web", s3=store.url)
    del given["HOUNSFIELD_DATABASE_URL"]  # the tests' server is asked under each role's own login
    with (
        Service(addresses, folder / "a", workers=1, lease=10, more=given) as one,
        Service(addresses, folder / "b", workers=1, lease=10, more=given) as other,
    ):
        balancer = EitherMachine([one, other])
        async with httpx.AsyncClient(
            transport=balancer, base_url="http://hounsfield.test", timeout=300
        ) as client:
            travelled = await travel(one, client, nation, addresses.owner, patience=1200)
            office = travelled.office
            assert await counts_differ(office, nation, travelled.answered) == []
            assert await findings_differ(office, nation, travelled.answered) == []
            assert await images_differ(office, nation, []) == []
            compared, rates = await rates_differ(office, nation)
            assert (compared > 20, rates) == (True, [])
            scales = {each.id: each.scale for each in definition.measures}
            wanted = count(exams_of(folder / "nation" / "truth.ndjson"), MEASURES)

            # One machine writes the lake, the other reads, continues and compacts it.
            assert "0 differences" in one.command("reconcile", timeout=900)
            assert "0 differences" in other.command("reconcile", timeout=900)
            other.command("recompute", timeout=900)
            assert differing(wanted, await cells_of(addresses.owner, REGISTRY, scales)) == []
            lake = {path for path in store.names("lake") if path.endswith(".parquet")}
            assert lake
            copies = {
                f"lake/{path.relative_to(folder / 'b' / 'data' / 'lake')}"
                for path in (folder / "b" / "data" / "lake").rglob("*.parquet")
            }
            assert copies <= lake
            assert copies

            # Reports made on one machine are read from the other, byte for byte.
            one.command("compare", timeout=300)
            other.command("issue", "--registry", REGISTRY, "--period", "2026Q2", timeout=900)
            await same_reports(client, office, nation)

            # A machine goes: the other takes in what comes, and reads everything there is.
            one.kill()
            balancer.machines = [other]
            again = nation.submissions[0]
            answer = await office.send(nation.folder, again | {"submission": "again"})
            assert answer["id"]
            await settled(other, addresses.owner, 600)
            assert await images_differ(office, nation, []) == []
            compared, rates = await rates_differ(office, nation)
            assert (compared > 20, rates) == (True, [])
            assert "0 differences" in other.command("reconcile", timeout=900)
            for place in ("a", "b"):
                kept = {path.name for path in (folder / place / "data").iterdir()}
                assert not kept & {"archive", "quarantine", "postgres"}, "nothing but copies"


async def same_reports(client: httpx.AsyncClient, office: Any, nation: Nation) -> None:
    """Each facility's report, and a drill-down from it, from whichever machine is asked."""
    for facility in nation.facilities[:3]:
        number = facility["number"]
        key = bearer(office.keys.facilities[number])
        path = f"/v1/facilities/{number}/reports/{REGISTRY}/2026Q2/issued"
        papers = [
            await client.get(path, headers=key | {"Accept": "application/pdf"}) for _ in range(2)
        ]
        assert [one.status_code for one in papers] == [200, 200], papers[0].text
        assert papers[0].content == papers[1].content
        assert papers[0].content.startswith(b"%PDF")
        listed = await client.get(
            f"/v1/registries/{REGISTRY}/metrics/recall_rate/cases",
            params={"facility": number, "period": str(date(2026, 1, 1).year), "limit": 200},
            headers=key,
        )
        assert listed.status_code == 200, listed.text
        assert len(listed.json()["cases"]) == listed.json()["count"]
