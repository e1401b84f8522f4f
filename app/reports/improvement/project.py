"""An improvement project as it is kept: its row, and everything that was written down of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from app.benchmarks.periods import Period
from app.models.improvement import (
    ImprovementIntervention,
    ImprovementParticipant,
    ImprovementProject,
)
from app.registries.improvement import ImprovementTemplate


@dataclass(frozen=True, slots=True)
class Kept:
    """A project with everything that was written down of it."""

    row: ImprovementProject
    interventions: Sequence[ImprovementIntervention]
    participants: Sequence[ImprovementParticipant]

    @property
    def template(self) -> ImprovementTemplate:
        return ImprovementTemplate.model_validate(self.row.template)

    @property
    def baseline(self) -> Period:
        return Period(self.row.baseline_first, self.row.baseline_last)

    @property
    def asked_again(self) -> Period | None:
        first, last = self.row.remeasurement_first, self.row.remeasurement_last
        return None if first is None or last is None else Period(first, last)

    def changes(self, until: date) -> list[ImprovementIntervention]:
        """What was carried out up to a day, in order."""
        done = [one for one in self.interventions if one.kind == "do" and one.on <= until]
        return sorted(done, key=lambda one: (one.on, one.id))
