"""How a registry's data are simulated: of forms, elements and codes that there are."""

from app.registries import rows
from app.registries.profile import Chance
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
            yield from ground.missing(at, element_id, form.by_id, "element")
            if (element := form.by_id.get(element_id)) is None:
                continue
            if element.computed is not None:
                yield at, f"`{element_id}` is worked out, never drawn", 0
            yield from _chance(ground, at, form, element, draw)
            for number, case in enumerate(draw.cases):
                inner = (*at, "cases", number)
                columns = rows.rule_columns(ground.definition, form)
                yield from ground.expression((*inner, "when"), case.when, columns)
                yield from _chance(ground, inner, form, element, case)


def _chance(
    ground: Ground, place: Place, form: Form, element: Element, chance: Chance
) -> Complaints:
    columns = rows.rule_columns(ground.definition, form)
    gives = rows.type_of(element).kind
    yield from ground.expression((*place, "equals"), chance.equals, columns, gives)
    values = ground.definition.value_sets.get(element.value_set or "")
    if values is not None:
        known = [one.code for one in values.codes]
        for code in chance.weights:
            yield from ground.missing((*place, "weights"), code, known, "code")
    if chance.weights and not any(chance.weights.values()):
        yield (*place, "weights"), "one weight must be above 0", 0
    if chance.after is not None:
        yield from ground.missing((*place, "after"), chance.after, form.by_id, "element")
        if element.type != "date":
            yield (*place, "after"), "only a date comes after another", 0
