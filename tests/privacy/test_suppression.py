"""From everything that a facility, a researcher and a dashboard can fetch, no suppressed count is learnt."""

import asyncio
import io
import json
import math
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, get_args

import httpx
import numpy as np
import numpy.typing as npt
import pytest
import pytest_asyncio
from sqlalchemy import text

from app.access import Role
from app.benchmarks.compare import compare, periods
from app.benchmarks.generations import Workshop
from app.benchmarks.layout import COUNTS
from app.benchmarks.measures import tabulation
from app.benchmarks.periods import Period, later, period
from app.benchmarks.position import fitted
from app.benchmarks.rates import peer_digits
from app.benchmarks.spread import unpacked
from app.benchmarks.statistics.case_mix import case_mix_of_kinds, national_intercept
from app.benchmarks.statistics.flags import called_up_to
from app.benchmarks.statistics.gamma_poisson import gamma_poisson_moments
from app.database import EVERYTHING, Database
from app.database import Role as DatabaseRole
from app.postgres import Addresses
from app.registries.case_mix import Factor, combinations
from app.registries.measure import Measure
from app.registries.schema import Band, Definition, PeerGroup
from app.reports.vega import Chart
from tests.benchmarks.conftest import emptying, workshop
from tests.benchmarks.toy import CASE_MIX, definition
from tests.make.accounts import bearer, key_for
from tests.privacy.attack import Attacker, Bools, Ints, alone, differences, pinned

__all__ = ["emptying", "workshop"]  # the fixtures

LABELS = ("2025", "2025Q4", "2026-02", "2025-03..2026-02")
MOMENT = re.compile(
    r'"trace_id":"\w+"|'
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00| UTC)?|\d\d:\d\d(:\d\d)? UTC"
)
FIRST, MONTHS, FACILITIES = date(2025, 1, 1), 15, 48
DAYS = (date(2026, 3, 30), date(2026, 3, 31))
CATEGORIES = ("academic", "community", "freestanding", "other")
LOCATIONS = ("metropolitan", "suburban", "rural")
PEERS = (
    PeerGroup(id="all", title="All", by="all"),
    PeerGroup(id="category", title="C", by="category", groups={one: one for one in CATEGORIES}),
    PeerGroup(id="location", title="L", by="location", groups={one: one for one in LOCATIONS}),
    PeerGroup(
        id="division",
        title="D",
        by="division",
        groups={one: one for one in ("mountain", "pacific", "new-england")},
    ),
    PeerGroup(
        id="volume",
        title="V",
        by="volume",
        volume_of="common",
        bands=(
            Band(id="small", title="Small", below=250),
            Band(id="middle", title="Middle", at_least=250, below=700),
            Band(id="large", title="Large", at_least=700),
        ),
    ),
    PeerGroup(id="both", title="Both", by="combination", of=("category", "location")),
)


def measure(id: str, numerator: str, per: int = 100, case_mix: tuple[Factor, ...] = ()) -> Measure:
    return Measure(
        case_mix=case_mix,
        id=id,
        title=id,
        description=id,
        form="exam",
        scoring="proportion",
        numerator=numerator,
        per=per,
        improvement="decrease",
    )


MEASURES = (
    measure("common", "result = '2'", case_mix=CASE_MIX),
    measure("seldom", "result = '3'"),
    measure("rare", "result = '4'", per=1000),
)
KINDS = list(combinations(CASE_MIX))
SHARES = np.outer((0.62, 0.35, 0.03), (0.4, 0.6)).ravel()
"""Of the combinations of levels: what is unknown of packs is too rare to be told."""
CHANCES = {"common": 0.35, "seldom": 0.04, "rare": 0.006}


@dataclass
class World:
    """The truth of a small nation, and what was fetched of it."""

    definition: Definition
    facilities: list[int]
    accounts: npt.NDArray[np.int64]
    members: dict[tuple[str, str], Bools]
    denominators: Ints
    """Facility x month."""
    numerators: list[dict[str, Ints]]
    """On each day: measure -> facility x month."""
    told: list[dict[tuple[str, str, str, str], dict[str, Any]]]
    """On each day: measure, period, grouping, group -> what a researcher is told."""
    mixed: list[tuple[Ints, Ints]]
    """On each day: cases and events of `common`, facility x month x combination of levels."""
    own: set[int]
    """Places of the facilities of the key that looks."""
    bounds: list[tuple[str, list[int], int]] = field(default_factory=list)
    """What is kept for ranks, and never told: measure, bounds, facilities."""
    norms: list[tuple[bool, dict[str, float]]] = field(default_factory=list)
    """What is told of all facilities together, and whether it is of a group whose pooled rate is told."""
    looks: list[dict[str, str]] = field(default_factory=list)
    """All that the keys of one facility and of a researcher can fetch, before others changed and after."""

    def months(self, over: Period) -> Bools:
        return np.array([over.first <= later(FIRST, one) <= over.last for one in range(MONTHS)])

    def shown(self, over: Period) -> Bools:
        found: Bools = self.denominators[:, self.months(over)].sum(axis=1) >= 10
        return found

    def cells(self, facilities: Bools, over: Period) -> Bools:
        found: Bools = facilities[:, None] & self.months(over)[None, :]
        return found

    @property
    def outside(self) -> Bools:
        found = np.ones(FACILITIES, bool)
        found[sorted(self.own)] = False
        return found


_worlds: dict[int, World] = {}
"""Made once a seed: what was fetched does not change."""


@pytest_asyncio.fixture(
    params=[
        1,
        *(
            pytest.param(seed, marks=(pytest.mark.soak, pytest.mark.timeout(1800)))
            for seed in range(2, 12)
        ),
    ]
)
async def world(
    request: pytest.FixtureRequest,
    workshop: Workshop,
    database: Addresses,
    client: httpx.AsyncClient,
) -> World:
    if request.param not in _worlds:
        _worlds[request.param] = await made(request.param, workshop, database, client)
    return _worlds[request.param]


async def made(
    seed: int, workshop: Workshop, database: Addresses, client: httpx.AsyncClient
) -> World:
    """A nation, tabulated and compared on two days, and everything that can be fetched of it."""
    chance = np.random.default_rng(seed)
    toy = definition(measures=MEASURES, peers=PEERS, derived=())
    facilities = [200_001 + one for one in range(FACILITIES)]
    accounts = np.sort(chance.integers(0, 26, FACILITIES)) + 5_001
    categories = chance.choice(CATEGORIES, FACILITIES, p=(0.5, 0.3, 0.12, 0.08))
    locations = chance.choice(LOCATIONS, FACILITIES, p=(0.6, 0.3, 0.1))
    divisions = chance.choice(
        ("mountain", "pacific", "new-england", ""), FACILITIES, p=(0.5, 0.3, 0.15, 0.05)
    )
    sizes = np.exp(chance.normal(3.2, 0.9, FACILITIES))
    denominators = chance.poisson(sizes[:, None], (FACILITIES, MONTHS)).astype(np.int64)
    first = {
        one.id: chance.binomial(denominators, CHANCES[one.id]).astype(np.int64) for one in MEASURES
    }
    # Overnight a handful of facilities amend what they sent: as many cases, some other results.
    second = {name: its.copy() for name, its in first.items()}
    for place in chance.choice(FACILITIES, 5, replace=False):
        for name, its in second.items():
            its[place] = chance.binomial(denominators[place], CHANCES[name])

    mixed = [mixed_of(chance, denominators, its["common"]) for its in (first, second)]
    still = (first["common"] == second["common"]).all(axis=1)
    for later_, earlier in zip(mixed[1], mixed[0], strict=True):
        later_[still] = earlier[still]

    owner = Database(database.owner, DatabaseRole.OWNER, pool=1)
    async with owner.transaction(EVERYTHING) as session:
        await session.execute(text("TRUNCATE corporate_accounts, definitions CASCADE"))
        for account in sorted(set(accounts.tolist())):
            await session.execute(
                text(
                    "INSERT INTO corporate_accounts (id, name, street_1, city, state, postal_code,"
                    " country, phone, created_at) OVERRIDING SYSTEM VALUE"
                    " VALUES (:id, 'A', 's', 'c', 'OH', '43210', 'US', '1', now())"
                ),
                {"id": account},
            )
        for place, facility in enumerate(facilities):
            await session.execute(
                text(
                    "INSERT INTO facilities (id, corporate_account_id, name, street_1, city, state,"
                    " postal_code, country, phone, category, location, census_division,"
                    " childrens_hospital, created_at, updated_at) OVERRIDING SYSTEM VALUE VALUES"
                    " (:id, :account, 'N', 's', 'c', 'OH', '43210', 'US', '1', :category, :location,"
                    " nullif(:division, ''), false, now(), now())"
                ),
                {
                    "id": facility,
                    "account": int(accounts[place]),
                    "category": str(categories[place]),
                    "location": str(locations[place]),
                    "division": str(divisions[place]),
                },
            )
    await owner.close()
    async with workshop.database.transaction(EVERYTHING) as session:
        await workshop.catalogue.publish(session, toy)
        await workshop.catalogue.refresh(session)
    for today, numerators, combined in zip(DAYS, (first, second), mixed, strict=True):
        async with workshop.database.transaction(EVERYTHING) as session:
            await tabulated(session, toy, facilities, denominators, numerators)
            await tabulated_mix(session, facilities, *combined)
        async with workshop.database.transaction(EVERYTHING) as session:
            assert await compare(session, toy, today) is not None

    yearly = denominators[:, -13:-1].sum(axis=1)  # twelve complete months before the snapshots
    volumes = np.select([yearly < 250, yearly < 700], ["small", "middle"], "large")
    labels = {
        "all": np.full(FACILITIES, "all"),
        "category": categories,
        "location": locations,
        "division": divisions,
        "volume": volumes,
        "both": np.char.add(np.char.add(categories, "+"), locations),
    }
    members = {
        (grouping, str(name)): its == name
        for grouping, its in labels.items()
        for name in sorted(set(its.tolist()) - {""})
    }
    busiest = max(set(accounts.tolist()), key=lambda one: int((accounts == one).sum()))
    found = World(
        toy,
        facilities,
        accounts,
        members,
        denominators,
        [first, second],
        [],
        mixed,
        set(np.flatnonzero(accounts == busiest).tolist()),
    )
    research = bearer(await key_for(database, Role.RESEARCHER, registries=["toy"]))
    for _ in range(100):  # the web process looks for new definitions every second or so
        if (await client.get("/v1/registries/toy/measures", headers=research)).status_code == 200:
            break
        await asyncio.sleep(0.1)
    for today in DAYS:
        found.told.append(await everything_told(client, research, today))
    dashboard = bearer(
        await key_for(
            database,
            Role.DASHBOARD,
            registries=["toy"],
            facilities=[facilities[one] for one in found.own],
        )
    )
    await check_own(client, dashboard, found)
    found.norms = await norms_told(client, research)
    mine = facilities[min(found.own)]
    administrator = bearer(
        await key_for(database, Role.FACILITY_ADMINISTRATOR, registries=["toy"], facilities=[mine])
    )
    # The long form looks at everything; the short one once at each kind of thing.
    keys = [dashboard, research] if seed == 1 else [administrator, dashboard, research]
    wide = (LABELS[-1:], MEASURES[-1:]) if seed == 1 else (LABELS, MEASURES)
    found.looks.append(await everything_seen(client, mine, keys, *wide))
    async with workshop.database.transaction(EVERYTHING) as session:
        await others_change(session, found)
    # The long form looks at everything; the short one once at each kind of thing.
    keys = [dashboard, research] if seed == 1 else [administrator, dashboard, research]
    wide = (LABELS[-1:], MEASURES[-1:]) if seed == 1 else (LABELS, MEASURES)
    found.looks.append(await everything_seen(client, mine, keys, *wide))
    async with workshop.database.transaction(EVERYTHING) as session:
        rows = await session.execute(
            text(
                "SELECT measure_id, rank_bounds, facilities FROM snapshot_spreads"
                " WHERE spread IS NOT NULL"
            )
        )
        found.bounds += [(name, unpacked(bounds), count) for name, bounds, count in rows]
    return found


async def tabulated(
    session: Any,
    toy: Definition,
    facilities: list[int],
    denominators: Ints,
    numerators: dict[str, Ints],
) -> None:
    """Cells as tabulation leaves them, of another night."""
    tables = tabulation(toy)
    for table in ("cells", "generations"):
        await session.execute(text(f"DELETE FROM {table}"))
    generation = await session.scalar(
        text(
            "INSERT INTO generations (registry_id, definition_version, digest, layout, state, feed_seq,"
            " tabulated_at, created_at) VALUES ('toy', '1.0.0', :digest, CAST(:layout AS jsonb),"
            " 'current', 1, now(), now()) RETURNING id"
        ),
        {"digest": tables.digest, "layout": json.dumps(tables.layout.document())},
    )
    (series,) = tables.layout.series
    width = 1 + max(max(slots.values()) for slots in series.slots.values())
    rows = []
    for place, facility in enumerate(facilities):
        for month in range(MONTHS):
            counts = [0] * width
            for name, slots in series.slots.items():
                for population in set(slots) & set(COUNTS):
                    met = population == "numerator"
                    its = numerators[name] if met else denominators
                    counts[slots[population]] = int(its[place, month])
            rows.append(
                {
                    "generation": generation,
                    "facility": facility,
                    "form": series.form,
                    "month": later(FIRST, month),
                    "counts": counts,
                }
            )
    await session.execute(
        text(
            "INSERT INTO cells (generation_id, facility_id, form, stratifier, month, stratum, counts,"
            " sums) VALUES (:generation, :facility, :form, '', :month, '', :counts, '{}')"
        ),
        rows,
    )


def mixed_of(
    chance: np.random.Generator, denominators: Ints, numerators: Ints
) -> tuple[Ints, Ints]:
    """Cases and events by combination of levels."""
    tilted = SHARES * np.array([1.0, 1.0, 1.6, 1.6, 1.0, 1.0])
    events = chance.multinomial(numerators, tilted / tilted.sum())
    others = chance.multinomial(denominators - numerators, SHARES)
    return events + others, events


async def tabulated_mix(session: Any, facilities: list[int], cases: Ints, events: Ints) -> None:
    """The histograms of the case mix as tabulation leaves them."""
    await session.execute(text("DELETE FROM histograms"))
    await session.execute(
        text(
            "INSERT INTO histograms (generation_id, facility_id, measure_id, month, bins)"
            " SELECT id, :facility, 'common', :month, :bins FROM generations WHERE state = 'current'"
        ),
        [
            {
                "facility": facility,
                "month": later(FIRST, month),
                "bins": [*cases[place, month].tolist(), *events[place, month].tolist()],
            }
            for place, facility in enumerate(facilities)
            for month in range(MONTHS)
        ],
    )


async def everything_told(
    client: httpx.AsyncClient, headers: dict[str, str], day: date
) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    """All that a snapshot says, of every measure, period and peer group."""
    last = later(FIRST, MONTHS - 1)
    labels = [one.label for one in periods(FIRST, last, day)]
    found = {}
    for begin in range(0, len(labels), 36):
        answer = await client.get(
            "/v1/registries/toy/benchmarks",
            params={
                "snapshot": day.isoformat(),
                "period": labels[begin : begin + 36],
                "include": "norm",
            },
            headers=headers,
        )
        assert answer.status_code == 200, answer.text
        for one in answer.json()["benchmarks"]:
            assert one["snapshot"] == day.isoformat()
            found[one["measure"], one["period"], one["group"], one["peers"]] = one
    return found


async def norms_told(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> list[tuple[bool, dict[str, float]]]:
    """Every norm of the latest snapshot, of the periods there are."""
    found = []
    months = [later(FIRST, one).isoformat()[:7] for one in range(MONTHS)]
    answer = await client.get(
        "/v1/registries/toy/benchmarks",
        params={"period": [*LABELS, *months], "include": await included(client, "/benchmarks")},
        headers=headers,
    )
    assert answer.status_code == 200, answer.text
    for one in answer.json()["benchmarks"]:
        if one.get("norm"):
            pooled = bool(one["quartiles"]) and one["quartiles"]["pooled"] is not None
            found.append((pooled and one["facilities"] >= 20, one["norm"]))
    return found


async def included(client: httpx.AsyncClient, resource: str) -> list[str]:
    """Everything that can be asked for beside a resource, as the document of the wire says."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    asked = paths["/v1/registries/{registry_id}" + resource]["get"]["parameters"]
    (its,) = [one for one in asked if one["name"] == "include"]
    listed = next(one for one in its["schema"]["anyOf"] if one["type"] == "array")["items"]
    return list(listed.get("enum") or [listed["const"]])


async def everything_seen(
    client: httpx.AsyncClient,
    mine: int,
    keys: list[dict[str, str]],
    labels: Sequence[str],
    measures: Sequence[Measure],
) -> dict[str, str]:
    """All answers about results that keys can have, without the moments they were given at.

    The last key is a researcher's, of no facility.
    """
    asked: list[tuple[str, dict[str, Any], dict[str, str]]] = []
    beside = await included(client, "/metrics")
    for key in keys[:-1]:
        for label in labels:
            given = {"facility": mine, "period": label}
            asked += [
                ("/v1/registries/toy/metrics", {**given, "include": some}, key)
                for some in (beside, *([one] for one in beside))
            ]
            reports = f"/v1/facilities/{mine}/reports/toy/{label}"
            asked += [(reports, {"format": one}, key) for one in ("json", "html", "xlsx")]
            asked += [
                (f"{reports}/charts/{one.id}/{chart}.vl.json", {}, key)
                for one in measures
                for chart in get_args(Chart)
            ]
            over = period(label)
            span = {"periodStart": f"{over.first}", "periodEnd": f"{over.end}", "facility": mine}
            asked += [
                (f"/fhir/toy/Measure/{one.id}/$evaluate-measure", span | {"reportType": kind}, key)
                for one in measures
                for kind in ("population", "summary", "individual", "subject")
            ]
        asked.append(("/v1/registries/toy/qpp", {"year": 2025}, key))
        asked.append((f"/v1/facilities/{mine}/reports", {}, key))
    norm = await included(client, "/benchmarks")
    for key in keys:
        asked.append(("/v1/registries/toy/benchmarks/snapshots", {}, key))
        asked += [
            ("/v1/registries/toy/benchmarks", {"snapshot": f"{day}", "include": norm}, key)
            for day in DAYS
        ]
    found = {}
    for number, (path, query, headers) in enumerate(asked):
        answer = await client.get(path, params=query, headers=headers)
        content = answer.text
        if answer.headers["content-type"].startswith("application/vnd.openxml"):
            with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
                names = [one for one in book.namelist() if one.startswith("xl/")]
                content = "".join(book.read(one).decode() for one in names if one.endswith(".xml"))
        found[f"{number} {path} {answer.status_code}"] = MOMENT.sub("then", content)
    return found


async def others_change(session: Any, world: World) -> None:
    """Every other facility turns out to have had other results, and no snapshot is taken."""
    mine = [world.facilities[one] for one in world.own]
    await session.execute(
        text(
            "UPDATE cells SET counts = ARRAY(SELECT one + 1 + facility_id % 7"
            " FROM unnest(counts) AS one) WHERE NOT facility_id = ANY (:mine)"
        ),
        {"mine": mine},
    )
    await session.execute(
        text(
            "UPDATE histograms SET bins = ARRAY(SELECT one + 1 + facility_id % 7"
            " FROM unnest(bins) AS one) WHERE NOT facility_id = ANY (:mine)"
        ),
        {"mine": mine},
    )


async def check_own(client: httpx.AsyncClient, headers: dict[str, str], world: World) -> None:
    """A dashboard reads its own counts, which the attacker then knows, and none of another's."""
    over = period("2025")
    for place, facility in enumerate(world.facilities):
        answer = await client.get(
            "/v1/registries/toy/metrics",
            params={"facility": facility, "period": "2025", "include": "adjusted"},
            headers=headers,
        )
        assert (answer.status_code == 200) is (place in world.own)
        if place in world.own:
            for one in answer.json()["metrics"]:
                its = world.numerators[1][one["measure"]][place, world.months(over)]
                assert one["numerator"] == its.sum()
                if one["measure"] == "common":
                    check_adjusted(world, place, one)
                else:
                    assert one["adjusted"] is None


def check_adjusted(world: World, place: int, one: dict[str, Any]) -> None:
    """What is expected of a facility follows from its own cells and what everybody is told, by hand."""
    said = world.told[1]["common", "2025", "all", "all"]
    mix, its = said["case_mix"], one["adjusted"]
    effects = {(level["factor"], level["level"]): level["log_odds"] for level in mix["levels"]}
    expected = 0.0
    for number, kind in enumerate(KINDS):
        odds = mix["intercept"]
        for factor, level in zip(CASE_MIX, kind, strict=True):
            odds += effects.get((factor.id, level), 0.0)
        cases = int(world.mixed[1][0][place, world.months(period("2025")), number].sum())
        expected += cases / (1 + math.exp(-odds))
    assert its["withheld"] is None
    assert its["observed"] == one["numerator"]
    assert its["expected"] == pytest.approx(expected, abs=0.051)
    ratio = one["numerator"] / expected
    assert its["ratio"] == pytest.approx(ratio, abs=0.00051)
    assert its["interval"]["low"] < ratio < its["interval"]["high"]
    assert its["rate"] == pytest.approx(min(ratio * said["quartiles"]["pooled"], 1), abs=1e-6)
    shape = mix["shape"]
    shrunk = 1.0 if shape is None else (one["numerator"] + shape) / (expected + shape)
    assert its["shrunk_ratio"] == pytest.approx(shrunk, abs=0.00051)


def attacker_of(world: World, day: int, name: str) -> Attacker:
    """What is learnt of one measure's numerators on one day."""
    attacker = Attacker(world.denominators)
    for place in world.own:
        for month in range(MONTHS):
            one = np.zeros((FACILITIES, MONTHS), bool)
            one[place, month] = True
            count = float(world.numerators[day][name][place, month])
            attacker.learns(one, count, count)
    of = world.definition.measure(name)
    outside = world.outside[:, None]
    for (measure_id, label, grouping, peers), said in world.told[day].items():
        if measure_id != name:
            continue
        over = period(label)
        inside = (
            world.members[grouping, peers] & world.shown(over)
            if ((grouping, peers) in world.members)
            else np.zeros(FACILITIES, bool)
        )
        cells = world.cells(inside, over)
        total = int(world.denominators[cells].sum())
        if said["withheld"] is None:
            pooled = said["quartiles"]["pooled"]
            if pooled is not None:
                # How finely it was rounded follows from the rule, which is public.
                digits = max(one for one in range(1, peer_digits(of) + 1) if total >= 22 * 10**one)
                half = 0.5 * 10.0**-digits
                attacker.learns(cells, (pooled - half) * total, (pooled + half) * total)
            if said["quartiles"]["high"] > 0:
                attacker.learns(cells & outside, 11, total)
            if said["quartiles"]["low"] < 1:
                attacker.learns(
                    cells & outside, 0, int(world.denominators[cells & outside].sum()) - 11
                )
        # That a count is small without some organisation's own is all that `small-count` says: whoever
        # is sought may be that organisation, so that it bounds nobody.
    return attacker


def targets(world: World, day: int, name: str) -> list[Bools]:
    """Counts of 1 to 10 that nobody may learn: of a group where it is withheld, of a facility."""
    found = []
    of = world.numerators[day][name]
    chance = np.random.default_rng(5)
    for (measure_id, label, grouping, peers), said in world.told[day].items():
        if measure_id == name and (grouping, peers) in world.members and said["withheld"]:
            inside = world.members[grouping, peers] & world.shown(period(label)) & world.outside
            cells = world.cells(inside, period(label))
            if 1 <= of[cells].sum() <= 10:
                found.append(cells)
    for label in ("2025", "2025Q2", "2026-02", "2025-03..2026-02"):
        for place in np.flatnonzero(world.outside):
            one = np.zeros(FACILITIES, bool)
            one[place] = True
            cells = world.cells(one, period(label))
            if 1 <= of[cells].sum() <= 10:
                found.append(cells)
    order = chance.permutation(len(found))
    return [found[one] for one in order]


async def test_no_combination_of_what_is_told_pins_a_suppressed_count(world: World) -> None:
    looked = pooled = 0
    for day in (0, 1):
        for one in MEASURES:
            attacker = attacker_of(world, day, one.id)
            for cells in targets(world, day, one.id)[:6]:
                most = int(world.denominators[cells].sum())
                assert not pinned(attacker, cells, most), (one.id, attacker.range_of(cells))
                looked += 1
            pooled += sum(
                said["quartiles"]["pooled"] is not None
                for key, said in world.told[day].items()
                if key[0] == one.id and said["quartiles"]
            )
    assert looked > 25
    assert pooled > 20, "there are pooled rates to take from one another"


async def test_what_two_snapshots_tell_apart_pins_no_change(world: World) -> None:
    """The unknowns are the second night's; whoever did not amend has the same on both."""
    amended = np.any(
        [world.numerators[0][one.id] != world.numerators[1][one.id] for one in MEASURES],
        axis=(0, 2),
    )
    for one in MEASURES:
        attacker, before = attacker_of(world, 1, one.id), attacker_of(world, 0, one.id)
        for row, low, high in zip(before.rows, before.lows, before.highs, strict=True):
            cells = row.reshape(FACILITIES, MONTHS) > 0
            moved = cells & amended[:, None]
            # He knows who amended, not what: those cells may have been anything before.
            slack = float(world.denominators[moved].sum())
            attacker.learns(cells & ~amended[:, None], low - slack, high)
        for cells in targets(world, 1, one.id)[:4]:
            assert not pinned(attacker, cells, int(world.denominators[cells].sum()))


async def test_groups_that_are_told_single_nobody_out(world: World) -> None:
    seen = 0
    for told in world.told:
        by_period: dict[tuple[str, str], list[Bools]] = {}
        for (name, label, grouping, peers), said in told.items():
            if said["withheld"] is None:
                inside = world.members[grouping, peers] & world.shown(period(label))
                assert said["facilities"] == inside.sum()
                by_period.setdefault((name, label), []).append(inside)
        for groups in by_period.values():
            seen += len(groups)
            for account in set(world.accounts.tolist()):
                outside = world.accounts != account
                assert all((one & outside).sum() >= 4 for one in groups)
                for left in differences(groups):
                    # Nothing, or enough beside any one organisation's own.
                    assert not left.any() or (left & outside).sum() >= 4
            assert alone(groups) == []
    assert seen > 300


async def test_what_is_told_of_all_together_is_coarse_and_where_the_pooled_rate_is_told(
    world: World,
) -> None:
    known = {"target", "tau_squared", "precision", "between", "variation", "called_up_to"}
    for pooled, norm in world.norms:
        assert pooled, "of all facilities, twenty or more, whose pooled rate is told"
        assert norm.keys() <= known
        for name, value in norm.items():
            if name != "target" and value is not None:  # the target is the pooled rate
                assert float(f"{value:.2g}") == value
    assert len(world.norms) > 3


async def test_but_for_the_snapshot_nothing_that_is_fetched_depends_on_other_facilities(
    world: World,
) -> None:
    before, after = world.looks
    assert before == after
    answered = {one.rpartition(" ")[0].partition(" ")[2] for one in before if one.endswith(" 200")}
    for surface in ("metrics", "benchmarks", "reports", ".vl.json", "$evaluate-measure"):
        assert any(surface in one for one in answered), surface


async def test_norms_are_of_twenty_facilities_and_no_organisation_s_own(world: World) -> None:
    """What is told of scatter is of the whole group, coarse, and follows from what is told by its formula."""
    seen = 0
    for day, told in enumerate(world.told):
        for (name, label, grouping, _), said in told.items():
            norm = said["norm"]
            if norm is None:
                continue
            over, seen = period(label), seen + 1
            inside = world.shown(over)
            assert grouping == "all"
            assert inside.sum() >= 20
            assert norm["target"] == said["quartiles"]["pooled"]
            for figure in ("tau_squared", "precision", "called_up_to"):
                if norm[figure] is not None:
                    assert norm[figure] == float(f"{norm[figure]:.2g}")
            months = world.months(over)
            x = world.numerators[day][name][:, months].sum(axis=1)[inside]
            n = world.denominators[:, months].sum(axis=1)[inside]
            assert norm["tau_squared"] == float(f"{scatter(x, n, norm['target']):.2g}")
    assert seen > 20


def scatter(x: Ints, n: Ints, target: float) -> float:
    """Spiegelhalter's additive scatter, written once more from his appendix."""
    distances = np.arcsin(np.sqrt(x / n)) - math.asin(math.sqrt(target))
    scores = 2 * np.sqrt(n) * distances
    held = np.clip(scores, *np.quantile(scores, (0.1, 0.9)))
    weights = 4.0 * n
    excess = float((held**2).sum()) - (len(n) - 1)
    return max(excess / float(weights.sum() - (weights**2).sum() / weights.sum()), 0.0)


async def test_a_norm_bounds_no_count_that_the_pooled_rate_leaves_open(world: World) -> None:
    """For each suppressed count of a facility there is another world with every norm as it is told.

    In it the count is another, and some numerators beside it are moved by one or two, so that all that
    is told of the group stays as it is: pooled rate, scatter, precision, and what is called.
    """
    chance = np.random.default_rng(23)
    looked = 0
    for name in ("seldom", "rare"):
        for label in ("2025", "2025-03..2026-02"):
            norm = world.told[0][name, label, "all", "all"]["norm"]
            if norm is None:
                continue
            nation = Counted(world, 0, label)
            x, n = nation.numerators[name], nation.denominators
            assert nation.norm(name, x) == norm, "the attack works it out as it was worked out"
            free = np.flatnonzero(world.outside[nation.shown])
            small = [one for one in free if 1 <= x[one] <= 10]
            for place in small[:8]:
                looked += 1
                assert any(
                    (other >= 0).all() and (other <= n).all() and nation.norm(name, other) == norm
                    for other in others(chance, x, n, free, int(place))
                )
    assert looked >= 10


class Counted:
    """The facilities that may be shown over a period, as the norm of all of them is worked out."""

    def __init__(self, world: World, day: int, label: str) -> None:
        self.definition, self.told, self.label = world.definition, world.told[day], label
        months, self.shown = world.months(period(label)), world.shown(period(label))
        self.denominators: Ints = world.denominators[:, months].sum(axis=1)[self.shown]
        self.numerators: dict[str, Ints] = {
            name: its[:, months].sum(axis=1)[self.shown]
            for name, its in world.numerators[day].items()
        }
        self.known = {
            name: self.fitted(name, its)
            for name, its in self.numerators.items()
            if self.told[name, label, "all", "all"]["norm"] is not None
        }

    def fitted(self, name: str, x: Ints) -> Any:
        of, total = self.definition.measure(name), int(self.denominators.sum())
        digits = max(one for one in range(1, peer_digits(of) + 1) if total >= 22 * 10**one)
        target = round(int(x.sum()) / total, digits)
        return fitted(of, x, self.denominators, np.zeros(len(x)), target)

    def norm(self, name: str, x: Ints) -> dict[str, float | None] | None:
        """What would be told of all facilities, if one measure had other numerators."""
        said = self.told[name, self.label, "all", "all"]["norm"]
        found = self.fitted(name, x)
        if found is None:
            return None
        improbable = [one[1] for one in (self.known | {name: found}).values() if one is not None]
        up_to = called_up_to(np.concatenate(improbable))
        told = {
            one: None if math.isinf(float(value)) else float(value)
            for one, value in found[0].items()
        }
        return dict.fromkeys(said) | told | {"called_up_to": float(f"{up_to:.2g}")}


def others(
    chance: np.random.Generator, x: Ints, n: Ints, free: Ints, place: int, most: int = 3000
) -> Iterator[Ints]:
    """Worlds in which one count is another: exchanged with that of a facility of much the same size,
    then with a little moved beside it, then whatever chance gives that keeps the sum."""
    beside = free[free != place]
    alike = [one for one in beside if 1 <= x[one] <= 10 and x[one] != x[place]]
    alike.sort(key=lambda one: abs(int(n[one] - n[place])))
    for twin in alike:
        other = x.copy()
        other[[place, twin]] = other[[twin, place]]
        yield other
        rest = beside[beside != twin]
        for _ in range(20):
            moved = other.copy()
            moved[chance.choice(rest, 2, replace=False)] += [1, -1]
            yield moved
    for _ in range(most):
        other = x.copy()
        other[place] = chance.choice([one for one in range(1, 11) if one != x[place]])
        some = chance.choice(beside, 6, replace=False)
        other[some] += chance.integers(-2, 3, len(some))
        if abs(int(other.sum() - x.sum())) <= 2:
            yield other


def level_counts(
    world: World, day: int, over: Period, place: int, levels: set[str]
) -> tuple[Ints, Ints]:
    """Cases and events of some levels of a factor, by facility."""
    its = [one[place] in levels for one in KINDS]
    cases, events = (
        one[:, world.months(over)].sum(axis=1)[:, its].sum(axis=1) for one in world.mixed[day]
    )
    return cases, events


async def test_what_patients_bring_is_told_of_levels_with_enough_outside_of_any_organisation(
    world: World,
) -> None:
    """Each number hides as many cases as the pooled rate does, and what is too rare stands with the base."""
    seen = 0
    for day, told in enumerate(world.told):
        for (name, label, grouping, _), said in told.items():
            mix = said["case_mix"]
            if mix is None:
                assert name != "common" or grouping != "all" or said["withheld"]
                continue
            assert (name, grouping) == ("common", "all")
            if mix["withheld"] is not None:
                assert mix == {
                    **dict.fromkeys(("intercept", "shape")),
                    "base": {},
                    "levels": [],
                    "withheld": mix["withheld"],
                }
                continue
            seen += 1
            assert said["quartiles"]["pooled"] is not None
            if mix["shape"] is not None:
                assert mix["shape"] == float(f"{mix['shape']:.2g}")
            assert mix["intercept"] == round(mix["intercept"], 3)
            months = Period(later(period(label).last, -11), period(label).last)
            last = min(months.last, later(FIRST, MONTHS - 1))
            months = Period(later(last, -11), last)
            for number, factor in enumerate(CASE_MIX):
                listed = {one["level"]: one for one in mix["levels"] if one["factor"] == factor.id}
                for level in [*listed, mix["base"][factor.id]]:
                    cases, events = level_counts(world, day, months, number, {level})
                    for counted in (events, cases - events):
                        by_account = [
                            counted[world.accounts != account].sum()
                            for account in set(world.accounts.tolist())
                        ]
                        assert min(by_account) >= 22 * 12
                    n, x = int(cases.sum()), int(events.sum())
                    digits = max(d for d in (1, 2) if x * (n - x) / n >= 22 * 10**d)
                    if level in listed:
                        assert listed[level]["log_odds"] == round(listed[level]["log_odds"], digits)
    assert seen > 10


async def test_what_patients_bring_pins_no_count_of_a_facility(world: World) -> None:
    """For suppressed counts of a facility and combination there is another world that tells the same.

    In it the count is another one. Others have as many more or fewer, so that what is told of the case
    mix, worked out once more, stays as it is to the last decimal.
    """
    label = "2025-03..2026-02"
    said = world.told[0]["common", label, "all", "all"]["case_mix"]
    assert said["levels"]
    listed = {(one["factor"], one["level"]): one["log_odds"] for one in said["levels"]}
    columns = [(number, level) for number, one in enumerate(CASE_MIX) for level in one.every]
    columns = [(n, level) for n, level in columns if (CASE_MIX[n].id, level) in listed]
    features = np.array([[float(kind[n] == level) for n, level in columns] for kind in KINDS])
    months = world.months(period(label))
    cases, events = (one[:, months].sum(axis=1) for one in world.mixed[0])
    inside = world.shown(period(label))

    digits = []
    for n, level in columns:
        of, met = (int(one.sum()) for one in level_counts(world, 0, period(label), n, {level}))
        digits.append(max(one for one in (1, 2) if met * (of - met) / of >= 22 * 10**one))

    def told(its: Ints) -> tuple[float, ...]:
        found = case_mix_of_kinds(features, its, cases)
        assert found is not None
        rounded = [
            round(float(value), of) for value, of in zip(found.coefficients, digits, strict=True)
        ]
        predictor = features @ np.array([listed[CASE_MIX[n].id, level] for n, level in columns])
        of_kinds = cases[inside].sum(axis=0)
        intercept = national_intercept(predictor, of_kinds, float(its[inside].sum()))
        expected = cases[inside] @ (1 / (1 + np.exp(-(round(intercept, 3) + predictor))))
        spread = gamma_poisson_moments(its[inside].sum(axis=1), expected)
        assert spread is not None
        return (*rounded, round(intercept, 3), float(f"{spread.shape:.2g}"))

    wanted = told(events)
    assert wanted == (*listed.values(), said["intercept"], said["shape"] or math.inf)
    chance = np.random.default_rng(31)
    small = (events >= 1) & (events <= 10) & (cases >= events + 2)
    open_ = np.argwhere(small & (inside & world.outside)[:, None])
    targets_ = open_[chance.choice(len(open_), 12, replace=False)]
    found = 0
    for place, kind in targets_:
        for _ in range(200):
            other = events.copy()
            other[place, kind] = chance.integers(1, 11)
            more = int(other[place, kind] - events[place, kind])
            elsewhere = np.flatnonzero(inside & world.outside & (np.arange(FACILITIES) != place))
            balances = chance.choice(elsewhere, abs(more))
            np.add.at(other, (balances, np.full(abs(more), kind)), -int(np.sign(more)))
            if not more or (other < 0).any() or (other > cases).any():
                continue
            if told(other) == wanted:
                found += 1
                break
    assert found == len(targets_)


async def test_ranks_move_only_where_what_is_told_moves(world: World) -> None:
    for name, bounds, facilities in world.bounds:
        unit = 10 ** peer_digits(world.definition.measure(name))
        assert all(0 <= bound <= unit + 1 for bound in bounds)
        assert len(bounds) == (19 if facilities >= 20 else 3)
    assert len(world.bounds) > 300


async def test_the_attack_succeeds_where_each_group_tells_its_pooled_rate(world: World) -> None:
    """What is proven above is proven by an attack that works: on four decimals for every group."""
    attacker, of = attacker_of(world, 0, "rare"), world.numerators[0]["rare"]
    small = []
    for label in ("2025", "2025Q1", "2025Q2", "2025Q3", "2025Q4"):
        for (grouping, _), its in world.members.items():
            cells = world.cells(its & world.shown(period(label)), period(label))
            total, count = int(world.denominators[cells].sum()), int(of[cells].sum())
            if 1 <= count <= 10:
                small.append(cells & world.outside[:, None])
            elif total and grouping != "both":
                rate = round(count / total, 4)
                attacker.learns(cells, (rate - 0.00005) * total, (rate + 0.00005) * total)
    learnt = [pinned(attacker, one, int(world.denominators[one].sum())) for one in small[:16]]
    assert sum(learnt) > 2
