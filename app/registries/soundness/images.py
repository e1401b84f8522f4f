"""Sources of cases, and the places where elements are read: what has to fit together."""

from app.registries.images import ImageSource, Reading
from app.registries.schema import Element, Form
from app.registries.soundness.ground import Complaints, Ground, Place

_READABLE = ("text", "code", "integer", "decimal", "date")
_OF_NUMBERS = ("max", "min", "sum")


class Images:
    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.sources: dict[str, list[ImageSource]] = {}
        for one in ground.definition.images:
            self.sources.setdefault(one.form, []).append(one)

    def source(self, place: Place, source: ImageSource) -> Complaints:
        form = self.ground.forms.get(source.form)
        if form is None or form.level != "case" or form.part:
            known = [
                one.id for one in self.ground.forms.values() if one.level == "case" and not one.part
            ]
            yield from self.ground.missing((*place, "form"), source.form, known, "form of cases")
            return
        first = self.sources[source.form][0]
        if source.makes_cases != first.makes_cases:
            yield (*place, "makes_cases"), f"`{first.id}` says otherwise of the same form", 0
        read = {one.id for one in form.all_elements if one.from_dicom}
        facility = form.with_identity("facility")
        if facility is not None:
            read.add(facility.id)
        if not any(keys and read.issuperset(keys) for keys in (form.key, form.otherwise_key)):
            yield (
                (*place, "form"),
                f"the key of `{form.id}` cannot be read: give it `from_dicom`",
                0,
            )
        if source.makes_cases and form.period is not None and form.period not in read:
            yield (*place, "form"), f"`{form.period}` says when it was: give it `from_dicom`", 0

    def untyped(self, place: Place, form: Form) -> Complaints:
        """A form that nobody types: whatever it has, images must say."""
        if form.typed:
            return
        at = (*place, "typed")
        if form.level != "case" or form.part:
            yield at, "only cases come of images", 0
        elif not any(one.makes_cases for one in self.sources.get(form.id, ())):
            yield at, f"no images make cases of `{form.id}`: see `images.yaml`", 0
        for element in form.all_elements:
            given = element.identity == "facility" or element.computed is not None
            if not given and not element.from_dicom:
                yield at, f"`{element.id}` is read in no image, and nobody could type it", 0
        if form.all_groups:
            yield at, f"no image says rows of `{form.all_groups[0].id}`", 0

    def element(self, place: Place, form: Form, element: Element) -> Complaints:
        for number, reading in enumerate(element.from_dicom):
            yield from self.reading((*place, "from_dicom", number), element, reading)
        if element.from_dicom:
            yield from self.carried(place, form, element)
            if len({one.take for one in element.from_dicom}) > 1:
                yield (*place, "from_dicom"), "every place of an element has the same `take`", 0
        if element.cross_check is None:
            return
        at = (*place, "cross_check")
        if not element.from_dicom or element.identifying:
            yield at, "needs `from_dicom`, and an element that does not identify", 0
        tolerances = element.cross_check.absolute or element.cross_check.relative
        if tolerances and element.type not in ("integer", "decimal"):
            yield at, "only numbers have a tolerance", 0

    def carried(self, place: Place, form: Form, element: Element) -> Complaints:
        carriers = [
            form.id,
            *(one.id for one in self.ground.forms.values() if form.id in one.includes),
        ]
        if self.sources.keys().isdisjoint(carriers):
            yield (*place, "from_dicom"), f"no images speak of `{form.id}`: see `images.yaml`", 0
        if element.type not in _READABLE:
            yield (
                (*place, "from_dicom"),
                f"an element of type {element.type} is not read in images",
                0,
            )
        if element.computed is not None or element.identity == "facility":
            yield (*place, "from_dicom"), "is known without images", 0

    def reading(self, place: Place, element: Element, reading: Reading) -> Complaints:
        number = element.type in ("integer", "decimal")
        if reading.content and element.identifying:
            yield (*place, "content"), "what identifies is read in attributes alone", 0
        if reading.content and element.type == "date":
            yield (*place, "content"), "dates of content items are shifted: read an attribute", 0
        if reading.age_on is not None and element.type != "integer":
            yield (*place, "age_on"), "an age is an integer", 0
        if reading.take in _OF_NUMBERS and not number:
            yield (*place, "take"), f"only numbers have a {reading.take}", 0
        if reading.take == "count" and element.type != "integer":
            yield (*place, "take"), "a count is an integer", 0
        if reading.unit is not None and (reading.attribute is None or not number):
            yield (*place, "unit"), "only the number of an attribute is told its unit", 0
        if reading.mixed is not None and reading.take != "only":
            yield (*place, "mixed"), "is what stands where not all agree: `take: only`", 0
        yield from self.codes(place, element, reading)

    def codes(self, place: Place, element: Element, reading: Reading) -> Complaints:
        given = [
            *((("codes", said), code) for said, code in reading.codes.items()),
            *(
                ((name,), code)
                for name in ("otherwise", "mixed")
                if (code := getattr(reading, name))
            ),
        ]
        if given and element.type != "code":
            yield (*place, given[0][0][0]), "only a code has codes", 0
            return
        value_set = self.ground.definition.value_sets.get(element.value_set or "")
        if value_set is None:
            return
        for inner, code in given:
            yield from self.ground.missing((*place, *inner), code, value_set.allowed, "code")
