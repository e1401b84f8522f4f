"""A clinician's and a group's results over the wire, beside a recount of their cases in plain Python."""

import json
from collections.abc import Collection
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from app.access import ALLOWED, Act, Role
from app.commands.qpp import app as commands
from app.commands.running import environment
from app.errors import RegistryError, Unprocessable
from app.registries.load import PACKAGED, load
from app.registries.measure import Measure
from app.registries.schema import Definition
from app.reports.qpp.check import check
from app.reports.qpp.complaints import RefusedByQpp
from app.reports.qpp.export import mapped, none_mapped, submission
from app.settings import Settings
from tests.benchmarks.history import History, Known
from tests.reports.qpp.registry import CQM, MEAN, QCDR, READER, STRATIFIED, registry
from tests.reports.qpp.world import (
    ADA,
    BEN,
    CAY,
    DEE,
    EVA,
    FAR,
    GROUP,
    HERE,
    HISTORY,
    OTHER,
    THERE,
    World,
    list_physician,
    make_world,
)

PATH = "/v1/registries/toy/qpp"
world = pytest.fixture(scope="module")(make_world)


# --- the recount ----------------------------------------------------------------------------------


def exams(history: History, places: Collection[tuple[int, str]], year: int) -> list[Known]:
    return [
        one
        for one in history.known.values()
        if one.form == "exam"
        and one.state == "submitted"
        and one.day is not None
        and one.day.year == year
        and (one.facility, one.elements[READER]) in places
    ]


def cancer(history: History, exam: Known) -> bool:
    return any(
        one.parent == exam.case
        and one.elements["cancer"]
        and 0 <= (date.fromisoformat(one.elements["seen_on"]) - exam.day).days <= 365  # type: ignore[operator]
        for one in history.known.values()
    )


def recounted(history: History, places: Collection[tuple[int, str]], year: int) -> dict[str, Any]:
    """The values of the four measures, from the cases one by one."""
    found: dict[str, Any] = {}
    counts = dict.fromkeys(("met", "not", "exclusion", "exception", "whole"), 0)
    cqm, qcdr = dict(counts), dict(counts)
    strata = {name: dict(counts) for name in ("abdomen", "chest", "head")}
    observed, excepted, eligible = [], 0, 0
    for one in exams(history, places, year):
        told = one.elements
        if told["result"] in "234" and "X" not in told["signs"]:
            cqm["whole"] += 1
            cqm[
                "met" if told["packs"] == 30 else "exception" if told["packs"] == 999 else "not"
            ] += 1
        qcdr["whole"] += 1
        if "X" in told["signs"]:
            qcdr["exclusion"] += 1
        elif cancer(history, one) or told["result"] == "1":
            qcdr["met"] += 1
        else:
            qcdr["exception" if told["dose"] == "999.00" else "not"] += 1
        if told["result"] in "123":
            stratum = strata[{"1": "abdomen", "2": "chest", "3": "head"}[told["result"]]]
            stratum["whole"] += 1
            if told["dose"] != "999.00":
                stratum["met" if told["dose"] == "1.25" else "not"] += 1
        eligible += 1
        if "Y" in told["signs"]:
            excepted += 1
        elif told["dose"] != "999.00":
            observed.append(Decimal(told["dose"]).quantize(Decimal("0.1"), ROUND_HALF_UP))
    found["364"] = named(cqm)
    found["QMM23"] = {**named(qcdr), "numeratorExclusion": 0, "performanceRate": percent(qcdr)}
    together = {key: sum(one[key] for one in strata.values()) for key in counts}
    found["ACRAD34"] = {
        "isEndToEndReported": False,
        "performanceRate": percent(together),
        "strata": [
            {"stratum": name, **{k: v for k, v in named(one).items() if k != "isEndToEndReported"}}
            for name, one in strata.items()
        ],
    }
    found["ACRAD15"] = {
        "isEndToEndReported": False,
        "numerator": round(float(sum(observed) / len(observed)), 3),
        "denominator": eligible,
        "observationInstances": len(observed),
        "denominatorException": excepted,
        "numeratorExclusion": 0,
    }
    return found


def named(counts: dict[str, int]) -> dict[str, Any]:
    return {
        "isEndToEndReported": False,
        "eligiblePopulation": counts["whole"],
        "performanceMet": counts["met"],
        "performanceNotMet": counts["not"],
        "eligiblePopulationExclusion": counts["exclusion"],
        "eligiblePopulationException": counts["exception"],
    }


def percent(counts: dict[str, int]) -> float:
    rate = Decimal(100 * counts["met"]) / (counts["met"] + counts["not"])
    return float(rate.quantize(Decimal("0.01"), ROUND_HALF_UP))


ENTITIES = [
    (GROUP, None, [(HERE, ADA), (THERE, ADA), (HERE, BEN)]),
    (GROUP, ADA, [(HERE, ADA), (THERE, ADA)]),
    (GROUP, BEN, [(HERE, BEN)]),
    (OTHER, CAY, [(HERE, CAY)]),
    (FAR, None, [(THERE, EVA)]),
]


async def test_results_are_those_of_a_recount_of_their_own_cases(
    world: World, client: httpx.AsyncClient
) -> None:
    without_rate = 0
    for year in (2024, 2025):
        for tin, npi, places in ENTITIES:
            body = {"year": year, "tin": tin, "npi": npi}
            answer = await client.post(f"{PATH}/results", json=body, headers=world.both)
            assert answer.status_code == 200, answer.text
            told = answer.json()
            expected = recounted(HISTORY, places, year)
            gone = {one["qpp_measure"]: one["reason"] for one in told["left_out"]}
            for name, reason in gone.items():
                value = expected.pop(name)
                assert (value["performanceMet"], value["performanceNotMet"]) == (0, 0)
                assert reason == ("no-rate" if value["eligiblePopulation"] else "no-cases")
                without_rate += 1
            assert {one["qpp_measure"]: one["value"] for one in told["results"]} == expected
            assert (told["complete"], told["provisional"]) == (True, False)
            assert told["facilities"] == sorted({facility for facility, _ in places})
            assert told["clinicians"] == len({one for _, one in places})
            sent = (await client.post(f"{PATH}/submission", json=body, headers=world.both)).json()
            assert check(sent) == []
            assert sent["entityType"] == ("group" if npi is None else "individual")
            assert sent["taxpayerIdentificationNumber"] == tin
            assert sent.get("nationalProviderIdentifier") == npi
            (only,) = sent["measurementSets"]
            assert {one["measureId"]: one["value"] for one in only["measurements"]} == expected
            assert only["performanceStart"] == f"{year}-01-01"
            assert only["performanceEnd"] == f"{year}-12-31"
    assert without_rate == 1


async def test_a_group_is_its_clinicians_together(world: World) -> None:
    whole, ada, ben = [
        {
            one.official.measure_id: one.score.case_count
            for one in (await world.results(registry(), npi=npi)).reported
        }
        for npi in (None, ADA, BEN)
    ]
    assert whole == {name: ada[name] + ben[name] for name in ada}
    assert whole["364"] > 20


async def test_a_result_says_where_it_stands_or_why_not(
    world: World, client: httpx.AsyncClient
) -> None:
    body = {"year": 2025, "tin": GROUP}
    answer = await client.post(f"{PATH}/results", json=body, headers=world.both)
    found = {one["qpp_measure"]: one for one in answer.json()["results"]}
    cqm = found["364"]
    assert (cqm["reporting_rate"], cqm["complete"], cqm["unscored"]) == (100, True, None)
    assert cqm["points"] >= 1
    assert cqm["benchmark"]["percentiles"]["50"] == 94
    dose = found[
        "ACRAD34"
    ]  # a third of the doses are not known: they are eligible, and not reported
    assert dose["reporting_rate"] < 75
    assert dose["unscored"]["reason"] == "incomplete-data"
    assert dose["decile"] is None
    few = await client.post(
        f"{PATH}/results", json={"year": 2024, "tin": GROUP, "npi": BEN}, headers=world.both
    )
    short = {one["qpp_measure"]: one for one in few.json()["results"]}["364"]
    assert short["case_count"] < 20
    assert short["unscored"]["reason"] == "too-few-cases"


async def test_a_key_that_reaches_a_part_gets_results_and_no_submission(
    world: World, client: httpx.AsyncClient
) -> None:
    body = {"year": 2025, "tin": GROUP}
    answer = await client.post(f"{PATH}/results", json=body, headers=world.here)
    told = answer.json()
    assert (told["complete"], told["facilities"]) == (False, [HERE])
    expected = recounted(HISTORY, [(HERE, ADA), (HERE, BEN)], 2025)
    assert {one["qpp_measure"]: one["value"] for one in told["results"]} == expected
    refused = await client.post(f"{PATH}/submission", json=body, headers=world.here)
    assert refused.status_code == 409
    assert "outside your key" in refused.json()["detail"]
    assert str(THERE) not in answer.text + refused.text
    whole = await client.post(f"{PATH}/submission", json={**body, "npi": BEN}, headers=world.here)
    assert whole.status_code == 200


WRONG: list[tuple[dict[str, Any], int, str | None]] = [
    ({"year": 2023, "tin": GROUP}, 422, "2024, 2025, 2026, 2027"),
    ({"year": 2016, "tin": GROUP}, 422, None),
    ({"tin": GROUP}, 422, None),
    ({"year": 2025}, 422, None),
    ({"year": 2025, "tin": "12-3456789"}, 422, None),
    ({"year": 2025, "tin": GROUP, "npi": "1234567890"}, 422, None),
    ({"year": 2025, "tin": "111111111"}, 404, "No physician"),
    ({"year": 2025, "tin": GROUP, "npi": CAY}, 404, "No physician"),
    ({"year": 2025, "tin": GROUP, "npi": DEE}, 422, "listed without a TIN"),
]


async def test_a_wrong_year_or_somebody_who_is_not_listed_is_a_problem(
    world: World, client: httpx.AsyncClient
) -> None:
    for body, status, says in WRONG:
        for what in ("results", "submission"):
            answer = await client.post(f"{PATH}/{what}", json=body, headers=world.both)
            assert answer.status_code == status, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            if says is not None:
                assert says in answer.json()["detail"]
            elif "tin" not in body:
                assert answer.json()["errors"][0]["pointer"] == "/body/tin"
            for secret in (GROUP, CAY, DEE, "111111111"):
                assert secret not in answer.text


async def test_who_bills_under_two_tins_at_one_place_is_not_guessed(
    world: World, client: httpx.AsyncClient
) -> None:
    await world.as_owner(lambda session: list_physician(session, BEN, OTHER, [HERE]))
    body = {"year": 2025, "tin": GROUP}
    answer = await client.post(f"{PATH}/results", json=body, headers=world.both)
    assert answer.status_code == 422
    assert f"facility {HERE}" in answer.json()["detail"]
    mine = f"DELETE FROM physicians WHERE npi = '{BEN}' AND tin = '{OTHER}'"
    await world.as_owner(lambda session: session.execute(text(mine)))
    answer = await client.post(f"{PATH}/results", json=body, headers=world.both)
    assert answer.status_code == 200


def changed(measure: Measure, **changes: Any) -> Definition:
    """The registry with this measure alone, with changes to it or to what it is to CMS."""
    of_qpp = {name: value for name, value in changes.items() if name not in Measure.model_fields}
    qpp = tuple(one.model_copy(update=of_qpp) for one in measure.qpp)
    found = measure.model_copy(
        update={k: v for k, v in changes.items() if k not in of_qpp} | {"qpp": qpp}
    )
    made = registry(found)
    return made.model_copy(update={"digest": f"{made.digest}-{sorted(changes)}-{changes}"})


async def test_cases_in_none_of_a_measures_strata_are_refused_by_name(world: World) -> None:
    with pytest.raises(RefusedByQpp) as refused:
        await world.results(changed(STRATIFIED, denominator="TRUE"))
    (line,) = refused.value.complaints
    assert line.startswith("ACRAD34: Of the denominator, ")
    assert line.endswith("allowed: abdomen, chest, head")


async def test_strata_that_the_definition_does_not_map_are_refused_by_name(world: World) -> None:
    strata = {"abdomen": "belly", "chest": "lung"}
    with pytest.raises(RefusedByQpp, match="ACRAD34: The strata head are not mapped"):
        await world.results(changed(STRATIFIED, strata=strata))


async def test_a_mapping_that_gives_cms_a_wrong_denominator_is_refused_by_name(
    world: World,
) -> None:
    # A CQM has no room for exclusions: the check that CMS's rules are kept is the last door.
    found = await world.results(changed(CQM, exclusions="exclusion"))
    with pytest.raises(RefusedByQpp) as refused:
        submission(found)
    (line,) = refused.value.complaints
    assert line.startswith("364: What is excluded has left the eligible population")
    assert "allowed: 0" in line


async def test_what_exclusions_and_exceptions_are_decides_the_eligible_population(
    world: World,
) -> None:
    async def value(definition: Definition) -> dict[str, Any]:
        (one,) = (await world.results(definition)).reported
        return one.value

    plain = await value(registry(QCDR))
    excluded, excepted = (plain[f"eligiblePopulation{name}"] for name in ("Exclusion", "Exception"))
    assert excluded
    assert excepted
    outside = await value(changed(QCDR, exclusions="outside"))
    assert outside["eligiblePopulation"] == plain["eligiblePopulation"] - excluded
    assert outside["eligiblePopulationExclusion"] == 0
    silent = await value(changed(QCDR, exceptions="not-reported"))
    assert silent["eligiblePopulation"] == plain["eligiblePopulation"]
    assert silent["eligiblePopulationException"] == 0
    moved = await value(changed(QCDR, exceptions="numerator-exclusion"))
    assert moved["numeratorExclusion"] == excepted
    assert {one["performanceRate"] for one in (plain, outside, silent, moved)} == {
        plain["performanceRate"]
    }
    mean = await value(changed(MEAN, exceptions="numerator-exclusion"))
    assert mean["numeratorExclusion"] > mean["denominatorException"] == 0


@pytest.mark.parametrize(
    ("definition", "options", "reason"),
    [
        (changed(STRATIFIED), {"vendor": "6394618"}, "not-licensed"),
        (changed(STRATIFIED), {"program": "M1498"}, "other-program"),
        (changed(CQM, matures_after=6), {}, "not-matured"),
        (changed(CQM, denominator="result = '9'"), {}, "no-cases"),
        (changed(QCDR, denominator_exclusion="TRUE"), {}, "no-cases"),
        (changed(QCDR, numerator="FALSE", denominator_exception="TRUE"), {}, "no-rate"),
    ],
)
async def test_a_measure_that_is_not_sent_says_why_and_an_empty_submission_is_none(
    world: World, definition: Definition, options: dict[str, Any], reason: str
) -> None:
    found = await world.results(definition, **options)
    assert found.reported == ()
    assert [one.reason for one in found.left_out] == [reason]
    with pytest.raises(RegistryError, match="There is nothing to send of 2025"):
        submission(found)


async def test_a_registry_without_qpp_measures_gets_a_clear_answer(world: World) -> None:
    past = changed(CQM, years=(2018, 2019))
    with pytest.raises(Unprocessable) as refused:
        await world.results(past)
    said = str(refused.value)
    assert "`recommended` is 364 in 2018, 2019." in said
    assert "in 2025 CMS takes" in said


async def test_a_year_that_has_not_ended_is_provisional(world: World) -> None:
    assert (await world.results(registry(), today=date(2025, 12, 31))).provisional
    assert not (await world.results(registry(), today=date(2026, 1, 1))).provisional


async def test_the_registrys_measures_of_a_year_are_listed_with_their_benchmarks(
    world: World, client: httpx.AsyncClient
) -> None:
    answer = await client.get(f"{PATH}?year=2024", headers=world.here)
    found = {one["qpp_measure"]: one for one in answer.json()["measures"]}
    assert set(found) == {"364", "QMM23", "ACRAD34", "ACRAD15"}
    assert found["ACRAD34"]["strata"] == ["abdomen", "chest", "head"]
    assert found["ACRAD15"]["benchmark"]["percentiles"]["90"] == 9.53
    none = (await client.get(f"{PATH}?year=2026", headers=world.here)).json()
    assert (len(none["measures"]), none["says"]) == (3, None)
    assert (await client.get(f"{PATH}?year=2030", headers=world.here)).status_code == 422


async def test_a_sent_document_is_checked_over_the_wire(
    world: World, client: httpx.AsyncClient
) -> None:
    body = {"year": 2025, "tin": GROUP}
    sent = (await client.post(f"{PATH}/submission", json=body, headers=world.both)).json()
    answer = await client.post("/v1/qpp/checks", json=sent, headers=world.here)
    assert answer.json() == {"sound": True, "flaws": []}
    for one in sent["measurementSets"][0]["measurements"]:
        one["value"].pop("strata", None)
    answer = await client.post("/v1/qpp/checks", json=sent, headers=world.here)
    (flaw,) = answer.json()["flaws"]
    assert (flaw["measure"], flaw["code"]) == ("ACRAD34", "missing-strata")
    assert flaw["allowed"] == "a list with abdomen, chest, head"


def test_only_administrators_and_the_operator_read_results_of_single_physicians() -> None:
    may = {role for role, acts in ALLOWED.items() if Act.READ_PHYSICIANS_RESULTS in acts}
    assert may == {Role.OPERATOR, Role.CORPORATE_ADMINISTRATOR, Role.FACILITY_ADMINISTRATOR}


async def test_a_registrar_reads_no_results_of_physicians(
    world: World, client: httpx.AsyncClient
) -> None:
    for what in ("results", "submission"):
        body = {"year": 2025, "tin": GROUP}
        answer = await client.post(f"{PATH}/{what}", json=body, headers=world.registrar)
        assert answer.status_code == 403


async def test_each_look_is_kept_in_the_audit_trail_without_numbers(
    world: World, client: httpx.AsyncClient
) -> None:
    await client.post(f"{PATH}/results", json={"year": 2025, "tin": FAR}, headers=world.both)
    latest = (
        "SELECT facility_id, details::text FROM audit_events WHERE record_type = 'qpp-results'"
        " ORDER BY id DESC LIMIT 1"
    )
    (row,) = await world.as_owner(lambda session: session.execute(text(latest)))
    assert row[0] == THERE
    assert '"year": 2025' in row[1]
    assert FAR not in row[1]


def test_the_lung_registry_says_that_cms_takes_none_of_its_measures_today() -> None:
    definition = load(PACKAGED / "early-lung-cancer-detection" / "1.12.0")
    for year in (2024, 2025, 2026, 2027):
        assert mapped(definition, year) == []
        said = none_mapped(definition, year)
        assert "`abnormal_interpretation_rate` is ACRAD23 in 2017, 2018." in said
        assert f"in {year} CMS takes 145, " in said


def test_the_operator_exports_a_group_and_a_clinician_from_the_command_line(
    world: World, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    run, file = CliRunner(), tmp_path / "one.json"
    asked = ["--registry", "toy", "--year", "2025", "--tin", GROUP]
    told = run.invoke(commands, ["results", *asked], env={"COLUMNS": "200"})
    assert told.exit_code == 0, told.output
    assert "ACRAD34" in told.stdout
    told = run.invoke(commands, ["export", *asked, "--npi", ADA, "--output", str(file)])
    assert told.exit_code == 0, told.output
    assert told.stdout == "toy: 4 measures of 2025 written.\n"
    assert file.stat().st_mode & 0o777 == 0o600
    sent = json.loads(file.read_text())
    assert check(sent) == []
    (only,) = sent["measurementSets"]
    found = {one["measureId"]: one["value"] for one in only["measurements"]}
    assert found == recounted(HISTORY, [(HERE, ADA), (THERE, ADA)], 2025)
    again = run.invoke(commands, ["export", *asked, "--npi", ADA, "--output", str(file)])
    assert isinstance(again.exception, Unprocessable)
    wrong = run.invoke(commands, ["results", *asked[:3], "2023", *asked[4:]])
    assert "2024, 2025, 2026, 2027" in str(wrong.exception)
