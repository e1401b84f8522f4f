"""
What a conversion of an earlier version lacks.

Two versions' cases end up in the same rates. So whatever means something else now must be said how
to read, and whatever is gone must be taken over or knowingly left behind.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.registries.conversion import Conversion, Converted, Left
from app.registries.expressions import ExpressionRefused, compile
from app.registries.kinds import Type, fits
from app.registries.rows import element_types, type_of
from app.registries.schema import Definition, Element, Form
from app.registries.values import parser
from app.registries.values.given import Refused

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Hole:
    """Something that a conversion does not say, or says of what is not there."""

    place: Place
    """Where in the conversion."""
    about: str
    """Which element, group or form: `exam.models.kind`."""
    says: str


def holes(old: Definition, new: Definition, conversion: Conversion) -> Iterator[Hole]:
    """Everything that keeps entries of `old` from being read as those of `new`."""
    if old.id != new.id or old.newness >= new.newness:
        yield Hole(("converts",), new.id, "is no earlier version of this registry")
        return
    looking = _Looking(old, new, conversion)
    for number, one in enumerate(conversion.elements):
        yield from looking.item(("elements", number), one)
    for number, left in enumerate(conversion.left):
        yield from looking.left(("left", number), left)
    for form in old.forms:
        yield from looking.form(form)


def spoken_of(old: Definition, conversion: Conversion) -> frozenset[str]:
    """The elements, groups and forms, old and new, that a conversion says something of."""
    found = set()
    for one in conversion.elements:
        at = _at(one.form, one.group, None)
        found |= {f"{at}.{one.element}", f"{at}.{one.was or one.element}"}
        if one.expression is not None and (form := _form(old, one.form)) is not None:
            try:
                names = compile(one.expression, element_types(form.all_elements)).columns
            except ExpressionRefused:
                continue
            found |= {f"{at}.{name}" for name in names}
    for left in conversion.left:
        found.add(_at(left.form, left.group, left.element))
    return frozenset(found)


def _at(form: str, group: str | None, element: str | None) -> str:
    return ".".join(filter(None, (form, group, element)))


def _form(definition: Definition, form_id: str) -> Form | None:
    return next((one for one in definition.forms if one.id == form_id), None)


def _level(form: Form, group: str | None) -> Mapping[str, Element] | None:
    """The elements of a form, or of a group's rows; None when there is no such group."""
    if group is None:
        return form.by_id
    chain = form.group_paths.get(group)
    return chain[-1].by_id if chain else None


def _tells(definition: Definition, form: Form, element: Element) -> bool:
    """Whether an element tells who it is about, or which record it is."""
    above = definition.form(form.parent).key if form.parent is not None else ()
    names = (*form.key, *form.otherwise_key, *above)
    return element.identifying or element.identity is not None or element.id in names


def _role(element: Element) -> tuple[object, ...]:
    """What makes the same value the same token, in the same room."""
    return (
        *(element.type, element.identifying, element.identity),
        *(element.scale, element.unit, element.precision),
    )


class _Looking:
    def __init__(self, old: Definition, new: Definition, conversion: Conversion) -> None:
        self.old, self.new = old, new
        self.said = {(one.form, one.group, one.element): one for one in conversion.elements}
        self.left_behind = {(one.form, one.group, one.element) for one in conversion.left}
        self.spoken = spoken_of(old, conversion)

    # --- what the conversion says ---

    def item(self, place: Place, one: Converted) -> Iterator[Hole]:
        about = _at(one.form, one.group, one.element)
        before, after = _form(self.old, one.form), _form(self.new, one.form)
        if before is None or after is None:
            where = "this version" if after is None else f"version {self.old.version}"
            yield Hole((*place, "form"), about, f"{where} has no form `{one.form}`")
            return
        was, now = _level(before, one.group), _level(after, one.group)
        if was is None or now is None:
            where = "this version" if now is None else f"version {self.old.version}"
            yield Hole((*place, "group"), about, f"{where} has no group `{one.group}` there")
            return
        element = now.get(one.element)
        if element is None:
            yield Hole((*place, "element"), about, f"there is no element `{one.element}` now")
            return
        if self.said[(one.form, one.group, one.element)] is not one:
            yield Hole(place, about, f"`{one.element}` is converted twice")
        if one.group is None and _tells(self.new, after, element):
            yield from self._who_or_which(place, about, one, element, before)
            return
        if one.was is not None and one.was not in was:
            says = f"version {self.old.version} has no element `{one.was}` there"
            yield Hole((*place, "was"), about, says)
        yield from self._sources(place, about, one, element, was)
        if one.expression is not None:
            yield from self._expression(place, about, one, element, before)
        else:
            yield from self._values(place, about, one, element, was.get(one.was or one.element))

    def _who_or_which(
        self, place: Place, about: str, one: Converted, element: Element, before: Form
    ) -> Iterator[Hole]:
        """What tells people and records apart may be called otherwise, and nothing else.

        Records meet by keyed tokens of what was sent: they are made when it arrives, and nothing that is
        worked out, recoded or added later can be in them. Identifying values are sealed in the vault.
        """
        if one.codes or one.expression is not None or one.default is not None or one.absent:
            says = f"`{one.element}` tells who or which it is: by tokens of what was sent, so that it can be"
            yield Hole(place, about, f"{says} called otherwise (`was`) and no more")
            return
        was = before.by_id.get(one.was or one.element)
        if was is None:
            says = f"version {self.old.version} has no element `{one.was or one.element}` there"
            yield Hole((*place, "was" if one.was else "element"), about, says)
            return
        if not _tells(self.old, before, was) or _role(was) != _role(element):
            says = f"`{was.id}` of version {self.old.version} tells something else than `{element.id}` does"
            yield Hole(place, about, f"{says}, or is of another type")
        if any(source.form == before.id for source in (*self.old.images, *self.new.images)):
            says = f"images complete cases of `{before.id}` that were begun under either name"
            yield Hole(place, about, f"{says}: `{element.id}` keeps its own")

    def _sources(
        self,
        place: Place,
        about: str,
        one: Converted,
        element: Element,
        was: Mapping[str, Element],
    ) -> Iterator[Hole]:
        if one.was is not None and one.expression is not None:
            yield Hole(place, about, "takes `was` or an `expression`, not both")
        given = one.expression is not None or (one.was or one.element) in was
        if one.absent and (one.expression or one.was or one.codes or one.default is not None):
            yield Hole(place, about, "is `absent` or has a value, not both")
        elif not given and one.default is None and not one.absent:
            says = f"version {self.old.version} has no `{one.element}`: say `was`, `expression`,"
            yield Hole(place, about, f"{says} `default` or `absent`")
        if one.codes and one.expression is None and (one.was or one.element) not in was:
            yield Hole((*place, "codes"), about, "there is nothing whose codes these are")
        yield from self._of_this_version(place, about, one, element)

    def _of_this_version(
        self, place: Place, about: str, one: Converted, element: Element
    ) -> Iterator[Hole]:
        """Codes and defaults must be values of the element as it is now."""
        parse = parser(element, self.new.value_set(element)) if element.list is None else None
        given = [(("default",), one.default), *((("codes", k), v) for k, v in one.codes.items())]
        for inner, value in given:
            if value is None or parse is None:
                continue
            try:
                kept = parse(value, lambda *_: None)
            except Refused:
                says = f"this is no value of `{element.id}` now"
                yield Hole((*place, *inner), about, says)
                continue
            written = kept[0] if isinstance(kept, list) and len(kept) == 1 else kept
            spelled = str(written).lower() if isinstance(written, bool) else str(written)
            if spelled != value:
                yield Hole((*place, *inner), about, f"write it as it is kept: `{spelled}`")

    def _expression(
        self, place: Place, about: str, one: Converted, element: Element, before: Form
    ) -> Iterator[Hole]:
        at = (*place, "expression")
        if one.group is not None:
            yield Hole(at, about, "a group's rows are not worked out; use `was` and `codes`")
            return
        if element.type == "datetime":
            yield Hole(at, about, "a moment keeps its offset and cannot be worked out")
            return
        visible = [each for each in before.all_elements if not each.identifying]
        try:
            found = compile(str(one.expression), element_types(visible))
        except ExpressionRefused as refused:
            for complaint in refused.complaints:
                yield Hole(at, about, complaint.message)
            return
        if not fits(found.type, Type(type_of(element).kind)):
            yield Hole(at, about, f"gives {found.type}, where {type_of(element)} is needed")

    def _values(
        self, place: Place, about: str, one: Converted, after: Element, before: Element | None
    ) -> Iterator[Hole]:
        """Whether values of another element, or of another version of it, are values of this one."""
        if before is None:
            return
        known = self.old.value_set(before)
        for code in one.codes if known is not None else ():
            if known is not None and code not in known.labels:
                says = f"`{before.id}` of version {self.old.version} has no code `{code}`"
                yield Hole((*place, "codes", code), about, says)
        for says in self.differences(before, after, one.codes):
            yield Hole(place, about, says)

    def left(self, place: Place, one: Left) -> Iterator[Hole]:
        about, form = _at(one.form, one.group, one.element), _form(self.old, one.form)
        level = _level(form, one.group) if form is not None else None
        if level is None or (one.element is not None and one.element not in level):
            yield Hole(place, about, f"version {self.old.version} has nothing of that name")

    # --- what it does not say ---

    def form(self, before: Form) -> Iterator[Hole]:
        if before.part or (before.id, None, None) in self.left_behind:
            return  # what is carried is looked at in the forms that carry it
        after = _form(self.new, before.id)
        if after is None:
            says = f"form `{before.id}` is gone: list it under `left` if its entries are of no use"
            yield Hole((), before.id, says)
            return
        yield from self._elements(before, after, None)
        for path in before.group_paths:
            if path in after.group_paths:
                yield from self._elements(before, after, path)
            elif not self._is_left(before.id, path):
                says = f"group `{before.id}.{path}` is gone: list it under `left`"
                yield Hole((), f"{before.id}.{path}", says)

    def _is_left(self, form: str, path: str) -> bool:
        """Whether a group, or the one it stands in, is left behind."""
        return any((form, one, None) in self.left_behind for one in (path, path.split(".")[0]))

    def _elements(self, before: Form, after: Form, path: str | None) -> Iterator[Hole]:
        was, now = _level(before, path) or {}, _level(after, path) or {}
        for name, element in was.items():
            about = _at(before.id, path, name)
            if element.computed or element.identity == "facility":
                continue
            if name not in now and about not in self.spoken:
                says = f"`{about}` is gone: say which element takes it (`was`), or list it under `left`"
                yield Hole((), about, says)
        for name, element in now.items():
            if path is None and _tells(self.new, after, element):
                if name in was and _role(was[name]) != _role(element):
                    says = "tells something else than it did, or is of another type"
                    yield Hole((), about := _at(before.id, path, name), f"`{about}` {says}")
                continue
            said, about = self.said.get((before.id, path, name)), _at(before.id, path, name)
            if said is None and name in was:
                for says in self.differences(was[name], element, {}):
                    yield Hole((), about, f"`{about}`: {says}")
            needed = element.required and not (name in was and was[name].required)
            if needed and said is None and element.computed is None:
                says = (
                    f"`{about}` is needed now: give it a `default` or an `expression`, or `absent`"
                )
                yield Hole((), about, says)

    def differences(
        self, before: Element, after: Element, codes: Mapping[str, str | None]
    ) -> Iterator[str]:
        """Why values of one element are no values of another, `codes` being converted."""
        textual = {"text", "code", "npi"}
        alike = before.type == after.type or (
            before.type in textual and after.type in (textual if codes else {"text"})
        )
        if not (alike or (before.type, after.type) in _WIDER):
            yield f"was {before.type}, is {after.type}: say by which `expression`"
            return
        if before.unit != after.unit:
            yield f"was in {before.unit}, is in {after.unit}: say by which `expression`"
        if before.scale > after.scale:
            yield f"kept {before.scale} decimals, keeps {after.scale}: say by which `expression`"
        if before.precision != after.precision:
            yield f"was a {before.precision}, is a {after.precision}: say by which `expression`"
        if lost := sorted(set(before.unknown) - set(after.unknown) - codes.keys()):
            yield f"{', '.join(lost)} said unknown and would be a value: say it in `codes`"
        was, now = self.old.value_set(before), self.new.value_set(after)
        if now is None:
            return
        gone = [one for one in (was.labels if was else ()) if one not in {*now.labels, *codes}]
        if gone:
            yield f"code {', '.join(gone)} is none any more: say in `codes` what it is now"


_WIDER = {("integer", "decimal"), ("code", "codes")}
"""Whose values are values of the other as they are spelled."""
