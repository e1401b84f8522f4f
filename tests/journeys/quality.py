"""Quality results of a nation's radiologists for CMS, beside a count of their exams in plain Python."""

from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from itertools import product
from typing import Any

import httpx

from app.simulation.sending import Nation
from tests.oracles.counting import EXCLUDED, MET, NOT_MET, Exam, Measure

READER = "radiologist_reading_npi"
SMOKING = {"1": "chest", "2": "head"}
"""Smoking status -> the stratum of CMS for which the copied definition lets it stand."""

GUIDED = "cessation_counseling_offered_known"


def reported_to_cms(measures: list[dict[str, Any]]) -> None:
    """Let measures on smoking stand for measures of CMS, to see them all the way; they are none."""
    by_id = {one["id"]: one for one in measures}
    known = {"clinician": READER, "years": [2024, 2025, 2026, 2027]}
    by_id["smoking_status_known"]["qpp"] = [{**known, "id": "364"}]
    guided = by_id[GUIDED]
    guided["stratifiers"] = [
        {
            "id": "status",
            "title": "Status",
            "expression": "CASE WHEN smoking_status = '1' THEN 'now' WHEN smoking_status = '2' THEN"
            " 'before' ELSE 'other' END",
        }
    ]
    strata = {"chest": "now", "head": "before", "abdomen": "other"}
    guided["qpp"] = [
        {
            **known,
            "id": "ACRAD34",
            "exclusions": "not-reported",
            "stratifier": "status",
            "strata": strata,
        }
    ]


def by_status(exam: Exam) -> str:
    """The stratum of the copied definition."""
    return {"1": "now", "2": "before"}.get(exam["smoking_status"], "other")


def expected(exams: list[Exam], measures: dict[str, Measure]) -> dict[str, dict[str, Any]]:
    """The values that CMS is to be sent of somebody's exams, for the measures that have a rate."""
    found: dict[str, dict[str, Any]] = {}
    known = Counter(measures["smoking_status_known"].outcome(one) for one in exams)
    if known[MET] + known[NOT_MET]:
        found["364"] = {"isEndToEndReported": False, **named(known)}
    guided = measures[GUIDED]
    strata = {name: Counter[Any]() for name in ("abdomen", "chest", "head")}
    for one in exams:
        strata[SMOKING.get(one["smoking_status"], "abdomen")][guided.outcome(one)] += 1
    whole: Counter[Any] = sum(strata.values(), Counter())
    if whole[MET] + whole[NOT_MET]:
        rate = Decimal(100 * whole[MET]) / (whole[MET] + whole[NOT_MET])
        found["ACRAD34"] = {
            "isEndToEndReported": False,
            "performanceRate": float(rate.quantize(Decimal("0.01"), ROUND_HALF_UP)),
            "strata": [{"stratum": name, **named(one)} for name, one in strata.items()],
        }
    return found


def named(counts: Counter[Any]) -> dict[str, int]:
    return {
        "eligiblePopulation": counts[MET] + counts[NOT_MET] + counts[EXCLUDED],
        "performanceMet": counts[MET],
        "performanceNotMet": counts[NOT_MET],
        "eligiblePopulationExclusion": 0,
        "eligiblePopulationException": 0,
    }


async def quality_differs(
    client: httpx.AsyncClient,
    key: str,
    registry: str,
    nation: Nation,
    exams: list[Exam],
    measures: dict[str, Measure],
) -> tuple[list[str], int]:
    """Radiologists and years whose results or submission are not those of their exams; how many are."""
    told, compared = [], 0
    headers = {"Authorization": f"Bearer {key}"}
    each = product(nation.document["physicians"], (2025, 2026))
    for place, (one, year) in enumerate(each):
        facilities = {nation.facilities[at]["number"] for at in one["facilities"]}
        own = [
            exam
            for exam in exams
            if exam[READER] == one["npi"] and exam.facility in facilities and exam.on.year == year
        ]
        wanted = expected(own, measures)
        body = {"year": year, "tin": one["tin"]} | ({"npi": one["npi"]} if place % 3 else {})
        path = f"/v1/registries/{registry}/qpp"
        answer = await client.post(f"{path}/results", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        got = {found["qpp_measure"]: found["value"] for found in answer.json()["results"]}
        if got != wanted:
            told.append(f"physician {place} in {year}: {got} for {wanted}")
        sent = await client.post(f"{path}/submission", json=body, headers=headers)
        assert sent.status_code == (200 if wanted else 409), sent.text
        if wanted:
            compared += 1
            checked = await client.post("/v1/qpp/checks", json=sent.json(), headers=headers)
            assert checked.json() == {"sound": True, "flaws": []}
    return told, compared
