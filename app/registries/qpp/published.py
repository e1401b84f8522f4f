"""
What CMS has published of each performance year: its radiology quality measures and their benchmarks.

The years' files beside this one are drawn by `condense` from CMS's repository qpp-measures-data and
hold what a submission is checked against and scored by; `source` in each says from which edition.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

FOLDER = Path(__file__).parent

MetricType = Literal[
    "singlePerformanceRate",
    "multiPerformanceRate",
    "registrySinglePerformanceRate",
    "registryMultiPerformanceRate",
    "nonProportion",
]
"""The kinds of quality results that a registry sends."""

METRIC_TYPES: tuple[MetricType, ...] = get_args(MetricType)
Algorithm = Literal["simpleAverage", "weightedAverage", "sumNumerators", "overallStratumOnly"]
Method = Literal[
    "registry", "claims", "electronicHealthRecord", "administrativeClaims", "certifiedSurveyVendor"
]

PERCENTILES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)
"""Which percentiles a benchmark has, in the order in which they are kept."""


class _Published(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True
    )


class Published(_Published):
    """A quality measure of one performance year."""

    measure_id: str
    title: str
    metric_type: MetricType
    is_inverse: bool
    is_high_priority: bool
    is_registry_measure: bool
    measure_type: str
    overall_algorithm: Algorithm | None = None
    strata: tuple[str, ...] = ()
    submission_methods: tuple[Method, ...]
    allowed_programs: tuple[str, ...]
    allowed_vendors: tuple[str, ...] | None = None
    """Registries that may send it; None where any may."""
    seven_point_cap_removed: tuple[Method, ...] = ()

    @property
    def stratified(self) -> bool:
        """Whether results are sent in strata."""
        return self.metric_type in ("multiPerformanceRate", "registryMultiPerformanceRate")

    @property
    def proportion(self) -> bool:
        """Whether its rate is a percentage of performance met."""
        return self.metric_type != "nonProportion"


class Benchmark(_Published):
    """How a measure's rates are spread, in the unit of its performance rate.

    Of a proportion these are percentages. Of an inverse measure the lowest percentile is the best.
    """

    measure_id: str
    submission_method: Method
    benchmark_year: int
    """The year whose results it is made of: two years before, or the performance year itself."""
    percentiles: Annotated[
        tuple[float, ...], Field(min_length=len(PERCENTILES), max_length=len(PERCENTILES))
    ]
    average_performance_rate: float | None = None
    is_topped_out: bool = False
    is_topped_out_by_program: bool = False
    """Topped out for two years or more: scored up to seven points."""


class Year(_Published):
    """A performance year as CMS published it."""

    performance_year: int
    source: str
    measures: tuple[Published, ...]
    benchmarks: tuple[Benchmark, ...]

    def measure(self, measure_id: str) -> Published | None:
        """A measure by CMS's id, exactly as CMS writes it."""
        return next((one for one in self.measures if one.measure_id == measure_id), None)

    def benchmark(self, measure_id: str, method: Method = "registry") -> Benchmark | None:
        """The benchmark of a measure sent in this way; none before CMS publishes one."""
        return next(
            (
                one
                for one in self.benchmarks
                if (one.measure_id, one.submission_method) == (measure_id, method)
            ),
            None,
        )

    @property
    def sendable(self) -> tuple[str, ...]:
        """The ids that a registry may send."""
        return tuple(
            one.measure_id for one in self.measures if "registry" in one.submission_methods
        )


@cache
def years() -> tuple[int, ...]:
    """The performance years whose measures are known here, in order."""
    found = (re.fullmatch(r"(\d{4})\.json", one.name) for one in FOLDER.iterdir())
    return tuple(sorted(int(one[1]) for one in found if one))


@cache
def published(year: int) -> Year:
    """What CMS published of a performance year; KeyError for a year that is not in `years()`."""
    if year not in years():
        raise KeyError(year)
    return Year.model_validate_json((FOLDER / f"{year}.json").read_bytes())
