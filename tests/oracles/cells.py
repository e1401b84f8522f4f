"""Read a service's benchmark tables into the oracle's own cells, and say where the two differ."""

import bisect
import json
from decimal import Decimal
from typing import Any

import asyncpg

from tests.oracles.counting import Cell, Count
from tests.oracles.elcdr import CASE_MIXES

COUNTED = (
    "initial_population",
    "denominator",
    "exclusions",
    "exceptions",
    "numerator",
    "observations",
)


async def cells_of(url: str, registry: str, scales: dict[str, int]) -> dict[Cell, Count]:
    """The cells of the registry's current generation, read by its layout.

    What is counted by combination of a case mix stands under the stratifier `case_mix`.
    """
    connection = await asyncpg.connect(url)
    try:
        layout = json.loads(
            await connection.fetchval(
                "SELECT layout FROM generations WHERE registry_id = $1 AND state = 'current'",
                registry,
            )
        )
        rows = await connection.fetch(
            "SELECT c.facility_id, c.form, c.month, c.stratifier, c.stratum, c.counts, c.sums"
            " FROM cells c JOIN generations g ON g.id = c.generation_id"
            " WHERE g.registry_id = $1 AND g.state = 'current'",
            registry,
        )
    finally:
        await connection.close()
    slots = {(form, name): its for form, name, its in layout["series"]}
    found: dict[Cell, Count] = {}
    for row in rows:
        for measure, places in slots[row["form"], row["stratifier"]].items():
            count = Count()
            for name in COUNTED:
                if name in places:
                    setattr(count, name, row["counts"][places[name]])
            if "total" in places:
                unit = Decimal(10) ** scales[measure]
                count.sum = row["sums"][places["total"]] / unit
                count.sum_of_squares = row["sums"][places["total_of_squares"]] / (unit * unit)
            stratifier = row["stratifier"].partition("#")[0]
            month = row["month"].strftime("%Y-%m")
            found[row["facility_id"], month, measure, stratifier, row["stratum"]] = count
    for (facility, month, measure), counts in (await histograms_of(url, registry)).items():
        levels = CASE_MIXES.get(measure, [])
        for place, one in enumerate(levels):
            cases, events = counts[place], counts[len(levels) + place]
            if cases:
                its = Count(denominator=cases, numerator=events)
                found[facility, month, measure, "case_mix", "/".join(one)] = its
    return found


async def histograms_of(url: str, registry: str) -> dict[tuple[int, str, str], list[int]]:
    """Facility, month and measure → how the observations fall into the bins."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT h.facility_id, h.month, h.measure_id, h.bins FROM histograms h"
            " JOIN generations g ON g.id = h.generation_id"
            " WHERE g.registry_id = $1 AND g.state = 'current'",
            registry,
        )
    finally:
        await connection.close()
    return {
        (row["facility_id"], row["month"].strftime("%Y-%m"), row["measure_id"]): list(row["bins"])
        for row in rows
        if any(row["bins"])
    }


def binned(values: list[Decimal], edges: tuple[Decimal, ...]) -> list[int]:
    """How many values lie below the first edge, between neighbours, at or above the last."""
    bins = [0] * (len(edges) + 1)
    for value in values:
        bins[bisect.bisect_right(edges, value)] += 1
    return bins


def facts(count: Count | None) -> tuple[Any, ...]:
    """What two cells are compared by; nothing at all is all zeros."""
    if count is None:
        return (0,) * (len(COUNTED) + 2)
    return (*(getattr(count, name) for name in COUNTED), count.sum, count.sum_of_squares)


def differing(wanted: dict[Cell, Count], got: dict[Cell, Count]) -> list[str]:
    """Every cell in which the two differ."""
    return [
        f"{cell}: wanted {facts(wanted.get(cell))}, got {facts(got.get(cell))}"
        for cell in sorted(wanted.keys() | got.keys())
        if facts(wanted.get(cell)) != facts(got.get(cell))
    ]
