"""
Standing: how the rates of peers are spread, and where a facility's own rate stands among them.

The spread is that of a dated snapshot, suppressed when it was taken; the rate that is ranked is live.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import rates, suppress
from app.benchmarks.compare import snapshot_of
from app.benchmarks.peers import groups, measured_by, peers_of, traits
from app.benchmarks.periods import Period
from app.benchmarks.rates import Counts
from app.benchmarks.spread import rank
from app.errors import NotFound
from app.models import Snapshot, SnapshotMember, SnapshotSpread
from app.registries.schema import Definition, Measure

UNCOVERED = "no-snapshot"
REASONS = {
    **suppress.REASONS,
    UNCOVERED: "No snapshot of the peers covers this measure and period yet.",
}


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
    norm: Mapping[str, str] | None = None
    """What all facilities say of the measure (`app.benchmarks.position`): of the group of all alone."""
    quartile: int | None = None
    """Own rank: 1 is the best quarter, or the lowest values where neither direction is better."""
    percentile: int | None = None
    """Own mid-rank of a hundred, counted from the lowest rate; among twenty facilities or more."""
    withheld: str | None = None


class Rated(Protocol):
    """A measure's result for one facility and period."""

    @property
    def measure(self) -> Measure: ...

    @property
    def period(self) -> Period: ...

    @property
    def counts(self) -> Counts: ...

    @property
    def rate(self) -> Decimal | None: ...


class Standings:
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
        measures: Sequence[Measure],
    ) -> "Standings":
        snapshot = await snapshot_of(session, definition.id)
        peers = cls(definition, snapshot)
        own = (await traits(session, [facility_id])).get(facility_id)
        if own is None:
            return peers
        measured = measured_by(definition)
        dated = await _members(session, snapshot, facility_id) if measured else {}
        for grouping in definition.peers:
            if grouping.id in measured:
                member = dated.get(grouping.id)
            else:
                member = peers_of(definition, grouping, own, {})
            titles = groups(definition, grouping)
            if member is not None and member in titles:
                peers.groups.append((grouping.id, member, titles[member]))
        if snapshot is not None:
            found = await session.scalars(
                select(SnapshotSpread).where(
                    SnapshotSpread.snapshot_id == snapshot.id,
                    SnapshotSpread.measure_id.in_([one.id for one in measures]),
                    SnapshotSpread.period.in_([one.label for one in periods]),
                    SnapshotSpread.peers.in_([member for _, member, _ in peers.groups]),
                )
            )
            for one in found:
                peers.spreads[one.measure_id, one.period, one.peer_group, one.peers] = one
        return peers

    def beside(self, result: Rated) -> tuple[Spread, ...]:
        """The peers of a result, the groups in the definition's order."""
        if result.measure.scoring == "cohort":
            return ()
        value = None
        if result.rate is not None:
            exact = rates.rate(result.measure, result.counts)
            value = rates.ranked(result.measure, exact) if exact is not None else None
        found = []
        for grouping, member, title in self.groups:
            row = self.spreads.get((result.measure.id, result.period.label, grouping, member))
            found.append(
                spread_of(self.snapshot, row, grouping, member, title, result.measure, value)
            )
        return tuple(found)


async def _members(
    session: AsyncSession, snapshot: Snapshot | None, facility_id: int
) -> dict[str, str]:
    """Where a snapshot put the facility by a count of its cases."""
    if snapshot is None:
        return {}
    found = await session.execute(
        select(SnapshotMember.peer_group, SnapshotMember.peers).where(
            SnapshotMember.snapshot_id == snapshot.id, SnapshotMember.facility_id == facility_id
        )
    )
    return {row.peer_group: row.peers for row in found}


def spread_of(
    snapshot: Snapshot | None,
    row: SnapshotSpread | None,
    peer_group: str,
    peers: str,
    title: str,
    measure: Measure,
    own: int | None = None,
) -> Spread:
    """A snapshot's row as it is told, with the rank of one's own rate if there is one."""
    on = snapshot.taken_on if snapshot else None
    if row is None:
        return Spread(peer_group, peers, title, on, None, withheld=UNCOVERED)
    if row.spread is None:
        return Spread(peer_group, peers, title, on, row.facilities, withheld=row.withheld)
    quartile = percentile = None
    if own is not None and row.rank_bounds:
        quartile, percentile = rank(own, row.rank_bounds)
        if measure.improvement == "increase":
            quartile = 5 - quartile
    norm = row.spread.get("norm")
    said = {name: Decimal(value) for name, value in row.spread.items() if name != "norm"}
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
        pooled=said.get("pooled"),
        norm=norm,
        quartile=quartile,
        percentile=percentile,
    )


async def spreads(
    session: AsyncSession,
    definition: Definition,
    *,
    measures: Sequence[Measure],
    periods: Sequence[Period] | None = None,
    peer_group: str | None = None,
    on: date | None = None,
) -> list[tuple[str, str, Spread]]:
    """The latest snapshot, or that of a day: measure, period and spread, in the definition's order.

    Empty while there is no snapshot; `NotFound` where the day has none, or none any more.
    """
    snapshot = await snapshot_of(session, definition.id, on)
    if snapshot is None and on is not None:
        raise NotFound("No snapshot of that day is kept: see the list of snapshots.")
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
        (one.id, peers): title
        for one in definition.peers
        for peers, title in groups(definition, one).items()
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


async def dates(session: AsyncSession, registry_id: str) -> list[tuple[date, datetime]]:
    """The snapshots that are kept, one a day, the newest first: their day and moment."""
    found = await session.execute(
        select(Snapshot.taken_on, func.max(Snapshot.taken_at))
        .where(Snapshot.registry_id == registry_id)
        .group_by(Snapshot.taken_on)
        .order_by(Snapshot.taken_on.desc())
    )
    return [(row[0], row[1]) for row in found]
