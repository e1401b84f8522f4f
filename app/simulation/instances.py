"""CT instances whose headers carry planted identities at every depth; every one is listed."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from app.registries.images import Reading
from app.registries.schema import Definition, Element, Form, Identity
from app.simulation.entries import Elements
from app.simulation.people import code, name
from app.simulation.places import Facility
from app.simulation.plan import dice

ROOT = "1.2.826.0.1.3680043.10.1561"
SIDE = 64
_ROLES: tuple[Identity, ...] = ("accession", "local_id", "birth_date")

Canaries = list[tuple[str, str]]
"""Kind and value of each planted identity."""


class Scanner:
    """Makes the CT study of an exam as a scanner would have written it."""

    def __init__(self, definition: Definition, form: Form, seed: int, instances: int) -> None:
        self._form, self._seed = form, seed
        self._read = any(
            one.form == form.id and not (one.where or one.documents or one.holding or one.each)
            for one in definition.images
        )
        self._instances = instances
        self._period = form.period or ""
        self._roles = {
            role: element.id for role in _ROLES if (element := form.with_identity(role)) is not None
        }

    def knows(self, elements: Elements) -> bool:
        """Whether a case says of whom and of which exam its images are."""
        needed = [self._roles.get("local_id"), self._period]
        if self._form.typed:
            needed.append(self._roles.get("accession"))
        return all(one in elements for one in needed)

    def scan(
        self, study: int, facility: Facility, elements: Elements, folder: Path
    ) -> tuple[list[Path], Canaries]:
        """Write the study's instances; returns their paths and the identities planted in them."""
        rng = dice("study", self._seed, study)
        canaries: Canaries = []
        folder.mkdir(parents=True, exist_ok=True)
        paths: list[Path] = []
        for number, dataset in enumerate(
            self._datasets(rng, study, facility, elements, canaries), 1
        ):
            path = folder / f"study-{study + 1:05d}-{number:03d}.dcm"
            dataset.save_as(path, enforce_file_format=True)
            paths.append(path)
        return paths, canaries

    def _datasets(
        self, rng: Random, study: int, facility: Facility, elements: Elements, canaries: Canaries
    ) -> Iterator[FileDataset]:
        plant = _Plant(self._seed, study, canaries)
        # The patient's name where the form has it, and one of the image's own otherwise.
        last = elements.get("patient_last_name") or plant.name("Zq")
        first = elements.get("patient_first_name") or plant.name("Xv")
        accession, local = (
            str(elements.get(self._roles[one], "")) for one in ("accession", "local_id")
        )
        born = str(elements.get(self._roles.get("birth_date", ""), ""))
        sex = str(elements.get("patient_sex", "O"))
        taken = date.fromisoformat(elements[self._period])
        study_uid, series_uid = plant.uid(0), plant.uid(1)
        referrer, operator, institution = plant.name("Rq"), plant.name("Oq"), plant.name("Iq")
        device, other_id, station = plant.code("DV"), plant.code("PI"), plant.code("ST")
        earlier, comment = plant.uid(2), plant.name("Cq")
        pixels = np.random.default_rng(rng.randrange(1 << 30))
        for number in range(self._instances):
            instance_uid = plant.uid(10 + number)
            meta = FileMetaDataset()
            meta.MediaStorageSOPClassUID = CTImageStorage
            meta.MediaStorageSOPInstanceUID = instance_uid
            explicit = study % 4 != 3
            meta.TransferSyntaxUID = ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian
            meta.SourceApplicationEntityTitle = station
            one = FileDataset("", {}, file_meta=meta, preamble=_preamble(plant, study))
            one.SpecificCharacterSet = "ISO_IR 192"
            one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
            one.SOPClassUID = CTImageStorage
            one.SOPInstanceUID = instance_uid
            one.StudyDate = one.SeriesDate = one.AcquisitionDate = one.ContentDate = _da(taken)
            one.StudyTime = one.SeriesTime = one.AcquisitionTime = "101530"
            one.AcquisitionDateTime = _da(taken) + "101530"
            one.AccessionNumber = accession
            one.Modality = "CT"
            one.Manufacturer = facility.scanner[0]
            one.ManufacturerModelName = facility.scanner[1]
            one.InstitutionName = institution
            one.InstitutionAddress = f"{institution} Street, {facility.city}"
            one.StationName = station
            one.ReferringPhysicianName = f"{referrer}^Dr"
            one.OperatorsName = operator
            one.PerformingPhysicianName = f"{operator}^{referrer}"
            one.StudyDescription = f"LDCT for {last}"
            one.SeriesDescription = "LUNG SCREEN 1.0 MM"
            one.PatientName = f"{last}^{first}"
            one.PatientID = local
            one.IssuerOfPatientID = institution
            one.PatientBirthDate = born.replace("-", "")
            one.PatientSex = sex if sex in ("M", "F", "O") else "O"
            one.OtherPatientNames = f"{last}^{comment}"
            one.OtherPatientIDsSequence = _sequence(
                f"{last}^{first}",
                PatientID=other_id,
                TypeOfPatientID="TEXT",
                IssuerOfPatientID=institution,
            )
            one.PatientAge = "064Y"
            one.PatientAddress = f"1 {comment} Lane"
            one.PatientTelephoneNumbers = "555-0100"
            one.PatientComments = f"neighbour of {comment}"
            one.BodyPartExamined = "CHEST"
            one.KVP = "100"
            one.DeviceSerialNumber = device
            one.ProtocolName = "LOW DOSE CHEST"
            one.StudyInstanceUID = study_uid
            one.SeriesInstanceUID = series_uid
            one.StudyID = other_id
            one.SeriesNumber = 1
            one.InstanceNumber = number + 1
            one.FrameOfReferenceUID = plant.uid(3)
            one.ImagePositionPatient = [-160, -160, 5 * number]
            one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            one.SliceThickness = "1.0"
            one.PixelSpacing = [5, 5]
            one.ImageComments = f"compare with {last}, {first}"
            one.RequestAttributesSequence = _sequence(
                f"{referrer}^Dr",
                RequestedProcedureID=other_id,
                ScheduledProcedureStepDescription=f"chest of {last}",
                RequestingPhysician=f"{referrer}^Dr",
            )
            one.ReferencedStudySequence = _sequence(
                operator, ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=earlier
            )
            if self._read:
                _tell(one, self._form, elements)
            _private(one, f"{last}^{first}", local, comment)
            _image(one, pixels)
            yield one


_OURS = frozenset(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"))
"""What the scanner numbers by itself."""


def _tell(one: FileDataset, form: Form, elements: Elements) -> None:
    """Let the header say of the case what its elements do, wherever they are read in it, and no more."""
    for element in form.all_elements:
        value = elements.get(element.id)
        for place, reading in enumerate(element.from_dicom):
            keyword = "PatientBirthDate" if reading.age_on else reading.attribute or "/"
            if "/" in keyword or keyword in _OURS:
                continue
            if value is not None and place == 0:
                setattr(one, keyword, _written(keyword, element, reading, value))
            elif keyword in one and not (place and _is_told(form, elements, keyword)):
                delattr(one, keyword)


def _is_told(form: Form, elements: Elements, keyword: str) -> bool:
    """Whether an element is read first of all where another one looks when it finds nothing."""
    first = {one.from_dicom[0].attribute: one.id for one in form.all_elements if one.from_dicom}
    return first.get(keyword) in elements


def _written(keyword: str, element: Element, reading: Reading, value: object) -> str:
    """A canonical value as the header has it, in the unit and code that are read there."""
    if element.type == "date":
        return str(value).replace("-", "")
    if keyword == "PatientAge":
        return f"{int(str(value)):03d}Y"
    return next((said for said, means in reading.codes.items() if means == value), str(value))


class _Plant:
    """Makes identities and remembers them."""

    def __init__(self, seed: int, study: int, canaries: Canaries) -> None:
        self._seed, self._study = seed, study
        self._kind = 0
        self._canaries = canaries

    def _listed(self, kind: str, value: str) -> str:
        if (kind, value) not in self._canaries:
            self._canaries.append((kind, value))
        return value

    def name(self, prefix: str) -> str:
        self._kind += 1
        return self._listed("image name", name(prefix, 100 + self._kind, self._study, self._seed))

    def code(self, prefix: str) -> str:
        self._kind += 1
        return self._listed(
            "image code", prefix + code(100_000 + self._kind, self._study, self._seed)
        )

    def uid(self, number: int) -> str:
        return self._listed(
            "uid", f"{ROOT}.{self._seed % 100_000}.{self._study + 1}.{number + 1}.7"
        )


def _da(day: date) -> str:
    return day.strftime("%Y%m%d")


def _sequence(who: str, **attributes: object) -> Sequence:
    """A sequence of one item that names somebody two levels down."""
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    nested = Dataset()
    nested.PersonName = who
    item.PersonIdentificationCodeSequence = Sequence([nested])
    return Sequence([item])


def _private(one: FileDataset, who: str, local_id: str, comment: str) -> None:
    """Private blocks, in two groups, one with a sequence: where vendors keep copies."""
    block = one.private_block(0x0009, "HOUNSFIELD TEST 1", create=True)
    block.add_new(0x01, "LO", who)
    block.add_new(0x02, "SH", local_id)
    item = Dataset()
    item.PatientName = who
    inner = item.private_block(0x0011, "HOUNSFIELD TEST 2", create=True)
    inner.add_new(0x10, "LT", f"seen by {comment}")
    block.add_new(0x03, "SQ", Sequence([item]))
    other = one.private_block(0x0019, "HOUNSFIELD TEST 3", create=True)
    other.add_new(0x20, "UN", who.encode("ascii"))


def _preamble(plant: _Plant, study: int) -> bytes:
    """128 bytes; in every third study somebody's software left a name in them."""
    if study % 3:
        return b"\0" * 128
    return plant.name("Pq").encode("ascii").ljust(128, b"\0")


def _image(one: FileDataset, pixels: np.random.Generator) -> None:
    """A disc of soft tissue in air, with noise."""
    across = np.arange(SIDE) - SIDE / 2
    disc = across[:, None] ** 2 + across[None, :] ** 2 < (SIDE * 0.42) ** 2
    values = np.where(disc, 40, -1000) + pixels.integers(-15, 15, (SIDE, SIDE))
    one.SamplesPerPixel = 1
    one.PhotometricInterpretation = "MONOCHROME2"
    one.Rows = one.Columns = SIDE
    one.BitsAllocated, one.BitsStored, one.HighBit = 16, 16, 15
    one.PixelRepresentation = 1
    one.RescaleIntercept, one.RescaleSlope, one.RescaleType = "0", "1", "HU"
    one.WindowCenter, one.WindowWidth = "-600", "1500"
    one.PixelData = values.astype("<i2").tobytes()
