"""
Hold a service to the truth of a nation: counts, findings and rates, over HTTP alone.

Each function says what differs, in words that name places and no values; nothing means it held.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import httpx

from app.registries.measure import Measure
from app.simulation.oracle import Count, Loop, Oracle
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


_COUNTED = (
    "initial_population",
    "denominator",
    "exclusions",
    "exceptions",
    "numerator",
    "observations",
)
Year = tuple[int, str, str]
"""Facility, year, measure."""


def expected_years(nation: Nation, measures: Sequence[str] | None = None) -> dict[Year, Count]:
    """What each facility counts in each year, worked out from the truth; years without a case too."""
    oracle = Oracle(nation.definition, measures)
    counted: dict[Year, Count] = defaultdict(Count)
    for cell, count in oracle.cells(read_lines(nation.folder / "truth.ndjson")).items():
        facility, month, measure, stratifier, _ = cell
        if not stratifier:
            counted[facility, month[:4], measure].add(count)
    return dict(counted)


async def rates_differ(
    office: Office, nation: Nation, told: Told = SILENT, measures: Sequence[str] | None = None
) -> tuple[int, list[str]]:
    """How many rates were compared, and facilities, years and measures where the truth differs."""
    found: list[str] = []
    wanted = expected_years(nation, measures)
    by_id = {one.id: one for one in nation.definition.measures}
    years = sorted({year for _, year, _ in wanted})
    facilities = sorted({facility for facility, _, _ in wanted})
    compared = 0
    for done, facility in enumerate(facilities, 1):
        answer = await office.get(
            f"/v1/registries/{office.registry}/metrics",
            office.keys.facilities[facility],
            facility=facility,
            period=years,
            measure=list(measures or by_id),
        )
        if answer.status_code != 200:
            found.append(f"facility {facility}: answered {answer.status_code}")
            continue
        for metric in answer.json()["metrics"]:
            at = (facility, metric["period"], metric["measure"])
            compared += at in wanted
            found += _metric_differs(by_id[at[2]], at, metric, wanted.get(at, Count()))
        told("comparing rates", done, len(facilities))
    return compared, found


def _metric_differs(
    measure: Measure, at: Year, metric: Mapping[str, Any], count: Count
) -> list[str]:
    """What is answered of a facility, year and measure and is not the truth; what is withheld is no answer."""
    where = f"{at[2]} of {at[0]} in {at[1]}"
    found = [
        f"{where}: {name} {metric[name]} instead of {getattr(count, name)}"
        for name in _COUNTED
        if metric[name] is not None and metric[name] != getattr(count, name)
    ]
    if metric["rate"] is not None:
        shares = measure.scoring == "proportion"
        top = count.numerator if shares else count.total
        bottom = (
            count.observations if measure.scoring == "continuous-variable" else count.denominator
        )
        rate = float(top) / bottom if bottom else None
        if rate is None or abs(rate - metric["rate"]) > 10.0 ** -(
            4 if shares else measure.scale + 1
        ):
            found.append(f"{where}: rate {metric['rate']} instead of {rate}")
    return found


async def worklists_differ(
    office: Office, nation: Nation, told: Told = SILENT
) -> tuple[int, list[str]]:
    """How many open cases were compared, and worklists that hold others than the truth has."""
    wanted: dict[int, Counter[Loop]] = defaultdict(Counter)
    loops = Oracle(nation.definition).open_loops(read_lines(nation.folder / "truth.ndjson"))
    for loop, number in loops.items():
        wanted[loop[1]][loop] += number
    found: list[str] = []
    facilities = [one["number"] for one in nation.facilities]
    for done, facility in enumerate(facilities, 1):
        got = Counter[Loop]()
        for worklist in nation.definition.worklists:
            path = (
                f"/v1/registries/{office.registry}/worklists/{worklist.id}"
                f"?facility={facility}&limit=500&state=upcoming&state=due&state=overdue"
            )
            key = office.keys.facilities[facility]
            async for one in office.pages(path, key, "cases"):
                late = one["overdue_on"] and date.fromisoformat(one["overdue_on"])
                day, due = (date.fromisoformat(one[name]) for name in ("case_date", "due_on"))
                got[worklist.id, facility, day, due, late] += 1
        for surplus, name in (
            (got - wanted[facility], "surplus"),
            (wanted[facility] - got, "missing"),
        ):
            found += [
                f"{loop[0]} of {facility}: {number} {name}" for loop, number in surplus.items()
            ]
        told("comparing worklists", done, len(facilities))
    return loops.total(), found


def overall(document: Any) -> dict[str, Any]:
    """The metric of the whole facility among those answered."""
    return next((one for one in document["metrics"] if one["stratum"] is None), {})
