"""Hiding places outside of the attributes people read: private, unknown, drawn, before and after."""

import struct

import numpy as np

from tests.deid.adversary.answers import Secret
from tests.deid.adversary.burnt import strokes
from tests.deid.adversary.planting import Kind, Planting, items, made


def private_unknown(at: Planting) -> None:
    """Private blocks of makers nobody lists, with every VR, and creators that are names."""
    ds = at.dataset
    for group, creator in (
        (0x0009, f"{at.patient.family} CORP"[:60]),
        (0x0011, "ACME HEADER"),
        (0x7FE1, "ACME PIX"),
    ):
        block = ds.private_block(group, creator, create=True)
        block.add_new(0x01, "LO", at.patient.family)
        block.add_new(0x02, "PN", at.patient.name)
        block.add_new(0x03, "UI", at.uid())
        block.add_new(0x04, "DA", f"{at.patient.born:%Y%m%d}")
        block.add_new(
            0x05, "OB", f"{at.patient.family} {at.patient.mrn} ".encode().ljust(64, b"\0")
        )
        block.add_new(0x06, "UN", f"{at.patient.given}".encode().ljust(32, b" "))
        block.add_new(
            0x07,
            "SQ",
            items(
                made(
                    PatientName=at.patient.name,
                    PatientID=at.patient.mrn,
                    TextValue=at.phrase("private SQ"),
                )
            ),
        )
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
    for tag in (0x00191023, 0x00194223, 0x0019100C, 0x00431027):
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
    image.add_new(
        0x10, "OB", b"SV10\4\3\2\1" + f"PatientName {at.patient.family}".encode().ljust(120, b"\0")
    )
    image.add_new(
        0x20, "OB", b"SV10\4\3\2\1" + f"tPatientID {at.patient.mrn}".encode().ljust(120, b"\0")
    )
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
        ds.PixelData = ds.PixelData + f"{at.patient.given}{at.patient.family}".encode().ljust(
            64, b" "
        )
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
    ds.MACParametersSequence = items(
        made(
            MACIDNumber=1,
            MACCalculationTransferSyntaxUID="1.2.840.10008.1.2.1",
            MACAlgorithm="SHA1",
        )
    )
    ds.EncryptedAttributesSequence = items(
        made(
            EncryptedContentTransferSyntaxUID="1.2.840.10008.1.2.1",
            EncryptedContent=at.patient.name.encode().ljust(64, b"\0"),
        )
    )
    at.name_secrets("signature", at.patient.family)


def structure(at: Planting) -> None:
    """Palette, histogram and display shutter stay; ICC profile texts that name somebody do not."""
    ds = at.dataset
    profile = struct.pack(">L", 160) + b"\0" * 124
    text = f"{at.patient.family} {at.patient.mrn}".encode()[:24].ljust(24, b"\0")
    ds.ICCProfile = (profile + text).ljust(160, b"\0")
    at.name_secrets("ICCProfile", at.patient.family)
    if ds.Modality in ("XA", "RF", "CR", "PR"):
        ds.ShutterShape, ds.ShutterLeftVerticalEdge = "RECTANGULAR", 10
        at.keep(("ShutterShape",))
    ds.LossyImageCompression = "00"
    at.keep(("LossyImageCompression",))


LEFTOVERS: tuple[Kind, ...] = (
    private_unknown,
    private_safe,
    private_abused,
    private_bare,
    unknown,
    overlays,
    icon,
    trailing,
    around,
    digital,
    structure,
)
