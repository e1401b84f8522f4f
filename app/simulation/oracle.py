"""
What must be counted: every measure of a definition, worked out of the truth case by case.

The service counts with SQL over relations; here each text is worked out by itself in plain Python, for
one case after another, from what a simulation says must be known in the end. Whether the two agree is
asked of the tables and over HTTP.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from app.registries import expressions
from app.registries.entries import rows_of
from app.registries.expressions import Type
from app.registries.measure import Measure
from app.registries.rows import (
    SUBJECT_RECORD,
    case_columns,
    windows,
)
from app.registries.schema import Definition, Form
from app.registries.worklist import LAST_YEAR, LONGEST_DAYS, LONGEST_MONTHS, Worklist
from app.simulation.columns import Column, column_type
from app.simulation.drawn.rows import Rows, canonical
from app.simulation.meaning import Meaning, Row, months_later, rounded

Cell = tuple[int, str, str, str, str]
"""Facility, month as `2026-09`, measure, stratifier and stratum; both are empty for the total."""


Loop = tuple[str, int, date, date, date | None]
"""An open case: worklist, facility, its day, and when it is due and overdue."""


@dataclass(slots=True)
class Count:
    """What a facility counts in a month, for one measure and stratum."""

    initial_population: int = 0
    denominator: int = 0
    numerator: int = 0
    exclusions: int = 0
    exceptions: int = 0
    observations: int = 0
    total: Decimal = Decimal(0)
    """Of the observations."""
    total_of_squares: Decimal = Decimal(0)

    def add(self, other: "Count") -> None:
        """Count another's cases as well."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Oracle:
    """Counts cases as a definition's measures say."""

    def __init__(self, definition: Definition, measures: Sequence[str] | None = None) -> None:
        wanted = [one for one in definition.measures if measures is None or one.id in measures]
        self._definition = definition
        self._forms = [
            _CaseForm(definition, form, [one for one in wanted if one.form == form.id])
            for form in definition.entry_forms
            if form.counted and any(one.form == form.id for one in wanted)
        ]

    def cells(self, truth: Iterable[Mapping[str, Any]]) -> dict[Cell, Count]:
        """Every cell that is not all zeros, of the cases that stand as submitted in a truth."""
        by_form, beside = self._standing(truth)
        cells: dict[Cell, Count] = {}
        for form in self._forms:
            form.count(by_form[form.form.id], beside, cells)
        return cells

    def open_loops(self, truth: Iterable[Mapping[str, Any]]) -> Counter[Loop]:
        """What is open in each worklist at each facility, from its own cases alone, and since when."""
        own = ({**one, "subject": f"{one['subject']} at {one['facility']}"} for one in truth)
        by_form, beside = self._standing(own)
        found = Counter[Loop]()
        for form in self._definition.entry_forms:
            listed = [one for one in self._definition.worklists if one.form == form.id]
            if listed:
                its = _CaseForm(self._definition, form, [], listed)
                found.update(its.open_loops(by_form[form.id], beside))
        return found

    def _standing(
        self, truth: Iterable[Mapping[str, Any]]
    ) -> tuple[dict[str, list[Mapping[str, Any]]], dict[tuple[int, str], dict[str, Any]]]:
        """The submitted cases by form, and what facilities sent of subjects by themselves."""
        by_form: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for case in truth:
            if case["state"] == "submitted":
                by_form[case["form"]].append(case)
        forms = self._definition.entry_forms
        lists = {
            (form.id, one["facility"], one["key"]): one["elements"]
            for form in forms
            if form.level == "facility-list"
            for one in by_form[form.id]
        }
        for form in forms if lists else ():
            by_form[form.id] = [_as_listed(form, one, lists) for one in by_form[form.id]]
        beside: dict[tuple[int, str], dict[str, Any]] = defaultdict(dict)
        for form in self._definition.entry_forms:
            if form.level == "subject":
                rows = Rows(self._definition, form, SUBJECT_RECORD)
                for case in by_form[form.id]:
                    beside[case["facility"], case["subject"]] |= rows.of(case["elements"])
        return by_form, beside


def _as_listed(
    form: Form, case: Mapping[str, Any], lists: Mapping[tuple[str, int, str], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """A case with what its facility's lists give where it says nothing itself."""
    own = case["elements"]
    found = {
        one.id: entry[one.from_list.element]
        for one in form.all_elements
        if one.from_list is not None and one.id not in own
        for at in [(one.from_list.list, case["facility"], str(own.get(one.from_list.by)))]
        if (entry := lists.get(at)) is not None and one.from_list.element in entry
    }
    return {**case, "elements": {**own, **found}} if found else case


class _CaseForm:
    """A form of cases with its derived columns, measures and worklists."""

    def __init__(
        self,
        definition: Definition,
        form: Form,
        measures: Sequence[Measure],
        worklists: Sequence[Worklist] = (),
    ) -> None:
        self.form = form
        self._rows = Rows(definition, form)
        self._windows = windows(form)
        self._follow_ups = {
            other.id: Rows(definition, other) for other in definition.follow_up_forms(form.id)
        }
        self._groups = {path: Rows(definition, form, group=path) for path in form.group_paths}
        columns = dict(case_columns(definition, form))
        self._derived: list[Column] = []
        for one in definition.derived:
            if one.form == form.id:
                self._derived.append(Column(definition, form, one, columns, self._windows))
                columns[one.id] = column_type(one)
        self._measures = [_Measured(one, columns) for one in measures]
        self._worklists = [_Listed(one, columns) for one in worklists]
        self._needed()

    def _needed(self) -> None:
        """Only columns that some measure or worklist rests on are worked out."""
        wanted = {name for one in self._measures for name in one.reads}
        wanted |= {name for one in self._worklists for name in one.reads}
        kept = []
        for one in reversed(self._derived):
            if one.derived.id in wanted:
                wanted |= one.reads
                kept.append(one)
        self._derived = kept[::-1]

    def count(
        self,
        cases: Sequence[Mapping[str, Any]],
        beside: Mapping[tuple[int, str], dict[str, Any]],
        cells: dict[Cell, Count],
    ) -> None:
        """Count some cases in the cells that they belong to."""
        for row in self._worked_out(cases, beside):
            if row["month"] is not None:
                for measured in self._measures:
                    measured.add(row, cells)

    def open_loops(
        self,
        cases: Sequence[Mapping[str, Any]],
        beside: Mapping[tuple[int, str], dict[str, Any]],
    ) -> Iterator[Loop]:
        """Those of some cases that a worklist holds."""
        for row in self._worked_out(cases, beside):
            if row["case_date"] is not None:
                for listed in self._worklists:
                    yield from listed.open_loop(row)

    def _worked_out(
        self,
        cases: Sequence[Mapping[str, Any]],
        beside: Mapping[tuple[int, str], dict[str, Any]],
    ) -> list[dict[str, Any]]:
        rows = [self._row(case, beside) for case in cases]
        subjects: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            subjects[row["subject_id"]].append(row)
        for its in subjects.values():
            its.sort(key=lambda row: (row["case_date"] or date.max, row["case_token"]))
        beneath = [
            [*self._followed(case), *self._in_groups(case, row)]
            for case, row in zip(cases, rows, strict=True)
        ]
        for column in self._derived:
            if column.derived.over == "subject":
                for its in subjects.values():
                    made = [column.at(row, its, place) for place, row in enumerate(its)]
                    for row, value in zip(its, made, strict=True):
                        row[column.derived.id] = value
            else:
                for row, its_own in zip(rows, beneath, strict=True):
                    row[column.derived.id] = column.of(row, its_own)
        return rows

    def _row(
        self, case: Mapping[str, Any], beside: Mapping[tuple[int, str], dict[str, Any]]
    ) -> dict[str, Any]:
        row = self._rows.complete(self._rows.of(case["elements"]))
        row |= beside.get((case["facility"], case["subject"]), {})
        day = row.get(self.form.period) if self.form.period else None
        row |= {
            "facility_id": case["facility"],
            "subject_id": case["subject"],
            "case_token": case["key"],
            "case_date": day,
            "month": day.replace(day=1) if isinstance(day, date) else None,
        }
        return row

    def _followed(self, case: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """The case's follow-ups: form and row."""
        return [
            (form, self._follow_ups[form].complete(self._follow_ups[form].of(elements)))
            for form, elements in zip(case["follow_up_forms"], case["follow_ups"], strict=True)
        ]

    def _in_groups(self, case: Mapping[str, Any], row: Row) -> list[tuple[str, dict[str, Any]]]:
        """The rows of the case's groups, beside what stands around each: path and row."""
        if not self._groups:
            return []
        told = dict(case["elements"])
        for name, (_, element) in self._rows.computed.items():
            told[name] = canonical(element, row.get(name))
        return [
            (path, rows.complete(rows.of({**one.around, **one.row})))
            for path, rows in self._groups.items()
            for one in rows_of(told, path)
        ]


class _Listed:
    """A worklist as conditions on a row."""

    def __init__(self, worklist: Worklist, columns: Mapping[str, Type]) -> None:
        self._id = worklist.id
        self._late = worklist.overdue is not None
        self._texts = {
            name: Meaning(expressions.compile(text, columns))
            for name, text in worklist.texts.items()
        }
        self.reads = {name for one in self._texts.values() for name in one.expression.columns}

    def open_loop(self, row: Row) -> Iterator[Loop]:
        if self._texts["cases"].holds(row) and not self._texts["closed_when"].holds(row):
            due = self._day("due", row) or row["case_date"]
            overdue = self._day("overdue", row) if self._late else None
            yield self._id, row["facility_id"], row["case_date"], due, overdue

    def _day(self, name: str, row: Row) -> date | None:
        day, months, days = (
            self._texts[f"{name}.{part}"].of(row) for part in ("day", "months", "days")
        )
        if day is None or months is None or days is None or day.year > LAST_YEAR:
            return None
        if abs(months) > LONGEST_MONTHS or abs(days) > LONGEST_DAYS:
            return None
        return months_later(day, months) + timedelta(days=days)


class _Measured:
    """A measure as conditions on a row: each population within the one before."""

    def __init__(self, measure: Measure, columns: Mapping[str, Type]) -> None:
        self.measure = measure
        self.reads: set[str] = set()

        def compiled(text: str | None) -> Meaning | None:
            if text is None:
                return None
            meaning = Meaning(expressions.compile(text, columns))
            self.reads |= meaning.expression.columns
            return meaning

        self._population = compiled(measure.initial_population)
        self._denominator = compiled(measure.denominator)
        self._exclusion = compiled(measure.denominator_exclusion)
        self._exception = compiled(measure.denominator_exception)
        self._numerator = compiled(measure.numerator)
        self._observation = compiled(measure.observation)
        self._strata = [(one.id, compiled(one.expression)) for one in measure.stratifiers]

    def add(self, row: Row, cells: dict[Cell, Count]) -> None:
        """Count a case in each cell that it belongs to."""
        counted = self._counted(row)
        if counted is None:
            return
        month = f"{row['month']:%Y-%m}"
        strata = [("", "")]
        for name, meaning in self._strata:
            assert meaning is not None
            if (stratum := meaning.of(row)) is not None:
                strata.append((name, str(stratum)))
        for stratum in strata:
            cell = (row["facility_id"], month, self.measure.id, *stratum)
            cells.setdefault(cell, Count()).add(counted)

    def _counted(self, row: Row) -> Count | None:
        def holds(meaning: Meaning | None) -> bool:
            return meaning is not None and meaning.holds(row)

        if not holds(self._population):
            return None
        count = Count(initial_population=1)
        if self.measure.scoring == "cohort" or not holds(self._denominator):
            return count
        met = holds(self._numerator)
        if holds(self._exclusion):
            count.exclusions = 1
        elif not met and holds(self._exception):
            count.exceptions = 1
        else:
            count.denominator = 1
            count.numerator = int(met)
            value = self._observation.of(row) if self._observation is not None else None
            seen = met or self._numerator is None or self.measure.scoring != "ratio"
            if value is not None and seen:
                count.observations = 1
                count.total = rounded(value, self.measure.scale)
                count.total_of_squares = count.total * count.total
        return count
