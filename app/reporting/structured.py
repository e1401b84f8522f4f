"""
What a case says in RadElement's codes, as a DICOM structured report (PS3.16 TID 1500).

Each set is a measurement group (TID 1501): the set is its finding, coded elements are qualitative
evaluations, numbers are measurements. What has neither code nor number there (a text, a date, what is
known not to be known) is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from app.registries.radelement import Answered, AnsweredSet
from app.registries.schema import Code, ElementCodes

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept, Measurement, QualitativeEvaluation
    from pydicom.dataset import Dataset

SCHEME = "RADELEMENT"
"""The designator of RadElement in DICOM; its UID is 1.2.840.10008.2.16.15."""
OWN = "99HOUNSFIELD"
"""Of codes that RadElement has none for; names that begin with 99 are private ones (PS3.16 8)."""
_SCHEMES = (
    (SCHEME, "1.2.840.10008.2.16.15", "RadElement"),
    (OWN, "", "Codes of the registry's own definition"),
)
LONGEST = 64
"""Characters of a meaning or identifier (PS3.5 6.2, LO and SH of long codes)."""
MANUFACTURER = "Hounsfield"


@dataclass(frozen=True, slots=True)
class Imaged:
    """An archived instance that a report is about."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str


def uid_of(*parts: object) -> str:
    """A UID for whatever these name, the same each time (PS3.5 B.2)."""
    digest = hashlib.sha256("\0".join(map(str, ("hounsfield", *parts))).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def structured_report(
    sets: Sequence[AnsweredSet],
    *,
    study: str,
    patient: str,
    about: Sequence[Imaged],
    named: str,
    at: datetime,
) -> Dataset:
    """A Comprehensive SR of TID 1500, in a study and of a patient by their pseudonyms.

    `named` is what the report's own UIDs are made of, `at` the moment of its content: the same is written
    the same, byte for byte. No date of service stands in it.
    """
    import highdicom.sr as sr  # who writes no report need not load it
    from pydicom.sr.codedict import codes

    observer = sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=uid_of("observer"), name=MANUFACTURER
        ),
    )
    groups = []
    for number, one in enumerate(sets):
        evaluations, measurements = _content(one)
        if evaluations or measurements:
            tracked = sr.TrackingIdentifier(
                uid=uid_of(named, number), identifier=f"{one.place}{one.form}"[:LONGEST]
            )
            groups.append(
                sr.MeasurementsAndQualitativeEvaluations(
                    tracking_identifier=tracked,
                    finding_type=_concept(one.codes, one.form, one.title),
                    qualitative_evaluations=evaluations or None,
                    measurements=measurements or None,
                )
            )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=sr.CodedConcept("363679005", "SCT", "Imaging procedure"),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    # Study and patient come by an instance; where there is none, one is made up and taken out again.
    evidence = [_evidence(study, patient, one) for one in about]
    report: Dataset = sr.ComprehensiveSR(
        evidence=evidence or [_evidence(study, patient, _made_up(named))],
        content=content,
        series_number=1,
        series_instance_uid=uid_of(study, "series of reports"),
        sop_instance_uid=uid_of(named),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
    )
    report.ContentDate = report.InstanceCreationDate = report.SeriesDate = f"{at:%Y%m%d}"
    report.ContentTime = report.InstanceCreationTime = report.SeriesTime = f"{at:%H%M%S}"
    for one in report.get("ContributingEquipmentSequence", ()):
        one.ContributionDateTime = f"{at:%Y%m%d%H%M%S}"
    report.CodingSchemeIdentificationSequence = [_scheme(*one) for one in _SCHEMES]
    if not evidence:
        for keyword in (
            "CurrentRequestedProcedureEvidenceSequence",
            "PertinentOtherEvidenceSequence",
        ):
            if keyword in report:
                delattr(report, keyword)
    return report


def _scheme(designator: str, uid: str, name: str) -> Dataset:
    from pydicom.dataset import Dataset

    found = Dataset()
    found.CodingSchemeDesignator, found.CodingSchemeName = designator, name
    if uid:
        found.CodingSchemeUID = uid
    else:
        found.CodingSchemeResponsibleOrganization = MANUFACTURER
    return found


def _made_up(named: str) -> Imaged:
    return Imaged("1.2.840.10008.5.1.4.1.1.2", uid_of(named, "none"), uid_of(named, "nothing"))


def _evidence(study: str, patient: str, one: Imaged) -> Dataset:
    from pydicom.dataset import Dataset

    found = Dataset()
    found.SOPClassUID, found.SOPInstanceUID = one.sop_class_uid, one.sop_instance_uid
    found.SeriesInstanceUID, found.StudyInstanceUID = one.series_instance_uid, study
    found.PatientID = patient
    for keyword in (
        "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
        "StudyTime",
    ):  # fmt: skip
        setattr(found, keyword, "")
    return found


def _content(one: AnsweredSet) -> tuple[list[QualitativeEvaluation], list[Measurement]]:
    """A set's coded answers and its numbers."""
    import highdicom.sr as sr

    evaluations, measurements = [], []
    for answered in one.answered:
        name = _named(answered)
        for code in answered.codes:
            evaluations.append(sr.QualitativeEvaluation(name, _value(code)))
        if answered.value is not None and answered.element.type in ("integer", "decimal"):
            unit = answered.element.unit
            measured = sr.CodedConcept(unit or "1", "UCUM", unit or "no units")
            measurements.append(sr.Measurement(name, float(answered.value), measured))
    return evaluations, measurements


def _named(answered: Answered) -> CodedConcept:
    return _concept(answered.element.codes, answered.element.id, answered.element.title)


def _value(code: Code) -> CodedConcept:
    return _concept(ElementCodes(radelement=code.radelement), code.code, code.label)


def _concept(codes: ElementCodes, own: str, meaning: str) -> CodedConcept:
    """RadElement's code, or one of ours where it has none."""
    import highdicom.sr as sr

    value, scheme = (codes.radelement, SCHEME) if codes.radelement else (own, OWN)
    return sr.CodedConcept(value, scheme, meaning[:LONGEST])
