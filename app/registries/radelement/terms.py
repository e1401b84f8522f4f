"""What a set calls what a definition calls otherwise: units, vocabularies, specialties, decimals."""

from __future__ import annotations

from decimal import Decimal

SYSTEM = "https://radelement.org"

UCUM = {"HU": "[hnsf'U]", "mm3": "mm3", "%": "%"}
"""Units of sets that UCUM writes otherwise."""
PLAIN = {ucum: unit for unit, ucum in UCUM.items()}
SPECIALTIES = {
    "AB": "Abdominal Radiology",
    "BR": "Breast Imaging",
    "CA": "Cardiac Radiology",
    "CH": "Chest Radiology",
    "ER": "Emergency Radiology",
    "GI": "Gastrointestinal Radiology",
    "GU": "Genitourinary Radiology",
    "HN": "Head and Neck Imaging",
    "IR": "Interventional Radiology",
    "MI": "Molecular Imaging",
    "MK": "Musculoskeletal Radiology",
    "NR": "Neuroradiology",
    "OB": "Obstetric and Gynecologic Radiology",
    "OI": "Oncologic Imaging",
    "OT": "Other",
    "PD": "Pediatric Radiology",
    "QI": "Quality Improvement",
    "RS": "Radiation Safety",
    "VA": "Vascular Imaging",
}
"""The schema's abbreviations, spelled out."""
INDEX = {"RADLEX": "radlex", "SNOMEDCT": "snomed", "LOINC": "loinc"}
"""The vocabularies that a definition knows: as a set names them, and as a definition does."""
UNTOLD_SCALE = 3
"""Decimals of a number whose set tells neither a step nor limits; such a number has no step there."""


def step_of(scale: int) -> Decimal | None:
    """The step of a number of so many decimals; None where a set tells none."""
    return None if scale == UNTOLD_SCALE else Decimal(1).scaleb(-scale)
