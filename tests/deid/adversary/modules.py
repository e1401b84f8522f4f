"""The modules that objects share: patient, study, series, equipment, frame of reference, pixels."""

from random import Random

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.deid.adversary.answers import Secret
from tests.deid.adversary.planting import Planting, code, items, made

MACHINES = {
    "CT": ("SIEMENS", "SOMATOM Force"),
    "MR": ("GE MEDICAL SYSTEMS", "SIGNA Premier"),
    "US": ("Philips Medical Systems", "EPIQ 7G"),
    "PT": ("SIEMENS", "Biograph64"),
    "NM": ("GE MEDICAL SYSTEMS", "INFINIA"),
    "CR": ("FUJIFILM Corporation", "DR-ID 700"),
    "DX": ("Carestream Health", "DRX-Revolution"),
    "MG": ("HOLOGIC, Inc.", "Selenia Dimensions"),
}


def invented(random: Random) -> tuple[str, str]:
    """A maker and a model that no list can know."""
    first, last = (
        "".join(
            random.choice(("vex", "zon", "qua", "tri", "lum", "ort", "mex", "ilo"))
            for _ in range(2)
        )
        for _ in range(2)
    )
    kind = random.choice(("Medical", "Imaging", "Medizintechnik", "Systems", "Healthcare"))
    return f"{first.capitalize()} {kind}", f"{last.capitalize()} {random.randrange(100, 9000)}"


def begin(at: Planting, sop_class: str, modality: str) -> None:
    """Patient, study, series, equipment and SOP common modules, with their identities."""
    ds, visit, patient, random = at.dataset, at.visit, at.patient, at.random
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    at.kept(ds, (), SOPClassUID=sop_class, Modality=modality)
    visit.series += 1
    series = f"{visit.uid}.{visit.series}"
    at.identify(
        ds,
        (),
        SOPInstanceUID=f"{series}.{at.number}",
        StudyInstanceUID=visit.uid,
        SeriesInstanceUID=series,
    )
    for uid in (visit.uid, series):
        at.secret(uid, "uid")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    _patient(at)
    for keyword in ("StudyDate", "SeriesDate", "ContentDate"):
        setattr(ds, keyword, f"{visit.day:%Y%m%d}")
        at.case.dated.append((keyword,))
    at.kept(ds, (), StudyTime="101112", SeriesTime="101530.500", ContentTime="101600")
    ds.AccessionNumber = at.secret(visit.accession, "AccessionNumber")
    ds.StudyID = at.secret(visit.study_id, "StudyID")
    ds.ReferringPhysicianName = visit.referring
    ds.OperatorsName = visit.operator
    ds.PerformingPhysicianName = visit.performing
    ds.NameOfPhysiciansReadingStudy = visit.reader
    for keyword, name in (
        ("ReferringPhysicianName", visit.referring),
        ("OperatorsName", visit.operator),
        ("PerformingPhysicianName", visit.performing),
        ("NameOfPhysiciansReadingStudy", visit.reader),
    ):
        at.name_secrets(keyword, *name.split("^")[:2])
    ds.InstitutionName = at.secret(visit.institution, "InstitutionName")
    ds.InstitutionalDepartmentName = visit.department
    at.secret(visit.department.split()[1], "InstitutionalDepartmentName")
    ds.InstitutionAddress = at.secret(
        f"{random.randrange(10, 999)} {patient.town} Road, {patient.postcode}", "InstitutionAddress"
    )
    ds.StationName = at.secret(visit.station, "StationName")
    at.numbers(ds, (), "DeviceSerialNumber")
    maker, model = MACHINES.get(modality, ("ACME Imaging", "Model 9"))
    if random.random() < 0.2:
        maker, model = invented(random)
    at.kept(ds, (), Manufacturer=maker, ManufacturerModelName=model, SoftwareVersions="VB20A_SP3")
    at.kept(ds, (), SeriesNumber=visit.series, InstanceNumber=at.number % 40 + 1)
    at.describe(ds, (), "StudyDescription", "SeriesDescription")
    if random.random() < 0.5:
        at.describe(ds, (), "ProtocolName")


def _patient(at: Planting) -> None:
    ds, patient, random = at.dataset, at.patient, at.random
    ds.PatientName = patient.name
    at.name_secrets("PatientName", patient.family, patient.given, patient.middle)
    if patient.script is not None:
        script = patient.script
        if script.charset != ("ISO_IR 192",) or random.random() < 0.9:
            ds.SpecificCharacterSet = list(script.charset)
        if script.ideographic:
            ds.PatientName = f"{patient.family}^{patient.given}={script.family}^{script.given}"
        else:
            ds.PatientName = f"{script.family}^{script.given}"
        for part in (script.family, script.given):
            at.secret(part, "PatientName", script.codec)
    else:
        ds.SpecificCharacterSet = random.choice(("ISO_IR 100", "ISO_IR 192", "ISO_IR 6"))
        if ds.SpecificCharacterSet == "ISO_IR 6":
            del ds.SpecificCharacterSet
    if patient.empty_id:
        ds.PatientID = ""
    else:
        ds.PatientID = at.secret(patient.mrn, "PatientID")
        ds.IssuerOfPatientID = at.secret(patient.issuer, "IssuerOfPatientID")
    ds.PatientBirthDate = at.secret(f"{patient.born:%Y%m%d}", "PatientBirthDate")
    at.kept(ds, (), PatientSex=patient.sex)
    years = (at.visit.day - patient.born).days // 365.2425
    if 0 < years < 130:
        at.case.age = f"{min(int(years), 89):03d}Y"
        ds.PatientAge = f"{int(years):03d}Y"
    if random.random() < 0.7:
        at.kept(ds, (), PatientSize="1.72", PatientWeight="71.5")
    if random.random() < 0.4:
        at.kept(ds, (), SmokingStatus="YES", PregnancyStatus=4, EthnicGroup="HISPANIC")
        at.kept(ds, (), PatientSexNeutered="UNALTERED")
    extras = {
        "OtherPatientIDs": patient.mrn[::-1] + "Q7",
        "PatientAddress": f"{patient.street}, {patient.town}",
        "PatientTelephoneNumbers": patient.phone,
        "PatientMotherBirthName": at.pn("PatientMotherBirthName"),
        "PatientBirthName": at.pn("PatientBirthName"),
        "MilitaryRank": "Lieutenant Commander",
        "BranchOfService": "Coast Guard",
        "CountryOfResidence": "Lichtenstein",
        "RegionOfResidence": "Upper Silesia",
        "PatientReligiousPreference": "Zoroastrian",
        "PatientInsurancePlanCodeSequence": None,
        "Occupation": "Lighthouse keeper",
        "ResponsiblePerson": at.pn("ResponsiblePerson"),
        "PatientBirthTime": "231745",
    }
    for keyword in random.sample(sorted(extras), 6):
        value = extras[keyword]
        if value is None:
            ds.PatientInsurancePlanCodeSequence = items(
                code(at.identifier(keyword), "99INS", f"Plan of {patient.family}")
            )
            continue
        setattr(ds, keyword, value)
        if keyword.endswith("Name") or keyword == "ResponsiblePerson":
            continue  # already in the key
        at.case.secrets.append(Secret(value, keyword))


def referenced(at: Planting, sop_class: str) -> None:
    """Requests, procedure steps and references, each with identities and UIDs inside."""
    ds = at.dataset
    request = made()
    where: tuple[str | int, ...] = ("RequestAttributesSequence", 0)
    ds.RequestAttributesSequence = items(request)
    at.numbers(request, where, "RequestedProcedureID", "ScheduledProcedureStepID")
    at.describe(
        request, where, "RequestedProcedureDescription", "ScheduledProcedureStepDescription"
    )
    request.AccessionNumber = at.visit.accession
    request.ReferencedStudySequence = items(made())
    at.may_refer(request.ReferencedStudySequence[0], "1.2.840.10008.3.1.2.3.1")
    at.numbers(ds, (), "PerformedProcedureStepID")
    at.describe(ds, (), "PerformedProcedureStepDescription")
    at.dates(ds, (), "PerformedProcedureStepStartDate")
    at.kept(ds, (), PerformedProcedureStepStartTime="100501")
    ds.ReferencedImageSequence = items(made(), made())
    for number, item in enumerate(ds.ReferencedImageSequence):
        at.refer(item, ("ReferencedImageSequence", number), sop_class)
        item.PurposeOfReferenceCodeSequence = items(code("121311", "DCM", "Localizer"))
    at.keep(("ReferencedImageSequence", 0, "PurposeOfReferenceCodeSequence", 0, "CodeMeaning"))
    step = made()
    ds.ReferencedPerformedProcedureStepSequence = items(step)
    at.may_refer(step, "1.2.840.10008.3.1.2.3.3")


def plane(at: Planting) -> None:
    """Where the image lies in the patient."""
    ds = at.dataset
    at.identify(ds, (), FrameOfReferenceUID=at.visit.frame_of_reference)
    at.secret(at.visit.frame_of_reference, "uid")
    at.kept(
        ds,
        (),
        ImagePositionPatient=[-170.5, -165.25, 12.5 * at.number],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=[0.703125, 0.703125],
        SliceThickness="1.25",
    )
    ds.PositionReferenceIndicator = ""


def pixels(
    at: Planting,
    array: NDArray[np.generic],
    photometric: str = "MONOCHROME2",
    stored: int | None = None,
    frames: bool = False,
) -> None:
    """Native pixel data out of an array (frames, rows, columns, samples)."""
    ds = at.dataset
    colour = photometric in ("RGB", "YBR_FULL")
    shape = array.shape[1:] if frames else array.shape
    allocated = array.dtype.itemsize * 8
    stored = stored or allocated
    at.kept(
        ds,
        (),
        SamplesPerPixel=3 if colour else 1,
        PhotometricInterpretation=photometric,
        Rows=shape[0],
        Columns=shape[1],
        BitsAllocated=allocated,
        BitsStored=stored,
        HighBit=stored - 1,
        PixelRepresentation=int(array.dtype.kind == "i"),
    )
    if colour:
        ds.PlanarConfiguration = 0
    if frames:
        at.kept(ds, (), NumberOfFrames=array.shape[0])
    ds.PixelData = array.tobytes()
    if len(ds.PixelData) % 2:
        ds.PixelData += b"\0"
    ds["PixelData"].VR = "OB" if allocated == 8 else "OW"


def anatomy(
    at: Planting, rows: int, columns: int, frames: int = 0, top: int = 4095
) -> NDArray[np.uint16]:
    """Something like tissue: smooth shapes with noise, no letters."""
    chance = np.random.default_rng(at.random.randrange(2**32))
    y, x = np.mgrid[0:rows, 0:columns]
    picture = np.zeros((rows, columns))
    for _ in range(5):
        cy, cx = chance.uniform(0.2, 0.8, 2) * (rows, columns)
        picture += np.exp(-(((y - cy) / (rows / 4)) ** 2 + ((x - cx) / (columns / 5)) ** 2))
    picture = picture / picture.max() * top * 0.6
    stack = picture[None] + chance.normal(0, top / 60, (max(frames, 1), rows, columns))
    made_up: NDArray[np.uint16] = np.clip(stack, 0, top).astype(np.uint16)
    return made_up if frames else made_up.reshape(rows, columns)
