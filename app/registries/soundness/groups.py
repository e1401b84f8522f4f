"""Groups: rows of elements inside a form, and rows inside those."""

from app.registries.schema import Form, Group
from app.registries.soundness.ground import Complaints, Ground, Place

DEEPEST = 2
OURS = frozenset(("e", "each", "case_id"))
"""What the relation of measures calls a row and its case."""


class Groups:
    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    def of_form(self, place: Place, form: Form) -> Complaints:
        """The groups of a form by themselves; their elements are looked at as all elements are."""
        taken = set(form.by_id)
        for other in form.included:
            for group in other.groups:
                if group.id in taken or group.id in {one.id for one in form.groups}:
                    yield (*place, "includes"), f"`{other.id}` has a group `{group.id}` as well", 0
        yield from self._among(place, form.groups, taken, 1)

    def _among(
        self, place: Place, groups: tuple[Group, ...], taken: set[str], depth: int
    ) -> Complaints:
        yield from self.ground.repeated((*place, "groups"), (one.id for one in groups))
        for number, group in enumerate(groups):
            at = (*place, "groups", number)
            if depth > DEEPEST:
                yield at, f"groups stand {DEEPEST} deep and no deeper", 0
            if group.id in taken:
                yield (*at, "id"), f"there is an element `{group.id}` already", 0
            if group.at_least > group.at_most:
                yield (*at, "at_least"), "is above `at_most`", 0
            yield from self.ground.repeated((*at, "elements"), (one.id for one in group.elements))
            for inner, element in enumerate(group.elements):
                own = (*at, "elements", inner)
                if element.id in taken:
                    # A row and what stands around it are one row to a rule and to a measure.
                    yield (*own, "id"), f"there is an element `{element.id}` around the group", 0
                if element.id in OURS:
                    yield (*own, "id"), f"`{element.id}` is a word of our own", 0
                if element.identifying or element.identity is not None:
                    yield own, f"`{element.id}` identifies: it stands outside the group", 0
            within = taken | {group.id} | {one.id for one in group.elements}
            yield from self._among(at, group.groups, within, depth + 1)
