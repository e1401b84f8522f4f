"""What a reader may look for and not find, with the reason: for the page that says so."""

from collections.abc import Sequence
from datetime import date

from app.benchmarks.periods import period
from app.registries.measure import Measure
from app.registries.schema import Definition
from app.reports import words
from app.reports.composition import Figures, MeasureFeedback, NotShown

OWN = "own result"
EXPECTED = "what patients bring"


def unshown(
    definition: Definition, measures: Sequence[MeasureFeedback], today: date
) -> tuple[NotShown, ...]:
    """The measures without a result of the report's period, then the peer groups that are not told."""
    found = [
        NotShown(
            what=OWN,
            title=one.title,
            measure_id=one.id,
            reason=one.result.withheld.reason,
            says=_says(definition, definition.measure(one.id), one.result, measures),
        )
        for one in measures
        if one.result.withheld is not None
    ]
    # Beside a result of one's own that is withheld nobody looks for peers.
    for one in measures:
        if one.shown.rate is None:
            continue
        if one.adjusted is not None and one.adjusted.withheld is not None:
            found.append(
                NotShown(
                    what=EXPECTED,
                    title=one.title,
                    measure_id=one.id,
                    reason=one.adjusted.withheld.reason,
                    says=one.adjusted.withheld.says,
                )
            )
        found += [
            NotShown(
                what=group.title,
                title=one.title,
                measure_id=one.id,
                reason=group.withheld.reason,
                says=group.withheld.says,
            )
            for group in one.standings
            if group.withheld is not None
        ]
    return tuple(found)


def _says(
    definition: Definition,
    measure: Measure,
    result: Figures,
    measures: Sequence[MeasureFeedback],
) -> str:
    """The reason, with what it would take."""
    assert result.withheld is not None
    match result.withheld.reason:
        case "not-matured":
            day = period(result.period).matured_on(measure.matures_after)
            return f"Its outcomes are known from {day.day} {words.MONTHS[day.month - 1]} {day.year} on."
        case "too-few-cases":
            return f"{result.withheld.says}{words.few_says(measure, result)}"
        case "condition-not-met" if measure.shown_when is not None:
            gate = definition.measure(measure.shown_when.measure)
            found = next((one.result for one in measures if one.id == gate.id), None)
            least = f"{measure.shown_when.at_least * gate.per:g}{words.unit_of(gate)}"
            have = f"; it is {found.rate}{words.unit_of(gate)}" if found and found.rate else ""
            return f"It is shown once {gate.title} reaches {least}{have}."
        case _:
            return result.withheld.says
