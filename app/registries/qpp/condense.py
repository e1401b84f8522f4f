"""
Draw a year's file from CMS's own: what a submission is checked against and scored by, no more.

`python -m app.registries.qpp.condense YEAR MEASURES BENCHMARKS SOURCE` reads `measures-data.json` and
the year's benchmarks of CMS's qpp-measures-data (an absent file of benchmarks is an empty list, before
CMS publishes them), and writes the file beside this one. SOURCE says which edition they are of.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from app.errors import Unprocessable
from app.registries.qpp.published import FOLDER, METRIC_TYPES, PERCENTILES, Year

_KEPT = (
    "measureId",
    "title",
    "metricType",
    "isInverse",
    "isHighPriority",
    "isRegistryMeasure",
    "measureType",
    "submissionMethods",
    "allowedPrograms",
)
_KEPT_IF_THERE = ("overallAlgorithm", "allowedVendors", "sevenPointCapRemoved")
_KEPT_OF_BENCHMARKS = (
    "measureId",
    "submissionMethod",
    "benchmarkYear",
    "averagePerformanceRate",
    "isToppedOut",
    "isToppedOutByProgram",
)


def condense(
    year: int,
    measures: Iterable[Mapping[str, Any]],
    benchmarks: Iterable[Mapping[str, Any]],
    source: str,
) -> Year:
    """A performance year out of CMS's documents.

    Only quality measures of the kinds a registry sends, and benchmarks of those; a measure without
    strata of a stratified kind, and percentiles that are not CMS's eleven, are refused.
    """
    kept = [
        _measure(one)
        for one in measures
        if one["category"] == "quality" and one["metricType"] in METRIC_TYPES
    ]
    ids = {one["measureId"] for one in kept}
    spread = [_benchmark(year, one) for one in benchmarks if one["measureId"] in ids]
    return Year.model_validate(
        {"performanceYear": year, "source": source, "measures": kept, "benchmarks": spread}
    )


def _measure(one: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: one[name] for name in _KEPT}
    found |= {name: one[name] for name in _KEPT_IF_THERE if one.get(name)}
    if one["metricType"].lower().endswith("multiperformancerate"):
        found["strata"] = [stratum["name"] for stratum in one.get("strata", ())]
        if not found["strata"]:
            raise Unprocessable(f"{one['measureId']} is of a stratified kind and has no strata.")
    return found


def _benchmark(year: int, one: Mapping[str, Any]) -> dict[str, Any]:
    if one["performanceYear"] != year or {int(key) for key in one["percentiles"]} != {*PERCENTILES}:
        raise Unprocessable(f"The benchmark of {one['measureId']} is not one of {year}.")
    found = {name: one[name] for name in _KEPT_OF_BENCHMARKS if one.get(name) is not None}
    return {**found, "percentiles": [one["percentiles"][str(each)] for each in PERCENTILES]}


def written(year: Year) -> str:
    """A year's file: one line a measure or benchmark, nothing that is at its default."""
    document = year.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    lines = [f'"performanceYear": {year.performance_year}', f'"source": {json.dumps(year.source)}']
    for name in ("measures", "benchmarks"):
        rows = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in document[name])
        lines.append(f'"{name}": [\n{rows}\n]' if rows else f'"{name}": []')
    return "{" + ",\n".join(lines) + "}\n"


def main() -> None:
    """Write a year's file."""
    year, measures, benchmarks, source = sys.argv[1:5]
    of_benchmarks = Path(benchmarks)
    drawn = condense(
        int(year),
        json.loads(Path(measures).read_bytes()),
        json.loads(of_benchmarks.read_bytes()) if of_benchmarks.is_file() else [],
        source,
    )
    (FOLDER / f"{year}.json").write_text(written(drawn), "utf-8")


if __name__ == "__main__":
    main()
