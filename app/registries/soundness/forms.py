"""Forms, their elements, value sets, and rules across elements."""

import re
from decimal import Decimal

from app.registries import rows
from app.registries.expressions import Kind, Type
from app.registries.gathered import requiring_columns
from app.registries.schema import Element, Form, Group, Limits, Rule, ValueSet
from app.registries.soundness.ground import Complaints, Ground, Place
from app.registries.soundness.groups import Groups
from app.registries.values import parser
from app.registries.values.given import Refused

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
SHEETS = frozenset(("entries", "codes", "elements"))
"""What the sheets of a template are called, which forms lend their names to as well."""
_LEADING = (rows.PARENT, rows.SUBJECT_RECORD, "_")


class Forms:
    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    def value_set(self, place: Place, value_set: ValueSet) -> Complaints:
        yield from self.ground.repeated((*place, "codes"), (code.code for code in value_set.codes))
        if not value_set.allowed:
            yield place, "every code is retired", 0
        for code in value_set.exclusive:
            yield from self.ground.missing(
                (*place, "exclusive"), code, (one.code for one in value_set.codes), "code"
            )
        for number, one in enumerate(value_set.codes):
            if one.code != one.code.strip() or set(one.code) & set(";,|"):
                yield (
                    (*place, "codes", number),
                    f"`{one.code}`: a code has no blanks, `;`, `,` or `|`",
                    0,
                )

    def form(self, place: Place, form: Form) -> Complaints:
        if form.id in SHEETS:
            yield (*place, "id"), f"`{form.id}` is a word of our own", 0
        if form.module is not None:
            yield from self.ground.missing(
                (*place, "module"), form.module, self.ground.modules, "module"
            )
        for included in form.includes:
            yield from self.ground.missing(
                (*place, "includes"), included, self.ground.forms, "form"
            )
            if (other := self.ground.forms.get(included)) is not None and other.includes:
                yield (*place, "includes"), f"`{included}` includes forms itself; name them here", 0
        yield from self.ground.repeated((*place, "elements"), (one.id for one in form.elements))
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
        yield from Groups(self.ground).of_form(place, form)
        for number, group in enumerate(form.groups):
            at = (*place, "groups", number)
            yield from self.rows(at, form, group, group.id)
            for inner, one in enumerate(group.groups):
                yield from self.rows((*at, "groups", inner), form, one, f"{group.id}.{one.id}")

    def rows(self, place: Place, form: Form, group: Group, path: str) -> Complaints:
        for number, element in enumerate(group.elements):
            yield from self.element((*place, "elements", number), form, element, path)

    def key(self, place: Place, form: Form) -> Complaints:
        known = set(form.by_id)
        for name in ("key", "otherwise_key"):
            for element in getattr(form, name):
                yield from self.ground.missing((*place, name), element, known, "element")
        if form.period is not None:
            yield from self.ground.missing((*place, "period"), form.period, known, "element")
            period = form.by_id.get(form.period)
            if period is not None and (period.type != "date" or period.identifying):
                yield (
                    (*place, "period"),
                    "the period element must be a date that does not identify",
                    0,
                )
        if form.physician is not None:
            yield from self.ground.missing((*place, "physician"), form.physician, known, "element")
            named = form.by_id.get(form.physician)
            if named is not None and (named.type != "npi" or named.identifying):
                yield (*place, "physician"), "is told by an NPI that does not identify a patient", 0
            if not form.counted:
                yield (*place, "physician"), "only cases and months are a physician's own", 0
            elif form.level == "facility-period" and form.physician not in form.key:
                says = (
                    f"of two physicians one would amend the other: put `{form.physician}` into it"
                )
                yield (*place, "key"), says, 0
        if form.level == "case" and not form.part and (not form.key or form.period is None):
            yield place, "a case form needs a `key` and a `period`", 0
        if form.level == "facility-period":
            yield from self.period_of_facility(place, form)
        if form.level == "facility-list":
            yield from self.list_of_facility(place, form)
        if form.level != "follow-up":
            if form.parent is not None:
                yield (*place, "parent"), "only a follow-up form has a parent", 0
            return
        parent = self.ground.forms.get(form.parent or "")
        if form.parent is None:
            yield place, "a follow-up form needs a `parent`", 0
        elif parent is None:
            yield from self.ground.missing(
                (*place, "parent"), form.parent, self.ground.forms, "form"
            )
        elif parent.level != "case" or parent.part:
            yield (*place, "parent"), f"`{parent.id}` is not a form of cases", 0
        else:
            for element in parent.key:
                if element not in known:
                    yield place, f"needs the element `{element}` to name its case", 0

    def period_of_facility(self, place: Place, form: Form) -> Complaints:
        """A record of a facility and a month or year; it is about nobody."""
        period = form.by_id.get(form.period or "")
        if form.period is None:
            yield place, "a form of a facility's periods needs a `period`", 0
        elif period is not None and period.precision == "day":
            yield (*place, "period"), "is a date with the `precision` month or year", 0
        elif form.period not in form.key or form.otherwise_key:
            yield (*place, "key"), f"a record is told by its `{form.period}`", 0
        yield from self.about_nobody(place, form)

    def list_of_facility(self, place: Place, form: Form) -> Complaints:
        """A facility's own list: an entry a thing on it, told by one element."""
        key = form.by_id.get(form.key[0]) if len(form.key) == 1 else None
        if key is None or key.type != "text" or form.otherwise_key:
            yield place, "a facility's list has a `key` of one text", 0
        if form.period is not None:
            yield (*place, "period"), "a list has no periods", 0
        yield from self.about_nobody(place, form)

    def listed(self, place: Place, form: Form, element: Element, group: str | None) -> Complaints:
        """A code out of a facility's own list."""
        lists = [one.id for one in self.ground.forms.values() if one.level == "facility-list"]
        yield from self.ground.missing(
            (*place, "list"), element.list or "", lists, "list of facilities"
        )
        if element.type != "code" or element.value_set is not None:
            yield (*place, "list"), "belongs to a `code` without a `value_set`", 0
        if element.identifying or element.computed is not None:
            yield (*place, "list"), "what is on a list is sent, and identifies nobody", 0
        if form.part or form.of_facility:
            yield (*place, "list"), "is of a form of cases, follow-ups or subjects", 0

    def looked_up(
        self, place: Place, form: Form, element: Element, group: str | None
    ) -> Complaints:
        """A value that a facility's own list has where it was left out."""
        at = (*place, "from_list")
        told = element.from_list
        assert told is not None
        if group is not None or form.level != "case" or form.part:
            yield at, "is of a form of cases, and of no group's rows", 0
        if element.computed is not None or element.identifying or element.list is not None:
            yield at, "what is worked out, identifies or is a list's own key is not looked up", 0
        if element.required or element.required_when is not None:
            yield at, "is looked up when an entry was checked: it cannot be required", 0
        by = form.by_id.get(told.by)
        if by is None or by.type != "text":
            yield (*at, "by"), f"`{told.by}` is no text of this form", 0
        others = [one.from_list for one in form.all_elements if one.from_list is not None]
        if any(one.list == told.list and one.by != told.by for one in others):
            yield (*at, "by"), "one list is looked up by one element of a form", 0
        lists = [one.id for one in self.ground.forms.values() if one.level == "facility-list"]
        yield from self.ground.missing((*at, "list"), told.list, lists, "list of facilities")
        listed = self.ground.forms.get(told.list)
        if listed is None:
            return
        yield from self.ground.missing((*at, "element"), told.element, listed.by_id, "element")
        given = listed.by_id.get(told.element)
        if given is not None and _kind(given) != _kind(element):
            yield (*at, "element"), f"`{told.element}` has values of another kind", 0

    def about_nobody(self, place: Place, form: Form) -> Complaints:
        """A list may have names in the vault; who somebody is stands in no form of a facility's own."""
        secret = form.level == "facility-list"
        for number, element in enumerate(form.elements):
            identifying = element.identifying and not secret
            if identifying or element.identity not in (None, "facility"):
                at = (*place, "elements", number)
                yield at, f"`{element.id}` is about a person, and the form is a facility's", 0

    def element(
        self, place: Place, form: Form, element: Element, group: str | None = None
    ) -> Complaints:
        if element.id in RESERVED and element.identity != "facility":
            yield (*place, "id"), f"`{element.id}` is a word of our own", 0
        if element.id.startswith(_LEADING) or element.id.endswith("_unknown"):
            yield (*place, "id"), f"`{element.id}` looks like a column of our own", 0
        yield from self.moment(place, form, element)
        coded = element.type in ("code", "codes")
        if element.from_list is not None:
            yield from self.looked_up(place, form, element, group)
        if element.list is not None:
            yield from self.listed(place, form, element, group)
        elif coded and element.value_set is None:
            yield place, f"`{element.id}` needs a `value_set`", 0
        if not coded and element.value_set is not None:
            yield (*place, "value_set"), "only codes have a value set", 0
        if element.value_set is not None:
            yield from self.ground.missing(
                (*place, "value_set"),
                element.value_set,
                self.ground.definition.value_sets,
                "value set",
            )
        if element.scale and element.type != "decimal":
            yield (*place, "scale"), "only a decimal has a scale", 0
        if element.precision != "day" and element.type != "date":
            yield (*place, "precision"), "only a date has a precision", 0
        yield from self.limits(place, element)
        yield from self.text(place, element)
        yield from self.conditions(place, form, element, group)

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

    def conditions(
        self, place: Place, form: Form, element: Element, group: str | None
    ) -> Complaints:
        """Conditions must hold in every form that carries the element."""
        carriers = [
            one
            for one in self.ground.forms.values()
            if not one.part and (one.id == form.id or form.id in one.includes)
        ]
        for carrier in carriers:
            columns = rows.rule_columns(self.ground.definition, self.ground.sound(carrier), group)
            computed = {
                one.id
                for one in (carrier if group is None else carrier.row_of(group)).all_elements
                if one.computed is not None
            }
            for name in ("required_when", "relevant_when"):
                yield from self.ground.expression((*place, name), getattr(element, name), columns)
            if element.computed is not None:
                uncomputed = {one: kind for one, kind in columns.items() if one not in computed}
                kind: Kind = rows.type_of(element).kind
                yield from self.ground.expression(
                    (*place, "computed"), element.computed, uncomputed, kind
                )
        if element.computed is not None and (
            element.required or element.identifying or element.required_when or element.identity
        ):
            yield (*place, "computed"), "a computed element is not sent: it cannot be required", 0

    def moment(self, place: Place, form: Form, element: Element) -> Complaints:
        """What a datetime brings with it: its day as a column, and where its zone is told."""
        if element.type == "datetime" and f"{element.id}_day" in form.by_id:
            yield (*place, "id"), f"`{element.id}_day` is a column of our own: the day of it", 0
        if element.type == "datetime" and element.computed is not None:
            yield (*place, "computed"), "a datetime is sent, not worked out", 0
        if element.zone is None:
            return
        if element.type != "datetime":
            yield (*place, "zone"), "only a datetime has a zone", 0
        told = form.by_id.get(element.zone)
        if told is None or told.type != "code":
            yield (*place, "zone"), f"`{element.zone}` is no coded element of this form", 0

    def rule(self, place: Place, rule: Rule) -> Complaints:
        ground = self.ground
        if rule.module is not None:
            yield from ground.missing((*place, "module"), rule.module, ground.modules, "module")
        form = ground.forms.get(rule.form)
        if form is None or form.part:
            entries = [one.id for one in ground.definition.entry_forms]
            yield from ground.missing((*place, "form"), rule.form, entries, "form of entries")
            return
        if rule.group is not None and rule.group not in form.group_paths:
            yield from ground.missing((*place, "group"), rule.group, form.group_paths, "group")
            return
        own = form.by_id if rule.group is None else form.group_paths[rule.group][-1].by_id
        yield from ground.missing((*place, "place"), rule.place, own, "element")
        sound = ground.sound(form)
        requiring = requiring_columns(ground.definition, sound, rule.group)
        yield from ground.expression((*place, "requires"), rule.requires, requiring)
        columns = rows.rule_columns(ground.definition, sound, rule.group)
        yield from self.days(place, form, rule, columns)

    def days(self, place: Place, form: Form, rule: Rule, columns: dict[str, Type]) -> Complaints:
        """The days on which a rule is in force, and the date that they are of."""
        dated = rule.since is not None or rule.until is not None
        if rule.by is not None:
            yield from self.ground.expression((*place, "by"), rule.by, columns, "date")
            if not dated:
                yield (*place, "by"), "belongs to a rule with `since` or `until`", 0
        elif dated:
            yield place, f"`{form.id}` has no period: say of which date, `by`", 0
        if rule.since is not None and rule.until is not None and rule.until < rule.since:
            yield (*place, "until"), "is before `since`", 0


def _kind(element: Element) -> tuple[object, ...]:
    """What values of two elements have alike where one may stand for the other."""
    return element.type, element.value_set, element.scale, element.unit, element.precision
