"""What others make of our wire and our files: dicomweb-client over HTTP, dcmtk on the archive."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from dicomweb_client.web import DICOMwebClient
from pydicom import Dataset, dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from app.settings import Settings
from tests.make.accounts import REGISTRY
from tests.make.instances import ROOT, ct, packed
from tests.served import Served, whole_service

SECRETS = (b"quizzleberry", b"ottoline", b"7730015", b"thistlewood", b"quillmark", ROOT.encode())


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[Served]:
    with whole_service(settings) as service:
        yield service


def client(served: Served) -> DICOMwebClient:
    return DICOMwebClient(
        f"{served.url}/dicomweb/{REGISTRY}", headers=served.authorised(served.registrar)
    )


def objects() -> list[Dataset]:
    made = [ct(number, 500) for number in (1, 2)]
    for place, syntax in enumerate(
        (ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian), 3
    ):
        made.append(ct(place, 500))
        made[-1].file_meta.TransferSyntaxUID = syntax
    compressed = ct(9, 500, Rows=64, Columns=64, PixelData=bytes(64 * 64 * 2))
    compressed.compress(RLELossless, generate_instance_uid=False)
    return [*made, compressed]


def wait_for(served: Served, seconds: float = 60.0) -> list[dict[str, object]]:
    """The studies, once the submissions have come to their end."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = httpx.get(
            f"{served.url}/v1/registries/{REGISTRY}/images",
            headers=served.authorised(served.registrar),
        )
        assert answer.status_code == 200
        studies: list[dict[str, object]] = answer.json()
        if studies and studies[0]["instances"] == len(objects()):
            return studies
        time.sleep(0.2)
    raise AssertionError("the instances were not archived in time")


@pytest.fixture(scope="module")
def stored(served: Served) -> Dataset:
    """What dicomweb-client makes of the answer to its objects."""
    answer = client(served).store_instances([dcmread(BytesIO(packed(one))) for one in objects()])
    wait_for(served)
    return answer


def test_dicomweb_client_stores_and_gets_back(served: Served, stored: Dataset):
    assert "FailedSOPSequence" not in stored
    assert len(stored.ReferencedSOPSequence) == len(objects())
    for sent, said in zip(objects(), stored.ReferencedSOPSequence, strict=True):
        assert said.ReferencedSOPInstanceUID == sent.SOPInstanceUID
        parts = said.RetrieveURL.split("/studies/")[1].split("/")
        back = client(served).retrieve_instance(
            parts[0], parts[2], parts[4], media_types=(("application/dicom", "*"),)
        )
        assert back.SOPInstanceUID == parts[4]
        assert back.PatientIdentityRemoved == "YES"
        assert back.Rows == sent.Rows
        metadata = client(served).retrieve_instance_metadata(parts[0], parts[2], parts[4])
        assert metadata["00080018"]["Value"] == [parts[4]]


def test_the_deflated_the_big_endian_and_the_compressed_keep_their_pixels(
    served: Served, stored: Dataset
):
    for sent, said in zip(objects(), stored.ReferencedSOPSequence, strict=True):
        got = httpx.get(
            said.RetrieveURL,
            headers={**served.authorised(served.registrar), "Accept": "application/dicom"},
        )
        back = dcmread(BytesIO(got.content))
        assert back.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
        assert back.PixelData == sent.PixelData


def test_dcmtk_reads_every_archived_file_and_shows_no_identifier(served: Served, stored: Dataset):
    dcmdump = shutil.which("dcmdump")
    if dcmdump is None:
        pytest.skip("dcmtk is not installed")
    files = sorted((served.settings.data / "archive").rglob("*.dcm"))
    assert len(files) == len(objects())
    for path in files:
        shown = subprocess.run(
            [dcmdump, "--print-all", "--load-all", "--convert-to-utf8", path],
            capture_output=True,
            check=False,
        )
        assert shown.returncode == 0, shown.stderr
        assert b"error" not in shown.stderr.lower()
        assert b"W:" not in shown.stderr, shown.stderr
        text = shown.stdout.lower()
        assert b"patientidentityremoved" in text
        for secret in SECRETS:
            assert secret not in text
        assert _preamble_is_zero(path)


def _preamble_is_zero(path: Path) -> bool:
    return path.read_bytes()[:128] == bytes(128)
