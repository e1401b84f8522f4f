"""
Measure texts to one SQL statement.

The statement reads one relation a case form (`relation.py`), in which `weight` is 1 for a case as it
is now and -1 for a case as it was. Over the lake every weight is 1 and the result is the cells;
over touched subjects, before and after, it is what changed in them. Nothing else differs.

A *series* is one grouped pass: a form's totals, or one stratifier with the measures that use it.
Strata are never crossed, so no pass groups by two of them. Measures share expressions, so a series
counts each different condition once, and the layout says which slot of the row a measure reads.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlglot

from app.benchmarks.relation import Relation, narrowed, relation, relation_name
from app.registries.expressions import Expression
from app.registries.schema import Definition, Measure

COUNTS = (
    "initial_population",
    "denominator",
    "exclusions",
    "exceptions",
    "numerator",
    "observations",
)
SUMS = ("total", "total_of_squares")

Slots = dict[str, dict[str, int]]
"""Measure -> population -> place in the row's `counts` (or `sums`); what is always zero has none."""


@dataclass(frozen=True, slots=True)
class Series:
    """Where the measures of one grouped pass find their counts."""

    form: str
    stratifier: str
    """The name it has in the cells; empty for the totals."""
    slots: Slots

    def read(self, measure: str, counts: Sequence[int], sums: Sequence[Any]) -> dict[str, Any]:
        """One measure's populations out of a row."""
        places = self.slots[measure]
        return {
            name: (sums if name in SUMS else counts)[places[name]] if name in places else 0
            for name in (*COUNTS, *SUMS)
        }


@dataclass(frozen=True)
class Layout:
    """How the rows of a generation are read."""

    series: tuple[Series, ...]
    stratifiers: Mapping[tuple[str, str], str]
    """Measure and stratifier id -> the name the stratifier has in the cells."""

    def of(self, measure: str, stratifier: str | None = None) -> Series | None:
        """The series that holds a measure's totals, or its strata by a stratifier."""
        name = self.stratifiers.get((measure, stratifier)) if stratifier else ""
        return next(
            (one for one in self.series if one.stratifier == name and measure in one.slots), None
        )

    def document(self) -> dict[str, Any]:
        """As it is kept beside the generation."""
        return {
            "series": [[one.form, one.stratifier, one.slots] for one in self.series],
            "stratifiers": [[*key, name] for key, name in self.stratifiers.items()],
        }

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Layout":
        return cls(
            tuple(Series(*one) for one in document["series"]),
            {(measure, given): name for measure, given, name in document["stratifiers"]},
        )


@dataclass(frozen=True)
class Tabulation:
    """A definition's measures as one statement, and where its results are read."""

    registry_id: str
    version: str
    sql: str
    """Gives form, kind, series, stratum, facility_id, month, counts, sums (arrays as text)."""
    relations: tuple[Relation, ...]
    narrow: Mapping[str, str]
    """Form -> SQL that makes its relation with no more columns than the statement reads."""
    layout: Layout
    digest: str

    def in_dialect(self, dialect: str) -> str:
        """The identical statement for another engine."""
        return sqlglot.transpile(self.sql, read="duckdb", write=dialect)[0]


@lru_cache(maxsize=32)
def _tabulation(digest: str, holder: "_Holder") -> Tabulation:
    return _compiled(holder.definition)


@dataclass(frozen=True)
class _Holder:
    """Lets a definition be remembered by its digest without hashing the document."""

    digest: str
    definition: Definition = field(compare=False)


def tabulation(definition: Definition) -> Tabulation:
    """The definition's measures as one statement; worked out once a definition."""
    return _tabulation(definition.digest, _Holder(definition.digest, definition))


def _compiled(definition: Definition) -> Tabulation:
    forms = sorted({measure.form for measure in definition.measures})
    relations = tuple(relation(definition, form) for form in forms)
    names = _stratifier_names(definition)
    passes: list[_Pass] = []
    for one in relations:
        measures = [measure for measure in definition.measures if measure.form == one.form]
        passes.append(_Pass(one, "", None, measures))
        for name in sorted({names[m.id, s.id] for m in measures for s in m.stratifiers}):
            users = [m for m in measures if any(names[m.id, s.id] == name for s in m.stratifiers)]
            text = next(
                s.expression for s in users[0].stratifiers if names[users[0].id, s.id] == name
            )
            passes.append(_Pass(one, name, text, users))
    selects = [sql for one in passes for sql in one.selects()]
    sql = "\nUNION ALL\n".join(selects)
    layout = Layout(tuple(one.series() for one in passes), names)
    canonical = json.dumps([sql, [one.digest for one in relations], layout.document()])
    return Tabulation(
        registry_id=definition.id,
        version=definition.version,
        sql=sql,
        relations=relations,
        narrow={
            one.form: narrowed(
                definition,
                one.form,
                frozenset[str]().union(*(each.read for each in passes if each.cases is one)),
            )
            for one in relations
        },
        layout=layout,
        digest=hashlib.sha256(canonical.encode()).hexdigest(),
    )


def _stratifier_names(definition: Definition) -> dict[tuple[str, str], str]:
    """One name for one expression of a form: two measures may split by the same id differently."""
    seen: dict[tuple[str, str], list[str]] = {}
    names = {}
    for measure in definition.measures:
        for stratifier in measure.stratifiers:
            texts = seen.setdefault((measure.form, stratifier.id), [])
            if stratifier.expression not in texts:
                texts.append(stratifier.expression)
            place = texts.index(stratifier.expression)
            names[measure.id, stratifier.id] = stratifier.id + (f"#{place + 1}" if place else "")
    return names


class _Pass:
    """One grouped pass in the making: each expression and each condition written once."""

    def __init__(
        self, cases: Relation, stratifier: str, stratum: str | None, measures: Iterable[Measure]
    ) -> None:
        self.cases, self.stratifier, self.stratum = cases, stratifier, stratum
        self.read: set[str] = set()
        self.columns: dict[str, str] = {}
        self.counts: list[str] = []
        self.sums: list[str] = []
        self.slots: Slots = {}
        self.histograms: list[tuple[Measure, str, str]] = []
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
        if measure.observation:
            value = self._observation(measure)
            seen = [*left, *(met or [])] if measure.scoring == "ratio" else left
            seen = [*seen, f"{value} IS NOT NULL"]
            slots["observations"] = self._count(seen)
            slots["total"] = self._sum(seen, value)
            exact = f"CAST({value} AS DECIMAL(19, 0))"  # a square may be larger than a BIGINT
            slots["total_of_squares"] = self._sum(seen, f"{exact} * {exact}")
            if measure.bins and not self.stratifier:
                self.histograms.append((measure, _all(seen), value))

    def _flag(self, text: str) -> list[str]:
        """The conjunction that says the expression is TRUE: empty when it always is."""
        if text.strip().upper() == "TRUE":
            return []
        return [self._column(f"COALESCE({self._compiled(text).duckdb}, FALSE)", "f")]

    def _compiled(self, text: str) -> Expression:
        expression = self.cases.compiled(text)
        self.read |= expression.columns
        return expression

    def _observation(self, measure: Measure) -> str:
        """The observation in units of its last decimal: an integer, so that sums are exact."""
        assert measure.observation is not None
        value = self._compiled(measure.observation)
        text = value.duckdb
        if value.type.scale > measure.scale:
            text = f"ROUND({text}, {measure.scale})"
        return self._column(f"CAST(({text}) * {10**measure.scale} AS BIGINT)", "o")

    def _column(self, sql: str, prefix: str) -> str:
        return self.columns.setdefault(sql, f"{prefix}{len(self.columns)}")

    def _count(self, conditions: list[str]) -> int:
        return _place(self.counts, f"COUNT_IF({_all(conditions)})")

    def _sum(self, conditions: list[str], value: str) -> int:
        return _place(self.sums, f"SUM(CASE WHEN {_all(conditions)} THEN {value} END)")

    def series(self) -> Series:
        return Series(self.cases.form, self.stratifier, self.slots)

    def selects(self) -> list[str]:
        """The pass, and for each measure with bins a pass that counts them."""
        return [
            self._grouped(),
            *(
                self._binned(measure, condition, value)
                for measure, condition, value in self.histograms
            ),
        ]

    def _source(self, *keys: str) -> str:
        columns = [f"{sql} AS {name}" for sql, name in self.columns.items()]
        inner = ", ".join([*keys, "facility_id", "month", "weight", *columns])
        return f"(SELECT {inner} FROM {relation_name(self.cases.form)} WHERE month IS NOT NULL)"

    def _grouped(self) -> str:
        """Count each side, take what was from what is, and keep what is not nothing."""
        keys = ["facility_id", "month"]
        source = self._source()
        if self.stratum:
            keys.insert(0, "stratum")
            stratum = f"CAST({self._compiled(self.stratum).duckdb} AS VARCHAR) AS stratum"
            source = f"(SELECT * FROM {self._source(stratum)} AS cases WHERE stratum IS NOT NULL)"
        names = [f"c{place}" for place in range(len(self.counts))]
        sums = [f"s{place}" for place in range(len(self.sums))]
        by = ", ".join(keys)
        written = by if self.stratum else f"'' AS stratum, {by}"
        counted = ", ".join(
            f"{sql} AS {name}"
            for sql, name in zip([*self.counts, *self.sums], [*names, *sums], strict=True)
        )
        changed = ", ".join(
            [f"SUM({name} * weight) AS {name}" for name in names]
            + [
                f"COALESCE(SUM(CASE WHEN weight < 0 THEN -{name} ELSE {name} END), 0) AS {name}"
                for name in sums
            ]
        )
        nothing = [f"'{{{','.join('0' for _ in each)}}}'" for each in (names, sums)]
        return (
            f"SELECT {_text(self.cases.form)} AS form, 'counts' AS kind,"
            f" {_text(self.stratifier)} AS series, stratum, facility_id, month, counts, sums"
            f" FROM (SELECT {written},"
            f" {_array(names)} AS counts, {_array(sums)} AS sums"
            f" FROM (SELECT {by}, {changed}"
            f" FROM (SELECT {by}, weight, {counted} FROM {source} AS cases"
            f" GROUP BY {by}, weight) AS counted GROUP BY {by}) AS changed) AS written"
            f" WHERE NOT (counts = {nothing[0]} AND sums = {nothing[1]})"
        )

    def _binned(self, measure: Measure, condition: str, value: str) -> str:
        # An integer is below an edge when it is below the next integer at or above the edge.
        edges = [math.ceil(edge.scaleb(measure.scale)) for edge in measure.bins]
        branches = " ".join(
            f"WHEN {value} < {edge} THEN {place}" for place, edge in enumerate(edges)
        )
        binned = (
            f"SELECT facility_id, month, CASE {branches} ELSE {len(edges)} END AS bin,"
            f" SUM(weight) AS n FROM {self._source()} AS cases WHERE {condition}"
            " GROUP BY facility_id, month, bin HAVING SUM(weight) <> 0"
        )
        bins = [
            f"COALESCE(SUM(CASE WHEN bin = {place} THEN n END), 0)"
            for place in range(len(edges) + 1)
        ]
        return (
            f"SELECT {_text(self.cases.form)} AS form, 'histogram' AS kind,"
            f" {_text(measure.id)} AS series, '' AS stratum, facility_id, month,"
            f" {_array(bins)} AS counts, {_array([])} AS sums"
            f" FROM ({binned}) AS binned GROUP BY facility_id, month"
        )


def _place(slots: list[str], sql: str) -> int:
    if sql not in slots:
        slots.append(sql)
    return slots.index(sql)


def _all(conditions: list[str]) -> str:
    return " AND ".join(conditions) or "TRUE"


def _not(conditions: list[str]) -> str:
    return f"NOT ({_all(conditions)})"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _array(items: list[str]) -> str:
    """Whole numbers as PostgreSQL writes an array: as text they go through Python ten times as fast."""
    if not items:
        return "'{}'"
    return f"'{{' || CONCAT_WS(',', {', '.join(items)}) || '}}'"
