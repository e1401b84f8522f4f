"""
What a good entry is warned about all the same: a high dose is unusual, and still a dose.

Worked out here from the definition's soft limits and from rules read as English, so that the
answer key does not depend on the code it is held against.
"""

from app.registries.findings import FindingCode, Severity
from app.registries.schema import Form
from app.simulation.entries import Elements, Expected


class Usual:
    """The soft limits of a form."""

    def __init__(self, form: Form) -> None:
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
        return tuple(found)
