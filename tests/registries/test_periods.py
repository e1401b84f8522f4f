"""A facility's months and years: what is kept of a date, and which forms may be a facility's own."""

from pathlib import Path

import pytest

from app.registries.entries import FormCheck
from app.registries.load import read
from app.registries.schema import Definition
from tests.make.definitions import SMALL, small

MONTH = """\
id: month
title: Month
level: facility-period
period: of
elements:
  - {id: facility_id, source_name: F, title: Facility, type: text, identity: facility}
  - {id: of, source_name: Of, title: Of, type: date, precision: month, required: true}
  - {id: since, source_name: Since, title: Since, type: date, precision: year}
"""


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Definition:
    definition, complaints = read(small(tmp_path_factory.mktemp("months"), elements_month=MONTH))
    assert definition is not None
    assert complaints == []
    return definition


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2025-09-01", "2025-09-01"),
        ("2025-09", "2025-09-01"),
        (" 2025-9 ", "2025-09-01"),
        ("9/2025", "2025-09-01"),
        ("09/17/2025", "2025-09-01"),
        ("2025-09-17", "2025-09-01"),
        ("2025-09-17T00:00:00", "2025-09-01"),
        ("2025-13", None),
        ("2025-00", None),
        ("0000-01", None),
        ("2025", None),
        (202509, None),
        (True, None),
        (["2025-09"], None),
    ],
)
def test_a_month_is_kept_as_its_first_day(
    months: Definition, sent: object, kept: str | None
) -> None:
    checked = FormCheck(months, "month").check({"of": sent})
    assert checked.values.get("of") == kept
    assert [one.code.value for one in checked.flaws] == ([] if kept else ["not-a-date"])


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("2025", "2025-01-01"), (2025, "2025-01-01"), (2025.0, "2025-01-01"),
     ("2025-09-17", "2025-01-01"), ("25", None), ("2025-09", None)],
)  # fmt: skip
def test_a_year_is_kept_as_its_first_day(
    months: Definition, sent: object, kept: str | None
) -> None:
    checked = FormCheck(months, "month").check({"of": "2025-01", "since": sent})
    assert checked.values.get("since") == kept


def test_a_form_of_periods_is_told_by_its_period(months: Definition) -> None:
    assert months.form("month").key == ("of",)
    (missing,) = FormCheck(months, "month").check({"since": "2024"}, draft=True).flaws
    assert (missing.place, missing.code.value) == ("of", "missing")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (", precision: month", "", "elements/month.yaml:4: is a date with the `precision` month or year"),
        ("period: of\n", "", "elements/month.yaml:1: a form of a facility's periods needs a `period`"),
        ("period: of\n", "period: of\nkey: [since]\n", "elements/month.yaml:5: a record is told by its `of`"),
        ("identity: facility}", "identity: local_id}", "elements/month.yaml:6: `facility_id` is about a person, and the form is a facility's"),
        ("type: date, precision: year}", "type: text, precision: year}", "elements/month.yaml:8: only a date has a precision"),
    ],
)  # fmt: skip
def test_what_a_form_of_periods_cannot_be(
    tmp_path: Path, before: str, after: str, says: str
) -> None:
    assert MONTH.count(before) == 1
    _, complaints = read(small(tmp_path, elements_month=MONTH.replace(before, after)))
    assert says in complaints


PHYSICIAN = "  - {id: npi, source_name: NPI, title: NPI, type: npi, required: true}\n"


def test_a_month_may_be_reported_for_each_physician(tmp_path: Path) -> None:
    alone = MONTH.replace("period: of\n", "period: of\nphysician: npi\n") + PHYSICIAN
    _, complaints = read(small(tmp_path / "alone", elements_month=alone))
    assert len(complaints) == 1
    assert "of two physicians one would amend the other: put `npi` into it" in complaints[0]
    keyed = alone.replace("period: of\n", "period: of\nkey: [of, npi]\n")
    definition, complaints = read(small(tmp_path / "keyed", elements_month=keyed))
    assert complaints == []
    assert definition is not None
    flaws = FormCheck(definition, "month").check({"of": "2025-01"}).flaws
    assert [(one.place, one.code.value) for one in flaws] == [("npi", "missing")]


def test_a_measure_may_count_months(tmp_path: Path) -> None:
    measure = SMALL["measures_all"] + (
        "- id: reported\n  title: Months\n  description: Months.\n  form: month\n  scoring: cohort\n"
        "  initial_population: of > since\n  examples:\n    - title: One\n      cases:\n"
        "        - {subject: a, elements: {of: 2025-02, since: 2025}}\n"
        "      expect: [{initial_population: 1}]\n"
    )
    _, complaints = read(small(tmp_path, elements_month=MONTH, measures_all=measure))
    assert complaints == []
