"""Where a measure places a case, and what else it asks of one, as SQL over the relation of its form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, get_args

from app.benchmarks.measures import tabulation
from app.benchmarks.relation import narrowed
from app.registries.measure import Measure
from app.registries.schema import Definition

Population = Literal[
    "initial-population",
    "denominator",
    "numerator",
    "unmet",
    "exclusions",
    "exceptions",
    "observations",
]
Placed = Literal[
    "outside", "initial-population", "exclusion", "exception", "denominator", "numerator"
]
"""The innermost population of a case: one in the numerator is in the denominator as well."""

HOLDS: Mapping[Population, tuple[Placed, ...]] = {
    "initial-population": tuple(one for one in get_args(Placed) if one != "outside"),
    "denominator": ("denominator", "numerator"),
    "numerator": ("numerator",),
    "unmet": ("denominator",),
    "exclusions": ("exclusion",),
    "exceptions": ("exception",),
    "observations": ("denominator", "numerator"),
}

STRATIFIER = "stratifier"
"""Begins what a stratifier's expression is called."""


def possible(measure: Measure) -> tuple[Population, ...]:
    """The populations that a measure has."""
    if measure.scoring == "cohort":
        return ("initial-population",)
    has = {
        "initial-population": True,
        "denominator": True,
        "numerator": measure.numerator is not None,
        "unmet": measure.numerator is not None,
        "exclusions": measure.denominator_exclusion is not None,
        "exceptions": measure.denominator_exception is not None,
        "observations": measure.observation is not None,
    }
    return tuple(one for one in get_args(Population) if has[one])


@dataclass(frozen=True, slots=True)
class Texts:
    """What is asked of a measure's cases, as SQL."""

    parts: Mapping[str, str]
    """The measure's expressions as they are written, by what they are to it."""
    compiled: Mapping[str, str]
    placed: str
    observed: str
    read: frozenset[str]
    narrow: str
    """Makes the relation with the columns that are read."""


@dataclass(frozen=True)
class _Of:
    """A measure of a definition, remembered by the digest without hashing the document."""

    digest: str
    measure: str
    definition: Definition = field(compare=False)


def texts_of(definition: Definition, measure: Measure) -> Texts:
    """What is asked of a measure's cases; worked out once a definition."""
    return _written(_Of(definition.reading, measure.id, definition))


@lru_cache(maxsize=256)
def _written(of: _Of) -> Texts:
    measure, definition = of.definition.measure(of.measure), of.definition
    cases = next(one for one in tabulation(definition).relations if one.form == measure.form)
    parts = {
        "initial-population": measure.initial_population,
        "denominator": measure.denominator,
        "exclusion": measure.denominator_exclusion,
        "exception": measure.denominator_exception,
        "numerator": measure.numerator,
        "observation": measure.observation,
    }
    if measure.scoring == "cohort":
        parts = {"initial-population": measure.initial_population}
    parts |= {f"{STRATIFIER} {one.id}": one.expression for one in measure.stratifiers}
    texts = {part: text for part, text in parts.items() if text is not None}
    expressions = {part: cases.compiled(text) for part, text in texts.items()}
    compiled = {part: one.duckdb for part, one in expressions.items()}
    read = frozenset[str]().union(*(one.columns for one in expressions.values()))
    return Texts(
        parts=texts,
        compiled=compiled,
        placed=_place_of(compiled),
        observed=f"({compiled['observation']}) IS NOT NULL" if "observation" in texts else "FALSE",
        read=read,
        narrow=narrowed(definition, measure.form, read),
    )


def _place_of(compiled: Mapping[str, str]) -> str:
    """FHIR Measure, 'Measure Population Semantics', as SQL; NULL counts as FALSE."""

    def holds(part: str) -> str:
        return f"COALESCE({compiled[part]}, FALSE)" if part in compiled else "FALSE"

    inside = "'denominator'" if "denominator" in compiled else "'initial-population'"
    outside = holds("denominator") if "denominator" in compiled else "TRUE"
    return (
        f"CASE WHEN NOT {holds('initial-population')} THEN 'outside'"
        f" WHEN NOT {outside} THEN 'initial-population'"
        f" WHEN {holds('exclusion')} THEN 'exclusion'"
        f" WHEN {holds('numerator')} THEN 'numerator'"
        f" WHEN {holds('exception')} THEN 'exception'"
        f" ELSE {inside} END"
    )
