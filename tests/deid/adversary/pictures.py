"""Objects with pixels and one set of attributes: slices, projections, loops, captures, photographs."""

import numpy as np
from pydicom import uid
from pydicom.sequence import Sequence as Items

from tests.deid.adversary import modules
from tests.deid.adversary.burnt import burn
from tests.deid.adversary.planting import Kind, Planting, code, items, made


def ct(at: Planting) -> None:
    """CT slice."""
    ds = at.dataset
    modules.begin(at, uid.CTImageStorage, "CT")
    modules.referenced(at, uid.CTImageStorage)
    modules.plane(at)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    at.keep(("ImageType",))
    at.dates(ds, (), "AcquisitionDate", "AcquisitionDateTime")
    at.kept(
        ds,
        (),
        KVP="120",
        ConvolutionKernel="B30f",
        ExposureTime="500",
        XRayTubeCurrent="210",
        BodyPartExamined="CHEST",
        RescaleIntercept="-1024",
        RescaleSlope="1",
        WindowCenter="40",
        WindowWidth="400",
        PatientPosition="HFS",
        AcquisitionNumber=3,
        CTDIvol=4.21,
        GantryDetectorTilt="0",
        ContrastBolusRoute="IV",
        SpacingBetweenSlices="1.25",
    )
    at.describe(ds, (), "ContrastBolusAgent")
    at.identify(ds, (), IrradiationEventUID=at.uid())
    ds.CTExposureSequence = items(made())
    modules.pixels(at, modules.anatomy(at, 64, 64), stored=12)


def mr(at: Planting) -> None:
    """MR slice."""
    ds = at.dataset
    modules.begin(at, uid.MRImageStorage, "MR")
    modules.referenced(at, uid.MRImageStorage)
    modules.plane(at)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    at.keep(("ImageType",))
    at.dates(ds, (), "AcquisitionDate")
    at.kept(
        ds,
        (),
        ScanningSequence=["SE", "IR"],
        SequenceVariant="SK",
        ScanOptions="FS",
        MRAcquisitionType="2D",
        SequenceName="*tse2d1_15",
        RepetitionTime="8000",
        EchoTime="92",
        InversionTime="2370",
        EchoTrainLength=15,
        MagneticFieldStrength="3",
        FlipAngle="150",
        ImagingFrequency="123.25",
        PixelBandwidth="220",
        ReceiveCoilName="HeadNeck_20",
        SpacingBetweenSlices="3.3",
        InPlanePhaseEncodingDirection="ROW",
    )
    modules.pixels(at, modules.anatomy(at, 48, 48), stored=12)


def _scan(at: Planting, sop_class: str, frames: int) -> None:
    ds, random = at.dataset, at.random
    modules.begin(at, sop_class, "US")
    modules.referenced(at, sop_class)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL"]
    at.keep(("ImageType",))
    at.kept(ds, (), TransducerData=["C5-1", "ABD"], HeartRate=72, MechanicalIndex="0.9")
    ds.SequenceOfUltrasoundRegions = items(made())
    at.kept(
        ds.SequenceOfUltrasoundRegions[0],
        ("SequenceOfUltrasoundRegions", 0),
        RegionSpatialFormat=1,
        RegionDataType=1,
        RegionLocationMinX0=80,
        RegionLocationMinY0=60,
        RegionLocationMaxX1=240,
        RegionLocationMaxY1=200,
        PhysicalUnitsXDirection=3,
        PhysicalUnitsYDirection=3,
        PhysicalDeltaX=0.05,
        PhysicalDeltaY=0.05,
    )
    rows, columns = 240, 320
    fan = modules.anatomy(at, rows, columns, frames=max(frames, 1), top=255).astype(np.uint8)
    y, x = np.mgrid[0:rows, 0:columns]
    inside = (np.hypot(y - 40, x - 160) < 150) & (np.abs(x - 160) < (y - 20) * 0.7)
    fan[:, ~inside] = 0
    colour = random.random() < 0.5
    picture = np.stack([fan] * 3, -1) if colour else fan
    which = tuple(range(frames)) if random.random() < 0.5 else tuple(range(1, frames))
    if frames:
        burn(at, picture, 235, random.choice((12, 15)), frames=which)
        at.kept(ds, (), FrameTime="33.3", CineRate=30)
        ds.FrameIncrementPointer = 0x00181063
        modules.pixels(at, picture, "RGB" if colour else "MONOCHROME2", frames=True)
    else:
        burn(at, picture[0], 235, random.choice((12, 14, 16)))
        modules.pixels(at, picture[0], "RGB" if colour else "MONOCHROME2")
    said = random.choice(("YES", None, "NO"))
    if said:
        ds.BurnedInAnnotation = said


def us(at: Planting) -> None:
    """Ultrasound, one frame, with text above the fan."""
    _scan(at, uid.UltrasoundImageStorage, 0)


def us_cine(at: Planting) -> None:
    """Ultrasound loop with text in some or all frames."""
    _scan(at, uid.UltrasoundMultiFrameImageStorage, 4)


def _projection(at: Planting, sop_class: str, modality: str, text: float) -> None:
    ds, random = at.dataset, at.random
    modules.begin(at, sop_class, modality)
    modules.referenced(at, sop_class)
    at.dates(ds, (), "AcquisitionDate")
    at.kept(ds, (), KVP="80", BodyPartExamined="CHEST", ViewPosition="PA", Exposure="4")
    at.numbers(ds, (), "DetectorID", "PlateID", "CassetteID")
    at.describe(ds, (), "AcquisitionDeviceProcessingDescription")
    dark = random.random() < 0.4
    picture = modules.anatomy(at, 320, 256)
    if dark:
        picture = 4095 - picture
    if random.random() < text:
        burn(at, picture, 0 if dark else 4095, random.choice((14, 18, 22)), count=2)
        said = random.choice(("YES", None, "NO"))
        if said:
            ds.BurnedInAnnotation = said
    modules.pixels(at, picture, "MONOCHROME1" if dark else "MONOCHROME2", stored=12)
    at.kept(ds, (), PixelIntensityRelationship="LOG", ImagerPixelSpacing=[0.2, 0.2])


def cr(at: Planting) -> None:
    """Computed radiography, often with text."""
    _projection(at, uid.ComputedRadiographyImageStorage, "CR", 0.6)


def dx(at: Planting) -> None:
    """Digital X-ray."""
    _projection(at, uid.DigitalXRayImageStorageForPresentation, "DX", 0.3)
    ds = at.dataset
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.AnatomicRegionSequence = items(code("51185008", "SCT", "Chest"))
    at.kept(
        ds,
        (),
        PresentationIntentType="FOR PRESENTATION",
        ImageLaterality="U",
        PatientOrientation=["L", "F"],
    )
    at.kept(ds, (), DetectorType="SCINTILLATOR", PresentationLUTShape="IDENTITY")


def mg(at: Planting) -> None:
    """Mammography."""
    ds = at.dataset
    _projection(at, uid.DigitalMammographyXRayImageStorageForPresentation, "MG", 0.0)
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.BodyPartExamined = "BREAST"
    at.forget("BodyPartExamined", "ViewPosition")
    at.keep(("BodyPartExamined",))
    at.kept(
        ds,
        (),
        ImageLaterality="L",
        ViewPosition="MLO",
        CompressionForce="110",
        BodyPartThickness="55",
        OrganExposed="BREAST",
        PresentationIntentType="FOR PRESENTATION",
    )
    ds.ViewCodeSequence = items(code("399368009", "SCT", "medio-lateral oblique"))
    at.keep(("ViewCodeSequence", 0, "CodeMeaning"))


def pt(at: Planting) -> None:
    """PET slice with its tracer."""
    ds = at.dataset
    modules.begin(at, uid.PositronEmissionTomographyImageStorage, "PT")
    modules.referenced(at, uid.PositronEmissionTomographyImageStorage)
    modules.plane(at)
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    at.keep(("ImageType",))
    at.dates(ds, (), "AcquisitionDate")
    at.kept(
        ds,
        (),
        Units="BQML",
        CountsSource="EMISSION",
        SeriesType=["WHOLE BODY", "IMAGE"],
        DecayCorrection="START",
        CorrectedImage=["DECY", "ATTN"],
        RescaleIntercept="0",
        RescaleSlope="1.5",
        FrameReferenceTime="1000",
        ReconstructionMethod="PSF+TOF 3i21s",
        AcquisitionTime="112233",
        ActualFrameDuration="120000",
    )
    tracer, where = made(), ("RadiopharmaceuticalInformationSequence", 0)
    ds.RadiopharmaceuticalInformationSequence = items(tracer)
    at.kept(
        tracer,
        where,
        Radiopharmaceutical="FDG",
        RadionuclideTotalDose="350000000",
        RadionuclideHalfLife="6586.2",
        RadiopharmaceuticalStartTime="100000",
    )
    at.dates(tracer, where, "RadiopharmaceuticalStartDateTime")
    tracer.RadionuclideCodeSequence = items(code("C-111A1", "SRT", "^18^Fluorine"))
    at.keep((*where, "RadionuclideCodeSequence", 0, "CodeValue"))
    ds.NumberOfSlices = 3
    modules.pixels(at, modules.anatomy(at, 40, 40))


def nm(at: Planting) -> None:
    """Nuclear medicine, two frames."""
    ds = at.dataset
    modules.begin(at, uid.NuclearMedicineImageStorage, "NM")
    modules.referenced(at, uid.NuclearMedicineImageStorage)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    at.keep(("ImageType",))
    at.dates(ds, (), "AcquisitionDate")
    window, where = made(), ("EnergyWindowInformationSequence", 0)
    ds.EnergyWindowInformationSequence = items(window)
    at.kept(window, where, EnergyWindowName="Tc99m")
    ds.DetectorInformationSequence = items(
        made(CollimatorType="PARA", FieldOfViewShape="RECTANGLE")
    )
    at.kept(
        ds,
        (),
        NumberOfEnergyWindows=1,
        NumberOfDetectors=2,
        EnergyWindowVector=[1, 1],
        DetectorVector=[1, 2],
    )
    ds.FrameIncrementPointer = [0x00540010, 0x00540020]
    tracer, where = made(), ("RadiopharmaceuticalInformationSequence", 0)
    ds.RadiopharmaceuticalInformationSequence = items(tracer)
    at.kept(tracer, where, Radiopharmaceutical="MDP")
    modules.pixels(at, modules.anatomy(at, 64, 64, frames=2), frames=True)


def xa(at: Planting) -> None:
    """Angiography run, sometimes with text."""
    _cine(at, uid.XRayAngiographicImageStorage, "XA")
    at.kept(at.dataset, (), PositionerPrimaryAngle="-30.5", PositionerSecondaryAngle="20")


def rf(at: Planting) -> None:
    """Fluoroscopy run, sometimes with text."""
    _cine(at, uid.XRayRadiofluoroscopicImageStorage, "RF")


def _cine(at: Planting, sop_class: str, modality: str) -> None:
    ds, random = at.dataset, at.random
    modules.begin(at, sop_class, modality)
    modules.referenced(at, sop_class)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE"]
    at.keep(("ImageType",))
    at.kept(
        ds, (), KVP="75", PixelIntensityRelationship="LIN", RadiationSetting="GR", FrameTime="66"
    )
    ds.FrameIncrementPointer = 0x00181063
    picture = modules.anatomy(at, 256, 256, frames=3, top=255).astype(np.uint8)
    if random.random() < 0.5:
        burn(at, picture, 255, 14, frames=(0, 1, 2), count=2)
    modules.pixels(at, picture, frames=True)


def sc(at: Planting) -> None:
    """Secondary capture of a screen: colour, dark page, several lines."""
    ds, random = at.dataset, at.random
    modules.begin(at, uid.SecondaryCaptureImageStorage, "OT")
    ds.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    at.kept(ds, (), ConversionType="WSD")
    at.dates(ds, (), "DateOfSecondaryCapture")
    ds.SecondaryCaptureDeviceID = at.identifier("SecondaryCaptureDeviceID")
    at.case.page = True
    page = np.full((240, 320, 3), random.choice((10, 40, 230)), np.uint8)
    page[90:170, 120:280] = modules.anatomy(at, 80, 160, top=255).astype(np.uint8)[..., None]
    burn(at, page, 240 if page[0, 0, 0] < 100 else 12, random.choice((13, 16, 20)))
    modules.pixels(at, page, "RGB")


def sc_frames(at: Planting) -> None:
    """Multi-frame grey-scale secondary capture with text."""
    ds = at.dataset
    modules.begin(at, uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage, "OT")
    ds.ImageType = ["DERIVED", "SECONDARY"]
    at.kept(ds, (), ConversionType="WSD", BurnedInAnnotation="YES")
    at.forget("BurnedInAnnotation")
    picture = modules.anatomy(at, 200, 300, frames=3, top=150).astype(np.uint8)
    burn(at, picture, 255, 15, frames=(0, 2))
    modules.pixels(at, picture, frames=True)
    at.kept(ds, (), RescaleIntercept="0", RescaleSlope="1", PresentationLUTShape="IDENTITY")
    ds.FrameIncrementPointer = 0x00181063
    ds.FrameTime = "100"


def photograph(at: Planting) -> None:
    """Ophthalmic photograph."""
    ds = at.dataset
    modules.begin(at, uid.OphthalmicPhotography8BitImageStorage, "OP")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "", "COLOR"]
    at.dates(ds, (), "AcquisitionDateTime")
    at.kept(ds, (), ImageLaterality="R", HorizontalFieldOfView=45.0, BurnedInAnnotation="NO")
    picture = modules.anatomy(at, 96, 96, frames=1, top=255).astype(np.uint8)
    modules.pixels(at, np.stack([picture] * 3, -1), "RGB", frames=True)
    ds.AnatomicRegionSequence = items(code("5665001", "SCT", "Retina"))
    at.keep(("AnatomicRegionSequence", 0, "CodeMeaning"))


def endoscopy(at: Planting) -> None:
    """Endoscopic photograph with text in a corner."""
    ds = at.dataset
    modules.begin(at, uid.VLEndoscopicImageStorage, "ES")
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    picture = np.stack([modules.anatomy(at, 240, 320, top=255).astype(np.uint8)] * 3, -1)
    picture[:, :110] = 0
    burn(at, picture, 250, 13)
    modules.pixels(at, picture, "RGB")
    ds.AcquisitionContextSequence = Items()


def dose(at: Planting) -> None:
    """RT dose grid."""
    ds = at.dataset
    modules.begin(at, uid.RTDoseStorage, "RTDOSE")
    modules.plane(at)
    at.kept(
        ds,
        (),
        DoseUnits="GY",
        DoseType="PHYSICAL",
        DoseSummationType="PLAN",
        DoseGridScaling="0.0001",
        GridFrameOffsetVector=[0, 2.5, 5],
    )
    at.describe(ds, (), "DoseComment")
    ds.FrameIncrementPointer = 0x3004000C
    ds.ReferencedRTPlanSequence = items(made())
    at.refer(ds.ReferencedRTPlanSequence[0], ("ReferencedRTPlanSequence", 0), uid.RTPlanStorage)
    modules.pixels(at, modules.anatomy(at, 24, 24, frames=3), frames=True)


def rt_image(at: Planting) -> None:
    """RT portal image."""
    ds = at.dataset
    modules.begin(at, uid.RTImageStorage, "RTIMAGE")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "PORTAL"]
    at.describe(ds, (), "RTImageDescription")
    ds.RTImageLabel = at.patient.family[:16]
    ds.RTImageName = f"{at.patient.family} AP"
    at.case.present.append(("RTImageLabel",))
    at.kept(
        ds,
        (),
        RTImagePlane="NORMAL",
        GantryAngle="180",
        RadiationMachineSAD="1000",
        ImagePlanePixelSpacing=[0.4, 0.4],
    )
    ds.RadiationMachineName = at.identifier("RadiationMachineName")
    modules.pixels(at, modules.anatomy(at, 64, 64))


def slide(at: Planting) -> None:
    """Whole slide microscopy tile with specimen identifiers and a barcode."""
    ds = at.dataset
    modules.begin(at, uid.VLWholeSlideMicroscopyImageStorage, "SM")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.ContainerIdentifier = at.identifier("ContainerIdentifier")
    at.case.present.append(("ContainerIdentifier",))
    ds.BarcodeValue = at.identifier("BarcodeValue")
    ds.LabelText = at.phrase("LabelText")
    specimen, where = made(), ("SpecimenDescriptionSequence", 0)
    ds.SpecimenDescriptionSequence = items(specimen)
    specimen.SpecimenIdentifier = at.identifier("SpecimenIdentifier")
    at.identify(specimen, where, SpecimenUID=at.uid())
    at.describe(specimen, where, "SpecimenShortDescription", "SpecimenDetailedDescription")
    at.kept(
        ds,
        (),
        TotalPixelMatrixColumns=64,
        TotalPixelMatrixRows=64,
        ImagedVolumeWidth=15.0,
        BurnedInAnnotation="NO",
    )
    picture = np.stack([modules.anatomy(at, 64, 64, frames=1, top=255).astype(np.uint8)] * 3, -1)
    modules.pixels(at, picture, "RGB", frames=True)


PICTURES: dict[str, Kind] = {
    kind.__name__.replace("_", "-"): kind
    for kind in (
        ct,
        mr,
        us,
        us_cine,
        cr,
        dx,
        mg,
        pt,
        nm,
        xa,
        rf,
        sc,
        sc_frames,
        photograph,
        endoscopy,
        dose,
        rt_image,
        slide,
    )
}
