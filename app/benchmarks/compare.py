"""
Compare: a dated snapshot of how rates are spread over peer groups.

One value a facility, unweighted, and over all facilities the rate of their cases pooled; rounded and
without counts. A snapshot is never changed and everybody sees the same one, so two looks seconds apart
reveal nobody. A facility's own value stays in its peers' spread: leaving it out would give each facility
another spread, and the difference of two would give a facility away.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import expected, position, suppress
from app.benchmarks.arrangement import (
    Arrangement,
    Ordered,
    quantiles_of,
    rank_bounds_of,
)
from app.benchmarks.generations import current
from app.benchmarks.measures import Layout
from app.benchmarks.nation import Nation, nation_of
from app.benchmarks.periods import Period, later, rolling_year
from app.benchmarks.rates import peer_digits
from app.benchmarks.snapshots import Told, forget, write, write_members
from app.benchmarks.spread import in_order
from app.benchmarks.statistics import half_up
from app.benchmarks.statistics.flags import called_up_to
from app.benchmarks.statistics.intervals import Floats
from app.benchmarks.tabulate import lock
from app.benchmarks.withholding import Tallies, reasons_to_withhold
from app.models import Snapshot
from app.registries.measure import Measure
from app.registries.schema import Definition

QUARTILES = (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))
TAILS = (Fraction(1, 10), Fraction(9, 10))
NAMES = ("low", "median", "high", "p10", "p90")
YEARS, QUARTERS, MONTHS = 5, 12, 24
YEAR = 12

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


async def compare(session: AsyncSession, definition: Definition, today: date) -> Snapshot | None:
    """Take a registry's snapshot of today; none as long as it has no tables."""
    await lock(session, definition.id, wait=True)  # nothing moves while it is read
    generation = await current(session, definition.id)
    if generation is None:
        return None
    snapshot = Snapshot(
        registry_id=definition.id,
        generation_id=generation.id,
        feed_seq=generation.feed_seq,
        taken_on=today,
    )
    session.add(snapshot)
    await session.flush()
    layout = Layout.read(generation.layout)
    nation = await nation_of(session, generation.id, layout, definition, today)
    if nation is not None:
        told = list(_told(definition, nation, periods(nation.first, nation.last, today), today))
        await write(session, snapshot.id, told)
        await write_members(session, snapshot.id, definition, nation)
    await forget(session, definition.id, today)
    return snapshot


def periods(first: date, last: date, today: date) -> list[Period]:
    """What a snapshot covers: years, quarters, months and rolling years, as far back as is kept."""
    month = min(last, today.replace(day=1))
    found = {
        *(Period(later(month, -back), later(month, -back)) for back in range(MONTHS)),
        *(rolling_year(later(month, -back)) for back in range(MONTHS)),
        *(
            Period(date(month.year - back, 1, 1), date(month.year - back, 12, 1))
            for back in range(YEARS)
        ),
    }
    quarter = date(month.year, (month.month - 1) // 3 * 3 + 1, 1)
    found |= {
        Period(later(quarter, -3 * back), later(quarter, 2 - 3 * back)) for back in range(QUARTERS)
    }
    return sorted(one for one in found if one.last >= first and one.first <= last)


def _told(
    definition: Definition, nation: Nation, covered: Sequence[Period], today: date
) -> Iterator[Told]:
    members = {
        (grouping.id, peers): its
        for grouping in definition.peers
        for peers, its in nation.members[grouping.id].items()
    }
    arrangement = Arrangement(members, nation.owners)
    rated = [
        one
        for one in definition.measures
        if one.scoring != "cohort" and nation.layout.of(one.id) is not None
    ]
    parts = max((YEAR, *(len(its) for its in nation.members.values())))
    fits = {one.id: expected.Fits(nation, one, parts) for one in rated if one.case_mix}
    for asked in covered:
        found: list[Told] = []
        improbable: list[Floats] = []
        for measure in rated:
            if measure.matures_after and today < asked.matured_on(measure.matures_after):
                continue
            shown, ratios = _shown(definition, nation, measure, asked)
            if ratios[2].any():
                its = fits.get(measure.id)
                found += _of_period(
                    definition, nation, measure, asked, arrangement, shown, ratios, improbable, its
                )
        # What is flagged allows for all facilities and measures that are looked at in one go.
        up_to = called_up_to(np.concatenate(improbable)) if improbable else 0.0
        for one in found:
            if one.spread is not None and "norm" in one.spread:
                one.spread["norm"]["called_up_to"] = f"{up_to:.2g}"
        yield from found


def _shown(
    definition: Definition, nation: Nation, measure: Measure, asked: Period
) -> tuple[Bools, tuple[Ints, Ints, Ints]]:
    """Which facilities have a rate to show, by the rules of `rates.unshown`."""
    ratios = nation.ratios(measure, asked)
    shown = ratios[2] >= max(measure.minimum_cases, 1)
    if measure.shown_when is not None:
        gate = definition.measure(measure.shown_when.measure)
        met, of, _ = nation.ratios(gate, asked)
        least = Fraction(measure.shown_when.at_least)
        shown &= (of > 0) & (met * least.denominator >= least.numerator * of)
    return shown, ratios


def _of_period(
    definition: Definition,
    nation: Nation,
    measure: Measure,
    asked: Period,
    arrangement: Arrangement,
    shown: Bools,
    ratios: tuple[Ints, Ints, Ints],
    improbable: list[Floats],
    fits: expected.Fits | None,
) -> Iterator[Told]:
    """What is told of every peer group in one period; adds how improbable results are to `improbable`.

    `fits` are those of a measure with a case mix.
    """
    numerators, denominators, sizes = ratios
    met = numerators if measure.scoring == "proportion" else None
    tallies = Tallies(nation, arrangement, shown, sizes, met)
    reasons = reasons_to_withhold(definition, tallies)
    wanted = [place for place, one in enumerate(arrangement.groups) if one not in reasons]
    order = np.flatnonzero(shown)
    order = order[in_order(numerators[order], denominators[order])]
    spreads: Iterator[tuple[dict[str, Any], Ints]] = iter(())
    if wanted:
        digits = peer_digits(measure)
        ordered = arrangement.ordered(order, numerators, denominators, digits)
        spreads = _spreads(measure, ordered, np.array(wanted))
    months = sum(1 for _ in asked.months())
    parts = max(months, *(len(its) for its in nation.members.values()))
    everybody = {one.id for one in definition.peers if one.by == "all"}
    label = asked.label
    for group in arrangement.groups:
        reason = reasons.get(group)
        if reason:
            yield Told(measure.id, label, *group, None, None, None, reason)
            continue
        said, bounds = next(spreads)
        if group[0] in everybody:
            inside = arrangement.members[group]
            said |= _pooled(nation, measure, inside & shown, ratios, parts)
            own = order[inside[order]]
            if "pooled" in said and len(own) >= suppress.FEWEST_FOR_TAILS:
                of_group = numerators[own], denominators[own]
                squares = nation.squared(measure, asked)[own]
                norm = position.fitted(measure, *of_group, squares, float(said["pooled"]))
                if norm is not None:
                    said["norm"] = norm[0]
                    improbable.append(norm[1])
            if fits is not None:
                enough = "pooled" in said and len(own) >= suppress.FEWEST_FOR_TAILS
                its = fits.told(asked, inside & shown) if enough else fits.few
                if its is not None:
                    said["case_mix"] = its
        yield Told(measure.id, label, *group, tallies.facilities(group), said, bounds, None)


def _spreads(
    measure: Measure, ordered: Ordered, wanted: Ints
) -> Iterator[tuple[dict[str, Any], Ints]]:
    """Quantiles of some groups' rates, and the bounds of ranks among them."""
    digits = peer_digits(measure)
    found = quantiles_of(ordered, wanted, (*QUARTILES, *TAILS), digits).tolist()
    bounds = rank_bounds_of(ordered, wanted)
    for group, of_group, its in zip(wanted.tolist(), found, bounds, strict=True):
        names = NAMES if ordered.sizes[group] >= suppress.FEWEST_FOR_TAILS else NAMES[:3]
        said = {
            name: str(Decimal(one).scaleb(-digits))
            for name, one in zip(names, of_group, strict=False)
        }
        yield said, its


def _pooled(
    nation: Nation,
    measure: Measure,
    inside: Bools,
    ratios: tuple[Ints, Ints, Ints],
    parts: int,
) -> dict[str, str]:
    """The rate of all cases together, if rounding can hide what is behind it."""
    numerators, denominators, sizes = (np.where(inside, one, 0) for one in ratios)
    met = nation.by_account(numerators) if measure.scoring == "proportion" else None
    digits = suppress.pooled_digits(peer_digits(measure), nation.by_account(sizes), met, parts)
    if digits is None:
        return {}
    pooled = Fraction(int(numerators.sum()), int(denominators.sum()))
    return {"pooled": str(half_up(pooled, digits))}
