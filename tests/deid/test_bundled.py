"""Every DICOM file that pydicom brings goes through: an output that leaks nothing, or a reason."""

import re
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset, dcmread

from tests.deid.adversary.door import through
from tests.deid.adversary.score import inflated

FOLDER = Path(pydicom.__file__).parent / "data"
OTHERS = {".txt", ".py", ".pyc", ".json", ".dump", ".icc", ".gz", ".zip"}
FILES = sorted(
    path.relative_to(FOLDER).as_posix()
    for path in FOLDER.rglob("*")
    if path.is_file() and path.suffix not in OTHERS
)
REASONS = (("dicomdirtests/", "not-an-instance"),)
NUMBERS = (
    "PatientID",
    "AccessionNumber",
    "StudyID",
    "InstitutionName",
    "InstitutionAddress",
    "StationName",
    "DeviceSerialNumber",
    "PatientBirthDate",
    "StudyDate",
    "OtherPatientIDs",
    "IssuerOfPatientID",
)


def identities(dataset: Dataset) -> Iterator[bytes]:
    """What names somebody or something in an object, at every level, as its bytes say it."""
    for element in dataset.iterall():
        values = element.value if element.VM > 1 else [element.value]
        for value in values if values is not None else []:
            said = str(value)
            if element.VR == "PN":
                original = getattr(value, "original_string", said.encode())
                raw = original if isinstance(original, bytes) else str(original).encode()
                yield from (part for part in re.split(rb"[\^=\\ ]+", raw) if len(part) > 4)
            elif element.keyword in NUMBERS and len(said.strip()) > 4:
                yield said.strip().encode()
            elif element.VR == "UI" and not said.startswith("1.2.840.10008.") and len(said) > 8:
                yield said.encode()


@pytest.mark.parametrize("name", FILES)
def test_a_bundled_file_gives_an_output_that_leaks_nothing_or_a_reason(name):
    source = (FOLDER / name).read_bytes()
    outcome = through(source)
    if outcome.content is None:
        assert (name, outcome.reason) in EXPECTED or any(
            name.startswith(start) and outcome.reason == reason for start, reason in REASONS
        ), outcome.reason
        return
    assert name not in {known for known, _ in EXPECTED}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, after = dcmread(BytesIO(source), force=True), dcmread(BytesIO(outcome.content))
        planted = set(identities(before))
        for element in after.iterall():
            element.value  # noqa: B018 - decodes
    body = inflated(outcome.content)
    assert [one for one in planted if one in body] == []
    assert after.PatientIdentityRemoved == "YES"


EXPECTED: frozenset[tuple[str, str]] = frozenset()
