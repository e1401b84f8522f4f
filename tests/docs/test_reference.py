import re

import pytest
from pydicom.datadict import DicomDictionary

from app.deid import explain
from app.deid.actions import Action
from app.registries.findings import FindingCode
from tests.docs import deidentification
from tests.docs.reference import MEANINGS, PAGES, ROOT, deidentification_pages

EVERY = PAGES | deidentification_pages()


@pytest.mark.parametrize("name", EVERY)
def test_a_reference_page_says_what_the_code_says(name: str) -> None:
    made = EVERY[name]()
    assert (ROOT / name).read_text(encoding="utf-8") == made, "run python -m tests.docs.reference"


def test_every_finding_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(FindingCode)


def test_every_action_of_de_identification_has_a_meaning() -> None:
    assert set(explain.MEANINGS) == set(Action)


def test_every_attribute_of_the_standard_is_on_exactly_one_page_of_de_identification() -> None:
    told = [
        set(re.findall(r"\(([0-9A-F]{4},[0-9A-F]{4})\)", page()))
        for page in (deidentification.kept_page, deidentification.removed_page)
    ]
    known = {f"{tag >> 16:04X},{tag & 0xFFFF:04X}" for tag in DicomDictionary}
    assert told[0] & told[1] == set()
    assert known <= told[0] | told[1]


def test_the_page_of_de_identification_names_every_option_and_every_deviation() -> None:
    page, told = deidentification.page(), deidentification.default()
    assert told.options
    for option in told.options:
        assert f"| `{option.option}` | {option.code} |" in page
    for one in told.deviations:
        assert f"{one.keyword or one.name} {one.tag}" in page
