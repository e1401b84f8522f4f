"""DICOM objects with identities in many places, and multipart bodies to send them in."""

import random
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

ROOT = "1.2.826.0.1.3680043.10.999"


def item(**attributes: Any) -> Dataset:
    """A sequence item."""
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def ct(number: int = 1, study: int = 1, series: int = 1, **change: Any) -> Dataset:
    """A small CT slice as a scanner sends it. `change` sets attributes; None removes one."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = CTImageStorage
    made.SpecificCharacterSet = "ISO_IR 100"
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.SOPClassUID = CTImageStorage
    made.SOPInstanceUID = f"{ROOT}.{study}.{series}.{number}"
    made.StudyInstanceUID = f"{ROOT}.{study}"
    made.SeriesInstanceUID = f"{ROOT}.{study}.{series}"
    made.FrameOfReferenceUID = f"{ROOT}.{study}.9999"
    made.StudyDate = made.SeriesDate = made.AcquisitionDate = made.ContentDate = "20240311"
    made.StudyTime = made.SeriesTime = made.AcquisitionTime = made.ContentTime = "101112.5"
    made.AccessionNumber = f"ACC-{study:06d}"
    made.Modality = "CT"
    made.Manufacturer = "SIEMENS"
    made.ManufacturerModelName = "SOMATOM Force"
    made.InstitutionName = "Riverside Hospital of Quillmark"
    made.ReferringPhysicianName = "Thistlewood^Erasmus"
    made.StudyDescription = "CT CHEST W/O CONTRAST"
    made.SeriesDescription = "LUNG 1.0 B60f"
    made.PatientName = "Quizzleberry^Ottoline"
    made.PatientID = "MRN-7730015"
    made.PatientBirthDate = "19610704"
    made.PatientSex = "F"
    made.PatientAge = "062Y"
    made.BodyPartExamined = "CHEST"
    made.KVP = "120"
    made.StudyID = "S77123"
    made.SeriesNumber = series
    made.InstanceNumber = number
    made.ImagePositionPatient = [-170, -170, 2 * number]
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.PixelSpacing = [0.7, 0.7]
    made.SliceThickness = "1"
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.Rows = made.Columns = 16
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
    made.PixelRepresentation = 0
    made.RescaleIntercept, made.RescaleSlope = "-1024", "1"
    made.PixelData = random.Random(number).randbytes(512)
    for keyword, value in change.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    made.file_meta.MediaStorageSOPInstanceUID = made.get("SOPInstanceUID") or f"{ROOT}.0"
    return made


def packed(dataset: Dataset, **options: Any) -> bytes:
    """The bytes of a file."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True, **options)
    return buffer.getvalue()


def sent(number: int = 1, study: int = 1, series: int = 1, **change: Any) -> bytes:
    """The bytes of a CT slice."""
    return packed(ct(number, study, series, **change))


def items(*some: Dataset) -> Items:
    """A sequence."""
    return Items(some)


BOUNDARY = "not-in-any-object-7f3a"
DICOM_PARTS = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


def multipart(
    parts: Iterable[bytes], headers: Sequence[str] = ("Content-Type: application/dicom",)
) -> bytes:
    """A body of several parts."""
    head = "".join(f"{line}\r\n" for line in headers).encode()
    body = b"".join(
        b"--" + BOUNDARY.encode() + b"\r\n" + head + b"\r\n" + part + b"\r\n" for part in parts
    )
    return body + b"--" + BOUNDARY.encode() + b"--\r\n"
