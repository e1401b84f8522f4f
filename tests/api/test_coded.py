"""Codes carried out: a case's RadElement codes as FHIR Observations and as a DICOM structured report."""

import io
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import which
from typing import Any

import highdicom.sr as sr
import httpx
import pydicom
import pytest
import pytest_asyncio
from pydicom.sr.coding import Code

from app.access import Role
from app.database import Database
from app.postgres import Addresses
from app.registries.load import load
from app.registries.radelement import answered_sets
from app.reporting.structured import Imaged, structured_report
from app.settings import Settings
from app.worker import Works, open_works
from tests.api.test_worklists import nodule
from tests.ingest.landing import Landing, exam
from tests.make.accounts import REGISTRY, Desk, key_for
from tests.make.definitions import SMALL, small

FHIR = f"/fhir/{REGISTRY}/Observation"
RADELEMENT = "https://radelement.org"
WANTED = {
    ("RDE1306", "RDE1306.0"), ("RDE1301", "RDE1301.2"), ("RDE1302", 9.0), ("RDE1303", 4.0),
}  # fmt: skip
"""What the case of these tests says, by RadElement's codes."""
SUBSOLID = {"hr_nodule_density": "part_solid", "hr_nodule_size": "9.0", "hr_nodule_solid_size": "4.0"}  # fmt: skip


@pytest_asyncio.fixture(scope="module")
async def works(settings: Settings) -> AsyncIterator[Works]:
    async with open_works(settings) as opened:
        yield opened


def values(observation: dict[str, Any]) -> set[tuple[str, Any]]:
    """RadElement's code of what was asked, and of what was answered or its number."""
    found = set()
    for one in [observation, *observation.get("component", ())]:
        asked = [c["code"] for c in one["code"]["coding"] if c["system"] == RADELEMENT]
        if "valueQuantity" in one:
            assert one["valueQuantity"]["system"] == "http://unitsofmeasure.org"
            found.add((asked[0], one["valueQuantity"]["value"]))
        for coding in one.get("valueCodeableConcept", {}).get("coding", ()):
            if coding["system"] == RADELEMENT:
                found.add((asked[0], coding["code"]))
    return found


async def test_a_case_is_told_in_both_forms_and_as_a_report_to_its_own_facility(
    works: Works, web: Database, database: Addresses, client: httpx.AsyncClient
) -> None:
    landing = Landing(works, web)
    here, there = await landing.participate("active", "active")
    await landing.land([nodule("N-1", "2025-02-01", **SUBSOLID), exam(action="save")])

    async def desk(facility: int, role: Role = Role.REGISTRAR) -> Desk:
        key = await key_for(database, role, registries=[REGISTRY], facilities=[facility])
        return Desk(client, key)

    ours, theirs, board = await desk(here), await desk(there), await desk(here, Role.DASHBOARD)
    cases = (await ours("GET", f"/v1/registries/{REGISTRY}/cases")).json()
    case, draft = (
        next(one["id"] for one in cases if one["form"] == form) for form in ("nodule_exam", "exam")
    )

    bundle = (await ours("GET", FHIR, params={"case": case})).json()
    by_id = {one["resource"]["id"]: one["resource"] for one in bundle["entry"]}
    assert bundle["total"] == len(by_id) == 6
    roots = [one for one in by_id.values() if "hasMember" in one]
    assert [one["code"]["coding"][0]["code"] for one in roots] == ["nodules", "RDES195"]
    assert all(not any(name.startswith("value") for name in one) for one in roots)
    members = [m["reference"].removeprefix("Observation/") for one in roots for m in one["hasMember"]]  # fmt: skip
    assert sorted(members) == sorted(by_id.keys() - {one["id"] for one in roots})
    assert set().union(*(values(by_id[one]) for one in members)) == WANTED
    assert {one["effectiveDateTime"] for one in by_id.values()} == {"2025-02-01"}

    whole = (await ours("GET", FHIR, params={"case": case, "shape": "component"})).json()
    told = [one["resource"] for one in whole["entry"]]
    assert len(told) == 2
    assert set().union(*(values(one) for one in told)) == WANTED
    for one in [*by_id.values(), *told]:
        assert (await ours("GET", f"{FHIR}/{one['id']}")).json() == one

    answer = await ours("GET", f"/v1/cases/{case}/structured-report")
    assert answer.headers["content-type"] == "application/dicom"
    again = await ours(
        "GET",
        f"/v1/cases/{case}/structured-report",
        headers={"If-None-Match": answer.headers["etag"]},
    )
    assert again.status_code == 304
    assert read_back(answer.content) == WANTED
    held = pydicom.dcmread(io.BytesIO(answer.content)).iterall()
    days = [str(one.value) for one in held if one.VR in ("DA", "DT")]
    assert days, "its own days stand in it"
    assert not any("2025" in day for day in days), "no date of service"

    paths = [
        f"{FHIR}?case={case}",
        f"{FHIR}/case-{case}-0",
        f"/v1/cases/{case}/structured-report",
    ]
    assert [(await theirs("GET", path)).status_code for path in paths] == [404] * 3
    assert [(await board("GET", path)).status_code for path in paths] == [403] * 3
    for path, status in (
        (f"{FHIR}?case={draft}", 404),
        (f"/v1/cases/{draft}/structured-report", 404),
        (f"{FHIR}/case-{case}-9", 404),
        (f"{FHIR}/case-9999999999999999999-0", 404),
        (f"{FHIR}/case-{case}", 404),
        (f"{FHIR}/other", 404),
        (f"/fhir/mammography/Observation?case={case}", 404),
        (FHIR, 422),
        (f"{FHIR}?case={case}&shape=flat", 422),
    ):
        answer = await ours("GET", path)
        assert answer.status_code == status, path
    assert (await ours("GET", f"{FHIR}?case=0")).json()["resourceType"] == "OperationOutcome"


def read_back(content: bytes) -> set[tuple[str, Any]]:
    """What highdicom reads in a report, by RadElement's codes."""
    report = sr.ComprehensiveSR.from_dataset(pydicom.dcmread(io.BytesIO(content)))
    found: set[tuple[str, Any]] = set()
    for group in report.content.get_image_measurement_groups():
        for each in group.get_qualitative_evaluations():
            assert each.name.scheme_designator == each.value.scheme_designator == "RADELEMENT"
            found.add((each.name.value, each.value.value))
        for number in group.get_measurements():
            assert number.name.scheme_designator == "RADELEMENT"
            assert number.unit == Code("mm", "UCUM", "mm")
            found.add((number.name.value, float(number.value)))
    return found


CODED = {
    "sets_all": SMALL["sets_all"].replace('label: "Yes"', 'label: "Yes", radelement: RDE77.0'),
    "elements_visit": SMALL["elements_visit"]
    .replace("value_set: answer}", "value_set: answer, codes: {radelement: RDE77}}")
    .replace("999\"]}", "999\"], codes: {radelement: RDE78}}")
    .replace("type: boolean}", "type: boolean, codes: {radelement: RDE79}}")
    + """\
groups:
  - id: findings
    title: Findings
    elements:
      - {id: size, source_name: Size, title: Size, type: decimal, scale: 1, unit: mm, codes: {radelement: RDE80}}
      - {id: kind_of, source_name: Kind_Of, title: A title that is much longer than the sixty-four characters a meaning may have, type: code, value_set: answer, codes: {radelement: RDE81}}
""",
}  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A report of several codes in one element, rows of a group, own codes and what is not known."""
    definition = load(small(tmp_path_factory.mktemp("coded"), **CODED))
    elements = {
        "visit_date": "2025-03-04",
        "reasons": ["Y", "N"],
        "mass": "999",
        "walks": True,
        "findings": [{"size": "4.5", "kind_of": "U"}, {"size": "6.0"}, {}],
    }
    sets = answered_sets(definition, "visit", elements)
    assert [(one.form, one.place) for one in sets] == [
        ("visit", ""), ("findings", "findings[0]."), ("findings", "findings[1]."),
    ]  # fmt: skip
    assert [one.value for one in sets[0].answered] == [None, ["Y", "N"], True]
    about = [Imaged("1.2.840.10008.5.1.4.1.1.2", f"2.25.{n}", "2.25.9") for n in (11, 12)]
    made = structured_report(
        sets,
        study="2.25.8",
        patient="PSEUDONYM",
        about=about,
        named="one",
        at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    written = io.BytesIO()
    made.save_as(written, enforce_file_format=True)
    return written.getvalue()


def test_rows_own_codes_and_what_is_not_known_are_written_as_the_standard_has_it(
    report: bytes,
) -> None:
    read = sr.ComprehensiveSR.from_dataset(pydicom.dcmread(io.BytesIO(report)))
    groups = read.content.get_image_measurement_groups()
    first, second, third = groups
    assert [
        (each.value.value, each.value.scheme_designator)
        for each in first.get_qualitative_evaluations()
    ] == [("RDE77.0", "RADELEMENT"), ("N", "99HOUNSFIELD")]
    assert first.get_measurements() == [], "what is not known is no number"
    assert [float(one.value) for group in (second, third) for one in group.get_measurements()] == [4.5, 6.0]  # fmt: skip
    assert third.get_qualitative_evaluations() == []
    schemes = {one.CodingSchemeDesignator for one in read.CodingSchemeIdentificationSequence}
    assert schemes == {"RADELEMENT", "99HOUNSFIELD"}
    named = read.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert len(named.ReferencedSOPSequence) == 2
    assert (read.PatientID, read.StudyInstanceUID) == ("PSEUDONYM", "2.25.8")


@pytest.mark.skipif(which("dciodvfy") is None, reason="dicom3tools is not installed")
@pytest.mark.skipif(which("dsrdump") is None, reason="dcmtk is not installed")
def test_other_tools_read_it_and_find_no_fault(report: bytes, tmp_path: Path) -> None:
    file = tmp_path / "report.dcm"
    file.write_bytes(report)
    said = subprocess.run(["dciodvfy", file], capture_output=True, text=True)
    assert "Error" not in said.stderr + said.stdout
    read = subprocess.run(["dsrdump", "+Pc", file], capture_output=True, text=True)
    assert read.returncode == 0, read.stderr
    assert "(RDE77.0,RADELEMENT" in read.stdout
