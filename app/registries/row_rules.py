"""
A form's rules as one statement over a batch of entries as rows (`rows.py`).

Nothing is run here. The statement is one SELECT in DuckDB's dialect that says, for each row, which
findings it earns and what its computed elements are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from app.registries import expressions
from app.registries.expressions import Expression
from app.registries.findings import FindingCode, Severity
from app.registries.gathered import gathered, requiring_columns, rows_of
from app.registries.rows import PARENT, companions, rule_columns, sql_type
from app.registries.schema import Definition, Element, Limits
from app.registries.values.given import Canonical, Flaw, flaw


@dataclass(frozen=True, slots=True)
class _Check:
    """One thing the statement looks for."""

    broken: str
    """SQL that is TRUE when it applies."""
    reads: frozenset[str]
    flaw: Flaw


class RowRules:
    """
    The rules of a form over a batch of checked entries.

    `statement` reads a relation that has, beside the
    columns of `sql_columns(form, arriving=True)` for `elements`: `entry` (any type, given back), `draft` BOOLEAN,
    `flawed` VARCHAR[] (elements whose value could not be used), `received_on` DATE, and for a
    follow-up form a column for each of `parent_columns`, NULL where its case is not known yet. It
    gives `entry`, each computed element, and `broken`: numbers into `flaws`. With `group`, the
    relation has a row for each row of that group, beside the elements that stand around it. `rows` are
    columns that it has beside: all rows of the groups that a rule gathers something of.
    """

    def __init__(self, definition: Definition, form_id: str, group: str | None = None) -> None:
        form = definition.form(form_id)
        self._columns = rule_columns(definition, form, group)
        self._requiring = requiring_columns(definition, form, group)
        gathering = gathered(definition, form) if group is None else {}
        self.form = form if group is None else form.row_of(group)
        self._computed = {
            one.id: expressions.compile(one.computed, self._columns)
            for one in self.form.all_elements
            if one.computed is not None
        }
        self._allowed = {
            one.id: found.allowed
            for one in self.form.all_elements
            if (found := definition.value_set(one)) is not None
        }
        checks = [
            *(check for one in self.form.all_elements for check in self._of_element(one)),
            *(
                self._of_rule(
                    rule.expression, rule.place, rule.remedy, warn=rule.severity == "warn"
                )
                for rule in definition.rules
                if (rule.form, rule.group) == (form_id, group)
            ),
        ]
        self._behind_column: dict[str, list[str]] = {}
        for one in self.form.all_elements:
            for name in _names_of(one):
                self._behind_column.setdefault(name, []).append(one.id)
        self._gathered = {
            name: one
            for name, one in gathering.items()
            if any(name in each.reads for each in checks)
        }
        self.rows = tuple(
            rows_of(form, path) for path in sorted({one.group for one in self._gathered.values()})
        )
        self.flaws = tuple(check.flaw for check in checks)
        self.computed = tuple(one for one in self.form.all_elements if one.computed is not None)
        self._sql = self._statement(checks)
        seen = {name for check in checks for name in self._around(check.reads)}
        computing = {name for one in self._computed.values() for name in one.columns}
        self.elements = frozenset(
            one.id for one in self.form.all_elements if _names_of(one) & (seen | computing)
        )
        """The entry's own elements that these rules read."""
        above = self.form.parent if group is None else None
        parent = definition.form(above).all_elements if above else ()
        self.parent_elements = tuple(
            one for one in parent if {PARENT + name for name in _names_of(one)} & seen
        )
        """The elements of the case that these rules read."""

    @property
    def parent_columns(self) -> tuple[tuple[str, str], ...]:
        """Name and type of the columns that hold the case's elements."""
        found: list[tuple[str, str]] = []
        for element in self.parent_elements:
            found.append((PARENT + element.id, sql_type(element)))
            for beside, kind in companions(element):
                found.append((f"{PARENT}{element.id}{beside}", kind.kind.upper()))
        return tuple(found)

    def statement(self, source: str) -> str:
        """The statement over a relation of this name."""
        return self._sql.replace("{source}", source)

    def canonical(self, element_id: str, value: object) -> Canonical | None:
        """A computed element out of the statement's result, in canonical form; None if unknown."""
        if value is None:
            return None
        element = self.form.by_id[element_id]
        if isinstance(value, Decimal):
            return format(value.quantize(Decimal(1).scaleb(-element.scale)), "f")
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, list):
            return sorted(str(one) for one in value)
        assert isinstance(value, (str, int))
        return value

    def _compiled(self, text: str) -> Expression:
        return expressions.compile(text, self._columns, gives="boolean")

    def _of_element(self, element: Element) -> Iterable[_Check]:
        given = f'"{element.id}" IS NOT NULL'
        if element.unknown:
            given = f'({given} OR "{element.id}_unknown")'
        if element.required_when is not None and not element.required:
            when = self._compiled(element.required_when)
            yield _Check(
                f"({when.duckdb}) AND NOT {given}",
                when.columns | {element.id},
                flaw(
                    element.id,
                    FindingCode.MISSING,
                    "Needed with what else was given: send a value.",
                    self._allowed.get(element.id, ()),
                ),
            )
        if element.relevant_when is not None:
            relevant = self._compiled(element.relevant_when)
            yield _Check(
                f"NOT ({relevant.duckdb}) AND {given}",
                relevant.columns | {element.id},
                flaw(
                    element.id,
                    FindingCode.NOT_RELEVANT,
                    "Out of place with what else was given: leave it out, or correct the other.",
                ),
            )
        if element.computed is not None and element.range is not None:
            yield from self._limits(element)

    def _limits(self, element: Element) -> Iterable[_Check]:
        assert element.range is not None
        reads = self._computed[element.id].columns | {element.id}
        hard, soft = element.range.hard, element.range.soft
        if hard is not None:
            says = "What this is worked out from gives an impossible value: correct it."
            yield _Check(
                _beyond(element.id, hard), reads, flaw(element.id, FindingCode.OUT_OF_RANGE, says)
            )
        if soft is not None:
            inside = f" AND NOT ({_beyond(element.id, hard)})" if hard is not None else ""
            says = "What this is worked out from gives an unusual value: please make sure."
            yield _Check(
                _beyond(element.id, soft) + inside,
                reads,
                flaw(element.id, FindingCode.UNUSUAL, says, warn=True),
            )

    def _of_rule(self, requires: str, place: str, remedy: str, *, warn: bool) -> _Check:
        rule = expressions.compile(requires, self._requiring, gives="boolean")
        found = Flaw(place, FindingCode.RULE, Severity.WARN if warn else Severity.REJECT, remedy)
        return _Check(f"NOT ({rule.duckdb})", rule.columns, found)

    def _statement(self, checks: list[_Check]) -> str:
        computed = [f'{one.duckdb} AS "{name}"' for name, one in self._computed.items()]
        computed += [f'{one.sql} AS "{name}"' for name, one in self._gathered.items()]
        rows = "{source}"
        if computed:
            # What is worked out has no column of its own in what came in.
            rows = f"(SELECT *, {', '.join(computed)} FROM {{source}})"
        tests = [
            f"CASE WHEN {self._unflawed(check.reads)}({check.broken}) THEN {number} END"
            for number, check in enumerate(checks)
        ]
        broken = (
            f"CASE WHEN draft THEN []::INTEGER[] ELSE "
            f"list_filter([{', '.join(tests)}]::INTEGER[], lambda n: n IS NOT NULL) END"
            if tests
            else "[]::INTEGER[]"
        )
        names = "".join(f', "{name}"' for name in self._computed)
        return f"SELECT entry{names}, {broken} AS broken FROM {rows}"

    def _unflawed(self, reads: frozenset[str]) -> str:
        """What an element is lacking because it could not be used was said already."""
        own = sorted(
            {name for column in self._behind(reads) for name in self._behind_column.get(column, ())}
        )
        said = (
            f"NOT list_has_any(flawed, [{', '.join(repr(name) for name in own)}]) AND "
            if own
            else ""
        )
        for group in sorted(
            {one.outermost for name, one in self._gathered.items() if name in reads}
        ):
            inside = f"p = '{group}' OR starts_with(p, '{group}[')"
            said += f"len(list_filter(flawed, lambda p: {inside})) = 0 AND "
        return said

    def _around(self, reads: frozenset[str]) -> frozenset[str]:
        """The columns that are read, those around rows that something is gathered of among them."""
        return reads.union(*(one.reads for name, one in self._gathered.items() if name in reads))

    def _behind(self, reads: frozenset[str]) -> frozenset[str]:
        reads = self._around(reads)
        return reads.union(*(self._computed[one].columns for one in reads if one in self._computed))


def _names_of(element: Element) -> set[str]:
    return {element.id, *(element.id + beside for beside, _ in companions(element))}


def _beyond(column: str, limits: Limits) -> str:
    sides = []
    if limits.low is not None:
        sides.append(f'"{column}" < {limits.low}')
    if limits.high is not None:
        sides.append(f'"{column}" > {limits.high}')
    return f"({' OR '.join(sides) or 'FALSE'})"
