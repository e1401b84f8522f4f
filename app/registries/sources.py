"""What a definition asks of images, told: every place that is read, and a section of the dictionary."""

from collections.abc import Iterator

from app.registries.images import Reading
from app.registries.schema import Definition, Element, Form


def readings(definition: Definition) -> Iterator[tuple[Form, Element, Reading]]:
    """Every place where an element is read, with the form that the element stands in."""
    for form in definition.forms:
        for element in form.elements:
            for reading in element.from_dicom:
                yield form, element, reading


def images_markdown(definition: Definition) -> Iterator[str]:
    """The section "Cases from images" of a data dictionary; nothing where there are none."""
    if not definition.images:
        return
    yield from ("", "## Cases from images", "", "| objects | form | what comes of them |")
    yield "|---|---|---|"
    for one in definition.images:
        does = "a case or a draft" if one.makes_cases else "a check of what is typed"
        does += f" for each `{one.each}`" if one.each else ""
        yield f"| {one.title or one.id} | {one.form} | {does} |"
    yield from ("", "| element | read in | taken |", "|---|---|---|")
    for form, element, reading in readings(definition):
        yield f"| `{form.id}.{element.id}` | {reading.place} | {reading.take} |"
