"""
Hold a service to the truth of a nation: counts, findings and rates, over HTTP alone.

Each function says what differs, in words that name places and no values; nothing means it held.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from app.simulation.sending import Nation, Office, Told, read_lines

SILENT: Told = lambda *_: None  # noqa: E731 - a name for saying nothing


async def counts_differ(
    office: Office, nation: Nation, answered: Mapping[str, str], told: Told = SILENT
) -> list[str]:
    """Submissions whose entries are not accounted for as the truth has it."""
    found: list[str] = []
    for done, submission in enumerate(nation.submissions, 1):
        name = submission["submission"]
        answer = await office.get(f"/v1/submissions/{answered[name]}", office.keys.operator)
        document = answer.json()
        counts = document.get("counts", {})
        wanted = submission["expect"] | {"entries": submission["entries"]}
        got = {one: counts.get(one, document.get(one, 0)) or 0 for one in wanted}
        if document.get("state") != "completed":
            found.append(f"{name} is {document.get('state')}")
        elif got != wanted:
            wrong = sorted(one for one in wanted if got[one] != wanted[one])
            told_of = ", ".join(f"{one} {got[one]} instead of {wanted[one]}" for one in wrong)
            found.append(f"{name}: {told_of}")
        elif got["accepted"] + got["rejected"] + got["waiting"] != got["entries"]:
            found.append(f"{name}: accepted, rejected and waiting do not add up to its entries")
        told("comparing counts", done, len(nation.submissions))
    return found


Finding = tuple[str, int, str, str, str]
"""Submission, row, place, code, severity."""


def answer_key(nation: Nation) -> Counter[Finding]:
    """Every finding that the truth foresees."""
    return Counter(
        (one["submission"], one["row"], one["place"], one["code"], one["severity"])
        for one in read_lines(nation.folder / "answer_key.ndjson")
    )


async def findings_differ(
    office: Office, nation: Nation, answered: Mapping[str, str], told: Told = SILENT
) -> list[str]:
    """Findings that are missing from the service's, or that only it has."""
    made: Counter[Finding] = Counter()
    for done, (name, number) in enumerate(sorted(answered.items()), 1):
        path = f"/v1/submissions/{number}/findings?limit=500"
        async for one in office.pages(path, office.keys.operator):
            made[(name, one["entry"], one["place"], one["code"], one["severity"])] += 1
        told("comparing findings", done, len(answered))
    wanted = answer_key(nation)
    missing, surplus = wanted - made, made - wanted
    return [f"missing: {one}" for one in sorted(missing)] + [
        f"unforeseen: {one}" for one in sorted(surplus)
    ]


async def images_differ(
    office: Office, nation: Nation, stored: Sequence[httpx.Response]
) -> list[str]:
    """Studies that were not taken, not archived whole, or not linked to their case."""
    found = [
        f"a store request answered {one.status_code}" for one in stored if one.status_code != 200
    ]
    wanted: Counter[int] = Counter()
    sizes: dict[int, Counter[int]] = defaultdict(Counter)
    for study in nation.images:
        wanted[study["facility"]] += 1
        sizes[study["facility"]][len(study["paths"])] += 1
    for facility, studies in sorted(wanted.items()):
        listed = [
            one
            async for one in office.pages(
                f"/v1/registries/{office.registry}/images", office.keys.facilities[facility]
            )
        ]
        linked = [one for one in listed if one["state"] == "linked" and one["case_id"] is not None]
        if (len(listed), len(linked)) != (studies, studies):
            states = Counter(one["state"] for one in listed)
            found.append(f"facility {facility}: {studies} studies sent, listed as {dict(states)}")
        elif Counter(one["instances"] for one in listed) != sizes[facility]:
            found.append(f"facility {facility}: not every instance was archived")
    return found


@dataclass(frozen=True, slots=True)
class Rate:
    """A measure simple enough to be counted again in two lines, and how."""

    measure: str
    denominator: Callable[[dict[str, Any]], bool]
    numerator: Callable[[dict[str, Any]], bool]


RATES = (
    Rate(
        "abnormal_interpretation_rate",
        lambda one: True,
        lambda one: one["ct_exam_result_lung_rads"] in ("3", "4A", "4B", "4X"),
    ),
    Rate(
        "recall_rate",
        lambda one: True,
        lambda one: one["ct_exam_result_lung_rads"] == "0",
    ),
    Rate(
        "modifier_s_rate",
        lambda one: True,
        lambda one: one["ct_exam_result_modifier_s"] == "Y",
    ),
)


def expected_rates(nation: Nation) -> dict[tuple[int, str, str], tuple[int, int]]:
    """(facility, year, measure) → numerator and denominator, counted from the truth."""
    counted: dict[tuple[int, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for case in read_lines(nation.folder / "truth.ndjson"):
        if case["state"] != "submitted":
            continue
        elements = case["elements"]
        for rate in RATES:
            if rate.denominator(elements):
                cell = counted[case["facility"], elements["exam_date"][:4], rate.measure]
                cell[0] += rate.numerator(elements)
                cell[1] += 1
    return {key: (numerator, denominator) for key, (numerator, denominator) in counted.items()}


async def rates_differ(
    office: Office, nation: Nation, told: Told = SILENT
) -> tuple[int, list[str]]:
    """How many rates were compared, and facilities, years and measures where the truth differs."""
    found: list[str] = []
    wanted = expected_rates(nation)
    for done, ((facility, year, measure), (numerator, denominator)) in enumerate(
        sorted(wanted.items()), 1
    ):
        answer = await office.get(
            f"/v1/registries/{office.registry}/metrics",
            office.keys.facilities[facility],
            facility=facility,
            measure=measure,
            period=year,
        )
        if answer.status_code != 200:
            found.append(f"{measure} of {facility} in {year}: answered {answer.status_code}")
            continue
        metric = overall(answer.json())
        got = (metric.get("numerator"), metric.get("denominator"))
        if got != (numerator, denominator):
            found.append(
                f"{measure} of {facility} in {year}: {got} instead of {(numerator, denominator)}"
            )
        told("comparing rates", done, len(wanted))
    return len(wanted), found


def overall(document: Any) -> dict[str, Any]:
    """The metric of the whole facility among those answered."""
    return next((one for one in document["metrics"] if one["stratum"] is None), {})
