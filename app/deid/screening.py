"""
Which objects may have text in their pixels, and what kind of page they are.

Slices that a scanner reconstructed cannot: nothing draws on them, and no time is spent there.
Whatever a person, a screen or an operator's console has been at can, whatever its sender says.
"""

from functools import lru_cache

from app.deid.choices import BurnedIn
from app.deid.walk import Dataset, text_of

_SOP_CLASS, _MODALITY, _IMAGE_TYPE = 0x00080016, 0x00080060, 0x00080008
_CONVERSION, _MANUFACTURER, _MODEL = 0x00080064, 0x00080070, 0x00081090
_SERIES, _FRAMES = 0x0008103E, 0x00280008
_BURNED_IN, _PHOTOMETRIC = 0x00280301, 0x00280004
_NO_PICTURES = (
    "1.2.840.10008.5.1.4.1.1.66",  # raw data, segmentation, surfaces, registration
    "1.2.840.10008.5.1.4.1.1.481",  # radiotherapy, except the RT image
    "1.2.840.10008.5.1.4.1.1.30",  # parametric map
)
_SLIDES = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""Whole slides: tiles of tissue; their labels, thumbnails and overviews are objects of their own."""
_RT_IMAGE = "1.2.840.10008.5.1.4.1.1.481.1"
_PAGES = (
    *("DOSE REPORT", "DOSE_REPORT", "DOSEREPORT", "DOSE INFO", "DOSE_INFO", "PATIENT PROTOCOL"),
    *("EXAM SUMMARY", "PATIENT INFO", "RADIATION DOSE", "CT_SOM5 PROT", "CT_SOM7 PROT"),
)


TELLING = (
    *(_SOP_CLASS, _MODALITY, _IMAGE_TYPE, _CONVERSION, _MANUFACTURER),
    *(_MODEL, _SERIES, _FRAMES, _BURNED_IN, _PHOTOMETRIC),
)
"""All that is asked here."""


def says_yes(dataset: Dataset) -> bool:
    """BurnedInAnnotation says YES."""
    return text_of(dataset.get(_BURNED_IN)).upper().startswith("Y")


def shows_pictures(dataset: Dataset) -> bool:
    """Is the object of a kind that is looked at, and not a segmentation, a dose or a map?"""
    return not _under(text_of(dataset.get(_SOP_CLASS)), _NO_PICTURES)


def may_have_text(dataset: Dataset, rules: BurnedIn) -> bool:
    """May something be written in this object's pixels?"""
    if says_yes(dataset):
        return True
    said = [text_of(dataset.get(tag)) for tag in _SAID]
    listed = rules.modalities, rules.sop_classes, rules.manufacturers, rules.image_types
    return _may(listed, _CONVERSION in dataset, is_page(dataset), *said)


_SAID = (_SOP_CLASS, _MODALITY, _PHOTOMETRIC, _MANUFACTURER, _MODEL, _IMAGE_TYPE)


@lru_cache(maxsize=1024)
def _may(
    listed: tuple[tuple[str, ...], ...],
    converted: bool,
    page: bool,
    sop_class: str,
    modality: str,
    photometric: str,
    manufacturer: str,
    model: str,
    image_type: str,
) -> bool:
    modalities, sop_classes, manufacturers, image_types = listed
    if _under(sop_class, _NO_PICTURES) and sop_class != _RT_IMAGE:
        return False
    if sop_class == _SLIDES and "VOLUME" in image_type.upper():
        return False
    if modality.upper() in modalities or converted:
        return True
    if _under(sop_class, sop_classes):
        return True
    # Grey-scale machines that send colour send screens.
    if photometric and not photometric.upper().startswith("MONOCHROME"):
        return True
    made_by = manufacturer.upper(), model.upper()
    if page or any(word in name for name in made_by for word in manufacturers):
        return True
    kinds = [kind.strip().upper() for kind in image_type.split("\\")]
    if any(word in kind for kind in kinds for word in image_types):
        return True
    return kinds[0] != "ORIGINAL" or kinds[1:2] == ["SECONDARY"]


def is_label(dataset: Dataset) -> bool:
    """The photographed label of a slide: names in print, in handwriting and in barcodes."""
    kinds = text_of(dataset.get(_IMAGE_TYPE)).upper().split("\\")
    return text_of(dataset.get(_SOP_CLASS)) == _SLIDES and "LABEL" in kinds


def is_page(dataset: Dataset) -> bool:
    """A page of text, as a dose report is, by what it is called: one frame, no loop."""
    if text_of(dataset.get(_FRAMES)) not in ("", "1"):
        return False
    said = (text_of(dataset.get(tag)).upper() for tag in (_IMAGE_TYPE, _SERIES))
    return any(name in words for words in said for name in _PAGES)


def _under(uid: str, roots: tuple[str, ...]) -> bool:
    return any(uid == root or uid.startswith(root + ".") for root in roots)
