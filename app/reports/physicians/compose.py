"""
Compose a physician's feedback: own cases as they stand, beside the facility's tables and a dated snapshot.

A physician's own counts are told however small. The facility's rate is told only where it says nothing of
one colleague: others enough, none with most of the cases, no small count left when the own are taken away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import physicians, rates, standing
from app.benchmarks.course import SAME, interval_of, kind_of
from app.benchmarks.engine import Engine
from app.benchmarks.periods import Period
from app.benchmarks.physicians import Asked, Tallies
from app.benchmarks.query import Answer, Result, judged
from app.benchmarks.rates import Counts
from app.benchmarks.suppress import FEWEST_FACILITIES, MOST_PERCENT, SMALLEST_COUNT
from app.models.account import Physician
from app.registries.measure import Measure
from app.registries.schema import Definition
from app.reports import words
from app.reports.composition import Withheld
from app.reports.figures import figures, read, withheld
from app.reports.physicians.feedback import Beside, OwnMeasure, PeerRates, PhysicianFeedback

FEWEST_COLLEAGUES = FEWEST_FACILITIES
"""As many others are behind a facility's rate that is told to one of its physicians."""

COLLEAGUES = Withheld(
    reason="few-colleagues",
    says=f"It would tell of single colleagues: it takes {FEWEST_COLLEAGUES} others with cases, none with more "
    f"than half of theirs, and {SMALLEST_COUNT} cases among them.",
)

WITHIN = "Within what chance gives beside your colleagues together."
METHODS = (
    "Your results rest on the cases that name you as their physician and that this facility sent, as they "
    "stand at this moment.",
    "Intervals are 95%: Wilson's for proportions, Garwood's exact Poisson limits for rates per 1,000, Student's "
    "for means. Beside colleagues, Newcombe's of the difference for proportions and Welch's for means.",
    "Where nothing is said beside a rate, chance alone gives such a difference from your colleagues together. Of "
    "twenty comparisons where nothing differs one falls outside by chance. Patients differ from physician to "
    "physician, and nothing here is adjusted for it: a difference is a reason to look at cases, not a judgement.",
    "Your counts are yours, however small; a rate of too few cases is not shown. The facility's rate is told "
    "without its counts, and only where it says nothing of a single colleague. Peers are facilities, from a dated "
    "snapshot that was suppressed when it was taken.",
    "This is shown to you and to the administrators of your facility and its organisation, and to nobody else. "
    "Each look is kept, and you can list who looked.",
    "* No source confirms how this measure is counted: it is general knowledge, or this project's own choice.",
)


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose feedback, and of which facility."""

    physician: Physician
    facility_id: int
    facility_name: str


def told_measures(definition: Definition) -> list[Measure]:
    """The measures in which a case is some physician's own."""
    return [
        one
        for one in definition.measures
        if definition.form(one.form).physician is not None and one.scoring != "cohort"
    ]


async def each(
    session: AsyncSession, engine: Engine, definition: Definition, facility_id: int, over: Period
) -> Mapping[str, Mapping[str, Tallies]]:
    """By form and NPI, what the cases of each physician of a facility count.

    The session must see every facility's versions: windows see a person's cases everywhere.
    """
    found: dict[str, Mapping[str, Tallies]] = {}
    measures = told_measures(definition)
    for form in dict.fromkeys(one.form for one in measures):
        clinician = definition.form(form).physician
        assert clinician is not None
        npis = await physicians.named_in(session, definition, form, clinician, facility_id, over)
        asked = [Asked(one) for one in measures if one.form == form]
        places = [(facility_id, npi) for npi in npis]
        found[form] = (
            await physicians.counted_each(
                session, engine, definition, asked, clinician, places, over
            )
            if places
            else {}
        )
    return found


def compose(
    definition: Definition,
    whose: Whose,
    over: Period,
    answer: Answer,
    counted: Mapping[str, Mapping[str, Tallies]],
    *,
    at: datetime,
) -> PhysicianFeedback:
    """The feedback from the facility's results, with their peers, and what each physician's cases count."""
    results = {one.measure.id: one for one in answer.results}
    npi = whose.physician.npi
    others = {one for tallies in counted.values() for one in tallies if one != npi}
    return PhysicianFeedback(
        registry_id=definition.id,
        registry=definition.title,
        steward=definition.steward,
        facility=whose.facility_id,
        facility_name=whose.facility_name,
        physician=whose.physician.id,
        physician_name=f"{whose.physician.first_name} {whose.physician.last_name}",
        period=over.label,
        period_says=words.period_says(over.label),
        measures=tuple(
            _measure(
                definition,
                one,
                npi,
                whose.facility_id,
                over,
                results[one.id],
                counted[one.form],
                at.date(),
            )
            for one in told_measures(definition)
        ),
        colleagues=len(others) if len(others) >= FEWEST_COLLEAGUES else 0,
        methods=METHODS,
        definition_version=definition.version,
        definition_digest=definition.digest,
        feed_number=answer.as_of.feed_number,
        as_of=answer.as_of.at,
        composed_at=at,
    )


def _measure(
    definition: Definition,
    measure: Measure,
    npi: str,
    facility_id: int,
    over: Period,
    facility: Result,
    counted: Mapping[str, Tallies],
    today: date,
) -> OwnMeasure:
    def counts(of: str) -> Counts:
        return counted.get(of, {}).get((measure.id, None), Counts())

    gate = physicians.gate_of(definition, measure, counted.get(npi, {}))
    own = judged(measure, facility_id, over, counts(npi), gate, today)
    rest = [counts(one) for one in counted if one != npi]
    told = enough(measure, rest)
    beside = Beside(rate=None, withheld=COLLEAGUES)
    if told:
        exact = rates.rate(measure, facility.counts) if facility.rate is not None else None
        beside = Beside(
            rate=None if exact is None else read(measure, exact),
            withheld=withheld(facility.withheld),
        )
    module = next((one.title for one in definition.modules if one.id == measure.module), "")
    return OwnMeasure(
        id=measure.id,
        title=measure.title,
        description=measure.description,
        section=measure.section or module or definition.title,
        unit=words.unit_of(measure),
        better=words.better(measure),
        source=measure.source,
        reference=measure.reference,
        own=figures(own),
        facility=beside,
        peers=tuple(_peers(measure, one) for one in facility.peers),
        says=_says(measure, own, sum(rest, Counts()) if beside.rate is not None else None),
    )


def enough(measure: Measure, colleagues: Sequence[Counts]) -> bool:
    """Whether a facility's rate tells nothing of one colleague, to somebody who knows the own cases."""
    sizes = [size for one in colleagues if (size := rates.size(measure, one))]
    whole = sum(sizes)
    return (
        len(sizes) >= FEWEST_COLLEAGUES
        and whole >= SMALLEST_COUNT
        and 100 * max(sizes) <= MOST_PERCENT * whole
    )


def _says(measure: Measure, own: Result, rest: Counts | None) -> str:
    """The own result beside all colleagues together, without praise or blame."""
    if own.rate is None:
        shown = figures(own)
        reason = shown.withheld.says if shown.withheld else ""
        return f"Not shown. {reason}{words.few_says(measure, shown)}".strip()
    caution = " Few cases: the interval says more than the rate." if own.caution else ""
    if rest is None:
        return f"Your colleagues' results are not told.{caution}"
    limits, same = interval_of(measure, own.counts, rest), SAME[kind_of(measure)]
    if limits is None:
        return f"There is no interval of the difference from your colleagues.{caution}"
    if limits.low <= same <= limits.high:
        return f"{WITHIN}{caution}"
    way = "Higher" if limits.low > same else "Lower"
    return f"{way} than your colleagues together by more than chance gives.{caution}"


def _peers(measure: Measure, spread: standing.Spread) -> PeerRates:
    def told(value: object) -> str | None:
        return None if value is None else read(measure, value)  # type: ignore[arg-type]  # a Decimal

    return PeerRates(
        title=spread.title,
        snapshot_on=spread.snapshot_on,
        low=told(spread.low),
        median=told(spread.median),
        high=told(spread.high),
        withheld=withheld(spread.withheld),
    )
