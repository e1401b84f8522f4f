"""
What must be found wrong with an entry across its elements, worked out from the definition's text.

The service does the same in SQL over batches; this is the expectation that it is held to.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from app.registries import expressions
from app.registries.entries import rows_of
from app.registries.findings import FindingCode, Severity, severity
from app.registries.schema import Definition, Element, Form, Limits
from app.simulation.drawn.rows import RuleRows, canonical, columns_of
from app.simulation.entries import Elements, Expected
from app.simulation.meaning import Meaning, Row


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked for in a row."""

    place: str
    code: FindingCode
    severity: Severity
    reads: frozenset[str]
    """Columns; it is silent when one of these cannot be used."""
    meaning: Meaning | None
    element: Element
    limits: Limits | None = None
    inside: Limits | None = None
    rule: str | None = field(default=None)

    @property
    def expected(self) -> Expected:
        return Expected(self.place, self.code.value, self.severity.value)

    def broken(self, row: Row) -> bool:
        """Whether it is found in a row."""
        name = self.element.id
        if self.code is FindingCode.MISSING:
            assert self.meaning is not None
            return self.meaning.holds(row) and not _given(row, name)
        if self.code is FindingCode.NOT_RELEVANT:
            assert self.meaning is not None
            return self.meaning.fails(row) and _given(row, name)
        if self.code is FindingCode.RULE:
            assert self.meaning is not None
            return self.meaning.fails(row)
        value = row.get(name)
        return _outside(value, self.limits) and not _outside(value, self.inside)


def _given(row: Row, name: str) -> bool:
    return row.get(name) is not None or row.get(f"{name}_unknown") is True


def _outside(value: Any, limits: Limits | None) -> bool:
    if limits is None or value is None:
        return False
    return (limits.low is not None and value < limits.low) or (
        limits.high is not None and value > limits.high
    )


class Checks:
    """Everything that is looked for across the elements of one form."""

    def __init__(self, definition: Definition, form: Form, group: str | None = None) -> None:
        """Of a form, or of the rows of one of its groups, named by its path."""
        self.form = form if group is None else form.row_of(group)
        self.rows = RuleRows(definition, form, group)
        self.groups = {
            path: Checks(definition, form, path) for path in form.group_paths if group is None
        }
        self._rule_of = {
            rule.id: rule
            for rule in definition.rules
            if (rule.form, rule.group) == (form.id, group)
        }
        form = self.form
        self.all = tuple(self._listed())
        self.needed = tuple(one.id for one in form.all_elements if one.required)
        self._columns = {one.id: columns_of(one) for one in form.all_elements}
        self._local = _id(form.with_identity("local_id"))
        self._national = _id(form.with_identity("national_id"))
        self._touching: dict[str, list[Check]] = defaultdict(list)
        computed = {
            name: meaning.expression.columns
            for name, (meaning, _) in self.rows.own.computed.items()
        }
        for check in self.all:
            behind = set(check.reads) | {
                column for name in check.reads for column in computed.get(name, ())
            }
            for element in form.all_elements:
                if not behind.isdisjoint(columns_of(element)):
                    self._touching[element.id].append(check)

    def touching(self, element: str) -> list[Check]:
        """The checks that an element can break or mend."""
        return self._touching.get(element, [])

    @property
    def looks_at_parent(self) -> bool:
        """Whether anything is read of the case that an entry follows up."""
        return any(name.startswith("parent_") for check in self.all for name in check.reads)

    def broken(self, row: Row, checks: Iterable[Check] | None = None) -> list[Check]:
        """Those that are found in a row."""
        return [one for one in (self.all if checks is None else checks) if one.broken(row)]

    def findings(
        self, elements: Elements, received_on: date, flawed: Mapping[str, object]
    ) -> list[Expected]:
        """What is said of an entry whose `flawed` elements cannot be used, beside these themselves."""
        row = self.rows.of(elements, received_on, but=flawed)
        found = self._heard(row, flawed)
        if self.groups:
            around = self.around(elements, row, flawed)
            for path, checks in self.groups.items():
                for one in rows_of(around, path):
                    known = one.known(flawed)
                    row = checks.rows.of({**one.around, **one.row}, received_on, but=known)
                    found += [
                        replace(each, place=one.place + each.place)
                        for each in checks._heard(row, known)
                    ]
        return found

    def _heard(self, row: Row, flawed: Iterable[str]) -> list[Expected]:
        """What is said of a row: nothing that rests on what cannot be used."""
        silent = {name for one in flawed for name in self._columns.get(one, (one,))}
        silent |= {
            one.name
            for one in self.rows.gathered
            if any(place.split("[")[0] == one.about.outermost for place in flawed)
        }
        return [one.expected for one in self.broken(row) if not one.reads & silent]

    def around(self, elements: Elements, row: Row, flawed: Iterable[str] = ()) -> Elements:
        """The entry as its rows see it: with what is worked out, without what cannot be used."""
        left = frozenset(flawed)
        told = {name: value for name, value in elements.items() if name not in left}
        for name, (_, element) in self.rows.own.computed.items():
            if (value := canonical(element, row.get(name))) is not None:
                told[name] = value
        return told

    def beside(self, elements: Elements, received_on: date, parent: Elements) -> list[Expected]:
        """What is said only when the case is known that an entry follows up."""
        alone = self.broken(self.rows.of(elements, received_on))
        both = self.broken(self.rows.of(elements, received_on, parent))
        return [one.expected for one in both if one not in alone]

    def says_who(self, elements: Elements) -> bool:
        """Whether a form that speaks of a person says which."""
        names = [one for one in (self._national, self._local) if one is not None]
        if self.form.of_facility or (self.form.key and not names):
            return True
        return any(one in elements for one in names)

    @property
    def identity_place(self) -> str:
        """Where an entry that does not say who it is about is wrong."""
        return self._local or self._national or "row"

    def _listed(self) -> Iterator[Check]:
        for one in self.form.all_elements:
            if one.required_when is not None and not one.required:
                yield self._on(one, FindingCode.MISSING, one.required_when)
            if one.relevant_when is not None:
                yield self._on(one, FindingCode.NOT_RELEVANT, one.relevant_when)
            if one.computed is not None and one.range is not None:
                reads = self.rows.own.computed[one.id][0].expression.columns | {one.id}
                hard, soft = one.range.hard, one.range.soft
                if hard is not None:
                    code = FindingCode.OUT_OF_RANGE
                    yield Check(one.id, code, severity(code), reads, None, one, hard)
                if soft is not None:
                    code = FindingCode.UNUSUAL
                    yield Check(one.id, code, Severity.WARN, reads, None, one, soft, hard)
        for rule in self._rule_of.values():
            meaning = self._meaning(rule.expression)
            yield Check(
                rule.place,
                FindingCode.RULE,
                Severity.WARN if rule.severity == "warn" else Severity.REJECT,
                meaning.expression.columns.union(
                    *(
                        one.about.reads
                        for one in self.rows.gathered
                        if one.name in meaning.expression.columns
                    )
                ),
                meaning,
                self.form.by_id[rule.place],
                rule=rule.id,
            )

    def _on(self, element: Element, code: FindingCode, text: str) -> Check:
        meaning = self._meaning(text)
        reads = meaning.expression.columns | {element.id}
        return Check(element.id, code, severity(code), reads, meaning, element)

    def _meaning(self, text: str) -> Meaning:
        return Meaning(expressions.compile(text, self.rows.columns, gives="boolean"))


def _id(element: Element | None) -> str | None:
    return element.id if element is not None else None
