"""Hiding places: each plants identities where somebody might not look."""

import struct
from collections.abc import Callable

import numpy as np
from tests.deid.adversary.answers import Path, Secret
from tests.deid.adversary.burnt import strokes
from tests.deid.adversary.people import written
from tests.deid.adversary.planting import Planting, code, items, made

Place = Callable[[Planting], None]


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
    old.OtherPatientIDsSequence = items(made(PatientID=at.identifier("original other id"), TypeOfPatientID="TEXT"))
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
    at.people(ds, (), "RequestingPhysician", "ScheduledPerformingPhysicianName", "PhysiciansOfRecord", "OrderEnteredBy", "ConsultingPhysicianName")
    at.describe(ds, (), "RequestedProcedureDescription", "ReasonForStudy", "VisitComments", "AdmittingDiagnosesDescription")
    ds.RequestingService = at.secret(f"{at.patient.town} Trauma", "RequestingService")
    ds.CurrentPatientLocation = at.secret(f"Ward 7 {at.patient.town}", "CurrentPatientLocation")
    person = made(
        PersonIdentificationCodeSequence=items(code(at.identifier("person code"), "99STAFF", at.pn("person code").replace("^", ", "))),
        PersonAddress=at.patient.street,
        PersonTelephoneNumbers=at.patient.phone,
        InstitutionName=at.visit.institution,
        InstitutionCodeSequence=items(code(at.identifier("institution code"), "99INST", at.visit.institution)),
    )
    at.secret(at.patient.street, "PersonAddress")
    at.secret(at.patient.phone, "PersonTelephoneNumbers")
    for keyword in ("ReferringPhysicianIdentificationSequence", "PhysiciansOfRecordIdentificationSequence", "OperatorIdentificationSequence"):
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
    ds.IssuerOfAccessionNumberSequence = items(made(LocalNamespaceEntityID=at.identifier("LocalNamespaceEntityID")))
    ds.ReferencedPatientSequence = items(made(ReferencedSOPClassUID="1.2.840.10008.3.1.2.1.1", ReferencedSOPInstanceUID=at.uid()))


def comments(at: Planting) -> None:
    """Long texts with line ends, many identities, odd white space."""
    ds = at.dataset
    at.describe(ds, (), "PatientComments", "AdditionalPatientHistory", "ImageComments")
    long = " ".join(at.phrase("ImageComments") for _ in range(12))
    ds.ImageComments = f"{ds.ImageComments}\r\n\t{long}"[:9000]
    at.describe(ds, (), "StudyComments" if at.random.random() < 0.5 else "CommentsOnThePerformedProcedureStep")
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


def private_unknown(at: Planting) -> None:
    """Private blocks of makers nobody lists, with every VR, and creators that are names."""
    ds = at.dataset
    for group, creator in ((0x0009, f"{at.patient.family} CORP"[:60]), (0x0011, "ACME HEADER"), (0x7FE1, "ACME PIX")):
        block = ds.private_block(group, creator, create=True)
        block.add_new(0x01, "LO", at.patient.family)
        block.add_new(0x02, "PN", at.patient.name)
        block.add_new(0x03, "UI", at.uid())
        block.add_new(0x04, "DA", f"{at.patient.born:%Y%m%d}")
        block.add_new(0x05, "OB", f"{at.patient.family} {at.patient.mrn} ".encode().ljust(64, b"\0"))
        block.add_new(0x06, "UN", f"{at.patient.given}".encode().ljust(32, b" "))
        block.add_new(0x07, "SQ", items(made(PatientName=at.patient.name, PatientID=at.patient.mrn, TextValue=at.phrase("private SQ"))))
        block.add_new(0x08, "UT", at.phrase("private UT"))
        block.add_new(0x09, "OW", at.patient.family.encode("utf-16-le").ljust(64, b"\0"))
    at.name_secrets("private", at.patient.family, at.patient.given)


def private_safe(at: Planting) -> None:
    """Blocks of the safe list with their proper content, which must stay."""
    ds, modality = at.dataset, str(at.dataset.Modality)
    if modality == "PT":
        block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x00, "DS", "0.000382")
        block.add_new(0x09, "DS", "1.25")
        at.keep((0x70531000,))
        at.keep((0x70531009,))
    elif modality == "MR":
        block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0C, "IS", "1000")
        block.add_new(0x0E, "FD", [0.5, 0.25, 0.125])
        block.add_new(0x08, "CS", "IMAGE NUM 4")
        at.keep((0x0019100C,))
        at.keep((0x0019100E,))
        more = ds.private_block(0x2001, "Philips Imaging DD 001", create=True)
        more.add_new(0x03, "FL", 800.0)
        at.keep((0x20011003,))
    else:
        # In another block than the usual one: found by its creator, not by its number.
        ds.add_new(0x00190042, "LO", "GEMS_ACQU_01")
        ds.add_new(0x00194223, "DS", "39.37")
        at.keep((0x00194223,))
        block = ds.private_block(0x0043, "GEMS_PARM_01", create=True)
        block.add_new(0x27, "SH", "/1.375:1")
        block.add_new(0x10, "LO", at.patient.family)
        at.keep((0x00431027,))
    at.name_secrets("private safe", at.patient.family)


def private_abused(at: Planting) -> None:
    """Safe creators and elements that hold something else than they should."""
    ds = at.dataset
    for tag in (0x00191023, 0x0019100C, 0x00431027):
        at.case.kept = [entry for entry in at.case.kept if entry[0] != (tag,)]
    block = ds.private_block(0x0019, "GEMS_ACQU_01", create=True)
    block.add_new(0x23, "LO", at.patient.family)
    block.add_new(0x24, "DS", at.patient.mrn.strip("MRNHPAZ-").replace("-", "")[:16] or "1")
    block.add_new(0x9E, "LO", f"{at.patient.family} {at.patient.mrn}"[:64])
    block.add_new(0x27, "UN", at.patient.given.encode() + b" " * (len(at.patient.given) % 2))
    block.add_new(0x30, "LO", at.patient.given)
    parm = ds.private_block(0x0043, "GEMS_PARM_01", create=True)
    parm.add_new(0x27, "SH", at.patient.family[:16])
    parm.add_new(0x6F, "DS", "1\\2\\3")
    siemens = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    siemens.add_new(0x0D, "CS", at.patient.family.upper()[:16])
    siemens.add_new(0x0C, "IS", "19450317")
    elscint = ds.private_block(0x01F1, "ELSCINT1", create=True)
    elscint.add_new(0x01, "CS", at.patient.given.upper()[:16])
    image = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    image.add_new(0x10, "OB", b"SV10\4\3\2\1" + f"PatientName {at.patient.family}".encode().ljust(120, b"\0"))
    image.add_new(0x20, "OB", b"SV10\4\3\2\1" + f"tPatientID {at.patient.mrn}".encode().ljust(120, b"\0"))
    at.name_secrets("private abused", at.patient.family, at.patient.given)


def private_bare(at: Planting) -> None:
    """Private elements with no creator, creators with no block, creators of the wrong VR."""
    ds = at.dataset
    ds.add_new(0x00251001, "LO", at.patient.family)
    ds.add_new(0x00270010, "LO", f"{at.patient.given} OWNED")
    ds.add_new(0x00190011, "UN", at.patient.family.encode().ljust(32, b" "))
    ds.add_new(0x00191123, "DS", "12.5")
    ds.add_new(0x00330099, "LO", "GEMS_ACQU_01")
    ds.add_new(0x00339923, "LO", at.patient.given)
    at.name_secrets("private bare", at.patient.family, at.patient.given)


def unknown(at: Planting) -> None:
    """Tags that no dictionary has, and known ones sent as UN."""
    ds = at.dataset
    ds.add_new(0x00080099, "LO", at.patient.family)
    ds.add_new(0x00189EEE, "UN", at.patient.mrn.encode() + b" " * (len(at.patient.mrn) % 2))
    ds.add_new(0x00333332, "UN", at.patient.family.encode().ljust(32))
    ds.add_new(0x30060099, "LT", at.phrase("unknown LT"))
    ds.add_new(0x00402233, "OB", at.patient.family.encode().ljust(32, b"\0"))
    ds.add_new(0x0010FFF0, "SQ", items(made(PatientName=at.patient.name)))
    ds.add_new(0x00104321, "DA", f"{at.patient.born:%Y%m%d}")
    ds.add_new(0x00321060, "UN", b"CT CHEST " + at.patient.family.encode().ljust(21))
    ds.add_new(0x00081070, "UN", at.patient.family.encode().ljust(32))
    ds.add_new(0x00081195, "UN", at.uid().encode().ljust(64, b"\0"))
    at.name_secrets("unknown", at.patient.family)
    at.secret(at.patient.mrn, "unknown")


def overlays(at: Planting) -> None:
    """An overlay whose bits spell a name, and texts about it, in three groups; a curve."""
    ds = at.dataset
    bits = np.zeros((32, 128), bool)
    drawn = strokes(at.patient.family, 18)[:32, :128]
    bits[: drawn.shape[0], : drawn.shape[1]] = drawn
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    for group in (0x6000, 0x6002, 0x601E):
        ds.add_new(group << 16 | 0x0010, "US", 32)
        ds.add_new(group << 16 | 0x0011, "US", 128)
        ds.add_new(group << 16 | 0x0022, "LO", at.phrase("OverlayDescription")[:64])
        ds.add_new(group << 16 | 0x0040, "CS", "G")
        ds.add_new(group << 16 | 0x0050, "SS", [1, 1])
        ds.add_new(group << 16 | 0x0100, "US", 1)
        ds.add_new(group << 16 | 0x0102, "US", 0)
        ds.add_new(group << 16 | 0x1500, "LO", at.patient.family)
        ds.add_new(group << 16 | 0x3000, "OW", packed)
    at.name_secrets("overlay", at.patient.family)
    at.case.secrets.append(Secret(packed[64:112].hex(), "overlay bits", ("hex",)))
    ds.add_new(0x60004000, "LT", at.phrase("OverlayComments"))
    ds.add_new(0x50000005, "US", 1)
    ds.add_new(0x50000010, "US", 4)
    ds.add_new(0x50000020, "CS", "TAC")
    ds.add_new(0x50000022, "LO", at.phrase("CurveDescription")[:64])
    ds.add_new(0x50003000, "OW", at.patient.family.encode().ljust(32, b"\0"))
    ds.add_new(0x50040022, "LO", at.patient.mrn or "curve")


def icon(at: Planting) -> None:
    """A thumbnail with the name in it."""
    picture = np.zeros((64, 128), np.uint8)
    drawn = strokes(at.patient.family, 14)[:64, :128]
    picture[8 : 8 + drawn.shape[0], : drawn.shape[1]][drawn] = 255
    small = made(
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=64,
        Columns=128,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
    )
    small.PixelData = picture.tobytes()
    small["PixelData"].VR = "OB"
    at.dataset.IconImageSequence = items(small)
    at.case.secrets.append(Secret(picture.tobytes()[1100:1250].hex(), "icon", ("hex",)))
    at.case.absent.append(("IconImageSequence",))


def trailing(at: Planting) -> None:
    """After the end: padding of the dataset, of the pixels, and of texts behind a null."""
    ds = at.dataset
    ds.add_new(0xFFFCFFFC, "OB", f"{at.patient.family} {at.patient.mrn}".encode().ljust(64, b"\0"))
    if "PixelData" in ds and ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1":
        ds.PixelData = ds.PixelData + f"{at.patient.given}{at.patient.family}".encode().ljust(64, b" ")
    ds.StudyDescription = f"CT CHEST\0{at.patient.family}"
    at.forget("StudyDescription")
    at.name_secrets("trailing", at.patient.family, at.patient.given)


def around(at: Planting) -> None:
    """Before the dataset: preamble and file meta information."""
    ds, meta = at.dataset, at.dataset.file_meta
    ds.preamble = f"II*\0{at.patient.family} {at.patient.mrn}".encode().ljust(128, b"\0")
    meta.SourceApplicationEntityTitle = at.patient.family[:16]
    meta.SendingApplicationEntityTitle = at.visit.station
    meta.ReceivingApplicationEntityTitle = at.identifier("file meta")
    meta.PrivateInformationCreatorUID = at.uid()
    meta.PrivateInformation = f"{at.patient.family}".encode().ljust(32, b"\0")
    meta.ImplementationVersionName = at.patient.town[:16]
    meta.SourcePresentationAddress = f"http://{at.patient.town}.example.org/"
    at.name_secrets("file meta", at.patient.family)
    at.secret(at.patient.town, "file meta")


def codes(at: Planting) -> None:
    """Codes that stay, and codes whose values or meanings name somebody."""
    ds = at.dataset
    given, family = at.stranger()
    at.name_secrets("CodeMeaning", given, family)
    ds.ProcedureCodeSequence = items(
        code("P5-08000", "SRT", "Chest CT"), code(at.identifier("code value"), "99LOCAL", f"Chest for {given} {family}"[:64])
    )
    at.keep(("ProcedureCodeSequence", 0, "CodeValue"))
    at.keep(("ProcedureCodeSequence", 0, "CodeMeaning"))
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
    at.keep(("ContributingEquipmentSequence", 0, "PurposeOfReferenceCodeSequence", 0, "CodeMeaning"))
    ds.PerformedStationAETitle = at.visit.station
    ds.ScheduledStationAETitle = at.identifier("ScheduledStationAETitle")
    ds.RetrieveAETitle = at.identifier("RetrieveAETitle")
    ds.RetrieveURL = f"https://pacs.{at.patient.town}.org/{at.patient.mrn}"
    ds.RetrieveURI = f"https://pacs.{at.patient.town}.org/{at.patient.family}"
    ds.PerformedLocation = at.secret(f"Suite {at.patient.town}"[:16], "PerformedLocation")
    ds.UDISequence = items(made(UniqueDeviceIdentifier=at.identifier("UniqueDeviceIdentifier"), DeviceDescription="Scanner"))
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


def digital(at: Planting) -> None:
    """Signatures and encrypted copies of what stood here."""
    ds = at.dataset
    signature = made(
        MACIDNumber=1,
        DigitalSignatureUID=at.uid(),
        DigitalSignatureDateTime=f"{at.visit.day:%Y%m%d}120000",
        CertificateType="X509_1993_SIG",
        CertificateOfSigner=f"CN={at.patient.family}".encode().ljust(64, b"\0"),
        Signature=b"\1\2\3\4",
    )
    ds.DigitalSignaturesSequence = items(signature)
    ds.MACParametersSequence = items(made(MACIDNumber=1, MACCalculationTransferSyntaxUID="1.2.840.10008.1.2.1", MACAlgorithm="SHA1"))
    ds.EncryptedAttributesSequence = items(
        made(EncryptedContentTransferSyntaxUID="1.2.840.10008.1.2.1", EncryptedContent=at.patient.name.encode().ljust(64, b"\0"))
    )
    at.name_secrets("signature", at.patient.family)


def strings(at: Planting) -> None:
    """Attributes of harmless VRs that hold something else than they should."""
    ds = at.dataset
    ds.ImageType = ["ORIGINAL", "PRIMARY", at.patient.family.upper()[:16]]
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


def structure(at: Planting) -> None:
    """Palette, histogram and display shutter stay; ICC profile texts that name somebody do not."""
    ds = at.dataset
    profile = struct.pack(">L", 160) + b"\0" * 124
    text = f"{at.patient.family} {at.patient.mrn}".encode()[:24].ljust(24, b"\0")
    ds.ICCProfile = (profile + text).ljust(160, b"\0")
    at.name_secrets("ICCProfile", at.patient.family)
    ds.ShutterShape, ds.ShutterLeftVerticalEdge = "RECTANGULAR", 10
    at.keep(("ShutterShape",))
    ds.LossyImageCompression = "00"
    at.keep(("LossyImageCompression",))


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
    instance = made(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=at.uid())
    series.ReferencedSOPSequence = items(instance)
    prior.ReferencedSeriesSequence = items(series)
    ds.StudiesContainingOtherReferencedInstancesSequence = items(prior)
    ds.SourceInstanceSequence = items(instance)
    ds.PredecessorDocumentsSequence = items(prior)
    at.identify(ds, (), InstanceCreatorUID=at.uid())
    ds.ConcatenationUID = at.uid()
    ds.SynchronizationFrameOfReferenceUID = at.uid()


PLACES: tuple[Place, ...] = (
    original_attributes,
    requests,
    other_ids,
    comments,
    deep,
    private_unknown,
    private_safe,
    private_abused,
    private_bare,
    unknown,
    overlays,
    icon,
    trailing,
    around,
    codes,
    machines,
    trials,
    digital,
    strings,
    retired,
    repeated,
    odd_dates,
    scripted,
    structure,
    earlier,
)

