"""
Entries of earlier versions, read as those of a later one: the SQL of conversions.

Nothing that was sent is rewritten. Whoever reads entries of several versions reads each through the
steps that lie between its version and the one asked for, as one relation in DuckDB's dialect whose
canonical elements are spelled the later version's way.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.registries.conversion import Conversion, Converted
from app.registries.expressions import compile
from app.registries.rows import element_types, sql_columns, sql_type, structure
from app.registries.schema import Definition, Element, Form, Group


@dataclass(frozen=True, slots=True)
class Step:
    """From one version to another that has a conversion of it."""

    old: Definition
    new: Definition
    conversion: Conversion


def related(definitions: Sequence[Definition]) -> list[Definition]:
    """Versions of one registry, oldest first, each with its ancestry where something is converted."""
    ordered = sorted(definitions, key=lambda one: one.newness)
    found: list[Definition] = []
    for place, one in enumerate(ordered):
        earlier = tuple(ordered[:place])
        converting = any(each.conversions for each in (one, *earlier))
        found.append(one.model_copy(update={"ancestry": earlier}) if converting else one)
    return found


def steps(definition: Definition, version: str) -> list[Step]:
    """
    What lies between an earlier version and this one.

    From each version the furthest later one that has a conversion of it; where none has, the next
    one reads its entries as they are.
    """
    line = [*definition.ancestry, definition]
    place = next((number for number, one in enumerate(line) if one.version == version), len(line))
    found: list[Step] = []
    while place < len(line) - 1:
        for further in range(len(line) - 1, place, -1):
            conversion = conversion_of(line[further], line[place].version)
            if conversion is not None:
                found.append(Step(line[place], line[further], conversion))
                place = further
                break
        else:
            place += 1
    return found


def conversion_of(definition: Definition, version: str) -> Conversion | None:
    """The conversion of an earlier version, if the definition has one."""
    return next((one for one in definition.conversions if one.converts == version), None)


def called(conversion: Conversion | None, form_id: str) -> dict[str, str]:
    """Elements of a form that a conversion only calls otherwise: what they were -> what they are."""
    return {
        one.was: one.element
        for one in (conversion.elements if conversion is not None else ())
        if one.form == form_id and one.group is None and one.was is not None and not one.codes
    }


def now_called(definition: Definition, form_id: str, version: str) -> dict[str, str]:
    """What elements of a form were called in a version -> what they are called in this definition.

    Those that are called alike are left out.
    """
    found: dict[str, str] = {}
    for step in steps(definition, version):
        here = called(step.conversion, form_id)
        new = {was: now for was, now in here.items() if was not in found.values()}
        found = {was: here.get(now, now) for was, now in found.items()} | new
    return found


def as_read(definition: Definition, form_id: str, source: str = "versions") -> str:
    """
    What follows FROM for a form's entries with their `elements` as this version spells them.

    `source` names a relation with `form`, `definition_version` and `elements`, canonical JSON as
    text. Where nothing is converted it is filtered by its form and no more.
    """
    lines = _lines(definition, form_id)
    if not lines:
        return f"{source} WHERE form = '{form_id}'"
    versions = ", ".join(f"'{one}'" for one in lines)
    parts = [
        f"SELECT * FROM {source} WHERE form = '{form_id}'"
        f" AND (definition_version IN ({versions})) IS NOT TRUE"
    ]
    for version, found in lines.items():
        one = f"(SELECT * FROM {source} WHERE form = '{form_id}' AND definition_version = '{version}')"
        for step in found:
            one = f"({_converted(step, form_id, one)})"
        parts.append(f"SELECT * FROM {one}")
    return f"({' UNION ALL BY NAME '.join(parts)}) AS read"


def mark(definition: Definition, form_id: str) -> str:
    """Differs once entries of a form are read otherwise; empty while none is converted."""
    if not _lines(definition, form_id):
        return ""
    return hashlib.sha256(as_read(definition, form_id).encode()).hexdigest()[:16]


def _lines(definition: Definition, form_id: str) -> dict[str, list[Step]]:
    """The earlier versions whose entries of a form are converted, and how."""
    found = {
        one.version: [
            step
            for step in steps(definition, one.version)
            if _concerns(step.conversion, form_id)
            and form_id in {form.id for form in step.old.forms}
            and form_id in {form.id for form in step.new.forms}
        ]
        for one in definition.ancestry
    }
    return {version: its for version, its in found.items() if its}


def _concerns(conversion: Conversion, form_id: str) -> bool:
    return any(one.form == form_id and not one.absent for one in conversion.elements)


def _converted(step: Step, form_id: str, source: str) -> str:
    """One step: the same rows, their `elements` spelled as the later version spells them."""
    old, new = step.old.form(form_id), step.new.form(form_id)
    converting = _Converting(step, old, new)
    members = ", ".join(converting.members("o", "", _kept(new.all_elements), new.all_groups))
    gone, inner = "o", f"SELECT *, json_transform(elements, '{_raw(old)}') AS o FROM {source}"
    if converting.computes:
        typed = ", ".join(f'"{one.name}" := {one.expression}' for one in sql_columns(old))
        unpacked = f"SELECT *, json_transform(elements, '{structure(old)}') AS e FROM ({inner})"
        inner = f"SELECT *, struct_pack({typed}) AS t FROM ({unpacked})"
        gone = "o, e, t"
    made = f"CAST(to_json(struct_pack({members})) AS VARCHAR)"
    return f"SELECT * EXCLUDE ({gone}) REPLACE ({made} AS elements) FROM ({inner})"


class _Converting:
    """The members of one step's struct, those of groups' rows too."""

    def __init__(self, step: Step, old: Form, new: Form) -> None:
        self._old, self._step = old, step
        self._said: Mapping[tuple[str, str], Converted] = {
            (one.group or "", one.element): one
            for one in step.conversion.elements
            if one.form == new.id and not one.absent
        }
        self._types = element_types(_kept(old.all_elements))
        self.computes = any(one.expression for one in self._said.values())

    def members(
        self, row: str, path: str, elements: Sequence[Element], groups: Sequence[Group]
    ) -> Iterator[str]:
        """`name := value` for each element of a level and each group inside it."""
        before = self._elements(path)
        for element in elements:
            value = self._value(row, path, element, before)
            yield f'"{element.id}" := {value}'
        for group in groups:
            inner = f"{path}.{group.id}" if path else group.id
            if inner not in self._old.group_paths:
                continue
            each = f"r{inner.count('.')}"
            members = ", ".join(self.members(each, inner, group.elements, group.groups))
            yield (
                f'"{group.id}" := list_transform({row}."{group.id}",'
                f" lambda {each}: struct_pack({members}))"
            )

    def _elements(self, path: str) -> Mapping[str, Element]:
        return self._old.group_paths[path][-1].by_id if path else self._old.by_id

    def _value(self, row: str, path: str, element: Element, before: Mapping[str, Element]) -> str:
        said = self._said.get((path, element.id))
        name = (said.was if said else None) or element.id
        many = element.type == "codes"
        value = f'{row}."{name}"' if name in before else "NULL"
        if said is None:
            return (
                value if name in before else f"CAST(NULL AS {'VARCHAR[]' if many else 'VARCHAR'})"
            )
        if said.expression is not None:
            text = compile(said.expression, self._types)
            tables = dict.fromkeys(text.columns, "t")
            typed = f"CAST({text.sql(tables=tables)} AS {sql_type(element)})"
            value = typed if many else f"CAST({typed} AS VARCHAR)"
        elif many and name in before and before[name].type != "codes":
            value = f"CASE WHEN {value} IS NOT NULL THEN [{value}] END"
        if said.codes:
            if many:
                each = f"list_transform({value}, lambda c: {_recoded('c', said.codes)})"
                # list_distinct leaves out what is not known.
                value = f"list_sort(list_distinct({each}))"
            else:
                value = _recoded(value, said.codes)
        if said.default is not None:
            otherwise = f"[{_text(said.default)}]" if many else _text(said.default)
            value = f"COALESCE({value}, {otherwise})"
        return value


def _recoded(value: str, codes: Mapping[str, str | None]) -> str:
    whens = " ".join(
        f"WHEN {_text(before)} THEN {_text(now) if now is not None else 'NULL'}"
        for before, now in codes.items()
    )
    return f"CASE {value} {whens} ELSE {value} END"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _kept(elements: Sequence[Element]) -> list[Element]:
    """Those that stand in a case's elements: the vault's and the facility's own id do not."""
    return [one for one in elements if not one.identifying and one.identity != "facility"]


def _raw(form: Form) -> str:
    """The shape in which everything stays as it is spelled."""
    return "{" + ", ".join(_raw_members(_kept(form.all_elements), form.all_groups)) + "}"


def _raw_members(elements: Sequence[Element], groups: Sequence[Group]) -> Iterator[str]:
    for one in elements:
        yield f'"{one.id}": ["VARCHAR"]' if one.type == "codes" else f'"{one.id}": "VARCHAR"'
    for group in groups:
        inner = ", ".join(_raw_members(group.elements, group.groups))
        yield f'"{group.id}": [{{{inner}}}]'
