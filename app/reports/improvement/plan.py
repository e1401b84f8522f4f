"""
What an improvement project may set out to do: its periods, its days, and over what it is measured again.

Refusals name what is wrong and what is allowed, never what somebody wrote.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from app.benchmarks.periods import LONGEST, Period, later
from app.errors import Unprocessable
from app.registries.improvement import ImprovementTemplate, Step

FURTHEST = timedelta(days=366)
"""How far ahead a day may be planned."""


def months(over: Period) -> int:
    """How many months a period has."""
    return sum(1 for _ in over.months())


def check_periods(
    template: ImprovementTemplate, baseline: Period, again: Period | None, today: date
) -> None:
    """Refuse a baseline or a re-measurement that could not tell anything."""
    if months(baseline) < template.baseline_months:
        raise Unprocessable(f"The baseline has at least {template.baseline_months} months.")
    if today <= baseline.end:
        raise Unprocessable("The baseline is made of months that have ended.")
    if again is None:
        return
    if again.first <= baseline.last:
        raise Unprocessable("The re-measurement begins after the baseline has ended.")
    if months(again) < template.remeasurement_months:
        raise Unprocessable(
            f"The re-measurement has at least {template.remeasurement_months} months."
        )
    if later(baseline.first, LONGEST) <= again.last:
        raise Unprocessable(f"Baseline and re-measurement lie within {LONGEST} months.")


def check_day(baseline: Period, kind: Step, on: date, today: date) -> None:
    """Refuse a step on a day that does not go with the project."""
    if on > today + FURTHEST:
        raise Unprocessable("A step lies at most a year ahead.")
    if kind == "plan":
        if on < later(baseline.first, -12):
            raise Unprocessable("A plan is made at most a year before the baseline.")
    elif on <= baseline.end:
        raise Unprocessable("A change is carried out, studied and acted upon after the baseline.")


def check_stay(baseline: Period, since: date, until: date | None, today: date) -> None:
    """Refuse a participation that ends before it begins, or lies outside of the project."""
    if since < later(baseline.first, -12):
        raise Unprocessable("Taking part begins at most a year before the baseline.")
    if since > today + FURTHEST or (until is not None and until > today + FURTHEST):
        raise Unprocessable("Taking part lies at most a year ahead.")
    if until is not None and until < since:
        raise Unprocessable("Taking part ends on or after the day it begins.")


def remeasured(
    template: ImprovementTemplate,
    baseline: Period,
    asked: Period | None,
    changes: Iterable[date],
    matures_after: int,
    today: date,
) -> Period | None:
    """Over what the project is measured again: as it was asked, or from the month after its first change.

    That goes on to the latest month whose outcomes are known; None while those are too few months.
    """
    if asked is not None:
        return asked
    done = sorted(one for one in changes if one <= today)
    if not done:
        return None
    first = first_month(done[0])
    last = later(today.replace(day=1), -1 - matures_after)
    last = min(last, later(baseline.first, LONGEST - 1))
    if later(first, template.remeasurement_months - 1) > last:
        return None
    return Period(first, last)


def first_month(change: date) -> date:
    """The first whole month after a change."""
    return change if change.day == 1 else later(change.replace(day=1), 1)
