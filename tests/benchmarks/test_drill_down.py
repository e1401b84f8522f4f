"""Of a simulated nation, as many cases are listed behind each rate as it and the oracle count."""

from datetime import date
from typing import Any

import httpx
import pytest

from app.access import Role as Asking
from app.benchmarks import generations
from app.benchmarks.generations import Workshop
from app.benchmarks.periods import Period, period
from app.benchmarks.placed import possible
from app.commands.definitions import newest
from app.database import EVERYTHING, Database, Role
from app.postgres import Addresses
from app.registries.schema import Definition
from app.simulation.plan import Plan
from tests.benchmarks.chronicle import Chronicle
from tests.benchmarks.history import settle
from tests.journeys.travel import REGISTRY
from tests.make.accounts import bearer, key_for
from tests.oracles.elcdr import MEASURES

PLAN = Plan(seed=21, facilities=5, cases=300, flawed=0.02, years=4)
LARGE = Plan(seed=22, facilities=12, cases=4_000, flawed=0.02, years=4)
COUNTED = {
    "initial-population": "initial_population",
    "denominator": "denominator",
    "numerator": "numerator",
    "exclusions": "exclusions",
    "exceptions": "exceptions",
    "observations": "observations",
}
YEAR = "2025-04..2026-03"
"""A rolling twelve months."""


async def told(plan: Plan, workshop: Workshop, database: Addresses) -> Chronicle:
    """A nation at its end, tabulated."""
    chronicle = Chronicle(plan, newest(REGISTRY))
    owner = Database(database.owner, Role.OWNER, pool=1)
    async with owner.transaction(EVERYTHING) as session:
        (*_, end) = await chronicle.write(session)
        await chronicle.open_cases(session)
        await chronicle.tell(session, end)
        for place in range(plan.facilities):
            await settle(session, plan.number(place))
    await owner.close()
    while await generations.step(workshop, chronicle.definition):
        pass
    chronicle.count(MEASURES)
    return chronicle


def counted(
    chronicle: Chronicle,
    facility: int,
    measure: str,
    over: Period,
    stratum: tuple[str, str],
    what: str,
) -> int:
    """What the oracle counts of a facility over a period."""
    return sum(
        getattr(one, COUNTED[what])
        for (number, month, name, *by), one in chronicle.wanted.items()
        if (number, name, *by) == (facility, measure, *stratum)
        and over.first <= date.fromisoformat(f"{month}-01") <= over.last
    )


async def listed(
    client: httpx.AsyncClient, headers: dict[str, str], measure: str, **asked: Any
) -> tuple[int, set[int]]:
    """What the rate counts, and the cases of every page."""
    path: str | None = f"/v1/registries/{REGISTRY}/metrics/{measure}/cases"
    query: dict[str, Any] | None = {"limit": 200, **asked}
    found: list[int] = []
    while path:
        answer = await client.get(path, params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        found += [one["id"] for one in answer.json()["cases"]]
        path, query = answer.links.get("next", {}).get("url"), None
    assert len(found) == len(set(found)), "no case is listed twice"
    return answer.json()["count"], set(found)


class Look:
    """One facility's look at one period."""

    def __init__(
        self,
        chronicle: Chronicle,
        client: httpx.AsyncClient,
        headers: dict[str, str],
        facility: int,
    ) -> None:
        self.chronicle, self.client, self.headers = chronicle, client, headers
        self.facility = facility
        self.cases = 0

    async def measure(
        self, measure: str, label: str, populations: list[str], by: tuple[str, str] = ("", "")
    ) -> None:
        for what in populations:
            asked = {"facility": self.facility, "period": label, "population": what}
            if by[0]:
                asked["stratum"] = ":".join(by)
            said, cases = await listed(self.client, self.headers, measure, **asked)
            wanted = counted(self.chronicle, self.facility, measure, period(label), by, what)
            assert (len(cases), said) == (wanted, wanted), (measure, label, what, by)
            self.cases += len(cases)


async def looks(
    chronicle: Chronicle, database: Addresses, client: httpx.AsyncClient, places: tuple[int, ...]
) -> list[Look]:
    found = []
    for place in places:
        number = chronicle.plan.number(place)
        key = await key_for(database, Asking.REGISTRAR, registries=[REGISTRY], facilities=[number])
        found.append(Look(chronicle, client, bearer(key), number))
    return found


def strata(chronicle: Chronicle, definition: Definition) -> dict[str, list[tuple[str, str]]]:
    """Measure -> the strata that anything was counted in."""
    found: dict[str, set[tuple[str, str]]] = {one.id: set() for one in definition.measures}
    for _, _, name, stratifier, stratum in chronicle.wanted:
        if stratifier:
            found[name].add((stratifier, stratum))
    return {name: sorted(its) for name, its in found.items()}


async def test_behind_numerators_and_denominators_are_as_many_cases_as_the_oracle_counts(
    workshop: Workshop, database: Addresses, client: httpx.AsyncClient
) -> None:
    chronicle = await told(PLAN, workshop, database)
    (look,) = await looks(chronicle, database, client, (0,))
    for name in ("adherence", "ppv1", "cancer_detection_rate", "ctdivol"):
        measure = chronicle.definition.measure(name)
        populations = [one for one in ("numerator", "denominator") if one in possible(measure)]
        await look.measure(name, "2022-01..2026-12", populations)
    assert look.cases >= 30


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_behind_every_count_of_every_period_and_stratum_are_as_many_cases(
    workshop: Workshop, database: Addresses, client: httpx.AsyncClient
) -> None:
    chronicle = await told(LARGE, workshop, database)
    by_measure = strata(chronicle, chronicle.definition)
    for look in await looks(chronicle, database, client, (0, 4, 11)):
        for measure in chronicle.definition.measures:
            every = [one for one in possible(measure) if one in COUNTED]
            for label in ("2025", "2026Q1", "2025-11", YEAR, "2022-01..2026-12"):
                await look.measure(measure.id, label, every)
            for by in by_measure[measure.id]:
                await look.measure(measure.id, YEAR, every[:3], by)
        assert look.cases > 500
