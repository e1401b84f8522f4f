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
OTHERS = {".md", ".txt", ".py", ".pyc", ".json", ".dump", ".icc", ".gz", ".zip"}
FILES = sorted(
    path.relative_to(FOLDER).as_posix()
    for path in FOLDER.rglob("*")
    if path.is_file() and path.suffix not in OTHERS
)
WITHHELD = {
    "missing-uid": ("test_files/empty_charset_LEI.dcm",),  # no class and no picture
    "not-an-instance": tuple(
        name for name in FILES if "/DICOMDIR" in name and not name.endswith("DICOMDIR-nooffset")
    ),
    "wrong-length": ("test_files/dicomdirtests/DICOMDIR-nooffset",),
    "truncated": ("test_files/MR_truncated.dcm", "test_files/rtplan_truncated.dcm"),
    "not-dicom": ("test_files/no_meta.dcm", "test_files/dicomdirtests/TINY_ALPHA/README"),
    "may-be-burned-in": (
        # Its one frame ends in the middle: what it shows cannot be seen.
        "test_files/JPEG2000-embedded-sequence-delimiter.dcm",
        # Pixels without rows and columns, made for tests of reading.
        "test_files/meta_missing_tsyntax.dcm",
        "test_files/nested_priv_SQ.dcm",
    ),
}
REASON = {name: reason for reason, names in WITHHELD.items() for name in names}
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
    assert outcome.reason == REASON.get(name, "")
    if outcome.content is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, after = dcmread(BytesIO(source), force=True), dcmread(BytesIO(outcome.content))
        # A maker's own scanner: the house is called as the machine is.
        makers = set(re.split("[ _]", str(before.get("Manufacturer"))))
        planted = set(identities(before)) - {maker.encode() for maker in makers}
        for element in after.iterall():
            element.value  # noqa: B018 - decodes
    body = inflated(outcome.content)
    assert [one for one in planted if one in body] == []
    assert after.PatientIdentityRemoved == "YES"


def test_all_of_them_are_there_and_most_give_an_output():
    assert len(FILES) > 150
    assert set(REASON) <= set(FILES)
    assert len(REASON) < len(FILES) / 4
