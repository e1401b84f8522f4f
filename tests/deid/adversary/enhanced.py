"""Multi-frame objects with functional groups: what is said of all frames, and of each."""

from collections.abc import Callable

import numpy as np
from pydicom import Dataset, uid
from pydicom.sequence import Sequence as Items

from tests.deid.adversary import modules
from tests.deid.adversary.planting import Kind, Planting, code, items, made


def _enhanced(
    at: Planting, sop_class: str, modality: str, frame: Callable[[Dataset, int], None]
) -> None:
    ds = at.dataset
    modules.begin(at, sop_class, modality)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    at.keep(("ImageType",))
    at.dates(ds, (), "AcquisitionDateTime")
    at.identify(ds, (), FrameOfReferenceUID=at.visit.frame_of_reference)
    ds.PositionReferenceIndicator = ""
    at.kept(
        ds,
        (),
        ContentQualification="RESEARCH",
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
        BurnedInAnnotation="NO",
        LossyImageCompression="00",
        PresentationLUTShape="IDENTITY",
    )
    organization = at.uid()
    ds.DimensionOrganizationSequence = items(made())
    at.identify(
        ds.DimensionOrganizationSequence[0],
        ("DimensionOrganizationSequence", 0),
        DimensionOrganizationUID=organization,
    )
    ds.DimensionIndexSequence = items(made())
    index = ds.DimensionIndexSequence[0]
    at.identify(index, ("DimensionIndexSequence", 0), DimensionOrganizationUID=organization)
    at.kept(
        index,
        ("DimensionIndexSequence", 0),
        DimensionIndexPointer=0x00200032,
        FunctionalGroupPointer=0x00209113,
        DimensionDescriptionLabel="Image Position",
    )
    shared = made()
    ds.SharedFunctionalGroupsSequence = items(shared)
    shared.PixelMeasuresSequence = items(made())
    at.kept(
        shared.PixelMeasuresSequence[0],
        ("SharedFunctionalGroupsSequence", 0, "PixelMeasuresSequence", 0),
        PixelSpacing=[0.9, 0.9],
        SliceThickness="2",
    )
    shared.PlaneOrientationSequence = items(made(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]))
    shared.FrameAnatomySequence = items(
        made(
            FrameLaterality="U",
            AnatomicRegionSequence=items(code("51185008", "SCT", "Chest")),
        )
    )
    at.keep(
        (
            "SharedFunctionalGroupsSequence",
            0,
            "FrameAnatomySequence",
            0,
            "AnatomicRegionSequence",
            0,
            "CodeMeaning",
        )
    )
    shared.ReferencedImageSequence = items(made())
    at.refer(
        shared.ReferencedImageSequence[0],
        ("SharedFunctionalGroupsSequence", 0, "ReferencedImageSequence", 0),
        sop_class,
    )
    shared.ReferencedImageSequence[0].PurposeOfReferenceCodeSequence = items(
        code("121311", "DCM", "Localizer")
    )
    frames = Items()
    for number in range(3):
        one = made()
        where = ("PerFrameFunctionalGroupsSequence", number)
        one.FrameContentSequence = items(made())
        content = one.FrameContentSequence[0]
        here = (*where, "FrameContentSequence", 0)
        at.dates(content, here, "FrameAcquisitionDateTime", "FrameReferenceDateTime")
        at.describe(content, here, "FrameComments")
        at.kept(content, here, DimensionIndexValues=number + 1, FrameAcquisitionDuration=12.5)
        content.StackID, content.InStackPositionNumber = "1", number + 1
        content.FrameLabel = at.patient.family[:16]
        one.PlanePositionSequence = items(made())
        at.kept(
            one.PlanePositionSequence[0],
            (*where, "PlanePositionSequence", 0),
            ImagePositionPatient=[0, 0, 2 * number],
        )
        one.FrameVOILUTSequence = items(
            made(WindowCenter="40", WindowWidth="400", WindowCenterWidthExplanation="SOFT TISSUE")
        )
        one.DerivationImageSequence = items(made())
        derived = one.DerivationImageSequence[0]
        there = (*where, "DerivationImageSequence", 0)
        at.describe(derived, there, "DerivationDescription")
        derived.DerivationCodeSequence = items(code("113072", "DCM", "Multiplanar reformatting"))
        derived.SourceImageSequence = items(made())
        at.refer(derived.SourceImageSequence[0], (*there, "SourceImageSequence", 0), sop_class)
        derived.SourceImageSequence[0].PurposeOfReferenceCodeSequence = items(
            code("121322", "DCM", "Source image for image processing operation")
        )
        frame(one, number)
        frames.append(one)
    ds.PerFrameFunctionalGroupsSequence = frames
    at.describe(ds, (), "ImageComments")
    modules.pixels(at, modules.anatomy(at, 32, 32, frames=3), stored=12, frames=True)


def _plain(at: Planting) -> None:
    """Take out what is in the enhanced images' modules but not in every multi-frame object's."""
    for keyword in (
        "PixelPresentation",
        "VolumetricProperties",
        "VolumeBasedCalculationTechnique",
        "ImageComments",
    ):
        del at.dataset[keyword]
        at.forget(keyword)


def enhanced_ct(at: Planting) -> None:
    """Enhanced CT."""

    def frame(one: Dataset, number: int) -> None:
        one.CTExposureSequence = items(made(ExposureTimeInms=500.0, XRayTubeCurrentInmA=200.0))
        one.CTImageFrameTypeSequence = items(
            made(
                FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], PixelPresentation="MONOCHROME"
            )
        )
        one.IrradiationEventIdentificationSequence = items(made())
        at.identify(
            one.IrradiationEventIdentificationSequence[0],
            (
                "PerFrameFunctionalGroupsSequence",
                number,
                "IrradiationEventIdentificationSequence",
                0,
            ),
            IrradiationEventUID=at.uid(),
        )

    _enhanced(at, uid.EnhancedCTImageStorage, "CT", frame)


def enhanced_mr(at: Planting) -> None:
    """Enhanced MR."""

    def frame(one: Dataset, number: int) -> None:
        one.MRDiffusionSequence = items(made())
        at.kept(
            one.MRDiffusionSequence[0],
            ("PerFrameFunctionalGroupsSequence", number, "MRDiffusionSequence", 0),
            DiffusionBValue=1000.0,
            DiffusionDirectionality="DIRECTIONAL",
        )
        one.MREchoSequence = items(made(EffectiveEchoTime=92.0))

    _enhanced(at, uid.EnhancedMRImageStorage, "MR", frame)
    at.kept(
        at.dataset, (), MagneticFieldStrength="3", ResonantNucleus="1H", PulseSequenceName="ep2d"
    )


def enhanced_pet(at: Planting) -> None:
    """Enhanced PET."""

    def frame(one: Dataset, number: int) -> None:
        one.PETFrameTypeSequence = items(made(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]))

    _enhanced(at, uid.EnhancedPETImageStorage, "PT", frame)


def tomosynthesis(at: Planting) -> None:
    """Breast tomosynthesis."""

    def frame(one: Dataset, number: int) -> None:
        one.XRay3DFrameTypeSequence = items(
            made(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])
        )

    _enhanced(at, uid.BreastTomosynthesisImageStorage, "MG", frame)


def optical(at: Planting) -> None:
    """Ophthalmic tomography."""

    def frame(one: Dataset, number: int) -> None:
        one.OphthalmicFrameLocationSequence = items(made())
        at.refer(
            one.OphthalmicFrameLocationSequence[0],
            ("PerFrameFunctionalGroupsSequence", number, "OphthalmicFrameLocationSequence", 0),
            uid.OphthalmicPhotography8BitImageStorage,
        )

    _enhanced(at, uid.OphthalmicTomographyImageStorage, "OPT", frame)
    _plain(at)


def parametric(at: Planting) -> None:
    """Parametric map in floating point."""

    def frame(one: Dataset, number: int) -> None:
        one.RealWorldValueMappingSequence = items(
            made(
                LUTLabel="ADC",
                LUTExplanation="Apparent Diffusion",
                RealWorldValueSlope=1.0,
                RealWorldValueIntercept=0.0,
                MeasurementUnitsCodeSequence=items(code("um2/s", "UCUM", "um2/s")),
            )
        )

    _enhanced(at, uid.ParametricMapStorage, "MR", frame)
    _plain(at)
    ds = at.dataset
    grid = modules.anatomy(at, 32, 32, frames=3).astype("<f4")
    for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        del ds[keyword]
        at.forget(keyword)
    at.forget("BitsAllocated")
    at.kept(ds, (), BitsAllocated=32)
    ds.FloatPixelData = grid.tobytes()


def segmentation(at: Planting) -> None:
    """Binary segmentation with named segments."""

    def frame(one: Dataset, number: int) -> None:
        one.SegmentIdentificationSequence = items(made(ReferencedSegmentNumber=1))

    _enhanced(at, uid.SegmentationStorage, "SEG", frame)
    _plain(at)
    ds = at.dataset
    segment, where = made(), ("SegmentSequence", 0)
    ds.SegmentSequence = items(segment)
    at.kept(
        segment,
        where,
        SegmentNumber=1,
        SegmentAlgorithmType="SEMIAUTOMATIC",
        SegmentAlgorithmName="GrowCut",
    )
    segment.SegmentLabel = f"Liver {at.patient.family}"
    at.case.words.append(((*where, "SegmentLabel"), ("Liver",)))
    at.describe(segment, where, "SegmentDescription")
    segment.SegmentedPropertyCategoryCodeSequence = items(
        code("123037004", "SCT", "Anatomical Structure")
    )
    segment.SegmentedPropertyTypeCodeSequence = items(code("10200004", "SCT", "Liver"))
    at.keep((*where, "SegmentedPropertyTypeCodeSequence", 0, "CodeMeaning"))
    at.identify(segment, where, TrackingUID=at.uid())
    segment.TrackingID = f"{at.patient.mrn}-lesion-1"
    ds.ContentCreatorName = at.pn("ContentCreatorName")
    at.kept(ds, (), SegmentationType="BINARY", ContentLabel="SEGMENTATION")
    at.describe(ds, (), "ContentDescription")
    ds.ReferencedSeriesSequence = items(made())
    series = ds.ReferencedSeriesSequence[0]
    at.identify(series, ("ReferencedSeriesSequence", 0), SeriesInstanceUID=at.uid())
    series.ReferencedInstanceSequence = items(made())
    at.refer(
        series.ReferencedInstanceSequence[0],
        ("ReferencedSeriesSequence", 0, "ReferencedInstanceSequence", 0),
        uid.CTImageStorage,
    )
    chance = np.random.default_rng(at.random.randrange(2**32))
    bits = chance.random((3, 32, 32)) > 0.5
    at.forget("BitsAllocated", "BitsStored", "HighBit")
    at.kept(ds, (), BitsAllocated=1, BitsStored=1, HighBit=0)
    ds.PixelData = np.packbits(bits.ravel(), bitorder="little").tobytes()
    ds["PixelData"].VR = "OB"


ENHANCED: dict[str, Kind] = {
    kind.__name__.replace("_", "-"): kind
    for kind in (
        enhanced_ct,
        enhanced_mr,
        enhanced_pet,
        tomosynthesis,
        optical,
        parametric,
        segmentation,
    )
}
