"""Measures: populations, observations, strata, and their worked examples."""

from collections.abc import Mapping

from app.registries import case_mix, expressions
from app.registries.entries import FormCheck
from app.registries.expressions import ExpressionRefused, Type
from app.registries.findings import Severity
from app.registries.measure import Example, Measure
from app.registries.qpp.mapping import unfit
from app.registries.schema import Form
from app.registries.soundness.derived import Columns
from app.registries.soundness.ground import Complaints, Ground, Place


class Measures:
    def __init__(self, ground: Ground, columns: Columns, spoiled: frozenset[str]) -> None:
        self.ground, self.columns = ground, columns
        self.spoiled = spoiled
        """Forms with complaints; what they would say of an example is worth nothing."""
        self.checks: dict[str, FormCheck] = {}

    def measure(self, place: Place, measure: Measure) -> Complaints:
        if measure.module is not None:
            yield from self.ground.missing(
                (*place, "module"), measure.module, self.ground.modules, "module"
            )
        form = self.ground.forms.get(measure.form)
        if form is None or measure.form not in self.columns or form.part:
            yield from self.ground.missing(
                (*place, "form"), measure.form, self.ground.counted_forms(), "form that is counted"
            )
            return
        seen = self.columns[measure.form]
        for name in (
            "initial_population", "denominator", "denominator_exclusion", "denominator_exception", "numerator"
        ):  # fmt: skip
            yield from self.ground.expression((*place, name), getattr(measure, name), seen)
        yield from self.observation(place, measure, seen)
        yield from self.ground.repeated(
            (*place, "stratifiers"), (one.id for one in measure.stratifiers)
        )
        for number, one in enumerate(measure.stratifiers):
            at = (*place, "stratifiers", number, "expression")
            yield from self.ground.expression(at, one.expression, seen, "text")
        yield from self.case_mix((*place, "case_mix"), measure, seen)
        yield from self.reference_levels((*place, "reference_levels"), measure)
        if measure.control_chart in ("p", "u", "g", "t") and measure.scoring != "proportion":
            yield (*place, "control_chart"), "is of proportions: others have `xmr`", 0
        if measure.shown_when is not None:
            ids = [one.id for one in self.ground.definition.measures]
            at = (*place, "shown_when")
            yield from self.ground.missing(at, measure.shown_when.measure, ids, "measure")
        for inner, message in unfit(measure, form):
            yield (*place, *inner), message, 0
        if measure.caution_below < measure.minimum_cases:
            yield (*place, "caution_below"), "is below `minimum_cases`", 0
        if not measure.examples:
            yield place, f"`{measure.id}` needs a worked example", 0
        for number, example in enumerate(measure.examples):
            yield from self.example((*place, "examples", number), measure, form, example)

    def case_mix(self, place: Place, measure: Measure, seen: Mapping[str, Type]) -> Complaints:
        if not measure.case_mix:
            return
        for message in case_mix.unfit(measure.case_mix, measure.scoring, binned=bool(measure.bins)):
            yield place, message, 0
        yield from self.ground.repeated(place, (one.id for one in measure.case_mix))
        for number, one in enumerate(measure.case_mix):
            at = (*place, number)
            yield from self.ground.expression((*at, "expression"), one.expression, seen, "text")
            yield from self.ground.missing((*at, "reference"), one.reference, one.levels, "level")
            if case_mix.UNKNOWN in one.levels:
                yield (
                    (*at, "levels"),
                    f"`{case_mix.UNKNOWN}` is a level of every factor by itself",
                    0,
                )

    def reference_levels(self, place: Place, measure: Measure) -> Complaints:
        told = measure.reference_levels
        if told is None:
            return
        if measure.scoring != "continuous-variable" or not measure.bins:
            yield place, "are of a continuous-variable with `bins`", 0
        if measure.shown_when is not None or measure.matures_after:
            yield place, "are not of a measure that is shown under a condition or later", 0
        yield from self.ground.repeated((*place, "levels"), (one.id for one in told.levels))
        if told.by is None:
            return
        ids = [one.id for one in measure.stratifiers]
        yield from self.ground.missing((*place, "by"), told.by, ids, "stratifier")
        if any(one.id == told.by and not one.strata for one in measure.stratifiers):
            yield (*place, "by"), f"`{told.by}` does not name its strata", 0

    def observation(self, place: Place, measure: Measure, seen: Mapping[str, Type]) -> Complaints:
        needs = {"proportion": "numerator", "cohort": None}.get(measure.scoring, "observation")
        if needs is not None and getattr(measure, needs) is None:
            yield place, f"a {measure.scoring} needs `{needs}`", 0
        if measure.observation is None:
            for name in ("bins", "scale"):
                if getattr(measure, name):
                    yield (*place, name), "needs an `observation`", 0
            return
        at = (*place, "observation")
        try:
            found = expressions.compile(
                measure.observation, dict(self.ground.ghosts) | dict(seen), gives="decimal"
            )
        except ExpressionRefused as refused:
            for one in refused.complaints:
                yield at, one.message, one.line - 1
            return
        if found.type.scale > measure.scale:
            yield at, f"gives {found.type.scale} decimals, `scale` keeps {measure.scale}", 0
        if list(measure.bins) != sorted(set(measure.bins)):
            yield (*place, "bins"), "edges must rise", 0

    def example(self, place: Place, measure: Measure, form: Form, example: Example) -> Complaints:
        if not example.expect:
            yield place, "says nothing of what is to be expected", 0
        strata = {one.id for one in measure.stratifiers}
        for number, counts in enumerate(example.expect):
            at = (*place, "expect", number)
            if counts.stratum is not None and counts.stratum.partition(":")[0] not in strata:
                yield at, f"there is no stratifier for `{counts.stratum}`", 0
            if counts.case_mix is not None:
                levels = {one.id: one.every for one in measure.case_mix}
                if counts.case_mix.keys() - self.ground.aside != levels.keys():
                    yield (*at, "case_mix"), "needs a level of each factor of the case mix", 0
                for name, level in counts.case_mix.items():
                    yield from self.ground.missing(
                        (*at, "case_mix"), level, levels.get(name, (level,)), f"level of `{name}`"
                    )
        for number, case in enumerate(example.cases):
            at = (*place, "cases", number)
            own = self.ground.forms.get(case.form) if case.form else form
            if own is None:
                yield at, f"there is no form `{case.form}`", 0
                continue
            given = {
                name: value
                for name, value in (example.common | case.elements).items()
                if value is not None
            }
            yield from self.entry((*at, "elements"), own, given)
            for inner, follow_up in enumerate(case.follow_ups):
                followed = self.ground.forms.get(follow_up.form)
                if followed is None or followed.parent != own.id:
                    yield (
                        (*at, "follow_ups", inner),
                        f"`{follow_up.form}` does not follow `{own.id}`",
                        0,
                    )
                else:
                    where = (*at, "follow_ups", inner, "elements")
                    yield from self.entry(where, followed, follow_up.elements)

    def entry(self, place: Place, form: Form, elements: Mapping[str, object]) -> Complaints:
        if not self.spoiled.isdisjoint((form.id, *form.includes)):
            return
        check = self.checks.get(form.id) or FormCheck(self.ground.definition, form.id)
        self.checks[form.id] = check
        keys = {*form.key, *form.otherwise_key}
        for one in check.check(elements, draft=True).flaws:
            if one.severity is Severity.REJECT and one.place not in keys:
                # A member of the entry itself can be told by its name; one of a row by its place.
                name = (
                    list(elements)[int(one.place.split()[1]) - 1]
                    if one.place.startswith("member ")
                    else one.place
                )
                at = name.partition("[")[0]
                if self.ground.aside.isdisjoint((name, name.rpartition(".")[2])):
                    yield (*place, at), f"`{name}`: {one.code.value}", 0
