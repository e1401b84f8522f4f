"""A registry with a clinical form: images make no case of it, and are held against what was typed."""

import httpx
import pytest
import pytest_asyncio

from app.database import Database
from app.postgres import Addresses
from app.settings import Settings
from app.worker import Works
from tests.ingest.landing import EXAM
from tests.ingest.measuring import Site, opened
from tests.make.definitions import COPY, changed_copy
from tests.make.instances import sent

IMAGES = """\
- id: slices
  form: exam
  makes_cases: false
  sop_classes: [1.2.840.10008.5.1.4.1.1.2]
"""
READ = {
    "    source_name: Exam_Unique_ID\n": "    from_dicom: [{attribute: AccessionNumber}]\n",
    "    source_name: CTDIvol\n": (
        "    from_dicom: [{attribute: CTDIvol, take: max}]\n    cross_check: {relative: 0.05}\n"
    ),
}


@pytest.fixture(scope="module")
def settings(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("definitions")
    (version,) = changed_copy(folder).iterdir()
    (version / "images.yaml").write_text(IMAGES)
    path = version / "elements" / "exam.yaml"
    text = path.read_text()
    for place, more in READ.items():
        text = text.replace(place, place + more)
    path.write_text(text)
    return settings.model_copy(update={"definitions": folder})


@pytest_asyncio.fixture
async def site(
    client: httpx.AsyncClient, database: Addresses, works: Works, worker: Database
) -> Site:
    return await opened(client, database, works, worker, COPY)


async def test_slices_and_an_exam_find_each_other_whichever_came_first(site: Site):
    slices = [sent(n, 1, CTDIvol=2.0 + n / 10, PatientID="MRN-1") for n in (1, 2)]
    await site.store(*slices)
    assert await site.cases() == []
    assert [counts["unchanged"] for counts, _ in await site.arisen()] == [1]
    typed = {**EXAM, "exam_unique_id": "ACC-000001"}
    assert (await site.type(**{**typed, "ctdivol": "2.9"}))["findings"] == [
        ("ctdivol", "measured-otherwise")
    ]
    assert (await site.type(**{**typed, "ctdivol": "2.25"}))["findings"] == []
    other = {**typed, "exam_unique_id": "ACC-000002"}
    assert (await site.type(**other))["findings"] == []
    await site.store(sent(1, 2, CTDIvol=4.0, PatientID="MRN-1"))
    assert (await site.arisen())[1][1] == [("ctdivol", "measured-otherwise", "warn")]
    assert [case["elements"]["ctdivol"] for case in await site.cases()] == ["2.25", "2.10"]
    assert [case["state"] for case in await site.cases()] == ["submitted", "submitted"]
