"""
Pixels that may carry text: such objects are held, never guessed at.

Clean Pixel Data by holding back: BurnedInAnnotation YES holds; a kind of object that often
carries text holds unless its sender says NO; graphics hidden in unused pixel bits hold.
Native pixel data is cut to the size its attributes give, so nothing can follow the last pixel.
"""

from enum import StrEnum

from app.deid.profile import Profile
from app.deid.walk import PIXEL_DATA, Dataset, Element, Fragments, Instance, number_of, text_of


class Reason(StrEnum):
    """Why an object gives no output. The words are ours: they never repeat what was sent."""

    # refused: the bytes are not a usable instance
    NOT_DICOM = "not-dicom"
    TRUNCATED = "truncated"
    WRONG_LENGTH = "wrong-length"
    UNREADABLE = "unreadable-dicom"
    NOT_AN_INSTANCE = "not-an-instance"
    UNSUPPORTED_SYNTAX = "unsupported-transfer-syntax"
    MISSING_UID = "missing-uid"
    # held: readable, but it may identify somebody
    BURNED_IN = "burned-in-annotation"
    MAY_BE_BURNED_IN = "may-be-burned-in"
    PIXEL_OVERLAY = "overlay-in-pixels"
    ENCAPSULATED = "encapsulated-document"
    IDENTIFIER_REMAINS = "identifier-remains"

    @property
    def holds(self) -> bool:
        """Held back for a person to look at, not refused as unusable."""
        return self in _HOLDS


_HOLDS = frozenset(
    (
        Reason.BURNED_IN,
        Reason.MAY_BE_BURNED_IN,
        Reason.PIXEL_OVERLAY,
        Reason.ENCAPSULATED,
        Reason.IDENTIFIER_REMAINS,
    )
)
ENCAPSULATED_DOCUMENT = 0x00420011
PIXELS = (PIXEL_DATA, 0x7FE00008, 0x7FE00009)
_CLASS_OF_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."
_MODALITY, _SOP_CLASS, _IMAGE_TYPE, _CONVERSION = 0x00080060, 0x00080016, 0x00080008, 0x00080064
_BURNED_IN, _PHOTOMETRIC = 0x00280301, 0x00280004


def has_pixels(dataset: Dataset) -> bool:
    """Is there pixel data of any kind?"""
    return any(tag in dataset for tag in PIXELS)


def doubt(instance: Instance, profile: Profile) -> Reason | None:
    """Why this object must be held, or None when nothing speaks against it."""
    dataset = instance.dataset
    sop_class = text_of(dataset.get(_SOP_CLASS))
    if ENCAPSULATED_DOCUMENT in dataset or sop_class.startswith(_CLASS_OF_DOCUMENTS):
        return Reason.ENCAPSULATED
    if not has_pixels(dataset):
        return None
    said = text_of(dataset.get(_BURNED_IN)).upper()
    if said == "YES":
        return Reason.BURNED_IN
    if _overlay_in_pixels(instance):
        return Reason.PIXEL_OVERLAY
    if said != "NO" and _may_carry_text(dataset, sop_class, profile):
        return Reason.MAY_BE_BURNED_IN
    return None


def _may_carry_text(dataset: Dataset, sop_class: str, profile: Profile) -> bool:
    rules = profile.choices.burned_in
    if text_of(dataset.get(_MODALITY)).upper() in rules.modalities or _CONVERSION in dataset:
        return True
    if any(sop_class == root or sop_class.startswith(root + ".") for root in rules.sop_classes):
        return True
    kinds = [kind.strip().upper() for kind in text_of(dataset.get(_IMAGE_TYPE)).split("\\")]
    if any(kind in rules.image_types for kind in kinds):
        return True
    # Grey-scale machines that send colour send screens.
    photometric = text_of(dataset.get(_PHOTOMETRIC)).upper()
    return bool(photometric) and not photometric.startswith("MONOCHROME")


def _overlay_in_pixels(instance: Instance) -> bool:
    """Overlays in the unused bits of the pixels (retired): drawn where nobody looks."""
    return any(
        tag >> 16 & 0xFF01 == 0x6000
        and tag & 0xFFFF == 0x0102
        and bool(number_of(element, instance.little))
        for tag, element in instance.dataset.items()
    )


def trimmed(instance: Instance) -> Element | Reason:
    """Pixel data as long as its attributes say: padding after it goes, less than that is wrong."""
    dataset = instance.dataset
    element = dataset[PIXEL_DATA]
    if isinstance(element.value, Fragments):
        return element
    if isinstance(element.value, list):
        return Reason.UNREADABLE
    expected = _expected(instance)
    if expected is None:
        return element
    if len(element.value) < expected:
        return Reason.WRONG_LENGTH
    if len(element.value) > expected + (expected & 1):
        return Element(element.vr, element.value[:expected])
    if expected & 1 and len(element.value) > expected:
        return Element(element.vr, element.value[:expected])  # written again with a zero pad
    return element


def _expected(instance: Instance) -> int | None:
    """Bytes of native pixel data (PS3.5 8.1); None when the attributes do not tell."""
    dataset, little = instance.dataset, instance.little

    def us(tag: int) -> int | None:
        return number_of(dataset.get(tag), little)

    rows, columns, allocated = us(0x00280010), us(0x00280011), us(0x00280100)
    frames = text_of(dataset.get(0x00280008)) or "1"
    if rows is None or columns is None or allocated is None or not frames.isdigit():
        return None
    pixels = rows * columns * int(frames)
    if text_of(dataset.get(_PHOTOMETRIC)) == "YBR_FULL_422":
        samples = 2
    elif text_of(dataset.get(_PHOTOMETRIC)) in ("YBR_PARTIAL_420",):
        return None
    else:
        samples = us(0x00280002) or 1
    return (pixels * samples * allocated + 7) // 8
