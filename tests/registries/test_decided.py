"""Columns that a decision table decides, in a definition: read, complained of, frozen, counted."""

from datetime import date
from pathlib import Path

import duckdb

from app.registries.expressions import compile
from app.registries.load import assemble, canonical, read
from app.registries.rows import case_columns

REGISTRY = """
id: nodules
version: 1.0.0
title: Nodules
steward: A test
accept_from: 2026-01-01
channels: [json]
"""
EXAM = """
id: exam
title: Exam
level: case
key: [exam_id]
period: exam_date
elements:
  - {id: exam_id, source_name: Exam, title: Exam, type: text}
  - {id: exam_date, source_name: Date, title: Date, type: date, required: true}
  - {id: size, source_name: Size, title: Size, type: decimal, scale: 1}
  - {id: risk, source_name: Risk, title: Risk, type: code, value_set: risk}
"""
SETS = """
- id: risk
  title: Risk
  codes: [{code: low, label: Low}, {code: high, label: High}]
"""
TABLE = """
id: advice
title: What to do
inputs:
  - {id: size, numbers: {low: 0, high: 300}, unit: mm}
  - {id: risk, values: [low, high]}
outputs:
  - {id: interval}
  - {id: months, type: integer}
rows:
  - {when: {size: "< 6", risk: low}, then: {interval: none}}
  - {when: {size: "< 6", risk: high}, then: {interval: optional, months: 12}}
  - {when: {size: ">= 6"}, then: {interval: ct, months: 6}}
"""
DERIVED = """
- {id: advised, form: exam, type: code, decision: advice.interval}
- {id: months, form: exam, type: integer, decision: advice.months}
- {id: soon, form: exam, type: boolean, expression: months <= 6}
"""


def folder(tmp_path: Path, table: str = TABLE, derived: str = DERIVED) -> Path:
    root = tmp_path / "nodules" / "1.0.0"
    for name, text in {
        "registry.yaml": REGISTRY, "elements/exam.yaml": EXAM, "value_sets/own.yaml": SETS,
        "decisions/advice.yaml": table, "derived.yaml": derived,
    }.items():  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_table_s_outputs_are_columns_that_others_build_on(tmp_path: Path) -> None:
    definition, complaints = read(folder(tmp_path))
    assert complaints == []
    assert definition is not None
    columns = case_columns(definition, definition.form("exam"))
    parts = []
    for one in definition.derived:
        compiled = compile(one.expression, columns)
        columns[one.id] = compiled.type
        parts.append(f"{compiled.duckdb} AS {one.id}")
    found = duckdb.execute(
        f"SELECT {', '.join(parts)} FROM (VALUES (5.9, 'low'), (5.9, 'high'), (6.0, NULL), (NULL, 'low'))"
        " AS cases(size, risk)"
    ).fetchall()
    assert found == [
        ("none", None, None),
        ("optional", 12, False),
        ("ct", 6, True),
        (None, None, None),
    ]


def test_a_frozen_definition_reads_back_the_same(tmp_path: Path) -> None:
    definition, _ = read(folder(tmp_path))
    assert definition is not None
    again = assemble(canonical(definition), date(2027, 1, 1))
    assert again.digest == definition.digest
    assert again.derived == definition.derived
    assert again.derived[0].expression.startswith("CASE")
    frozen = canonical(definition)["derived"]
    assert [sorted({"decision", "expression"} & set(one)) for one in frozen] == [
        ["decision"], ["decision"], ["expression"],
    ]  # fmt: skip


def test_a_column_is_decided_or_expressed_and_not_both(tmp_path: Path) -> None:
    both = DERIVED.replace("decision: advice.months", "decision: advice.months, expression: '6'")
    _, complaints = read(folder(tmp_path, derived=both))
    assert len(complaints) == 1
    assert complaints[0].startswith("derived.yaml:3: ")
    assert "an `expression` or a `decision`, not both" in complaints[0]


def test_complaints_of_a_table_name_its_file_and_line(tmp_path: Path) -> None:
    hole = TABLE.replace(
        '  - {when: {size: "< 6", risk: high}, then: {interval: optional, months: 12}}\n', ""
    )
    slip = hole.replace('size: ">= 6"', "size: large")
    derived = "- {id: advised, form: exam, type: integer, decision: advice.interval}\n- {id: other, form: exam, type: code, decision: advice.intervals}\n- {id: none_at_all, form: exam, type: code}\n"
    _, complaints = read(folder(tmp_path, hole, derived))
    assert complaints == [
        "decisions/advice.yaml:10: no row holds when `size` is 0, `risk` is high",
        "derived.yaml:1: gives text, where a whole number is needed",
        "derived.yaml:2: there is no table and output `advice.intervals`; did you mean `advice.interval`?",
        "derived.yaml:3: `none_at_all` needs an `expression` or a `decision`",
    ]
    _, complaints = read(folder(tmp_path, slip))
    assert "decisions/advice.yaml:12: `size` is a number: write `< 6` or `>= 6, < 8`" in complaints


def test_a_table_speaks_of_the_codes_that_its_column_has(tmp_path: Path) -> None:
    derived = "- {id: advised, form: exam, type: code, decision: advice.interval}\n"
    strange = TABLE.replace("values: [low, high]", "values: [low, high, middling]").replace(
        "risk: high}", "risk: [high, middling]}"
    )
    _, complaints = read(folder(tmp_path / "strange", strange, derived))
    assert complaints == ["derived.yaml:1: `advice` asks `risk` for `middling`, no code of it"]
    fewer = TABLE.replace("values: [low, high]", "values: [low]").replace(
        '  - {when: {size: "< 6", risk: high}, then: {interval: optional, months: 12}}\n', ""
    )
    _, complaints = read(folder(tmp_path / "fewer", fewer, derived))
    assert complaints == ["derived.yaml:1: `advice` says nothing of `risk` being `high`"]
    _, complaints = read(folder(tmp_path / "rest", fewer + "otherwise: {}\n", derived))
    assert complaints == []
