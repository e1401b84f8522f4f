"""
Check a submission as CMS's Submissions API would, before it is sent.

By CMS's field descriptions (qpp-submissions-docs) and the measures it published for the year. Every
complaint is told at once: where it is, which measure it is of, and what is allowed. Values are never
repeated: a submission names people.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from app.registries.qpp.published import Year, published, years
from app.reports.qpp.complaints import Complaint, unknown_members
from app.reports.qpp.counted import value_complaints, whole

ENTITIES = ("individual", "group", "subgroup", "virtualGroup", "apm")
NAMED_BY_CMS = ("subgroup", "virtualGroup", "apm")
"""Those that CMS knows by an id of its own."""
CATEGORY: Final = "quality"
METHOD: Final = "registry"
MOST_COMPLAINTS = 200

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
        yield from unknown_members("", None, sent, _SUBMISSION)
        yield from self.entity(sent)
        known = ", ".join(map(str, years()))
        year = sent.get("performanceYear")
        if not whole(year) or year not in years():
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
        yield from unknown_members(at, None, sent, _SET)
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
            allowed = "the day of performanceStart, or a later one"
            yield Complaint(f"{at}/performanceEnd", None, "not-in-year", says, allowed)
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
        yield from unknown_members(at, name, sent, {"measureId", "value"})
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
        yield from value_complaints(f"{at}/value", measure, value)


def _digits(value: object, many: int) -> bool:
    return isinstance(value, str) and re.fullmatch(rf"[0-9]{{{many}}}", value) is not None


def _day(value: object) -> date | None:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
