"""What a definition asks of images: every place that is read."""

from collections.abc import Iterator

from app.registries.images import Reading
from app.registries.schema import Definition, Element, Form


def readings(definition: Definition) -> Iterator[tuple[Form, Element, Reading]]:
    """Every place where an element is read, with the form that the element stands in."""
    for form in definition.forms:
        for element in form.elements:
            for reading in element.from_dicom:
                yield form, element, reading
