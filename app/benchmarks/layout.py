"""Layout: where the measures of a generation find their counts in the rows of its cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

COUNTS = (
    "initial_population",
    "denominator",
    "exclusions",
    "exceptions",
    "numerator",
    "observations",
)
SUMS = ("total", "total_of_squares")

Slots = dict[str, dict[str, int]]
"""Measure -> population -> place in the row's `counts` (or `sums`); what is always zero has none."""


@dataclass(frozen=True, slots=True)
class Series:
    """Where the measures of one grouped pass find their counts."""

    form: str
    stratifier: str
    """The name it has in the cells; empty for the totals."""
    slots: Slots

    def read(self, measure: str, counts: Sequence[int], sums: Sequence[Any]) -> dict[str, Any]:
        """One measure's populations out of a row."""
        places = self.slots[measure]
        return {
            name: (sums if name in SUMS else counts)[places[name]] if name in places else 0
            for name in (*COUNTS, *SUMS)
        }


@dataclass(frozen=True)
class Layout:
    """How the rows of a generation are read."""

    series: tuple[Series, ...]
    stratifiers: Mapping[tuple[str, str], str]
    """Measure and stratifier id -> the name the stratifier has in the cells."""
    case_mixes: Mapping[str, str] = field(default_factory=dict)
    """Measure -> `text_of` the case mix by whose combinations its histogram counts cases, then events."""

    def of(self, measure: str, stratifier: str | None = None) -> Series | None:
        """The series that holds a measure's totals, or its strata by a stratifier."""
        name = self.stratifiers.get((measure, stratifier)) if stratifier else ""
        return next(
            (one for one in self.series if one.stratifier == name and measure in one.slots), None
        )

    def document(self) -> dict[str, Any]:
        """As it is kept beside the generation."""
        kept: dict[str, Any] = {
            "series": [[one.form, one.stratifier, one.slots] for one in self.series],
            "stratifiers": [[*key, name] for key, name in self.stratifiers.items()],
        }
        return kept | {"case_mixes": dict(self.case_mixes)} if self.case_mixes else kept

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Layout":
        return cls(
            tuple(Series(*one) for one in document["series"]),
            {(measure, given): name for measure, given, name in document["stratifiers"]},
            document.get("case_mixes", {}),
        )
