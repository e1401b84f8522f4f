"""
What must hold across a definition that the schema of one part cannot see.

Each check yields complaints as (place, message, further lines); `load.py` turns the place into a
file and a line. Nothing stops at the first.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from app.registries import expressions, rows
from app.registries.entries import FormCheck
from app.registries.expressions import ANY, ExpressionRefused, Kind, Type, Windows
from app.registries.findings import Severity
from app.registries.qpp.mapping import claimed_twice, unfit
from app.registries.schema import (
    Definition,
    Derived,
    Element,
    Example,
    Form,
    Limits,
    Measure,
    PeerGroup,
    ValueSet,
)
from app.registries.values import Refused, parser

Place = tuple[str | int, ...]
Complaints = Iterator[tuple[Place, str, int]]

RESERVED = frozenset(
    (
        "entry",
        "draft",
        "flawed",
        "broken",
        "weight",
        "version",
        rows.RECEIVED_ON,
        *rows.CASE_COLUMNS,
    )
)
_LEADING = (rows.PARENT, rows.SUBJECT_RECORD, "_")


def unsound(definition: Definition, aside: frozenset[str]) -> Complaints:
    """Everything that does not hold; parts in `aside` were complained of already."""
    check = _Soundness(definition, aside)
    yield from check.everything()


class _Soundness:
    def __init__(self, definition: Definition, aside: frozenset[str]) -> None:
        self.definition, self.aside = definition, aside
        self.forms = {form.id: form for form in definition.forms}
        self.modules = {module.id for module in definition.modules}
        self.ghosts = dict.fromkeys(aside, ANY)
        """Columns of elements set aside: they are there, only their type is not known."""
        self.checks: dict[str, FormCheck] = {}
        self.spoiled: set[str] = set()
        """Forms with complaints; what they would say of an example is worth nothing."""

    def everything(self) -> Complaints:
        definition = self.definition
        if definition.accept_until is not None and definition.accept_until < definition.accept_from:
            yield ("accept_until",), "is before `accept_from`", 0
        yield from self.repeated(("modules",), (one.id for one in definition.modules))
        for key, value_set in definition.value_sets.items():
            yield from self.value_set(("value_sets", key), value_set)
        yield from self.repeated(("forms",), (one.id for one in definition.forms))
        if not any(form.level == "case" and not form.part for form in definition.forms):
            yield ("forms",), "a registry needs a form of level `case`", 0
        for number, form in enumerate(definition.forms):
            for complaint in self.form(("forms", number), form):
                self.spoiled.add(form.id)
                yield complaint
        yield from self.repeated(("rules",), (one.id for one in definition.rules))
        for number, rule in enumerate(definition.rules):
            yield from self.rule(number, rule.form, rule.place, rule.requires, rule.module)
        yield from self.repeated(("derived",), ((one.form, one.id) for one in definition.derived))
        columns = {
            form.id: self.case_columns(form) for form in definition.forms if form.level == "case"
        }
        for number, derived in enumerate(definition.derived):
            yield from self.derived(("derived", number), derived, columns)
        yield from self.repeated(("measures",), (one.id for one in definition.measures))
        for number, measure in enumerate(definition.measures):
            yield from self.measure(("measures", number), measure, columns)
        for inner, message in claimed_twice(self.definition.measures):
            yield ("measures", *inner), message, 0
        yield from self.repeated(("peers",), (one.id for one in definition.peers))
        for number, peers in enumerate(definition.peers):
            yield from self.peers(("peers", number), peers)

    # --- small ones ---

    def repeated(self, place: Place, ids: Iterable[object]) -> Complaints:
        seen: set[object] = set()
        for number, one in enumerate(ids):
            if one in seen:
                name = one[-1] if isinstance(one, tuple) else one
                yield (*place, number), f"`{name}` is declared twice", 0
            seen.add(one)

    def missing(self, place: Place, name: str, known: Iterable[str], what: str) -> Complaints:
        known = list(known)
        if name not in known and name not in self.aside:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean `{close[0]}`?" if close else ""
            yield place, f"there is no {what} `{name}`{hint}", 0

    def expression(
        self,
        place: Place,
        text: str | None,
        columns: Mapping[str, Type],
        gives: Kind | None = "boolean",
        windows: Windows | None = None,
    ) -> Complaints:
        if text is None:
            return
        try:
            expressions.compile(
                text, dict(self.ghosts) | dict(columns), gives=gives, windows=windows
            )
        except ExpressionRefused as refused:
            for one in refused.complaints:
                yield place, one.message, one.line - 1

    def value_set(self, place: Place, value_set: ValueSet) -> Complaints:
        yield from self.repeated((*place, "codes"), (code.code for code in value_set.codes))
        if not value_set.allowed:
            yield place, "every code is retired", 0
        for code in value_set.exclusive:
            yield from self.missing(
                (*place, "exclusive"), code, (one.code for one in value_set.codes), "code"
            )
        for number, one in enumerate(value_set.codes):
            if one.code != one.code.strip() or set(one.code) & set(";,|"):
                yield (
                    (*place, "codes", number),
                    f"`{one.code}`: a code has no blanks, `;`, `,` or `|`",
                    0,
                )

    # --- forms and elements ---

    def form(self, place: Place, form: Form) -> Complaints:
        if form.module is not None:
            yield from self.missing((*place, "module"), form.module, self.modules, "module")
        for included in form.includes:
            yield from self.missing((*place, "includes"), included, self.forms, "form")
            if (other := self.forms.get(included)) is not None and other.includes:
                yield (*place, "includes"), f"`{included}` includes forms itself; name them here", 0
        yield from self.repeated((*place, "elements"), (one.id for one in form.elements))
        own = {one.id for one in form.elements}
        for other in form.included:
            for element in other.elements:
                if element.id in own:
                    yield (
                        (*place, "includes"),
                        f"`{other.id}` has an element `{element.id}` as well",
                        0,
                    )
        yield from self.key(place, form)
        seen: set[str] = set()
        for element in form.all_elements:
            if element.identity is not None and element.identity in seen:
                yield place, f"two elements play the part `{element.identity}`", 0
            seen.add(element.identity or "")
        for number, element in enumerate(form.elements):
            yield from self.element((*place, "elements", number), form, element)

    def key(self, place: Place, form: Form) -> Complaints:
        known = set(form.by_id)
        for name in ("key", "otherwise_key"):
            for element in getattr(form, name):
                yield from self.missing((*place, name), element, known, "element")
        if form.period is not None:
            yield from self.missing((*place, "period"), form.period, known, "element")
            period = form.by_id.get(form.period)
            if period is not None and (period.type != "date" or period.identifying):
                yield (
                    (*place, "period"),
                    "the period element must be a date that does not identify",
                    0,
                )
        if form.level == "case" and not form.part and (not form.key or form.period is None):
            yield place, "a case form needs a `key` and a `period`", 0
        if form.level != "follow-up":
            if form.parent is not None:
                yield (*place, "parent"), "only a follow-up form has a parent", 0
            return
        parent = self.forms.get(form.parent or "")
        if form.parent is None:
            yield place, "a follow-up form needs a `parent`", 0
        elif parent is None:
            yield from self.missing((*place, "parent"), form.parent, self.forms, "form")
        elif parent.level != "case" or parent.part:
            yield (*place, "parent"), f"`{parent.id}` is not a form of cases", 0
        else:
            for element in parent.key:
                if element not in known:
                    yield place, f"needs the element `{element}` to name its case", 0

    def element(self, place: Place, form: Form, element: Element) -> Complaints:
        if element.id in RESERVED and element.identity != "facility":
            yield (*place, "id"), f"`{element.id}` is a word of our own", 0
        if element.id.startswith(_LEADING) or element.id.endswith("_unknown"):
            yield (*place, "id"), f"`{element.id}` looks like a column of our own", 0
        coded = element.type in ("code", "codes")
        if coded and element.value_set is None:
            yield place, f"`{element.id}` needs a `value_set`", 0
        if not coded and element.value_set is not None:
            yield (*place, "value_set"), "only codes have a value set", 0
        if element.value_set is not None:
            yield from self.missing(
                (*place, "value_set"), element.value_set, self.definition.value_sets, "value set"
            )
        if element.scale and element.type != "decimal":
            yield (*place, "scale"), "only a decimal has a scale", 0
        yield from self.limits(place, element)
        yield from self.text(place, element)
        yield from self.conditions(place, form, element)

    def limits(self, place: Place, element: Element) -> Complaints:
        if element.range is not None and element.type not in ("integer", "decimal"):
            yield (*place, "range"), "only numbers have a range", 0
        elif element.range is not None:
            for name in ("soft", "hard"):
                limits: Limits | None = getattr(element.range, name)
                if limits is None:
                    continue
                low, high = limits.low, limits.high
                if low is None and high is None:
                    yield (*place, "range", name), "needs `low`, `high` or both", 0
                if low is not None and high is not None and low > high:
                    yield (*place, "range", name), "low is above high", 0
        if element.unknown and element.type not in ("integer", "decimal"):
            yield (
                (*place, "unknown"),
                "a sentinel stands for an unknown number; codes have their own",
                0,
            )
            return
        for sentinel in element.unknown:
            bare = element.model_copy(update={"range": None, "unknown": ()})
            try:
                found = parser(bare, None)(sentinel, lambda *_: None)
            except Refused:
                found = ""
            if str(found) != sentinel and not (
                element.type == "decimal" and found and Decimal(str(found)) == Decimal(sentinel)
            ):
                yield (
                    (*place, "unknown"),
                    f"`{sentinel}` is not written as a value of this element",
                    0,
                )

    def text(self, place: Place, element: Element) -> Complaints:
        for name in ("pattern", "strip"):
            if getattr(element, name) is not None and element.type != "text":
                yield (*place, name), f"only a text has a {name}", 0
        if element.pattern is None:
            return
        try:
            re.compile(element.pattern)
        except (re.error, OverflowError, RecursionError):
            yield (*place, "pattern"), "is not a regular expression", 0
        if element.pattern_says is None:
            yield (*place, "pattern"), "say it in words as well: `pattern_says`", 0

    def conditions(self, place: Place, form: Form, element: Element) -> Complaints:
        """Conditions must hold in every form that carries the element."""
        carriers = [
            one
            for one in self.forms.values()
            if not one.part and (one.id == form.id or form.id in one.includes)
        ]
        for carrier in carriers:
            columns = rows.rule_columns(self.definition, self.sound(carrier))
            for name in ("required_when", "relevant_when"):
                yield from self.expression((*place, name), getattr(element, name), columns)
            if element.computed is not None:
                uncomputed = {
                    one: kind
                    for one, kind in columns.items()
                    if one not in carrier.by_id or carrier.by_id[one].computed is None
                }
                kind: Kind = rows.type_of(element).kind
                yield from self.expression((*place, "computed"), element.computed, uncomputed, kind)
        if element.computed is not None and (
            element.required or element.identifying or element.required_when or element.identity
        ):
            yield (*place, "computed"), "a computed element is not sent: it cannot be required", 0

    def sound(self, form: Form) -> Form:
        """The form with a parent that exists, so that its columns can be listed."""
        if form.parent is not None and form.parent not in self.forms:
            return form.model_copy(update={"parent": None})
        return form

    def rule(
        self, number: int, form_id: str, place: str, requires: str, module: str | None
    ) -> Complaints:
        at: Place = ("rules", number)
        if module is not None:
            yield from self.missing((*at, "module"), module, self.modules, "module")
        form = self.forms.get(form_id)
        if form is None or form.part:
            entries = [one.id for one in self.definition.entry_forms]
            yield from self.missing((*at, "form"), form_id, entries, "form of entries")
            return
        yield from self.missing((*at, "place"), place, form.by_id, "element")
        columns = rows.rule_columns(self.definition, self.sound(form))
        yield from self.expression((*at, "requires"), requires, columns)

    # --- derived columns and measures ---

    def case_columns(self, form: Form) -> dict[str, Type]:
        return rows.case_columns(self.definition, form)

    def derived(
        self, place: Place, derived: Derived, columns: dict[str, dict[str, Type]]
    ) -> Complaints:
        form = self.forms.get(derived.form)
        if form is None or form.level != "case" or form.part:
            yield from self.missing(
                (*place, "form"), derived.form, self.case_forms(), "form of cases"
            )
            return
        seen = dict(columns[form.id])
        if derived.id in seen:
            yield (*place, "id"), f"there is a column `{derived.id}` already", 0
        follow_ups = self.definition.follow_up_forms(form.id)
        over = derived.over == "follow_up"
        if over:
            found = [one for one in follow_ups if derived.follow_up in (None, one.id)]
            if len(found) != 1:
                yield (*place, "over"), "name the follow-up form looked through: `follow_up`", 0
            else:
                seen |= rows.element_types(self.definition.visible_elements(found[0].id))
            if derived.aggregate is None:
                yield place, f"`{derived.id}` needs an `aggregate`", 0
        for name in ("aggregate", "filter", "follow_up"):
            if not over and getattr(derived, name) is not None:
                yield (*place, name), f"`{name}` belongs to derived columns over `follow_up`", 0
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
        yield from self.expression((*place, "expression"), derived.expression, seen, inner, windows)
        yield from self.expression((*place, "filter"), derived.filter, seen)
        columns[form.id][derived.id] = gives

    def case_forms(self) -> list[str]:
        return [one.id for one in self.forms.values() if one.level == "case" and not one.part]

    def measure(
        self, place: Place, measure: Measure, columns: dict[str, dict[str, Type]]
    ) -> Complaints:
        if measure.module is not None:
            yield from self.missing((*place, "module"), measure.module, self.modules, "module")
        form = self.forms.get(measure.form)
        if form is None or measure.form not in columns or form.part:
            yield from self.missing(
                (*place, "form"), measure.form, self.case_forms(), "form of cases"
            )
            return
        seen = columns[measure.form]
        for name in (
            "initial_population", "denominator", "denominator_exclusion", "denominator_exception", "numerator"
        ):  # fmt: skip
            yield from self.expression((*place, name), getattr(measure, name), seen)
        yield from self.observation(place, measure, seen)
        yield from self.repeated((*place, "stratifiers"), (one.id for one in measure.stratifiers))
        for number, one in enumerate(measure.stratifiers):
            at = (*place, "stratifiers", number, "expression")
            yield from self.expression(at, one.expression, seen, "text")
        if measure.control_chart in ("p", "u", "g", "t") and measure.scoring != "proportion":
            yield (*place, "control_chart"), "is of proportions: others have `xmr`", 0
        if measure.shown_when is not None:
            ids = [one.id for one in self.definition.measures]
            at = (*place, "shown_when")
            yield from self.missing(at, measure.shown_when.measure, ids, "measure")
        for inner, message in unfit(measure, form):
            yield (*place, *inner), message, 0
        if measure.caution_below < measure.minimum_cases:
            yield (*place, "caution_below"), "is below `minimum_cases`", 0
        if not measure.examples:
            yield place, f"`{measure.id}` needs a worked example", 0
        for number, example in enumerate(measure.examples):
            yield from self.example((*place, "examples", number), measure, form, example)

    def observation(self, place: Place, measure: Measure, seen: Mapping[str, Type]) -> Complaints:
        needs = {"proportion": "numerator", "cohort": None}.get(measure.scoring, "observation")
        if needs is not None and getattr(measure, needs) is None:
            yield place, f"a {measure.scoring} needs `{needs}`", 0
        if measure.observation is None:
            for name in ("bins", "scale"):
                if getattr(measure, name):
                    yield (*place, name), "needs an `observation`", 0
            return
        at = (*place, "observation")
        try:
            found = expressions.compile(
                measure.observation, dict(self.ghosts) | dict(seen), gives="decimal"
            )
        except ExpressionRefused as refused:
            for one in refused.complaints:
                yield at, one.message, one.line - 1
            return
        if found.type.scale > measure.scale:
            yield at, f"gives {found.type.scale} decimals, `scale` keeps {measure.scale}", 0
        if list(measure.bins) != sorted(set(measure.bins)):
            yield (*place, "bins"), "edges must rise", 0

    def example(self, place: Place, measure: Measure, form: Form, example: Example) -> Complaints:
        if not example.expect:
            yield place, "says nothing of what is to be expected", 0
        strata = {one.id for one in measure.stratifiers}
        for number, counts in enumerate(example.expect):
            at = (*place, "expect", number)
            if counts.stratum is not None and counts.stratum.partition(":")[0] not in strata:
                yield at, f"there is no stratifier for `{counts.stratum}`", 0
        for number, case in enumerate(example.cases):
            at = (*place, "cases", number)
            own = self.forms.get(case.form) if case.form else form
            if own is None:
                yield at, f"there is no form `{case.form}`", 0
                continue
            given = {
                name: value
                for name, value in (example.common | case.elements).items()
                if value is not None
            }
            yield from self.entry((*at, "elements"), own, given)
            for inner, follow_up in enumerate(case.follow_ups):
                followed = self.forms.get(follow_up.form)
                if followed is None or followed.parent != own.id:
                    yield (
                        (*at, "follow_ups", inner),
                        f"`{follow_up.form}` does not follow `{own.id}`",
                        0,
                    )
                else:
                    where = (*at, "follow_ups", inner, "elements")
                    yield from self.entry(where, followed, follow_up.elements)

    def entry(self, place: Place, form: Form, elements: Mapping[str, object]) -> Complaints:
        if not self.spoiled.isdisjoint((form.id, *form.includes)):
            return
        check = self.checks.get(form.id) or FormCheck(self.definition, form.id)
        self.checks[form.id] = check
        keys = {*form.key, *form.otherwise_key}
        for one in check.check(elements, draft=True).flaws:
            if one.severity is Severity.REJECT and one.place not in keys:
                name = (
                    list(elements)[int(one.place.split()[1]) - 1] if " " in one.place else one.place
                )
                if name not in self.aside:
                    yield (*place, name), f"`{name}`: {one.code.value}", 0

    def peers(self, place: Place, peers: PeerGroup) -> Complaints:
        if (peers.by == "volume") != bool(peers.bands):
            yield place, "volume has `bands`, and nothing else has", 0
        if peers.by in ("division", "category", "location") and not peers.groups:
            yield place, f"`{peers.id}` needs `groups`", 0
        if peers.volume_of is not None:
            if peers.by != "volume":
                yield (*place, "volume_of"), "only volume goes by a measure", 0
            if peers.volume_of not in {one.id for one in self.definition.measures}:
                yield (*place, "volume_of"), f"there is no measure `{peers.volume_of}`", 0
        yield from self.combination((*place, "of"), peers)
        before: int | None = 0
        for number, band in enumerate(peers.bands):
            if band.at_least != before or (band.below is not None and band.below <= band.at_least):
                yield (*place, "bands", number), "bands must follow on one another from 0", 0
            before = band.below
        if peers.bands and before is not None:
            yield (*place, "bands"), "the last band must be open", 0

    def combination(self, place: Place, peers: PeerGroup) -> Complaints:
        if peers.by != "combination":
            if peers.of:
                yield place, "only a combination is made `of` others", 0
            return
        if len(set(peers.of)) < 2 or len(set(peers.of)) < len(peers.of):
            yield place, f"`{peers.id}` combines two different groupings or more", 0
        known = {one.id: one.by for one in self.definition.peers}
        for one in peers.of:
            if known.get(one, "all") in ("all", "combination"):
                yield place, f"`{one}` is no grouping that can be combined", 0
        if peers.groups:
            yield place, "a combination's groups are those of its parts", 0


def rows_kind(kind: str) -> Kind:
    """The kind of value an element type is to an expression."""
    match kind:
        case "integer" | "date" | "boolean" | "decimal":
            return kind
        case "codes":
            return "list"
        case _:
            return "text"
