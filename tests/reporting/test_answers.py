"""Answers of every kind, and what is sent instead of them: taken or refused, never an error."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest

from app.reporting.answers import Refused, understood
from app.reporting.conditions import Compared
from app.reporting.evaluate import evaluate
from app.reporting.module import Element, Kind
from app.reporting.own import packaged
from tests.reporting.test_cards import MODULE as STONE

FREE = Element("any", "choice", "", free_text=True)


def element(kind: Kind) -> Element:
    return Element("one", kind, "")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("decimal", 7.2, Decimal("7.2")),
        ("decimal", "-1.5e3", Decimal(-1500)),
        ("decimal", " 8 ", Decimal(8)),
        ("integer", 10**20, Decimal(10**20)),
        ("time-span", "P1DT2S", Decimal(86_402)),
        ("date-time", "2024-02-29", "2024-02-29"),
        ("date-time", "2026-01-02T03:04:05.25Z", "2026-01-02T03:04:05.25Z"),
        ("text", "x" * 4_000, "x" * 4_000),
    ],
)
def test_an_answer_that_is_taken(kind: Kind, value: Any, expected: Any) -> None:
    assert understood(element(kind), value) == expected


HOSTILE = [
    ("decimal", "1E999999999"), ("decimal", "1E999999"), ("decimal", "1E-999999"), ("decimal", "0E99"),
    ("decimal", "1" * 100_000), ("decimal", "NaN"), ("decimal", "sNaN"), ("decimal", "-Infinity"),
    ("decimal", float("inf")), ("decimal", 1e300), ("decimal", "1_000"), ("decimal", "\u0663"),
    ("integer", 10**5_000), ("integer", "1E999999999"), ("integer", 1.5), ("integer", True),
    ("time-span", "P" + "9" * 5_000 + "D"), ("time-span", "P\u0663D"), ("time-span", "P"),
    ("date-time", "2026-02-30"), ("date-time", "2026-13-01"), ("date-time", "2026-01-02T25:00"),
    ("date-time", "\u0662\u0660\u0662\u0666-01-02"), ("text", "x" * 4_001), ("text", "\ud800"),
    ("text", ["a"] * 101), ("text", {"a": 1}), ("choices", [{}]), ("choices", [["a"]]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_answer_is_refused_at_once(kind: Kind, value: Any) -> None:
    began = time.process_time()
    found = understood(element(kind), value)
    assert isinstance(found, Refused)
    assert len(found.allowed) < 100
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("value", ["\udfff", "x" * 4_001])
def test_words_of_one_s_own_are_refused_likewise(value: str) -> None:
    assert isinstance(understood(FREE, value), Refused)


@pytest.mark.parametrize("value", [value for _, value in HOSTILE], ids=range(len(HOSTILE)))
def test_no_module_stumbles_over_what_is_sent(value: Any) -> None:
    for module in (STONE, *packaged().values()):
        for group in (None, *(one.id for one in module.groups)):
            answers = {one.id: value for one in module.elements if one.group == group}
            outcome = evaluate(module, {group: [answers]} if group else answers)
            assert not outcome.complete
            json.dumps([one.allowed for one in outcome.flaws]).encode()
            for text in outcome.sections.values():
                text.encode()


def test_choices_are_compared_as_they_are_spelled_and_numbers_as_numbers() -> None:
    assert not Compared("one", "=", "1.0").holds({"one": "1"})
    assert Compared("one", "!=", "1.0").holds({"one": "1"})
    assert Compared("one", "=", "1.0").holds({"one": Decimal(1)})
    assert Compared("one", ">", "9").holds({"one": "10"})


@pytest.mark.parametrize("sign", ["=", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "1E999999999"])
def test_a_text_that_is_like_a_number_is_compared_without_error(sign: Any, text: str) -> None:
    for given in (text, Decimal(3), "3"):
        Compared("one", sign, text).holds({"one": given})
        Compared("one", sign, "3").holds({"one": given})
    assert not Compared("one", "<", text).holds({"one": Decimal(3)})


def test_unknown_names_are_told_once_for_each_place() -> None:
    many = {f"x{number}": 1 for number in range(50)}
    outcome = evaluate(packaged()["lung-rads-2022"], {**many, "nodules": [many, many]})
    places = [one.place for one in outcome.flaws if one.code == "unknown-element"]
    assert places == [(), ("nodules", 0), ("nodules", 1)]


def test_an_answer_out_of_place_counts_for_nothing() -> None:
    outcome = evaluate(STONE, {"seen": "yes", "count": 6, "long": 31, "short": 31})
    assert ("long",) in [one.place for one in outcome.flaws]
    assert "mean" not in outcome.computed
