"""What every check of a definition stands on: the parts by name, and how to complain of one."""

import difflib
from collections.abc import Iterable, Iterator, Mapping

from app.registries import expressions
from app.registries.expressions import ANY, ExpressionRefused, Kind, Type, Windows
from app.registries.schema import Definition, Form

Place = tuple[str | int, ...]
Complaints = Iterator[tuple[Place, str, int]]


class Ground:
    """A definition with its parts by name. Parts in `aside` were complained of already."""

    def __init__(self, definition: Definition, aside: frozenset[str]) -> None:
        self.definition, self.aside = definition, aside
        self.forms = {form.id: form for form in definition.forms}
        self.modules = {module.id for module in definition.modules}
        self.ghosts = dict.fromkeys(aside, ANY)
        """Columns of elements set aside: they are there, only their type is not known."""

    def repeated(self, place: Place, ids: Iterable[object]) -> Complaints:
        seen: set[object] = set()
        for number, one in enumerate(ids):
            if one in seen:
                name = one[-1] if isinstance(one, tuple) else one
                yield (*place, number), f"`{name}` is declared twice", 0
            seen.add(one)

    def missing(self, place: Place, name: str, known: Iterable[str], what: str) -> Complaints:
        known = list(known)
        if name not in known and name not in self.aside:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean `{close[0]}`?" if close else ""
            yield place, f"there is no {what} `{name}`{hint}", 0

    def expression(
        self,
        place: Place,
        text: str | None,
        columns: Mapping[str, Type],
        gives: Kind | None = "boolean",
        windows: Windows | None = None,
    ) -> Complaints:
        if text is None:
            return
        try:
            expressions.compile(
                text, dict(self.ghosts) | dict(columns), gives=gives, windows=windows
            )
        except ExpressionRefused as refused:
            for one in refused.complaints:
                yield place, one.message, one.line - 1

    def sound(self, form: Form) -> Form:
        """The form with a parent that exists, so that its columns can be listed."""
        if form.parent is not None and form.parent not in self.forms:
            return form.model_copy(update={"parent": None})
        return form

    def counted_forms(self) -> list[str]:
        return [one.id for one in self.forms.values() if one.counted]
