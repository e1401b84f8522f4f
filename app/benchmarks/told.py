"""
Told: what snapshots tell of peer groups, read from the tables once.

A snapshot is never changed, so that what was read of it is kept in the process: the same spreads
stand beside the results of every facility of a group.
"""

import json
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import product
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.ground import Taken
from app.benchmarks.spread import unpacked

KEPT = 40_000
"""So many are kept, of all snapshots: a few dozen MB at most."""

Place = tuple[str, str, str, str]
"""Measure, period, grouping and group."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a snapshot tells of one peer group."""

    facilities: int | None
    said: Mapping[str, Decimal] | None
    norm: Mapping[str, str] | None
    case_mix: Mapping[str, Any] | None
    levels: Mapping[str, Any] | None
    rank_bounds: Sequence[int] | None
    withheld: str | None


_READ = text("""
SELECT measure_id, period, peer_group, peers, facilities, CAST(spread AS text), rank_bounds, withheld
FROM snapshot_spreads
WHERE snapshot_id = :snapshot AND measure_id = ANY(CAST(:measures AS text[]))
  AND period = ANY(CAST(:periods AS text[]))
  AND (peer_group, peers) IN (SELECT * FROM unnest(CAST(:groupings AS text[]), CAST(:groups AS text[])))
""")

_kept: OrderedDict[tuple[int, datetime, Place], Told | None] = OrderedDict()


async def told(
    session: AsyncSession,
    taken: Taken,
    measures: Iterable[str],
    periods: Iterable[str],
    groups: Sequence[tuple[str, str]],
) -> dict[Place, Told]:
    """What a snapshot tells of some groups (grouping and group), measures and periods, where it does."""
    wanted: list[Place] = [
        (measure, period, *group) for measure, period, group in product(measures, periods, groups)
    ]
    missing = [one for one in wanted if (taken.id, taken.taken_at, one) not in _kept]
    fresh: dict[Place, Told | None] = {}
    if missing:
        fresh = dict.fromkeys(missing)
        asked = sorted({one[2:] for one in missing})
        found = await session.execute(
            _READ,
            {
                "snapshot": taken.id,
                "measures": sorted({one[0] for one in missing}),
                "periods": sorted({one[1] for one in missing}),
                "groupings": [one[0] for one in asked],
                "groups": [one[1] for one in asked],
            },
        )
        for measure, period, grouping, group, *row in found:
            fresh[measure, period, grouping, group] = _told(*row)
    answer = {
        one: its
        for one in wanted
        if (its := fresh[one] if one in fresh else _kept[taken.id, taken.taken_at, one]) is not None
    }
    _keep(taken, fresh)
    return answer


def _told(
    facilities: int | None, spread: str | None, bounds: bytes | None, withheld: str | None
) -> Told:
    if spread is None:
        return Told(facilities, None, None, None, None, None, withheld)
    document: dict[str, Any] = json.loads(spread)
    norm = document.pop("norm", None)
    mix = document.pop("case_mix", None)
    levels = document.pop("levels", None)
    said = {name: Decimal(value) for name, value in document.items()}
    ranks = None if bounds is None else array("q", unpacked(bounds))
    return Told(facilities, said, norm, mix, levels, ranks, withheld)


def _keep(taken: Taken, fresh: Mapping[Place, Told | None]) -> None:
    for place, its in fresh.items():
        _kept[taken.id, taken.taken_at, place] = its
    while len(_kept) > KEPT:
        _kept.popitem(last=False)
