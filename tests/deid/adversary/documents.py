"""Objects without pixels or reports: presentations, structures, plans, waveforms, documents."""

import numpy as np
from pydicom import uid
from pydicom.sequence import Sequence as Items

from tests.deid.adversary import modules
from tests.deid.adversary.answers import Secret
from tests.deid.adversary.planting import Kind, Planting, code, items, made, path


def presentation(at: Planting) -> None:
    """Grey-scale presentation state with text drawn on the image."""
    ds = at.dataset
    modules.begin(at, uid.GrayscaleSoftcopyPresentationStateStorage, "PR")
    at.dates(ds, (), "PresentationCreationDate")
    at.kept(
        ds,
        (),
        PresentationCreationTime="120000",
        ContentLabel="ANNOTATION",
        PresentationLUTShape="IDENTITY",
    )
    at.describe(ds, (), "ContentDescription")
    ds.ContentCreatorName = at.pn("ContentCreatorName")
    series = made()
    ds.ReferencedSeriesSequence = items(series)
    at.identify(series, ("ReferencedSeriesSequence", 0), SeriesInstanceUID=at.uid())
    series.ReferencedImageSequence = items(made())
    image = at.uid()
    at.refer(
        series.ReferencedImageSequence[0],
        ("ReferencedSeriesSequence", 0, "ReferencedImageSequence", 0),
        uid.CTImageStorage,
        image,
    )
    drawn = made(GraphicLayer="LAYER1")
    drawn.ReferencedImageSequence = items(made())
    at.refer(
        drawn.ReferencedImageSequence[0],
        ("GraphicAnnotationSequence", 0, "ReferencedImageSequence", 0),
        uid.CTImageStorage,
        image,
    )
    text, words = at.text("UnformattedTextValue", 1024)
    note = made(
        UnformattedTextValue=text,
        AnchorPoint=[10.0, 12.0],
        AnchorPointVisibility="Y",
        AnchorPointAnnotationUnits="PIXEL",
    )
    at.case.words.append(
        (("GraphicAnnotationSequence", 0, "TextObjectSequence", 0, "UnformattedTextValue"), words)
    )
    drawn.TextObjectSequence = items(note)
    line = made()
    drawn.GraphicObjectSequence = items(line)
    at.kept(
        line,
        ("GraphicAnnotationSequence", 0, "GraphicObjectSequence", 0),
        GraphicAnnotationUnits="PIXEL",
        GraphicDimensions=2,
        NumberOfGraphicPoints=2,
        GraphicData=[1.0, 2.0, 30.0, 40.0],
        GraphicType="POLYLINE",
        GraphicFilled="N",
    )
    ds.GraphicAnnotationSequence = items(drawn)
    layer = made(GraphicLayer="LAYER1", GraphicLayerOrder=1)
    at.describe(layer, ("GraphicLayerSequence", 0), "GraphicLayerDescription")
    ds.GraphicLayerSequence = items(layer)
    area = made(
        DisplayedAreaTopLeftHandCorner=[1, 1],
        DisplayedAreaBottomRightHandCorner=[512, 512],
        PresentationSizeMode="SCALE TO FIT",
        PresentationPixelAspectRatio=[1, 1],
    )
    ds.DisplayedAreaSelectionSequence = items(area)
    at.keep(("DisplayedAreaSelectionSequence", 0, "PresentationSizeMode"))
    ds.SoftcopyVOILUTSequence = items(made(WindowCenter="40", WindowWidth="350"))
    at.keep(("SoftcopyVOILUTSequence", 0, "WindowWidth"))


def structures(at: Planting) -> None:
    """RT structure set."""
    ds = at.dataset
    modules.begin(at, uid.RTStructureSetStorage, "RTSTRUCT")
    ds.StructureSetLabel = f"{at.patient.family}"[:16]
    at.case.present.append(("StructureSetLabel",))
    ds.StructureSetName = f"{at.patient.given} {at.patient.family}"
    at.describe(ds, (), "StructureSetDescription")
    at.dates(ds, (), "StructureSetDate")
    at.kept(ds, (), StructureSetTime="110000")
    frame, where = made(), path("ReferencedFrameOfReferenceSequence", 0)
    ds.ReferencedFrameOfReferenceSequence = items(frame)
    at.identify(frame, where, FrameOfReferenceUID=at.visit.frame_of_reference)
    study = made(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1")
    frame.RTReferencedStudySequence = items(study)
    where = (*where, "RTReferencedStudySequence", 0)
    at.identify(study, where, ReferencedSOPInstanceUID=at.visit.uid)
    series = made()
    study.RTReferencedSeriesSequence = items(series)
    where = (*where, "RTReferencedSeriesSequence", 0)
    at.identify(series, where, SeriesInstanceUID=f"{at.visit.uid}.1")
    series.ContourImageSequence = items(made(), made())
    for number, image in enumerate(series.ContourImageSequence):
        at.refer(image, (*where, "ContourImageSequence", number), uid.CTImageStorage)
    names = ("GTV", "Lung Left", "Spinal Cord")
    ds.StructureSetROISequence = Items()
    ds.ROIContourSequence = Items()
    ds.RTROIObservationsSequence = Items()
    for number, name in enumerate(names):
        where = path("StructureSetROISequence", number)
        roi = made(ReferencedFrameOfReferenceUID=at.visit.frame_of_reference)
        ds.StructureSetROISequence.append(roi)
        at.kept(roi, where, ROINumber=number + 1, ROIGenerationAlgorithm="MANUAL")
        at.identify(roi, where, ReferencedFrameOfReferenceUID=at.visit.frame_of_reference)
        given, family = at.stranger()
        at.name_secrets("ROIName", given, family)
        roi.ROIName = at.random.choice(
            (f"{name} {family}", f"{name}", f"{name} {at.patient.family}")
        )
        at.case.words.append(((*where, "ROIName"), tuple(name.split())))
        at.describe(roi, where, "ROIDescription")
        contour = made()
        ds.ROIContourSequence.append(contour)
        where = path("ROIContourSequence", number)
        at.kept(contour, where, ReferencedROINumber=number + 1, ROIDisplayColor=[255, 0, 0])
        ring = made()
        contour.ContourSequence = items(ring)
        where = (*where, "ContourSequence", 0)
        at.kept(
            ring,
            where,
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=3,
            ContourData=[1.5, 2.5, 3, 4.5, 5, 3, 7, 8, 3],
        )
        ring.ContourImageSequence = items(made())
        at.refer(
            ring.ContourImageSequence[0], (*where, "ContourImageSequence", 0), uid.CTImageStorage
        )
        seen = made()
        ds.RTROIObservationsSequence.append(seen)
        where = path("RTROIObservationsSequence", number)
        at.kept(
            seen,
            where,
            ObservationNumber=number + 1,
            ReferencedROINumber=number + 1,
            RTROIInterpretedType="ORGAN",
        )
        seen.ROIInterpreter = at.pn("ROIInterpreter")
        at.describe(seen, where, "ROIObservationDescription")
        seen.ROIObservationLabel = at.patient.family[:16]
    ds.ApprovalStatus = "APPROVED"
    ds.ReviewerName = at.pn("ReviewerName")
    at.dates(ds, (), "ReviewDate")


def plan(at: Planting) -> None:
    """RT plan."""
    ds = at.dataset
    modules.begin(at, uid.RTPlanStorage, "RTPLAN")
    ds.RTPlanLabel = at.patient.mrn[:16] or "PLAN"
    at.case.present.append(("RTPlanLabel",))
    ds.RTPlanName = f"Plan {at.patient.family}"
    at.describe(ds, (), "RTPlanDescription")
    at.dates(ds, (), "RTPlanDate")
    at.kept(ds, (), RTPlanTime="120000", RTPlanGeometry="PATIENT", PlanIntent="CURATIVE")
    target, where = made(), path("DoseReferenceSequence", 0)
    ds.DoseReferenceSequence = items(target)
    at.kept(
        target,
        where,
        DoseReferenceNumber=1,
        DoseReferenceType="TARGET",
        DoseReferenceStructureType="VOLUME",
        TargetPrescriptionDose="60",
    )
    at.identify(target, where, DoseReferenceUID=at.uid())
    at.describe(target, where, "DoseReferenceDescription")
    fraction, where = made(), path("FractionGroupSequence", 0)
    ds.FractionGroupSequence = items(fraction)
    at.kept(
        fraction,
        where,
        FractionGroupNumber=1,
        NumberOfFractionsPlanned=30,
        NumberOfBeams=1,
        NumberOfBrachyApplicationSetups=0,
    )
    at.describe(fraction, where, "FractionGroupDescription")
    beam, where = made(), path("BeamSequence", 0)
    ds.BeamSequence = items(beam)
    at.kept(
        beam,
        where,
        BeamNumber=1,
        BeamType="STATIC",
        RadiationType="PHOTON",
        SourceAxisDistance="1000",
        FinalCumulativeMetersetWeight="1",
        NumberOfControlPoints=2,
    )
    beam.BeamName = f"AP {at.patient.family}"
    at.describe(beam, where, "BeamDescription")
    beam.TreatmentMachineName = at.identifier("TreatmentMachineName")
    beam.InstitutionName = at.visit.institution
    beam.DeviceSerialNumber = at.identifier("beam serial")
    beam.OperatorsName = at.pn("beam operator")
    beam.ControlPointSequence = items(
        made(ControlPointIndex=0, NominalBeamEnergy="6", GantryAngle="30"),
        made(ControlPointIndex=1, CumulativeMetersetWeight="1"),
    )
    at.keep((*where, "ControlPointSequence", 0, "GantryAngle"))
    setup, where = made(), path("PatientSetupSequence", 0)
    ds.PatientSetupSequence = items(setup)
    at.kept(setup, where, PatientSetupNumber=1, PatientPosition="HFS")
    at.describe(setup, where, "SetupTechniqueDescription")
    ds.ReferencedStructureSetSequence = items(made())
    at.refer(
        ds.ReferencedStructureSetSequence[0],
        ("ReferencedStructureSetSequence", 0),
        uid.RTStructureSetStorage,
    )
    ds.ApprovalStatus = "APPROVED"
    at.dates(ds, (), "ReviewDate")
    ds.ReviewerName = at.pn("ReviewerName")
    ds.ReviewTime = "130000"


def treatment(at: Planting) -> None:
    """RT beams treatment record."""
    ds = at.dataset
    modules.begin(at, uid.RTBeamsTreatmentRecordStorage, "RTRECORD")
    at.dates(ds, (), "TreatmentDate")
    at.kept(ds, (), TreatmentTime="140000")
    session, where = made(), path("TreatmentSessionBeamSequence", 0)
    ds.TreatmentSessionBeamSequence = items(session)
    at.kept(
        session,
        where,
        CurrentFractionNumber=3,
        DeliveredPrimaryMeterset="120.5",
        TreatmentDeliveryType="TREATMENT",
    )
    session.OperatorsName = at.pn("treatment operator")
    at.describe(session, where, "BeamDescription")
    session.TreatmentTerminationDescription = at.phrase("TreatmentTerminationDescription")[:64]
    machine = made(
        TreatmentMachineName=at.identifier("TreatmentMachineName"),
        InstitutionName=at.visit.institution,
        InstitutionAddress=at.patient.street,
        DeviceSerialNumber=at.identifier("machine serial"),
    )
    at.secret(at.patient.street, "machine address")
    ds.TreatmentMachineSequence = items(machine)
    ds.ReferencedRTPlanSequence = items(made())
    at.refer(ds.ReferencedRTPlanSequence[0], ("ReferencedRTPlanSequence", 0), uid.RTPlanStorage)


def ecg(at: Planting) -> None:
    """Electrocardiogram with annotations."""
    ds = at.dataset
    modules.begin(at, uid.TwelveLeadECGWaveformStorage, "ECG")
    at.dates(ds, (), "AcquisitionDateTime")
    ds.AcquisitionContextSequence = Items()
    chance = np.random.default_rng(at.random.randrange(2**32))
    wave, where = made(), path("WaveformSequence", 0)
    ds.WaveformSequence = items(wave)
    at.kept(
        wave,
        where,
        WaveformOriginality="ORIGINAL",
        NumberOfWaveformChannels=2,
        NumberOfWaveformSamples=400,
        SamplingFrequency="500",
        WaveformBitsAllocated=16,
        WaveformSampleInterpretation="SS",
    )
    wave.MultiplexGroupLabel = f"RHYTHM {at.patient.family}"[:16]
    wave.ChannelDefinitionSequence = Items()
    for number, lead in enumerate(("Lead I", "Lead II")):
        channel = made(
            ChannelLabel=lead,
            ChannelDerivationDescription=at.phrase("ChannelDerivationDescription"),
            ChannelSourceSequence=items(code(f"2:{number + 1}", "MDC", lead)),
            ChannelSensitivity="1.25",
            ChannelSensitivityUnitsSequence=items(code("uV", "UCUM", "microvolt")),
            WaveformBitsStored=16,
        )
        wave.ChannelDefinitionSequence.append(channel)
        at.keep((*where, "ChannelDefinitionSequence", number, "ChannelSensitivity"))
        at.keep(
            (*where, "ChannelDefinitionSequence", number, "ChannelSourceSequence", 0, "CodeMeaning")
        )
    wave.WaveformData = chance.integers(-500, 500, 800).astype("<i2").tobytes()
    wave["WaveformData"].VR = "OW"
    at.keep((*where, "WaveformData"))
    text, words = at.text("waveform UnformattedTextValue", 1024)
    ds.WaveformAnnotationSequence = items(
        made(UnformattedTextValue=text, ReferencedWaveformChannels=[1, 0]),
        made(
            ConceptNameCodeSequence=items(code("8867-4", "LN", "Heart rate")),
            NumericValue="72",
            MeasurementUnitsCodeSequence=items(code("{H.B.}/min", "UCUM", "Heart beat per minute")),
            ReferencedWaveformChannels=[1, 0],
        ),
    )
    at.case.words.append((("WaveformAnnotationSequence", 0, "UnformattedTextValue"), words))
    at.keep(("WaveformAnnotationSequence", 1, "NumericValue"))


def pdf(at: Planting) -> None:
    """A letter in PDF."""
    _document(at, uid.EncapsulatedPDFStorage, "application/pdf", b"%PDF-1.4\n1 0 obj <</Title (")


def cda(at: Planting) -> None:
    """A clinical document."""
    _document(at, uid.EncapsulatedCDAStorage, "text/XML", b"<ClinicalDocument><name>")


def _document(at: Planting, sop_class: str, kind: str, head: bytes) -> None:
    ds = at.dataset
    modules.begin(at, sop_class, "DOC")
    ds.ConversionType = "WSD"
    ds.DocumentTitle = f"Letter about {at.patient.family}"
    ds.BurnedInAnnotation = "YES"
    ds.AcquisitionDateTime = ""
    ds.ConceptNameCodeSequence = Items()
    body = head + at.patient.name.encode() + b" " + at.patient.mrn.encode() + b"\n%%EOF\n"
    ds.EncapsulatedDocument = body + b"\0" * (len(body) % 2)
    ds.MIMETypeOfEncapsulatedDocument = kind
    at.case.document = True


def registration(at: Planting) -> None:
    """Spatial registration."""
    ds = at.dataset
    modules.begin(at, uid.SpatialRegistrationStorage, "REG")
    at.identify(ds, (), FrameOfReferenceUID=at.visit.frame_of_reference)
    at.kept(ds, (), ContentLabel="REGISTRATION")
    at.describe(ds, (), "ContentDescription")
    ds.ContentCreatorName = at.pn("ContentCreatorName")
    moved, where = made(), path("RegistrationSequence", 0)
    ds.RegistrationSequence = items(moved)
    at.identify(moved, where, FrameOfReferenceUID=at.uid())
    matrix = made()
    moved.MatrixRegistrationSequence = items(matrix)
    at.describe(
        matrix, (*where, "MatrixRegistrationSequence", 0), "FrameOfReferenceTransformationComment"
    )
    inner = made()
    matrix.MatrixSequence = items(inner)
    at.kept(
        inner,
        (*where, "MatrixRegistrationSequence", 0, "MatrixSequence", 0),
        FrameOfReferenceTransformationMatrix=[1, 0, 0, 2.5, 0, 1, 0, -3, 0, 0, 1, 4, 0, 0, 0, 1],
        FrameOfReferenceTransformationMatrixType="RIGID",
    )


def real_world(at: Planting) -> None:
    """Real world value mapping."""
    ds = at.dataset
    modules.begin(at, uid.RealWorldValueMappingStorage, "RWV")
    at.kept(ds, (), ContentLabel="SUV")
    at.describe(ds, (), "ContentDescription")
    ds.ContentCreatorName = at.pn("ContentCreatorName")
    mapped, where = made(), path("ReferencedImageRealWorldValueMappingSequence", 0)
    ds.ReferencedImageRealWorldValueMappingSequence = items(mapped)
    mapped.ReferencedImageSequence = items(made())
    at.refer(
        mapped.ReferencedImageSequence[0],
        (*where, "ReferencedImageSequence", 0),
        uid.PositronEmissionTomographyImageStorage,
    )
    value = made()
    mapped.RealWorldValueMappingSequence = items(value)
    at.kept(
        value,
        (*where, "RealWorldValueMappingSequence", 0),
        RealWorldValueSlope=0.00031,
        RealWorldValueIntercept=0.0,
        LUTLabel="SUVbw",
        RealWorldValueFirstValueMapped=0,
        RealWorldValueLastValueMapped=4095,
    )


def raw(at: Planting) -> None:
    """Raw data with content only its maker can read."""
    ds = at.dataset
    modules.begin(at, uid.RawDataStorage, "MR")
    ds.CreatorVersionUID = at.uid()
    at.case.present.append(("CreatorVersionUID",))
    at.case.secrets.append(Secret(at.patient.family, "raw data"))
    block = ds.private_block(0x0021, "ACME RAW 1.0", create=True)
    block.add_new(
        0x01, "OB", f"header {at.patient.family} {at.patient.mrn}".encode().ljust(128, b"\0")
    )


DOCUMENTS: dict[str, Kind] = {
    kind.__name__.replace("_", "-"): kind
    for kind in (
        presentation,
        structures,
        plan,
        treatment,
        ecg,
        pdf,
        cda,
        registration,
        real_world,
        raw,
    )
}
