"""
What a facility reports of a screen: elements in canonical values, fitted to a definition.

The elements are known by their ids; which of them exist, which codes they take, with how many
decimals, and what else is required is read from the definition, so that a registry made by
changing a copy of it is simulated as well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from app.registries.schema import Definition, Element, Form, Group
from app.simulation.courses import (
    OTHER_FINDINGS,
    RECALLS,
    TUMOURS,
    FollowUp,
    Procedure,
    Screen,
)
from app.simulation.people import code

Elements = dict[str, Any]

FOLLOW_UP_CODES = {
    Procedure.LOW_DOSE_CT: "1",
    Procedure.ROUTINE_CT: "2",
    Procedure.PET: "3",
    Procedure.BRONCHOSCOPY: "4",
    Procedure.BIOPSY: "5",
    Procedure.RESECTION: "6",
}
METHODS = {Procedure.BRONCHOSCOPY: "2", Procedure.BIOPSY: "1", Procedure.RESECTION: "3"}
LUNG_CANCER = ("2", "3", "5", "8", "9", "10", "11")
_LOCATIONS = ("2", "3", "3", "5", "6", "9", "9", "9")


@dataclass(frozen=True, slots=True)
class Expected:
    """A finding that the service must make of an entry: the answer to a planted flaw."""

    place: str
    code: str
    severity: str


LAST_WAVE = 2
"""Deliveries come in waves, from 0: a facility sends those of one after those of the wave before."""


@dataclass(slots=True)
class Entry:
    """One entry to send, and what must become of it."""

    facility: int
    form: str
    action: str
    elements: Elements
    key: str
    wave: int
    person: int
    follow_up: str | None = None
    findings: tuple[Expected, ...] = ()
    outcome: str = ""
    submission: int = 0
    row: int = 0


def exam_id(serial: int, seed: int) -> str:
    """The accession number of an exam: a canary, and short enough for a DICOM AccessionNumber."""
    return "ZX" + code(1, serial, seed)


def follow_up_id(serial: int, exam: Screen, seed: int) -> str:
    """The facility's own identifier of a follow-up: a canary."""
    return f"ZF{code(0, exam.serial * 8 + serial % 8, seed)}"


class Writer:
    """Writes what a facility knows as elements of a definition's forms."""

    def __init__(self, definition: Definition, seed: int) -> None:
        self._seed = seed
        self.definition = definition
        self.exam = definition.first_case_form
        follow_ups = definition.follow_up_forms(self.exam.id)
        self.follow_up = follow_ups[0] if follow_ups else None
        self._fit_exam = _Fit(definition, self.exam)
        self._fit_follow_up = _Fit(definition, self.follow_up) if self.follow_up else None
        accession = self.exam.with_identity("accession")
        self.key = accession.id if accession else self.exam.key[0]

    def identify(self, screen: Screen) -> Elements:
        """Who was screened: as this facility knows the person."""
        person, facility = screen.person, screen.facility
        elements: Elements = {
            "facility_id": str(facility.number),
            "exam_unique_id": exam_id(screen.serial, self._seed),
            "other_id": person.local_id(facility.place),
            "patient_first_name": person.first_name,
            "patient_last_name": person.last_name,
            "patient_dob": person.birth.isoformat(),
            "patient_sex": person.sex,
        }
        if person.ssn is None:
            elements["refused_to_answer_ssn"] = "Y"
        else:
            elements["patient_ssn"] = person.ssn
            elements["refused_to_answer_ssn"] = "N"
        if person.middle_name is not None:
            elements["patient_middle_name"] = person.middle_name
        return elements

    def report_exam(self, rng: Random, screen: Screen) -> Elements:
        """A whole exam entry without a flaw."""
        draw = rng.random
        person, facility = screen.person, screen.facility
        elements = self.identify(screen)
        elements["facility_npi"] = facility.npi
        elements["exam_date"] = screen.on.isoformat()
        elements["refused_medicare_id"] = "Y" if draw() < 0.5 else "N"
        elements["patient_race"] = list(person.race)
        elements["patient_ethnicity"] = person.ethnicity
        elements["health_insurance"] = list(person.insurance)
        elements["education_level"] = person.education
        _report_smoking(draw, screen, elements)
        if screen.first:
            made = draw() < facility.shares_decision
            elements["doc_of_shared_dec_making"] = "Y" if made else "N" if draw() < 0.8 else "U"
        elements["patient_height"] = person.height
        elements["patient_weight"] = person.weight
        if person.comorbidities:
            elements["patient_other_comorbidities"] = list(person.comorbidities)
        readers = facility.radiologists
        elements["radiologist_reading_npi"] = readers[int(draw() * draw() * len(readers))]
        elements["ordering_practitioner_npi"] = facility.referrers[int(draw() * 6)]
        elements["signs_or_symptoms_of_lung_cancer"] = "Y" if draw() < 0.02 else "N"
        elements["indication_of_exam"] = "1" if screen.first else "2"
        self._report_scan(rng, screen, elements)
        _report_reading(draw, screen, elements)
        elements.update(person.risks)
        return self._fit_exam(elements, rng)

    def report_follow_up(self, rng: Random, screen: Screen, found: FollowUp) -> Elements:
        """A whole follow-up entry without a flaw."""
        assert self._fit_follow_up is not None
        draw = rng.random
        elements: Elements = {
            "facility_id": str(screen.facility.number),
            "exam_unique_id": exam_id(screen.serial, self._seed),
            "follow_up_unique_id": follow_up_id(found.serial, screen, self._seed),
            "follow_up_date": found.on.isoformat(),
            "follow_up_diagnostic": FOLLOW_UP_CODES[found.procedure],
        }
        if found.tissue is not None:
            elements["tissue_diagnosis"] = found.tissue
            elements["tissue_diagnosis_method"] = METHODS[found.procedure]
            elements["location_from_sample_obtained"] = _LOCATIONS[int(draw() * 8)]
            if found.tissue not in ("1", "4"):
                elements["histology"] = found.histology or "99"
                if found.histology == "1":
                    elements["histology_non_small_cell_lc"] = "1" if draw() < 0.6 else "2"
            if found.tissue in LUNG_CANCER and found.stage is not None:
                resected = found.procedure == Procedure.RESECTION
                elements["stage_clinical_or_pathologic"] = "2" if resected else "1"
                elements["overall_stage"] = found.stage
                tumour = TUMOURS.get(found.stage, ("TX", "NX", "MX"))
                elements["t_status"], elements["n_status"], elements["m_status"] = tumour
                elements["ajcc_cancer_staging_edition"] = "8"
        return self._fit_follow_up(elements, rng)

    def fit_exam(self, elements: Elements) -> Elements:
        """Changed elements of an exam, in canonical values again."""
        return self._fit_exam(elements, None)

    def report_death(self, screen: Screen, elements: Elements, within_30_days: str) -> Elements:
        """The same exam entry once the person's death is known."""
        person = screen.person
        assert person.dies_on is not None
        told = dict(elements)
        told["date_of_death"] = person.dies_on.isoformat()
        told["how_cause_was_determined"] = "3"
        told["cause_of_death"] = "1" if person.dies_of_cancer else "9"
        told["death_within_30_days"] = within_30_days
        return self._fit_exam(told, None)

    def _report_scan(self, rng: Random, screen: Screen, elements: Elements) -> None:
        draw = rng.random
        person, facility = screen.person, screen.facility
        elements["modality"] = "1" if draw() < 0.985 else "2"
        elements["ct_scanner_manufacturer"], elements["ct_scanner_model"] = facility.scanner
        bulk = person.weight / 180.0
        dose = min(max(facility.dose * bulk * bulk * (0.75 + 0.5 * draw()), 0.15), 9.8)
        if elements["modality"] == "2":
            dose = min(dose * 3.0, 9.9)
        elements["ctdivol"] = dose
        elements["dlp"] = dose * (28.0 + 10.0 * draw())
        if draw() < 0.4:
            elements["tube_voltage"] = 100 if draw() < 0.6 else 120
            elements["tube_current_time"] = 20 + int(draw() * 40)
            elements["scanning_time"] = 2.0 + 3.0 * draw()
            elements["pitch"] = 0.9 + 0.5 * draw()


def _report_smoking(draw: Callable[[], float], screen: Screen, elements: Elements) -> None:
    status = screen.smoking
    elements["smoking_status"] = status
    if status in ("1", "2", "4"):
        elements["number_of_packs_year_smoking"] = (
            "999" if draw() < 0.015 else min(screen.pack_years, 300.0)
        )
    if status in ("1", "4") or (status == "2" and draw() < 0.3):
        counsels = screen.facility.counsels
        elements["did_physician_provide_guidance"] = (
            "Y" if draw() < counsels else "N" if draw() < 0.8 else "U"
        )
    if status == "2":
        years = 99
        if screen.quit_on is not None and draw() > 0.025:
            age = screen.on.year - screen.person.birth.year
            years = min((screen.on - screen.quit_on).days // 365, age - 18, 70)
        elements["number_of_years_since_quit"] = years


def _report_reading(draw: Callable[[], float], screen: Screen, elements: Elements) -> None:
    elements["ct_exam_result_lung_rads"] = screen.category
    elements["lung_rads_version"] = (
        "U" if draw() < 0.02 else "2022" if screen.on >= date(2022, 11, 1) else "1.1"
    )
    if screen.category == "0":
        elements["reason_for_recall"] = RECALLS[int(draw() * len(RECALLS))]
    if draw() < 0.1:
        found = OTHER_FINDINGS[int(draw() * len(OTHER_FINDINGS))]
        elements["ct_exam_result_modifier_s"] = "Y"
        elements["what_were_the_other_findings"] = list(found)
        if "5" in found:
            # People write names into free text, which is why it is identifying.
            elements["other_abnormalities_spec"] = f"thyroid nodule, {screen.person.last_name}"
        if "4" in found:
            elements["other_int_lung_disease"] = "9"
    else:
        elements["ct_exam_result_modifier_s"] = "N"
    prior = draw()
    elements["ct_exam_result_modifier_c"] = "Y" if prior < 0.01 else "U" if prior < 0.02 else "N"
    if prior < 0.01:
        elements["years_since_prior_diagnosis"] = 1 + int(draw() * 12)


class _Fit:
    """Makes elements satisfy a form: what it lacks goes, what it requires and nobody gave comes."""

    def __init__(self, definition: Definition, form: Form) -> None:
        self._choices = {
            one.id: tuple(sorted(values.allowed))
            for one in form.all_elements
            if (values := definition.value_set(one)) is not None
        }
        self._fits = {one.id: self._fit(one) for one in form.all_elements if one.computed is None}
        self._required = tuple(
            one for one in form.all_elements if one.required and one.computed is None
        )
        self._groups = form.all_groups
        self._definition = definition

    def __call__(self, elements: Elements, rng: Random | None) -> Elements:
        fitted: Elements = {}
        fits = self._fits
        for name, value in elements.items():
            fit = fits.get(name, _drop)
            if fit is not None and (value := fit(value)) is None:
                continue
            fitted[name] = value
        if rng is not None:
            for element in self._required:
                if element.id not in fitted:
                    fitted[element.id] = self._invent(element, rng)
            for group in self._groups:
                if group.id not in fitted and (rows := self._invent_rows(group, rng)):
                    fitted[group.id] = rows
        return fitted

    def _invent_rows(self, group: Group, rng: Random) -> list[Elements]:
        """As many rows as a group needs or a few more, with what each needs."""
        count = rng.randint(group.at_least, min(group.at_most, group.at_least + 2))
        rows: list[Elements] = []
        for _ in range(count):
            row: Elements = {
                one.id: self._invent(one, rng)
                for one in group.elements
                if one.required and one.computed is None
            }
            for inner in group.groups:
                if made := self._invent_rows(inner, rng):
                    row[inner.id] = made
            if row:  # nothing that needs no element has nothing to say
                rows.append(row)
        return rows

    def _fit(self, element: Element) -> Callable[[Any], Any] | None:
        """Brings a value of this simulation into the element's canonical form; None drops it."""
        match element.type:
            case "code" if element.list is not None:
                return None
            case "code":
                choices = self._choices[element.id]
                same = {code: code for code in choices}
                return lambda value: same.get(value, choices[0])
            case "codes":
                allowed = frozenset(self._choices[element.id])
                return lambda value: sorted(allowed.intersection(value)) or None
            case "decimal":
                spelled = f"%.{element.scale}f"
                return lambda value: spelled % float(value)
            case "integer":
                return lambda value: int(float(value))
            case _:
                return None

    def _codes(self, element: Element) -> tuple[str, ...]:
        values = self._definition.value_set(element)
        assert values is not None
        return tuple(sorted(values.allowed))

    def _invent(self, element: Element, rng: Random) -> Any:
        """A good value for an element this simulation has never heard of."""
        limits = element.range and (element.range.soft or element.range.hard)
        low = float(limits.low) if limits and limits.low is not None else 0.0
        high = float(limits.high) if limits and limits.high is not None else low + 10.0
        match element.type:
            case "code" if element.list is None:
                return rng.choice(self._codes(element))
            case "codes":
                return [rng.choice(self._codes(element))]
            case "integer":
                return rng.randint(int(low), int(high))
            case "decimal":
                return f"{low + (high - low) * rng.random():.{element.scale}f}"
            case "date":
                return (date(2020, 1, 2) + timedelta(days=rng.randrange(300))).isoformat()
            case "boolean":
                return rng.random() < 0.5
            case "npi":
                return "1234567893"
            case _:
                return "as reported"


def _drop(_: Any) -> Any:
    """For an element the form does not have."""
    return None
