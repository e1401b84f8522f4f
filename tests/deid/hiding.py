"""
Objects with identities in every hiding place we know of, seeded, each with its answer key.

The search at the end of this file shares nothing with `app.deid`: it looks for each planted value
in the output's bytes, inflated where deflated, in every character set it could have been written in.
"""

import warnings
import zlib
from dataclasses import dataclass, field
from random import Random

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tests.make.instances import ROOT, ct, item, packed

SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
)
# Character set, codec, and names only it can write.
SCRIPTS = (
    ("ISO_IR 100", "latin-1", ("Grünkæmpfer", "Àlvörn")),
    ("ISO_IR 192", "utf-8", ("Żółkiewniak", "Ōtsukawa")),
    ("GB18030", "gb18030", ("欧阳锦绣", "诸葛明远")),
    ("ISO_IR 144", "iso8859_5", ("Златоверхова", "Тимофеевна")),
    ("\\ISO 2022 IR 87", "iso2022_jp", ("山田太郎", "鈴木花子")),
    ("ISO_IR 100", "latin-1", ("Wycliffson", "Marguerida")),
)
_SYLLABLES = ("qua", "zel", "vor", "mib", "thra", "nux", "pol", "gri", "zem", "wyk", "dru", "fex")
TEXTS = [
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "ImageComments",
    "PatientComments",
    "AdditionalPatientHistory",
    "DerivationDescription",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
    "AdmittingDiagnosesDescription",
    "FrameComments",
    "AcquisitionDeviceProcessingDescription",
    "ContrastBolusAgent",
    "MedicalAlerts",
    "VisitComments",
    "ReasonForStudy",
    "StudyComments",
    "IdentifyingComments",
    "Occupation",
    "SegmentLabel",
    "LUTExplanation",
    "WindowCenterWidthExplanation",
    "PartialViewDescription",
    "AcquisitionProtocolName",
    "TextValue",
]
NUMBERS = [
    "AccessionNumber",
    "StudyID",
    "AdmissionID",
    "OtherPatientIDs",
    "DeviceSerialNumber",
    "RequestedProcedureID",
    "PerformedProcedureStepID",
    "ScheduledProcedureStepID",
    "StationName",
    "InstitutionName",
    "PatientTelephoneNumbers",
    "MedicalRecordLocator",
    "IssuerOfPatientID",
    "InsurancePlanIdentification",
    "DetectorID",
    "GantryID",
    "PlateID",
    "FillerOrderNumberImagingServiceRequest",
    "PatientAddress",
    "InstitutionAddress",
    "CountryOfResidence",
    "MilitaryRank",
    "BranchOfService",
    "EthnicGroup",
    "RequestingService",
    "InstitutionalDepartmentName",
    "CurrentPatientLocation",
]
PEOPLE = [
    "PatientName",
    "OtherPatientNames",
    "PatientBirthName",
    "PatientMotherBirthName",
    "PhysiciansOfRecord",
    "ReferringPhysicianName",
    "OperatorsName",
    "PerformingPhysicianName",
    "RequestingPhysician",
    "NameOfPhysiciansReadingStudy",
    "ContentCreatorName",
    "ResponsiblePerson",
    "ScheduledPerformingPhysicianName",
    "VerifyingObserverName",
    "EvaluatorName",
    "ReviewerName",
    "PersonName",
]
DATES = [
    "SeriesDate",
    "AcquisitionDate",
    "ContentDate",
    "InstanceCreationDate",
    "PerformedProcedureStepStartDate",
]
LEVELS = [
    "ReferencedImageSequence",
    "SourceImageSequence",
    "RequestAttributesSequence",
    "ReferencedStudySequence",
    "OtherPatientIDsSequence",
    "OriginalAttributesSequence",
    "ContentSequence",
    "ReferencedSeriesSequence",
    "PerformedProtocolCodeSequence",
    "AnatomicRegionSequence",
    "GraphicAnnotationSequence",
    "AcquisitionContextSequence",
    "ContributingEquipmentSequence",
    "SharedFunctionalGroupsSequence",
]


@dataclass
class Hidden:
    """An object, what was planted in it, and how it was written."""

    source: bytes
    dataset: Dataset
    codec: str
    secrets: set[str] = field(default_factory=set)


def hide(seed: int) -> Hidden:
    """An object made from a seed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # much of it is not as the standard wants it
        return _Hider(Random(seed)).hide()


class _Hider:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.secrets: set[str] = set()
        self.charset, self.codec, self.script = random.choice(SCRIPTS)
        self.family, self.given = self.word(), self.word()
        self.mrn = str(random.randrange(10_000_000, 99_999_999))

    def word(self) -> str:
        made = "".join(self.random.sample(_SYLLABLES, 3)).capitalize()
        self.secrets.add(made)
        return made

    def number(self) -> str:
        made = f"{self.random.choice('KQXZ')}{self.random.randrange(10**6, 10**7)}"
        self.secrets.add(made)
        return made

    def uid(self) -> str:
        made = f"{ROOT}.{self.random.randrange(10**8, 10**9)}.{self.random.randrange(10**8, 10**9)}"
        self.secrets.add(made)
        return made

    def day(self) -> str:
        month, date = self.random.randrange(1, 13), self.random.randrange(1, 29)
        return f"{self.random.randrange(1995, 2024)}{month:02d}{date:02d}"

    def said(self) -> str:
        """A free text with identifiers in one of the ways people write them."""
        family, given, day = self.family, self.given, self.day()
        self.secrets |= {self.mrn}
        other = self.word()
        texts = (
            f"CT CHEST {family} {given}",
            f"{family.upper()}, {given.upper()} W/O CONTRAST",
            f"{family}_{given}_3MM",
            f"{given}{family} follow up",
            f"MRN {self.mrn} LUNG",
            f"seen by Dr. {other} on {day[4:6]}/{day[6:]}/{day[:4]}",
            f"DOB {day[:4]}-{day[4:6]}-{day[6:]} {family.lower()}",
            f"call (614) 555-0{self.random.randrange(100, 999)} or {given.lower()}@{family.lower()}.org",
            f"{self.random.randrange(10, 999)} {other} Street, OH 43{self.random.randrange(100, 999)}",
            f"pt {given}^{family} dr {other}",
            f"ssn {self.random.randrange(100, 700)}-{self.random.randrange(10, 99)}-{self.random.randrange(1000, 9999)}",
            f"id:{self.mrn};{other}",
        )
        chosen = self.random.choice(texts)
        for shape in (f"{day[4:6]}/{day[6:]}/{day[:4]}", f"{day[:4]}-{day[4:6]}-{day[6:]}"):
            if shape in chosen:
                self.secrets.add(shape)
        if "(614)" in chosen:
            self.secrets.add(chosen.split("(614) ")[1][:8])
        if "ssn" in chosen:
            self.secrets.add(chosen.split("ssn ")[1])
        return chosen

    def name(self) -> str:
        if self.random.random() < 0.4:
            family, given = self.script
            self.secrets |= {family, given}
            return (
                f"{family}^{given}"
                if self.codec != "iso2022_jp"
                else f"{self.word()}^={family}^{given}"
            )
        return f"{self.family}^{self.given}^{self.random.choice(('', self.word()))}"

    def hide(self) -> Hidden:
        random = self.random
        made = ct(1, random.randrange(10**6))
        made.SpecificCharacterSet = self.charset.split("\\")
        made.PatientID = self.mrn
        self.secrets.add(self.mrn)
        for keyword in (
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "SOPInstanceUID",
            "FrameOfReferenceUID",
        ):
            setattr(made, keyword, self.uid())
        made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
        made.InstitutionName = f"{self.word()} Hospital"
        made.ReferringPhysicianName = f"{self.word()}^{self.word()}"
        made.AccessionNumber, made.StudyID = self.number(), self.number()
        made.PatientName = f"{self.family}^{self.given}"
        made.PatientAge = random.choice(("095Y", "101Y", "062Y"))
        self.fill(made, count=14)
        level = made
        for _ in range(random.randrange(1, 5)):
            inner = Dataset()
            self.fill(inner, count=5)
            inner.ReferencedSOPInstanceUID = self.uid()
            inner.ReferencedSOPClassUID = made.SOPClassUID
            setattr(level, random.choice(LEVELS), Sequence([inner, item(PatientID=self.number())]))
            level = inner
        for place in (self.private, self.unknown, self.graphics, self.leftovers, self.around):
            if random.random() < 0.7:
                place(made)
        syntax = random.choice(SYNTAXES)
        made.file_meta.TransferSyntaxUID = syntax
        source = packed(made)
        return Hidden(source, made, self.codec, self.secrets)

    def fill(self, made: Dataset, count: int) -> None:
        random = self.random
        for keyword in random.sample(TEXTS, count // 2 + 1):
            setattr(made, keyword, self.said()[:60])
        for keyword in random.sample(NUMBERS, count // 3 + 1):
            if keyword != "AccessionNumber":
                setattr(made, keyword, self.number())
        for keyword in random.sample(PEOPLE, count // 3 + 1):
            if keyword != "PatientName":
                setattr(made, keyword, self.name())
        for keyword in random.sample(DATES, count // 5 + 1):
            setattr(made, keyword, self.day())
        made.DerivationCodeSequence = Sequence(
            [item(CodeValue="113040", CodingSchemeDesignator="99LOC", CodeMeaning=self.said()[:60])]
        )

    def private(self, made: Dataset) -> None:
        block = made.private_block(0x0009, f"{self.word()} PRIVATE", create=True)
        block.add_new(0x01, "LO", self.family)
        block.add_new(0x02, "PN", f"{self.family}^{self.given}")
        block.add_new(
            0x03, "SQ", Sequence([item(PatientName=self.name(), PatientID=self.number())])
        )
        block.add_new(0x04, "UN", self.given.encode())
        safe = made.private_block(0x0019, "GEMS_ACQU_01", create=True)
        safe.add_new(0x23, "DS", "39.37")
        safe.add_new(0x9E, "LO", f"{self.family} seq")
        safe.add_new(0x30, "LO", self.given)

    def unknown(self, made: Dataset) -> None:
        made.add_new(0x00080099, "LO", self.word())
        made.add_new(0x00189EEE, "UN", self.word().encode())
        made.add_new(0x00333333, "UN", self.word().encode())
        made.AcquisitionNumber = self.mrn
        made.add_new(0x0018EEEE, "LT", self.word())

    def graphics(self, made: Dataset) -> None:
        made.add_new(0x60000010, "US", 16)
        made.add_new(0x60000011, "US", 16)
        made.add_new(0x60000022, "LO", self.word())
        made.add_new(0x60004000, "LT", self.said())
        made.add_new(0x60003000, "OW", self.word().encode().ljust(32, b"\0"))
        made.add_new(0x50003000, "OW", self.word().encode().ljust(32, b"\0"))
        made.IconImageSequence = Sequence([item(ImageComments=self.word())])

    def leftovers(self, made: Dataset) -> None:
        made.add_new(0xFFFCFFFC, "OB", self.word().encode().ljust(64, b"\0"))
        made.PixelData = made.PixelData + self.word().encode().ljust(64, b" ")
        made.BodyPartExamined = self.family.upper()[:16]
        made.RetrieveURL = f"https://pacs/{self.family}"
        made.ScheduledStationAETitle = self.word()[:16]
        made.Manufacturer = f"ACME {self.family}"

    def around(self, made: Dataset) -> None:
        made.preamble = self.word().encode().ljust(128, b"\0")
        made.file_meta.SourceApplicationEntityTitle = self.word()[:16]
        made.file_meta.PrivateInformationCreatorUID = self.uid()
        made.file_meta.PrivateInformation = self.word().encode().ljust(20, b"\0")


def remaining(output: bytes, hidden: Hidden) -> set[str]:
    """Planted values that stand somewhere in an output's bytes."""
    size = int.from_bytes(output[140:144], "little")
    body = output
    if DeflatedExplicitVRLittleEndian.encode() + b"\0" in output[:400]:
        body = output[: 144 + size] + zlib.decompress(output[144 + size :], -zlib.MAX_WBITS)
    plain = body.lower()
    found = set()
    for secret in hidden.secrets:
        for codec in {"utf-8", "utf-16-le", "utf-16-be", hidden.codec}:
            for text in (secret, secret.upper(), secret.lower()):
                try:
                    needle = text.encode(codec)
                except UnicodeEncodeError:
                    continue
                if needle in body or (secret.isascii() and needle.lower() in plain):
                    found.add(secret)
    return found
