"""The course of lung cancer screening, written by hand: what its people report, and what is found later."""

from collections.abc import Iterator
from datetime import date

from app.registries.findings import FindingCode, Severity
from app.registries.schema import Definition
from app.simulation.courses import Population
from app.simulation.entries import Elements, Entry, Expected, Writer
from app.simulation.flaws import Flaws
from app.simulation.places import Places
from app.simulation.plan import Plan
from app.simulation.reporting import Reporting
from app.simulation.usual import late_follow_up


class Screening:
    """People who are screened, one after another, and every entry about each."""

    def __init__(self, plan: Plan, definition: Definition, places: Places, today: date) -> None:
        self._plan = plan
        self._population = Population(plan, places)
        flaws = Flaws(definition, places)
        self._reporting = Reporting(plan, Writer(definition, plan.seed), flaws)

    @property
    def planted(self) -> dict[str, dict[str, int]]:
        """Flaws are not counted here: the answer key has them."""
        return {}

    def __iter__(self) -> Iterator[list[Entry]]:
        remaining = self._plan.cases
        for rng, course in self._population.courses():
            yield self._reporting.report(rng, course[:remaining])
            remaining -= len(course)
            if remaining <= 0:
                return

    def beside(self, entry: Entry, case: Elements) -> list[Expected]:
        """What is found in a follow-up only when its exam is known."""
        late = late_follow_up(case, entry.elements)
        code, weight = FindingCode.RULE.value, Severity.WARN.value
        return [Expected("follow_up_date", code, weight)] if late else []
