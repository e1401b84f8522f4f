"""
Check a submission as CMS's Submissions API would, before it is sent.

By CMS's field descriptions (qpp-submissions-docs) and the measures it published for the year. Every
complaint is told at once: where it is, which measure it is of, and what is allowed. Values are never
repeated: a submission names people.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from app.errors import Unprocessable
from app.registries.qpp.mapping import CQM
from app.registries.qpp.published import Published, Year, published, years
from app.reports.qpp import formulas

ENTITIES = ("individual", "group", "subgroup", "virtualGroup", "apm")
NAMED_BY_CMS = ("subgroup", "virtualGroup", "apm")
"""Those that CMS knows by an id of its own."""
CATEGORY: Final = "quality"
METHOD: Final = "registry"
MOST_COMPLAINTS = 200
LARGEST = 10**9

_SUBMISSION = {
    "entityType",
    "entityId",
    "taxpayerIdentificationNumber",
    "nationalProviderIdentifier",
    "performanceYear",
    "measurementSets",
}
_SET = {
    "category",
    "submissionMethod",
    "programName",
    "performanceStart",
    "performanceEnd",
    "measurements",
}
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
_WORKED_OUT = {"reportingRate", "caseCount"}
"""What CMS works out of what it is sent."""
TOLERANCE = 0.01
"""How far a rate that is sent may be from the one that its counts give, in percent."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that CMS would refuse."""

    pointer: str
    """A JSON Pointer into the submission."""
    measure: str | None
    """CMS's id of the measure, where it is one of the year's."""
    code: str
    says: str
    allowed: str | None = None

    def __str__(self) -> str:
        """One line: the measure first, for whoever reads a list of them."""
        line = f"{self.measure}: {self.says}" if self.measure else self.says
        line += f" (at {self.pointer or 'the whole'})"
        return f"{line}; allowed: {self.allowed}" if self.allowed else line


class RefusedByQpp(Unprocessable):
    """A submission that CMS would refuse; each complaint is one line that names its measure."""

    code = "qpp-refused"
    title = "CMS would refuse these results"

    def __init__(self, complaints: Sequence[Complaint | str]) -> None:
        self.complaints = tuple(str(one) for one in complaints)
        super().__init__("\n".join(self.complaints))


def check(submission: object, *, vendor: str | None = None) -> list[Complaint]:
    """Everything that CMS would refuse about a submission of quality results by a registry.

    `vendor` is the number under which CMS knows the registry that sends; with it, measures that other
    registries alone may send are refused.
    """
    found = []
    for one in _Check(vendor).submission(submission):
        found.append(one)
        if len(found) == MOST_COMPLAINTS:
            break
    return found


class _Check:
    def __init__(self, vendor: str | None) -> None:
        self.vendor = vendor

    def submission(self, sent: object) -> Iterator[Complaint]:
        if not isinstance(sent, Mapping):
            yield Complaint("", None, "not-an-object", "A submission is a JSON object.")
            return
        yield from _unknown("", None, sent, _SUBMISSION)
        yield from self.entity(sent)
        known = ", ".join(map(str, years()))
        year = sent.get("performanceYear")
        if not _whole(year) or year not in years():
            yield Complaint(
                "/performanceYear",
                None,
                "unknown-year",
                "CMS's measures of this performance year are not known here.",
                f"{known}, as a number",
            )
            return
        sets = sent.get("measurementSets")
        if not isinstance(sets, list) or not sets:
            says = "A submission has measurement sets."
            yield Complaint("/measurementSets", None, "missing", says, "a list of at least one")
            return
        seen: set[str] = set()
        for place, one in enumerate(sets):
            at = f"/measurementSets/{place}"
            if not isinstance(one, Mapping):
                yield Complaint(at, None, "not-an-object", "A measurement set is a JSON object.")
                continue
            program = one.get("programName", "mips")
            if not isinstance(program, str):
                says = "A set names a program of CMS."
                yield Complaint(f"{at}/programName", None, "not-allowed", says, "such as mips")
                continue
            if program in seen:
                yield Complaint(at, None, "repeated", "A program has one set of quality results.")
            seen.add(program)
            yield from self.measurement_set(at, one, published(year))

    def entity(self, sent: Mapping[str, Any]) -> Iterator[Complaint]:
        kind = sent.get("entityType")
        if kind not in ENTITIES:
            says, allowed = "Whose results these are.", ", ".join(ENTITIES)
            yield Complaint("/entityType", None, "not-allowed", says, allowed)
        if kind in NAMED_BY_CMS and not (
            isinstance(sent.get("entityId"), str) and sent["entityId"]
        ):
            says = "CMS knows such an entity by an id."
            yield Complaint("/entityId", None, "missing", says, "the id that CMS gave it")
        if kind in ("individual", "group", "subgroup") and not _digits(
            sent.get("taxpayerIdentificationNumber"), 9
        ):
            says = "The TIN under which they bill is missing, or is not one."
            pointer = "/taxpayerIdentificationNumber"
            yield Complaint(pointer, None, "tin", says, "9 digits, as text")
        npi = sent.get("nationalProviderIdentifier")
        pointer = "/nationalProviderIdentifier"
        if kind == "individual" and not _digits(npi, 10):
            says = "The NPI of the individual is missing, or is not one."
            yield Complaint(pointer, None, "npi", says, "10 digits, as text")
        if kind != "individual" and npi is not None:
            yield Complaint(pointer, None, "npi", "Only an individual has an NPI.", "nothing")

    def measurement_set(self, at: str, sent: Mapping[str, Any], year: Year) -> Iterator[Complaint]:
        if sent.get("category") != CATEGORY:
            says = "A registry's export holds quality results."
            yield Complaint(f"{at}/category", None, "not-allowed", says, CATEGORY)
            return
        yield from _unknown(at, None, sent, _SET)
        if sent.get("submissionMethod") != METHOD:
            says = "How quality results of a registry are sent."
            yield Complaint(f"{at}/submissionMethod", None, "not-allowed", says, METHOD)
        first, last = (_day(sent.get(name)) for name in ("performanceStart", "performanceEnd"))
        for name, day in (("performanceStart", first), ("performanceEnd", last)):
            if day is None or day.year != year.performance_year:
                says = "The performance period lies within the performance year."
                allowed = f"a day of {year.performance_year}, as YYYY-MM-DD"
                yield Complaint(f"{at}/{name}", None, "not-in-year", says, allowed)
        if first and last and last < first:
            says = "The performance period ends before it begins."
            yield Complaint(f"{at}/performanceEnd", None, "not-in-year", says)
        measurements = sent.get("measurements")
        if not isinstance(measurements, list) or not measurements:
            says = "A set has measurements."
            yield Complaint(f"{at}/measurements", None, "missing", says, "a list of at least one")
            return
        seen: set[str] = set()
        for place, one in enumerate(measurements):
            inner = f"{at}/measurements/{place}"
            if not isinstance(one, Mapping):
                yield Complaint(inner, None, "not-an-object", "A measurement is a JSON object.")
                continue
            yield from self.measurement(inner, one, year, sent.get("programName", "mips"), seen)

    def measurement(
        self, at: str, sent: Mapping[str, Any], year: Year, program: object, seen: set[str]
    ) -> Iterator[Complaint]:
        named = sent.get("measureId")
        measure = year.measure(named) if isinstance(named, str) else None
        if measure is None:
            yield Complaint(
                f"{at}/measureId",
                None,
                "unknown-measure",
                f"This is no radiology quality measure of {year.performance_year}.",
                ", ".join(year.sendable),
            )
            return
        name = measure.measure_id
        yield from _unknown(at, name, sent, {"measureId", "value"})
        if name in seen:
            yield Complaint(at, name, "repeated", "The measure stands in the set twice.", "once")
        seen.add(name)
        if METHOD not in measure.submission_methods:
            says = "CMS does not take it from a registry."
            allowed = ", ".join(measure.submission_methods)
            yield Complaint(f"{at}/measureId", name, "method", says, allowed)
        if program not in measure.allowed_programs:
            says = "The program does not take this measure."
            allowed = ", ".join(measure.allowed_programs)
            yield Complaint(f"{at}/measureId", name, "program", says, allowed)
        vendors = measure.allowed_vendors
        if self.vendor is not None and vendors is not None and self.vendor not in vendors:
            says = "This registry is not licensed to send it."
            yield Complaint(f"{at}/measureId", name, "vendor", says, ", ".join(vendors))
        value = sent.get("value")
        if not isinstance(value, Mapping):
            says = "The value of a quality measure is a JSON object."
            yield Complaint(f"{at}/value", name, "missing", says)
            return
        yield from _value(f"{at}/value", measure, value)


def _value(at: str, measure: Published, value: Mapping[str, Any]) -> Iterator[Complaint]:
    """What is wrong with the value of a measurement of this measure."""
    name = measure.measure_id
    if not isinstance(value.get("isEndToEndReported"), bool):
        says = "Whether certified technology reported it end to end must be said."
        yield Complaint(f"{at}/isEndToEndReported", name, "missing", says, "true or false")
    if not measure.proportion:
        yield from _unknown(at, name, value, {"isEndToEndReported", *_NON_PROPORTION})
        yield from _non_proportion(at, name, value)
        return
    qcdr = measure.metric_type not in CQM
    expected = {"isEndToEndReported", *({"performanceRate"} if qcdr else ())}
    if measure.stratified:
        yield from _unknown(at, name, value, {*expected, "strata"})
        flaws = list(_strata(at, measure, value.get("strata")))
    else:
        counts = _COUNTS | ({"numeratorExclusion"} if qcdr else set())
        yield from _unknown(at, name, value, expected | counts)
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
        yield from _unknown(inner, name, one, _COUNTS | {"stratum"})
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


def _unknown(
    at: str, measure: str | None, sent: Mapping[str, Any], known: set[str]
) -> Iterator[Complaint]:
    for field in sorted(str(one) for one in sent if one not in known):
        if field in _WORKED_OUT | {"performanceRate"}:
            says = "CMS works this out itself."
            yield Complaint(f"{at}/{field}", measure, "worked-out", says, "leave it out")
        else:
            # A name that is not CMS's may be anything: it is not repeated.
            says, allowed = "CMS knows no such member here.", ", ".join(sorted(known))
            yield Complaint(f"{at}/*", measure, "unknown-member", says, allowed)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count(value: object) -> bool:
    return _whole(value) and 0 <= value <= LARGEST  # type: ignore[operator]  # whole


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _digits(value: object, many: int) -> bool:
    return isinstance(value, str) and re.fullmatch(rf"[0-9]{{{many}}}", value) is not None


def _day(value: object) -> date | None:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
