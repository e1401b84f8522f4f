"""The shape of a definition: what a registry collects, checks, measures and compares.

Its larger parts lie beside it, most of them a file of YAML each. `load.py` reads it from a folder and
answers for its cross references; everybody else reads it from here and changes nothing. Expressions are kept as the text that was written; whoever runs
one compiles it with `expressions.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from app.registries.conversion import Conversion
from app.registries.decisions import DecisionTable
from app.registries.derived import Derived, decided
from app.registries.element import (
    Code,
    Element,
    ElementCodes,
    Group,
    Identity,
    Precision,
    Range,
    RuleSeverity,
    ValueSet,
)
from app.registries.images import ImageSource
from app.registries.improvement import ImprovementTemplate
from app.registries.measure import Measure
from app.registries.parts import (
    Identifier,
    Limits,
    Part,
    Slug,
    Source,
    Version,
)
from app.registries.peers import Band, PeerGroup
from app.registries.profile import Profile
from app.registries.reported import Reported
from app.registries.rule import Rule
from app.registries.window import Bound, begins, ends
from app.registries.worklist import Worklist

__all__ = [
    "Band",
    "Code",
    "Definition",
    "Derived",
    "Element",
    "ElementCodes",
    "Group",
    "Identity",
    "Limits",
    "Part",
    "PeerGroup",
    "Precision",
    "Range",
    "Rule",
    "RuleSeverity",
    "Source",
    "ValueSet",
]

Level = Literal["subject", "case", "follow-up", "facility-period", "facility-list"]
Policy = Literal["per-entry", "whole-file"]
"""Whether a flaw costs its own entry alone, or all that came with it."""

Channel = Literal["web-form", "json", "ndjson", "delimited", "xlsx", "fhir", "dicomweb"]


class Module(Part):
    """An optional part of a registry."""

    id: Slug
    title: str
    source: Source = "confirmed"
    reference: str | None = None


class Form(Part):
    """A kind of record."""

    id: Identifier
    title: str
    level: Level
    module: Slug | None = None
    key: tuple[Identifier, ...] = ()
    """What tells two records apart. A subject form without one is kept per subject, a form of a
    facility's periods per period."""
    otherwise_key: tuple[Identifier, ...] = ()
    """Used when an element of `key` was left out."""
    parent: Identifier | None = None
    """The form this one follows up; the parent's key elements are in this form too."""
    includes: tuple[Identifier, ...] = ()
    """Forms whose elements an entry of this form carries as well, flat."""
    part: bool = False
    """Only ever carried by another form; never sent by itself."""
    typed: bool = True
    """FALSE: its cases come of images alone. Entries withdraw them, and do no more."""
    period: Identifier | None = None
    """The date that places a record in a month; of a facility's periods, the month or year itself."""
    codes: ElementCodes = ElementCodes()
    physician: Identifier | None = None
    """The element with the NPI of the physician whose own results a case counts in. A facility's periods
    are reported for each physician where it is a part of the `key`."""
    elements: Annotated[tuple[Element, ...], Field(min_length=1)]
    groups: tuple[Group, ...] = ()
    """What is asked row by row: the parts of a model, the nodules of an exam."""
    included: tuple[Form, ...] = Field(default=(), exclude=True, repr=False)
    """The forms named by `includes`, filled in when the definition is put together."""

    @model_validator(mode="before")
    @classmethod
    def _kept_by_period(cls, form: Any) -> Any:
        if isinstance(form, dict) and form.get("level") == "facility-period" and form.get("period"):
            return {"key": (form["period"],), **form}
        return form

    @property
    def counted(self) -> bool:
        """Whether measures count its records: cases, and what a facility reports of its periods."""
        return self.level in ("case", "facility-period") and not self.part

    @property
    def of_facility(self) -> bool:
        """Whether its records are a facility's own, and nobody's in particular."""
        return self.level in ("facility-period", "facility-list")

    @cached_property
    def all_elements(self) -> tuple[Element, ...]:
        """Own elements, then the included forms' in order."""
        return self.elements + tuple(element for form in self.included for element in form.elements)

    @cached_property
    def by_id(self) -> dict[str, Element]:
        return {element.id: element for element in self.all_elements}

    @cached_property
    def all_groups(self) -> tuple[Group, ...]:
        """Own groups, then the included forms'."""
        return self.groups + tuple(group for form in self.included for group in form.groups)

    @cached_property
    def group_paths(self) -> dict[str, tuple[Group, ...]]:
        """Every group by its path, `models` or `models.parts`: the groups it stands in, and itself."""
        found: dict[str, tuple[Group, ...]] = {}
        for group in self.all_groups:
            found[group.id] = (group,)
            found |= {f"{group.id}.{inner.id}": (group, inner) for inner in group.groups}
        return found

    def row_of(self, path: str) -> Form:
        """A row of a group as a form of its own: its elements, beside those that stand around it.

        What stands around it is given there: neither worked out nor asked for once more.
        """
        *above, own = self.group_paths[path]
        around = [*self.all_elements, *(one for group in above for one in group.elements)]
        given = {"computed": None, "required": False, "required_when": None, "relevant_when": None}
        elements = (*(one.model_copy(update=given) for one in around), *own.elements)
        update = {"elements": elements, "groups": (), "includes": (), "included": ()}
        return self.model_copy(update=update)

    def with_identity(self, identity: Identity) -> Element | None:
        """The element that plays this part, if the form has one."""
        return next((one for one in self.all_elements if one.identity == identity), None)


class Definition(Part):
    """A registry, whole: one version of its document."""

    id: Slug
    version: Version
    title: str
    steward: str
    description: str = ""
    modules: tuple[Module, ...] = ()
    accept_from: Bound
    """The first day, or the first second, at which entries of this version are taken."""
    accept_until: Bound | None = None
    """The last day, or the last second, at which entries of this version are taken; none while it
    has no successor."""
    policy: Policy = "per-entry"
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    value_sets: dict[str, ValueSet] = {}
    forms: Annotated[tuple[Form, ...], Field(min_length=1)]
    rules: tuple[Rule, ...] = ()
    decisions: tuple[DecisionTable, ...] = ()
    derived: tuple[Derived, ...] = ()
    measures: tuple[Measure, ...] = ()
    peers: tuple[PeerGroup, ...] = ()
    improvement: tuple[ImprovementTemplate, ...] = ()
    """The improvement projects it offers."""
    worklists: tuple[Worklist, ...] = ()
    """What its facilities look after."""
    reported: tuple[Reported, ...] = ()
    """Which reporting modules fill which elements of which form."""
    images: tuple[ImageSource, ...] = ()
    """Which objects speak of cases, and of which form."""
    deid: dict[str, Any] = {}
    """`deid.yaml` as written; `app.deid.profile` gives it its meaning."""
    simulation: Profile = Profile()
    """How its data are simulated. Not published, and no part of the digest."""
    conversions: tuple[Conversion, ...] = ()
    """How entries of earlier versions are read as this one's."""
    digest: str = ""
    """SHA-256 of the canonical document."""
    ancestry: tuple[Definition, ...] = Field(default=(), exclude=True, repr=False)
    """The earlier versions, oldest first, where entries of any of them have to be converted; filled
    in by whoever knows them. No part of the document."""

    @field_validator("forms", mode="after")
    @classmethod
    def _fill_in_included(cls, forms: tuple[Form, ...]) -> tuple[Form, ...]:
        by_id = {form.id: form for form in forms}
        return tuple(
            form.model_copy(
                update={
                    # One level is all there is; `load.py` refuses an included form that includes.
                    "included": tuple(by_id[one] for one in form.includes if one in by_id)
                }
            )
            for form in forms
        )

    @field_validator("rules", mode="after")
    @classmethod
    def _fill_in_dated(cls, rules: tuple[Rule, ...], info: ValidationInfo) -> tuple[Rule, ...]:
        """The date that a rule's days are of, where it does not say: its form's period."""
        periods = {form.id: form.period for form in info.data.get("forms", ())}
        return tuple(
            rule.model_copy(update={"by": periods.get(rule.form)})
            if rule.by is None and (rule.since or rule.until)
            else rule
            for rule in rules
        )

    @field_validator("derived", mode="after")
    @classmethod
    def _fill_in_decided(
        cls, derived: tuple[Derived, ...], info: ValidationInfo
    ) -> tuple[Derived, ...]:
        """The SQL of columns that a decision table decides; `soundness` complains of what is none."""
        tables = {one.id: one for one in info.data.get("decisions", ())}
        return tuple(
            one.model_copy(update={"expression": text})
            if (text := decided(one, tables)) is not None
            else one
            for one in derived
        )

    @cached_property
    def _forms(self) -> dict[str, Form]:
        return {form.id: form for form in self.forms}

    @cached_property
    def _measures(self) -> dict[str, Measure]:
        return {measure.id: measure for measure in self.measures}

    def form(self, form_id: str) -> Form:
        """A form by its id; KeyError when there is none."""
        return self._forms[form_id]

    def element(self, form_id: str, element_id: str) -> Element:
        """An element of a form, its included forms' too; KeyError when there is none."""
        return self._forms[form_id].by_id[element_id]

    def measure(self, measure_id: str) -> Measure:
        """A measure by its id; KeyError when there is none."""
        return self._measures[measure_id]

    def worklist(self, worklist_id: str) -> Worklist:
        """A worklist by its id; KeyError when there is none."""
        return {one.id: one for one in self.worklists}[worklist_id]

    def improvement_template(self, template_id: str) -> ImprovementTemplate:
        """An improvement project that is offered; KeyError when there is none by that id."""
        return {one.id: one for one in self.improvement}[template_id]

    def value_set(self, element: Element) -> ValueSet | None:
        """The allowed codes of a coded element; None of one that has no codes, or whose value set a
        definition that does not hold together lacks."""
        return self.value_sets.get(element.value_set) if element.value_set else None

    @property
    def first_case_form(self) -> Form:
        """What an entry is when it does not say."""
        return next(form for form in self.forms if form.level == "case" and not form.part)

    @property
    def entry_forms(self) -> tuple[Form, ...]:
        """The forms an entry may name."""
        return tuple(form for form in self.forms if not form.part)

    def follow_up_forms(self, form_id: str) -> tuple[Form, ...]:
        """The follow-up forms of a case form."""
        return tuple(form for form in self.forms if form.parent == form_id)

    @property
    def newness(self) -> tuple[int, ...]:
        """Versions in order: 1.10.0 is newer than 1.9.0."""
        return tuple(int(part) for part in self.version.split("."))

    @cached_property
    def reading(self) -> str:
        """What tells apart two ways to read a registry's entries: its digest, with its ancestors'."""
        return " ".join([self.digest, *(one.digest for one in self.ancestry)])

    def accepts_at(self, moment: datetime) -> bool:
        """Whether entries of this version are taken at a moment."""
        if moment < begins(self.accept_from):
            return False
        return self.accept_until is None or moment < ends(self.accept_until)

    def visible_elements(self, form_id: str) -> Iterator[Element]:
        """The elements that are columns of a case: not the vault's, and not the facility's own id."""
        return (
            one
            for one in self.form(form_id).all_elements
            if not one.identifying and one.identity != "facility"
        )
