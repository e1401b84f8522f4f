"""
What a facility's rates are, live, and where they stand in the latest snapshot of its peers.

A facility's own counts are its own and are shown to it however small; whether a rate is, is decided by
`rates.unshown`. Peers come from a dated snapshot that was suppressed when it was taken.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import rates, suppress
from app.benchmarks.compare import latest
from app.benchmarks.generations import current
from app.benchmarks.measures import Layout
from app.benchmarks.peers import groups, peers_of, traits
from app.benchmarks.periods import Period
from app.benchmarks.rates import Counts
from app.benchmarks.statistics import half_up, histogram_quantile, rank_quartile
from app.models import Cell, Generation, Histogram, Snapshot, SnapshotSpread
from app.registries.schema import Definition, Measure

UNCOVERED = "no-snapshot"
REASONS = {
    **rates.REASONS,
    **suppress.REASONS,
    UNCOVERED: "No snapshot of the peers covers this measure and period yet.",
}
"""Why something is not shown, in words."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """How current the tables are."""

    feed_number: int
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Spread:
    """How the rates of a peer group were spread when a snapshot was taken."""

    peer_group: str
    peers: str
    title: str
    snapshot_on: date | None
    facilities: int | None
    low: Decimal | None = None
    median: Decimal | None = None
    high: Decimal | None = None
    p10: Decimal | None = None
    p90: Decimal | None = None
    pooled: Decimal | None = None
    quartile: int | None = None
    """Own rank: 1 is the best quarter, or the lowest values where neither direction is better."""
    withheld: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A measure's result for one facility, period and stratum."""

    measure: Measure
    facility_id: int
    period: Period
    stratifier: str | None
    stratum: str | None
    counts: Counts
    rate: Decimal | None
    low: Decimal | None
    high: Decimal | None
    median: Decimal | None
    """Of the observations, read from their histogram."""
    caution: bool
    """So few cases that the interval says more than the rate."""
    withheld: str | None
    peers: tuple[Spread, ...] = ()

    @property
    def hides_outcome(self) -> bool:
        """Whether the numerator would give away what may not be shown yet."""
        return self.withheld in ("not-matured", "condition-not-met", "being-tabulated")


@dataclass(frozen=True, slots=True)
class Answer:
    """Results, and how current they are."""

    as_of: AsOf
    results: tuple[Result, ...]


async def results(
    session: AsyncSession,
    definition: Definition,
    facility_id: int,
    periods: Sequence[Period],
    *,
    today: date,
    measures: Sequence[Measure] | None = None,
    stratifier: str | None = None,
    stratum: str | None = None,
    with_peers: bool = True,
) -> Answer:
    """A facility's results: overall, or in the strata of a stratifier, or in one of them.

    A session in the facility's own scope is enough. Measures without the stratifier are left out.
    """
    chosen = list(definition.measures if measures is None else measures)
    if stratifier is not None:
        chosen = [one for one in chosen if any(s.id == stratifier for s in one.stratifiers)]
    generation = await current(session, definition.id)
    as_of = AsOf(generation.feed_seq, generation.tabulated_at) if generation else AsOf(0, None)
    held = await _held(session, generation, facility_id, periods, chosen, stratifier)
    beside = with_peers and stratifier is None
    peers = await _Peers.of(session, definition, facility_id, periods, beside)
    found = []
    for measure in chosen:
        for over in periods:
            gate = _gate(definition, held, measure, over)
            for name in held.strata(measure, stratifier, stratum, over):
                counts = held.counts(measure, over, stratifier, name)
                one = _result(
                    measure, facility_id, over, stratifier, name, counts, gate, today, held
                )
                found.append(peers.beside(one) if beside else one)
    return Answer(as_of, tuple(found))


def _gate(definition: Definition, held: "_Held", measure: Measure, over: Period) -> Fraction | None:
    """The rate that a measure's showing rests on."""
    if measure.shown_when is None:
        return None
    gate = definition.measure(measure.shown_when.measure)
    return rates.rate(gate, held.counts(gate, over, None, None))


def _result(
    measure: Measure,
    facility_id: int,
    over: Period,
    stratifier: str | None,
    stratum: str | None,
    counts: Counts,
    gate: Fraction | None,
    today: date,
    held: "_Held",
) -> Result:
    reason = rates.unshown(measure, counts, over, today, gate)
    if not held.knows(measure):
        reason = "being-tabulated"
    value = rates.rate(measure, counts) if reason is None else None
    limits = rates.interval(measure, counts) if value is not None else None
    digits = rates.digits(measure)
    median = held.median(measure, over) if value is not None and stratifier is None else None
    return Result(
        measure=measure,
        facility_id=facility_id,
        period=over,
        stratifier=stratifier,
        stratum=stratum,
        counts=counts,
        rate=half_up(value, digits) if value is not None else None,
        low=half_up(Fraction(limits.low), digits) if limits else None,
        high=half_up(Fraction(limits.high), digits) if limits else None,
        median=half_up(median, digits) if median is not None else None,
        caution=value is not None and rates.size(measure, counts) < measure.caution_below,
        withheld=reason,
    )


class _Held:
    """A facility's cells and histograms over some months."""

    def __init__(self, layout: Layout | None) -> None:
        self.layout = layout
        self.cells: dict[tuple[str, str], list[tuple[date, str, Any, Any]]] = defaultdict(list)
        self.bins: dict[str, list[tuple[date, list[int]]]] = defaultdict(list)

    def knows(self, measure: Measure) -> bool:
        return self.layout is not None and self.layout.of(measure.id) is not None

    def counts(
        self, measure: Measure, over: Period, stratifier: str | None, stratum: str | None
    ) -> Counts:
        series = self.layout.of(measure.id, stratifier) if self.layout else None
        total = Counts()
        if series is not None:
            for month, named, counts, sums in self.cells[series.form, series.stratifier]:
                if over.first <= month <= over.last and named == (stratum or ""):
                    total += Counts.read(series.read(measure.id, counts, sums))
        return total

    def strata(
        self, measure: Measure, stratifier: str | None, stratum: str | None, over: Period
    ) -> list[str | None]:
        """Which strata to answer: those the definition names in its order, then others by name."""
        if stratifier is None or stratum is not None:
            return [stratum]
        series = self.layout.of(measure.id, stratifier) if self.layout else None
        named = next(one for one in measure.stratifiers if one.id == stratifier).strata
        seen = {
            name
            for month, name, _, _ in (self.cells[series.form, series.stratifier] if series else ())
            if over.first <= month <= over.last
        }
        return [*named, *sorted(seen - set(named))]

    def median(self, measure: Measure, over: Period) -> Fraction | None:
        months = [bins for month, bins in self.bins[measure.id] if over.first <= month <= over.last]
        if not measure.bins or not months:
            return None
        bins = [sum(column) for column in zip(*months, strict=True)]
        return histogram_quantile(measure.bins, bins, Fraction(1, 2))


async def _held(
    session: AsyncSession,
    generation: Generation | None,
    facility_id: int,
    periods: Sequence[Period],
    measures: Sequence[Measure],
    stratifier: str | None,
) -> _Held:
    held = _Held(Layout.read(generation.layout) if generation else None)
    if generation is None or held.layout is None or not periods:
        return held
    names = {held.layout.stratifiers.get((one.id, stratifier or ""), "") for one in measures} | {""}
    first, last = min(one.first for one in periods), max(one.last for one in periods)
    for form, stratifier, month, stratum, counts, sums in await session.execute(
        select(Cell.form, Cell.stratifier, Cell.month, Cell.stratum, Cell.counts, Cell.sums).where(
            Cell.generation_id == generation.id,
            Cell.facility_id == facility_id,
            Cell.stratifier.in_(sorted(names)),
            Cell.month.between(first, last),
        )
    ):
        held.cells[form, stratifier].append((month, stratum, counts, sums))
    for measure_id, month, bins in await session.execute(
        select(Histogram.measure_id, Histogram.month, Histogram.bins).where(
            Histogram.generation_id == generation.id,
            Histogram.facility_id == facility_id,
            Histogram.month.between(first, last),
        )
    ):
        held.bins[measure_id].append((month, bins))
    return held


class _Peers:
    """The latest snapshot's spreads over a facility's peer groups."""

    def __init__(self, definition: Definition, snapshot: Snapshot | None) -> None:
        self.definition, self.snapshot = definition, snapshot
        self.groups: list[tuple[str, str, str]] = []
        self.spreads: dict[tuple[str, str, str, str], SnapshotSpread] = {}

    @classmethod
    async def of(
        cls,
        session: AsyncSession,
        definition: Definition,
        facility_id: int,
        periods: Sequence[Period],
        wanted: bool,
    ) -> "_Peers":
        snapshot = await latest(session, definition.id) if wanted else None
        peers = cls(definition, snapshot)
        own = (await traits(session, [facility_id])).get(facility_id) if wanted else None
        if own is None:
            return peers
        for grouping in definition.peers:
            member = peers_of(grouping, own)
            if member is not None:
                peers.groups.append((grouping.id, member, groups(grouping)[member]))
        if snapshot is not None:
            found = await session.scalars(
                select(SnapshotSpread).where(
                    SnapshotSpread.snapshot_id == snapshot.id,
                    SnapshotSpread.period.in_([one.label for one in periods]),
                    SnapshotSpread.peers.in_([member for _, member, _ in peers.groups]),
                )
            )
            for one in found:
                peers.spreads[one.measure_id, one.period, one.peer_group, one.peers] = one
        return peers

    def beside(self, result: Result) -> Result:
        """A result with its peers."""
        if result.measure.scoring == "cohort":
            return result
        value = None
        if result.rate is not None:
            exact = rates.rate(result.measure, result.counts)
            value = rates.ranked(exact) if exact is not None else None
        found = []
        for grouping, member, title in self.groups:
            row = self.spreads.get((result.measure.id, result.period.label, grouping, member))
            found.append(
                spread_of(self.snapshot, row, grouping, member, title, result.measure, value)
            )
        return replace(result, peers=tuple(found))


def spread_of(
    snapshot: Snapshot | None,
    row: SnapshotSpread | None,
    peer_group: str,
    peers: str,
    title: str,
    measure: Measure,
    own: Decimal | None = None,
) -> Spread:
    """A snapshot's row as it is told, with the rank of one's own rate if there is one."""
    on = snapshot.taken_on if snapshot else None
    if row is None:
        return Spread(peer_group, peers, title, on, None, withheld=UNCOVERED)
    if row.spread is None:
        return Spread(peer_group, peers, title, on, row.facilities, withheld=row.withheld)
    quartile = None
    if own is not None:
        quartile = rank_quartile(own, [Decimal(one) for one in row.spread["rank_bounds"]])
        if measure.improvement == "increase":
            quartile = 5 - quartile
    said = {name: Decimal(value) for name, value in row.spread.items() if name != "rank_bounds"}
    return Spread(
        peer_group,
        peers,
        title,
        on,
        row.facilities,
        low=said["low"],
        median=said["median"],
        high=said["high"],
        p10=said.get("p10"),
        p90=said.get("p90"),
        pooled=said["pooled"],
        quartile=quartile,
    )


async def spreads(
    session: AsyncSession,
    definition: Definition,
    *,
    measures: Sequence[Measure],
    periods: Sequence[Period] | None = None,
    peer_group: str | None = None,
) -> list[tuple[str, str, Spread]]:
    """The latest snapshot: measure, period and spread, in the definition's order."""
    snapshot = await latest(session, definition.id)
    if snapshot is None:
        return []
    query = select(SnapshotSpread).where(
        SnapshotSpread.snapshot_id == snapshot.id,
        SnapshotSpread.measure_id.in_([one.id for one in measures]),
    )
    if periods is not None:
        query = query.where(SnapshotSpread.period.in_([one.label for one in periods]))
    if peer_group is not None:
        query = query.where(SnapshotSpread.peer_group == peer_group)
    titles = {
        (one.id, peers): title for one in definition.peers for peers, title in groups(one).items()
    }
    order = {one.id: place for place, one in enumerate(definition.measures)}
    places = {key: place for place, key in enumerate(titles)}
    found = [
        row
        for row in await session.scalars(query)
        if (row.peer_group, row.peers) in titles and row.measure_id in order
    ]
    found.sort(
        key=lambda row: (order[row.measure_id], row.period, places[row.peer_group, row.peers])
    )
    return [
        (
            row.measure_id,
            row.period,
            spread_of(
                snapshot,
                row,
                row.peer_group,
                row.peers,
                titles[row.peer_group, row.peers],
                definition.measure(row.measure_id),
            ),
        )
        for row in found
    ]
