"""What reporting modules fill: elements that are there and may be sent, and codes that they have."""

from collections.abc import Iterable

from app.registries.element import Element
from app.registries.reported import Filled, Reported
from app.registries.soundness.ground import Complaints, Ground, Place


def reported(ground: Ground, place: Place, one: Reported) -> Complaints:
    """Everything that does not fit of one module's filling."""
    form = ground.forms.get(one.form)
    known = [each.id for each in ground.forms.values() if not each.part and not each.of_facility]
    if form is None or form.id not in known:
        yield from ground.missing((*place, "form"), one.form, known, "form of entries")
        return
    yield from _filled(ground, (*place, "elements"), one.elements, form.by_id)
    groups = {group.id: group for group in form.all_groups}
    for number, rows in enumerate(one.groups):
        at = (*place, "groups", number)
        yield from ground.missing((*at, "group"), rows.group, groups, "group")
        if rows.group in groups:
            inside = {element.id: element for element in groups[rows.group].elements}
            yield from _filled(ground, (*at, "elements"), rows.elements, inside)


def _filled(
    ground: Ground, place: Place, some: Iterable[Filled], elements: dict[str, Element]
) -> Complaints:
    yield from ground.repeated(place, (one.element for one in some))
    for number, one in enumerate(some):
        at = (*place, number)
        element = elements.get(one.element)
        if element is None:
            yield from ground.missing((*at, "element"), one.element, elements, "element")
            continue
        if element.computed is not None or element.identifying:
            yield (
                (*at, "element"),
                f"`{element.id}` is worked out or identifies: it is not filled",
                0,
            )
        values = ground.definition.value_set(element) if element.value_set else None
        if values is None:
            continue
        known = [code.code for code in values.codes]
        for name, code in one.codes.items():
            yield from ground.missing((*at, "codes", name), code, known, f"code of `{element.id}`")
        if one.value is not None:
            yield from ground.missing((*at, "value"), one.value, known, f"code of `{element.id}`")
