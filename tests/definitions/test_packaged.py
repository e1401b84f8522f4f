"""Every definition that is shipped."""

from pathlib import Path

import duckdb
import pytest

from app.registries.expressions import compile
from app.registries.load import PACKAGED, folders, load
from app.registries.row_rules import RowRules
from app.registries.rows import case_columns, sql_columns, structure, unpacked

FOLDERS = folders(PACKAGED)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: "/".join(folder.parts[-2:]))
def test_a_shipped_definition_has_no_complaint_and_lies_where_its_name_says(folder: Path) -> None:
    definition = load(folder)
    assert folder.parts[-2:] == (definition.id, definition.version)
    assert (folder / "README.md").is_file()
    assert all(measure.examples for measure in definition.measures)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: "/".join(folder.parts[-2:]))
def test_everything_that_runs_binds_in_duckdb(folder: Path) -> None:
    """Columns, rules, computed elements: DuckDB takes them, on rows without a single value."""
    definition = load(folder)
    with duckdb.connect(":memory:") as connection:
        for form in definition.entry_forms:
            connection.execute(
                "CREATE OR REPLACE TABLE arrived AS SELECT 1 AS entry, FALSE AS draft,"
                " []::VARCHAR[] AS flawed, DATE '2026-01-01' AS received_on, '{}' AS elements"
            )
            rules = RowRules(definition, form.id)
            kept = ("entry", "draft", "flawed", "received_on")
            source = unpacked(form, "arrived", keep=kept, arriving=True, rows=rules.rows)
            above = "".join(f", NULL::{kind} AS {name}" for name, kind in rules.parent_columns)
            found = connection.execute(
                rules.statement(f"(SELECT *{above} FROM ({source}))")
            ).fetchall()
            assert found[0][0] == 1


RELEASED = {
    (
        "early-lung-cancer-detection",
        "1.1.0",
    ): "3c58e3edfffc29f217a8994fe836cb815bc14f9384d2b8d94698eed19214a8a1",
    (
        "early-lung-cancer-detection",
        "1.12.0",
    ): "6212de811672a32b171520a4d2dc114c18cf3264e62e1354d271bbb79666a9c6",
    (
        "mammography",
        "1.2.0",
    ): "502c691bbcddf6d27760bd3ba82cc83f3af025c85f475ddeef2f032eb872b451",
    (
        "covid-19-imaging",
        "1.1.0",
    ): "1ab78399be1d169f4c4dd884c303cae56b4da56b1fd69122f33008b775e46fab",
    (
        "ai-assessment",
        "1.0.0",
    ): "eb4bdcedb28b9533ff2006f2819c6ab6d3fce344a3565a8339bf686300f9247e",
    (
        "general-radiology-improvement",
        "1.2.0",
    ): "6565ba73e9370c5d29a6a4795eecf74f80096374380b6c04fa659ec4a92fca6d",
    (
        "medical-3d-printing",
        "1.0.0",
    ): "865c80c1cc2f31be814f13529f53f30d5003918ec5fd9fa339c67e2c2be740db",
    (
        "covid-19-image-repository",
        "1.0.0",
    ): "7bdadb861daffb3842dbc1a47771ab5044a25f021a5cf9003ab01033b4e7ba7d",
    ("dose-index", "1.1.0"): "b114d84c5196cbd12e03be2f8a354378fb56d118e94b6d888954481c4f88a133",
}
"""What databases out there have frozen. A definition that changes gets a new version, and a line here."""


def test_a_released_version_never_changes() -> None:
    packaged = {(one.id, one.version): one.digest for one in map(load, folders(PACKAGED))}
    assert packaged == RELEASED


def test_the_lung_registry_is_the_source_s_size() -> None:
    definition = load(PACKAGED / "early-lung-cancer-detection" / "1.12.0")
    assert [form.id for form in definition.entry_forms] == [
        "exam",
        "follow_up",
        "nodule_exam",
        "nodule_follow_up",
        "subject",
    ]
    assert definition.first_case_form.id == "exam"
    assert len(definition.form("exam").all_elements) == 76
    assert len(definition.measures) == 47
    assert [peers.id for peers in definition.peers] == [
        "all",
        "category",
        "location",
        "division",
        "volume",
        "category-and-location",
    ]
    assert [module.id for module in definition.modules] == [
        "lung-cancer-screening",
        "incidental-pulmonary-nodules",
    ]


def test_no_free_text_and_no_identity_is_a_column_of_a_case() -> None:
    definition = load(PACKAGED / "early-lung-cancer-detection" / "1.12.0")
    for form in definition.forms:
        columns = {column.name for column in sql_columns(form)}
        for element in form.all_elements:
            if element.identity or element.id.endswith(("_spec", "_name")):
                assert element.id not in columns
    seen = case_columns(definition, definition.form("exam"))
    assert not {"patient_dob", "patient_ssn", "exam_unique_id", "other_id"} & set(seen)
    assert {"age_at_exam", "facility_id", "subject_record_date_of_death"} <= set(seen)


def test_a_sentinel_is_null_in_its_column_and_true_beside_it() -> None:
    definition = load(PACKAGED / "early-lung-cancer-detection" / "1.12.0")
    form = definition.form("exam")
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            """CREATE TABLE versions AS SELECT * FROM (VALUES
            (1, '{"number_of_packs_year_smoking": "999.0", "number_of_years_since_quit": 99}'),
            (2, '{"number_of_packs_year_smoking": "20.5", "number_of_years_since_quit": 9}'),
            (3, '{"patient_race": ["1", "3"], "ctdivol": "1.20", "exam_date": "2026-01-31"}')
            ) AS t(id, elements)"""
        )
        relation = connection.sql(unpacked(form, "versions", keep=["id"]))
        rows = relation.project(
            "id, number_of_packs_year_smoking, number_of_packs_year_smoking_unknown,"
            " number_of_years_since_quit, number_of_years_since_quit_unknown"
        ).fetchall()
        assert [tuple(str(cell) for cell in row) for row in sorted(rows)] == [
            ("1", "None", "True", "None", "True"),
            ("2", "20.5", "False", "9", "False"),
            ("3", "None", "False", "None", "False"),
        ]
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        assert types["ctdivol"] == "DECIMAL(18,2)"
        assert types["patient_race"] == "VARCHAR[]"
        assert types["exam_date"] == "DATE"
        assert types["number_of_years_since_quit"] == "BIGINT"
        assert '"patient_dob"' not in structure(form)
        assert compile("number_of_packs_year_smoking_unknown", case_columns(definition, form))


def test_no_code_names_a_registry() -> None:
    """What is one registry's own stands in its folder, or beside it; `mammography` is a modality too."""
    ids = {folder.parent.name for folder in FOLDERS} - {"mammography"}
    root = PACKAGED.parents[1]
    named = [
        (str(path.relative_to(root)), one)
        for path in root.rglob("*")
        if path.suffix in {".py", ".yaml", ".html", ".js", ".typ"} and PACKAGED not in path.parents
        for one in ids
        if one in path.read_text(encoding="utf-8")
    ]
    assert len(ids) > 6
    assert named == []
