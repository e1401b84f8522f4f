"""Objects without pixels: reports, selections, presentations, plans, structures, waveforms."""

import numpy as np
from pydicom import Dataset, uid
from pydicom.sequence import Sequence as Items

from tests.deid.adversary import modules
from tests.deid.adversary.answers import Path, Secret
from tests.deid.adversary.people import REMARKS
from tests.deid.adversary.pictures import Kind
from tests.deid.adversary.planting import Planting, code, items, made, named

FINDING = ("121071", "DCM", "Finding")


class Tree:
    """A content tree under way: adds items and knows the path of each."""

    def __init__(self, at: Planting) -> None:
        self.at = at
        self.root = at.dataset

    def add(
        self, parent: Dataset, path: Path, kind: str, name: tuple[str, str, str], **said: object
    ) -> tuple[Dataset, Path]:
        """One content item under a parent; the item and its path."""
        if "ContentSequence" not in parent:
            parent.ContentSequence = Items()
        item = made(RelationshipType="CONTAINS", ValueType=kind)
        item.ConceptNameCodeSequence = items(code(*name))
        for keyword, value in said.items():
            setattr(item, keyword, value)
        parent.ContentSequence.append(item)
        alike = [one for one in parent.ContentSequence if named(one) == name[0]]
        return item, (*path, "ContentSequence", f"{name[0]}:{len(alike) - 1}")


def _report(at: Planting, sop_class: str, title: tuple[str, str, str], modality: str = "SR") -> Tree:
    ds = at.dataset
    modules.begin(at, sop_class, modality)
    at.kept(ds, (), ValueType="CONTAINER", ContinuityOfContent="SEPARATE", CompletionFlag="COMPLETE", VerificationFlag="VERIFIED")
    ds.ConceptNameCodeSequence = items(code(*title))
    at.keep(("ConceptNameCodeSequence", 0, "CodeMeaning"))
    observer = made(VerifyingObserverName=at.pn("VerifyingObserverName"))
    observer.VerifyingOrganization = at.visit.institution
    at.dates(observer, ("VerifyingObserverSequence", 0), "VerificationDateTime")
    at.case.dated.pop()  # the whole sequence may be replaced by an item that says nothing
    observer.VerifyingObserverIdentificationCodeSequence = items(
        code(at.identifier("observer code"), "99PHYS", at.pn("observer code").replace("^", " "))
    )
    ds.VerifyingObserverSequence = items(observer)
    author = made(ObserverType="PSN", PersonName=at.pn("AuthorObserverSequence"))
    author.InstitutionName = at.visit.institution
    ds.AuthorObserverSequence = items(author)
    ds.ReferencedPerformedProcedureStepSequence = Items()
    ds.PerformedProcedureCodeSequence = Items()
    evidence, where = made(), ("CurrentRequestedProcedureEvidenceSequence", 0)
    ds.CurrentRequestedProcedureEvidenceSequence = items(evidence)
    at.identify(evidence, where, StudyInstanceUID=at.visit.uid)
    series = made()
    evidence.ReferencedSeriesSequence = items(series)
    where = (*where, "ReferencedSeriesSequence", 0)
    at.identify(series, where, SeriesInstanceUID=f"{at.visit.uid}.1")
    series.ReferencedSOPSequence = items(made())
    at.refer(series.ReferencedSOPSequence[0], (*where, "ReferencedSOPSequence", 0), uid.CTImageStorage)
    request = made(
        StudyInstanceUID=at.visit.uid,
        AccessionNumber=at.visit.accession,
        RequestedProcedureID=at.identifier("ReferencedRequestSequence"),
        PlacerOrderNumberImagingServiceRequest=at.identifier("ReferencedRequestSequence"),
        FillerOrderNumberImagingServiceRequest=at.identifier("ReferencedRequestSequence"),
    )
    ds.ReferencedRequestSequence = items(request)
    at.identify(request, ("ReferencedRequestSequence", 0), StudyInstanceUID=at.visit.uid)
    at.describe(request, ("ReferencedRequestSequence", 0), "RequestedProcedureDescription")
    return Tree(at)


def _said(tree: Tree, parent: Dataset, path: Path) -> None:
    """Content of every value type, with identities in each that can carry one."""
    at, add = tree.at, tree.add
    text, words = at.text("SR TEXT", 1024)
    _, here = add(parent, path, "TEXT", FINDING, TextValue=text)
    at.case.words.append(((*here, "TextValue"), words))
    remark = at.random.choice(REMARKS)
    _, here = add(parent, path, "TEXT", ("121077", "DCM", "Conclusion"), TextValue=remark)
    at.case.words.append(((*here, "TextValue"), tuple(remark.split())))
    add(parent, path, "PNAME", ("121008", "DCM", "Person Observer Name"), PersonName=at.pn("SR PNAME"))
    add(parent, path, "PNAME", ("121029", "DCM", "Subject Name"), PersonName=at.patient.name)
    add(parent, path, "TEXT", ("121030", "DCM", "Subject ID"), TextValue=at.patient.mrn or "none")
    number, here = add(parent, path, "UIDREF", ("112040", "DCM", "Tracking Unique Identifier"))
    at.identify(number, here, UID=at.uid())
    item, here = add(parent, path, "DATE", ("111060", "DCM", "Study Date"))
    at.dates(item, here, "Date")
    item, here = add(parent, path, "DATETIME", ("121135", "DCM", "Observation Date Time"))
    at.dates(item, here, "DateTime")
    item, here = add(parent, path, "TIME", ("111061", "DCM", "Study Time"))
    at.kept(item, here, Time="101112")
    item, here = add(parent, path, "NUM", ("410668003", "SCT", "Length"))
    measured = made(NumericValue="12.5")
    measured.MeasurementUnitsCodeSequence = items(code("mm", "UCUM", "millimeter"))
    item.MeasuredValueSequence = items(measured)
    at.case.kept.append(((*here, "MeasuredValueSequence", 0, "NumericValue"), measured.NumericValue))
    at.case.kept.append(
        ((*here, "MeasuredValueSequence", 0, "MeasurementUnitsCodeSequence", 0, "CodeValue"), "mm")
    )
    item, here = add(parent, path, "CODE", ("363698007", "SCT", "Finding Site"))
    item.ConceptCodeSequence = items(code("39607008", "SCT", "Lung"))
    at.case.kept.append(((*here, "ConceptCodeSequence", 0, "CodeMeaning"), "Lung"))
    item, here = add(parent, path, "CODE", ("121058", "DCM", "Procedure reported"))
    given, family = at.stranger()
    at.name_secrets("SR CODE meaning", given, family)
    item.ConceptCodeSequence = items(
        code(at.identifier("SR CODE value"), "99LOCAL", f"Biopsy by {given} {family}")
    )
    item, here = add(parent, path, "IMAGE", ("121112", "DCM", "Source of Measurement"))
    item.ReferencedSOPSequence = items(made())
    at.refer(item.ReferencedSOPSequence[0], (*here, "ReferencedSOPSequence", 0), uid.CTImageStorage)
    item, here = add(parent, path, "SCOORD", ("111030", "DCM", "Image Region"))
    at.kept(item, here, GraphicType="CIRCLE", GraphicData=[10.5, 20.25, 12.0, 24.0])


def basic_text(at: Planting) -> None:
    """Basic text report."""
    tree = _report(at, uid.BasicTextSRStorage, ("18748-4", "LN", "Diagnostic Imaging Report"))
    _said(tree, tree.root, ())


def comprehensive(at: Planting) -> None:
    """Comprehensive report, five levels deep."""
    tree = _report(at, uid.ComprehensiveSRStorage, ("126000", "DCM", "Imaging Measurement Report"))
    parent: Dataset = tree.root
    path: Path = ()
    for _ in range(5):
        parent, path = tree.add(
            parent, path, "CONTAINER", ("125007", "DCM", "Measurement Group"), ContinuityOfContent="SEPARATE"
        )
        at.dates(parent, path, "ObservationDateTime")
        tracking, here = tree.add(parent, path, "TEXT", ("112039", "DCM", "Tracking Identifier"))
        tracking.TextValue = f"Lesion {at.patient.family} 1"
        at.case.words.append(((*here, "TextValue"), ("Lesion",)))
    _said(tree, parent, path)


def enhanced_report(at: Planting) -> None:
    """Enhanced report with two sections."""
    tree = _report(at, uid.EnhancedSRStorage, ("18782-3", "LN", "Radiology Study observation"))
    for _ in range(2):
        section, path = tree.add(
            tree.root, (), "CONTAINER", ("121070", "DCM", "Findings"), ContinuityOfContent="SEPARATE"
        )
        _said(tree, section, path)


def mammo_cad(at: Planting) -> None:
    """Mammography CAD report."""
    tree = _report(at, uid.MammographyCADSRStorage, ("111036", "DCM", "Mammography CAD Report"))
    _said(tree, tree.root, ())


def radiation(at: Planting) -> None:
    """Radiation dose report: accumulated and per-event numbers, people and devices."""
    tree = _report(at, uid.XRayRadiationDoseSRStorage, ("113701", "DCM", "X-Ray Radiation Dose Report"))
    add = tree.add
    add(tree.root, (), "TEXT", ("121013", "DCM", "Device Observer Name"), TextValue=at.visit.station)
    add(
        tree.root,
        (),
        "TEXT",
        ("121016", "DCM", "Device Observer Serial Number"),
        TextValue=at.identifier("dose report device"),
    )
    maker, here = add(tree.root, (), "TEXT", ("121014", "DCM", "Device Observer Manufacturer"))
    maker.TextValue = "SIEMENS"
    device, here = add(tree.root, (), "UIDREF", ("121012", "DCM", "Device Observer UID"))
    device.UID = at.uid()
    start, here = add(tree.root, (), "DATETIME", ("113809", "DCM", "Start of X-Ray Irradiation"))
    at.dates(start, here, "DateTime")
    events, path = add(
        tree.root, (), "CONTAINER", ("113819", "DCM", "CT Acquisition"), ContinuityOfContent="SEPARATE"
    )
    protocol, here = add(events, path, "TEXT", ("125203", "DCM", "Acquisition Protocol"))
    protocol.TextValue = f"ThorRoutine CHEST {at.patient.family}"
    at.case.words.append(((*here, "TextValue"), ("CHEST",)))
    event, here = add(events, path, "UIDREF", ("113769", "DCM", "Irradiation Event UID"))
    at.identify(event, here, UID=at.uid())
    for value, name in (("4.21", ("113830", "DCM", "Mean CTDIvol")), ("161.3", ("113838", "DCM", "DLP"))):
        number, here = add(events, path, "NUM", name)
        measured = made(NumericValue=value)
        measured.MeasurementUnitsCodeSequence = items(code("mGy", "UCUM", "mGy"))
        number.MeasuredValueSequence = items(measured)
        at.case.kept.append(((*here, "MeasuredValueSequence", 0, "NumericValue"), measured.NumericValue))
    add(events, path, "PNAME", ("113870", "DCM", "Person Name"), PersonName=at.pn("dose report person"))


def key_object(at: Planting) -> None:
    """Key object selection."""
    tree = _report(at, uid.KeyObjectSelectionDocumentStorage, ("113000", "DCM", "Of Interest"), "KO")
    ds = at.dataset
    for keyword in ("VerifyingObserverSequence", "VerificationFlag", "CompletionFlag", "AuthorObserverSequence"):
        del ds[keyword]
        at.forget(keyword)
    text, words = at.text("KO TEXT", 1024)
    _, here = tree.add(ds, (), "TEXT", ("113012", "DCM", "Key Object Description"), TextValue=text)
    at.case.words.append(((*here, "TextValue"), words))
    item, here = tree.add(ds, (), "IMAGE", ("121112", "DCM", "Source of Measurement"))
    item.ReferencedSOPSequence = items(made())
    at.refer(item.ReferencedSOPSequence[0], (*here, "ReferencedSOPSequence", 0), uid.CTImageStorage)


def presentation(at: Planting) -> None:
    """Grey-scale presentation state with text drawn on the image."""
    ds = at.dataset
    modules.begin(at, uid.GrayscaleSoftcopyPresentationStateStorage, "PR")
    at.dates(ds, (), "PresentationCreationDate")
    at.kept(ds, (), PresentationCreationTime="120000", ContentLabel="ANNOTATION", PresentationLUTShape="IDENTITY")
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
    frame, where = made(), ("ReferencedFrameOfReferenceSequence", 0)
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
        where = ("StructureSetROISequence", number)
        roi = made(ReferencedFrameOfReferenceUID=at.visit.frame_of_reference)
        ds.StructureSetROISequence.append(roi)
        at.kept(roi, where, ROINumber=number + 1, ROIGenerationAlgorithm="MANUAL")
        at.identify(roi, where, ReferencedFrameOfReferenceUID=at.visit.frame_of_reference)
        given, family = at.stranger()
        at.name_secrets("ROIName", given, family)
        roi.ROIName = at.random.choice((f"{name} {family}", f"{name}", f"{name} {at.patient.family}"))
        at.case.words.append(((*where, "ROIName"), tuple(name.split())))
        at.describe(roi, where, "ROIDescription")
        contour = made()
        ds.ROIContourSequence.append(contour)
        where = ("ROIContourSequence", number)
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
        at.refer(ring.ContourImageSequence[0], (*where, "ContourImageSequence", 0), uid.CTImageStorage)
        seen = made()
        ds.RTROIObservationsSequence.append(seen)
        where = ("RTROIObservationsSequence", number)
        at.kept(seen, where, ObservationNumber=number + 1, ReferencedROINumber=number + 1, RTROIInterpretedType="ORGAN")
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
    target, where = made(), ("DoseReferenceSequence", 0)
    ds.DoseReferenceSequence = items(target)
    at.kept(target, where, DoseReferenceNumber=1, DoseReferenceType="TARGET", DoseReferenceStructureType="VOLUME", TargetPrescriptionDose="60")
    at.identify(target, where, DoseReferenceUID=at.uid())
    at.describe(target, where, "DoseReferenceDescription")
    fraction, where = made(), ("FractionGroupSequence", 0)
    ds.FractionGroupSequence = items(fraction)
    at.kept(fraction, where, FractionGroupNumber=1, NumberOfFractionsPlanned=30, NumberOfBeams=1, NumberOfBrachyApplicationSetups=0)
    at.describe(fraction, where, "FractionGroupDescription")
    beam, where = made(), ("BeamSequence", 0)
    ds.BeamSequence = items(beam)
    at.kept(beam, where, BeamNumber=1, BeamType="STATIC", RadiationType="PHOTON", SourceAxisDistance="1000", FinalCumulativeMetersetWeight="1", NumberOfControlPoints=2)
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
    setup, where = made(), ("PatientSetupSequence", 0)
    ds.PatientSetupSequence = items(setup)
    at.kept(setup, where, PatientSetupNumber=1, PatientPosition="HFS")
    at.describe(setup, where, "SetupTechniqueDescription")
    ds.ReferencedStructureSetSequence = items(made())
    at.refer(ds.ReferencedStructureSetSequence[0], ("ReferencedStructureSetSequence", 0), uid.RTStructureSetStorage)
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
    session, where = made(), ("TreatmentSessionBeamSequence", 0)
    ds.TreatmentSessionBeamSequence = items(session)
    at.kept(session, where, CurrentFractionNumber=3, DeliveredPrimaryMeterset="120.5", TreatmentDeliveryType="TREATMENT")
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
    wave, where = made(), ("WaveformSequence", 0)
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
        at.keep((*where, "ChannelDefinitionSequence", number, "ChannelSourceSequence", 0, "CodeMeaning"))
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
    moved, where = made(), ("RegistrationSequence", 0)
    ds.RegistrationSequence = items(moved)
    at.identify(moved, where, FrameOfReferenceUID=at.uid())
    matrix = made()
    moved.MatrixRegistrationSequence = items(matrix)
    at.describe(matrix, (*where, "MatrixRegistrationSequence", 0), "FrameOfReferenceTransformationComment")
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
    mapped, where = made(), ("ReferencedImageRealWorldValueMappingSequence", 0)
    ds.ReferencedImageRealWorldValueMappingSequence = items(mapped)
    mapped.ReferencedImageSequence = items(made())
    at.refer(mapped.ReferencedImageSequence[0], (*where, "ReferencedImageSequence", 0), uid.PositronEmissionTomographyImageStorage)
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
    block.add_new(0x01, "OB", f"header {at.patient.family} {at.patient.mrn}".encode().ljust(128, b"\0"))


DOCUMENTS: dict[str, Kind] = {
    kind.__name__.replace("_", "-"): kind
    for kind in (
        basic_text,
        comprehensive,
        enhanced_report,
        mammo_cad,
        radiation,
        key_object,
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
