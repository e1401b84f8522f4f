"""
DICOM objects to measure de-identification with, made here and seeded: nothing is fetched.

A CT series with long headers (some 340 elements counted through all sequences, 180 of them
private), CT slices that have no patient in common, an MR series, multi-frame CT, 10 MB digital
radiographs, and ultrasound loops. Values change from slice to slice where a scanner changes them:
UIDs, numbers, positions, times, dose. Pixels are smooth shapes and noise, without text.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    UltrasoundMultiFrameImageStorage,
)

ROOT = "1.2.826.0.1.3680043.10.998"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object, and the files of it."""

    name: str
    files: tuple[Path, ...]
    size: int
    elements: int
    screened: bool
    """Are these looked at for text in their pixels?"""
    colour: bool

    @property
    def told(self) -> str:
        """How many of what."""
        each = self.size / len(self.files) / 1e6
        return f"{len(self.files)} × {self.name}, {each:.1f} MB each, {self.elements} elements"


def corpus(folder: Path, *, short: bool) -> Iterator[Kind]:
    """Write the objects, kind by kind: fewer of each when `short`."""
    many, few = (40, 2) if short else (120, 6)
    yield _written(folder / "ct", "CT slice", many, lambda number: _ct(1, number))
    strangers = "CT slice, each of another patient and study"
    yield _written(folder / "strangers", strangers, many, lambda number: _ct(100 + number, 1))
    yield _written(folder / "mr", "MR slice", many, _mr)
    yield _written(folder / "frames", "multi-frame CT of 40 frames", few, _frames)
    yield _written(folder / "dx", "digital radiograph", 2 * few, _dx, screened=True)
    yield _written(folder / "us", "ultrasound loop of 30 frames", few, _us, screened=True)


def studies(folder: Path, *, count: int) -> Kind:
    """CT series of 100 slices of as many patients, for what is measured in bulk."""
    return _written(
        folder,
        "CT slice",
        100 * count,
        lambda number: _ct(600 + number // 100, number % 100 + 1),
    )


def _written(
    folder: Path, name: str, count: int, make: Callable[[int], Dataset], screened: bool = False
) -> Kind:
    folder.mkdir()
    files = []
    for number in range(1, count + 1):
        files.append(folder / f"{number:04d}.dcm")
        make(number).save_as(files[-1], enforce_file_format=True)
    size = sum(file.stat().st_size for file in files)
    one = dcmread(files[0])
    elements, colour = sum(1 for _ in one.iterall()), one.SamplesPerPixel > 1
    return Kind(name, tuple(files), size, elements, screened, colour)


def item(**attributes: Any) -> Dataset:
    """A sequence item."""
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _any(study: int, number: int, sop_class: str, modality: str, seed: int) -> Dataset:
    """What every object says: who, when, where, by whom."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = sop_class
    made.SOPInstanceUID = f"{ROOT}.{study}.{seed}.{number}"
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.SpecificCharacterSet, made.Modality = "ISO_IR 100", modality
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.StudyInstanceUID, made.SeriesInstanceUID = f"{ROOT}.{study}", f"{ROOT}.{study}.{seed}"
    made.FrameOfReferenceUID, made.InstanceCreatorUID = f"{ROOT}.{study}.9", f"{ROOT}.5"
    made.StudyDate = made.SeriesDate = made.AcquisitionDate = made.ContentDate = "20240311"
    made.InstanceCreationDate, made.InstanceCreationTime = "20240311", f"1015{number % 60:02d}.0"
    made.StudyTime, made.SeriesTime = "101112.000000", "101213.000000"
    made.AcquisitionTime = made.ContentTime = f"1013{number % 60:02d}.{number * 977 % 10**6:06d}"
    made.AccessionNumber, made.StudyID = f"ACC{study:07d}", f"S{study}"
    made.Manufacturer, made.ManufacturerModelName = "SIEMENS", "SOMATOM Force"
    made.InstitutionName = "Perfville General Hospital"
    made.InstitutionAddress = "12 Measure Street, Perfville"
    made.InstitutionalDepartmentName, made.StationName = "Radiology West", f"{modality}4711"
    made.DeviceSerialNumber, made.SoftwareVersions = "73219", "VA50A"
    made.ReferringPhysicianName, made.OperatorsName = "Thistlewaite^Rita", "Quandary^Otto"
    made.PerformingPhysicianName = "Brackenbury^Nils"
    made.PhysiciansOfRecord = "Thistlewaite^Rita"
    made.PatientName, made.PatientID = f"Perfman^Paula{study}^Q", f"MRN{study:07d}"
    made.IssuerOfPatientID, made.PatientBirthDate = "PERFVILLE", "19610704"
    made.PatientSex, made.PatientAge, made.PatientWeight = "F", "062Y", "71.5"
    made.PatientSize, made.EthnicGroup, made.PregnancyStatus = "1.68", "UNKNOWN", 4
    made.PatientComments = "prior study at other site, see report"
    made.AdditionalPatientHistory = "cough for 6 weeks, former smoker"
    made.SeriesNumber, made.InstanceNumber, made.AcquisitionNumber = seed, number, 1
    made.TimezoneOffsetFromUTC, made.LossyImageCompression = "+0100", "00"
    made.BurnedInAnnotation = "NO"
    made.PerformedProcedureStepID = f"PPS{study}"
    made.PerformedProcedureStepStartDate = made.PerformedProcedureStepEndDate = "20240311"
    made.PerformedProcedureStepStartTime, made.PerformedProcedureStepEndTime = "101112", "101912"
    made.RequestingPhysician, made.RequestedProcedureDescription = "Adler^Ines", "CT chest low dose"
    made.ReferencedStudySequence = Sequence([_reference("1.2.840.10008.3.1.2.3.1", study, 0)])
    made.ReferencedPerformedProcedureStepSequence = Sequence(
        [_reference("1.2.840.10008.3.1.2.3.3", study, 1)]
    )
    made.ProcedureCodeSequence = Sequence([_code("24627-2", "LN", "CT Chest")])
    made.RequestAttributesSequence = Sequence(
        [
            item(
                ScheduledProcedureStepDescription="CT chest low dose",
                ScheduledProcedureStepID=f"SPS{study}",
                RequestedProcedureID=f"RP{study}",
                RequestedProcedureCodeSequence=Sequence([_code("24627-2", "LN", "CT Chest")]),
            )
        ]
    )
    return made


def _reference(sop_class: str, study: int, number: int) -> Dataset:
    return item(
        ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=f"{ROOT}.{study}.77.{number}"
    )


def _pixels(
    made: Dataset, rows: int, columns: int, bits: int, samples: int, frames: int, seed: int
) -> Dataset:
    made.Rows, made.Columns, made.SamplesPerPixel = rows, columns, samples
    made.PhotometricInterpretation = "MONOCHROME2" if samples == 1 else "RGB"
    made.BitsAllocated = 16 if bits > 8 else 8
    made.BitsStored, made.HighBit, made.PixelRepresentation = bits, bits - 1, 0
    if samples > 1:
        made.PlanarConfiguration = 0
    chance = np.random.default_rng(seed)
    down, across = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    body = np.clip(1.2 - np.hypot(down * 1.3, across), 0, 1) * (
        0.7 + 0.2 * np.cos(5 * across + seed)
    )
    noise = chance.normal(0, 0.02, (frames, rows, columns))
    picture = (np.clip(body + noise, 0, 1) * ((1 << bits) - 1)).astype("<u2" if bits > 8 else "u1")
    made.PixelData = np.repeat(picture[..., None], samples, axis=-1).tobytes()
    return made


def _private(made: Dataset, group: int, creator: str, number: int, count: int) -> None:
    block = made.private_block(group, creator, create=True)
    for offset in range(1, count + 1):
        if offset % 5 == 1:
            block.add_new(offset, "LO", f"PARAMETER {offset}")
        elif offset % 5 == 2:
            block.add_new(offset, "SL", offset * 17)
        else:  # a few change from slice to slice, as in earnest
            block.add_new(offset, "DS", f"{offset}.{number if offset % 20 == 3 else 5}")


def _ct(study: int, number: int) -> Dataset:
    made = _any(study, number, CTImageStorage, "CT", 1)
    made.StudyDescription, made.SeriesDescription = "CT CHEST W/O CONTRAST", "LUNG 1.0 B60f"
    made.ProtocolName, made.BodyPartExamined = "ThoraxLowDose", "CHEST"
    made.KVP, made.DataCollectionDiameter = "120", "500"
    made.ReconstructionDiameter, made.DistanceSourceToDetector = "358", "1085.6"
    made.DistanceSourceToPatient, made.GantryDetectorTilt, made.TableHeight = "595", "0", "142"
    made.RotationDirection, made.ExposureTime = "CW", "500"
    made.XRayTubeCurrent = str(80 + number % 37)
    made.Exposure, made.FilterType, made.GeneratorPower = str(40 + number % 19), "FLAT", "10"
    made.FocalSpots, made.ConvolutionKernel, made.PatientPosition = "1.2", "B60f", "FFS"
    made.DateOfLastCalibration, made.TimeOfLastCalibration = "20240301", "080000"
    made.SingleCollimationWidth, made.TotalCollimationWidth = 0.6, 38.4
    made.TableSpeed, made.TableFeedPerRotation, made.SpiralPitchFactor = 92.1, 46.0, 1.2
    made.EstimatedDoseSaving, made.CTDIvol = 12.5, 2.1 + number / 1000
    made.DataCollectionCenterPatient = [-0.7, -192.0, -700.0 + number]
    made.ReconstructionTargetCenterPatient = [-0.7, -192.0, -700.0 + number]
    made.ExposureModulationType, made.IrradiationEventUID = "XYZ_EC", f"{ROOT}.{study}.33"
    made.AcquisitionType, made.SliceThickness = "SPIRAL", "1"
    made.ImagePositionPatient = [-179.3, -341.2, round(-700 + number * 0.7, 4)]
    made.ImageOrientationPatient, made.SliceLocation = [1, 0, 0, 0, 1, 0], f"{number * 0.7:.4f}"
    made.PositionReferenceIndicator, made.PixelSpacing = "", [0.7, 0.7]
    made.WindowCenter, made.WindowWidth = ["-600", "50"], ["1200", "350"]
    made.WindowCenterWidthExplanation = ["WINDOW1", "WINDOW2"]
    made.RescaleIntercept, made.RescaleSlope, made.RescaleType = "-1024", "1", "HU"
    made.SmallestImagePixelValue, made.LargestImagePixelValue = 0, 1800 + number
    made.CTDIPhantomTypeCodeSequence = Sequence(
        [_code("113691", "DCM", "IEC Body Dosimetry Phantom")]
    )
    made.AnatomicRegionSequence = Sequence([_code("51185008", "SCT", "Chest")])
    made.SourceImageSequence = Sequence([_reference(CTImageStorage, study, n) for n in range(4)])
    made.ReferencedImageSequence = Sequence(
        [_reference(CTImageStorage, study, 100 + n) for n in range(3)]
    )
    for group, creator in ((0x0019, "CT SHIFTED"), (0x0029, "CT DETAIL"), (0x0051, "CT PLAN")):
        _private(made, group, f"PERFSCAN {creator} HEADER", number, 60)
    return _pixels(made, 512, 512, 12, 1, 1, number)


def _mr(number: int) -> Dataset:
    made = _any(2, number, MRImageStorage, "MR", 1)
    made.StudyDescription, made.SeriesDescription = "MR HEAD", "T2 FLAIR AX 3MM"
    made.ProtocolName, made.BodyPartExamined, made.SequenceName = (
        "t2_tirm_tra_dark",
        "HEAD",
        "tir2d",
    )
    made.ScanningSequence, made.SequenceVariant, made.ScanOptions = (
        ["SE", "IR"],
        ["SK", "SP"],
        "PFP",
    )
    made.MRAcquisitionType, made.AngioFlag, made.SliceThickness = "2D", "N", "3"
    made.RepetitionTime, made.EchoTime, made.InversionTime = "9000", "86", "2500"
    made.NumberOfAverages, made.ImagingFrequency, made.ImagedNucleus = "1", "123.25", "1H"
    made.EchoNumbers, made.MagneticFieldStrength, made.SpacingBetweenSlices = "1", "3", "3.3"
    made.NumberOfPhaseEncodingSteps, made.EchoTrainLength, made.PercentSampling = "179", "16", "70"
    made.PercentPhaseFieldOfView, made.PixelBandwidth = "81.25", "289"
    made.TransmitCoilName, made.AcquisitionMatrix = "Body", [0, 256, 179, 0]
    made.InPlanePhaseEncodingDirection, made.FlipAngle, made.SAR = "ROW", "150", "0.9"
    made.VariableFlipAngleFlag, made.PatientPosition = "N", "HFS"
    made.ImagePositionPatient = [-110.0, -120.0, round(-40 + number * 3.3, 3)]
    made.ImageOrientationPatient, made.SliceLocation = [1, 0, 0, 0, 1, 0], f"{number * 3.3:.3f}"
    made.PixelSpacing, made.WindowCenter, made.WindowWidth = [0.86, 0.86], "300", "700"
    made.ReferencedImageSequence = Sequence(
        [_reference(MRImageStorage, 2, 100 + n) for n in range(3)]
    )
    for group, creator in ((0x0019, "MR DIFFUSION"), (0x0029, "MR DETAIL"), (0x0051, "MR PLAN")):
        _private(made, group, f"PERFSCAN {creator} HEADER", number, 30)
    return _pixels(made, 256, 256, 12, 1, 1, number)


def _frames(number: int) -> Dataset:
    made = _any(500 + number, 1, EnhancedCTImageStorage, "CT", 1)
    made.StudyDescription, made.NumberOfFrames = "CT CHEST W/O CONTRAST", 40
    made.SharedFunctionalGroupsSequence = Sequence(
        [item(PixelMeasuresSequence=Sequence([item(PixelSpacing=[0.7, 0.7], SliceThickness="1")]))]
    )
    made.PerFrameFunctionalGroupsSequence = Sequence(
        [
            item(
                FrameContentSequence=Sequence([item(InStackPositionNumber=frame + 1)]),
                PlanePositionSequence=Sequence([item(ImagePositionPatient=[0, 0, frame])]),
            )
            for frame in range(40)
        ]
    )
    return _pixels(made, 512, 512, 12, 1, 40, number)


def _dx(number: int) -> Dataset:
    made = _any(300 + number, 1, DigitalXRayImageStorageForPresentation, "DX", 1)
    made.StudyDescription, made.SeriesDescription = "XR CHEST PA", "PA"
    made.BodyPartExamined, made.ViewPosition, made.ImageLaterality = "CHEST", "PA", "U"
    made.KVP, made.ExposureTime, made.XRayTubeCurrent, made.Exposure = "120", "8", "250", "2"
    made.ImagerPixelSpacing, made.PresentationIntentType = [0.143, 0.143], "FOR PRESENTATION"
    made.DetectorType, made.DetectorID = "SCINTILLATOR", "DET-88213"
    made.PixelIntensityRelationship, made.PixelIntensityRelationshipSign = "LOG", -1
    made.RescaleIntercept, made.RescaleSlope, made.RescaleType = "0", "1", "US"
    made.PresentationLUTShape, made.WindowCenter, made.WindowWidth = "IDENTITY", "2048", "4096"
    made.AnatomicRegionSequence = Sequence([_code("51185008", "SCT", "Chest")])
    return _pixels(made, 2440, 2048, 12, 1, 1, number)


def _us(number: int) -> Dataset:
    made = _any(400 + number, 1, UltrasoundMultiFrameImageStorage, "US", 1)
    made.StudyDescription, made.SeriesDescription = "US HEART", "4CH"
    made.NumberOfFrames, made.FrameTime, made.FrameIncrementPointer = 30, "33.3", 0x00181063
    made.HeartRate, made.TransducerData = "71", ["S5-1", "", ""]
    made.SequenceOfUltrasoundRegions = Sequence(
        [
            item(
                RegionSpatialFormat=1,
                RegionDataType=1,
                RegionFlags=2,
                RegionLocationMinX0=0,
                RegionLocationMinY0=0,
                RegionLocationMaxX1=639,
                RegionLocationMaxY1=479,
                PhysicalUnitsXDirection=3,
                PhysicalUnitsYDirection=3,
                PhysicalDeltaX=0.03,
                PhysicalDeltaY=0.03,
            )
        ]
    )
    return _pixels(made, 480, 640, 8, 3, 30, number)
