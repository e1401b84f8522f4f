"""Arithmetic over answers."""

from decimal import Decimal

import pytest

from app.reporting.arithmetic import Unreadable, names, value

ANSWERS = {"long": Decimal(12), "short": Decimal("9.1"), "nodule 1": Decimal(4), "zero": Decimal(0)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(long + short) / 2", "10.55"),
        ("round((long + short) / 2, 1)", "10.6"),
        ("{nodule 1} * -2 + 1", "-7"),
        ("max(long, short, 3) % 5", "2"),
        ("Floor(short) + ceiling(short)", "19"),
        ("abs(-3) - sqrt(16)", "-1"),
        ("min(0.1 + 0.2, 1)", "0.3"),
    ],
)
def test_what_it_comes_to(text: str, expected: str) -> None:
    assert value(text, ANSWERS) == Decimal(expected)


@pytest.mark.parametrize(
    "text", ["long / zero", "long + unknown", "sqrt(0 - 1)", "round(long, 99)"]
)
def test_what_cannot_be_worked_out_is_nothing(text: str) -> None:
    assert value(text, ANSWERS) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "long +", "__import__('os')", "long.real", "long ** 999999", "[long]", "lambda: 1",
        "'a' * 3", "exec(1)", "True", "round()", "long if short else 1", "(" * 500, "1+" * 1001 + "1",
    ],
)  # fmt: skip
def test_what_is_no_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        value(text, ANSWERS)


def test_the_elements_it_reads_are_known() -> None:
    assert set(names("{nodule 1} + long * long")) == {"nodule 1", "long"}
