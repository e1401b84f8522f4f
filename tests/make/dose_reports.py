"""Dose reports as scanners of several makers write them, and pictures of such reports."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage, XRayRadiationDoseSRStorage

from tests.make.instances import ROOT, ct, item, items, packed

ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"


def code(value: str, scheme: str = "DCM", meaning: str = "a meaning") -> Dataset:
    """A code sequence item."""
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _item(kind: str, name: str, **change: Any) -> Dataset:
    return item(
        RelationshipType="CONTAINS",
        ValueType=kind,
        ConceptNameCodeSequence=items(code(name)),
        **change,
    )


def number(name: str, value: str | None, unit: str) -> Dataset:
    """A numeric content item; without a value it has none, as the standard lets it."""
    if value is None:
        return _item("NUM", name, MeasuredValueSequence=items())
    units = item(CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning=unit)
    measured = item(MeasurementUnitsCodeSequence=items(units))
    measured.add_new("NumericValue", "DS", "")
    measured["NumericValue"].validation_mode = 0
    measured["NumericValue"]._value = value
    return _item("NUM", name, MeasuredValueSequence=items(measured))


def coded(name: str, value: str, scheme: str = "DCM") -> Dataset:
    """A content item with a code."""
    return _item("CODE", name, ConceptCodeSequence=items(code(value, scheme)))


def uid(name: str, value: str) -> Dataset:
    """A content item with a UID."""
    return _item("UIDREF", name, UID=value)


def said(name: str, value: str) -> Dataset:
    """A content item with text."""
    return _item("TEXT", name, TextValue=value)


def container(name: str, *content: Dataset) -> Dataset:
    """A content item with others in it."""
    return _item("CONTAINER", name, ContinuityOfContent="SEPARATE", ContentSequence=items(*content))


def event(
    number_of_it: int,
    *,
    study: int = 1,
    ctdivol: str | None = "8.00",
    dlp: str | None = "250.0",
    dlp_unit: str = "mGy.cm",
    ctdivol_unit: str = "mGy",
    phantom: str | None = "113691",
    region: tuple[str, str] | None = ("SCT", "816094009"),
    ssde: str | None = None,
    diameter: str | None = None,
    with_uid: bool = True,
    more: Sequence[Dataset] = (),
) -> Dataset:
    """A CT acquisition (TID 10013) with its doses; None leaves a value out."""
    dose = [number("113830", ctdivol, ctdivol_unit)] if ctdivol is not None else []
    dose += [coded("113835", phantom)] if phantom is not None else []
    dose += [number("113838", dlp, dlp_unit)] if dlp is not None else []
    dose += [number("113930", ssde, "mGy")] if ssde is not None else []
    content = [said("125203", "Chest routine"), coded("113820", "116152004", "SCT")]
    content += [coded("123014", region[1], region[0])] if region is not None else []
    content += [uid("113769", f"{ROOT}.{study}.77.{number_of_it}")] if with_uid else []
    content += [container("113822", number("113824", "2.5", "s"))]
    content += [number("113980", diameter, "mm")] if diameter is not None else []
    content += [container("113829", *dose)] if dose else []
    return container("113819", *content, *more)


def report(
    *events: Dataset,
    study: int = 1,
    instance: int = 1,
    total: str | None = "250.0",
    total_unit: str = "mGy.cm",
    sop_class: str = XRayRadiationDoseSRStorage,
    title: str = "113701",
    before: Sequence[Dataset] = (),
    predecessors: Sequence[str] = (),
    **change: Any,
) -> bytes:
    """A dose report of a CT (TID 10011) with its header; `change` as in `ct`."""
    picture = ("Rows", "Columns", "PixelData", "BitsAllocated", "BitsStored", "HighBit")
    picture += ("PixelRepresentation", "RescaleIntercept", "RescaleSlope", "SamplesPerPixel")
    picture += ("PhotometricInterpretation", "PixelSpacing", "SliceThickness", "ImageType", "KVP")
    picture += ("ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID")
    made = ct(instance, study, 50, **dict.fromkeys(picture), **{"Modality": "SR"} | change)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = sop_class
    made.SeriesDescription = "Dose Report"
    made.CompletionFlag, made.VerificationFlag = "COMPLETE", "UNVERIFIED"
    if predecessors:
        referenced = [
            item(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=one)
            for one in predecessors
        ]
        series = item(
            SeriesInstanceUID=made.SeriesInstanceUID, ReferencedSOPSequence=items(*referenced)
        )
        made.PredecessorDocumentsSequence = items(
            item(StudyInstanceUID=made.StudyInstanceUID, ReferencedSeriesSequence=items(series))
        )
    accumulated = [number("113812", str(len(events)), "{events}")]
    accumulated += [number("113813", total, total_unit)] if total is not None else []
    made.ValueType, made.ContinuityOfContent = "CONTAINER", "SEPARATE"
    made.ConceptNameCodeSequence = items(code(title))
    content = [*before, coded("121058", "77477000", "SCT"), uid("113769", f"{ROOT}.{study}.76")]
    content = content[:-1]
    if total is not None or not events:
        content.append(container("113811", *accumulated))
    made.ContentSequence = items(*content, *events)
    return packed(made)


def picture(study: int = 1, instance: int = 1, **change: Any) -> bytes:
    """A secondary capture of a dose report, without burned-in text of its own."""
    made = ct(
        instance,
        study,
        60,
        **{"SeriesDescription": "Dose Report", "Modality": "CT", "BurnedInAnnotation": "NO"}
        | change,
    )
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    made.ConversionType = "WSD"
    return packed(made)


def elements(case: Mapping[str, Any], *names: str) -> list[Any]:
    """Some elements of a case as the API shows it."""
    return [case["elements"].get(name) for name in names]
