"""A registry of images alone: cases come of studies, and the only form links people to another registry."""

import httpx
import pytest
import pytest_asyncio

from app.benchmarks import generations, steps
from app.database import Database
from app.postgres import Addresses
from app.worker import Works
from tests.ingest.imaging import rows
from tests.ingest.measuring import Site, opened
from tests.make.instances import sent

REGISTRY = "covid-19-image-repository"
TOKEN = "CORAL-7F3A99"
LINK = {
    "local_id": "MRN-7730015",
    "external_registry": "CORAL",
    "token_method": "ISSUED",
    "external_subject_token": TOKEN,
    "linked_on": "2024-06-01",
}


@pytest_asyncio.fixture
async def site(
    client: httpx.AsyncClient, database: Addresses, works: Works, worker: Database
) -> Site:
    return await opened(client, database, works, worker, REGISTRY)


async def test_a_study_is_a_case_and_its_person_is_linked_whichever_comes_first(site: Site):
    thin = sent(1, SliceThickness="1.25")
    thick = sent(1, series=2, SliceThickness="5", BodyPartExamined="ABDOMEN")
    await site.store(thin, thick)
    case = await site.case()
    assert (case["state"], case["case_date"]) == ("submitted", "2024-03-11")
    assert case["elements"] == {
        "age_at_imaging": 62,
        "body_part_examined": "SEVERAL",
        "facility_id": str(site.facility),
        "manufacturer": "SIEMENS",
        "manufacturer_model_name": "SOMATOM Force",
        "sex": "F",
        "slice_thickness": "1.25",
        "study_date": "2024-03-11",
        "study_modality": "CT",
    }
    done = await site.type(form="linkage", **LINK)
    assert (done["counts"]["created"], done["findings"]) == (1, [])
    # Another study of the same person, without an accession number, and one of somebody else.
    await site.store(
        sent(1, study=2, AccessionNumber=None), sent(1, study=3, PatientID="MRN-0000001")
    )
    cases = await site.cases()
    studies = [one for one in cases if one["form"] == "study"]
    (link,) = [one for one in cases if one["form"] == "linkage"]
    assert [one["state"] for one in studies] == ["submitted"] * 3
    assert sorted(one["subject"] == link["subject"] for one in studies) == [False, True, True]
    # The token of the other registry is in the vault alone, where its facility may ask for it.
    assert all(TOKEN not in str(one) for one in cases)
    shown = await site.get(f"/v1/cases/{link['id']}?identity=true")
    assert shown["identity"] == {"external_subject_token": TOKEN, "local_id": "MRN-7730015"}
    told = await rows(
        site.database,
        "SELECT s.state, count(*) FROM studies s WHERE facility_id = :f GROUP BY 1",
        f=site.facility,
    )
    assert [tuple(one) for one in told] == [("linked", 3)]
    while await steps.tabulate(site.works.workshop) or await steps.build(site.works.workshop):
        pass
    definition = site.works.catalogue.in_force(REGISTRY)
    assert await generations.reconcile(site.works.workshop, definition) == []
    answer = await site.get(
        f"/v1/registries/{REGISTRY}/metrics?measure=linked_studies&period=2024-03"
        f"&facility={site.facility}"
    )
    (metric,) = [one for one in answer["metrics"] if one["stratum"] is None]
    assert (metric["numerator"], metric["denominator"]) == (2, 3)


async def test_nobody_types_a_study_and_what_is_withdrawn_stays_so(site: Site):
    typed = {"exam_unique_id": "ACC-000001", "local_id": "MRN-7730015", "study_date": "2024-03-11"}
    for action in ("submit", "save"):
        done = await site.type(action, form="study", study_modality="CT", **typed)
        assert done["counts"]["rejected"] == 1
        assert done["findings"] == [("_form", "only-from-images")]
    assert await site.cases() == []
    await site.store(sent(1))
    done = await site.type("withdraw", form="study", exam_unique_id="ACC-000001")
    assert done["findings"] == []
    assert (await site.case())["state"] == "withdrawn"
    await site.store(sent(1, series=2, SliceThickness="0.6"))
    assert (await site.case())["state"] == "withdrawn"
    assert [said for _, said in await site.arisen()][-1] == [
        ("exam_unique_id", "superseded", "warn")
    ]


@pytest.mark.soak
@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"StudyDate": "20191231"}, ("study_date", "rule", "warn")),
        ({"PatientID": None}, ("local_id", "missing", "warn")),
    ],
)
async def test_a_study_that_cannot_be_a_case_is_kept_as_a_draft(site: Site, change, found):
    await site.store(sent(1, **change))
    assert (await site.case())["state"] == "draft"
    ((_, said),) = await site.arisen()
    assert found in said


@pytest.mark.soak
async def test_reports_and_other_documents_make_no_case(site: Site):
    await site.store(sent(1, Modality="OT"))
    assert await site.cases() == []
