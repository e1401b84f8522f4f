"""
Passes: how a statement counts one form's cases, each condition written once.

A *series* is one grouped pass: a form's totals, or one stratifier with the measures that use it.
Strata are never crossed, so no pass groups by two of them. Measures share expressions, so a series
counts each different condition once, and the layout says which slot of the row a measure reads.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from app.benchmarks import bins
from app.benchmarks.bins import array, text
from app.benchmarks.dialects import stands_for
from app.benchmarks.layout import Series, Slots
from app.benchmarks.relation import Relation, relation_name
from app.registries.expressions import Expression
from app.registries.measure import Measure
from app.registries.schema import Definition


class _Columns:
    """What the measures of a form compute of each case, each expression once."""

    def __init__(self, cases: Relation) -> None:
        self.cases = cases
        self.read: set[str] = set()
        self.names: dict[str, str] = {}
        self.texts: dict[str, Expression] = {}
        """What stands for an expression in the frame -> the expression, spelled by each engine."""
        self._stands: dict[str, str] = {}
        """An expression as DuckDB spells it -> what stands for it."""

    def compiled(self, text: str) -> tuple[str, Expression]:
        """What stands for an expression, and the expression."""
        expression = self.cases.compiled(text)
        self.read |= expression.columns
        name = self._stands.setdefault(
            expression.duckdb, stands_for(f"{self.cases.form}_{len(self.texts)}")
        )
        return name, self.texts.setdefault(name, expression)

    def named(self, sql: str, prefix: str) -> str:
        return self.names.setdefault(sql, f"{prefix}{len(self.names)}")

    def source(self, used: Iterable[str], *keys: str) -> str:
        """The cases with no more of these columns than the conditions and values use."""
        words = {word for one in used for word in _WORD.findall(one)}
        columns = [f"{sql} AS {name}" for sql, name in self.names.items() if name in words]
        inner = ", ".join([*keys, "facility_id", "month", "weight", *columns])
        return f"(SELECT {inner} FROM {relation_name(self.cases.form)} WHERE month IS NOT NULL)"


class FormPasses:
    """
    The grouped passes over one form.

    Cases are split by each stratifier in turn, those of no stratum kept; what a split has counted is
    added up for the totals, and only what no split counts is counted for them alone.
    """

    def __init__(
        self, definition: Definition, cases: Relation, names: Mapping[tuple[str, str], str]
    ) -> None:
        self.cases, self.columns = cases, _Columns(cases)
        measures = [measure for measure in definition.measures if measure.form == cases.form]
        self.totals = _Pass(self.columns, "", None, measures)
        self.splits: list[_Pass] = []
        for name in sorted({names[m.id, s.id] for m in measures for s in m.stratifiers}):
            users = [m for m in measures if any(names[m.id, s.id] == name for s in m.stratifiers)]
            text = next(
                s.expression for s in users[0].stratifiers if names[users[0].id, s.id] == name
            )
            binned = frozenset(
                one.id
                for one in users
                if one.reference_levels is not None
                and names.get((one.id, one.reference_levels.by or "")) == name
            )
            self.splits.append(_Pass(self.columns, name, text, users, binned))
        self.passes = [self.totals, *self.splits]

    def steps(self) -> list[str]:
        """Common table expressions: each split, what is left for the totals, and the totals."""
        made = {one: f"{self.cases.form}_split_{n}" for n, one in enumerate(self.splits)}
        taken: dict[str, _Pass] = {}
        for one in sorted(self.splits, key=lambda each: len(each.aggregates), reverse=True):
            for aggregate in one.aggregates:
                taken.setdefault(aggregate, one)
        rest = [one for one in self.totals.aggregates if one not in taken]
        steps = [f"{made[one]} AS MATERIALIZED ({one.counted(one.aggregates)})" for one in made]
        parts, alias = [], {}
        if rest or not made:
            alias.update({aggregate: f"rest.a{place}" for place, aggregate in enumerate(rest)})
            parts.append(f"({self.totals.counted(rest)}) AS rest")
        for one, name in made.items():
            mine = [each for each in self.totals.aggregates if taken.get(each) is one]
            if not mine:
                continue
            summed = ", ".join(
                f"{_added(f'a{one.aggregates.index(each)}', each)} AS a{one.aggregates.index(each)}"
                for each in mine
            )
            alias.update({each: f"{name}.a{one.aggregates.index(each)}" for each in mine})
            parts.append(
                f"(SELECT facility_id, month, {summed} FROM {name} GROUP BY facility_id, month)"
                f" AS {name}"
            )
        first, *others = parts
        joined = first + "".join(f" JOIN {one} USING (facility_id, month)" for one in others)
        values = ", ".join(
            f"{alias[each]} AS a{place}" for place, each in enumerate(self.totals.aggregates)
        )
        steps.append(
            f"{self.cases.form}_totals AS (SELECT facility_id, month, {values} FROM {joined})"
        )
        return steps

    def selects(self) -> list[str]:
        return [
            self.totals.written(f"{self.cases.form}_totals"),
            *(sql for one in self.passes for sql in one.histograms_counted()),
            *(
                one.written(f"{self.cases.form}_split_{place}")
                for place, one in enumerate(self.splits)
            ),
        ]


class _Pass:
    """One grouped pass in the making: each condition written once."""

    def __init__(
        self,
        columns: _Columns,
        stratifier: str,
        stratum: str | None,
        measures: Iterable[Measure],
        binned: frozenset[str] = frozenset(),
    ) -> None:
        """`binned` are the measures of which each stratum has a histogram."""
        self.columns, self.stratifier, self.binned = columns, stratifier, binned
        self.stratum = columns.compiled(stratum)[0] if stratum else None
        self.counts: list[str] = []
        self.sums: list[str] = []
        self.slots: Slots = {}
        self.histograms: list[tuple[Measure, str, str]] = []
        self.mixes: list[tuple[Measure, str, str, str]] = []
        """Measure, the conditions of a case and of an event, and the place of a case's combination."""
        for measure in measures:
            self._add(measure)

    def _add(self, measure: Measure) -> None:
        """FHIR Measure, 'Measure Population Semantics': each population within the one before."""
        population = self._flag(measure.initial_population)
        base = [*population, *self._flag(measure.denominator)]
        excluded = (
            self._flag(measure.denominator_exclusion) if measure.denominator_exclusion else None
        )
        met = self._flag(measure.numerator) if measure.numerator else None
        excused = (
            self._flag(measure.denominator_exception) if measure.denominator_exception else None
        )

        slots = self.slots[measure.id] = {}
        slots["initial_population"] = self._count(population)
        if measure.scoring == "cohort":
            return
        left = base
        if excluded is not None:
            slots["exclusions"] = self._count([*base, *excluded])
            left = [*base, _not(excluded)]
        if excused is not None:
            unmet = [*left, _not(met)] if met is not None else left
            slots["exceptions"] = self._count([*unmet, *excused])
            kept = f"NOT ({_all(excused)})"
            left = [*left, f"({_all(met)} OR {kept})" if met is not None else kept]
        slots["denominator"] = self._count(left)
        if met is not None:
            slots["numerator"] = self._count([*left, *met])
            if measure.case_mix and not self.stratifier:
                place = self._combination(measure)
                self.mixes.append((measure, _all(left), _all(met), place))
        if measure.observation:
            value, exact = self._observation(measure)
            seen = [*left, *(met or [])] if measure.scoring == "ratio" else left
            seen = [*seen, f"{value} IS NOT NULL"]
            slots["observations"] = self._count(seen)
            slots["total"] = self._sum(seen, value)
            slots["total_of_squares"] = self._sum(seen, f"{exact} * {exact}")
            if measure.bins and (not self.stratifier or measure.id in self.binned):
                self.histograms.append((measure, _all(seen), value))

    def _flag(self, text: str) -> list[str]:
        """The conjunction that says the expression is TRUE: empty when it always is."""
        if text.strip().upper() == "TRUE":
            return []
        return [self.columns.named(f"COALESCE({self.columns.compiled(text)[0]}, FALSE)", "f")]

    def _observation(self, measure: Measure) -> tuple[str, str]:
        """
        The observation in units of its last decimal: an integer, so that sums are exact.

        Beside it, the same in a type in which its square has room.
        """
        assert measure.observation is not None
        text, value = self.columns.compiled(measure.observation)
        if value.type.scale > measure.scale:
            text = f"ROUND({text}, {measure.scale})"
        name = self.columns.named(f"CAST(({text}) * {10**measure.scale} AS BIGINT)", "o")
        digits = value.type.digits - value.type.scale + measure.scale + 1
        return name, name if 2 * digits <= 18 else f"CAST({name} AS DECIMAL(19, 0))"

    def _combination(self, measure: Measure) -> str:
        """The place of a case's levels among all combinations of a case mix."""
        known = [self.columns.compiled(one.expression)[0] for one in measure.case_mix]
        return " + ".join(
            self.columns.named(sql, "o") for sql in bins.combination(measure.case_mix, known)
        )

    def _count(self, conditions: list[str]) -> int:
        return _place(self.counts, f"COUNT_IF({_all(conditions)})")

    def _sum(self, conditions: list[str], value: str) -> int:
        return _place(self.sums, f"SUM(CASE WHEN {_all(conditions)} THEN {value} END)")

    @property
    def aggregates(self) -> list[str]:
        """Everything it counts and sums, in the order of its row."""
        return [*self.counts, *self.sums]

    def series(self) -> Series:
        return Series(self.columns.cases.form, self.stratifier, self.slots)

    def counted(self, aggregates: Sequence[str]) -> str:
        """Count each side, and take what was from what is."""
        keys = ["facility_id", "month"]
        if self.stratum:
            keys.insert(0, "stratum")
            stratum = [f"CAST({self.stratum} AS VARCHAR) AS stratum"]
        else:
            stratum = []
        by = ", ".join(keys)
        source = self.columns.source(aggregates, *stratum)
        counted = "".join(f", {sql} AS a{place}" for place, sql in enumerate(aggregates))
        changed = "".join(
            f", {_added(f'a{place}', sql, weighted=True)} AS a{place}"
            for place, sql in enumerate(aggregates)
        )
        return (
            f"SELECT {by}{changed} FROM (SELECT {by}, weight{counted} FROM {source} AS cases"
            f" GROUP BY {by}, weight) AS counted GROUP BY {by}"
        )

    def written(self, counted: str) -> str:
        """Its rows as the tables have them, those in which nothing is left out."""
        names = [f"a{place}" for place in range(len(self.aggregates))]
        counts, sums = names[: len(self.counts)], names[len(self.counts) :]
        nothing = [f"'{{{','.join('0' for _ in each)}}}'" for each in (counts, sums)]
        stratum, wanted = ("stratum", " WHERE stratum IS NOT NULL") if self.stratum else ("''", "")
        return (
            f"SELECT {text(self.columns.cases.form)} AS form, 'counts' AS kind,"
            f" {text(self.stratifier)} AS series, stratum, facility_id, month, counts, sums"
            f" FROM (SELECT {stratum} AS stratum, facility_id, month,"
            f" {array(counts)} AS counts, {array(sums)} AS sums FROM {counted}{wanted}) AS written"
            f" WHERE NOT (counts = {nothing[0]} AND sums = {nothing[1]})"
        )

    def histograms_counted(self) -> list[str]:
        """A row of bins a facility and month, of each histogram and of each case mix."""
        form = self.columns.cases.form
        stratum = "stratum" if self.stratum else None
        split = [f"CAST({self.stratum} AS VARCHAR) AS stratum"] if self.stratum else []
        return [
            *(
                bins.histogram(
                    form,
                    measure,
                    self.columns.source([condition, value], *split),
                    condition,
                    value,
                    stratum,
                )
                for measure, condition, value in self.histograms
            ),
            *(
                bins.combined(
                    form,
                    measure,
                    self.columns.source([condition, event, place]),
                    condition,
                    event,
                    place,
                )
                for measure, condition, event, place in self.mixes
            ),
        ]


_WORD = re.compile(r"\b[fo]\d+\b")
"""A name that `_Columns.named` gave."""


def _added(name: str, aggregate: str, *, weighted: bool = False) -> str:
    """SQL that adds up counts, or sums: as they are, or what was taken from what is."""
    if aggregate.startswith("COUNT"):
        return f"CAST(SUM({name}{' * weight' if weighted else ''}) AS BIGINT)"
    value = f"CASE WHEN weight < 0 THEN -{name} ELSE {name} END" if weighted else name
    return f"COALESCE(SUM({value}), 0)"


def _place(slots: list[str], sql: str) -> int:
    if sql not in slots:
        slots.append(sql)
    return slots.index(sql)


def _all(conditions: list[str]) -> str:
    return " AND ".join(conditions) or "TRUE"


def _not(conditions: list[str]) -> str:
    return f"NOT ({_all(conditions)})"
