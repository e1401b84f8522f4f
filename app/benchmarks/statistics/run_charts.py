"""
Run charts: a median, and Anhøj's two rules for what chance would hardly do.

Anhøj and Olesen, PLoS ONE 2014 (Run charts revisited); Anhøj, PLoS ONE 2015 (Diagnostic value of run
chart analysis). They need no limits and no distribution. Of charts that only chance moves, 1 % to 5 %
show a signal, whatever the number of points from 10 to 100.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from math import comb, log2
from typing import Literal, NamedTuple

import numpy as np

from app.benchmarks.statistics.charts import Chart, Phase, Runs, Side, Signal, covering, told

FEWEST = 10
"""Points off the median below which a phase is not judged."""

Improvement = Literal["increase", "decrease", "none"]
Course = Literal["improving", "worsening", "rising", "falling", "unsteady", "no-signal", "too-few"]


def longest_run_allowed(useful: int) -> int:
    """The longest run that chance gives so many points: log2(n) + 3, rounded. A longer one is a signal.

    The upper 95 % prediction limit (Schilling 2012).
    """
    if useful < 1:
        raise ValueError("runs need points")
    return round(log2(useful) + 3)


@lru_cache
def crossings_needed(useful: int) -> int:
    """The least crossings that chance gives so many points; fewer are a signal.

    The 5 % quantile of the binomial distribution of n - 1 tosses of a coin (Chen 2010), by whole
    numbers: the least k with P(X <= k) >= 0.05.
    """
    if useful < 1:
        raise ValueError("crossings need points")
    ways, reached, k = 2 ** (useful - 1), 1, 0
    while 20 * reached < ways:
        k += 1
        reached += comb(useful - 1, k)
    return k


def run_chart(values: Sequence[float | None], wanted: Sequence[Phase] | None = None) -> Chart:
    """The run chart of values in the order of time; NaN or None where there is none.

    The centre of each phase is the median of its basis. Points on the median count as neither above
    nor below. A phase without a value in its basis has no centre and is not judged.
    """
    shown = told(np.nan if value is None else value for value in values)
    cut = covering(len(shown), wanted)
    centre: list[float | None] = []
    runs: list[Runs | None] = []
    signals: list[Signal] = []
    for phase in cut:
        basis = [value for value in shown[phase.first : phase.basis_after] if value is not None]
        if not basis:
            centre += [None] * (phase.after - phase.first)
            runs.append(None)
            continue
        median = float(np.median(basis))
        centre += [median] * (phase.after - phase.first)
        sides = _sides(shown, phase, median)
        found = _runs(sides)
        runs.append(found)
        if found is not None:
            signals += _signals(sides, found)
    nothing = (None,) * len(shown)
    return Chart("run", shown, tuple(centre), nothing, nothing, cut, tuple(signals), tuple(runs))


class Trend(NamedTuple):
    """Where a run chart is going, as a word and as a sentence."""

    course: Course
    words: str


def trend(chart: Chart, improvement: Improvement) -> Trend:
    """Where the last phase of a run chart is going, said plainly.

    Only a signal is a change. Its direction is that from the median of the first half of the
    phase's points to that of the last half; where these agree the course is unsteady.
    """
    if chart.kind != "run":
        raise ValueError("a trend is read from a run chart")
    if not chart.runs or chart.runs[-1] is None:
        return Trend("too-few", f"Too few results to tell a trend; it takes {FEWEST}.")
    phase, runs = chart.phases[-1], chart.runs[-1]
    inside = [one for one in chart.signals if one.places[0] >= phase.first]
    if not inside:
        return Trend("no-signal", "No sign of a change: what moves is what chance moves.")
    values = [value for value in chart.values[phase.first : phase.after] if value is not None]
    half = len(values) // 2
    change = float(np.median(values[-half:])) - float(np.median(values[:half]))
    reason = _reason(runs, [one.rule for one in inside])
    if change == 0:
        return Trend("unsteady", f"Not steady, in no lasting direction: {reason}.")
    rises = change > 0
    if improvement == "none":
        return (
            Trend("rising", f"Rising: {reason}.")
            if rises
            else Trend("falling", f"Falling: {reason}.")
        )
    better = rises == (improvement == "increase")
    way = "higher" if rises else "lower"
    if better:
        return Trend("improving", f"Getting better, {way} than before: {reason}.")
    return Trend("worsening", f"Getting worse, {way} than before: {reason}.")


def _reason(runs: Runs, rules: Sequence[str]) -> str:
    said = []
    if "long-run" in rules:
        said.append(
            f"{runs.longest} results in a row lie on one side of the median, where chance seldom"
            f" gives more than {runs.longest_allowed}"
        )
    if "few-crossings" in rules:
        times = {0: "never", 1: "once"}.get(runs.crossings, f"{runs.crossings} times")
        said.append(
            f"the line crosses the median {times}, where chance seldom gives fewer than"
            f" {runs.crossings_needed} crossings"
        )
    return "; ".join(said)


Sides = list[tuple[int, Side]]


def _sides(shown: Sequence[float | None], phase: Phase, median: float) -> Sides:
    """Places of useful points, with their side of the median."""
    found: Sides = []
    for place in range(phase.first, phase.after):
        value = shown[place]
        # A median between two values is a rounded mean; nothing else can miss equality.
        if value is not None and abs(value - median) > 1e-12 * abs(median):
            found.append((place, "above" if value > median else "below"))
    return found


def _runs(sides: Sides) -> Runs | None:
    if len(sides) < FEWEST:
        return None
    lengths = [len(list(run)) for _, run in groupby(side for _, side in sides)]
    return Runs(
        len(sides),
        max(lengths),
        longest_run_allowed(len(sides)),
        len(lengths) - 1,
        crossings_needed(len(sides)),
    )


def _signals(sides: Sides, runs: Runs) -> list[Signal]:
    found: list[Signal] = []
    for side, run in groupby(sides, key=lambda one: one[1]):
        places = tuple(place for place, _ in run)
        if len(places) > runs.longest_allowed:
            found.append(Signal("long-run", side, places))
    if runs.crossings < runs.crossings_needed:
        found.append(Signal("few-crossings", "neither", tuple(place for place, _ in sides)))
    return found
