"""Counted: the value of one measurement, its counts, strata and rate, as CMS takes it for the measure."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.registries.qpp.mapping import CQM
from app.registries.qpp.published import Published
from app.reports.qpp import formulas
from app.reports.qpp.complaints import Complaint, unknown_members

LARGEST = 10**9
_COUNTS = {
    "performanceMet",
    "performanceNotMet",
    "eligiblePopulation",
    "eligiblePopulationExclusion",
    "eligiblePopulationException",
}
_NON_PROPORTION = {
    "numerator",
    "denominator",
    "observationInstances",
    "denominatorException",
    "numeratorExclusion",
}
TOLERANCE = 0.01
"""How far a rate that is sent may be from the one that its counts give, in percent."""


def value_complaints(at: str, measure: Published, value: Mapping[str, Any]) -> Iterator[Complaint]:
    """What is wrong with the value of a measurement of this measure."""
    name = measure.measure_id
    if not isinstance(value.get("isEndToEndReported"), bool):
        says = "Whether certified technology reported it end to end must be said."
        yield Complaint(f"{at}/isEndToEndReported", name, "missing", says, "true or false")
    if not measure.proportion:
        yield from unknown_members(at, name, value, {"isEndToEndReported", *_NON_PROPORTION})
        yield from _non_proportion(at, name, value)
        return
    qcdr = measure.metric_type not in CQM
    expected = {"isEndToEndReported", *({"performanceRate"} if qcdr else ())}
    if measure.stratified:
        yield from unknown_members(at, name, value, {*expected, "strata"})
        flaws = list(_strata(at, measure, value.get("strata")))
    else:
        counts = _COUNTS | ({"numeratorExclusion"} if qcdr else set())
        yield from unknown_members(at, name, value, expected | counts)
        flaws = list(_counts(at, measure, value))
    yield from flaws
    if qcdr and not flaws:
        yield from _supplied_rate(at, measure, value)


def _supplied_rate(at: str, measure: Published, value: Mapping[str, Any]) -> Iterator[Complaint]:
    name, pointer = measure.measure_id, f"{at}/performanceRate"
    rate, given = formulas.performance_rate(measure, value), value.get("performanceRate")
    if rate is None:
        says = "No case met the performance or failed to: there is no rate to send."
        yield Complaint(at, name, "no-rate", says, "leave the measure out")
    elif not _number(given):
        says = "A QCDR measure is sent with its performance rate."
        yield Complaint(pointer, name, "missing", says, "a percentage from 0 to 100")
    elif abs(float(given) - float(rate)) > TOLERANCE:  # type: ignore[arg-type]  # a number
        says = "The performance rate is not what the counts give."
        formula = "100 × performanceMet / (performanceMet + performanceNotMet)"
        if measure.stratified:
            formula += f", the strata taken together as {measure.overall_algorithm}"
        yield Complaint(pointer, name, "wrong-rate", says, formula)


def _strata(at: str, measure: Published, strata: object) -> Iterator[Complaint]:
    """Every stratum that CMS takes, each once, and no other."""
    name, pointer = measure.measure_id, f"{at}/strata"
    allowed = ", ".join(measure.strata)
    if not isinstance(strata, list) or not all(isinstance(one, Mapping) for one in strata):
        says = "The measure is sent in strata."
        yield Complaint(pointer, name, "missing-strata", says, f"a list with {allowed}")
        return
    named = [one.get("stratum") for one in strata]
    for missing in (one for one in measure.strata if one not in named):
        says = f"The stratum `{missing}` is missing."
        yield Complaint(pointer, name, "missing-strata", says, f"each of {allowed} once")
    for place, one in enumerate(strata):
        inner = f"{pointer}/{place}"
        stratum = one.get("stratum")
        if stratum not in measure.strata:
            says = "CMS does not take the measure in this stratum."
            yield Complaint(f"{inner}/stratum", name, "unknown-stratum", says, allowed)
        elif stratum in named[:place]:
            says = f"The stratum `{stratum}` stands there twice."
            yield Complaint(inner, name, "repeated", says, f"each of {allowed} once")
        yield from unknown_members(inner, name, one, _COUNTS | {"stratum"})
        yield from _counts(inner, measure, one)


def _counts(at: str, measure: Published, value: Mapping[str, Any]) -> Iterator[Complaint]:
    """Counts of cases that cannot be: CMS's eligible population holds every other one of them."""
    name = measure.measure_id
    flawed = False
    for field in sorted((_COUNTS | {"numeratorExclusion"}) & {*value} | _NEEDED):
        if not (field in value and _count(value[field])):
            flawed = True
            code, says = "not-a-count", "This is not a count of cases."
            if field not in value:
                code, says = "missing", "This count must be given."
            yield Complaint(f"{at}/{field}", name, code, says, "a whole number, 0 or more")
    if flawed:
        return
    eligible, met = value["eligiblePopulation"], value["performanceMet"]
    if met > eligible:
        says = "performanceMet is more than eligiblePopulation."
        yield Complaint(f"{at}/performanceMet", name, "denominator", says, _ADDS_UP)
    elif (
        sum(value.get(field, 0) for field in (*formulas.REPORTED, "numeratorExclusion")) > eligible
    ):
        says = "The cases that are reported are more than eligiblePopulation."
        yield Complaint(f"{at}/eligiblePopulation", name, "denominator", says, _ADDS_UP)
    if measure.metric_type in CQM and value.get("eligiblePopulationExclusion"):
        says = "What is excluded has left the eligible population of a CQM already."
        pointer = f"{at}/eligiblePopulationExclusion"
        yield Complaint(pointer, name, "exclusion", says, "0, or left out")


_NEEDED = {"eligiblePopulation", "performanceMet"}
_ADDS_UP = (
    "performanceMet + performanceNotMet + eligiblePopulationExclusion + eligiblePopulationException"
    " (+ numeratorExclusion) of at most eligiblePopulation"
)


def _non_proportion(at: str, name: str, value: Mapping[str, Any]) -> Iterator[Complaint]:
    needed = ("numerator", "denominator", "observationInstances")
    flawed = False
    for field in sorted(_NON_PROPORTION & {*value} | {*needed}):
        given = value.get(field)
        sound = _count(given) if field == "observationInstances" else _number(given)
        if not sound:
            flawed = True
            allowed = "a whole number, 0 or more" if field == needed[2] else "a number, 0 or more"
            says = "This number must be given." if field not in value else "This is no such number."
            code = "missing" if field not in value else "not-a-count"
            yield Complaint(f"{at}/{field}", name, code, says, allowed)
    if flawed:
        return
    told = sum(value.get(field, 0) for field in _NON_PROPORTION - {"numerator", "denominator"})
    if told > value["denominator"]:
        says = "The cases that are reported are more than the denominator."
        allowed = "observationInstances + denominatorException + numeratorExclusion of at most it"
        yield Complaint(f"{at}/denominator", name, "denominator", says, allowed)
    if not value["observationInstances"]:
        says = "There is no observation, and so no numerator to send."
        yield Complaint(at, name, "no-rate", says, "leave the measure out")


def whole(value: object) -> bool:
    """Whether it is a whole number, and not one of JSON's words for true and false."""
    return isinstance(value, int) and not isinstance(value, bool)


def _count(value: object) -> bool:
    return whole(value) and 0 <= value <= LARGEST  # type: ignore[operator]  # whole


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST
