"""The oracle itself is held to the worked examples that every measure carries."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest

from app.commands.definitions import newest
from tests.journeys.travel import REGISTRY
from tests.oracles.cells import binned
from tests.oracles.counting import Count, Exam, FollowUp, count
from tests.oracles.elcdr import MEASURES, MODULE, months_later

DEFINITION = newest(REGISTRY)
ORACLE = {one.id: one for one in MEASURES}
EXAMPLES = [
    pytest.param(measure, example, id=f"{measure.id}: {example.title}")
    for measure in DEFINITION.measures
    if measure.module == MODULE
    for example in measure.examples
]


def written(value):
    """A value as anybody would send it, as the registry would keep it."""
    if isinstance(value, list):
        return [str(one) for one in value]
    return value if isinstance(value, bool) else str(value)


def exams_of_example(example):
    exams = []
    by_subject = defaultdict(list)
    for number, case in enumerate(example.cases):
        told = {
            name: written(value)
            for name, value in (example.common | case.elements).items()
            if value is not None
        }
        exam = Exam(
            facility=int(case.facility),
            key=str(number),
            subject=case.subject,
            told=told,
            on=date.fromisoformat(told["exam_date"]),
            # What an example does not say of an age decides nothing in it.
            born=date.fromisoformat(told.get("patient_dob", "1960-06-15")),
            follow_ups=[
                FollowUp(
                    {name: written(value) for name, value in one.elements.items()},
                    date.fromisoformat(str(one.elements["follow_up_date"])),
                )
                for one in case.follow_ups
            ],
        )
        exams.append(exam)
        by_subject[case.subject].append(exam)
    for subject, known in by_subject.items():
        known.sort(key=lambda exam: exam.on)
        registered = example.subjects.get(subject, {})
        for place, exam in enumerate(known):
            exam.earlier, exam.later = known[:place], known[place + 1 :]
            exam.told |= {name: written(value) for name, value in registered.items()}
    return exams


@pytest.mark.parametrize(("measure", "example"), EXAMPLES)
def test_the_oracle_counts_a_worked_example_as_the_definition_expects(measure, example):
    totals = defaultdict(Count)
    for (facility, _, _, stratifier, stratum), one in count(
        exams_of_example(example), [ORACLE[measure.id]]
    ).items():
        total = totals[facility, f"{stratifier}:{stratum}" if stratifier else None]
        for name in ("initial_population", "denominator", "numerator", "exclusions", "exceptions"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        total.sum += one.sum
        total.sum_of_squares += one.sum_of_squares
        total.values += one.values
    for expected in example.expect:
        stratum = expected.stratum
        if expected.case_mix is not None:
            levels = [expected.case_mix[one.id] for one in measure.case_mix]
            stratum = f"case_mix:{'/'.join(levels)}"
        got = totals[int(expected.facility), stratum]
        if expected.initial_population is not None:
            assert got.initial_population == expected.initial_population
        assert (got.denominator, got.numerator, got.exclusions, got.exceptions) == (
            expected.denominator,
            expected.numerator,
            expected.exclusions,
            expected.exceptions,
        )
        if expected.sum is not None:
            assert got.sum == expected.sum
        if expected.sum_of_squares is not None:
            assert got.sum_of_squares == expected.sum_of_squares
        if expected.histogram is not None:
            assert binned(got.values, measure.bins) == list(expected.histogram)


def test_every_measure_has_an_example():
    assert {one.values[0].id for one in EXAMPLES} == set(ORACLE)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        ("2024-11-30", 3, "2025-02-28"),
        ("2023-11-30", 3, "2024-02-29"),
        ("2024-01-31", 11, "2024-12-31"),
        ("2024-12-15", 15, "2026-03-15"),
    ],
)
def test_months_end_at_the_end_of_a_shorter_month(day, months, later):
    assert months_later(date.fromisoformat(day), months).isoformat() == later


def test_bins_hold_their_lower_edge():
    edges = (Decimal("1.0"), Decimal("2.0"))
    assert binned([Decimal("0.99"), Decimal("1.00"), Decimal("2.00")], edges) == [1, 1, 1]
