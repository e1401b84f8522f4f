"""Entries of a definition checked as a batch is: types first, then rules in DuckDB."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

import duckdb

from app.ingest.checks import RegistryAtWork
from app.ingest.formats.sent import Sent
from app.ingest.judge import Delivery, apply_rules, looked_at
from app.registries.entries import FormCheck
from app.registries.row_rules import RowRules
from app.registries.rows import sql_columns, unpacked
from app.registries.schema import Definition
from app.registries.values.given import Flaw

TODAY = date(2026, 9, 1)


class Desk:
    """Checks entries of one form, as `ingest` does."""

    def __init__(self, definition: Definition, form_id: str) -> None:
        self.check = FormCheck(definition, form_id)
        self.rules = RowRules(definition, form_id)
        self.form = definition.form(form_id)
        self._connection = _connection()

    def judge(
        self,
        entries: Sequence[Mapping[str, object]],
        *,
        draft: bool = False,
        received_on: date = TODAY,
        parent: Mapping[str, Any] | None = None,
    ) -> list[tuple[dict[str, Any], list[Flaw]]]:
        """Canonical values, computed elements among them, and every flaw, of each entry."""
        checked = [self.check.check(one, draft=draft) for one in entries]
        rows = [
            (number, draft, one.flawed, received_on, json.dumps(one.values))
            for number, one in enumerate(checked)
        ]
        cursor = self._connection.cursor()
        cursor.execute(
            "CREATE OR REPLACE TEMP TABLE arrived (entry BIGINT, draft BOOLEAN, flawed VARCHAR[],"
            " received_on DATE, elements VARCHAR)"
        )
        cursor.executemany("INSERT INTO arrived VALUES (?, ?, ?, ?, ?)", rows)
        kept = ("entry", "draft", "flawed", "received_on")
        above = "".join(
            f", CAST({_literal((parent or {}).get(name.removeprefix('parent_')))} AS {kind}) AS {name}"
            for name, kind in self.rules.parent_columns
        )
        source = unpacked(self.form, "arrived", keep=kept, arriving=True, rows=self.rules.rows)
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE typed AS SELECT *{above} FROM ({source})")
        names = [element.id for element in self.rules.computed]
        found: list[tuple[dict[str, Any], list[Flaw]]] = [
            (dict(one.values), list(one.flaws)) for one in checked
        ]
        for row in cursor.execute(self.rules.statement("typed")).fetchall():
            values, flaws = found[row[0]]
            for name, value in zip(names, row[1:-1], strict=True):
                if (canonical := self.rules.canonical(name, value)) is not None:
                    values[name] = canonical
            flaws += [self.rules.flaws[number] for number in row[-1]]
        return found

    def flaws(self, entry: Mapping[str, object], **options: Any) -> list[Flaw]:
        """The flaws of one entry."""
        return self.judge([entry], **options)[0][1]


def found_in(
    definition: Definition, entries: Sequence[Sent], received_on: date = TODAY
) -> list[list[Flaw]]:
    """What the service's own checks find in each entry, however it came; no case is known yet."""
    registry, facility = RegistryAtWork(definition), 200_001
    everywhere = frozenset(range(facility, facility + 10))
    delivery = Delivery(1, facility, everywhere, everywhere, received_on, of_images=True)
    judged = [looked_at(registry, delivery, row, one) for row, one in enumerate(entries, start=1)]
    apply_rules(judged, [received_on] * len(judged))
    return [one.flaws for one in judged]


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": 1})


def _literal(value: object) -> str:
    return "NULL" if value is None else f"'{value}'"


def said(flaws: Iterable[Flaw]) -> list[tuple[str, str]]:
    """Place and code of each flaw."""
    return [(one.place, one.code.value) for one in flaws]


def columns_of(definition: Definition, form_id: str) -> list[tuple[str, str]]:
    """Name and type of a case's columns."""
    return [(one.name, one.type) for one in sql_columns(definition.form(form_id))]


EXAM: dict[str, Any] = {
    "facility_id": "200001",
    "facility_npi": "1234567893",
    "exam_unique_id": "A-1",
    "patient_ssn": "123-45-6789",
    "refused_to_answer_ssn": "N",
    "other_id": "MRN 1",
    "patient_first_name": "Ann",
    "patient_last_name": "O'Brien-Smith",
    "refused_medicare_id": "Y",
    "patient_dob": "1960-05-01",
    "patient_sex": "F",
    "exam_date": "2026-05-01",
    "smoking_status": "1",
    "number_of_packs_year_smoking": "30.0",
    "did_physician_provide_guidance": "Y",
    "doc_of_shared_dec_making": "Y",
    "patient_height": "66.0",
    "patient_weight": "150.0",
    "radiologist_reading_npi": "1234567893",
    "ordering_practitioner_npi": "1497758544",
    "signs_or_symptoms_of_lung_cancer": "N",
    "indication_of_exam": "1",
    "modality": "1",
    "ct_scanner_manufacturer": "Siemens Healthineers",
    "ct_scanner_model": "SOMATOM Force",
    "ctdivol": "1.20",
    "dlp": "40.50",
    "ct_exam_result_lung_rads": "2",
    "lung_rads_version": "2022",
    "ct_exam_result_modifier_s": "N",
    "ct_exam_result_modifier_c": "N",
}
"""An exam of the lung registry without a flaw."""

FOLLOW_UP: dict[str, Any] = {
    "exam_unique_id": "A-1",
    "follow_up_unique_id": "F-1",
    "follow_up_date": "2026-05-20",
    "follow_up_diagnostic": "5",
    "tissue_diagnosis": "2",
    "tissue_diagnosis_method": "1",
    "location_from_sample_obtained": "9",
    "histology": "1",
    "histology_non_small_cell_lc": "1",
    "stage_clinical_or_pathologic": "1",
    "overall_stage": "IA2",
    "t_status": "T1b",
    "n_status": "N0",
    "m_status": "M0",
    "ajcc_cancer_staging_edition": "8",
}
"""A follow-up without a flaw."""
