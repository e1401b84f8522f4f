"""
What becomes of an object's pixels, and why an object has no output.

Clean Pixel Data (PS3.15 E.3.1): text in the pixels of objects that may have some is found and
blanked; what cannot be looked at is held back. Native pixel data is cut to the size its attributes
give, so nothing can follow the last pixel, and its unused bits are cleared, so nothing is drawn
there; compressed pixel data loses comments and what follows the image.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from app.deid import raster as layout
from app.deid import screening
from app.deid.encapsulated import without_remarks, without_tails
from app.deid.facts import Facts
from app.deid.profile import Profile
from app.deid.raster import Cleaned, Raster
from app.deid.walk import (
    EXPLICIT_LITTLE,
    PIXEL_DATA,
    Dataset,
    Element,
    Fragments,
    Instance,
    number_of,
    text_of,
)


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
_SAMPLE = 1 << 14
"""Bytes below which no page of text fits."""
_RLE = "1.2.840.10008.1.2.5"
_CLASS_OF_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."
_OVERLAY_BITS = frozenset(group << 16 | 0x0102 for group in range(0x6000, 0x6100, 2))
_SOP_CLASS, _PHOTOMETRIC = 0x00080016, 0x00280004


def has_pixels(dataset: Dataset) -> bool:
    """Is there pixel data of any kind?"""
    return any(tag in dataset for tag in PIXELS)


def doubt(instance: Instance, profile: Profile) -> Reason | None:
    """Why this object must be held whatever its pixels show, or None."""
    dataset = instance.dataset
    if profile.choices.encapsulated_documents == "hold":
        sop_class = text_of(dataset.get(_SOP_CLASS))
        if ENCAPSULATED_DOCUMENT in dataset or sop_class.startswith(_CLASS_OF_DOCUMENTS):
            return Reason.ENCAPSULATED
    if PIXEL_DATA in dataset:
        return None
    if has_pixels(dataset) and screening.says_yes(dataset):  # floating point: no picture to look at
        return Reason.BURNED_IN
    return None


@dataclass(frozen=True, slots=True)
class Stated:
    """What an object's attributes state of its pixels, whatever they show.

    `size` is that of native pixel data in bytes; None where the attributes do not tell.
    """

    raster: Raster | None
    size: int | None
    may_have_text: bool
    shows_pictures: bool


def _stated(said: Dataset, little: bool, profile: Profile) -> Stated:
    instance = Instance({}, said, "", explicit=True, little=little)
    return Stated(
        Raster.of(instance),
        _expected(instance),
        screening.may_have_text(said, profile.choices.burned_in),
        screening.shows_pictures(said),
    )


_STATED = Facts((*layout.STATED, *screening.TELLING), _stated)


def cleaned(instance: Instance, profile: Profile) -> Cleaned | Reason:
    """The pixel data that may leave. May set another transfer syntax on `instance`."""
    stated = _STATED.of(instance.dataset, instance.little, profile)
    whole = _bare(instance, stated)
    if isinstance(whole, Reason):
        return whole
    if not stated.may_have_text and not _looks_drawn(whole, stated):
        return Cleaned(whole)
    from app.deid import burned_in  # what decodes, draws and looks is only loaded for these

    rules = profile.choices.burned_in
    if rules.pages == "hold" and screening.is_page(instance.dataset):
        return Reason.BURNED_IN
    try:
        return burned_in.cleaned(instance, whole, rules)
    except burned_in.NotFound:
        return Reason.BURNED_IN
    except burned_in.Unseen:
        said_yes = screening.says_yes(instance.dataset)
        return Reason.BURNED_IN if said_yes else Reason.MAY_BE_BURNED_IN


def _looks_drawn(whole: Element, stated: Stated) -> bool:
    """A page that calls itself a slice: a scanner's noise has more values than a drawing's inks."""
    raster = stated.raster
    if raster is None or raster.dtype is None or not isinstance(whole.value, (bytes, memoryview)):
        return False
    if not stated.shows_pictures or len(whole.value) < _SAMPLE:
        return False
    from app.deid.native import few_values

    return few_values(whole.value, raster)


def _bare(instance: Instance, stated: Stated) -> Element | Reason:
    """Pixel data with nothing after it, beside it or drawn in its unused bits."""
    raster, overlay = stated.raster, _overlay_in_pixels(instance)
    whole = _trimmed(instance, stated.size)
    if isinstance(whole, Reason):
        return whole
    if isinstance(whole.value, Fragments):
        bare = without_remarks(whole.value)
        if raster is not None and instance.transfer_syntax == _RLE:
            bare = without_tails(bare, raster.rows * raster.columns)
        kept = whole if bare is whole.value else Element(whole.vr, bare)
        return _without_overlay(instance, kept) if overlay else kept
    assert not isinstance(whole.value, list)
    if raster is None:
        return Reason.PIXEL_OVERLAY if overlay else whole
    if raster.stored == raster.allocated:
        return whole
    from app.deid import native

    stray = native.stray_bits(whole.value, raster)
    if stray is None:
        return whole
    if not overlay:  # bits that mean nothing stay as they are, unless they mean something
        if not native.sparse(stray):
            return whole
        from app.deid import burned_in

        if not burned_in.drawn(stray):
            return whole
    return Element(whole.vr, native.without_stray_bits(whole.value, raster))


def _without_overlay(instance: Instance, whole: Element) -> Element | Reason:
    """Compressed pixel data as it came when its spare bits are empty, else unpacked without them."""
    raster = Raster.of(instance)
    if raster is None or raster.samples > 1:
        return Reason.PIXEL_OVERLAY
    from app.deid import burned_in, native

    try:
        plain = burned_in.unpacked(instance, whole, raster)
    except burned_in.Unseen:
        return Reason.PIXEL_OVERLAY
    assert isinstance(plain.value, bytes)
    little = replace(raster, little=True)
    if native.stray_bits(plain.value, little) is None:
        return whole
    instance.transfer_syntax = EXPLICIT_LITTLE
    instance.explicit = instance.little = True
    return Element(plain.vr, native.without_stray_bits(plain.value, little))


def _overlay_in_pixels(instance: Instance) -> bool:
    """Overlays in the unused bits of the pixels (retired): drawn where nobody looks."""
    dataset, little = instance.dataset, instance.little
    return any(number_of(dataset[tag], little) for tag in dataset.keys() & _OVERLAY_BITS)


def _trimmed(instance: Instance, expected: int | None) -> Element | Reason:
    """Pixel data as long as its attributes say: padding after it goes, less than that is wrong."""
    element = instance.dataset[PIXEL_DATA]
    if isinstance(element.value, Fragments):
        return element
    if isinstance(element.value, list):
        return Reason.UNREADABLE
    if expected is None:
        return element
    if len(element.value) < expected:
        return Reason.WRONG_LENGTH
    if expected & 1 and len(element.value) > expected and not instance.little:
        return Element(element.vr, element.value[: expected + 1])  # its words hold the last byte
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
