"""
What CMS works out of a measurement's value: performance rate, data completeness and case count.

By the field descriptions of CMS's Submissions API (qpp-submissions-docs, "Measurements"). A value is a
measurement's `value` as it is sent; numbers are exact until they are rounded, half up, to the two
decimals in which CMS keeps a rate. All rates are percentages, but that of a `nonProportion`, which is
its numerator as it is sent.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from app.benchmarks.statistics import half_up
from app.registries.qpp.published import Published

Value = Mapping[str, Any]
RATE_DIGITS = 2
OVERALL = "overall"
"""The stratum that `overallStratumOnly` reads, and that no other algorithm counts."""


def performance_rate(measure: Published, value: Value) -> Fraction | None:
    """The rate that is compared with a benchmark; None where nothing met or failed to meet it."""
    if not measure.proportion:
        return exact(value["numerator"]) if value["observationInstances"] else None
    if not measure.stratified:
        return _share([value])
    strata = _counted(measure, value)
    match measure.overall_algorithm:
        case "weightedAverage":
            return _share(strata)
        case "simpleAverage":
            shares = [_share([one]) for one in strata]
            known = [one for one in shares if one is not None]
            return sum(known, Fraction(0)) / len(known) if len(known) == len(shares) else None
        case "sumNumerators":
            return Fraction(_sum(strata, "performanceMet"))
        case _:
            return _share(strata)


def reporting_rate(measure: Published, value: Value) -> Fraction | None:
    """Data completeness: of those that are eligible, how many were reported in some way, in percent."""
    if not measure.proportion:
        told = sum(
            exact(value.get(name) or 0)
            for name in ("observationInstances", "denominatorException", "numeratorExclusion")
        )
        whole = exact(value["denominator"])
    else:
        strata = _counted(measure, value) if measure.stratified else [value]
        told = Fraction(sum(_sum(strata, name) for name in REPORTED))
        whole = Fraction(_sum(strata, "eligiblePopulation"))
    return told / whole * 100 if whole else None


REPORTED = (
    "performanceMet",
    "performanceNotMet",
    "eligiblePopulationExclusion",
    "eligiblePopulationException",
)
"""What a case of a proportion's eligible population may have been reported as."""


def case_count(measure: Published, value: Value) -> int:
    """How many cases the minimum is asked of."""
    if not measure.proportion:
        return int(exact(value["denominator"]))
    if not measure.stratified:
        return _cases(value)
    counts = [_cases(one) for one in _counted(measure, value)]
    return max(counts) if measure.overall_algorithm == "simpleAverage" else sum(counts)


def rounded(rate: Fraction) -> Decimal:
    """A rate as CMS keeps it."""
    return half_up(rate, RATE_DIGITS)


def exact(number: Any) -> Fraction:
    """A number of a JSON document as it is written there."""
    return Fraction(str(number))


def _counted(measure: Published, value: Value) -> Sequence[Value]:
    """The strata that the rate is made of."""
    only_overall = measure.overall_algorithm == "overallStratumOnly"
    return [one for one in value["strata"] if (one["stratum"] == OVERALL) == only_overall]


def _share(strata: Sequence[Value]) -> Fraction | None:
    met, not_met = _sum(strata, "performanceMet"), _sum(strata, "performanceNotMet")
    return Fraction(met, met + not_met) * 100 if met + not_met else None


def _cases(value: Value) -> int:
    return int(value["eligiblePopulation"]) - int(value.get("eligiblePopulationExclusion") or 0)


def _sum(strata: Sequence[Value], name: str) -> int:
    return sum(int(one.get(name) or 0) for one in strata)
