"""What a report says in sentences. Pure: figures in, plain words out."""

from collections.abc import Iterable, Sequence

from app.benchmarks.position import Position
from app.benchmarks.statistics.charts import Kind
from app.registries.measure import Measure
from app.registries.schema import Definition
from app.reports.composition import (
    Completeness,
    Delay,
    Figures,
    Note,
    Placing,
    ReportedAdjusted,
    ReportedChange,
    Standing,
)

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
QUARTERS = {1: "best", 2: "second best", 3: "third", 4: "last"}
HEIGHTS = {1: "lowest", 2: "second lowest", 3: "second highest", 4: "highest"}
ENOUGH, UNKNOWN = 0.95, 0.20
"""Below the one an element is called often left out, above the other often not known."""


def period_says(period: str) -> str:
    """A reporting period as people say it."""
    if ".." in period:
        first, last = period.split("..")
        return f"{period_says(first)} to {period_says(last)}"
    if "Q" in period:
        year, quarter = period.split("Q")
        start = 3 * (int(quarter) - 1)
        return f"{MONTHS[start]} to {MONTHS[start + 2]} {year}"
    if "-" in period:
        year, month = period.split("-")
        return f"{MONTHS[int(month) - 1]} {year}"
    return period


def unit_of(measure: Measure) -> str:
    """What is written behind a rate of this measure."""
    if measure.scoring == "cohort":
        return ""
    if measure.scoring == "proportion":
        return {100: "%", 1000: " per 1,000"}.get(measure.per, "")
    return f" {measure.unit}" if measure.unit else ""


def better(measure: Measure) -> str:
    """The better direction."""
    return {"increase": "higher", "decrease": "lower", "none": "neither"}[measure.improvement]


def standing_says(quartile: int | None, better: str, facilities: int | None) -> str:
    """Where a facility stands in one peer group."""
    if quartile is None:
        return "No own result to place."
    words = HEIGHTS if better == "neither" else QUARTERS
    of = f" of {facilities} facilities" if facilities else ""
    return f"{words[quartile].capitalize()} quarter{of}."


def measure_says(
    measure: Measure,
    result: Figures,
    latest: Figures | None,
    change: ReportedChange | None,
    standings: Sequence[Standing],
    placing: Placing | None = None,
) -> str:
    """A measure's result in a few sentences."""
    said = []
    shown = latest or result
    if latest is not None:
        said.append(
            f"{_capital(period_says(result.period))} is not shown yet: the time in which an outcome may "
            f"still come has not passed. This is {period_says(latest.period)}, the latest that can be judged."
        )
    if shown.rate is None:
        reason = shown.withheld.says if shown.withheld else "There is no case of this period."
        because = f"{reason}{few_says(measure, shown)}"
        if latest is None:
            return f"Not shown. {because}"
        return (
            f"Not shown. Outcomes of {period_says(result.period)} are not known yet, and of "
            f"{period_says(latest.period)}, the latest that can be judged: {lowered(because)}"
        )
    said.append(f"{_counted(measure, shown)}.")
    if shown.caution:
        said.append("Few cases: the interval says more than the rate.")
    if change is not None and change.clear:
        said.append(change.says)
    if placing is not None and placing.flagged:
        said.append(f"{DIFFERS}: it lies {'above' if placing.above else 'below'} them.")
    places = [one for one in standings if one.quartile is not None]
    if places:
        first, *others = places
        said.append(f"Among {lowered(first.title)}: {lowered(first.says)}")
        if others and all(one.quartile == first.quartile for one in others):
            said[-1] = f"In every peer group: {lowered(_without_count(first.says))}"
    return " ".join(said)


def few_says(measure: Measure, figures: Figures) -> str:
    """How many cases there are and how many it takes, where they are too few."""
    if figures.withheld is None or figures.withheld.reason != "too-few-cases":
        return ""
    return f" There are {figures.denominator:,}; it takes {measure.minimum_cases}."


def _counted(measure: Measure, result: Figures) -> str:
    rate = f"{result.rate}{unit_of(measure)}"
    cases = f"{result.denominator:,} {_plural(result.denominator or 0, 'case')}"
    if measure.scoring == "proportion" and result.numerator is not None:
        return f"{result.numerator:,} of {cases}: {rate}"
    if measure.scoring == "continuous-variable":
        return f"A mean of {rate} over {cases}"
    if measure.scoring == "cohort":
        return cases
    return f"{rate} over {cases}"


def change_says(
    before: str,
    earlier: str,
    kind: str,
    told: tuple[str | None, str, str | None],
    clear: bool,
    rising: bool,
) -> str:
    """A result beside that of a year before; clear when the interval leaves out that nothing changed.

    `told` is the difference or the ratio, and its limits.
    """
    value, low, high = told
    if kind == "difference":
        measured = f"difference {value}, {low} to {high}"
    elif high is None:
        measured = f"{low} times as much or more"
    else:
        measured = f"{value} times as much, {low} to {high}"
    if clear:
        way = "more" if rising else "less"
        return f"That is clearly {way} than the {earlier} of {before} ({measured})."
    return f"In {before} it was {earlier}: no clear change ({measured})."


def funnel_says(zone: str, title: str, above: bool, scatter: bool) -> str:
    """Where a facility lies among the limits of chance, or of chance and ordinary scatter."""
    limits = "chance and the ordinary scatter of facilities" if scatter else "chance alone"
    if zone == "inside":
        return f"Within what {limits} would give around {lowered(title)}."
    level = "99.8%" if zone == "beyond-998" else "95%"
    side = "Above" if above else "Below"
    return f"{side} the {level} limits of {limits} around {lowered(title)}."


DIFFERS = "Differs from its peers more than chance explains"
"""What is said of a flagged result, whichever way it lies: it asks for a look, and judges nobody."""
RELIABLE, HARDLY = 0.7, 0.5
"""Reliabilities that are commonly asked before results are ranked in public, and before feedback."""


def placing_says(found: Position, shrunk: str, low: str, high: str, measure: Measure) -> str:
    """What a result says of a facility when chance is allowed for."""
    said = []
    if found.reliability < HARDLY:
        said.append(
            "So few cases tell little by themselves: most of what sets such results apart is chance."
        )
    elif found.reliability < RELIABLE:
        said.append("Part of what sets results of this size apart is chance.")
    unit = unit_of(measure)
    said.append(
        f"Allowing for chance, the best estimate is {shrunk}{unit} ({low} to {high};"
        f" reliability {found.reliability:.2f})."
    )
    return " ".join(said)


def adjusted_says(measure: Measure, adjusted: ReportedAdjusted) -> str:
    """A result beside what its cases lead to expect."""
    unit = unit_of(measure)
    brought = listed(lowered(one) for one in adjusted.factors)
    said = (
        f"Of such cases {adjusted.expected} would be expected anywhere, and there were"
        f" {adjusted.observed:,}: {adjusted.ratio} times as many ({adjusted.ratio_low} to"
        f" {adjusted.ratio_high}). As if all facilities had the same patients ({brought}), that is"
        f" {adjusted.rate}{unit} ({adjusted.low} to {adjusted.high})."
    )
    if float(adjusted.reliability or 0) < RELIABLE:
        said += (
            f" Allowing for chance, the best estimate is {adjusted.shrunk} times as many"
            f" ({adjusted.shrunk_low} to {adjusted.shrunk_high})."
        )
    return said


def unadjusted_says(reason: str) -> str:
    """Why a result does not stand beside what its cases lead to expect."""
    return f"What patients bring is not allowed for. {reason}"


NO_TREND = "There is no trend yet: these are this facility's first results."


CONTROL_CHARTS: dict[Kind, str] = {
    "run": "run chart",
    "p": "p chart",
    "u": "u chart",
    "p-prime": "p′ chart",
    "u-prime": "u′ chart",
    "xmr": "XmR chart",
    "moving-range": "moving-range chart",
    "g": "g chart, cases between events: higher is rarer",
    "t": "t chart, days between events: higher is rarer",
}
"""What control charts are called."""


def control_says(chart: Kind, signals: Sequence[Note], trial: bool) -> str:
    """What a control chart shows: special causes, each rule once with when it was last seen."""
    latest: dict[str, Note] = {one.says: one for one in signals}
    name = f"Control chart ({CONTROL_CHARTS[chart]})"
    if latest:
        causes = "; ".join(f"{lowered(says)} ({_when(one)})" for says, one in latest.items())
        said = f"{name}: {causes}."
    else:
        said = f"{name}: no special cause."
    return f"{said} Its limits rest on few points and are tentative." if trial else said


def _when(note: Note) -> str:
    first, last = period_says(note.first), period_says(note.last)
    return first if first == last else f"{first} to {last}"


def quality_says(
    cases: int, drafts: int, waiting: int, entries: int, rejected: int, warnings: int
) -> tuple[str, ...]:
    """How complete the data are, and what to do about it."""
    lines = []
    if not cases:
        lines.append("No case of this period was submitted.")
    if rejected:
        lines.append(
            f"{rejected:,} of {entries:,} entries sent ({share(rejected, entries)}) were rejected. "
            "Each has findings that say what to correct; corrected entries can be sent again."
        )
    elif entries:
        lines.append("No entry sent was rejected.")
    if warnings:
        lines.append(f"{warnings:,} {_plural(warnings, 'warning')} to look at.")
    if waiting:
        lines.append(waiting_says(waiting))
    if drafts:
        lines.append(drafts_say(drafts))
    return tuple(lines)


def unconfirmed(definition: Definition) -> tuple[str, ...]:
    """Measures whose text no source confirmed."""
    marks = {
        "unconfirmed": "general knowledge, not confirmed by a source",
        "project": "this project's own proposal",
    }
    return tuple(
        f"{measure.title}: {marks[measure.source]}."
        for measure in definition.measures
        if measure.source in marks
    )


def waiting_says(waiting: int) -> str:
    """Follow-ups that came before their case."""
    return f"{waiting:,} {'follow-up waits' if waiting == 1 else 'follow-ups wait'} for the exam."


def drafts_say(drafts: int) -> str:
    """What was begun and not submitted."""
    return f"{drafts:,} {'draft counts' if drafts == 1 else 'drafts count'} in no result until submitted."


def gaps(complete: Sequence[Completeness]) -> list[Completeness]:
    """Elements that are sent for some cases and left out of too many others."""
    return [one for one in complete if one.always and 0 < one.filled < ENOUGH * one.cases]


def completeness_says(complete: Sequence[Completeness], delays: Sequence[Delay]) -> tuple[str, ...]:
    """What of the data's completeness and delay deserves a sentence."""
    lines = []
    if some := gaps(complete):
        named = listed(f"{one.title} ({one.share})" for one in some)
        lines.append(f"Sent for some cases, left out of others: {named}.")
    never = [one.title for one in complete if one.always and not one.filled]
    if never:
        lines.append(f"Never sent, though asked of every case: {listed(never)}.")
    unknown = [one for one in complete if one.unknown > UNKNOWN * one.cases]
    if unknown:
        named = listed(f"{one.title} ({share(one.unknown, one.cases)})" for one in unknown)
        lines.append(f"Often answered with not known: {named}.")
    if delays and any(one.cases for one in delays):
        lines.append(
            f"{delays[0].share} of the cases were received {delays[0].title} of their date. "
            "What comes later changes figures that were already reported."
        )
    return tuple(lines)


def share(part: int, whole: int) -> str:
    """A share in percent, as it is read."""
    return f"{100 * part / whole:.1f}%" if whole else "0%"


def listed(names: Iterable[str], most: int = 4) -> str:
    """Names as a sentence lists them; beyond the first few, how many more."""
    given = list(names)
    if len(given) > most:
        given = [*given[: most - 1], f"{len(given) - most + 1} more"]
    *first, last = given
    return f"{', '.join(first)} and {last}" if first else last


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def lowered(text: str) -> str:
    """A sentence as it goes on another."""
    return text[:1].lower() + text[1:]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _without_count(says: str) -> str:
    return says.partition(" of ")[0].rstrip(".") + "."
