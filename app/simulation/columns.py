"""
Derived columns, worked out in plain Python of one case after another.

The service works them out with SQL; the oracle must not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.registries import expressions
from app.registries.expressions import Type, Windows
from app.registries.rows import follow_up_columns, group_columns
from app.registries.schema import Definition, Derived, Form
from app.simulation.meaning import Meaning, Row, rounded


class Column:
    """A derived column."""

    def __init__(
        self,
        definition: Definition,
        form: Form,
        derived: Derived,
        columns: Mapping[str, Type],
        order: Windows,
    ) -> None:
        self.derived = derived
        self._form = ""
        seen = dict(columns)
        if derived.over == "follow_up":
            follow_up = definition.form(
                derived.follow_up or definition.follow_up_forms(form.id)[0].id
            )
            self._form = follow_up.id
            own = follow_up_columns(definition, form, follow_up)
            seen = own | {name: it for name, it in seen.items() if name not in follow_up.by_id}
        elif derived.over == "group":
            self._form = derived.group or ""
            seen |= group_columns(definition, form, self._form)
        over = order if derived.over == "subject" else None
        compiled = expressions.compile(derived.expression, seen, windows=over)
        self._value = Meaning(compiled)
        self._counts_truth = compiled.type.kind == "boolean"
        self._filter = (
            Meaning(expressions.compile(derived.filter, seen)) if derived.filter else None
        )
        self.reads = set(compiled.columns)
        self.reads |= self._filter.expression.columns if self._filter else set()

    def at(self, row: Row, rows: Sequence[Row], place: int) -> Any:
        return _cast(self.derived, self._value.of(row, rows, place))

    def of(self, row: Row, follow_ups: Sequence[tuple[str, Row]]) -> Any:
        if self.derived.over == "case":
            return _cast(self.derived, self._value.of(row))
        values = []
        for form, follow_up in follow_ups:
            both = {**row, **follow_up}
            if form == self._form and (self._filter is None or self._filter.holds(both)):
                value = self._value.of(both)
                if value is not None:
                    values.append(value)
        match self.derived.aggregate:
            case "any":
                return any(values)
            case "count":
                return sum(map(bool, values)) if self._counts_truth else len(values)
            case "sum":
                return _cast(self.derived, sum(values)) if values else None
            case "min" | "max":
                best = min if self.derived.aggregate == "min" else max
                return _cast(self.derived, best(values)) if values else None
        raise AssertionError("a column over follow-ups has an aggregate")


def _cast(derived: Derived, value: Any) -> Any:
    if value is None or derived.type not in ("integer", "decimal"):
        return value
    kept = rounded(value, derived.scale if derived.type == "decimal" else 0)
    return kept if derived.type == "decimal" else int(kept)


def column_type(derived: Derived) -> Type:
    if derived.type == "decimal":
        return expressions.decimal(derived.scale)
    return {
        "integer": expressions.INTEGER,
        "date": expressions.DATE,
        "datetime": expressions.DATETIME,
        "boolean": expressions.BOOLEAN,
        "codes": expressions.LIST,
    }.get(derived.type, expressions.TEXT)
