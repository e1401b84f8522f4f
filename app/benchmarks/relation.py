"""
The relation a measure sees: one typed row a case in force, its derived columns worked out.

It is built from versions by one SQL text, for a few touched subjects and for the whole lake alike.
`weight` is -1 for a row as it was and 1 for a row as it is; nothing derived looks from one to the other.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp, parse_one

from app.benchmarks.derived import aggregated, each_side_apart, layers, of_none
from app.registries.expressions import Expression, Type, compile
from app.registries.lineage import as_read, mark
from app.registries.rows import (
    CASE_COLUMNS,
    SUBJECT_RECORD,
    Column,
    case_columns,
    columns_of,
    element_types,
    follow_up_columns,
    group_columns,
    sql_columns,
    sql_type,
    type_of_derived,
    windows,
)
from app.registries.schema import Definition, Derived, Form, Group

KEYS = {
    "case_id": "BIGINT",
    "case_token": "VARCHAR",
    "facility_id": "INTEGER",
    "subject_id": "BIGINT",
    "case_date": "DATE",
    "month": "DATE",
}
"""What every relation has before its elements."""

_SIDES = "(VALUES (CAST(-1 AS TINYINT)), (CAST(1 AS TINYINT))) AS sides(weight)"


def relation_name(form: str) -> str:
    """What the statement of measures calls a form's cases."""
    return f"cases_{form}"


@dataclass(frozen=True)
class Relation:
    """The cases of one form as a relation."""

    form: str
    build: str
    """SQL that makes it from `versions`, a relation of `observe.arrow`."""
    digest: str
    columns: Mapping[str, str] = field(compare=False, repr=False)
    """Name -> SQL type, `weight` aside."""
    types: Mapping[str, Type] = field(compare=False, repr=False)
    """What expressions may name."""
    marks: Mapping[str, str] = field(compare=False, repr=False)
    """Name -> a digest of how the column is made: stored values of another one are of no use."""
    gathered: frozenset[str] = field(compare=False, repr=False)
    """Columns that come from follow-ups: the lake has none of those to work them out from."""
    worked_out: Mapping[str, Expression] = field(compare=False, repr=False)
    """Name -> an expression over the columns before it: what cases and subjects alone give."""

    def compiled(self, text: str) -> Expression:
        """An expression of a measure over this relation."""
        return compile(text, self.types)


def relation(definition: Definition, form_id: str) -> Relation:
    """The relation of a case form, with all its columns."""
    building = _built(definition, form_id, None)
    build = building.sql()
    canonical = json.dumps([build, building.columns])
    return Relation(
        form=form_id,
        build=build,
        digest=hashlib.sha256(canonical.encode()).hexdigest(),
        columns=building.columns,
        types=building.types,
        marks=building.marks,
        gathered=frozenset(building.gathered),
        worked_out=building.worked_out,
    )


def narrowed(definition: Definition, form_id: str, wanted: frozenset[str]) -> str:
    """SQL that makes the relation with no more columns than are wanted, and those they rest on."""
    return _built(definition, form_id, behind(definition, form_id, wanted)).sql()


def _built(definition: Definition, form_id: str, wanted: frozenset[str] | None) -> "_Building":
    building = _Building(definition, definition.form(form_id), wanted)
    for record in definition.forms:
        if record.level == "subject" and not record.part:
            building.add_record(record)
    for layer in layers(definition, form_id):
        needed = [one for one in layer if wanted is None or one.id in wanted]
        if needed:
            building.add_derived(needed)
    return building


def behind(definition: Definition, form_id: str, wanted: frozenset[str]) -> frozenset[str]:
    """Wanted columns and whatever their derived columns are worked out from."""
    form = definition.form(form_id)
    everything = case_columns(definition, form)
    for follow_up in definition.follow_up_forms(form_id):
        everything = follow_up_columns(definition, form, follow_up) | everything
    everything |= {
        one.id: type_of_derived(one) for one in definition.derived if one.form == form_id
    }
    # Elements of a row are not the case's; two groups may call theirs alike.
    within = {path: group_columns(definition, form, path) for path in form.group_paths}
    for one in reversed(definition.derived):  # a derived column sees those declared above it
        if one.form == form_id and one.id in wanted:
            for text in filter(None, (one.expression, one.filter)):
                rows = windows(form) if one.over == "subject" else None
                seen = everything | within.get(one.group or "", {})
                wanted |= compile(text, seen, windows=rows).columns
    return wanted


class _Building:
    """A relation in the making: steps that each add columns to the one before."""

    def __init__(self, definition: Definition, form: Form, wanted: frozenset[str] | None) -> None:
        self.definition, self.form, self.wanted = definition, form, wanted
        self.types = case_columns(definition, form) | dict(CASE_COLUMNS)
        elements = self._elements(form)
        self.columns = KEYS | {one.name: one.type for one in elements}
        self.marks = {name: _mark(name, kind) for name, kind in KEYS.items()}
        self.marks |= {
            one.name: _mark(one.type, one.expression, one.element, *self._read(form))
            for one in elements
        }
        self.worked_out: dict[str, Expression] = {}
        self.gathered: set[str] = set()
        values = "".join(f', {one.expression} AS "{one.name}"' for one in elements)
        self.steps = [
            "SELECT weight, case_id, key_token AS case_token, facility_id, subject_id, case_date,"
            f" CAST(date_trunc('month', case_date) AS DATE) AS month{values} FROM"
            f" {_sent(definition, form, elements)}"
        ]

    def _elements(self, form: Form, prefix: str = "") -> list[Column]:
        """A form's wanted elements as columns; the relation's own names are not an element's to take."""
        return [
            one
            for one in sql_columns(form)
            if one.name not in KEYS and (self.wanted is None or prefix + one.name in self.wanted)
        ]

    def _read(self, form: Form) -> tuple[str, ...]:
        """What marks a column of a form whose earlier entries are converted."""
        return tuple(filter(None, [mark(self.definition, form.id)]))

    def _rows(self, group: Group) -> list[Column]:
        """The wanted elements of a group's rows as columns."""
        return [
            one
            for one in columns_of(group.elements)
            if self.wanted is None or one.name in self.wanted
        ]

    @property
    def last(self) -> str:
        return f"step_{len(self.steps) - 1}"

    def sql(self) -> str:
        steps = ",\n".join(
            f"step_{place} AS MATERIALIZED ({sql})" for place, sql in enumerate(self.steps)
        )
        names = ", ".join(f'"{name}"' for name in self.columns)
        return f"WITH {steps}\nSELECT {names}, weight FROM {self.last}"

    def add_record(self, record: Form) -> None:
        """Beside each case, what its own facility last sent about the subject by itself."""
        elements = self._elements(record, SUBJECT_RECORD)
        if not elements:
            return
        added = {SUBJECT_RECORD + one.name: one.type for one in elements}
        values = "".join(f', {one.expression} AS "{SUBJECT_RECORD}{one.name}"' for one in elements)
        names = "".join(f', record."{name}"' for name in added)
        latest = (
            f"SELECT weight, facility_id, subject_id{values} FROM"
            f" {_sent(self.definition, record, elements)}"
            " QUALIFY row_number() OVER (PARTITION BY weight, facility_id, subject_id"
            ' ORDER BY submission_number DESC, "row" DESC, case_id DESC) = 1'
        )
        self.steps.append(
            f"SELECT cases.*{names} FROM {self.last} AS cases LEFT JOIN ({latest}) AS record"
            " ON record.weight = cases.weight AND record.facility_id = cases.facility_id"
            " AND record.subject_id = cases.subject_id"
        )
        self.columns |= added
        self.marks |= {
            SUBJECT_RECORD + one.name: _mark(
                record.id, one.type, one.expression, one.element, *self._read(record)
            )
            for one in elements
        }

    def add_derived(self, layer: list[Derived]) -> None:
        """Derived columns that need none of each other."""
        match layer[0].over:
            case "follow_up":
                self._over_follow_ups(layer)
            case "group":
                self._over_rows(layer)
            case "subject":
                rows = windows(self.form)
                texts = [
                    each_side_apart(compile(one.expression, self.types, windows=rows))
                    for one in layer
                ]
                self._select(layer, texts)
            case "case":
                self._select(layer, [compile(one.expression, self.types) for one in layer])
        self.columns |= {one.id: sql_type(one) for one in layer}
        self.types |= {one.id: type_of_derived(one) for one in layer}

    def _select(self, layer: list[Derived], texts: list[Expression]) -> None:
        made = {one.id: text for one, text in zip(layer, texts, strict=True)}
        values = ", ".join(
            f'CAST({made[one.id].duckdb} AS {sql_type(one)}) AS "{one.id}"' for one in layer
        )
        self.steps.append(f"SELECT *, {values} FROM {self.last}")
        for one in layer:
            text = made[one.id]
            behind = [self.marks[name] for name in sorted(text.columns) if name in self.marks]
            self.marks[one.id] = _mark(text.duckdb, sql_type(one), *behind)
        self.worked_out |= made

    def _over_follow_ups(self, layer: list[Derived]) -> None:
        follow_up = self.definition.form(
            layer[0].follow_up or self.definition.follow_up_forms(self.form.id)[0].id
        )
        elements = self._elements(follow_up)
        types = follow_up_columns(self.definition, self.form, follow_up) | {
            name: kind for name, kind in self.types.items() if name not in follow_up.by_id
        }
        own = "".join(f', {one.expression} AS "{one.name}"' for one in elements)
        both = [name for name in self.columns if name in {one.name for one in elements}]
        names = ", ".join(f'"{name}"' for name in both)
        without = f" EXCLUDE ({names})" if both else ""
        joined = (
            f"SELECT cases.*{without}, follow.* EXCLUDE (parent_id, weight) FROM {self.last} AS cases"
            f" JOIN (SELECT weight, parent_id{own} FROM"
            f" {_sent(self.definition, follow_up, elements)}) AS follow"
            " ON follow.parent_id = cases.case_id AND follow.weight = cases.weight"
        )
        made = {
            one.name: _mark(follow_up.id, one.type, one.expression, *self._read(follow_up))
            for one in elements
        }
        self._gather(layer, joined, types, made)

    def _over_rows(self, layer: list[Derived]) -> None:
        """Over the rows of a group: each beside the elements of its case and of the rows around it."""
        *_, last = chain = self.form.group_paths[layer[0].group or ""]
        own = [self._rows(group) for group in chain]
        # Something of a row must be asked for, or there would be no row.
        shape = _shape_of(last, own[-1]) or {last.elements[0].id: "VARCHAR"}
        for outer, group, columns in zip(chain[-2::-1], chain[:0:-1], own[-2::-1], strict=True):
            shape = _shape_of(outer, columns) | {group.id: [shape]}
        rows, carried = _versions(self.definition, self.form, {chain[0].id: [shape]}), ""
        for group, columns in zip(chain, [[], *own], strict=False):
            values = "".join(f', {one.expression} AS "{one.name}"' for one in columns)
            before, carried = carried, carried + "".join(f', "{one.name}"' for one in columns)
            rows = (
                f"(SELECT weight, case_id, each AS e{carried} FROM (SELECT weight, case_id{before}"
                f'{values}, unnest(e."{group.id}") AS each FROM {rows}))'
            )
        values = "".join(f', {one.expression} AS "{one.name}"' for one in own[-1])
        joined = (
            f"SELECT cases.*, own.* EXCLUDE (case_id, weight) FROM {self.last} AS cases"
            f" JOIN (SELECT weight, case_id{carried}{values} FROM {rows}) AS own"
            " ON own.case_id = cases.case_id AND own.weight = cases.weight"
        )
        types = dict(self.types) | element_types(one for each in chain for one in each.elements)
        path = [group.id for group in chain]
        made = {
            one.name: _mark(*path, one.type, one.expression, *self._read(self.form))
            for columns in own
            for one in columns
        }
        self._gather(layer, joined, types, made)

    def _gather(
        self,
        layer: list[Derived],
        joined: str,
        types: Mapping[str, Type],
        made: Mapping[str, str],
    ) -> None:
        """Bring the rows beside each case together; `made` marks the columns that are the rows' own."""
        for one in layer:
            text = aggregated(one, types)
            read = sorted(
                {column.name for column in parse_one(text, read="duckdb").find_all(exp.Column)}
            )
            behind = [made.get(name) or self.marks[name] for name in read]
            self.marks[one.id] = _mark(text, sql_type(one), *behind)
            self.gathered.add(one.id)
        values = ", ".join(f'{aggregated(one, types)} AS "{one.id}"' for one in layer)
        gathered = f"SELECT case_id, weight, {values} FROM ({joined}) GROUP BY case_id, weight"
        names = ", ".join(f'CAST({of_none(one)} AS {sql_type(one)}) AS "{one.id}"' for one in layer)
        self.steps.append(
            f"SELECT cases.*, {names} FROM {self.last} AS cases LEFT JOIN ({gathered}) AS gathered"
            " ON gathered.case_id = cases.case_id AND gathered.weight = cases.weight"
        )


def _mark(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _shape(columns: Iterable[Column]) -> dict[str, object]:
    """The members that columns are read from, as `json_transform` is told them."""
    kinds: dict[str, object] = {}
    for one in columns:
        kind = one.shape or one.type
        kinds.setdefault(one.element, ["VARCHAR"] if kind == "VARCHAR[]" else kind)
    return kinds


def _shape_of(group: Group, wanted: list[Column]) -> dict[str, object]:
    elements = {one.element for one in wanted}
    return _shape(one for one in columns_of(group.elements) if one.element in elements)


def _sent(definition: Definition, form: Form, elements: list[Column]) -> str:
    """A form's versions with some of their elements, as `_versions` gives them."""
    wanted = {one.element for one in elements}
    shape = _shape(one for one in sql_columns(form) if one.element in wanted)
    return _versions(definition, form, shape)


def _versions(definition: Definition, form: Form, shape: Mapping[str, object]) -> str:
    """A form's versions, unpacked, once for each side on which they were in force."""
    unpacked = f", json_transform(elements, '{json.dumps(shape)}') AS e" if shape else ""
    return (
        f"(SELECT v.*, sides.weight FROM (SELECT * EXCLUDE (elements){unpacked} FROM"
        f" {as_read(definition, form.id)}) AS v, {_SIDES}"
        " WHERE CASE WHEN sides.weight < 0 THEN v.before ELSE v.after END)"
    )
