"""Hiding places by disguise: wrong VRs, own character sets, spare bits, other spellings."""

import base64

import numpy as np
from pydicom.sequence import Sequence as Items

from tests.deid.adversary.answers import Secret
from tests.deid.adversary.burnt import strokes
from tests.deid.adversary.planting import Kind, Planting, code, items, made

SHORT = (("Ng", "Amy"), ("Wu", "Ito"), ("Abe", "Roy"), ("Kay", "Ivy"), ("Guy", "Ana"))


def wrong_vr(at: Planting) -> None:
    """Known attributes under a VR that is not theirs."""
    ds, patient = at.dataset, at.patient
    ds.add_new(0x00101001, "LO", patient.name)
    ds.add_new(0x00104000, "ST", f"{patient.given} {patient.family}")
    ds.add_new(0x00081080, "UT", at.phrase("wrong VR"))
    ds.add_new(0x00102160, "UN", patient.family.encode() + b" " * (len(patient.family) % 2))
    ds.add_new(0x00200012, "LO", patient.family)
    ds.add_new(0x00181030, "PN", patient.name)
    ds.add_new(0x00180015, "LO", patient.family)
    ds.add_new(0x00080022, "LO", f"{patient.family} {patient.born:%Y%m%d}")
    ds.add_new(0x00180050, "LO", patient.family)
    ds.add_new(0x00280300, "LO", patient.given)
    ds.add_new(0x00281050, "SH", patient.mrn[:16] or "40")
    at.forget(
        "EthnicGroup",
        "AcquisitionNumber",
        "ProtocolName",
        "BodyPartExamined",
        "AcquisitionDate",
        "SliceThickness",
        "WindowCenter",
    )
    at.name_secrets("wrong VR", patient.family, patient.given)


def own_charset(at: Planting) -> None:
    """Items that have a character set of their own."""
    cyrillic, greek = ("Достоевская", "Людмила"), ("Παπαδόπουλος", "Διονύσιος")
    inner = made(SpecificCharacterSet="ISO_IR 126")
    inner.OperatorsName = "^".join(greek)
    inner.ContributionDescription = f"{greek[1]} {greek[0]} 3D"
    inner.Manufacturer = "ACME"
    outer = made(SpecificCharacterSet="ISO_IR 144")
    outer.OperatorsName = "^".join(cyrillic)
    outer.ContributionDescription = f"{cyrillic[0]}, {cyrillic[1]}"
    outer.Manufacturer = "ACME"
    outer.PurposeOfReferenceCodeSequence = items(code("109103", "DCM", "Modifying Equipment"))
    inner.PurposeOfReferenceCodeSequence = items(code("109103", "DCM", "Modifying Equipment"))
    at.dataset.ContributingEquipmentSequence = items(outer, inner)
    at.forget("ContributingEquipmentSequence")
    for part in cyrillic:
        at.secret(part, "item in Cyrillic", "iso8859_5")
    for part in greek:
        at.secret(part, "item in Greek", "iso8859_7")


def short_names(at: Planting) -> None:
    """Names of two and three letters: they may stand nowhere as words."""
    family, given = at.random.choice(SHORT)
    ds = at.dataset
    if at.patient.empty_id:
        ds.OtherPatientNames = f"{family}^{given}"  # the name is all that tells this patient apart
    else:
        ds.PatientName = f"{family}^{given}"
    at.forget("StudyDescription", "SeriesDescription")
    ds.StudyDescription = f"CT CHEST {family.upper()} {given.upper()} 3MM"
    ds.SeriesDescription = f"{given} {family} lung window"
    at.case.words.append((("StudyDescription",), ("CT", "CHEST", "3MM")))
    at.case.words.append((("SeriesDescription",), ("lung", "window")))
    for part in (family, given):
        at.case.secrets.append(Secret(part, "short name", ("word",)))


def spellings(at: Planting) -> None:
    """The patient's name spelt out, run together, with digits, doubled; numbers with separators."""
    patient = at.patient
    family, given = patient.family, patient.given
    ds = at.dataset
    at.forget("StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments")
    digits = "".join(char for char in patient.mrn if char.isdigit())
    ways = (
        f"CT CHEST {family}{given[0]}",
        f"CT CHEST {family.upper()}_{given[0]}",
        f"CHEST {family}2",
        f"CHEST-{family}-{given}-3MM",
        f"CHEST.{family}.{given}",
        f"{given[0]}{family} CHEST",
        f"CHEST {family}'s lung",
        f"CHEST ({given} {family})",
        f"CHEST [{family}]",
        f"CHEST {patient.middle[0]}. {family}",
        f"CHEST {given} {patient.middle[0]} {family} Jr.",
        f"CHEST {' '.join(digits)}" if digits else "CHEST",
        f"CHEST {'-'.join((digits[:3], digits[3:]))}" if digits else "CHEST",
        f"CHEST {family}/{given}/{patient.sex}",
    )
    for keyword in ("StudyDescription", "SeriesDescription", "ProtocolName"):
        chosen = at.random.choice([way for way in ways if len(way) <= 64])
        setattr(ds, keyword, chosen)
        at.case.words.append(((keyword,), ("CHEST",)))
        for part in chosen.split():
            if digits and part == "-".join((digits[:3], digits[3:])):
                at.secret(part, "number with separators")
    if digits:
        at.secret(" ".join(digits), "number spelt out")
    at.name_secrets("spellings", family, given)


def addresses(at: Planting) -> None:
    """What leads to people and machines: telephones of other lands, nets, keys, files, UIDs in text."""
    random, ds = at.random, at.dataset
    at.forget("ImageComments", "StudyDescription")
    number = random.randrange(10**6, 10**7)
    ways = (
        f"+49 30 {number}",
        f"+44 20 7946 0{random.randrange(100, 999)}",
        f"0{random.randrange(10, 99)}/{number}",
        f"192.168.{random.randrange(1, 250)}.{random.randrange(1, 250)}",
        f"\\\\server\\share\\{at.patient.family}".replace("\\", "/"),
        f"http://pacs.example.org/?id={number}",
        f"www.{at.patient.town.lower()}-imaging.com",
        f"{at.visit.uid}.1",
        f"Acc {at.visit.accession}",
        f"NPI {number}123",
        f"Policy BCBS{number}",
        f"{at.patient.postcode}-{random.randrange(1000, 9999)}",
        f"{at.visit.day:%Y-%m-%d}T10:11:12Z",
        f"{at.visit.day:%d/%m/%Y}",
        f"{at.visit.day:%A, %d %B %Y}",
        f"pager {random.randrange(200, 900)}-{random.randrange(1000, 9999)}",
        f"GUID {random.randrange(16**8):08x}-{random.randrange(16**4):04x}-4{random.randrange(16**3):03x}",
    )
    chosen = random.sample(ways, 6)
    ds.ImageComments = "; ".join(["lung nodule", *chosen])
    at.case.words.append((("ImageComments",), ("lung", "nodule")))
    for way in chosen:
        at.secret(way, "ImageComments")
        longest = max(way.split(), key=len)
        if len(longest) > 6:
            at.secret(longest, "ImageComments")
    ds.StudyDescription = f"CHEST {random.choice(ways[:4])}"
    at.secret(ds.StudyDescription[6:], "StudyDescription")
    at.case.words.append((("StudyDescription",), ("CHEST",)))


def spare_bits(at: Planting) -> None:
    """A name drawn in the bits above the pixels', with or without the overlay that says so."""
    ds = at.dataset
    if at.case.boxes or "PixelData" not in ds or ds.BitsAllocated != 16 or ds.BitsStored != 12:
        return
    frames = int(ds.get("NumberOfFrames", 1) or 1)
    array = np.frombuffer(ds.PixelData, "<u2").reshape(frames, ds.Rows, ds.Columns).copy()
    drawn = strokes(at.patient.family, 12)[: ds.Rows - 4, : ds.Columns - 4]
    array[:, 2 : 2 + drawn.shape[0], 2 : 2 + drawn.shape[1]] |= drawn.astype(np.uint16) << 15
    ds.PixelData = array.tobytes()
    ds["PixelData"].VR = "OW"
    at.case.spare = True
    if at.random.random() < 0.6:
        ds.add_new(0x60000010, "US", int(ds.Rows))
        ds.add_new(0x60000011, "US", int(ds.Columns))
        ds.add_new(0x60000040, "CS", "G")
        ds.add_new(0x60000050, "SS", [1, 1])
        ds.add_new(0x60000100, "US", 16)
        ds.add_new(0x60000102, "US", 15)


def coded(at: Planting) -> None:
    """Codes of other lengths and makers, and what is said of coding schemes."""
    ds = at.dataset
    given, family = at.stranger()
    at.name_secrets("long code", given, family)
    local = made(
        LongCodeValue=f"LOCAL-CODE-FOR-{family}-{given}",
        CodingSchemeDesignator="99HOUSE",
        CodingSchemeVersion=at.patient.town[:16],
        CodeMeaning=at.phrase("code meaning")[:64],
    )
    web = made(URNCodeValue=f"urn:oid:{at.uid()}", CodeMeaning=f"{family} protocol"[:64])
    ds.RequestedProcedureCodeSequence = items(local, web, code("P5-08000", "SRT", "Chest CT"))
    at.secret(at.patient.town, "coding scheme version")
    ds.ReasonForRequestedProcedureCodeSequence = items(code("386661006", "SCT", "Fever"))
    ds.AdmittingDiagnosesCodeSequence = items(
        code("I10", "I10", f"Hypertension of {at.patient.family}"[:64])
    )
    at.name_secrets("code meaning", at.patient.family)


def encoded(at: Planting) -> None:
    """Text that is bytes: in other encodings, in attributes that hold anything."""
    patient, ds = at.patient, at.dataset
    said = f"{patient.family} {patient.given} {patient.mrn}"
    ds.add_new(0x00090010, "LO", "ACME BYTES")
    for number, body in enumerate(
        (
            said.encode("utf-16-le"),
            said.encode("utf-16-be"),
            base64.b64encode(said.encode()),
            said[::-1].encode(),
        )
    ):
        ds.add_new(0x00091000 + number, "OB", body + b"\0" * (len(body) % 2))
    at.case.secrets.append(Secret(base64.b64encode(said.encode())[:12].decode(), "base64"))
    at.case.secrets.append(Secret(patient.family[::-1], "reversed"))
    at.name_secrets("bytes", patient.family, patient.given)
    if ds.get("PhotometricInterpretation") == "PALETTE COLOR":
        return
    ds.PixelPaddingValue = 0
    body = (said.encode() + b" " * 32)[:32]
    for colour in ("Red", "Green", "Blue"):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [16, 0, 16])
        setattr(ds, f"{colour}PaletteColorLookupTableData", bytes(32) if colour != "Red" else body)


def layers(at: Planting) -> None:
    """Labels of code strings that are names: layers, labels, stations, titles."""
    ds, patient = at.dataset, at.patient
    name = patient.family.upper().replace("'", "").replace("-", " ")[:16]
    ds.ContentLabel = name
    ds.GraphicLayerSequence = items(made(GraphicLayer=name, GraphicLayerOrder=1))
    ds.CompletionFlagDescription = f"by {patient.given} {patient.family}"
    ds.ContentTemplateSequence = items(made(MappingResource="DCMR", TemplateIdentifier="1500"))
    ds.DocumentTitle = f"Report of {patient.given} {patient.family}"
    ds.InstanceOriginStatus = "LOCAL"
    ds.ContentCreatorIdentificationCodeSequence = items(
        code(at.identifier("creator"), "99STAFF", at.pn("creator").replace("^", " "))
    )
    at.forget("ContentLabel", "GraphicLayerSequence")
    at.name_secrets("labels", patient.family, patient.given)
    at.case.secrets.append(Secret(name, "labels"))


def escaped(at: Planting) -> None:
    """Names whose letters are written as their numbers: of URLs, of HTML, of JSON."""
    ds, patient = at.dataset, at.patient
    said = f"{patient.given} {patient.family}"
    ways = (
        "".join(f"%{byte:02X}" for byte in said.encode()),
        "".join(f"&#{ord(char)};" for char in said),
        "".join(f"&#x{ord(char):x};" for char in said),
        "".join(f"/u{ord(char):04x}" for char in said),
        "=?utf-8?B?" + base64.b64encode(said.encode()).decode() + "?=",
    )
    at.forget("ImageComments", "StudyDescription")
    written = at.random.choice(ways)
    ds.ImageComments = f"lung nodule {written}"
    at.case.words.append((("ImageComments",), ("lung", "nodule")))
    at.case.secrets.append(Secret(written[:24], "letters as numbers"))
    ds.StudyDescription = f"CHEST {''.join(f'%{byte:02X}' for byte in patient.family.encode())}"[
        :64
    ]
    at.case.words.append((("StudyDescription",), ("CHEST",)))
    at.case.secrets.append(Secret(ds.StudyDescription[6:], "letters as numbers"))


def meanings(at: Planting) -> None:
    """Numbers of people behind the meanings of public codes; what the codes say stays."""
    ds, random = at.dataset, at.random
    number = random.randrange(10**6, 10**7)
    ways = (
        f"+34 659 {number % 1000:03d} {number // 1000 % 1000:03d}",
        f"0{random.randrange(10, 99)}/{number}",
        f"192.168.{random.randrange(1, 250)}.{random.randrange(1, 250)}",
        f"{number % 1000:03d}.{number // 7 % 1000:03d}.{number // 3 % 1000:03d}-{number % 100:02d}",
        f"1 63 08 75 {number % 1000:03d} {number // 1000 % 1000:03d} {number % 100:02d}",
        f"{random.randrange(1000, 9999)} {at.patient.street.split()[1]} Ave.",
    )
    chosen = random.sample(ways, 2)
    ds.RequestedProcedureCodeSequence = items(
        code("24627-2", "LN", f"Chest CT {chosen[0]}"),
        code("RPID16", "RADLEX", f"{chosen[1]}: CT Chest without IV Contrast"),
    )
    for number, way in enumerate(chosen):
        at.secret(way, "meaning of a public code")
        here = ("RequestedProcedureCodeSequence", number)
        at.case.words.append(((*here, "CodeMeaning"), ("CT",)))
        for keyword in ("CodeValue", "CodingSchemeDesignator"):
            at.keep((*here, keyword))


def machines_told(at: Planting) -> None:
    """Technical text with days and numbers in it, and with a name something was written to."""
    ds, patient = at.dataset, at.patient
    day = at.visit.day
    at.forget("SoftwareVersions", "SecondaryCaptureDeviceManufacturer", "ManufacturerModelName")
    said = at.random.choice(
        (f"{day:%m.%d.%Y}", f"{day:%d %m %Y}", f"{day:%Y_%m_%d}", f"zip {patient.postcode}")
    )
    ds.SoftwareVersions = f"V4.86 {said}"
    at.secret(said, "SoftwareVersions")
    at.case.words.append((("SoftwareVersions",), ("V4",)))
    ds.ManufacturerModelName = f"Aquilion {patient.family}01"[:64]
    at.case.words.append((("ManufacturerModelName",), ("Aquilion",)))
    at.name_secrets("model", patient.family)


def empty(at: Planting) -> None:
    """Empty values, empty sequences, empty items: nothing may stumble."""
    ds = at.dataset
    ds.PatientComments = ""
    ds.OtherPatientNames = ""
    ds.StudyComments = " "
    ds.ReferencedStudySequence = Items()
    ds.SourceImageSequence = Items()
    ds.AcquisitionDateTime = ""
    ds.PatientMotherBirthName = ""
    at.forget("AcquisitionDateTime")


DISGUISES: tuple[Kind, ...] = (
    wrong_vr,
    own_charset,
    short_names,
    spellings,
    addresses,
    spare_bits,
    coded,
    encoded,
    layers,
    escaped,
    meanings,
    machines_told,
    empty,
)
