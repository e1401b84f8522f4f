"""
Whether a definition fits those who carry it out.

Its own schema cannot know what de-identification takes away, what a reporting module says, or what the
engine counts: each is asked, whether the definition comes from a folder or by the wire.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.benchmarks.engine import Engine
from app.benchmarks.examples import miscounted
from app.deid.choices import WrongChoices, choices_of
from app.deid.profile import Profile
from app.deid.readable import against, strangers
from app.registries.document import Place
from app.registries.schema import Definition
from app.registries.sources import readings
from app.reporting.draft import unfit
from app.reporting.own import packaged as shipped_modules


def misfits(definition: Definition, *, worked: bool = False) -> Iterator[tuple[Place, str]]:
    """What does not fit, and where in the document it stands.

    With `worked`, its worked examples are counted too.
    """
    yield from _of_modules(definition)
    try:
        choices_of(definition.deid)
    except WrongChoices as error:
        yield from ((("deid", *place), says) for place, says in error.complaints)
    else:
        yield from _unreadable(definition)
    if worked:
        with tempfile.TemporaryDirectory() as spill:
            for one in miscounted(Engine("1GB", "1GB", Path(spill)), definition):
                yield one.place, one.says


def _of_modules(definition: Definition) -> Iterator[tuple[Place, str]]:
    """What is taken of a shipped reporting module that it never says; others may yet be imported."""
    for number, reported in enumerate(definition.reported):
        module = shipped_modules().get(reported.module)
        if module is not None and reported.version in (None, module.version):
            for place, says in unfit(reported, module):
                yield ("reported", number, *place), says


def _unreadable(definition: Definition) -> Iterator[tuple[Place, str]]:
    """What is read of images and may not be, or is not there."""
    for number, source in enumerate(definition.images):
        for inner, where in enumerate(source.where):
            for one in strangers(where.attribute):
                yield ("images", number, "where", inner), f"`{source.id}` asks {one}"
    found = list(readings(definition))
    profile = Profile.of(definition.deid) if found else None
    places = {
        (form.id, element.id): ("forms", number, "elements", inner, "from_dicom")
        for number, form in enumerate(definition.forms)
        for inner, element in enumerate(form.elements)
    }
    for form, element, reading in found:
        carriers = {form.id, *(one.id for one in definition.forms if form.id in one.includes)}
        classes = {
            uid for one in definition.images if one.form in carriers for uid in one.sop_classes
        }
        keywords = reading.attribute or reading.age_on
        if keywords is None or profile is None:
            continue
        wrong = strangers(keywords)
        if not wrong and not element.identifying:
            day = reading.age_on is not None or element.type == "date"
            wrong = against(profile, classes, keywords, day=day)
        place: Place = places[form.id, element.id]
        yield from ((place, f"`{element.id}` reads {one}") for one in wrong)
