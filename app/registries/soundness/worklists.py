"""Worklists: which cases, when they are due and overdue, and what is shown of them."""

from collections.abc import Iterator

from app.registries.expressions import Kind
from app.registries.soundness.derived import Columns
from app.registries.soundness.ground import Complaints, Ground, Place
from app.registries.worklist import Worklist

_GIVES: dict[str, Kind] = {"day": "date", "months": "integer", "days": "integer"}


class Worklists:
    def __init__(self, ground: Ground, columns: Columns) -> None:
        self.ground, self.columns = ground, columns

    def worklist(self, place: Place, worklist: Worklist) -> Complaints:
        if worklist.module is not None:
            yield from self.ground.missing(
                (*place, "module"), worklist.module, self.ground.modules, "module"
            )
        form = self.ground.forms.get(worklist.form)
        if form is None or form.level != "case" or form.part:
            yield from self.ground.missing(
                (*place, "form"), worklist.form, self._case_forms(), "form of cases"
            )
            return
        seen = self.columns[form.id]
        for name, text in worklist.texts.items():
            steps = tuple(name.split("."))
            gives = _GIVES.get(steps[-1], "boolean")
            yield from self.ground.expression((*place, *steps), text, seen, gives)
        for number, column in enumerate(worklist.columns):
            yield from self.ground.missing((*place, "columns", number), column, seen, "column")
        yield from self.ground.repeated((*place, "columns"), worklist.columns)

    def _case_forms(self) -> Iterator[str]:
        for one in self.ground.forms.values():
            if one.level == "case" and not one.part:
                yield one.id
