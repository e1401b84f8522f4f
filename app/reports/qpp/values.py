"""
A measurement's value: a measure's populations in the words of CMS's Submissions API.

Denominator, exclusions and exceptions are what `Measure` says; the definition's `qpp` says which part of
CMS's eligible population the last two are.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from app.benchmarks import rates
from app.benchmarks.rates import Counts
from app.benchmarks.statistics import half_up
from app.registries.measure import Measure, Qpp
from app.registries.qpp.mapping import CQM
from app.registries.qpp.published import Published
from app.reports.qpp import formulas
from app.reports.qpp.complaints import Complaint, RefusedByQpp

_FIELDS = {
    "exclusion": "eligiblePopulationExclusion",
    "exception": "eligiblePopulationException",
    "numerator-exclusion": "numeratorExclusion",
}
"""What a population that is told apart is called; what is not reported only makes the whole larger."""


def value(
    measure: Measure,
    mapping: Qpp,
    official: Published,
    counts: Counts,
    strata: Mapping[str, Counts],
) -> dict[str, Any]:
    """The value of a measurement. `strata` are by CMS's names, in none of them for an unstratified one.

    Raises `RefusedByQpp`, naming the measure, when the strata that CMS takes do not hold every case.
    """
    ends: dict[str, Any] = {"isEndToEndReported": mapping.end_to_end}
    if not official.proportion:
        return ends | _non_proportion(measure, mapping, counts)
    if not official.stratified:
        found = ends | _populations(mapping, official, counts)
    else:
        _whole(official, counts, strata)
        parts = [
            {"stratum": name, **_populations(mapping, official, strata[name])}
            for name in official.strata
        ]
        found = ends | {"strata": parts}
    if official.metric_type not in CQM:
        rate = formulas.performance_rate(official, found)
        if rate is not None:
            found["performanceRate"] = float(formulas.rounded(rate))
    return found


def _populations(mapping: Qpp, official: Published, counts: Counts) -> dict[str, int]:
    found = {
        "eligiblePopulation": counts.denominator,
        "performanceMet": counts.numerator,
        "performanceNotMet": counts.denominator - counts.numerator,
        "eligiblePopulationExclusion": 0,
        "eligiblePopulationException": 0,
    }
    if official.metric_type == "registrySinglePerformanceRate":
        found["numeratorExclusion"] = 0
    for what, many in (
        (mapping.exclusions, counts.exclusions),
        (mapping.exceptions, counts.exceptions),
    ):
        if what == "outside":
            continue
        found["eligiblePopulation"] += many
        if what in _FIELDS and many:
            found[_FIELDS[what]] += many
    return found


def _non_proportion(measure: Measure, mapping: Qpp, counts: Counts) -> dict[str, Any]:
    """A mean: over all that is eligible, of those observed."""
    found = {"denominatorException": 0, "numeratorExclusion": 0}
    whole = counts.denominator
    for what, many in (
        (mapping.exclusions, counts.exclusions),
        (mapping.exceptions, counts.exceptions),
    ):
        if what == "outside":
            continue
        whole += many
        if what == "exception":
            found["denominatorException"] += many
        elif what == "numerator-exclusion":
            found["numeratorExclusion"] += many
    mean = rates.rate(measure, counts) or Fraction(0)
    return {
        "numerator": float(half_up(mean, rates.digits(measure))),
        "denominator": whole,
        "observationInstances": counts.observations,
        **found,
    }


def _whole(official: Published, counts: Counts, strata: Mapping[str, Counts]) -> None:
    """Refuse strata that leave a case out: the rate would be of another denominator."""
    name, allowed = official.measure_id, ", ".join(official.strata)
    missing = [one for one in official.strata if one not in strata]
    if missing:
        says = f"The strata {', '.join(missing)} are not mapped by the registry's definition."
        raise RefusedByQpp([Complaint("", name, "missing-strata", says, allowed)])
    together = sum((strata[one] for one in official.strata), Counts())
    for population in ("denominator", "numerator", "exclusions", "exceptions"):
        left = getattr(counts, population) - getattr(together, population)
        if left:
            says = f"Of the {population}, {left} are in none of the measure's strata."
            raise RefusedByQpp([Complaint("", name, "missing-strata", says, allowed)])
