"""
Standing: how the rates of peers are spread, and where a facility's own rate stands among them.

The spread is that of a dated snapshot, suppressed when it was taken; the rate that is ranked is live.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import expected, rates, suppress
from app.benchmarks.ground import Ground, Taken
from app.benchmarks.peers import groups, measured_by, peers_of
from app.benchmarks.periods import Period
from app.benchmarks.rates import Counts
from app.benchmarks.snapshots import snapshot_of
from app.benchmarks.spread import rank
from app.benchmarks.told import Place, Told, told
from app.errors import NotFound
from app.models import Snapshot, SnapshotSpread
from app.registries.measure import Measure
from app.registries.schema import Definition

UNCOVERED = "no-snapshot"
REASONS = {
    **suppress.REASONS,
    **expected.REASONS,
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
    case_mix: Mapping[str, Any] | None = None
    """What patients bring to it (`app.benchmarks.expected`): of the group of all alone."""
    levels: Mapping[str, Any] | None = None
    """The reference levels of the measure (`app.benchmarks.levels`): of the group of all alone."""
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

    def __init__(self, taken: Taken | None) -> None:
        self.taken = taken
        self.groups: list[tuple[str, str, str]] = []
        self.told: dict[Place, Told] = {}

    @classmethod
    async def of(
        cls,
        session: AsyncSession,
        definition: Definition,
        ground: Ground,
        periods: Sequence[Period],
        measures: Sequence[Measure],
    ) -> "Standings":
        """Those beside the results of a facility."""
        peers = cls(ground.taken)
        if ground.traits is None:
            return peers
        measured = measured_by(definition)
        for grouping in definition.peers:
            if grouping.id in measured:
                member = ground.members.get(grouping.id)
            else:
                member = peers_of(definition, grouping, ground.traits, {})
            titles = groups(definition, grouping)
            if member is not None and member in titles:
                peers.groups.append((grouping.id, member, titles[member]))
        if ground.taken is not None:
            peers.told = await told(
                session,
                ground.taken,
                [one.id for one in measures if one.scoring != "cohort"],
                [one.label for one in periods],
                [(grouping, member) for grouping, member, _ in peers.groups],
            )
        return peers

    def beside(self, result: Rated) -> tuple[Spread, ...]:
        """The peers of a result, the groups in the definition's order."""
        if result.measure.scoring == "cohort":
            return ()
        value = None
        if result.rate is not None:
            exact = rates.rate(result.measure, result.counts)
            value = rates.ranked(result.measure, exact) if exact is not None else None
        label = result.period.label
        return tuple(
            spread_of(
                self.taken,
                self.told.get((result.measure.id, label, grouping, member)),
                grouping,
                member,
                title,
                result.measure,
                value,
            )
            for grouping, member, title in self.groups
        )


def spread_of(
    taken: Taken | None,
    row: Told | None,
    peer_group: str,
    peers: str,
    title: str,
    measure: Measure,
    own: int | None = None,
) -> Spread:
    """What a snapshot tells, with the rank of one's own rate if there is one."""
    on = taken.taken_on if taken else None
    if row is None:
        return Spread(peer_group, peers, title, on, None, withheld=UNCOVERED)
    if row.said is None:
        return Spread(peer_group, peers, title, on, row.facilities, withheld=row.withheld)
    quartile = percentile = None
    if own is not None and row.rank_bounds:
        quartile, percentile = rank(own, row.rank_bounds)
        if measure.improvement == "increase":
            quartile = 5 - quartile
    said = row.said
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
        norm=row.norm,
        case_mix=row.case_mix,
        levels=row.levels,
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
    titles = {
        (one.id, peers): title
        for one in definition.peers
        if peer_group in (None, one.id)
        for peers, title in groups(definition, one).items()
    }
    taken = Taken(snapshot.id, snapshot.taken_on, snapshot.taken_at)
    if periods is not None:
        labels = sorted({one.label for one in periods})
    else:
        covered = select(SnapshotSpread.period).where(SnapshotSpread.snapshot_id == snapshot.id)
        labels = sorted(await session.scalars(covered.distinct()))
    asked = {one.id for one in measures}
    found = await told(session, taken, asked, labels, list(titles))
    return [
        (
            measure.id,
            label,
            spread_of(taken, row, *group, title, measure),
        )
        for measure in definition.measures
        if measure.id in asked
        for label in labels
        for group, title in titles.items()
        if (row := found.get((measure.id, label, *group))) is not None
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
