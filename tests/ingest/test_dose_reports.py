"""Cases from dose reports: over HTTP, through every step, on PostgreSQL."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydicom import dcmread

from app.database import Database
from app.postgres import Addresses
from app.worker import Works
from tests.ingest.imaging import findings, rows
from tests.ingest.measuring import Site, opened
from tests.make.dose_reports import (
    COMPREHENSIVE_SR,
    ENHANCED_SR,
    container,
    elements,
    event,
    number,
    picture,
    report,
)
from tests.make.instances import ROOT, packed, sent


@pytest_asyncio.fixture
async def site(
    client: httpx.AsyncClient, database: Addresses, works: Works, worker: Database
) -> Site:
    return await opened(client, database, works, worker, "dose-index")


TYPED: Mapping[str, Any] = {
    "exam_unique_id": "ACC-000001",
    "other_id": "MRN-7730015",
    "exam_date": "2024-03-11",
    "standard_exam": "CHEST-WO",
}


async def test_a_dose_report_becomes_a_case_with_its_doses_and_its_true_date(site: Site):
    two = (
        event(1, ctdivol="8.004", dlp="250.5", ssde="10.25", diameter="301"),
        event(2, ctdivol="0.12", dlp="5.25", diameter="296"),
    )
    await site.store(report(*two, total="255.75", PatientSize="1.68", PatientWeight="70.25"))
    case = await site.case()
    assert (case["state"], case["case_date"]) == ("submitted", "2024-03-11")
    assert case["elements"] == {
        "ct_scanner_manufacturer": "SIEMENS",
        "ct_scanner_model": "SOMATOM Force",
        "ctdivol": "8.00",
        "dlp": "255.75",
        "exam_date": "2024-03-11",
        "facility_id": str(site.facility),
        "irradiation_events": 2,
        "patient_age": 62,
        "patient_height": "168",
        "patient_sex": "F",
        "patient_weight": "70.3",
        "phantom": "BODY",
        "ssde": "10.25",
        "target_region": "CHEST",
        "water_equivalent_diameter": "30.1",
    }
    ((counts, said),) = await site.arisen()
    assert (counts["created"], counts["rejected"], said) == (1, 0, [])
    shown = await site.get(f"/v1/cases/{case['id']}?identity=true")
    assert shown["identity"] == {
        "exam_name": "CT CHEST W/O CONTRAST",
        "exam_unique_id": "ACC-000001",
        "other_id": "MRN-7730015",
        "patient_dob": "1961-07-04",
        "study_uid": f"{ROOT}.1",
    }
    (study,) = await rows(
        site.database, "SELECT state, case_id FROM studies WHERE facility_id = :f", f=site.facility
    )
    assert tuple(study) == ("linked", case["id"])


SHAPES = {
    "one total and three scans": (
        [event(1), event(2, ctdivol="12.5", dlp="400"), event(3, dlp="1.2")],
        {"total": "651.2"},
        ["12.50", "651.20", 3, "BODY", "CHEST"],
    ),
    "no total: the scans add up": (
        [event(1, dlp="100.25"), event(2, dlp="50.5")],
        {"total": None},
        ["8.00", "150.75", 2, "BODY", "CHEST"],
    ),
    "in grays and with the unit spelled out": (
        [event(1, ctdivol="0.0145", ctdivol_unit="Gy", dlp=None)],
        {"total": "41.2", "total_unit": "cGycm"},
        ["14.50", "412.00", 1, "BODY", "CHEST"],
    ),
    "head and body phantoms, codes of before 2014": (
        [
            event(1, phantom="113690", region=("SRT", "T-D1100"), ctdivol="55.1"),
            event(2, region=("SRT", "T-D3000")),
        ],
        {"sop_class": ENHANCED_SR},
        ["55.10", "250.00", 2, "BOTH", "SEVERAL"],
    ),
    "SNOMED codes under the older names of their scheme": (
        [event(1, region=("SNM3", "T-D3000")), event(2, region=("99SDM", "T-D3000"))],
        {},
        ["8.00", "250.00", 2, "BODY", "CHEST"],
    ),
    "a scout without doses, in a general report": (
        [event(1, ctdivol=None, dlp=None, phantom=None), event(2, ctdivol="3.1")],
        {"sop_class": COMPREHENSIVE_SR},
        ["3.10", "250.00", 2, "BODY", "CHEST"],
    ),
    "a region that nobody mapped, and none": (
        [event(1, region=("99SITE", "X-1")), event(2, region=None)],
        {},
        ["8.00", "250.00", 2, "BODY", "OTHER"],
    ),
    "an empty number is no number": (
        [event(1), container("113819", container("113829", number("113830", None, "mGy")))],
        {},
        ["8.00", "250.00", 2, "BODY", "CHEST"],
    ),
}


async def test_reports_of_several_makers_come_to_the_same_elements(site: Site):
    shapes = enumerate(SHAPES.values(), 1)
    await site.store(*(report(*events, study=study, **how) for study, (events, how, _) in shapes))
    names = ("ctdivol", "dlp", "irradiation_events", "phantom", "target_region")
    found = [elements(case, *names) for case in await site.cases()]
    assert dict(zip(SHAPES, found, strict=True)) == {
        shape: wanted for shape, (_, _, wanted) in SHAPES.items()
    }
    ((counts, said),) = await site.arisen()
    assert (counts["created"], said) == (len(SHAPES), [])


@pytest.mark.soak
async def test_a_split_report_adds_up_and_a_report_that_has_it_all_takes_its_place(site: Site):
    await site.store(report(event(1, ctdivol="8"), total="250"))
    await site.store(report(event(2, ctdivol="9.5"), total="100.5", instance=2))
    assert elements(await site.case(), "ctdivol", "dlp", "irradiation_events") == [
        "9.50",
        "350.50",
        2,
    ]
    whole = report(event(1, ctdivol="8"), event(2, ctdivol="9.5"), total="349", instance=3)
    await site.store(whole)
    assert elements(await site.case(), "dlp", "irradiation_events") == ["349.00", 2]
    assert [counts["amended"] for counts, _ in await site.arisen()] == [0, 1, 1]


async def test_an_amended_report_makes_a_new_version_and_a_copy_changes_nothing(site: Site):
    await site.store(report(event(1), total="250", instance=1))
    amended = report(
        event(11, ctdivol="7"),
        total="210",
        instance=2,
        predecessors=[f"{ROOT}.1.50.1"],
    )
    await site.store(amended)
    assert elements(await site.case(), "ctdivol", "dlp", "irradiation_events") == [
        "7.00",
        "210.00",
        1,
    ]
    versions = await rows(
        site.database, "SELECT state FROM versions WHERE facility_id = :f", f=site.facility
    )
    before = await site.arisen()
    again = await site.store(amended)  # byte for byte
    copy = report(event(11, ctdivol="7"), total="210", instance=9, predecessors=[f"{ROOT}.1.50.1"])
    await site.store(copy)  # exported again, under another UID
    assert len(versions) == 2
    assert await site.arisen() == before
    assert await findings(site.database, again) == []


@pytest.mark.soak
async def test_reports_that_share_some_scans_are_added_and_told_of(site: Site):
    await site.store(
        report(event(1), event(2), total="500"), report(event(2), event(3), total="500", instance=2)
    )
    assert elements(await site.case(), "dlp") == ["1000.00"]
    ((_, said),) = await site.arisen()
    assert said == [("row", "overlapping", "warn")]


async def test_a_report_of_projection_x_ray_is_archived_and_makes_no_case(site: Site):
    projection = container("113706", number("122130", "0.0001", "Gy.m2"))
    answer = await site.store(
        report(total="1", before=[container("113702", projection)], study=1)
        .replace(b"113811", b"113702")
        .replace(b"113813", b"113722")
    )
    assert await findings(site.database, answer) == []
    assert await site.cases() == []
    assert await site.arisen() == []


async def test_a_picture_of_a_report_is_a_draft_that_says_what_is_missing(site: Site):
    await site.store(picture(), sent(1, 1))
    case = await site.case()
    assert (case["state"], case["has_draft"], case["draft"]["patient_age"]) == ("draft", True, 62)
    ((counts, said),) = await site.arisen()
    assert (counts["saved"], said) == (
        1,
        [("ctdivol", "missing", "warn"), ("dlp", "missing", "warn")],
    )
    assert [
        (one["case_id"], one["state"])
        for one in await site.get("/v1/registries/dose-index/images")
        if one["facility_id"] == site.facility
    ] == [(case["id"], "linked")]
    done = await site.type(**TYPED, ctdivol="8.1", dlp="300")
    case = await site.case()
    assert (done["findings"], case["state"], case["has_draft"]) == ([], "submitted", False)
    assert elements(case, "ctdivol", "patient_age", "standard_exam") == ["8.10", 62, "CHEST-WO"]


@pytest.mark.soak
async def test_a_picture_before_or_after_its_report_changes_nothing_of_the_case(site: Site):
    await site.store(picture(), report(event(1)))
    await site.store(report(event(1, study=2), study=2))
    await site.store(picture(2))
    one, other = await site.cases()
    assert (
        (one["state"], one["has_draft"])
        == (other["state"], other["has_draft"])
        == ("submitted", False)
    )
    assert one["elements"] == other["elements"]


async def test_what_was_typed_and_measured_otherwise_is_a_finding_whichever_came_last(site: Site):
    await site.store(report(event(1, ctdivol="14.2", dlp="400"), total="400"))
    typed = await site.type(**TYPED, ctdivol="12.0", dlp="405")
    assert typed["findings"] == [("ctdivol", "measured-otherwise")]
    assert elements(await site.case(), "ctdivol", "dlp") == ["12.00", "405.00"]

    other = {**TYPED, "exam_unique_id": "ACC-000002"}
    assert (await site.type(**other, ctdivol="12.0", phantom="HEAD"))["findings"] == []
    await site.store(report(event(1, study=2, ctdivol="14.2"), total="250", study=2))
    case = (await site.cases())[1]
    assert elements(case, "ctdivol", "dlp", "phantom", "standard_exam") == [
        "12.00",
        "250.00",
        "HEAD",
        "CHEST-WO",
    ]
    assert [said for _, said in await site.arisen()] == [
        [],
        [("ctdivol", "measured-otherwise", "warn"), ("phantom", "measured-otherwise", "warn")],
    ]
    told = await rows(
        site.database,
        "SELECT remedy FROM findings WHERE facility_id = :f AND code = 'measured-otherwise'",
        f=site.facility,
    )
    assert all("DCM 113830" in one.remedy or "DCM 113835" in one.remedy for one in told)
    assert not any(value in repr(told) for value in ("12.0", "14.2", "ACC-", "MRN"))


async def test_what_is_left_out_is_taken_from_the_report_and_sent_again_it_is_unchanged(site: Site):
    await site.store(report(event(1, ctdivol="14.2"), total="400"))
    corrected = {**TYPED, "ctdivol": "14.2", "patient_age": 63}
    assert (await site.type(**corrected))["counts"]["amended"] == 1
    case = await site.case()
    assert elements(case, "ctdivol", "dlp", "patient_age") == ["14.20", "400.00", 63]
    assert (await site.type(**corrected))["counts"]["unchanged"] == 1
    await site.store(report(event(2, ctdivol="1"), total="20", instance=2))
    assert elements(await site.case(), "ctdivol", "dlp", "patient_age") == ["14.20", "420.00", 63]
    assert (await site.type(**corrected))["counts"]["unchanged"] == 1
    shown = await site.get(f"/v1/cases/{case['id']}?identity=true")
    assert shown["identity"]["other_id"] == "MRN-7730015"


async def test_images_do_not_bring_back_a_withdrawn_case_nor_replace_somebodys_draft(site: Site):
    await site.store(report(event(1)))
    await site.type("withdraw", exam_unique_id="ACC-000001")
    await site.store(report(event(2, dlp="3"), total="3", instance=2))
    case = await site.case()
    assert (case["state"], case["elements"]) == ("withdrawn", {})
    assert (await site.arisen())[1][1] == [("exam_unique_id", "superseded", "warn")]

    await site.type("save", exam_unique_id="ACC-000002", patient_age=40)
    await site.store(report(event(1, study=2, ctdivol=None, dlp=None), study=2, total=None))
    assert (await site.cases())[1]["draft"]["patient_age"] == 40
    await site.store(report(event(2, study=2), study=2, instance=2))
    case = (await site.cases())[1]
    assert (case["state"], case["has_draft"]) == ("submitted", True)
    assert elements(case, "patient_age", "ctdivol") == [62, "8.00"]
    assert case["draft"]["patient_age"] == 40


async def test_what_cannot_be_used_is_told_and_the_rest_is_a_draft_or_a_case(site: Site):
    broken = event(1, ctdivol="NaN", dlp="12", dlp_unit="furlongs")
    answer = await site.store(report(broken, total=None))
    case = await site.case()
    assert (case["state"], case["draft"]["irradiation_events"]) == ("draft", 1)
    told = await findings(site.database, answer)
    assert told == [(1, "ctdivol", "not-a-number"), (1, "dlp", "unknown-unit")]
    nobody = report(event(1, study=2), study=2, AccessionNumber="", PatientID="")
    await site.store(nobody)
    assert (await site.cases())[1]["state"] == "draft"
    assert (await site.arisen())[1][1] == [("other_id", "no-identity", "warn")]
    # A height in centimetres where the standard wants metres.
    far = event(1, study=3, ctdivol="99999")
    await site.store(report(far, study=3, PatientSize="168", PatientWeight="70"))
    assert (await site.arisen())[2][1] == [
        ("patient_height", "out-of-range", "warn"),
        ("ctdivol", "out-of-range", "warn"),
    ]
    case = (await site.cases())[2]
    assert case["state"] == "submitted"
    names = ("dlp", "patient_weight", "patient_height", "ctdivol")
    assert elements(case, *names) == ["250.00", "70.0", None, None]


async def test_a_report_that_came_without_its_content_is_told_of_and_archived(site: Site):
    content = ("ContentSequence",)
    for number_of_it, lost in enumerate((content, (*content, "ConceptNameCodeSequence")), 1):
        made = dcmread(BytesIO(report(event(1), study=number_of_it)))
        for keyword in lost:
            delattr(made, keyword)
        answer = await site.store(packed(made))
        assert await findings(site.database, answer) == [(1, "content", "missing")]
    assert await site.cases() == []


async def test_a_tree_too_deep_or_too_wide_is_held_with_a_finding_and_never_a_crash(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    deep = container("113829", number("113830", "1", "mGy"))
    for _ in range(40):
        deep = container("113819", deep)
    monkeypatch.setattr("app.ingest.content.MOST_ITEMS", 60)
    wide = event(1, study=2, more=[number("113838", "1", "mGy.cm")] * 60)
    for one in (report(deep), report(wide, study=2)):
        answer = await site.store(one)
        assert await findings(site.database, answer) == [(1, "instance", "unreadable")]
    states = await rows(
        site.database,
        "SELECT DISTINCT state FROM instances WHERE facility_id = :f",
        f=site.facility,
    )
    assert (len(states), states[0].state) == (1, "held")
    assert await site.cases() == []


async def test_a_step_that_dies_before_its_commit_leaves_nothing_and_says_it_once_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    async def dies(*_: object) -> int:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr("app.ingest.images.arise", dies)
        with pytest.raises(RuntimeError):
            await site.store(report(event(1)))
    assert (
        await rows(
            site.database,
            "SELECT id FROM vault.measurements WHERE facility_id = :f",
            f=site.facility,
        )
        == []
    )
    await rows(
        site.database,
        "UPDATE instances SET not_before = now() WHERE facility_id = :f RETURNING id",
        f=site.facility,
    )
    await site.work()
    assert len(await site.arisen()) == 1
    assert elements(await site.case(), "dlp") == ["250.00"]


async def test_nothing_that_identifies_is_kept_outside_the_vault(site: Site):
    await site.store(report(event(1)))
    dump = repr(
        [
            await rows(
                site.database, f"SELECT * FROM {table} WHERE facility_id = :f", f=site.facility
            )
            for table in ("measured_cases", "versions", "entries", "findings", "cases", "studies")
        ]
    )
    for secret in ("Quizzleberry", "7730015", "ACC-000001", "1961", ROOT, "Riverside"):
        assert secret not in dump
    sealed = await rows(
        site.database,
        "SELECT sealed FROM vault.measurements WHERE facility_id = :f",
        f=site.facility,
    )
    assert len(sealed) == 1
    assert all(b"7730015" not in bytes(one.sealed) for one in sealed)
