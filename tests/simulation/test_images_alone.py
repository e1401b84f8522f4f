"""A simulated registry that nobody types: each case is a study whose headers say what the truth holds."""

import json

import pytest

from app.deid.deidentify import Deidentified, deidentify
from app.deid.uids import Keys
from app.ingest.arising import listen
from app.ingest.images import profile_of
from app.ingest.measured import composed
from app.registries.load import PACKAGED, load
from app.simulation.plan import Plan
from app.simulation.write import simulate

REPOSITORY = load(PACKAGED / "covid-19-image-repository" / "1.0.0")
STUDY = REPOSITORY.form("study")
NUMBERED = {"facility_id", "study_uid"}
"""What the sender and the scanner say by themselves."""


@pytest.fixture(scope="module")
def nation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    simulate(Plan(seed=9, facilities=2, cases=8, flawed=0.3, doors=("ndjson",)), REPOSITORY, folder)
    return folder


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_case_has_its_study_and_no_entry(nation):
    cases = [one for one in lines(nation / "truth.ndjson") if one["form"] == "study"]
    images = lines(nation / "images.ndjson")
    assert [one["key"] for one in images] == [one["key"] for one in cases]
    assert len(cases) == 8
    submissions = lines(nation / "submissions.ndjson")
    assert sum(one["entries"] for one in submissions) < len(cases)
    written = b"".join((nation / one["path"]).read_bytes() for one in submissions)
    assert b"external_registry" in written
    assert b"study_modality" not in written


def test_what_is_read_in_a_study_after_de_identification_is_what_the_truth_says(nation):
    truth = {one["key"]: one for one in lines(nation / "truth.ndjson") if one["form"] == "study"}
    order = [one.id for one in REPOSITORY.images]
    for image in lines(nation / "images.ndjson"):
        (path,) = image["paths"]
        source = (nation / path).read_bytes()
        made = deidentify(source, profile_of(REPOSITORY), Keys.of(bytes(32)))
        assert isinstance(made, Deidentified)
        said = listen(REPOSITORY, source, made)
        assert said is not None
        read = composed(STUDY, order, [heard for one in said for heard in one.heard]).elements
        wanted = truth[image["key"]]["elements"]
        assert {name: value for name, value in read.items() if name not in NUMBERED} == {
            name: str(value) for name, value in wanted.items() if name not in NUMBERED
        }
