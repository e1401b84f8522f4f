"""
What rules see of an entry's rows: derived columns over a group, worked out before the entry is a case.

A rule may ask for what a derived column over rows of its form says: how many lesions are marked, the
largest of them, whether there is any. When an entry is checked there is a row and what stands around it
and nothing else: a column that reads a case's own columns (its token, a computed element, another
derived column) is known to measures alone.
"""

from dataclasses import dataclass

from app.registries.expressions import BOOLEAN, ExpressionRefused, Type, compile
from app.registries.rows import (
    Column,
    columns_of,
    element_types,
    rule_columns,
    sql_type,
    type_of_derived,
)
from app.registries.schema import Definition, Derived, Form


@dataclass(frozen=True, slots=True)
class Gathered:
    """A derived column over rows, as rules see it."""

    derived: Derived
    type: Type
    reads: frozenset[str]
    """Columns of the entry itself, around the rows, that it reads."""
    sql: str
    """Over an entry's columns and the column of its rows, in DuckDB's dialect."""

    @property
    def group(self) -> str:
        """The group whose rows are gone through, by its path."""
        assert self.derived.group is not None
        return self.derived.group

    @property
    def outermost(self) -> str:
        """The group of the entry that the rows stand in: flaws in it leave open what this is."""
        return self.group.split(".")[0]


def gathered(definition: Definition, form: Form) -> dict[str, Gathered]:
    """The derived columns over a form's rows that can be worked out of an entry, by their ids."""
    found = {}
    for one in definition.derived:
        if (one.form, one.over) == (form.id, "group") and one.group in form.group_paths:
            made = _gathered(form, one)
            if made is not None:
                found[one.id] = made
    return found


def requiring_columns(
    definition: Definition, form: Form, group: str | None = None
) -> dict[str, Type]:
    """What a rule's `requires` may see: what every rule and condition does, and what is gathered of rows."""
    seen = rule_columns(definition, form, group)
    if group is not None:
        return seen
    return {one: made.type for one, made in gathered(definition, form).items()} | seen


def rows_of(form: Form, path: str) -> Column:
    """The column that holds all rows of a group, each beside those of its own that it stands in."""
    chain = form.group_paths[path]
    members: list[str] = []
    names = [f"r{depth}" for depth in range(len(chain))]
    for name, group in zip(names, chain, strict=True):
        members += [
            f'"{one.name}" := {one.expression}'
            for one in columns_of((each for each in group.elements if each.computed is None), name)
        ]
    *_, last = names
    rows = f"lambda {last}: struct_pack({', '.join(members)})"
    for depth in range(len(chain) - 1, -1, -1):
        outer = "e" if depth == 0 else names[depth - 1]
        inner = f'list_transform(COALESCE({outer}."{chain[depth].id}", []), {rows})'
        rows = f"lambda {outer}: {inner}" if depth else inner
    if len(chain) > 1:
        rows = f"flatten({rows})"
    top = chain[0]
    return Column(f"rows {path}", "", rows, top.id, _shape(form, top.id))


def _shape(form: Form, path: str) -> str:
    """A group's rows as `json_transform` is told them, with the groups inside."""
    group = form.group_paths[path][-1]
    members = {
        one.element: one.shape or one.type
        for one in columns_of(each for each in group.elements if each.computed is None)
    }
    shapes = [
        f'"{name}": ["VARCHAR"]' if kind == "VARCHAR[]" else f'"{name}": "{kind}"'
        for name, kind in members.items()
    ]
    shapes += [f'"{one.id}": {_shape(form, f"{path}.{one.id}")}' for one in group.groups]
    return "[{" + ", ".join(shapes) + "}]"


def _gathered(form: Form, one: Derived) -> Gathered | None:
    chain = form.group_paths[one.group or ""]
    sent = element_types(
        each for group in chain for each in group.elements if each.computed is None
    )
    around = element_types(
        each
        for each in form.all_elements
        if each.computed is None and not each.identifying and each.identity != "facility"
    )
    try:
        value = compile(one.expression, around | sent)
        wanted = compile(one.filter, around | sent) if one.filter is not None else None
    except ExpressionRefused:  # it reads what only a case has, or is said to be wrong elsewhere
        return None
    used = value.columns | (wanted.columns if wanted is not None else frozenset())
    tables = dict.fromkeys(sent, "row")
    filters = [f"({wanted.sql(tables=tables)})"] if wanted is not None else []
    each = value.sql(tables=tables)
    if one.aggregate == "any" or (one.aggregate == "count" and value.type == BOOLEAN):
        filters.append(f"({each})")
    elif one.aggregate == "count":
        filters.append(f"({each}) IS NOT NULL")
    rows = f'"rows {one.group}"'
    if filters:
        holds = f"COALESCE({' AND '.join(filters)}, FALSE)"
        rows = f'list_filter({rows}, lambda "row": {holds})'
    if one.aggregate in ("any", "count"):
        text = f"len({rows})" + (" > 0" if one.aggregate == "any" else "")
    else:
        text = f'list_{one.aggregate}(list_transform({rows}, lambda "row": {each}))'
    return Gathered(
        one, type_of_derived(one), used - sent.keys(), f"CAST({text} AS {sql_type(one)})"
    )
