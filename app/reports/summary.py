"""The first page's sentences: what changed, what stands out, what to look at."""

from collections import Counter
from collections.abc import Iterable, Sequence

from app.benchmarks.query import REASONS
from app.reports.composition import MeasureFeedback, NotShown, Quality, Summary
from app.reports.unshown import OWN
from app.reports.words import DIFFERS, drafts_say, gaps, listed, period_says, share, waiting_says

WATCHED = "all"
"""The peer group that the summary speaks of."""
COURSES = {
    "improving": "Getting better over time",
    "worsening": "Getting worse over time",
    "rising": "Rising over time",
    "falling": "Falling over time",
    "unsteady": "Not steady over time",
}
"""What is said of the courses that chance does not explain."""
REJECTED = 0.02
"""Above this share rejected entries are worth a look."""


def summary(
    period: str,
    measures: Sequence[MeasureFeedback],
    quality: Quality,
    not_shown: Sequence[NotShown],
) -> Summary:
    """What somebody should know who reads nothing else."""
    return Summary(
        overall=tuple(_overall(period, measures, quality)),
        changed=tuple(_changed(measures)),
        stands_out=tuple(_stands_out(measures)),
        look_at=tuple(_look_at(measures, quality, not_shown)),
    )


def _overall(period: str, measures: Sequence[MeasureFeedback], quality: Quality) -> Iterable[str]:
    shown = sum(one.result.rate is not None for one in measures)
    later = sum(one.latest is not None and one.latest.rate is not None for one in measures)
    said = (
        f"{quality.cases:,} {'case' if quality.cases == 1 else 'cases'} in {period_says(period)}; "
        f"{shown} of {len(measures)} measures can be shown"
    )
    yield (
        f"{said}, {later} more for an earlier period whose outcomes are known."
        if later
        else f"{said}."
    )


def _changed(measures: Sequence[MeasureFeedback]) -> Iterable[str]:
    compared = [one for one in measures if one.change is not None]
    runs = [one for one in measures if one.run is not None and one.run.signal]
    better = [one for one in compared if one.change and one.change.better is True]
    worse = [one for one in compared if one.change and one.change.better is False]
    other = [
        one for one in compared if one.change and one.change.clear and one.change.better is None
    ]
    for heading, some in (
        ("Better than a year before", better),
        ("Worse than a year before", worse),
        ("Changed since a year before", other),
    ):
        if some:
            yield f"{heading}: {listed(_moved(one) for one in some)}."
    for heading, course in COURSES.items():
        going = [one.title for one in runs if one.run is not None and one.run.course == course]
        if going:
            yield f"{heading}: {listed(going)}."
    if not _rates(measures):
        yield "No rate can be shown, so that no change can be told."
    elif not compared and not runs:
        yield "There is no year before to compare with, and no trend yet."
    elif not (better or worse or other or runs):
        yield "No measure changed more than chance explains."


def _rates(measures: Sequence[MeasureFeedback]) -> bool:
    """Whether anything but counts is shown."""
    return any(one.scoring != "cohort" and one.shown.rate is not None for one in measures)


def _moved(one: MeasureFeedback) -> str:
    assert one.change is not None
    return f"{one.title} ({one.change.before}{one.unit} to {one.shown.rate}{one.unit})"


def _stands_out(measures: Sequence[MeasureFeedback]) -> Iterable[str]:
    directed = [one for one in measures if one.better != "neither"]
    best = [one.title for one in directed if _quartile(one) == 1]
    last = [one.title for one in directed if _quartile(one) == 4]
    apart = [one for one in measures if _is_apart(one)]
    for told, way in (("above", True), ("below", False)):
        some = [one.title for one in apart if _above(one) is way]
        if some:
            yield f"{DIFFERS}, and lies {told} them: {listed(some)}."
    if best:
        yield f"In the best quarter of all facilities: {listed(best)}."
    if last:
        yield f"In the last quarter of all facilities: {listed(last)}."
    if not (best or last or apart):
        placed = any(_quartile(one) is not None for one in measures)
        yield (
            "Nothing: every measure that can be compared lies in the middle half of all facilities."
            if placed
            else "No measure can be compared with peers yet."
            if _rates(measures)
            else "No rate can be shown, so that none can be compared with peers."
        )


def _look_at(
    measures: Sequence[MeasureFeedback], quality: Quality, not_shown: Sequence[NotShown]
) -> Iterable[str]:
    urgent = [one.title for one in measures if _is_worse(one) or _is_behind(one)]
    if urgent:
        yield f"Worse than before, or behind peers by more than chance explains: {listed(urgent)}."
    left_out = gaps(quality.completeness)
    if left_out:
        yield f"Often left out: {listed(f'{one.title} ({one.share})' for one in left_out)}."
    if quality.entries and quality.rejected > REJECTED * quality.entries:
        yield f"{share(quality.rejected, quality.entries)} of the entries sent were rejected; their findings say why."
    if quality.waiting:
        yield waiting_says(quality.waiting)
    if quality.drafts:
        yield drafts_say(quality.drafts)
    stand_ins = {
        one.id for one in measures if one.latest is not None and one.latest.rate is not None
    }
    own = [one for one in not_shown if one.what == OWN and one.measure_id not in stand_ins]
    if own:
        reason, times = Counter(one.reason for one in own).most_common(1)[0]
        said = f"{times} {'measure is' if times == 1 else 'measures are'} not shown"
        yield f"{said}: {REASONS[reason][:1].lower()}{REASONS[reason][1:]}"
    if not (urgent or left_out or own or quality.waiting or quality.drafts):
        yield "Nothing calls for a closer look."


def _is_worse(one: MeasureFeedback) -> bool:
    """Than a year before, or over time."""
    changed = one.change is not None and one.change.better is False
    return changed or (one.run is not None and one.run.course == "worsening")


def _is_apart(one: MeasureFeedback) -> bool:
    """From its peers by more than chance explains; where no norm is told, beyond the outer limits."""
    if one.placing is not None:
        return one.placing.flagged
    return one.funnel is not None and one.funnel.zone == "beyond-998"


def _above(one: MeasureFeedback) -> bool:
    """Whether a result that lies apart lies above its peers."""
    if one.placing is not None:
        return one.placing.above
    return one.funnel is not None and one.funnel.value > one.funnel.target


def _is_behind(one: MeasureFeedback) -> bool:
    """Apart from its peers on the worse side."""
    return _is_apart(one) and one.better != "neither" and _above(one) is (one.better == "lower")


def _quartile(measure: MeasureFeedback) -> int | None:
    return next((one.quartile for one in measure.standings if one.peer_group == WATCHED), None)
