"""
What a facility's rates are, live, and where they stand in the latest snapshot of its peers.

A facility's own counts are its own and are shown to it however small; whether a rate is, is decided by
`rates.unshown`. Peers come from a dated snapshot that was suppressed when it was taken.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import rates, standing
from app.benchmarks.bins import series_of
from app.benchmarks.expected import Adjusted, adjusted_of
from app.benchmarks.ground import Ground, Serving, ground
from app.benchmarks.layout import SUMS, Layout, Series
from app.benchmarks.levels import Level, beside
from app.benchmarks.periods import Period
from app.benchmarks.rates import Counts
from app.benchmarks.standing import Spread, Standings
from app.benchmarks.statistics import half_up, histogram_quantile
from app.registries.case_mix import size, text_of
from app.registries.measure import Measure
from app.registries.schema import Definition

__all__ = ["REASONS", "Answer", "AsOf", "Result", "Spread", "results"]

REASONS = {**rates.REASONS, **standing.REASONS}
"""Why something is not shown, in words."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """How current the tables are."""

    feed_number: int
    at: datetime | None


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
    levels: tuple[Level, ...] = ()
    """What its median is held against, where the snapshot tells it."""
    adjusted: Adjusted | str | None = None
    """Beside what its case mix leads to expect, or why not; None where that was not asked for, and of a
    measure without a case mix."""

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
    with_case_mix: bool = False,
    on: Ground | None = None,
    bare: Collection[Period] = (),
) -> Answer:
    """A facility's results: overall, or in the strata of a stratifier, or in one of them.

    A session in the facility's own scope is enough. Measures without the stratifier are left out.
    Reference levels go with peers; of strata they are all that is told of these.
    Case mix goes with peers, overall alone.
    `on` is what they stand on, where it was read in this transaction. Results of `bare` periods have
    neither interval nor median, which cost more than all the rest.
    """
    chosen = list(definition.measures if measures is None else measures)
    if stratifier is not None:
        chosen = [one for one in chosen if any(s.id == stratifier for s in one.stratifiers)]
    stands = on or await ground(session, definition, facility_id)
    serving = stands.serving
    as_of = AsOf(serving.feed_seq, serving.tabulated_at) if serving else AsOf(0, None)
    mixed = with_case_mix and with_peers and stratifier is None
    levelled = [one for one in chosen if _by(one) == (stratifier,)]
    binned = [one.id for one in chosen if one.bins or (mixed and one.case_mix)]
    if stratifier is not None:
        binned = [series_of(one.id, name) for one in levelled for name in one.reference_strata]
    held = await _held(session, serving, facility_id, periods, chosen, stratifier, binned)
    peers = None
    if with_peers and (stratifier is None or levelled):
        peers = await Standings.of(session, definition, stands, periods, chosen)
    found = []
    for measure in chosen:
        for over in periods:
            gate = _gate(definition, held, measure, over)
            for name in held.strata(measure, stratifier, stratum, over):
                counts = held.counts(measure, over, stratifier, name)
                one = _result(
                    measure,
                    facility_id,
                    over,
                    stratifier,
                    name,
                    counts,
                    gate,
                    today,
                    held,
                    bare=over in bare,
                )
                if peers is not None:
                    one = replace(one, levels=_levels(definition, one, peers))
                if peers is not None and stratifier is None:
                    one = replace(one, peers=peers.beside(one))
                if mixed and measure.case_mix:
                    one = replace(one, adjusted=_adjusted(definition, one, held))
                found.append(one)
    return Answer(as_of, tuple(found))


def _by(measure: Measure) -> tuple[str | None, ...]:
    """The stratifier of a measure's reference levels, which may be none; empty without levels."""
    return (measure.reference_levels.by,) if measure.reference_levels is not None else ()


def _levels(definition: Definition, result: Result, peers: Standings) -> tuple[Level, ...]:
    """The reference levels of a result that the snapshot of all facilities tells."""
    if _by(result.measure) != (result.stratifier,):
        return ()
    everybody = {one.id for one in definition.peers if one.by == "all"}
    told = next(
        (
            its.levels
            for grouping, member, _ in peers.groups
            if grouping in everybody
            for its in [peers.told.get((result.measure.id, result.period.label, grouping, member))]
            if its is not None
        ),
        None,
    )
    return beside(result.measure, result.stratum or "", result.median, told)


def _gate(definition: Definition, held: "_Held", measure: Measure, over: Period) -> Fraction | None:
    """The rate that a measure's showing rests on."""
    if measure.shown_when is None:
        return None
    gate = definition.measure(measure.shown_when.measure)
    return rates.rate(gate, held.counts(gate, over, None, None))


def _adjusted(definition: Definition, result: Result, held: "_Held") -> Adjusted | str:
    """A result beside what the snapshot of all facilities leads to expect of its cases."""
    if result.rate is None:
        return result.withheld or "no-cases"
    cases = held.combined(result.measure, result.period)
    if cases is None:
        return "being-tabulated"
    everybody = {one.id for one in definition.peers if one.by == "all"}
    group = next((one for one in result.peers if one.peer_group in everybody), None)
    if group is None or group.withheld is not None:
        return (group.withheld if group else None) or standing.UNCOVERED
    told = group.case_mix
    if told is None or told["text"] != text_of(result.measure.case_mix):
        return standing.UNCOVERED
    return adjusted_of(result, cases, told, group.pooled)


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
    *,
    bare: bool,
) -> Result:
    binned = stratifier is None or _by(measure) == (stratifier,)
    median = held.median(measure, over, stratum or "") if binned and not bare else None
    return judged(
        measure,
        facility_id,
        over,
        counts,
        gate,
        today,
        strata=(stratifier, stratum),
        tabulated=held.knows(measure),
        median=median,
        bare=bare,
    )


def judged(
    measure: Measure,
    facility_id: int,
    over: Period,
    counts: Counts,
    gate: Fraction | None,
    today: date,
    *,
    strata: tuple[str | None, str | None] = (None, None),
    tabulated: bool = True,
    median: Fraction | None = None,
    bare: bool = False,
) -> Result:
    """Counts as a result: its rate and interval, or why they are not shown; `bare`, the rate alone."""
    reason = rates.unshown(measure, counts, over, today, gate)
    if not tabulated:
        reason = "being-tabulated"
    value = rates.rate(measure, counts) if reason is None else None
    full = value is not None and not bare
    limits = rates.interval(measure, counts) if full else None
    digits = rates.digits(measure)
    return Result(
        measure=measure,
        facility_id=facility_id,
        period=over,
        stratifier=strata[0],
        stratum=strata[1],
        counts=counts,
        rate=half_up(value, digits) if value is not None else None,
        low=half_up(Fraction(limits.low), digits) if limits else None,
        high=half_up(Fraction(limits.high), digits) if limits else None,
        median=half_up(median, digits) if median is not None and value is not None else None,
        caution=value is not None and rates.size(measure, counts) < measure.caution_below,
        withheld=reason,
    )


class _Held:
    """A facility's cells and histograms over some months."""

    def __init__(self, layout: Layout | None) -> None:
        self.layout = layout
        self.cells: dict[tuple[str, str], dict[str, dict[date, tuple[Any, Any]]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        """Form and stratifier -> stratum -> month -> counts and sums."""
        self.bins: dict[str, list[tuple[date, list[int]]]] = defaultdict(list)
        self._added: dict[tuple[str, str, str, Period], tuple[list[int], list[Decimal]]] = {}

    def knows(self, measure: Measure) -> bool:
        return self.layout is not None and self.layout.of(measure.id) is not None

    def counts(
        self, measure: Measure, over: Period, stratifier: str | None, stratum: str | None
    ) -> Counts:
        series = self.layout.of(measure.id, stratifier) if self.layout else None
        if series is None:
            return Counts()
        counts, sums = self._over(series, stratum or "", over)
        if not counts:
            return Counts()
        return Counts(
            **{
                name: int((sums if name in SUMS else counts)[slot])
                for name, slot in series.slots[measure.id].items()
            }
        )

    def _over(self, series: Series, stratum: str, over: Period) -> tuple[list[int], list[Decimal]]:
        """A stratum's counts and sums over a period, of all measures; added up once."""
        key = series.form, series.stratifier, stratum, over
        found = self._added.get(key)
        if found is None:
            months = self.cells[series.form, series.stratifier].get(stratum, {})
            rows = [row for month, row in months.items() if over.first <= month <= over.last]
            counts, sums = (
                [sum(column) for column in zip(*(row[of] for row in rows), strict=True)]
                for of in (0, 1)
            )
            found = self._added[key] = counts, sums
        return found

    def strata(
        self, measure: Measure, stratifier: str | None, stratum: str | None, over: Period
    ) -> list[str | None]:
        """Which strata to answer: those the definition names in its order, then others by name."""
        if stratifier is None or stratum is not None:
            return [stratum]
        series = self.layout.of(measure.id, stratifier) if self.layout else None
        named = next(one for one in measure.stratifiers if one.id == stratifier).strata
        held = self.cells[series.form, series.stratifier] if series else {}
        seen = {
            name
            for name, months in held.items()
            if any(over.first <= month <= over.last for month in months)
        }
        return [*named, *sorted(seen - set(named))]

    def combined(self, measure: Measure, over: Period) -> list[int] | None:
        """Cases by combination of levels; None where these tables know another case mix, or none."""
        known = self.layout.case_mixes.get(measure.id) if self.layout else None
        if known != text_of(measure.case_mix):
            return None
        months = [bins for month, bins in self.bins[measure.id] if over.first <= month <= over.last]
        return [sum(column) for column in zip(*months, strict=True)][: size(measure.case_mix)]

    def median(self, measure: Measure, over: Period, stratum: str = "") -> Fraction | None:
        held = self.bins[series_of(measure.id, stratum)]
        months = [bins for month, bins in held if over.first <= month <= over.last]
        if not measure.bins or not months:
            return None
        bins = [sum(column) for column in zip(*months, strict=True)]
        return histogram_quantile(measure.bins, bins, Fraction(1, 2))


_HELD = text("""
SELECT form, stratifier, month, stratum, counts, sums FROM cells
WHERE generation_id = :generation AND facility_id = :facility
  AND stratifier = ANY(CAST(:stratifiers AS text[])) AND month BETWEEN :first AND :last
UNION ALL
SELECT measure_id, NULL, month, NULL, bins, NULL FROM histograms
WHERE generation_id = :generation AND facility_id = :facility
  AND measure_id = ANY(CAST(:binned AS text[])) AND month BETWEEN :first AND :last
""")


async def _held(
    session: AsyncSession,
    serving: Serving | None,
    facility_id: int,
    periods: Sequence[Period],
    measures: Sequence[Measure],
    stratifier: str | None,
    binned: Sequence[str],
) -> _Held:
    held = _Held(serving.layout if serving else None)
    if serving is None or not periods:
        return held
    names = {serving.layout.stratifiers.get((one.id, stratifier or ""), "") for one in measures}
    found = await session.execute(
        _HELD,
        {
            "generation": serving.id,
            "facility": facility_id,
            "stratifiers": sorted(names | {""}),
            "binned": binned,
            "first": min(one.first for one in periods),
            "last": max(one.last for one in periods),
        },
    )
    for name, of, month, stratum, counts, sums in found:
        if of is None:
            held.bins[name].append((month, counts))
        else:
            held.cells[name, of][stratum][month] = counts, sums
    return held
