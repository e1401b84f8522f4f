"""
What a new version of a definition breaks.

Two versions' cases end up in the same rates. So what would make them mean different things is
refused; what asks more of senders, or takes something away, is said before it surprises anybody.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from app.registries.lineage import called, conversion_of
from app.registries.measure import Measure
from app.registries.schema import Definition, Element, Form, Limits
from app.registries.soundness.conversions import holes, spoken_of
from app.registries.window import begins, ends

_MAKING = frozenset({"level", "key", "otherwise_key", "parent", "period"})
"""What makes a form's records what they are: no conversion says anything of it."""

Weight = Literal["refused", "breaks", "new", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `refused` cannot be published, `breaks` needs senders to act."""

    weight: Weight
    place: str
    says: str
    covered: bool | None = None
    """Whether the new version's conversion of the old says how such entries are read; None where it
    has no conversion, or nothing about entries has changed."""

    def __str__(self) -> str:
        covered = {
            None: "",
            True: " (covered by the conversion)",
            False: " (not covered by the conversion)",
        }
        return f"{self.weight}: {self.place}: {self.says}{covered[self.covered]}"

    @property
    def of_entries(self) -> bool:
        """Whether it is about what entries say, which a conversion can say how to read."""
        rest = self.place.partition(".")[2]
        return " " not in self.place and (not rest or rest not in _MAKING)


def incomparable(old: Definition, new: Definition) -> list[str]:
    """Why cases of the two could not stand side by side; empty when they can."""
    found = [
        f"{one.place}: {one.says}."
        for one in compare(old, new)
        if one.weight == "refused" and not one.covered
    ]
    conversion = conversion_of(new, old.version)
    if conversion is not None:
        found += [
            f"conversion of {old.version}: {one.says}." for one in holes(old, new, conversion)
        ]
    return found


def compare(old: Definition, new: Definition) -> list[Change]:
    """Every difference between two versions, the gravest first."""
    grave = {"refused": 0, "breaks": 1, "changed": 2, "new": 3}
    found = _with_coverage(old, new, list(_changes(old, new)))
    return sorted(found, key=lambda one: (grave[one.weight], one.place))


def _with_coverage(old: Definition, new: Definition, changes: list[Change]) -> Iterator[Change]:
    """The changes, each with what the new version's conversion of the old does about it."""
    conversion = conversion_of(new, old.version)
    if conversion is None:
        yield from changes
        return
    open_ones = {one.about for one in holes(old, new, conversion)}
    spoken = spoken_of(old, conversion)
    parts = {form.id for form in old.forms if form.part}
    for one in changes:
        carried = one.place.split(".")[0] in parts
        if one.weight not in ("refused", "breaks") or not one.of_entries or carried:
            yield one
        else:
            # A group or a form that is left behind takes what is in it along.
            around = {
                one.place.rsplit(".", number)[0] for number in range(one.place.count(".") + 1)
            }
            yield replace(one, covered=bool(around & spoken) and one.place not in open_ones)


def _changes(old: Definition, new: Definition) -> Iterator[Change]:
    if old.id != new.id:
        yield Change("refused", "id", f"{new.id} is another registry than {old.id}")
        return
    forms = {form.id: form for form in new.forms}
    for form in old.forms:
        if form.id not in forms:
            yield Change("breaks", form.id, "the form is gone")
            continue
        yield from _form(old, new, form, forms[form.id])
    for one in new.forms:
        if one.id not in {form.id for form in old.forms}:
            yield Change("new", one.id, "a new form")
    yield from _rules(old, new)
    yield from _measures(old, new)
    yield from _worklists(old, new)
    yield from _improvement(old, new)
    yield from _images(old, new)
    if old.accept_until is not None and ends(old.accept_until) < begins(new.accept_from):
        yield Change("breaks", "accept_from", "no version takes entries between the two windows")


def _form(old: Definition, new: Definition, before: Form, after: Form) -> Iterator[Change]:
    renamed = called(conversion_of(new, old.version), before.id)
    for name, says in (
        ("level", "another level: old records would count as something else"),
        ("key", "another key: old and new records of one case would not meet"),
        ("otherwise_key", "another key: old and new records of one case would not meet"),
        ("parent", "another parent form: old follow-ups would belong to nothing"),
        ("period", "another period element: the same case would move to another month"),
    ):
        was = getattr(before, name)
        if name == "period":
            was = renamed.get(was, was)
        elif name in ("key", "otherwise_key"):
            was = tuple(renamed.get(one, one) for one in was)
        if was != getattr(after, name):
            yield Change("refused", f"{before.id}.{name}", says)
    yield from _elements(old, new, before.id, before.by_id, after.by_id)
    yield from _groups(old, new, before, after)


def _groups(old: Definition, new: Definition, before: Form, after: Form) -> Iterator[Change]:
    for path, chain in before.group_paths.items():
        place = f"{before.id}.{path}"
        if path not in after.group_paths:
            yield Change("breaks", place, "the group is gone")
            continue
        was, now = chain[-1], after.group_paths[path][-1]
        if now.at_least > was.at_least:
            yield Change("breaks", place, f"needs {now.at_least} rows, needed {was.at_least}")
        if now.at_most < was.at_most:
            yield Change("breaks", place, f"takes {now.at_most} rows, took {was.at_most}")
        elif now.at_most > was.at_most:
            yield Change("changed", place, f"takes {now.at_most} rows, took {was.at_most}")
        yield from _elements(old, new, place, was.by_id, now.by_id)
    for path, chain in after.group_paths.items():
        if path not in before.group_paths:
            weight: Weight = "breaks" if chain[-1].at_least else "new"
            says = "a new group that is required" if chain[-1].at_least else "a new group"
            yield Change(weight, f"{before.id}.{path}", says)


def _elements(
    old: Definition,
    new: Definition,
    of: str,
    before: Mapping[str, Element],
    after: Mapping[str, Element],
) -> Iterator[Change]:
    for name, element in before.items():
        if name not in after:
            yield Change("breaks", f"{of}.{name}", "the element is gone")
        else:
            yield from _element(old, new, f"{of}.{name}", element, after[name])
    for name, element in after.items():
        if name not in before:
            if element.required:
                yield Change("breaks", f"{of}.{name}", "a new element that is required")
            else:
                yield Change("new", f"{of}.{name}", "a new element")


def _element(
    old: Definition, new: Definition, place: str, before: Element, after: Element
) -> Iterator[Change]:
    if before.type != after.type:
        yield Change("refused", place, f"was {before.type}, is {after.type}")
        return
    if before.unit != after.unit:
        yield Change("refused", place, f"was in {before.unit}, is in {after.unit}")
    if before.scale > after.scale:
        yield Change("refused", place, f"kept {before.scale} decimals, keeps {after.scale}")
    elif before.scale < after.scale:
        yield Change("changed", place, f"keeps {after.scale} decimals, kept {before.scale}")
    if before.list != after.list:
        yield Change("refused", place, "codes of another list")
    if before.from_list != after.from_list:
        yield Change("changed", place, "is looked up otherwise; what was accepted before stays")
    if before.precision != after.precision:
        yield Change("refused", place, f"was a {before.precision}, is a {after.precision}")
    if before.identifying != after.identifying:
        yield Change("refused", place, "what identifies and what does not live in different rooms")
    if before.identity != after.identity:
        yield Change("refused", place, "another part in telling subjects and cases apart")
    if lost := set(before.unknown) - set(after.unknown):
        yield Change("refused", place, f"{', '.join(sorted(lost))} would become a value")
    if not before.required and after.required:
        yield Change("breaks", place, "is required now")
    if before.required_when != after.required_when and after.required_when is not None:
        yield Change("breaks", place, "is required under other conditions")
    if before.from_dicom != after.from_dicom:
        yield Change("changed", place, "is read elsewhere in images; what was read before stays")
    yield from _codes(old, new, place, before, after)
    if _narrower(before, after):
        yield Change("breaks", place, "a narrower range")
    if after.max_length < before.max_length or (after.pattern and after.pattern != before.pattern):
        yield Change("breaks", place, "another length or pattern")


def _codes(
    old: Definition, new: Definition, place: str, before: Element, after: Element
) -> Iterator[Change]:
    was, now = old.value_set(before), new.value_set(after)
    if was is None or now is None:
        return
    for code, label in was.labels.items():
        if code not in now.labels:
            yield Change(
                "breaks", place, f"code {code} is gone; retire it to keep old data readable"
            )
        elif label != now.labels[code]:
            yield Change("changed", place, f"code {code} reads {now.labels[code]!r}, was {label!r}")
    for code in now.labels:
        if code not in was.labels:
            yield Change("new", place, f"a new code {code}")


def _narrower(before: Element, after: Element) -> bool:
    was = before.range.hard if before.range else None
    now = after.range.hard if after.range else None
    if now is None:
        return False
    was = was or Limits()
    low = now.low is not None and (was.low is None or now.low > was.low)
    return low or (now.high is not None and (was.high is None or now.high < was.high))


def _rules(old: Definition, new: Definition) -> Iterator[Change]:
    before = {rule.id: rule for rule in old.rules}
    after = {rule.id: rule for rule in new.rules}
    for name, rule in after.items():
        known = before.get(name)
        same = {"requires", "severity", "group", "since", "until", "by"}
        if known is None or known.model_dump(include=same) != rule.model_dump(include=same):
            weight: Weight = "breaks" if rule.severity == "reject" else "changed"
            yield Change(
                weight, f"rule {name}", "a new rule" if known is None else "says otherwise"
            )
    for name in before.keys() - after.keys():
        yield Change("changed", f"rule {name}", "the rule is gone")


def _measures(old: Definition, new: Definition) -> Iterator[Change]:
    after = {measure.id: measure for measure in new.measures}
    for measure in old.measures:
        now = after.pop(measure.id, None)
        place = f"measure {measure.id}"
        if now is None:
            yield Change("breaks", place, "the measure is gone")
            continue
        if now.scoring != measure.scoring or now.improvement != measure.improvement:
            yield Change("refused", place, "another scoring or direction: give it another id")
        counted = {
            "initial_population", "denominator", "denominator_exclusion", "denominator_exception",
            "numerator", "observation", "scale", "bins", "stratifiers",
        }  # fmt: skip
        if now.model_dump(include=counted) != measure.model_dump(include=counted):
            yield Change("changed", place, "counts otherwise; every period is counted anew")
        yield from _case_mix(place, measure, now)
    for name in after:
        yield Change("new", f"measure {name}", "a new measure")


def _worklists(old: Definition, new: Definition) -> Iterator[Change]:
    after = {one.id: one for one in new.worklists}
    for worklist in old.worklists:
        now, place = after.pop(worklist.id, None), f"worklist {worklist.id}"
        if now is None:
            yield Change("breaks", place, "the worklist is gone")
        elif (now.form, now.texts) != (worklist.form, worklist.texts):
            yield Change("changed", place, "holds other cases, or on other days")
    for name in after:
        yield Change("new", f"worklist {name}", "a new worklist")


def _case_mix(place: str, before: Measure, after: Measure) -> Iterator[Change]:
    """What is expected of facilities rests on it: what was told of O/E is not comparable."""
    if bool(before.case_mix) != bool(after.case_mix):
        says = "has a case mix now" if after.case_mix else "has no case mix any more"
        yield Change("changed", place, says)
        return
    was, now = ({one.id: one for one in its.case_mix} for its in (before, after))
    for name in [*was, *(one for one in now if one not in was)]:
        if name not in now:
            yield Change("changed", place, f"the case mix allows for `{name}` no more")
        elif name not in was:
            yield Change("changed", place, f"the case mix allows for `{name}` now")
        elif was[name] != now[name]:
            yield Change("changed", place, f"`{name}` of the case mix says otherwise")


def _improvement(old: Definition, new: Definition) -> Iterator[Change]:
    after = {one.id: one for one in new.improvement}
    for one in old.improvement:
        place = f"improvement {one.id}"
        now = after.pop(one.id, None)
        if now is None:
            yield Change("changed", place, "is offered no more; projects begun go on as they were")
        elif now != one:
            yield Change(
                "changed", place, "is offered otherwise; projects begun go on as they were"
            )
    for name in after:
        yield Change("new", f"improvement {name}", "a new improvement project")


def _images(old: Definition, new: Definition) -> Iterator[Change]:
    after = {one.id: one for one in new.images}
    for one in old.images:
        place, now = f"images {one.id}", after.pop(one.id, None)
        if now is None:
            yield Change("breaks", place, "these objects make no cases any more")
        elif now != one:
            yield Change("changed", place, "other objects, or other cases of them")
    for name in after:
        yield Change("new", f"images {name}", "new objects that speak of cases")
