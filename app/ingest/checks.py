"""The checks of a registry's forms, built once per definition and kept for the process's life."""

import atexit
import pickle
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import duckdb
import orjson
import pyarrow as pa

from app.catalogue import Catalogue
from app.registries.entries import FormCheck
from app.registries.row_rules import RowRules
from app.registries.rows import unpacked
from app.registries.schema import Definition, Element, Form
from app.registries.values.given import Canonical, Flaw

KEPT: Final = 16
ROWS_KEPT: Final = 50_000
"""Entries that passed through a bench before their memory is taken back."""
_RELATION = "batch"


class FormAtWork:
    """What the journey needs to know of one form, looked up once."""

    def __init__(self, definition: Definition, form: Form) -> None:
        self.form = form
        self.check = FormCheck(definition, form.id)
        self.identifying = frozenset(one.id for one in form.all_elements if one.identifying)
        self.facility = _id(form.with_identity("facility"))
        self.national = _id(form.with_identity("national_id"))
        self.local = _id(form.with_identity("local_id"))
        self.birth_date = _id(form.with_identity("birth_date"))
        self.computed = frozenset(one.id for one in form.all_elements if one.computed is not None)
        named = {one.form: one.makes_cases for one in definition.images}
        self.measured: tuple[Element, ...] = (
            tuple(one for one in form.all_elements if one.from_dicom) if form.id in named else ()
        )
        """The elements that are read in images; none where no image speaks of this form."""
        self.arises = named.get(form.id, False)
        """Whether images alone make a case of it."""
        self.parent_key = definition.form(form.parent).key if form.parent else ()
        self.key_elements = frozenset(
            one
            for one in (*form.key, *form.otherwise_key, *self.parent_key, self.facility)
            if one is not None
        )
        """What an entry that withdraws must have right."""
        self.listed = tuple(
            (path, one)
            for path, elements in (
                (None, form.all_elements),
                *((path, chain[-1].elements) for path, chain in form.group_paths.items()),
            )
            for one in elements
            if one.list is not None
        )
        """The elements whose codes are on a facility's own list; of a row, with its group's path."""
        self.looked_up = tuple(one for one in form.all_elements if one.from_list is not None)
        """The elements that a facility's own list gives where they were left out."""
        self._work = RulesAtWork(definition, RowRules(definition, form.id))
        self.groups = tuple(
            (path, RulesAtWork(definition, RowRules(definition, form.id, path)))
            for path in form.group_paths
        )
        """The rules of each group's rows; a group before those inside it."""

    @property
    def rules(self) -> RowRules:
        """The rules of the form itself."""
        return self._work.rules

    @property
    def looks_at_parent(self) -> bool:
        """Whether its rules read the case that an entry follows up."""
        return self._work.looks_at_parent

    def key(self, values: dict[str, Canonical]) -> list[str]:
        """The parts of an entry's own key; the other key is told apart by a part of its own."""
        own = self.form.key
        if self.form.otherwise_key and any(one not in values for one in own):
            own = self.form.otherwise_key
        names = dict.fromkeys((*self.parent_key, *own))
        parts = [str(values.get(one, "")) for one in names]
        if self.form.otherwise_key and own is self.form.otherwise_key:
            parts.append("otherwise")
        return parts

    def run(
        self, entries: Sequence["Row"], parents: Sequence[str | None] | None = None
    ) -> list[tuple[dict[str, Canonical], list[Flaw]]]:
        """Computed elements and broken rules of a batch, by one statement; in the batch's order.

        `parents` are the canonical elements of each entry's case, as JSON text.
        """
        return self._work.run(entries, parents)


class RulesAtWork:
    """The rules of a form, or of a group's rows, with an engine that stands ready to hold them against a batch."""

    def __init__(self, definition: Definition, rules: RowRules) -> None:
        self.rules = rules
        keep = ("entry", "draft", "flawed", "received_on")
        parents = tuple(name for name, _ in rules.parent_columns)
        self._rows = unpacked(
            rules.form, _RELATION, keep=keep, only=rules.elements, arriving=True, rows=rules.rows
        )
        self._alone = rules.statement(self._with_parents(parents, known=False))
        self._beside = rules.statement(self._with_parents(parents, known=True))
        self._benches: list[_Bench] = []
        if parents:
            parent = definition.form(rules.form.parent or "")
            read = frozenset(one.id for one in rules.parent_elements)
            self._parent_rows = unpacked(
                parent, "parents", json="parent", keep=("entry",), only=read
            )

    def _with_parents(self, parents: Sequence[str], *, known: bool) -> str:
        """The arriving rows, with their case's elements beside them or NULL in their place."""
        if not parents:
            return "arriving"
        if not known:
            nothing = ", ".join(
                f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in self.rules.parent_columns
            )
            return f"(SELECT *, {nothing} FROM arriving)"
        beside = ", ".join(f'p."{name.removeprefix("parent_")}" AS "{name}"' for name in parents)
        return f"(SELECT a.*, {beside} FROM arriving a LEFT JOIN parent_rows p USING (entry))"

    @property
    def looks_at_parent(self) -> bool:
        """Whether the rules read the case that an entry follows up."""
        return bool(self.rules.parent_columns)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to hold against anything."""
        return not self.rules.flaws and not self.rules.computed

    def run(
        self, entries: Sequence["Row"], parents: Sequence[str | None] | None = None
    ) -> list[tuple[dict[str, Canonical], list[Flaw]]]:
        """As `FormAtWork.run`; of a group, each of `entries` is one of its rows."""
        if not entries:
            return []
        numbers = pa.array(range(len(entries)), pa.int32())
        batch = pa.table(
            {
                "entry": numbers,
                "draft": pa.array([row.draft for row in entries], pa.bool_()),
                "flawed": pa.array([row.flawed for row in entries], pa.list_(pa.string())),
                "received_on": pa.array([row.received_on for row in entries], pa.date32()),
                "elements": pa.array([row.elements for row in entries], pa.string()),
            }
        )
        above = None
        if parents is not None:
            above = pa.table({"entry": numbers, "parent": pa.array(list(parents), pa.string())})
        try:
            bench = self._benches.pop()
        except IndexError:
            bench = _Bench(self._statements)
        answer = bench.answer(batch, above)
        self._benches.append(bench)
        return self._told(answer, len(entries))

    @property
    def _statements(self) -> dict[str, str]:
        """What is asked of a batch: of its entries alone, and of each beside the case it follows up."""
        arriving = f"WITH arriving AS ({self._rows})"
        found = {"alone": f"{arriving} {self._alone}"}
        if self.looks_at_parent:
            found["beside"] = f"{arriving}, parent_rows AS ({self._parent_rows}) {self._beside}"
        return found

    def _told(
        self, answer: Sequence[tuple[Any, ...]], count: int
    ) -> list[tuple[dict[str, Canonical], list[Flaw]]]:
        told: list[tuple[dict[str, Canonical], list[Flaw]]] = [({}, []) for _ in range(count)]
        flaws, names = self.rules.flaws, [one.id for one in self.rules.computed]
        for entry, *computed, broken in answer:
            values, found = told[entry]
            for name, value in zip(names, computed, strict=True):
                canonical = self.rules.canonical(name, value)
                if canonical is not None:
                    values[name] = canonical
            found += [flaws[number] for number in broken]
        return told


class _Bench:
    """
    An engine for the rules of one form, with its statements standing ready.

    To plan them takes as long as to run them over some thousand entries. In memory, one thread, with
    no way out of the process.
    """

    def __init__(self, statements: dict[str, str]) -> None:
        connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "1GB"})
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        connection.execute(
            f"CREATE TABLE {_RELATION} (entry INTEGER, draft BOOLEAN, flawed VARCHAR[],"
            " received_on DATE, elements VARCHAR)"
        )
        connection.execute("CREATE TABLE parents (entry INTEGER, parent VARCHAR)")
        for name, statement in statements.items():
            connection.execute(f"PREPARE {name} AS {statement}")
        self._connection = connection
        self._rows = 0

    def answer(self, batch: pa.Table, parents: pa.Table | None) -> list[tuple[Any, ...]]:
        """What the statement says of each entry; a bench that raised is not used again."""
        connection = self._connection
        for table in _RELATION, "parents":
            connection.execute(f"TRUNCATE {table}")
        if self._rows > ROWS_KEPT:  # the memory of rows taken away comes back at a checkpoint
            connection.execute("CHECKPOINT")
            self._rows = 0
        self._rows += batch.num_rows
        connection.from_arrow(batch).insert_into(_RELATION)
        if parents is not None:
            connection.from_arrow(parents).insert_into("parents")
        name = "alone" if parents is None else "beside"
        return connection.execute(f"EXECUTE {name}").fetchall()


class Row:
    """One entry as the rules see it."""

    __slots__ = ("draft", "elements", "flawed", "received_on")

    def __init__(
        self, elements: str, received_on: Any, *, draft: bool = False, flawed: Sequence[str] = ()
    ) -> None:
        self.elements = elements
        self.received_on = received_on
        self.draft = draft
        self.flawed = flawed


class RegistryAtWork:
    """The forms of one definition at work."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.first = definition.first_case_form.id
        self._forms: dict[str, FormAtWork] = {}

    @cached_property
    def packed(self) -> bytes:
        """The definition, as it is sent to another process."""
        return pickle.dumps(self.definition)

    def form(self, form_id: object) -> FormAtWork | None:
        """A form an entry may name, or None."""
        if not isinstance(form_id, str):
            return None
        found = self._forms.get(form_id)
        if found is None:
            form = next((one for one in self.definition.entry_forms if one.id == form_id), None)
            if form is None:
                return None
            found = self._forms[form_id] = FormAtWork(self.definition, form)
        return found


_at_work: dict[tuple[str, str, str], RegistryAtWork] = {}
# The engine complains of what is still open when the interpreter is gone.
atexit.register(_at_work.clear)


def at_work(definition: Definition) -> RegistryAtWork:
    """The checks of a definition; built at its first entry."""
    key = (definition.id, definition.version, definition.reading)
    found = _at_work.get(key)
    if found is None:
        while len(_at_work) >= KEPT:
            del _at_work[next(iter(_at_work))]
        found = _at_work[key] = RegistryAtWork(definition)
    return found


class Versions:
    """The versions of one registry at work, each looked up when it is asked for."""

    def __init__(self, catalogue: Catalogue, registry_id: str) -> None:
        self._catalogue, self._registry_id = catalogue, registry_id
        self._found: dict[str, RegistryAtWork] = {}

    def __getitem__(self, version: str) -> RegistryAtWork:
        found = self._found.get(version)
        if found is None:
            definition = self._catalogue.registry(self._registry_id, version=version)
            found = self._found[version] = at_work(definition)
        return found

    def newer(self, one: str, other: str) -> str:
        """The later of two versions."""
        if one == other:
            return one
        return max(one, other, key=lambda version: self[version].definition.newness)


def text_of(values: dict[str, Canonical]) -> str:
    """Canonical values as JSON text."""
    return orjson.dumps(values).decode()


def _id(element: Element | None) -> str | None:
    return element.id if element is not None else None
