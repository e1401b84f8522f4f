"""A nation's benchmark tables drawn by chance, without cases behind them: for what only reads them."""

from collections.abc import Iterator
from datetime import date
from io import BytesIO
from math import log
from typing import Any

import asyncpg
import numpy as np
from bench.feedback import own_layout

from app.benchmarks import records
from app.benchmarks.layout import Layout, Series
from app.benchmarks.periods import later
from app.benchmarks.records import INTEGER, Array, Records, Text
from app.registries.measure import Measure
from app.registries.schema import Definition

MEDIAN_VOLUME, SPREAD = 320.0, 1.1
"""Cases a month of the facility in the middle, and how far others lie from it (log scale)."""
CHUNK = 250
EPOCH = date(2000, 1, 1)
"""PostgreSQL counts days from it."""

Ints = np.ndarray[Any, np.dtype[np.int64]]


def counts_of(chance: np.random.Generator, measure: Measure, cases: Ints) -> dict[str, Ints]:
    """A measure's populations, a number for each facility and month; each facility has its own rate."""
    denominator = chance.binomial(cases, 0.9 if measure.matures_after == 0 else 0.15)
    found = {"initial_population": cases, "denominator": denominator, "observations": denominator}
    share = chance.beta(8, 4, (len(cases), 1))
    found["numerator"] = chance.binomial(denominator, 0.02 if measure.per == 1000 else share)
    found["total"] = denominator * (10**measure.scale) + found["numerator"]
    found["total_of_squares"] = found["total"] * (10**measure.scale) * 2
    return found


def rows_of(
    definition: Definition, layout: Layout, facilities: list[int], first: date, months: int
) -> Iterator[tuple[str, Records]]:
    """Rows of `cells` (all totals, and each of the strata) and of `histograms`, some facilities at a time."""
    days = [(later(first, one) - EPOCH).days for one in range(months)]
    for begin in range(0, len(facilities), CHUNK):
        some = facilities[begin : begin + CHUNK]
        chance = np.random.default_rng(some[0])
        volume = np.exp(chance.normal(log(MEDIAN_VOLUME), SPREAD, (len(some), 1)))
        cases = chance.poisson(volume, (len(some), months))
        place = {"facility_id": np.repeat(some, months), "month": np.tile(days, len(some))}
        for series in layout.series:
            names = _strata(definition, layout, series) if series.stratifier else ("",)
            for name in names:
                its = chance.binomial(cases, 1 / len(names))
                found = {
                    one: counts_of(chance, definition.measure(one), its) for one in series.slots
                }
                yield "cells", _cells(series, name, place, found)
                for one in () if series.stratifier else series.slots:
                    measure = definition.measure(one)
                    if bins := len(measure.bins or ()):
                        spread = chance.multinomial(
                            found[one]["observations"].ravel(), [1 / (bins + 1)] * (bins + 1)
                        )
                        yield "histograms", _histogram(one, place, spread)
                    if measure.case_mix:
                        yield (
                            "histograms",
                            _histogram(one, place, _combined(chance, measure, found[one])),
                        )


def _combined(
    chance: np.random.Generator, measure: Measure, found: dict[str, Ints]
) -> np.ndarray[Any, Any]:
    """Cases and events by combination of levels: what is unknown is rare."""
    shares = np.array([1.0])
    for one in measure.case_mix:
        weights = np.array([*range(len(one.levels), 0, -1), 0.03])
        shares = np.outer(shares, weights / weights.sum()).ravel()
    events = chance.multinomial(found["numerator"].ravel(), shares)
    others = chance.multinomial((found["denominator"] - found["numerator"]).ravel(), shares)
    return np.hstack([events + others, events])


def _histogram(measure_id: str, place: dict[str, Any], bins: np.ndarray[Any, Any]) -> Records:
    columns: dict[str, Any] = {
        "facility_id": INTEGER,
        "measure_id": Text(measure_id),
        "month": INTEGER,
        "bins": Array(bins.shape[1]),
    }
    return _filled(columns, place | {"bins": bins})


def _strata(definition: Definition, layout: Layout, series: Series) -> tuple[str, ...]:
    return next(
        tuple(each.strata)
        for one in definition.measures
        for each in one.stratifiers
        if layout.stratifiers[one.id, each.id] == series.stratifier
    )


def _cells(
    series: Series, stratum: str, place: dict[str, Any], found: dict[str, dict[str, Ints]]
) -> Records:
    rows = len(place["month"])
    counts, sums = (np.zeros((rows, _width(series, of_sums)), np.int64) for of_sums in (0, 1))
    for name, slots in series.slots.items():
        for population, slot in slots.items():
            into = sums if population.startswith("total") else counts
            if population in found[name]:
                into[:, slot] = found[name][population].ravel()
    columns: records.Columns = {
        "facility_id": INTEGER,
        "form": Text(series.form),
        "stratifier": Text(series.stratifier),
        "month": INTEGER,
        "stratum": Text(stratum),
        "counts": Array(counts.shape[1]),
        "sums": Array(sums.shape[1]),
    }
    return _filled(columns, place | {"counts": counts, "sums": sums})


def _width(series: Series, of_sums: int) -> int:
    return 1 + max(
        place
        for its in series.slots.values()
        for name, place in its.items()
        if name.startswith("total") == bool(of_sums)
    )


def _filled(columns: records.Columns, values: dict[str, Any]) -> Records:
    rows = records.blank(columns, len(values["month"]))
    for name, kind in columns.items():
        if isinstance(kind, Array):
            rows[name]["value"] = values[name]
        elif kind == INTEGER:
            rows[name] = values[name]
    return rows


async def load(
    connection: asyncpg.Connection,
    definition: Definition,
    generation: int,
    facilities: list[int],
    first: date,
    months: int,
) -> int:
    """Fill the tables of a generation (its layout is `own_layout`), in the worker's role; rows of cells."""
    layout, cells = own_layout(definition), 0
    columns = {
        "cells": "facility_id int, form text, stratifier text, month date, stratum text,"
        " counts bigint[], sums bigint[]",
        "histograms": "facility_id int, measure_id text, month date, bins bigint[]",
    }
    async with connection.transaction():
        for table, its in columns.items():
            # COPY is refused on tables under row-level security.
            await connection.execute(f"CREATE TEMPORARY TABLE new_{table} ({its}) ON COMMIT DROP")
        for table, rows in rows_of(definition, layout, facilities, first, months):
            source = BytesIO(b"".join(records.written([rows])))
            await connection.copy_to_table(f"new_{table}", source=source, format="binary")
            cells += len(rows) if table == "cells" else 0
        await connection.execute(
            "INSERT INTO cells (generation_id, facility_id, form, stratifier, month, stratum, counts, sums)"
            f" SELECT {generation}, facility_id, form, stratifier, month, stratum, counts,"
            " sums::numeric[] FROM new_cells ORDER BY facility_id, form, stratifier, month, stratum"
        )
        await connection.execute(
            "INSERT INTO histograms (generation_id, facility_id, measure_id, month, bins)"
            f" SELECT {generation}, facility_id, measure_id, month, bins FROM new_histograms"
            " ORDER BY facility_id, measure_id, month"
        )
    return cells
