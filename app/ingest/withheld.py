"""What the sender of an instance is told when it is refused or held."""

from app.deid.pixels import Reason
from app.registries.findings import FindingCode

WITHHELD: dict[Reason, tuple[FindingCode, str]] = {
    Reason.NOT_DICOM: (FindingCode.NOT_DICOM, "Send DICOM instances (PS3.10)."),
    Reason.TRUNCATED: (FindingCode.UNREADABLE, "The instance ends too early. Send it again whole."),
    Reason.WRONG_LENGTH: (
        FindingCode.UNREADABLE,
        "A length in it is wrong: attributes or pixels are missing. Export it again from its source.",
    ),
    Reason.UNREADABLE: (FindingCode.UNREADABLE, "It is broken inside. Export it again."),
    Reason.NOT_AN_INSTANCE: (
        FindingCode.NOT_DICOM,
        "This is a directory (DICOMDIR). Send the instances it lists.",
    ),
    Reason.UNSUPPORTED_SYNTAX: (
        FindingCode.UNREADABLE,
        "Its transfer syntax is none of the standard's. Send it in another one.",
    ),
    Reason.MISSING_UID: (
        FindingCode.UNREADABLE,
        "It names no SOPClassUID and shows no picture, or it belongs to no study. Export it again.",
    ),
    Reason.BURNED_IN: (
        FindingCode.BURNED_IN_TEXT,
        "BurnedInAnnotation says YES, and the text was not found in the pixels. Send it again "
        "without the text, marked NO.",
    ),
    Reason.MAY_BE_BURNED_IN: (
        FindingCode.BURNED_IN_TEXT,
        "Objects of this kind often have text in their pixels, and these pixels cannot be decoded. "
        "Send it again without compression, or in another transfer syntax.",
    ),
    Reason.PIXEL_OVERLAY: (
        FindingCode.BURNED_IN_TEXT,
        "An overlay is drawn in unused bits of compressed pixels. Send it without, or uncompressed.",
    ),
    Reason.ENCAPSULATED: (
        FindingCode.ENCAPSULATED_DOCUMENT,
        "Documents inside DICOM cannot be de-identified here. Send the images only.",
    ),
    Reason.IDENTIFIER_REMAINS: (
        FindingCode.IDENTIFIER_REMAINS,
        "The second look found an identifier that stayed. The operator has to look.",
    ),
}
