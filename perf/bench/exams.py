"""Exams to send: complete, varied, and without a flaw; each person has one or two of them."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

FIRST = date(2024, 1, 1)


def exams(facilities: Sequence[int], count: int, seed: int) -> Iterator[dict[str, Any]]:
    """So many exams of a population that this seed makes."""
    rng = Random(seed)
    for serial in range(count):
        person = rng.randrange(count * 2 // 3 + 1)
        yield _exam(rng, facilities[person % len(facilities)], seed, person, serial)


def _exam(rng: Random, facility: int, seed: int, person: int, serial: int) -> dict[str, Any]:
    known = Random(seed * 1_000_003 + person)
    born = date(1945, 1, 1) + timedelta(days=known.randrange(9_000))
    smoker = known.choice("12")
    elements: dict[str, Any] = {
        "facility_id": str(facility),
        "facility_npi": "1003000126",
        "exam_unique_id": f"E{seed}-{serial}",
        "patient_ssn": f"{known.randrange(100, 665):03}{known.randrange(1, 99):02}{known.randrange(1, 9999):04}",
        "refused_to_answer_ssn": "N",
        "other_id": f"M{seed}-{person}",
        "patient_first_name": "Pat",
        "patient_last_name": known.choice(("Lund", "Moreau", "Okafor", "Silva", "Tanaka")),
        "refused_medicare_id": "N",
        "patient_dob": born.isoformat(),
        "patient_sex": known.choice("MF"),
        "patient_race": [known.choice("1346")],
        "patient_ethnicity": known.choice("01"),
        "health_insurance": [known.choice("123")],
        "education_level": known.choice("234"),
        "exam_date": (FIRST + timedelta(days=rng.randrange(600))).isoformat(),
        "smoking_status": smoker,
        "number_of_packs_year_smoking": f"{known.randrange(20, 80)}.0",
        "did_physician_provide_guidance": rng.choice("YYN"),
        "doc_of_shared_dec_making": rng.choice("YYN"),
        "patient_height": f"{known.randrange(60, 76)}.0",
        "patient_weight": f"{known.randrange(110, 260)}.0",
        "patient_other_comorbidities": sorted(known.sample("0123", 2)),
        "radiologist_reading_npi": "1003000126",
        "ordering_practitioner_npi": "1003000134",
        "signs_or_symptoms_of_lung_cancer": "N",
        "indication_of_exam": rng.choice("12"),
        "modality": "1",
        "ct_scanner_manufacturer": "Acme",
        "ct_scanner_model": "One",
        "ctdivol": f"{rng.uniform(1, 3):.2f}",
        "dlp": f"{rng.uniform(40, 110):.2f}",
        "tube_voltage": "120.0",
        "ct_exam_result_lung_rads": rng.choices(("1", "2", "3", "4A", "4B"), (39, 45, 9, 5, 2))[0],
        "lung_rads_version": "1.1",
        "ct_exam_result_modifier_s": "N",
        "ct_exam_result_modifier_c": "N",
        "radon_exposure": "N",
        "copd": known.choice("YN"),
        "second_hand_smoke_exposure": known.choice("YNU"),
    }
    if smoker == "2":
        elements["number_of_years_since_quit"] = known.randrange(1, 14)
    return {"form": "exam", "action": "submit", "elements": elements}
