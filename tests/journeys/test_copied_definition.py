"""
A deployer copies a registry's folder, renames it, alters an element and a measure, and runs it:
from submission to metrics with no code.
"""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import yaml

from app.registries import load
from app.simulation.plan import Plan
from app.simulation.proof import counts_differ, findings_differ
from app.simulation.sending import Nation, read_lines
from app.simulation.write import simulate
from tests.journeys.quality import GUIDED, by_status, quality_differs, reported_to_cms
from tests.journeys.service import Service
from tests.journeys.travel import travel
from tests.oracles.cells import cells_of, differing
from tests.oracles.counting import Measure, count, exams_of
from tests.oracles.elcdr import BY_INDICATION, MEASURES, proportion

PACKAGED = load.PACKAGED / "early-lung-cancer-detection" / "1.12.0"
COPY = "lung-pilot"
PLAN = Plan(seed=77, facilities=3, cases=160, flawed=0.08, single_posts=2)


def altered(path: Path, alter) -> None:
    """Change a YAML file in place."""
    document = yaml.safe_load(path.read_text())
    alter(document)
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def rename(registry) -> None:
    registry["id"] = COPY
    registry["version"] = "1.0.0"
    registry["title"] = "Lung pilot"


def ask_about_the_home(form) -> None:
    (element,) = [one for one in form["elements"] if one["id"] == "radon_exposure"]
    element |= {
        "id": "radon_in_the_home",
        "source_name": "Radon_In_The_Home",
        "title": "Radon was measured in the home",
        "required": True,
    }


def count_the_homes(measures) -> None:
    (measure,) = [one for one in measures if one["id"] == "modifier_s_rate"]
    measure |= {
        "title": "Radon in the home",
        "description": "Screens of people in whose home radon was measured.",
        "numerator": "radon_in_the_home = 'Y'",
        "examples": [
            {
                "title": "One home of two",
                "cases": [
                    {"subject": "a", "elements": {"radon_in_the_home": "Y", **SEEN}},
                    {"subject": "b", "elements": {"radon_in_the_home": "N", **SEEN}},
                ],
                "expect": [{"denominator": 2, "numerator": 1}],
            }
        ],
    }


SEEN = {"exam_date": "2025-03-04", "indication_of_exam": "1"}

OWN_MEASURES = (
    *(one for one in MEASURES if one.id not in ("modifier_s_rate", GUIDED)),
    *(replace(one, strata={"status": by_status}) for one in MEASURES if one.id == GUIDED),
    Measure(
        "modifier_s_rate",
        lambda exam: proportion(True, exam["radon_in_the_home"] == "Y"),
        BY_INDICATION,
    ),
)


@pytest.fixture
def definitions(tmp_path):
    folder = tmp_path / "definitions"
    copy = folder / COPY / "1.0.0"
    shutil.copytree(PACKAGED, copy)
    (copy / "conversion.yaml").unlink()  # of an earlier version, which is not copied
    altered(copy / "registry.yaml", rename)
    altered(copy / "elements" / "risk_factors.yaml", ask_about_the_home)
    altered(copy / "measures" / "results.yaml", count_the_homes)
    altered(copy / "measures" / "smoking.yaml", reported_to_cms)
    return folder


def test_an_altered_copy_works_from_submission_to_metrics(definitions, databases, tmp_path):
    definition = load.load(definitions / COPY / "1.0.0")
    simulate(PLAN, definition, tmp_path / "nation")
    nation = Nation.read(tmp_path / "nation")
    addresses = databases("copied")
    got = asyncio.run(sent_through(definitions, nation, addresses, tmp_path, definition))
    wanted = count(exams_of(tmp_path / "nation" / "truth.ndjson"), OWN_MEASURES)
    assert differing(wanted, got) == []
    truth = list(read_lines(tmp_path / "nation" / "truth.ndjson"))
    homes = [one["elements"].get("radon_in_the_home") for one in truth]
    assert {"Y", "N", "U"} <= set(homes), "the new element was filled in"


async def sent_through(definitions, nation, addresses, folder, definition):
    with Service(addresses, folder, lease=60, definitions=definitions) as service:
        async with httpx.AsyncClient(base_url=service.url, timeout=120) as client:
            travelled = await travel(service, client, nation, addresses.owner, registry=COPY)
            office = travelled.office
            assert await counts_differ(office, nation, travelled.answered) == []
            assert await findings_differ(office, nation, travelled.answered) == []
            largest = max(nation.facilities, key=lambda one: one["share"])["number"]
            answer = await office.get(
                f"/v1/registries/{COPY}/metrics",
                office.keys.facilities[largest],
                measure="modifier_s_rate",
                period="2022-10..2026-09",
            )
            (metric,) = answer.json()["metrics"]
            assert metric["title"] == "Radon in the home"
            assert metric["denominator"] > 0
            assert metric["numerator"] > 0
            differ, compared = await quality_differs(
                client,
                office.keys.operator,
                COPY,
                nation,
                exams_of(folder / "nation" / "truth.ndjson"),
                {one.id: one for one in OWN_MEASURES},
            )
            assert differ == []
            assert compared > 5
        service.command("reconcile", "--registry", COPY)
    scales = {one.id: one.scale for one in definition.measures}
    return await cells_of(addresses.owner, COPY, scales)
