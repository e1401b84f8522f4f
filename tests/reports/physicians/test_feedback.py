"""A physician's own results: to the physician and the administrator alone, and of no colleague a word."""

import io
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import httpx
import pypdf
import pytest
from scipy import stats

from app.access import Role
from app.api.v1.keys import NewKey
from app.benchmarks.rates import Counts
from app.reports.physicians.compose import enough
from app.reports.render import POLICY
from tests.benchmarks.toy import MEASURES
from tests.make.accounts import Desk, key_for
from tests.outline import outline
from tests.reports.improvement.world import (
    AT_HERE,
    AT_THERE,
    HERE,
    THERE,
    World,
    exams,
    found,
    make_world,
)

world = pytest.fixture(scope="module")(make_world)
asynchronous = pytest.mark.asyncio(loop_scope="module")

YEAR = (date(2025, 1, 1), date(2025, 12, 31))
DOSE = next(one for one in MEASURES if one.id == "dose")


def address(facility: int, physician: int, registry: str = "toy", period: str = "2025") -> str:
    return f"/v1/facilities/{facility}/physicians/{physician}/feedback/{registry}/{period}"


async def own_desk(world: World, client: httpx.AsyncClient, npi: str, facility: int = HERE) -> Desk:
    bounds = {"facilities": [facility], "physician_id": world.physicians[npi]}
    return Desk(client, await key_for(world.database, Role.PHYSICIAN, **bounds))


@asynchronous
async def test_a_physicians_rates_are_those_of_the_own_cases(
    world: World, client: httpx.AsyncClient
) -> None:
    npi = AT_HERE[2]
    desk = await own_desk(world, client, npi)
    answer = await desk("GET", address(HERE, world.physicians[npi]))
    assert answer.status_code == 200, answer.text
    told = {one["id"]: one for one in answer.json()["measures"]}
    assert "all_exams" not in told  # a count of cases has no rate to look at
    mine = exams(HERE, *YEAR, npi)
    doses = [Decimal(one.elements["dose"]).quantize(Decimal("0.1"), ROUND_HALF_UP) for one in mine]
    assert told["dose"]["own"]["denominator"] == len(mine)
    assert float(told["dose"]["own"]["rate"]) == pytest.approx(
        float(sum(doses) / len(doses)), abs=0.051
    )
    suspicious = [one for one in mine if one.elements["result"] in "34"]
    assert told["found"]["own"]["numerator"] == sum(map(found, suspicious))
    assert told["found"]["own"]["denominator"] == len(suspicious)


@asynchronous
async def test_the_facilitys_rate_is_told_without_counts_where_there_are_colleagues_enough(
    world: World, client: httpx.AsyncClient
) -> None:
    npi = AT_HERE[0]
    told = (await (await own_desk(world, client, npi))("GET", address(HERE, world.physicians[npi]))).json()  # fmt: skip
    dose = next(one for one in told["measures"] if one["id"] == "dose")
    all_doses = [float(one.elements["dose"]) for one in exams(HERE, *YEAR)]
    assert set(dose["facility"]) == {"rate", "withheld"}
    assert float(dose["facility"]["rate"]) == pytest.approx(
        sum(all_doses) / len(all_doses), abs=0.06
    )
    assert told["colleagues"] == len(AT_HERE) - 1
    # What is said of the difference is what Welch's interval of own and colleagues' cases says.
    apart: list[list[float]] = [[], []]
    for one in exams(HERE, *YEAR):
        exact = Decimal(one.elements["dose"]).quantize(Decimal("0.1"), ROUND_HALF_UP)
        apart[one.elements["reader_npi"] != npi].append(float(exact))
    interval = stats.ttest_ind(*apart, equal_var=False).confidence_interval()
    expected = (
        "Within what chance gives"
        if interval.low <= 0 <= interval.high
        else "Higher than"
        if interval.low > 0
        else "Lower than"
    )
    assert dose["says"].startswith(expected)


@asynchronous
async def test_where_one_colleague_could_be_told_nothing_is_told_of_the_facility(
    world: World, client: httpx.AsyncClient
) -> None:
    npi = AT_THERE[0]
    desk = await own_desk(world, client, npi, THERE)
    told = (await desk("GET", address(THERE, world.physicians[npi]))).json()
    assert told["colleagues"] == 0
    for one in told["measures"]:
        assert one["facility"]["rate"] is None
        assert one["facility"]["withheld"]["reason"] == "few-colleagues"
        assert "colleagues together" not in one["says"]


def cases(*sizes: int) -> list[Counts]:
    return [Counts(denominator=one, observations=one) for one in sizes]


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ((20, 20, 20, 20, 20), True),
        ((20, 20, 20, 20), False),
        ((20, 20, 20, 20, 0), False),
        ((50, 12, 12, 13, 13), True),
        ((51, 12, 12, 12, 12), False),
        ((2, 2, 2, 2, 2), False),
        ((3, 2, 2, 2, 2), True),
        ((), False),
    ],
)
def test_a_facilitys_rate_is_told_only_where_no_colleague_can_be_told_from_it(
    sizes: tuple[int, ...], told: bool
) -> None:
    assert enough(DOSE, cases(*sizes)) is told


@asynchronous
async def test_a_physicians_key_opens_nothing_but_the_own_results(
    world: World, client: httpx.AsyncClient
) -> None:
    npi, other = AT_HERE[0], AT_HERE[1]
    desk = await own_desk(world, client, npi)
    mine = world.physicians[npi]
    nobodys = await desk("GET", address(HERE, 999_999))
    for path in (
        address(HERE, world.physicians[other]),
        address(THERE, world.physicians[AT_THERE[0]]),
        address(THERE, mine),
        f"/v1/facilities/{HERE}/physicians/{world.physicians[other]}/looks",
    ):
        answer = await desk("GET", path)
        assert answer.status_code == 404
        if f"/{HERE}/" in path:
            assert answer.json()["detail"] == nobodys.json()["detail"]
    for path in (
        f"/v1/registries/toy/metrics?facility={HERE}",
        f"/v1/registries/toy/metrics/dose/cases?facility={HERE}",
        f"/v1/facilities/{HERE}/reports/toy/2025",
        f"/v1/facilities/{HERE}/improvement-projects",
        "/v1/physicians",
        "/v1/keys",
        "/v1/audit-events",
        "/v1/registries/toy/cases?form=exam",
    ):
        assert (await desk("GET", path)).status_code == 403, path
    results = await desk("POST", "/v1/registries/toy/qpp/results", {"year": 2025, "tin": "123456789", "npi": npi})  # fmt: skip
    assert results.status_code == 403


@asynchronous
async def test_of_the_facilitys_people_only_the_administrator_reads_it(
    world: World, client: httpx.AsyncClient
) -> None:
    path = address(HERE, world.physicians[AT_HERE[3]])
    expected = {
        "administrator": 200,
        "registrar": 403,
        "dashboard": 403,
        "service": 403,
        "operator": 403,
        "steward": 404,
        "neighbour": 404,
    }
    for who, status in expected.items():
        for at in (path, path.partition("/feedback")[0] + "/looks"):
            assert (await world.at(client, who)("GET", at)).status_code == status, (who, at)
    assert (await client.get(path)).status_code == 401


@asynchronous
async def test_each_look_is_listed_to_the_physician(
    world: World, client: httpx.AsyncClient
) -> None:
    npi = AT_HERE[4]
    desk, who = await own_desk(world, client, npi), world.physicians[npi]
    await world.at(client, "administrator")("GET", address(HERE, who, period="2025Q2"))
    await world.at(client, "registrar")("GET", address(HERE, who))
    await desk("GET", f"{address(HERE, who)}?format=pdf")
    looks = (await desk("GET", f"/v1/facilities/{HERE}/physicians/{who}/looks")).json()
    assert [(one["role"], one["period"], one["form"]) for one in looks] == [
        ("physician", "2025", "pdf"),
        ("facility-administrator", "2025Q2", "json"),
    ]


@asynchronous
async def test_page_paper_and_json_say_the_same(world: World, client: httpx.AsyncClient) -> None:
    npi = AT_HERE[5]
    desk, path = await own_desk(world, client, npi), address(HERE, world.physicians[npi])
    told = (await desk("GET", f"{path}?format=json")).json()
    drawn = await desk("GET", path, headers={"Accept": "text/html"})
    assert drawn.headers["content-security-policy"] == POLICY
    paper = await desk("GET", f"{path}?format=pdf")
    reader = pypdf.PdfReader(io.BytesIO(paper.content))
    assert len(reader.pages) == 1
    printed = " ".join(" ".join(one.extract_text() for one in reader.pages).split())
    text = outline(drawn.text).text
    for one in told["measures"]:
        if one["own"]["rate"] is not None:
            for form in (text, printed):
                assert one["title"] in form
                assert one["own"]["rate"] in form
    assert told["physician_name"] in printed
    for word in ("good", "bad", "best", "worst", "poor", "excellent", "outlier"):
        assert f" {word} " not in f" {text.lower()} ", "neutral words"
    assert (await desk("GET", path, headers={"Accept": "text/csv"})).status_code == 406
    for wrong in ("2025Q7", "yesterday"):
        assert (await desk("GET", path.replace("2025", wrong))).status_code == 422
    assert (await desk("GET", path.replace("/toy/", "/none/"))).status_code == 404


@asynchronous
async def test_the_administrator_makes_the_key_and_taking_somebody_off_ends_its_reach(
    world: World, client: httpx.AsyncClient
) -> None:
    npi = AT_HERE[6]
    who = world.physicians[npi]
    desk = world.at(client, "administrator")
    body: dict[str, Any] = {
        "role": "physician",
        "label": "own results",
        "facilities": [HERE],
        "physician_id": who,
    }
    for change in (
        {"physician_id": None},
        {"physician_id": 999_999},
        {"physician_id": world.physicians[AT_THERE[0]]},
        {"facilities": None},
        {"role": "registrar"},
    ):
        assert (await desk("POST", "/v1/keys", body | change)).status_code == 422, change
    assert (await world.at(client, "neighbour")("POST", "/v1/keys", body)).status_code == 403
    assert (await world.at(client, "registrar")("POST", "/v1/keys", body)).status_code == 403
    made = await desk.made("/v1/keys", body)
    assert made["physician_id"] == who
    own = Desk(client, made["key"])
    assert (await own("GET", "/v1/keys/current")).json()["physician_id"] == who
    assert (await own("GET", address(HERE, who))).status_code == 200
    assert (await desk("DELETE", f"/v1/physicians/{who}")).status_code == 204
    assert (await own("GET", address(HERE, who))).status_code == 404


def test_a_physicians_key_is_for_one_place() -> None:
    with pytest.raises(ValueError, match="one of its `facilities`"):
        NewKey(role=Role.PHYSICIAN, label="x", facilities=[HERE, THERE], physician_id=1)
