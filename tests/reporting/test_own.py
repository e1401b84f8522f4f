"""Modules of our own form: what does not hold together is told when they are read."""

from decimal import Decimal

import pytest

from app.errors import InvalidReportingModule
from app.reporting.evaluate import evaluate
from app.reporting.own import read_own

SMALL = """
id: small
version: "1"
title: Small
description: For tests
developed_by: A test
groups: [{id: things, title: Things}]
elements:
  - {id: kind, kind: choice, label: Kind, choices: [{value: a, label: Letter A}, {value: b, label: Letter B}]}
  - {id: size, kind: decimal, label: Size}
  - {id: marks, kind: choices, label: Marks, choices: [{value: x, label: X}, {value: y, label: Y}]}
  - {id: note, group: things, kind: text, label: Note}
tables:
  - id: judge
    title: Judge
    inputs: [{id: kind, values: [a, b]}, {id: doubled, numbers: {low: 0, high: 99}}]
    outputs: [{id: word}]
    rows: [{when: {doubled: "< 10"}, then: {word: small}}, {when: {doubled: ">= 10"}, then: {word: large}}]
computed:
  - {id: verdict, table: judge.word}
  - {id: doubled, arithmetic: "size * 2"}
  - {id: chosen, choose: {kind: {a: judge.word, b: judge.word}}}
  - {id: either, first: [chosen, kind]}
  - {id: line, text: "{kind}, {doubled}"}
  - {id: lines, join: note}
  - {id: number, count: marks}
end_points:
  - {id: small, label: Small, when: {verdict: small}, report: {findings: [{text: "{line}"}]}}
  - {id: lettered, label: Lettered, when: {either: a}, report: {findings: [{text: "{number}"}]}}
"""


def test_what_is_computed_needs_no_order_and_the_first_is_a_value() -> None:
    outcome = evaluate(read_own(SMALL.encode()), {"kind": "a", "size": 2, "marks": ["x", "y"]})
    assert outcome.complete
    assert outcome.computed == {
        "verdict": "small", "doubled": Decimal(4), "chosen": "small", "either": "small",
        "line": "Letter A, 4", "lines": "", "number": Decimal(2),
    }  # fmt: skip
    without = evaluate(read_own(SMALL.encode()), {"kind": "a"})
    assert without.computed["either"] == "a"
    assert [one.id for one in without.end_points] == ["lettered"]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("size * 2", "size **", "computed.doubled: is no arithmetic that can be read"),
        ("size * 2", "sizes * 2", "computed.doubled: there is no number `sizes`"),
        ("size * 2", "kind * 2", "computed.doubled: there is no number `kind`"),
        ("size * 2", "doubled * 2", "computed.doubled: is worked out of itself"),
        ("{id: kind, values: [a, b]}", "{id: kind, numbers: {low: 0}}", "tables.judge: `kind` is no number"),
        ("{id: kind, values: [a, b]}", "{id: kind, values: [a, c]}", "tables.judge: `c` is no choice of `kind`"),
        ("{id: kind, values: [a, b]}", "{id: marks, values: [x, y]}", "tables.judge: `marks` has several answers"),
        ("{value: b, label: Letter B}", "{value: a, label: Again}", "elements.kind: the choice `a` is declared twice"),
        ("id: lettered", "id: small", "`small` is declared twice"),
        ("id: size", "id: things", "`things` is declared twice"),
        ("choose: {kind: {a:", "choose: {kinds: {a:", "computed.chosen.choose: there is no element `kinds`"),
        ("choose: {kind: {a:", "choose: {kind: {c:", "computed.chosen.choose: `c` is no choice of `kind`"),
        ("{kind}, {doubled}", "{kinds}", "computed.line: there is no element `kinds` to insert"),
        ("join: note", "join: size", "computed.lines: `size` belongs to no group"),
        ("count: marks", "count: kind", "computed.number: `kind` has no several answers to count"),
        ("title: Small", 'title: "\\uD800"', "line 4: holds what is no character of a text"),
        ("title: Small", 'title: "\\0"', "line 4: holds what is no character of a text"),
        ("title: Small", 'title: "\\UFFFFFFFF"', "is no YAML"),
        ("kind: decimal,", "kind: decimal, low: 3, high: 2,", "elements.size: the lowest number is above the highest"),
        ("kind: decimal,", "kind: decimal, low: 1E999999,", "elements.size: a limit has at most 28 digits"),
        ("title: Small", "title: &name Small", None),
        ("developed_by: A test", "developed_by: *name", "line 6: refers to another part by an alias"),
        ("title: Small", "title: " + "[" * 5_000, "line 4: is nested deeper than 50"),
    ],
)  # fmt: skip
def test_what_does_not_hold_together_is_told(old: str, new: str, complaint: str | None) -> None:
    assert old in SMALL
    written = SMALL.replace(old, new, 1).encode()
    if complaint is None:
        assert read_own(written).title == "Small"
        return
    with pytest.raises(InvalidReportingModule) as refused:
        read_own(written)
    assert any(one.startswith(complaint) for one in refused.value.complaints)
