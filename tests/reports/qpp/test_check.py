"""What CMS would refuse is refused here first, and the complaint says which measure and what is allowed."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.registries.qpp.published import Published, published, years
from app.reports.qpp import formulas
from app.reports.qpp.check import check


def counts(met: int = 40, not_met: int = 10) -> dict[str, int]:
    return {
        "eligiblePopulation": met + not_met,
        "performanceMet": met,
        "performanceNotMet": not_met,
        "eligiblePopulationExclusion": 0,
        "eligiblePopulationException": 0,
    }


def sound(measure: Published) -> dict[str, Any]:
    """A value that CMS takes of a measure of any kind."""
    ends: dict[str, Any] = {"isEndToEndReported": False}
    match measure.metric_type:
        case "nonProportion":
            return ends | {"numerator": 1.5, "denominator": 100, "observationInstances": 100}
        case "registryMultiPerformanceRate":
            strata = [{"stratum": one, **counts()} for one in measure.strata]
            return ends | {"performanceRate": 80.0, "strata": strata}
        case "registrySinglePerformanceRate":
            return ends | counts() | {"performanceRate": 80.0, "numeratorExclusion": 0}
        case _:
            return ends | counts()


def submission(*measures: str, year: int = 2026) -> dict[str, Any]:
    official = [published(year).measure(one) for one in measures]
    return {
        "entityType": "individual",
        "taxpayerIdentificationNumber": "000456789",
        "nationalProviderIdentifier": "1234567893",
        "performanceYear": year,
        "measurementSets": [
            {
                "category": "quality",
                "submissionMethod": "registry",
                "programName": "mips",
                "performanceStart": f"{year}-01-01",
                "performanceEnd": f"{year}-12-31",
                "measurements": [
                    {"measureId": one.measure_id, "value": sound(one)} for one in official if one
                ],
            }
        ],
    }


@pytest.mark.parametrize("year", years())
def test_every_measure_that_a_registry_may_send_is_taken(year: int) -> None:
    ids = published(year).sendable
    sent = submission(*ids, year=year)
    assert len(sent["measurementSets"][0]["measurements"]) == len(ids) > 15
    assert check(sent) == []


def test_a_group_is_taken_without_an_npi() -> None:
    sent = submission("364")
    sent["entityType"] = "group"
    assert [one.code for one in check(sent)] == ["npi"]
    del sent["nationalProviderIdentifier"]
    assert check(sent) == []


Spoil = Callable[[dict[str, Any]], None]


def of_value(**changes: Any) -> Spoil:
    """Change members of the first measurement's value; None takes one away."""

    def spoil(sent: dict[str, Any]) -> None:
        value = sent["measurementSets"][0]["measurements"][0]["value"]
        for name, other in changes.items():
            if other is None:
                del value[name]
            else:
                value[name] = other

    return spoil


def of_stratum(place: int, **changes: Any) -> Spoil:
    def spoil(sent: dict[str, Any]) -> None:
        sent["measurementSets"][0]["measurements"][0]["value"]["strata"][place].update(changes)

    return spoil


def without_stratum(place: int) -> Spoil:
    def spoil(sent: dict[str, Any]) -> None:
        del sent["measurementSets"][0]["measurements"][0]["value"]["strata"][place]

    return spoil


def of_set(**changes: Any) -> Spoil:
    return lambda sent: sent["measurementSets"][0].update(changes)


def of_whole(**changes: Any) -> Spoil:
    return lambda sent: sent.update(changes)


def twice(sent: dict[str, Any]) -> None:
    measurements = sent["measurementSets"][0]["measurements"]
    measurements.append(copy.deepcopy(measurements[0]))


def two_sets(sent: dict[str, Any]) -> None:
    sent["measurementSets"].append(copy.deepcopy(sent["measurementSets"][0]))


VALUE = "/measurementSets/0/measurements/0/value"


@pytest.mark.parametrize(
    ("measure", "spoil", "pointer", "code", "allowed"),
    [
        ("364", of_value(eligiblePopulation=49), f"{VALUE}/eligiblePopulation", "denominator", "at most eligiblePopulation"),
        ("364", of_value(performanceMet=51), f"{VALUE}/performanceMet", "denominator", "at most eligiblePopulation"),
        ("364", of_value(eligiblePopulationException=1), f"{VALUE}/eligiblePopulation", "denominator", "at most"),
        ("QMM23", of_value(numeratorExclusion=1), f"{VALUE}/eligiblePopulation", "denominator", "numeratorExclusion"),
        ("364", of_value(eligiblePopulation=60, eligiblePopulationExclusion=5), f"{VALUE}/eligiblePopulationExclusion", "exclusion", "0"),
        ("364", of_value(performanceMet=-1), f"{VALUE}/performanceMet", "not-a-count", "0 or more"),
        ("364", of_value(performanceMet=39.5), f"{VALUE}/performanceMet", "not-a-count", "whole number"),
        ("364", of_value(performanceMet=True), f"{VALUE}/performanceMet", "not-a-count", "whole number"),
        ("364", of_value(performanceMet=None), f"{VALUE}/performanceMet", "missing", "whole number"),
        ("364", of_value(isEndToEndReported="no"), f"{VALUE}/isEndToEndReported", "missing", "true or false"),
        ("364", of_value(performanceRate=80), f"{VALUE}/performanceRate", "worked-out", "leave it out"),
        ("364", of_value(reportingRate=100), f"{VALUE}/reportingRate", "worked-out", "leave it out"),
        ("364", of_value(strata=[]), f"{VALUE}/*", "unknown-member", "performanceMet"),
        ("QMM23", of_value(performanceRate=None), f"{VALUE}/performanceRate", "missing", "percentage"),
        ("QMM23", of_value(performanceRate=80.02), f"{VALUE}/performanceRate", "wrong-rate", "performanceMet / ("),
        ("QMM23", of_value(performanceRate=0.8), f"{VALUE}/performanceRate", "wrong-rate", "100 ×"),
        ("QMM23", of_value(performanceMet=0, performanceNotMet=0), VALUE, "no-rate", "leave the measure out"),
        ("ACRAD34", without_stratum(1), f"{VALUE}/strata", "missing-strata", "each of abdomen, chest, head once"),
        ("ACRAD34", of_value(strata=None), f"{VALUE}/strata", "missing-strata", "abdomen, chest, head"),
        ("ACRAD34", of_value(strata={"chest": 1}), f"{VALUE}/strata", "missing-strata", "abdomen, chest, head"),
        ("ACRAD34", of_stratum(2, stratum="Head"), f"{VALUE}/strata/2/stratum", "unknown-stratum", "abdomen, chest, head"),
        ("ACRAD34", of_stratum(2, stratum="chest"), f"{VALUE}/strata/2", "repeated", "each of"),
        ("ACRAD34", of_stratum(0, eligiblePopulation=49), f"{VALUE}/strata/0/eligiblePopulation", "denominator", "at most"),
        ("ACRAD34", of_stratum(0, performanceMet=30), f"{VALUE}/performanceRate", "wrong-rate", "weightedAverage"),
        ("ACRAD34", of_set(programName="M1498"), "/measurementSets/0/measurements/0/measureId", "program", "mips"),
        ("494", of_set(), "/measurementSets/0/measurements/0/measureId", "method", "electronicHealthRecord"),
        ("364", twice, "/measurementSets/0/measurements/1", "repeated", "once"),
    ],
)  # fmt: skip
def test_a_result_that_cms_would_refuse_is_refused_by_the_name_of_its_measure(
    measure: str, spoil: Spoil, pointer: str, code: str, allowed: str
) -> None:
    sent = submission(measure)
    spoil(sent)
    found = {(one.pointer, one.code): one for one in check(sent)}
    assert (pointer, code) in found, list(found)
    one = found[pointer, code]
    assert one.measure == measure
    assert allowed in (one.allowed or "")
    assert str(one).startswith(f"{measure}: ")


@pytest.mark.parametrize(
    ("spoil", "pointer", "allowed"),
    [
        (of_whole(performanceYear=2023), "/performanceYear", "2024, 2025, 2026, 2027"),
        (of_whole(performanceYear="2026"), "/performanceYear", "as a number"),
        (of_whole(taxpayerIdentificationNumber=None), "/taxpayerIdentificationNumber", "9 digits"),
        (of_whole(taxpayerIdentificationNumber="12-3456789"), "/taxpayerIdentificationNumber", "9 digits"),
        (of_whole(taxpayerIdentificationNumber=456789), "/taxpayerIdentificationNumber", "as text"),
        (of_whole(nationalProviderIdentifier="12345"), "/nationalProviderIdentifier", "10 digits"),
        (of_whole(entityType="clinic"), "/entityType", "individual, group"),
        (of_whole(entityType="subgroup"), "/entityId", "the id that CMS gave it"),
        (of_whole(measurementSets=[]), "/measurementSets", "at least one"),
        (of_whole(measurementSets=[1]), "/measurementSets/0", ""),
        (of_whole(extra=1), "/*", "entityType"),
        (of_set(category="ia"), "/measurementSets/0/category", "quality"),
        (of_set(submissionMethod="claims"), "/measurementSets/0/submissionMethod", "registry"),
        (of_set(programName={}), "/measurementSets/0/programName", "mips"),
        (of_set(performanceStart="2025-12-31"), "/measurementSets/0/performanceStart", "a day of 2026"),
        (of_set(performanceEnd="2026-13-01"), "/measurementSets/0/performanceEnd", "a day of 2026"),
        (of_set(performanceEnd="2026-02-30"), "/measurementSets/0/performanceEnd", "a day of 2026"),
        (of_set(performanceStart="2026-05-01", performanceEnd="2026-04-01"), "/measurementSets/0/performanceEnd", ""),
        (of_set(measurements=[]), "/measurementSets/0/measurements", "at least one"),
        (of_set(measurements=["364"]), "/measurementSets/0/measurements/0", ""),
        (of_set(measurements=[{"measureId": "305", "value": {}}]), "/measurementSets/0/measurements/0/measureId", "ACRAD34"),
        (of_set(measurements=[{"measureId": ["364"]}]), "/measurementSets/0/measurements/0/measureId", "364"),
        (of_set(measurements=[{"measureId": "ACRAD15", "value": {}}]), "/measurementSets/0/measurements/0/measureId", "ACRAD44"),
        (two_sets, "/measurementSets/1", ""),
    ],
)  # fmt: skip
def test_a_submission_that_cms_would_refuse_says_where_and_what_is_allowed(
    spoil: Spoil, pointer: str, allowed: str
) -> None:
    sent = submission("364")
    spoil(sent)
    found = {one.pointer: one for one in check(sent)}
    assert pointer in found, list(found)
    assert allowed in (found[pointer].allowed or "")


def test_nothing_that_was_sent_is_repeated() -> None:
    sent = submission("ACRAD34")
    sent |= {"taxpayerIdentificationNumber": "98-7654321", "Miller": 1, "performanceYear": 2026}
    of_stratum(0, stratum="Miller's", eligiblePopulation=7777)(sent)
    said = " ".join(f"{one} {one.pointer}" for one in check(sent))
    assert said
    for secret in ("Miller", "7654321", "7777", "1234567893"):
        assert secret not in said


def test_means_must_have_room_for_their_observations() -> None:
    sent = submission("ACRAD15", year=2025)
    of_value(observationInstances=60, denominatorException=30, numeratorExclusion=11)(sent)
    (one,) = check(sent)
    assert (one.measure, one.code) == ("ACRAD15", "denominator")
    of_value(numeratorExclusion=10, numerator="3")(sent)
    (one,) = check(sent)
    assert (one.pointer, one.code) == (f"{VALUE}/numerator", "not-a-count")


def test_a_registry_sends_only_what_it_is_licensed_for() -> None:
    sent = submission("ACRAD34", "364")
    assert check(sent, vendor="5303416") == []
    (one,) = check(sent, vendor="6394618")
    assert (one.measure, one.code, one.allowed) == ("ACRAD34", "vendor", "5303416")


COUNT = st.integers(0, 60)


@settings(max_examples=60)
@given(
    met=COUNT,
    not_met=COUNT,
    exclusion=COUNT,
    exception=COUNT,
    other=COUNT,
    whole=st.integers(0, 300),
)
def test_counts_are_taken_exactly_when_the_reported_are_among_the_eligible(
    met: int, not_met: int, exclusion: int, exception: int, other: int, whole: int
) -> None:
    measure = published(2026).measure("QMM23")
    assert measure is not None
    value: dict[str, Any] = {
        "isEndToEndReported": False,
        "performanceMet": met,
        "performanceNotMet": not_met,
        "eligiblePopulationExclusion": exclusion,
        "eligiblePopulationException": exception,
        "numeratorExclusion": other,
        "eligiblePopulation": whole,
    }
    if met + not_met:
        value["performanceRate"] = round(100 * met / (met + not_met), 2)
    sent = submission("QMM23")
    sent["measurementSets"][0]["measurements"][0]["value"] = value
    fits = met + not_met + exclusion + exception + other <= whole
    assert (check(sent) == []) == (fits and met + not_met > 0)
    if check(sent) == []:
        told = formulas.reporting_rate(measure, value)
        assert told is not None
        assert 0 <= told <= 100


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
PLACES = st.sampled_from(
    [
        ("entityType",),
        ("performanceYear",),
        ("measurementSets",),
        ("measurementSets", 0),
        ("measurementSets", 0, "programName"),
        ("measurementSets", 0, "performanceStart"),
        ("measurementSets", 0, "measurements"),
        ("measurementSets", 0, "measurements", 0),
        ("measurementSets", 0, "measurements", 0, "measureId"),
        ("measurementSets", 0, "measurements", 0, "value"),
        ("measurementSets", 0, "measurements", 0, "value", "strata"),
        ("measurementSets", 0, "measurements", 0, "value", "strata", 1),
        ("measurementSets", 0, "measurements", 0, "value", "strata", 1, "stratum"),
        ("measurementSets", 0, "measurements", 0, "value", "strata", 1, "performanceMet"),
        ("measurementSets", 0, "measurements", 0, "value", "performanceRate"),
    ]
)


@settings(max_examples=60)
@given(place=PLACES, junk=JSON)
def test_junk_anywhere_is_a_complaint_and_never_a_failure(
    place: tuple[Any, ...], junk: Any
) -> None:
    sent = submission("ACRAD34")
    inner: Any = sent
    for step in place[:-1]:
        inner = inner[step]
    before = inner[place[-1]]
    inner[place[-1]] = junk
    found = check(sent)
    assert found or junk == before or isinstance(junk, int | float)
    assert check(junk) != []
