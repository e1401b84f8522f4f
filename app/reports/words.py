"""What a report says in sentences. Pure: figures in, plain words out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from app.registries.schema import Definition, Measure
from app.reports.composition import Figures, MeasureFeedback, Quality, Standing

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
WATCHED = "all"
"""The peer group that the summary speaks of."""


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
    measure: Measure, result: Figures, before: Figures | None, standings: Sequence[Standing]
) -> str:
    """A measure's result in a sentence or two."""
    if result.rate is None:
        reason = result.withheld.says if result.withheld else "There is no case of this period."
        return f"Not shown. {reason}"
    unit = unit_of(measure)
    said = [f"{_counted(measure, result)}."]
    if result.caution:
        said.append("Few cases: the interval says more than the rate.")
    if changed := change_says(result, before, unit):
        said.append(changed)
    places = [one for one in standings if one.quartile is not None]
    if places:
        first, *others = places
        said.append(f"Among {_lower(first.title)}: {_lower(first.says)}")
        if others and all(one.quartile == first.quartile for one in others):
            said[-1] = f"In every peer group: {_lower(_without_count(first.says))}"
    return " ".join(said)


def _counted(measure: Measure, result: Figures) -> str:
    rate = f"{result.rate}{unit_of(measure)}"
    if measure.scoring == "proportion" and result.numerator is not None:
        return f"{result.numerator:,} of {result.denominator:,} cases: {rate}"
    if measure.scoring == "continuous-variable":
        return f"A mean of {rate} over {result.denominator:,} cases"
    if measure.scoring == "cohort":
        return f"{result.denominator:,} cases"
    return f"{rate} over {result.denominator:,} cases"


def change_says(result: Figures, before: Figures | None, unit: str) -> str:
    """A change since the period before that is larger than chance: the intervals do not meet."""
    if before is None or None in (before.low, before.high, result.low, result.high):
        return ""
    low, high = Decimal(str(result.low)), Decimal(str(result.high))
    if low > Decimal(str(before.high)):
        return f"That is clearly more than the {before.rate}{unit} of {before.period}."
    if high < Decimal(str(before.low)):
        return f"That is clearly less than the {before.rate}{unit} of {before.period}."
    return ""


def summary(period: str, measures: Sequence[MeasureFeedback], quality: Quality) -> tuple[str, ...]:
    """What somebody should know who reads nothing else."""
    when = period_says(period)
    shown = [one for one in measures if one.result.rate is not None]
    lines = [
        f"{quality.cases:,} {_plural(quality.cases, 'case')} in {when}; "
        f"{len(shown)} of {len(measures)} measures can be shown."
    ]
    directed = [one for one in shown if one.better != "neither"]
    best = [one.title for one in directed if _quartile(one) == 1]
    last = [one.title for one in directed if _quartile(one) == 4]
    if best:
        lines.append(f"In the best quarter of all facilities: {_listed(best)}.")
    if last:
        lines.append(f"In the last quarter of all facilities: {_listed(last)}.")
    changed = [one.title for one in shown if "clearly" in one.says]
    if changed:
        lines.append(f"Clearly changed since the period before: {_listed(changed)}.")
    reasons = Counter(
        one.result.withheld.says for one in measures if one.result.withheld is not None
    )
    if reasons:
        reason, times = reasons.most_common(1)[0]
        lines.append(f"Most often withheld ({times} {_plural(times, 'measure')}): {_lower(reason)}")
    if quality.rejected:
        lines.append(
            f"{_share(quality.rejected, quality.entries)} of the entries sent were rejected."
        )
    return tuple(lines)


def quality_says(
    cases: int, drafts: int, waiting: int, entries: int, rejected: int, warnings: int
) -> tuple[str, ...]:
    """How complete the data are, and what to do about it."""
    lines = []
    if not cases:
        lines.append("No case of this period was submitted.")
    if rejected:
        lines.append(
            f"{rejected:,} of {entries:,} entries sent ({_share(rejected, entries)}) were rejected. "
            "Each has findings that say what to correct; corrected entries can be sent again."
        )
    elif entries:
        lines.append("No entry sent was rejected.")
    if warnings:
        lines.append(f"{warnings:,} {_plural(warnings, 'warning')} deserve a look.")
    if waiting:
        lines.append(f"{waiting:,} follow-{_plural(waiting, 'up')} wait for their exam.")
    if drafts:
        lines.append(f"{drafts:,} {_plural(drafts, 'draft')} count in no result until submitted.")
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


METHODS = (
    "A rate is the numerator divided by the denominator without exclusions and exceptions; a missing value never counts as yes.",
    "Intervals are 95%: Wilson's for proportions, Garwood's exact Poisson limits for rates per 1,000, Student's for means.",
    "This facility's own results include every case accepted up to the feed number below.",
    "Peers come from a dated snapshot: one rate per facility, unweighted, rounded. A group of fewer than 5 facilities, one in which a single facility holds more than half the cases, or one with a count below 11 behind it is not shown.",
    "The standing is the quarter of facilities that the rate falls into, by mid-rank, turned round where lower is better.",
    "A result is withheld when it rests on too few cases, when its outcome window has not closed, or when follow-up is too incomplete to judge it.",
)


def _quartile(measure: MeasureFeedback) -> int | None:
    return next((one.quartile for one in measure.standings if one.peer_group == WATCHED), None)


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "0%"


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _without_count(says: str) -> str:
    return says.partition(" of ")[0].rstrip(".") + "."
