"""
What a good entry is warned about all the same: a high dose is unusual, and still a dose.

Worked out here from the definition's soft limits and from rules read as English, so that the
answer key does not depend on the code it is held against.
"""

from datetime import date

from app.registries.findings import FindingCode, Severity
from app.registries.schema import Definition, Form
from app.simulation.entries import Elements, Expected


def standard_patient_high_dose(elements: Elements) -> bool:
    """A screen of somebody of standard size (160 to 180 cm, 60 to 80 kg) with more than 3 mGy."""
    try:
        return (
            float(elements["ctdivol"]) > 3
            and elements["modality"] == "1"
            and 63 <= float(elements["patient_height"]) <= 71
            and 132 <= float(elements["patient_weight"]) <= 176
        )
    except (KeyError, ValueError):
        return False


def late_follow_up(exam: Elements, follow_up: Elements) -> bool:
    """A follow-up more than a year after the screen it is said to belong to."""
    if "exam_date" not in exam:
        return False  # a draft that does not say
    days = date.fromisoformat(follow_up["follow_up_date"]) - date.fromisoformat(exam["exam_date"])
    return days.days > 365


class Usual:
    """The soft limits of a form, and the rules of it that warn."""

    def __init__(self, definition: Definition, form: Form) -> None:
        # An arm's length from the rules' text: known by name, worked out by hand.
        self._rules = any(one.id == "dose-of-a-standard-patient" for one in definition.rules) and (
            form is definition.first_case_form
        )
        self._limits = [
            (
                one.id,
                float("-inf") if soft.low is None else float(soft.low),
                float("inf") if soft.high is None else float(soft.high),
                frozenset(float(code) for code in one.unknown),
            )
            for one in form.all_elements
            if one.type in ("integer", "decimal") and one.range and (soft := one.range.soft)
        ]

    def warnings(self, elements: Elements) -> tuple[Expected, ...]:
        """A warning for each number that is possible but unusual."""
        found = []
        for name, low, high, sentinels in self._limits:
            value = elements.get(name)
            if value is None:
                continue
            try:
                number = float(value)
            except ValueError:
                continue
            if not low <= number <= high and number not in sentinels:
                found.append(Expected(name, FindingCode.UNUSUAL.value, Severity.WARN.value))
        if self._rules and standard_patient_high_dose(elements):
            found.append(Expected("ctdivol", FindingCode.RULE.value, Severity.WARN.value))
        return tuple(found)
