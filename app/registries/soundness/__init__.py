"""
What must hold across a definition that the schema of one part cannot see.

Each check yields complaints as (place, message, further lines); `load.py` turns the place into a
file and a line. Nothing stops at the first.
"""

from app.registries import rows
from app.registries.improvement import unfit as unfit_template
from app.registries.qpp.mapping import claimed_twice
from app.registries.schema import Definition
from app.registries.soundness.derived import DerivedColumns
from app.registries.soundness.forms import Forms
from app.registries.soundness.ground import Complaints, Ground
from app.registries.soundness.images import Images
from app.registries.soundness.measures import Measures
from app.registries.soundness.peers import Peers
from app.registries.soundness.profile import profile as simulation_profile
from app.registries.soundness.reported import reported as reported_elements
from app.registries.soundness.worklists import Worklists
from app.registries.window import begins, ends


def unsound(definition: Definition, aside: frozenset[str]) -> Complaints:
    """Everything that does not hold; parts in `aside` were complained of already."""
    ground = Ground(definition, aside)
    if definition.accept_until is not None and ends(definition.accept_until) <= begins(
        definition.accept_from
    ):
        yield ("accept_until",), "is before `accept_from`", 0
    for name in (
        "modules",
        "forms",
        "rules",
        "decisions",
        "measures",
        "peers",
        "improvement",
        "images",
        "worklists",
    ):
        yield from ground.repeated((name,), (one.id for one in getattr(definition, name)))
    yield from ground.repeated(("derived",), ((one.form, one.id) for one in definition.derived))

    forms, spoiled = Forms(ground), set[str]()
    for key, value_set in definition.value_sets.items():
        yield from forms.value_set(("value_sets", key), value_set)
    if not any(form.level == "case" and not form.part for form in definition.forms):
        yield ("forms",), "a registry needs a form of level `case`", 0
    for number, form in enumerate(definition.forms):
        asked = (one for path in form.group_paths.values() for one in path[-1].elements)
        if any(one.value_set and not definition.value_set(one) for one in (*form.elements, *asked)):
            spoiled.add(form.id)
        for complaint in forms.form(("forms", number), form):
            spoiled.add(form.id)
            yield complaint
    for number, rule in enumerate(definition.rules):
        yield from forms.rule(("rules", number), rule)

    images = Images(ground)
    for number, source in enumerate(definition.images):
        yield from images.source(("images", number), source)
    for number, form in enumerate(definition.forms):
        yield from images.untyped(("forms", number), form)
        for inside, element in enumerate(form.elements):
            yield from images.element(("forms", number, "elements", inside), form, element)

    for number, table in enumerate(definition.decisions):
        for inner, message in table.complaints():
            yield ("decisions", number, *inner), message, 0
    columns = {
        form.id: rows.case_columns(definition, form)
        for form in definition.forms
        if form.level == "case" or form.counted
    }
    derived = DerivedColumns(ground, columns)
    for number, one in enumerate(definition.derived):
        yield from derived.derived(("derived", number), one)

    measures = Measures(ground, columns, frozenset(spoiled))
    for number, measure in enumerate(definition.measures):
        yield from measures.measure(("measures", number), measure)
    for inner, message in claimed_twice(definition.measures):
        yield ("measures", *inner), message, 0

    worklists = Worklists(ground, columns)
    for number, worklist in enumerate(definition.worklists):
        yield from worklists.worklist(("worklists", number), worklist)

    for number, filling in enumerate(definition.reported):
        yield from reported_elements(ground, ("reported", number), filling)

    peers = Peers(ground)
    for number, group in enumerate(definition.peers):
        yield from peers.peers(("peers", number), group)
    told = [(one.id, one.scoring, one.improvement) for one in definition.measures]
    for number, template in enumerate(definition.improvement):
        yield from unfit_template(
            ("improvement", number), template, ground.modules, told, ground.missing
        )
    yield from simulation_profile(ground)
