"""Columns that are derived from cases, and the decision tables that some of them take."""

from app.registries import rows
from app.registries.decisions import DecisionTable
from app.registries.expressions import Kind, Type
from app.registries.schema import Derived
from app.registries.soundness.ground import Complaints, Ground, Place

Columns = dict[str, dict[str, Type]]
"""By case form: what an expression over its cases may name. Derived columns join as they are read."""


_BELONGS = {
    "aggregate": ("follow_up", "group"),
    "filter": ("follow_up", "group"),
    "follow_up": ("follow_up",),
    "group": ("group",),
}
"""Members of a derived column that only some kinds of it have."""


class DerivedColumns:
    def __init__(self, ground: Ground, columns: Columns) -> None:
        self.ground, self.columns = ground, columns

    def derived(self, place: Place, derived: Derived) -> Complaints:
        form = self.ground.forms.get(derived.form)
        if form is None or not form.counted:
            yield from self.ground.missing(
                (*place, "form"), derived.form, self.ground.counted_forms(), "form that is counted"
            )
            return
        if (derived.expression == "NULL") and derived.decision is None:
            yield place, f"`{derived.id}` needs an `expression` or a `decision`", 0
        if derived.decision is not None:
            yield from self.decision((*place, "decision"), derived)
        seen = dict(self.columns[form.id])
        rowed = {one.id for each in form.group_paths.values() for one in each[-1].elements}
        if derived.id in seen or derived.id in rowed:
            yield (*place, "id"), f"there is a column `{derived.id}` already", 0
        follow_ups = self.ground.definition.follow_up_forms(form.id)
        over = derived.over in ("follow_up", "group")
        if derived.over == "group":
            if derived.group not in form.group_paths:
                yield from self.ground.missing(
                    (*place, "group"), derived.group or "", form.group_paths, "group"
                )
            else:
                seen |= rows.group_columns(self.ground.definition, form, derived.group)
        elif over:
            found = [one for one in follow_ups if derived.follow_up in (None, one.id)]
            if len(found) != 1:
                yield (*place, "over"), "name the follow-up form looked through: `follow_up`", 0
            else:
                seen |= rows.element_types(self.ground.definition.visible_elements(found[0].id))
        if over and derived.aggregate is None:
            yield place, f"`{derived.id}` needs an `aggregate`", 0
        for name, kinds in _BELONGS.items():
            if derived.over not in kinds and getattr(derived, name) is not None:
                of = "` and `".join(kinds)
                yield (*place, name), f"`{name}` belongs to derived columns over `{of}`", 0
        gives = Type(
            "decimal" if derived.type == "decimal" else rows_kind(derived.type), derived.scale
        )
        inner: Kind | None = gives.kind
        if derived.aggregate == "any":
            inner = "boolean"
            if gives.kind != "boolean":
                yield (*place, "type"), "`any` gives a boolean", 0
        if derived.aggregate == "count":
            inner = None
            if gives.kind != "integer":
                yield (*place, "type"), "`count` gives an integer", 0
        windows = rows.windows(form) if derived.over == "subject" else None
        yield from self.ground.expression(
            (*place, "expression"), derived.expression, seen, inner, windows
        )
        yield from self.ground.expression((*place, "filter"), derived.filter, seen)
        self.columns[form.id][derived.id] = gives

    def decision(self, place: Place, derived: Derived) -> Complaints:
        """The table and output that decide a column."""
        wanted = derived.decision or ""
        known = [
            f"{table.id}.{output.id}"
            for table in self.ground.definition.decisions
            for output in table.outputs
        ]
        yield from self.ground.missing(place, wanted, known, "table and output")
        if derived.over != "case":
            yield place, "a table decides of a case by itself: leave out `over`", 0
        for table in self.ground.definition.decisions:
            if table.id == wanted.partition(".")[0]:
                yield from self.codes(place, derived, table)

    def codes(self, place: Place, derived: Derived, table: DecisionTable) -> Complaints:
        """Inputs that are coded columns: whether the table speaks of the codes there are."""
        definition = self.ground.definition
        form = self.ground.sound(self.ground.forms[derived.form])
        elements = {one.id: one for one in definition.visible_elements(form.id)}
        for one in table.inputs:
            element = elements.get(one.id)
            if one.expression or not one.values or element is None or element.value_set is None:
                continue
            value_set = definition.value_sets.get(element.value_set)
            if value_set is None:
                continue
            known = {code.code for code in value_set.codes}
            for value in one.values:
                if value not in known:
                    yield place, f"`{table.id}` asks `{one.id}` for `{value}`, no code of it", 0
            silent = [
                code.code
                for code in value_set.codes
                if not code.retired and code.code not in one.values
            ]
            if silent and table.otherwise is None:
                yield place, f"`{table.id}` says nothing of `{one.id}` being `{silent[0]}`", 0


def rows_kind(kind: str) -> Kind:
    """The kind of value an element type is to an expression."""
    match kind:
        case "integer" | "date" | "boolean" | "decimal":
            return kind
        case "codes":
            return "list"
        case _:
            return "text"
