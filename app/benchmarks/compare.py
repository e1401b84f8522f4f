"""
Compare: a dated snapshot of how rates are spread over peer groups.

One value a facility, unweighted, and over all facilities the rate of their cases pooled; rounded and
without counts. A snapshot is never changed and everybody sees the same one, so two looks seconds apart
reveal nobody. A facility's own value stays in its peers' spread: leaving it out would give each facility
another spread, and the difference of two would give a facility away.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import position, suppress
from app.benchmarks.generations import current
from app.benchmarks.measures import Layout
from app.benchmarks.nation import Nation, nation_of
from app.benchmarks.peers import AND, measured_by
from app.benchmarks.periods import Period, later, rolling_year
from app.benchmarks.rates import peer_digits
from app.benchmarks.spread import in_order, quantiles, rank_bounds, rounded
from app.benchmarks.statistics import half_up
from app.benchmarks.statistics.flags import called_up_to
from app.benchmarks.statistics.intervals import Floats
from app.benchmarks.suppress import Tally
from app.benchmarks.tabulate import lock
from app.database import copy_records, staging
from app.models import Snapshot
from app.registries.schema import Definition, Measure

QUARTILES = (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))
TAILS = (Fraction(1, 10), Fraction(9, 10))
YEARS, QUARTERS, MONTHS = 5, 12, 24

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Group = tuple[str, str]
"""A grouping's id and one of its groups."""


class Told(NamedTuple):
    """What a snapshot says of one peer group."""

    measure_id: str
    period: str
    peer_group: str
    peers: str
    facilities: int | None
    spread: dict[str, Any] | None
    rank_bounds: list[int] | None
    withheld: str | None


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
        await _write(session, snapshot.id, told)
        await _write_members(session, snapshot.id, definition, nation)
    await _forget(session, definition.id, today)
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
    rated = [
        one
        for one in definition.measures
        if one.scoring != "cohort" and nation.layout.of(one.id) is not None
    ]
    for asked in covered:
        found: list[Told] = []
        improbable: list[Floats] = []
        for measure in rated:
            if measure.matures_after and today < asked.matured_on(measure.matures_after):
                continue
            shown, ratios = _shown(definition, nation, measure, asked)
            if ratios[2].any():
                found += _of_period(
                    definition, nation, measure, asked, members, shown, ratios, improbable
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
    members: Mapping[Group, Bools],
    shown: Bools,
    ratios: tuple[Ints, Ints, Ints],
    improbable: list[Floats],
) -> Iterator[Told]:
    """What is told of every peer group in one period; adds how improbable results are to `improbable`."""
    chosen = np.stack([*members.values(), np.ones_like(shown)]) & shown
    tallies = _tallies(nation, measure, chosen, ratios)
    whole = tallies.pop()
    groups = dict(zip(members, tallies, strict=True))
    inside = dict(zip(members, chosen, strict=False))
    reasons = reasons_to_withhold(definition, whole, groups, inside)
    numerators, denominators, _ = ratios
    order = np.flatnonzero(shown)
    order = order[in_order(numerators[order], denominators[order])]
    months = sum(1 for _ in asked.months())
    parts = max(months, *(len(its) for its in nation.members.values()))
    everybody = {one.id for one in definition.peers if one.by == "all"}
    for group, its in groups.items():
        reason = reasons.get(group)
        if reason:
            yield Told(measure.id, asked.label, *group, None, None, None, reason)
            continue
        ordered = order[inside[group][order]]
        of_group = numerators[ordered], denominators[ordered]
        said, bounds = _spread(measure, *of_group)
        if group[0] in everybody:
            said |= _pooled(nation, measure, inside[group], ratios, parts)
            if "pooled" in said and len(ordered) >= suppress.FEWEST_FOR_TAILS:
                squares = nation.squared(measure, asked)[ordered]
                norm = position.fitted(measure, *of_group, squares, float(said["pooled"]))
                if norm is not None:
                    said["norm"] = norm[0]
                    improbable.append(norm[1])
        yield Told(
            measure.id,
            asked.label,
            *group,
            int(its.facilities.sum()),
            said,
            bounds,
            None,
        )


def _tallies(
    nation: Nation, measure: Measure, chosen: Bools, ratios: tuple[Ints, Ints, Ints]
) -> list[Tally]:
    """The tally of each row of facilities."""
    facilities = nation.by_account(chosen.astype(np.int64))
    volumes = nation.by_account(chosen * ratios[2])
    met = nation.by_account(chosen * ratios[0]) if measure.scoring == "proportion" else None
    return [
        Tally(facilities[row], volumes[row], None if met is None else met[row])
        for row in range(len(chosen))
    ]


def reasons_to_withhold(
    definition: Definition,
    whole: Tally,
    groups: Mapping[Group, Tally],
    inside: Mapping[Group, Bools],
) -> dict[Group, str]:
    """Why groups may not be told, each by itself and then because of one another."""
    reasons = {group: reason for group, its in groups.items() if (reason := suppress.withheld(its))}
    for grouping in definition.peers:  # parts of a combination are declared above it
        own = [group for group in groups if group[0] == grouping.id]
        for place, part in enumerate(grouping.of):
            for held in [name for name in groups if name[0] == part]:
                parts = [one for one in own if one[1].split(AND)[place] == held[1]]
                if held in reasons:
                    # What is withheld of a group could be put together from its parts.
                    for one in parts:
                        reasons.setdefault(one, "complementary")
                else:
                    _complete(groups[held], parts, groups, reasons)
        if grouping.by != "all":
            _complete(whole, own, groups, reasons)
    _nested(groups, inside, reasons)
    return reasons


def _complete(
    whole: Tally, parts: Sequence[Group], groups: Mapping[Group, Tally], reasons: dict[Group, str]
) -> None:
    """Withhold of a whole's parts what would leave too little for the rest."""
    told = {one[1]: groups[one] for one in parts if one not in reasons}
    hidden = set(suppress.complementary(whole, told))
    reasons |= {one: "complementary" for one in parts if one[1] in hidden}


def _nested(
    groups: Mapping[Group, Tally], inside: Mapping[Group, Bools], reasons: dict[Group, str]
) -> None:
    """Withhold a group that lies within another, where what the other has beside it is too little."""
    told = [one for one in groups if one not in reasons]
    if len(told) < 2:
        return
    rows = np.stack([inside[one] for one in told]).astype(np.float32)
    common = rows @ rows.T  # how many facilities two groups share; exact below 2^24
    sizes = common.diagonal()
    inner, outer = np.nonzero((common == sizes[:, None]) & (sizes[:, None] < sizes[None, :]))
    rests = _withheld(
        [groups[told[j]] - groups[told[i]] for i, j in zip(inner, outer, strict=True)]
    )
    reasons |= {
        told[place]: "complementary" for place, rest in zip(inner, rests, strict=True) if rest
    }


def _withheld(tallies: Sequence[Tally]) -> list[str | None]:
    """Why each of some sets of facilities may not be told."""
    if not tallies:
        return []
    met = [one.met for one in tallies if one.met is not None]
    return suppress.withheld_each(
        np.stack([one.facilities for one in tallies]),
        np.stack([one.volumes for one in tallies]),
        np.stack(met) if met else None,
    )


def _spread(
    measure: Measure, numerators: Ints, denominators: Ints
) -> tuple[dict[str, Any], list[int]]:
    """Quantiles of rates in order, and the bounds of ranks among them."""
    digits = peer_digits(measure)
    tails = TAILS if len(numerators) >= suppress.FEWEST_FOR_TAILS else ()
    found = quantiles(numerators, denominators, (*QUARTILES, *tails), digits)
    low, median, high, *ends = (str(Decimal(one).scaleb(-digits)) for one in found)
    said = {"low": low, "median": median, "high": high}
    if ends:
        said |= {"p10": ends[0], "p90": ends[1]}
    return said, rank_bounds(rounded(numerators, denominators, digits)).tolist()


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


async def _write(session: AsyncSession, snapshot_id: int, told: Sequence[Told]) -> None:
    await staging(
        session,
        "told",
        "measure_id text, period text, peer_group text, peers text, facilities int, spread text,"
        " rank_bounds bigint[], withheld text",
    )
    rows = [
        (*one[:5], None if one.spread is None else json.dumps(one.spread), *one[6:]) for one in told
    ]
    await copy_records(session, "told", Told._fields, rows)
    await session.execute(
        text(
            "INSERT INTO snapshot_spreads (snapshot_id, measure_id, period, peer_group, peers,"
            " facilities, spread, rank_bounds, withheld)"
            " SELECT :snapshot, measure_id, period, peer_group, peers, facilities, spread::jsonb,"
            " rank_bounds, withheld FROM told"
        ),
        {"snapshot": snapshot_id},
    )


async def _write_members(
    session: AsyncSession, snapshot_id: int, definition: Definition, nation: Nation
) -> None:
    """Whom groupings by a count of cases put together on this day: tomorrow it may be others."""
    rows = [
        (nation.facilities[place], grouping, peers)
        for grouping in measured_by(definition)
        for peers, inside in nation.members[grouping].items()
        for place in np.flatnonzero(inside)
    ]
    if not rows:
        return
    await staging(session, "members", "facility_id int, peer_group text, peers text")
    await copy_records(session, "members", ("facility_id", "peer_group", "peers"), rows)
    await session.execute(
        text(
            "INSERT INTO snapshot_members (snapshot_id, facility_id, peer_group, peers)"
            " SELECT :snapshot, facility_id, peer_group, peers FROM members"
        ),
        {"snapshot": snapshot_id},
    )


async def _forget(session: AsyncSession, registry_id: str, today: date) -> None:
    """Drop snapshots of earlier months than the last, but for the last of each month."""
    before = later(today.replace(day=1), -1)
    values = {"registry_id": registry_id, "before": before}
    chosen = (
        "SELECT id FROM snapshots WHERE registry_id = :registry_id AND taken_on < :before"
        " AND id NOT IN (SELECT max(id) FROM snapshots WHERE registry_id = :registry_id"
        " GROUP BY date_trunc('month', taken_on))"
    )
    for table in ("snapshot_spreads", "snapshot_members"):
        await session.execute(text(f"DELETE FROM {table} WHERE snapshot_id IN ({chosen})"), values)
    await session.execute(text(f"DELETE FROM snapshots WHERE id IN ({chosen})"), values)


async def snapshot_of(
    session: AsyncSession, registry_id: str, on: date | None = None
) -> Snapshot | None:
    """A registry's newest snapshot, or the newest of a day; None if there is none."""
    chosen = select(Snapshot).where(Snapshot.registry_id == registry_id)
    if on is not None:
        chosen = chosen.where(Snapshot.taken_on == on)
    return await session.scalar(chosen.order_by(Snapshot.id.desc()).limit(1))
