"""
A nation's benchmark tables without its cases: for what only reads them, such as reports.

Each facility has a volume, a first month and a quality of its own, from which the counts of every
measure and stratum are drawn by chance. Cases are made only where a report looks into them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import exp
from statistics import NormalDist
from typing import Any

import numpy as np
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.layout import Layout, Series
from app.benchmarks.measures import tabulation
from app.benchmarks.periods import later
from app.database import copy_records
from app.models import CorporateAccount, Facility, Feed, Generation, Participation
from app.registries.case_mix import text_of
from app.registries.measure import Measure
from app.registries.schema import Definition

Random = np.random.Generator

ADDRESS = {
    "street_1": "1 River Road",
    "city": "Raleigh",
    "state": "NC",
    "postal_code": "27601",
    "country": "US",
    "phone": "+1 919 555 0100",
}
FIRST = 100_000
MEDIAN_VOLUME, SPREAD = 320.0, 1.1
"""Cases a month of the facility in the middle, and how far others lie from it (log scale)."""
USUAL = {
    "ctdivol": (1.35, 0.35),
    "dlp": (52.0, 15.0),
    "effective_dose": (0.75, 0.22),
}
"""Mean and standard deviation of what is measured, where one value is as good as another."""
SHARES = {
    "cancer_detection_rate": 0.009,
    "invasive_cancer_detection_rate": 0.007,
    "recall_rate": 0.02,
    "modifier_s_rate": 0.09,
    "death_within_30_days_of_procedure": 0.01,
    "appropriateness_not_determinable": 0.05,
    "abnormal_interpretation_rate": 0.13,
    "follow_up_reporting_rate": 0.86,
    "ppv1": 0.07,
    "ppv2": 0.32,
    "ppv3": 0.41,
}
PARTS = {
    "follow_up_completeness_3": 0.07,
    "follow_up_completeness_4a": 0.03,
    "follow_up_completeness_4b_4x": 0.02,
    "adherence": 0.75,
    "adherence_tolerant": 0.75,
    "ppv1": 0.13,
    "ppv2": 0.03,
    "ppv3": 0.02,
    "follow_up_reporting_rate": 0.13,
    "stage_one_share": 0.01,
    "death_within_30_days_of_procedure": 0.02,
}
"""The share of cases that a measure's denominator takes; others take nearly all."""


@dataclass(frozen=True, slots=True)
class Place:
    """A facility: its cases a month, its first month, and how good it is (0 is like most)."""

    facility_id: int
    name: str
    monthly: float
    since: date
    quality: float = 0.0
    drift: float = 0.0
    """What it adds to its quality from the first month to the last."""


def places(count: int, since: date, seed: int = 1) -> list[Place]:
    """Facilities of skewed volumes, the largest some fifty times the one in the middle."""
    random, normal = np.random.default_rng(seed), NormalDist()
    return [
        Place(
            FIRST + place,
            f"Facility {FIRST + place}",
            MEDIAN_VOLUME * exp(SPREAD * normal.inv_cdf((place * 7919 % count + 0.5) / count)),
            since,
            float(random.normal(0, 0.18)),
            float(random.normal(0, 0.15)),
        )
        for place in range(count)
    ]


def own_layout(definition: Definition) -> Layout:
    """A layout in which every population of every measure has a place of its own."""
    names = {
        (one.id, each.id): f"{one.form}.{each.id}"
        for one in definition.measures
        for each in one.stratifiers
    }
    series = []
    for form in sorted({one.form for one in definition.measures}):
        measures = [one for one in definition.measures if one.form == form]
        for stratifier in [
            "",
            *dict.fromkeys(names[m.id, s.id] for m in measures for s in m.stratifiers),
        ]:
            users = [
                one
                for one in measures
                if not stratifier or stratifier in [names[one.id, s.id] for s in one.stratifiers]
            ]
            slots = {
                one.id: {
                    **{name: 5 * place + slot for slot, name in enumerate(POPULATIONS)},
                    **{name: 2 * place + slot for slot, name in enumerate(SUMMED)},
                }
                for place, one in enumerate(users)
            }
            series.append(Series(form, stratifier, slots))
    mixes = {one.id: text_of(one.case_mix) for one in definition.measures if one.case_mix}
    return Layout(tuple(series), names, mixes)


POPULATIONS = ("initial_population", "denominator", "exclusions", "numerator", "observations")
SUMMED = ("total", "total_of_squares")


async def plant(
    session: AsyncSession,
    definition: Definition,
    nation: Sequence[Place],
    last: date,
    seed: int = 1,
) -> None:
    """Facilities that take part, and their benchmark tables up to a month. In the worker's role."""
    await _facilities(session, definition, nation)
    layout = own_layout(definition)
    made = tabulation(definition)
    session.add(Feed(registry_id=definition.id, feed_seq=1))
    generation = Generation(
        registry_id=definition.id,
        definition_version=definition.version,
        digest=made.digest,
        layout=layout.document(),
        state="current",
        feed_seq=1,
    )
    session.add(generation)
    await session.flush()
    await session.execute(
        text(
            "CREATE TEMPORARY TABLE IF NOT EXISTS planted (generation_id int, facility_id int, form text,"
            " stratifier text, month date, stratum text, counts bigint[], sums numeric[]) ON COMMIT DROP"
        )
    )
    for start in range(0, len(nation), 200):
        rows = [
            (generation.id, *row)
            for place in nation[start : start + 200]
            for row in _cells(definition, layout, place, last, seed)
        ]
        await copy_records(
            session,
            "planted",
            (
                *("generation_id", "facility_id", "form", "stratifier"),
                *("month", "stratum", "counts", "sums"),
            ),
            rows,
        )
    await session.execute(text("INSERT INTO cells SELECT * FROM planted"))


async def _facilities(
    session: AsyncSession, definition: Definition, nation: Sequence[Place]
) -> None:
    traits = {one.by: list(one.groups) for one in definition.peers}
    await session.execute(
        insert(CorporateAccount),
        [
            {"id": 1 + place, "name": f"Organisation {1 + place}", **ADDRESS}
            for place in range(len(nation))
        ],
    )
    await session.execute(
        insert(Facility),
        [
            {
                **ADDRESS,
                "id": one.facility_id,
                "name": one.name,
                "corporate_account_id": 1 + place,
                "category": _one_of(traits.get("category"), place, "community"),
                "location": _one_of(traits.get("location"), place // 3, "metropolitan"),
                "census_division": _one_of(traits.get("division"), place // 2, "pacific"),
                "annual_exams": int(one.monthly * 12 * 50),
            }
            for place, one in enumerate(nation)
        ],
    )
    await session.execute(
        insert(Participation),
        [
            {"facility_id": one.facility_id, "registry_id": definition.id, "state": "active"}
            for one in nation
        ],
    )


def _one_of(values: Sequence[str] | None, place: int, otherwise: str) -> str:
    return values[place % len(values)] if values else otherwise


def _cells(
    definition: Definition, layout: Layout, place: Place, last: date, seed: int
) -> list[tuple[Any, ...]]:
    random = np.random.default_rng((seed, place.facility_id))
    habits = random.normal(0, 0.25, len(definition.measures))
    rows = []
    months = (last.year - place.since.year) * 12 + last.month - place.since.month + 1
    measures = {one.id: (number, one) for number, one in enumerate(definition.measures)}
    for back in reversed(range(months)):
        month = later(last, -back)
        cases = int(random.poisson(place.monthly))
        if not cases:
            continue
        quality = place.quality + place.drift * (1 - back / max(months, 1))
        totals = {
            series.form: {
                one: _counts(random, measures[one][1], cases, quality, habits[measures[one][0]])
                for one in series.slots
            }
            for series in layout.series
            if not series.stratifier
        }
        for series in layout.series:
            if not series.stratifier:
                rows.append(_row(place, series, month, "", totals[series.form]))
                continue
            strata = next(
                each.strata
                for one in definition.measures
                for each in one.stratifiers
                if layout.stratifiers[one.id, each.id] == series.stratifier
            )
            parts = random.dirichlet([6.0] * max(len(strata), 1))
            left = {one: totals[series.form][one].copy() for one in series.slots}
            for stratum, share in zip(strata, parts, strict=False):
                taken = {
                    one: _part(random, left[one], totals[series.form][one], share) for one in left
                }
                rows.append(_row(place, series, month, stratum, taken))
    return rows


def _counts(
    random: Random, measure: Measure, cases: int, quality: float, habit: float
) -> dict[str, int]:
    denominator = int(random.binomial(cases, PARTS.get(measure.id, 0.98)))
    found = {"initial_population": cases, "denominator": denominator, "exclusions": 0}
    better = {"increase": 1.0, "decrease": -1.0, "none": 0.0}[measure.improvement]
    if measure.scoring == "cohort":
        share = 1.0 if measure.id == "screens" else float(random.uniform(0.02, 0.4))
        found["initial_population"] = found["denominator"] = int(random.binomial(cases, share))
    elif measure.scoring == "proportion":
        usual = SHARES.get(measure.id, 0.85 if measure.improvement == "increase" else 0.12)
        odds = usual / (1 - usual) * exp(better * quality + habit)
        found["numerator"] = int(random.binomial(denominator, odds / (1 + odds)))
    else:
        mean, spread = USUAL.get(measure.id, (10.0, 3.0))
        mean *= exp(0.5 * (better * quality + habit))
        values = np.maximum(random.normal(mean, spread, min(denominator, 400)), mean / 10)
        scaled = np.rint(values * 10**measure.scale).astype(np.int64)
        weight = denominator / max(len(scaled), 1)
        found["observations"] = denominator
        found["numerator"] = denominator
        found["total"] = int(scaled.sum() * weight)
        found["total_of_squares"] = int((scaled**2).sum() * weight)
    return found


def _part(
    random: Random, left: dict[str, int], whole: dict[str, int], share: float
) -> dict[str, int]:
    """A stratum's counts out of what is left of the whole."""
    taken = {}
    ratio = 0.0
    for name in ("initial_population", "denominator"):
        taken[name] = min(int(random.binomial(whole[name], share)), left[name])
    taken["denominator"] = min(taken["denominator"], taken["initial_population"])
    if whole["denominator"]:
        ratio = taken["denominator"] / whole["denominator"]
    for name in ("numerator", "observations", "total", "total_of_squares"):
        if name in whole:
            taken[name] = min(int(whole[name] * ratio), left[name])
    if "numerator" in taken:
        taken["numerator"] = min(taken["numerator"], taken["denominator"])
    for name, value in taken.items():
        left[name] -= value
    return taken


def _row(
    place: Place, series: Series, month: date, stratum: str, found: dict[str, dict[str, int]]
) -> tuple[Any, ...]:
    counts = [0] * (len(POPULATIONS) * len(series.slots))
    sums = [0] * (len(SUMMED) * len(series.slots))
    for measure, slots in series.slots.items():
        for name, value in found[measure].items():
            (sums if name in SUMMED else counts)[slots[name]] = value
    return place.facility_id, series.form, series.stratifier, month, stratum, counts, sums


_CASES = """
INSERT INTO cases (registry_id, facility_id, form, key_token, subject_id, state, case_date, version_id,
    submission_number, row, created_at, updated_at)
SELECT CAST(:registry AS text), CAST(:facility AS int), CAST(:form AS text),
    CAST(:facility AS text) || '-' || i, :facility * 1000000::bigint + i, 'submitted',
    CAST(:first AS date) + (i * 7919 % CAST(:days AS int))::int, :facility * 1000000::bigint + i, 1, i,
    CAST(:first AS date) + (i * 7919 % CAST(:days AS int))::int + interval '1 day' * (3 + i * 37 % 110),
    now()
FROM generate_series(1, CAST(:cases AS int)) AS numbers(i)
"""
_VERSIONS = """
INSERT INTO versions (subject_id, id, registry_id, case_id, facility_id, form, key_token, state,
    definition_version, case_date, elements, submission_number, row, from_seq)
SELECT subject_id, version_id, registry_id, id, facility_id, form, key_token, state,
    CAST(:version AS text), case_date,
    CAST(:elements AS jsonb) - CASE WHEN row % 5 = 0 THEN CAST(:seldom AS text[]) ELSE '{}' END, 1, row, 1
FROM cases WHERE facility_id = :facility AND registry_id = :registry AND form = :form
"""


async def plant_cases(
    session: AsyncSession,
    definition: Definition,
    facility_id: int,
    first: date,
    days: int,
    cases: int,
) -> None:
    """A facility's cases of some days: alike, but that each fifth lacks some elements."""
    form = definition.first_case_form
    judged = [one for one in definition.visible_elements(form.id) if one.computed is None]
    elements = {one.id: (one.unknown[0] if one.unknown else "1") for one in judged}
    optional = [one.id for one in judged if not one.required]
    never, seldom = optional[::9], optional[1::4]
    told = {name: value for name, value in elements.items() if name not in never}
    await session.execute(
        text(_CASES),
        {
            "registry": definition.id,
            "facility": facility_id,
            "form": form.id,
            "first": first,
            "days": days,
            "cases": cases,
        },
    )
    await session.execute(
        text(_VERSIONS).bindparams(elements=json.dumps(told), seldom=seldom),
        {
            "version": definition.version,
            "facility": facility_id,
            "registry": definition.id,
            "form": form.id,
        },
    )
