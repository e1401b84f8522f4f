"""
Bins: SQL that counts, a row a facility and month, how values or cases fall into numbered places.

A histogram is how an observation falls between edges; a case mix, how cases and events fall into the
combinations of its factors' levels. The counts of a row stand side by side in one array: a row for each
bin would be dozens of times as many as all other cells are.
"""

import math
from collections.abc import Sequence

from app.registries import case_mix
from app.registries.measure import Measure


def series_of(measure_id: str, stratum: str = "") -> str:
    """What the histogram of a measure, or of one of its strata, is kept under."""
    return f"{measure_id} {stratum}" if stratum else measure_id


def histogram(
    form: str,
    measure: Measure,
    source: str,
    condition: str,
    value: str,
    stratum: str | None = None,
) -> str:
    """Of a measure's observations: whole numbers in units of its last decimal, `value` of `source`.

    With `stratum`, a column of `source`, one of each stratum, as `series_of` calls it.
    """
    # An integer is below an edge when it is below the next integer at or above the edge.
    edges = [math.ceil(edge.scaleb(measure.scale)) for edge in measure.bins]
    within = f" AND {stratum} IS NOT NULL" if stratum else ""
    kept = f"{text(series_of(measure.id) + ' ')} || {stratum}" if stratum else text(measure.id)
    by = f"facility_id, month{f', {stratum}' if stratum else ''}"
    binned = (
        f"SELECT {by}, {_bisected(value, edges)} AS bin,"
        f" SUM(weight) AS n FROM {source} AS cases WHERE {condition}{within}"
        f" GROUP BY {by}, bin HAVING SUM(weight) <> 0"
    )
    return _side_by_side(form, kept, by, binned, len(edges) + 1, "n")


def combined(
    form: str, measure: Measure, source: str, condition: str, event: str, place: str
) -> str:
    """Of a measure's case mix: cases by combination of levels, then events; `place` as of `combination`."""
    events = f"SUM(CASE WHEN {event} THEN weight ELSE 0 END)"
    binned = (
        f"SELECT facility_id, month, {place} AS bin, SUM(weight) AS n, {events} AS events"
        f" FROM {source} AS cases WHERE {condition} GROUP BY facility_id, month, bin"
        f" HAVING SUM(weight) <> 0 OR {events} <> 0"
    )
    by = "facility_id, month"
    return _side_by_side(
        form, text(measure.id), by, binned, case_mix.size(measure.case_mix), "n", "events"
    )


def combination(factors: Sequence[case_mix.Factor], known: Sequence[str]) -> list[str]:
    """Terms that add up to the place of a case's levels among all combinations; `known` give the levels."""
    terms, stride = [], case_mix.size(factors)
    for factor, level_of in zip(factors, known, strict=True):
        stride //= len(factor.every)
        cases = " ".join(
            f"WHEN {level_of} = {text(level)} THEN {place * stride}"
            for place, level in enumerate(factor.levels)
        )
        terms.append(f"CASE {cases} ELSE {len(factor.levels) * stride} END")
    return terms


def _side_by_side(form: str, kept: str, by: str, binned: str, bins: int, *counted: str) -> str:
    arrays = [
        f"COALESCE(SUM(CASE WHEN bin = {place} THEN {name} END), 0)"
        for name in counted
        for place in range(bins)
    ]
    return (
        f"SELECT {text(form)} AS form, 'histogram' AS kind,"
        f" {kept} AS series, '' AS stratum, facility_id, month,"
        f" {array(arrays)} AS counts, {array([])} AS sums"
        f" FROM ({binned}) AS binned GROUP BY {by}"
    )


def _bisected(value: str, edges: Sequence[int], first: int = 0) -> str:
    """The bin of a value: how many edges are at or below it, found by halves."""
    if not edges:
        return str(first)
    middle = len(edges) // 2
    return (
        f"CASE WHEN {value} < {edges[middle]} THEN {_bisected(value, edges[:middle], first)}"
        f" ELSE {_bisected(value, edges[middle + 1 :], first + middle + 1)} END"
    )


def text(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def array(items: Sequence[str]) -> str:
    """Whole numbers as PostgreSQL writes an array: as text they go through Python ten times as fast."""
    if not items:
        return "'{}'"
    return f"'{{' || CONCAT_WS(',', {', '.join(items)}) || '}}'"
