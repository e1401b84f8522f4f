"""The adversary's sets (tests/deid/adversary): what leaks, what is destroyed, what is invalid."""

import shutil

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset

from app.deid.deidentify import Deidentified, deidentify
from app.deid.profile import Profile
from tests.deid.adversary import encoding, endings
from tests.deid.adversary.answers import Case, Category
from tests.deid.adversary.door import KEYS, Through, through
from tests.deid.adversary.judge import PROGRAM, errors
from tests.deid.adversary.people import SCRIPTS
from tests.deid.adversary.places import PLACES
from tests.deid.adversary.score import Score, scored
from tests.deid.adversary.sets import KINDS, PLAIN, cases

UNREADABLE = {"deflated", "padded", "bare", "again", "grouped", "followed", "unnamed"}
"""Ways of writing that dciodvfy cannot read in the input."""
ENOUGH = 99.9
SEED = 1
EXACT = (
    Category.MARKERS,
    Category.PATIENT_CONSISTENT,
    Category.UID_CONSISTENT,
    Category.PIXELS_HIDDEN,
)


@pytest.fixture(scope="module")
def made() -> list[Case]:
    """A set for all tests here that only read it: to make one takes longer than most of them."""
    return cases(SEED, times=1)


def told(score: Score) -> str:
    """Why a set did not pass."""
    return "\n".join([score.told(), *score.failures[:200]])


def test_a_set_leaks_nothing_keeps_what_science_needs_and_withholds_documents_alone(
    made: list[Case],
):
    outcomes = {case.source: through(case.source) for case in made}
    score = scored(made, outcomes.__getitem__)
    assert not score.leaks, told(score)
    assert score.total >= ENOUGH, told(score)
    for category in EXACT:
        assert score.held[category] == score.asked[category], told(score)
    withheld = {case.name for case in made if outcomes[case.source].content is None}
    assert withheld == {case.name for case in made if case.document}
    assert {one.reason for one in outcomes.values()} == {"", "encapsulated-document"}


def test_a_set_holds_every_kind_place_script_and_way_of_writing(made: list[Case]):
    parts = {part for case in made for part in case.name.split("-")}
    assert len(made) >= 140
    assert parts >= {kind.__name__ for kind in KINDS.values()}
    assert parts >= {place.__name__ for place in PLACES}
    for writings in (PLAIN, encoding.SETS, encoding.COMPRESSED, endings.COMPRESSED):
        assert parts >= {writing.__name__ for writing in writings}
    codecs = {codec for case in made for secret in case.secrets for codec in secret.codecs}
    assert codecs >= {script.codec for script in SCRIPTS}


def test_the_same_seed_makes_the_same_set(made: list[Case]):
    assert [case.source for case in made] == [case.source for case in cases(SEED, times=1)]


def test_an_object_that_was_not_treated_scores_as_leaking(made: list[Case]):
    some = [case for case in made if not case.document][:20]
    score = scored(some, Through)
    assert len(score.leaks) == len(some)
    assert score.held[Category.PIXELS_HIDDEN] < score.asked[Category.PIXELS_HIDDEN] / 4
    assert score.total < 80


def test_an_empty_object_scores_nothing_as_kept(made: list[Case]):
    case = next(case for case in made if case.kept)
    empty = encoding.packed(_nothing(case))
    score = scored([case], lambda _: Through(empty))
    assert not score.leaks
    assert score.held[Category.RETAINED] == 1  # the SOP class, which it has
    assert score.held[Category.TEXT_KEPT] == 0


def _nothing(case: Case) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    made.file_meta.MediaStorageSOPClassUID = case.dataset.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "2.25.1"
    made.SOPClassUID = case.dataset.SOPClassUID
    return made


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "part", [0, *(pytest.param(one, marks=pytest.mark.soak) for one in (1, 2))]
)
def test_no_output_has_an_error_of_form_that_its_input_had_not(made: list[Case], part: int):
    if shutil.which(PROGRAM) is None:
        pytest.skip("dciodvfy (Debian: dicom3tools) is not installed")
    worse: dict[str, list[str]] = {}
    for case in made[part::3]:
        outcome = deidentify(case.source, Profile(), KEYS)
        if UNREADABLE & set(case.name.split("-")) or not isinstance(outcome, Deidentified):
            continue
        new = errors(outcome.content) - errors(case.source)
        if new:
            worse[case.name] = sorted(new)
    assert worse == {}


@pytest.mark.soak
@pytest.mark.timeout(14_400)
def test_many_sets_leak_nothing():
    for seed in (7, *range(100, 130)):
        score = scored(cases(seed), through)
        assert not score.leaks, told(score)
        assert score.total >= ENOUGH, told(score)
