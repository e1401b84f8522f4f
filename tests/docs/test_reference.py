import pytest

from app.registries.findings import FindingCode
from tests.docs.reference import MEANINGS, PAGES, ROOT


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_says_what_the_code_says(name: str) -> None:
    made = PAGES[name]()
    assert (ROOT / name).read_text(encoding="utf-8") == made, "run python -m tests.docs.reference"


def test_every_finding_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(FindingCode)
