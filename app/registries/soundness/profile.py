"""How a registry's data are simulated: of forms, elements and codes that there are."""

from collections.abc import Iterator, Mapping

from app.registries import rows
from app.registries.kinds import Type
from app.registries.profile import Chance, Draw
from app.registries.schema import Element, Form
from app.registries.soundness.ground import Complaints, Ground, Place


def profile(ground: Ground) -> Complaints:
    """What a simulation profile says of forms, elements or codes that there are not."""
    for name, its in ground.definition.simulation.forms.items():
        place: Place = ("simulation", "forms", name)
        yield from ground.missing(place, name, ground.forms, "form")
        if name not in ground.forms:
            continue
        form = ground.sound(ground.forms[name])
        for element_id, draw in its.elements.items():
            at = (*place, "elements", element_id)
            drawn = list(_drawn(form, element_id))
            if not drawn:
                rowed = [one.id for its in form.group_paths.values() for one in its[-1].elements]
                yield from ground.missing(at, element_id, (*form.by_id, *rowed), "element")
            for group, element in drawn:
                yield from _draw(ground, at, form, group, element, draw)


def _drawn(form: Form, element_id: str) -> Iterator[tuple[str | None, Element]]:
    """The form's element of that id, or those of groups' rows by the group's path."""
    if element_id in form.by_id:
        yield None, form.by_id[element_id]
        return
    for path, groups in form.group_paths.items():
        if element_id in groups[-1].by_id:
            yield path, groups[-1].by_id[element_id]


def _draw(
    ground: Ground, place: Place, form: Form, group: str | None, element: Element, draw: Draw
) -> Complaints:
    columns = rows.rule_columns(ground.definition, form, group)
    known = (form if group is None else form.row_of(group)).by_id
    if element.computed is not None:
        yield place, f"`{element.id}` is worked out, never drawn", 0
    yield from _chance(ground, place, columns, known, element, draw)
    for number, case in enumerate(draw.cases):
        inner = (*place, "cases", number)
        yield from ground.expression((*inner, "when"), case.when, columns)
        yield from _chance(ground, inner, columns, known, element, case)


def _chance(
    ground: Ground,
    place: Place,
    columns: Mapping[str, Type],
    known: Mapping[str, Element],
    element: Element,
    chance: Chance,
) -> Complaints:
    gives = rows.type_of(element).kind
    yield from ground.expression((*place, "equals"), chance.equals, columns, gives)
    values = ground.definition.value_sets.get(element.value_set or "")
    if values is not None:
        codes = [one.code for one in values.codes]
        for code in chance.weights:
            yield from ground.missing((*place, "weights"), code, codes, "code")
    if chance.weights and not any(chance.weights.values()):
        yield (*place, "weights"), "one weight must be above 0", 0
    if chance.after is not None:
        yield from ground.missing((*place, "after"), chance.after, known, "element")
        if element.type != "date":
            yield (*place, "after"), "only a date comes after another", 0
