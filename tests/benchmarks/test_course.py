"""Against its own last year, and where it is going: by the statistics that are tested by themselves."""

import asyncio
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import httpx
import pytest
from sqlalchemy import text

from app.access import Role
from app.benchmarks import generations
from app.benchmarks.course import change_of, course_of, points_of
from app.benchmarks.generations import Workshop
from app.benchmarks.periods import period, year_before
from app.benchmarks.query import Result
from app.benchmarks.rates import Counts, rate
from app.benchmarks.statistics import Sums, half_up, newcombe, rate_ratio, welch
from app.database import EVERYTHING, Database
from app.database import Role as DatabaseRole
from app.postgres import Addresses
from app.registries.measure import Measure
from tests.benchmarks.history import History, settle
from tests.benchmarks.toy import MEASURES, definition
from tests.make.accounts import bearer, key_for

FOUND, DOSE = (next(one for one in MEASURES if one.id == name) for name in ("found", "dose"))
PER_1000 = FOUND.model_copy(update={"per": 1000})
RATIO = next(one for one in MEASURES if one.scoring == "ratio")


def result(measure: Measure, over: str, counts: Counts, withheld: str | None = None) -> Result:
    exact = rate(measure, counts)
    shown = None if withheld or exact is None else half_up(exact, 6)
    return Result(
        measure, 200001, period(over), None, None, counts, shown, None, None, None, False, withheld
    )


def of(numerator: int, denominator: int) -> Counts:
    return Counts(denominator=denominator, numerator=numerator)


def test_shares_are_compared_by_newcombes_interval() -> None:
    change = change_of(result(FOUND, "2026", of(56, 70)), result(FOUND, "2025", of(48, 80)))
    assert change is not None
    # Newcombe 1998b, table II, method 10: 56/70 - 48/80 = 0.0524 to 0.3339.
    assert change.low is not None
    assert change.high is not None
    assert (round(change.low, 4), round(change.high, 4)) == (Decimal("0.0524"), Decimal("0.3339"))
    assert (change.kind, change.value, change.better) == ("difference", Decimal("0.200000"), True)
    assert change.before == period("2025")
    assert change.earlier == Decimal("0.600000")
    limits = newcombe(56, 70, 48, 80)
    assert abs(float(change.low) - limits.low) < 1e-6
    worse = change_of(result(FOUND, "2026", of(48, 80)), result(FOUND, "2025", of(56, 70)))
    assert worse is not None
    assert worse.better is False
    same = change_of(result(FOUND, "2026", of(20, 80)), result(FOUND, "2025", of(21, 80)))
    assert same is not None
    assert same.better is None


def test_rates_per_thousand_are_compared_by_their_ratio() -> None:
    change = change_of(
        result(PER_1000, "2026", of(30, 1000)), result(PER_1000, "2025", of(10, 1000))
    )
    assert change is not None
    assert (change.kind, change.value, change.better) == ("ratio", Decimal("3.0000"), True)
    limits = rate_ratio(30, 1000, 10, 1000)
    assert change.low is not None
    assert change.high is not None
    assert abs(float(change.low) - limits.low) < 1e-4
    assert abs(float(change.high) - limits.high) < 1e-4
    from_none = change_of(
        result(PER_1000, "2026", of(3, 100)), result(PER_1000, "2025", of(0, 100))
    )
    assert from_none is not None
    assert (from_none.value, from_none.high) == (None, None), "there is no ratio to nothing"
    none = change_of(result(PER_1000, "2026", of(0, 100)), result(PER_1000, "2025", of(0, 100)))
    assert none is not None
    assert (none.value, none.low, none.better) == (None, None, None)


def test_means_are_compared_by_welchs_interval_and_ratios_of_sums_have_none() -> None:
    def doses(*tenths: int) -> Counts:
        squares = sum(one * one for one in tenths)
        return Counts(
            denominator=len(tenths),
            observations=len(tenths),
            total=sum(tenths),
            total_of_squares=squares,
        )

    now, then = doses(10, 12, 14, 11), doses(20, 22, 25, 21, 19)
    change = change_of(result(DOSE, "2026", now), result(DOSE, "2025", then))
    limits = welch(
        Sums(4, Fraction(47, 10), Fraction(561, 100)),
        Sums(5, Fraction(107, 10), Fraction(2311, 100)),
    )
    assert change is not None
    assert limits is not None
    assert change.low is not None
    assert abs(float(change.low) - limits.low) < 1e-3
    assert change.better is True, "less dose is better"
    seen = Counts(denominator=10, numerator=5, observations=5, total=9, total_of_squares=20)
    bare = change_of(result(RATIO, "2026", seen), result(RATIO, "2025", seen))
    assert bare is not None
    assert (bare.value, bare.low, bare.better) == (Decimal("0.00"), None, None)


def test_what_may_not_be_shown_is_not_compared() -> None:
    shown, hidden = (
        result(FOUND, "2026", of(8, 10)),
        result(FOUND, "2025", of(8, 10), "not-matured"),
    )
    assert change_of(shown, hidden) is None
    assert change_of(hidden, shown) is None


def test_a_course_has_months_for_a_month_and_quarters_for_anything_else() -> None:
    unit, over = points_of(period("2026-03"))
    assert (unit, len(over), over[0].label, over[-1].label) == ("month", 24, "2024-04", "2026-03")
    unit, over = points_of(period("2026"))
    assert (unit, len(over), over[0].label, over[-1].label) == ("quarter", 12, "2024Q1", "2026Q4")
    unit, over = points_of(period("2025-03..2026-02"))
    assert (unit, over[-1].label) == ("quarter", "2025-12..2026-02")
    assert all((later.first - earlier.last).days < 32 for earlier, later in pairwise(over))
    assert year_before(period("2026Q1")) == period("2025Q1")


@pytest.mark.parametrize(
    ("numerators", "word"),
    [
        ([20, 21, 19, 22, 20, 21, 40, 41, 43, 40, 42, 41], "improving"),
        ([41, 40, 43, 42, 40, 41, 20, 21, 19, 22, 20, 21], "worsening"),
        ([20, 40, 21, 41, 19, 42, 22, 43, 20, 40, 21, 41], "no-signal"),
    ],
)
def test_a_course_is_what_its_run_chart_says(numerators: list[int], word: str) -> None:
    unit, over = points_of(period("2026"))
    at = [
        result(FOUND, place.label, of(count, 100))
        for place, count in zip(over, numerators, strict=True)
    ]
    course = course_of(FOUND, unit, over, at)
    assert course.trend.course == word
    assert [one.rate for one in course.points] == [Decimal(one) / 100 for one in numerators]
    few = course_of(FOUND, unit, over, [None] * 4 + at[4:])
    assert few.trend.course == "too-few"
    assert few.points[0].withheld == "no-cases"


async def test_change_and_course_are_told_where_they_are_asked_for(
    workshop: Workshop, database: Addresses, client: httpx.AsyncClient
) -> None:
    history = History()
    owner = Database(database.owner, DatabaseRole.OWNER, pool=1)
    async with owner.transaction(EVERYTHING) as session:
        await session.execute(text("TRUNCATE corporate_accounts, definitions CASCADE"))
        await settle(session, 200001)
    await owner.close()
    case = 0
    for year, met in ((2024, 2), (2025, 6)):
        for quarter in range(4):
            for one in range(8):
                case += 1
                day = date(year, quarter * 3 + 1, 5 + one)
                exam = {"exam_date": day.isoformat(), "result": "3", "packs": 10, "dose": "1.00"}
                history.put(case, "exam", 200001, case, exam)
                if one < met:
                    seen = {"seen_on": f"{day.replace(day=28)}", "cancer": True}
                    history.put(1_000 + case, "follow_up", 200001, case, seen, parent=case)
    async with workshop.database.transaction(EVERYTHING) as session:
        await history.write(session)
        await workshop.catalogue.publish(session, definition())
        await workshop.catalogue.refresh(session)
    await generations.catch_up(workshop, workshop.catalogue.registry("toy"))
    key = bearer(await key_for(database, Role.DASHBOARD, registries=["toy"], facilities=[200001]))
    path = "/v1/registries/toy/metrics"
    for _ in range(100):  # the web process looks for new definitions every second or so
        if (await client.get("/v1/registries/toy/measures", headers=key)).status_code == 200:
            break
        await asyncio.sleep(0.1)
    asked = {"measure": "found", "period": "2025", "include": ["change", "course"]}
    answer = await client.get(path, params=asked, headers=key)
    assert answer.status_code == 200, answer.text
    (metric,) = answer.json()["metrics"]
    assert metric["change"]["earlier"] == 0.25
    assert metric["change"]["value"] == 0.5
    assert metric["change"]["before"] == "2024"
    assert metric["change"]["better"] is True
    limits = newcombe(24, 32, 8, 32)
    assert metric["change"]["interval"]["low"] == pytest.approx(limits.low, abs=1e-6)
    assert [one["rate"] for one in metric["course"]["points"]] == [None] * 4 + [0.25] * 4 + [
        0.75
    ] * 4
    assert metric["course"]["course"] == "too-few"
    bare = await client.get(path, params={"measure": "found", "period": "2025"}, headers=key)
    assert bare.json()["metrics"][0]["change"] is None
    strata = await client.get(path, params=asked | {"stratum": "by_packs"}, headers=key)
    told = {one["stratum"]: one for one in strata.json()["metrics"]}
    assert told["few"]["change"]["value"] == 0.5
    assert told["few"]["course"]["points"][-1]["rate"] == 0.75
    many = asked | {"period": [f"2025-{month:02d}" for month in range(1, 6)]}
    assert (await client.get(path, params=many, headers=key)).status_code == 422
