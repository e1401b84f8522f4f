"""Hiding places among the attributes people read: identities where somebody might not look."""

from tests.deid.adversary.answers import Path
from tests.deid.adversary.called import CALLED
from tests.deid.adversary.disguises import DISGUISES
from tests.deid.adversary.leftovers import LEFTOVERS
from tests.deid.adversary.notes import NOTES
from tests.deid.adversary.people import written
from tests.deid.adversary.planting import Kind, Planting, code, items, made


def original_attributes(at: Planting) -> None:
    """What the object said before somebody coerced it, at depth."""
    old = made(
        PatientName=at.patient.name,
        PatientID=at.patient.mrn,
        IssuerOfPatientID=at.patient.issuer,
        StudyInstanceUID=at.uid(),
        AccessionNumber=at.visit.accession,
        PatientBirthDate=f"{at.patient.born:%Y%m%d}",
    )
    old.OtherPatientIDsSequence = items(
        made(PatientID=at.identifier("original other id"), TypeOfPatientID="TEXT")
    )
    before = made(
        ModifiedAttributesSequence=items(old),
        AttributeModificationDateTime=f"{at.visit.day:%Y%m%d}120000",
        ModifyingSystem=at.identifier("ModifyingSystem"),
        SourceOfPreviousValues=at.visit.institution,
        ReasonForTheAttributeModification="COERCE",
    )
    at.dataset.OriginalAttributesSequence = items(before, before)


def requests(at: Planting) -> None:
    """Order attributes of every kind."""
    ds = at.dataset
    at.numbers(
        ds,
        (),
        "AdmissionID",
        "RequestedProcedureID",
        "FillerOrderNumberImagingServiceRequest",
        "PlacerOrderNumberImagingServiceRequest",
        "ServiceEpisodeID",
        "ScheduledProcedureStepID",
    )
    at.people(
        ds,
        (),
        "RequestingPhysician",
        "ScheduledPerformingPhysicianName",
        "PhysiciansOfRecord",
        "OrderEnteredBy",
        "ConsultingPhysicianName",
    )
    at.describe(
        ds,
        (),
        "RequestedProcedureDescription",
        "ReasonForStudy",
        "VisitComments",
        "AdmittingDiagnosesDescription",
    )
    ds.RequestingService = at.secret(f"{at.patient.town} Trauma", "RequestingService")
    ds.CurrentPatientLocation = at.secret(f"Ward 7 {at.patient.town}", "CurrentPatientLocation")
    person = made(
        PersonIdentificationCodeSequence=items(
            code(at.identifier("person code"), "99STAFF", at.pn("person code").replace("^", ", "))
        ),
        PersonAddress=at.patient.street,
        PersonTelephoneNumbers=at.patient.phone,
        InstitutionName=at.visit.institution,
        InstitutionCodeSequence=items(
            code(at.identifier("institution code"), "99INST", at.visit.institution)
        ),
    )
    at.secret(at.patient.street, "PersonAddress")
    at.secret(at.patient.phone, "PersonTelephoneNumbers")
    for keyword in (
        "ReferringPhysicianIdentificationSequence",
        "PhysiciansOfRecordIdentificationSequence",
        "OperatorIdentificationSequence",
    ):
        setattr(ds, keyword, items(person))


def other_ids(at: Planting) -> None:
    """Other patient ids, with issuers in sequences."""
    ds = at.dataset
    one = made(PatientID=at.identifier("OtherPatientIDsSequence"), TypeOfPatientID="RFID")
    one.IssuerOfPatientIDQualifiersSequence = items(
        made(UniversalEntityID=at.identifier("UniversalEntityID"), UniversalEntityIDType="DNS")
    )
    ds.OtherPatientIDsSequence = items(one, made(PatientID=at.patient.ssn, TypeOfPatientID="TEXT"))
    at.secret(at.patient.ssn, "OtherPatientIDsSequence")
    ds.OtherPatientNames = [at.pn("OtherPatientNames"), at.pn("OtherPatientNames")]
    ds.IssuerOfAccessionNumberSequence = items(
        made(LocalNamespaceEntityID=at.identifier("LocalNamespaceEntityID"))
    )
    ds.ReferencedPatientSequence = items(
        made(ReferencedSOPClassUID="1.2.840.10008.3.1.2.1.1", ReferencedSOPInstanceUID=at.uid())
    )


def comments(at: Planting) -> None:
    """Long texts with line ends, many identities, odd white space."""
    ds = at.dataset
    at.describe(ds, (), "PatientComments", "AdditionalPatientHistory", "ImageComments")
    long = " ".join(at.phrase("ImageComments") for _ in range(12))
    ds.ImageComments = f"{ds.ImageComments}\r\n\t{long}"[:9000]
    at.describe(
        ds,
        (),
        "StudyComments" if at.random.random() < 0.5 else "CommentsOnThePerformedProcedureStep",
    )
    ds.MedicalAlerts = [at.phrase("MedicalAlerts")[:60], "LATEX"]
    ds.Allergies = "Penicillin"
    ds.DerivationDescription = f"Lossy {at.phrase('DerivationDescription')}"


def deep(at: Planting) -> None:
    """Six levels down, through sequences that do not belong together."""
    level, path = at.dataset, ()
    names = (
        "SourceImageSequence",
        "PurposeOfReferenceCodeSequence",
        "EquivalentCodeSequence",
        "ReferencedSeriesSequence",
        "ReferencedInstanceSequence",
        "RequestAttributesSequence",
    )
    where: Path = path
    for name in names:
        inner = made()
        setattr(level, name, items(inner))
        where = (*where, name, 0)
        inner.PatientName = at.patient.name
        inner.PatientID = at.patient.mrn
        inner.StudyDescription = at.phrase("deep text")[:64]
        inner.ReferencedSOPInstanceUID = at.uid()
        inner.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        inner.OperatorsName = at.pn("deep")
        inner.StudyDate = f"{at.visit.day:%Y%m%d}"
        block = inner.private_block(0x0033, at.patient.family[:12].upper(), create=True)
        block.add_new(0x01, "LO", at.patient.family)
        level = inner


def codes(at: Planting) -> None:
    """Codes that stay, and codes whose values or meanings name somebody."""
    ds = at.dataset
    given, family = at.stranger()
    at.name_secrets("CodeMeaning", given, family)
    ds.ProcedureCodeSequence = items(
        code("P5-08000", "SRT", "Chest CT"),
        code(at.identifier("code value"), "99LOCAL", f"Chest for {given} {family}"[:64]),
    )
    at.keep(("ProcedureCodeSequence", 0, "CodeValue"))
    at.keep(("ProcedureCodeSequence", 0, "CodeMeaning"))
    at.forget("AnatomicRegionSequence")
    public = code("51185008", "SCT", f"Chest of {at.patient.family}"[:64])
    ds.AnatomicRegionSequence = items(public)
    at.name_secrets("CodeMeaning", at.patient.family)
    ds.CodingSchemeIdentificationSequence = items(
        made(
            CodingSchemeDesignator="99LOCAL",
            CodingSchemeName=f"{at.visit.institution} codes",
            CodingSchemeResponsibleOrganization=at.visit.institution,
        )
    )


def machines(at: Planting) -> None:
    """Contributing equipment, stations, addresses and addresses of machines."""
    ds = at.dataset
    one = made(
        Manufacturer="ACME",
        InstitutionName=at.visit.institution,
        InstitutionAddress=at.patient.street,
        StationName=at.visit.station,
        OperatorsName=at.pn("ContributingEquipmentSequence"),
        DeviceSerialNumber=at.identifier("ContributingEquipmentSequence"),
        ContributionDescription=at.phrase("ContributionDescription")[:1000],
        PurposeOfReferenceCodeSequence=items(code("109103", "DCM", "Modifying Equipment")),
    )
    at.secret(at.patient.street, "ContributingEquipmentSequence")
    ds.ContributingEquipmentSequence = items(one)
    at.keep(
        ("ContributingEquipmentSequence", 0, "PurposeOfReferenceCodeSequence", 0, "CodeMeaning")
    )
    ds.PerformedStationAETitle = at.visit.station
    ds.ScheduledStationAETitle = at.identifier("ScheduledStationAETitle")
    ds.RetrieveAETitle = at.identifier("RetrieveAETitle")
    ds.RetrieveURL = f"https://pacs.{at.patient.town}.org/{at.patient.mrn}"
    ds.RetrieveURI = f"https://pacs.{at.patient.town}.org/{at.patient.family}"
    ds.PerformedLocation = at.secret(f"Suite {at.patient.town}"[:16], "PerformedLocation")
    ds.UDISequence = items(
        made(
            UniqueDeviceIdentifier=at.identifier("UniqueDeviceIdentifier"),
            DeviceDescription="Scanner",
        )
    )
    at.secret(at.patient.town, "RetrieveURL")


def trials(at: Planting) -> None:
    """Clinical trial attributes, and markers of somebody's earlier de-identification."""
    ds = at.dataset
    ds.ClinicalTrialSponsorName = at.secret("Borealis Pharma", "ClinicalTrialSponsorName")
    ds.ClinicalTrialProtocolID = at.identifier("ClinicalTrialProtocolID")
    ds.ClinicalTrialProtocolName = at.secret("Zephyrine in asthma", "ClinicalTrialProtocolName")
    ds.ClinicalTrialSiteID = at.identifier("ClinicalTrialSiteID")
    ds.ClinicalTrialSiteName = at.visit.institution
    ds.ClinicalTrialSubjectID = at.patient.mrn or "1"
    ds.ClinicalTrialTimePointID = at.identifier("ClinicalTrialTimePointID")
    ds.ClinicalTrialCoordinatingCenterName = at.visit.institution
    ds.ClinicalTrialSeriesID = at.identifier("ClinicalTrialSeriesID")
    ds.PatientIdentityRemoved = "NO"
    ds.DeidentificationMethod = f"Removed {at.patient.given} {at.patient.family}"[:64]
    ds.DeidentificationMethodCodeSequence = items(code("113100", "DCM", f"For {at.patient.family}"))
    ds.LongitudinalTemporalInformationModified = "UNMODIFIED"
    at.name_secrets("DeidentificationMethod", at.patient.given, at.patient.family)


def strings(at: Planting) -> None:
    """Attributes of harmless VRs that hold something else than they should."""
    ds = at.dataset
    third = "AXIAL" if ds.Modality == "CT" else "OTHER"
    ds.ImageType = ["ORIGINAL", "PRIMARY", third, at.patient.family.upper()[:16]]
    at.forget(
        "ImageType",
        "Manufacturer",
        "SoftwareVersions",
        "SequenceName",
        "ConvolutionKernel",
        "ScanOptions",
        "PatientOrientation",
    )
    at.keep(("ImageType", 0))
    at.keep(("ImageType", 1))
    ds.PatientOrientation = [at.patient.given.upper()[:16], "F"]
    ds.Laterality = at.patient.family.upper()[:16]
    ds.ScanOptions = [at.patient.family.upper()[:16], "FS"]
    ds.Manufacturer = f"SIEMENS {at.patient.family}"
    ds.SoftwareVersions = ["VB20A_SP3", f"for {at.patient.given}"]
    ds.SequenceName = at.patient.family[:16]
    ds.ConvolutionKernel = at.patient.given[:16]
    ds.TimezoneOffsetFromUTC = "-0500"
    at.name_secrets("strings", at.patient.family, at.patient.given)


def retired(at: Planting) -> None:
    """Attributes that left the standard long ago."""
    ds = at.dataset
    ds.add_new(0x00080040, "US", 1)
    ds.add_new(0x00084000, "LT", at.phrase("IdentifyingComments"))
    ds.add_new(0x00204000, "LT", at.phrase("ImageComments again"))
    ds.add_new(0x00321030, "LO", at.phrase("ReasonForStudy")[:64])
    ds.add_new(0x40080114, "PN", at.pn("PhysicianApprovingInterpretation"))
    ds.add_new(0x4008010B, "ST", at.phrase("InterpretationText"))
    ds.add_new(0x40080102, "PN", at.pn("InterpretationRecorder"))
    ds.add_new(0x40080300, "ST", at.phrase("Impressions"))
    ds.add_new(0x00880906, "ST", at.phrase("TopicSubject"))
    ds.add_new(0x00880910, "LO", at.pn("TopicAuthor").replace("^", " "))
    ds.add_new(0x20300020, "LO", at.patient.family)
    ds.add_new(0x00101050, "LO", at.identifier("InsurancePlanIdentification"))
    ds.add_new(0x00324000, "LT", at.phrase("StudyComments"))
    ds.add_new(0x40004000, "LT", at.phrase("TextComments"))
    ds.add_new(0x00080001, "UL", 4321)
    ds.add_new(0x00080010, "SH", at.patient.family[:16])
    at.name_secrets("retired", at.patient.family)


def repeated(at: Planting) -> None:
    """Several values, empty ones between, very long ones, and values padded with nulls."""
    ds = at.dataset
    ds.OtherPatientIDs = [at.identifier("multi"), "", at.identifier("multi")]
    ds.OperatorsName = [at.pn("multi PN"), at.pn("multi PN"), ""]
    ds.ReferencedSOPClassUIDInFile = "1.2.840.10008.5.1.4.1.1.2"
    ds.RelatedFrameOfReferenceUID = at.uid()
    ds.FailedSOPInstanceUIDList = [at.uid(), at.uid()]
    at.forget("ImageComments")
    ds.ImageComments = (f"lung window {at.phrase('very long')} " * 120)[:10_000]
    at.case.words.append((("ImageComments",), ("lung", "window")))
    ds.StationName = f"{at.visit.station}\0"
    ds.DateOfLastCalibration = [f"{at.day(30):%Y%m%d}", f"{at.day(30):%Y%m%d}"]
    ds.TimeOfLastCalibration = ["101010", "111111"]
    ds.AcquisitionComments = "".join(f"{word}\\" for word in (at.patient.family, at.patient.given))
    at.name_secrets("multi", at.patient.family, at.patient.given)


def odd_dates(at: Planting) -> None:
    """Dates in forms of their own: old ones, ranges, wrong ones, words."""
    ds, day = at.dataset, at.visit.day
    ds.AcquisitionDate = f"{day:%Y.%m.%d}"
    at.forget("AcquisitionDate", "SeriesDescription", "PerformedProcedureStepDescription")
    at.secret(f"{day:%Y.%m.%d}", "ACR-NEMA date")
    ds.InstanceCreationDate = f"{day:%Y%m%d}"
    at.case.dated.append(("InstanceCreationDate",))
    ds.LastMenstrualDate = f"{at.day(20):%Y%m%d}"
    at.case.dated.append(("LastMenstrualDate",))
    ds.AdmittingDate = f"{day:%Y%m%d}"
    ds.AdmittingTime = "0912"
    ds.SmallestImagePixelValue = 0
    ds.DateOfManufacture = "20010101"
    raw = written(at.random, day)
    ds.SeriesDescription = f"CHEST {raw}"[:64]
    at.secret(raw, "SeriesDescription")
    at.case.words.append((("SeriesDescription",), ("CHEST",)))
    with_time = f"{day:%Y%m%d}_101112"
    ds.PerformedProcedureStepDescription = f"LUNG {with_time}"
    at.secret(with_time, "PerformedProcedureStepDescription")
    at.secret(f"{day:%Y%m%d}", "dates")


def scripted(at: Planting) -> None:
    """The patient's name in its own script, within texts that stay."""
    script = at.patient.script
    if script is None:
        return
    ds = at.dataset
    at.forget("StudyDescription", "ImageComments")
    ds.StudyDescription = f"CT CHEST {script.family} W/O CONTRAST"
    at.case.words.append((("StudyDescription",), ("CT", "CHEST", "W/O", "CONTRAST")))
    ds.ImageComments = f"{script.given} {script.family}: nodule {script.family}{script.given}"
    at.case.words.append((("ImageComments",), ("nodule",)))
    ds.ReferringPhysicianName = f"{script.family}^{script.given}"
    for part in (script.family, script.given):
        at.secret(part, "text in script", script.codec)


def earlier(at: Planting) -> None:
    """Identities of other objects: source instances, prior studies, series and their descriptions."""
    ds = at.dataset
    prior = made(
        StudyInstanceUID=at.uid(),
        StudyDate=f"{at.day(800):%Y%m%d}",
        StudyDescription=f"prior {at.phrase('prior')}"[:64],
        PatientID=at.patient.mrn,
    )
    series = made(SeriesInstanceUID=at.uid(), SeriesDescription=at.phrase("prior series")[:64])
    instance = made(
        ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=at.uid()
    )
    series.ReferencedSOPSequence = items(instance)
    prior.ReferencedSeriesSequence = items(series)
    ds.StudiesContainingOtherReferencedInstancesSequence = items(prior)
    ds.SourceInstanceSequence = items(instance)
    ds.PredecessorDocumentsSequence = items(prior)
    at.identify(ds, (), InstanceCreatorUID=at.uid())
    ds.ConcatenationUID = at.uid()
    ds.SynchronizationFrameOfReferenceUID = at.uid()


PLACES: tuple[Kind, ...] = (
    original_attributes,
    requests,
    other_ids,
    comments,
    deep,
    codes,
    machines,
    trials,
    strings,
    retired,
    repeated,
    odd_dates,
    scripted,
    earlier,
    *LEFTOVERS,
    *DISGUISES,
    *CALLED,
    *NOTES,
)
