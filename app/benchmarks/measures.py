"""
Measure texts to one SQL statement.

The statement reads one relation a case form (`relation.py`), in which `weight` is 1 for a case as it
is now and -1 for a case as it was. Over the lake every weight is 1 and the result is the cells;
over touched subjects, before and after, it is what changed in them. Nothing else differs.
What each form's cases are counted by are its passes (`passes.py`).
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from app.benchmarks.dialects import in_dialect
from app.benchmarks.layout import Layout
from app.benchmarks.passes import FormPasses
from app.benchmarks.relation import Relation, narrowed, relation
from app.registries import case_mix
from app.registries.expressions import Dialect
from app.registries.schema import Definition


@dataclass(frozen=True)
class Tabulation:
    """A definition's measures as one statement, and where its results are read."""

    registry_id: str
    version: str
    sql: str
    """Gives form, kind, series, stratum, facility_id, month, counts, sums (arrays as text)."""
    relations: tuple[Relation, ...]
    read: Mapping[str, frozenset[str]]
    """Form -> the columns of its relation that the statement reads."""
    narrow: Mapping[str, str]
    """Form -> SQL that makes its relation with no more columns than those."""
    layout: Layout
    digest: str
    spoken: Callable[[Dialect], str] = field(compare=False, repr=False)
    """The identical statement as an engine says it; `sql` is that of DuckDB."""


@lru_cache(maxsize=32)
def _tabulation(digest: str, holder: "_Holder") -> Tabulation:
    return _compiled(holder.definition)


@dataclass(frozen=True)
class _Holder:
    """Lets a definition be remembered by its digest without hashing the document."""

    digest: str
    definition: Definition = field(compare=False)


def tabulation(definition: Definition) -> Tabulation:
    """The definition's measures as one statement; worked out once a definition."""
    return _tabulation(definition.reading, _Holder(definition.reading, definition))


def _compiled(definition: Definition) -> Tabulation:
    forms = sorted({measure.form for measure in definition.measures})
    relations = tuple(relation(definition, form) for form in forms)
    names = _stratifier_names(definition)
    grouped = [FormPasses(definition, one, names) for one in relations]
    steps = [step for one in grouped for step in one.steps()]
    selects = [sql for one in grouped for sql in one.selects()]
    frame = "WITH " + ",\n".join(steps) + "\n" + "\nUNION ALL\n".join(selects)
    texts = {name: text for one in grouped for name, text in one.columns.texts.items()}

    def spoken(dialect: Dialect) -> str:
        return in_dialect(frame, texts, dialect)

    sql = spoken("duckdb")
    read = {one.cases.form: frozenset(one.columns.read) for one in grouped}
    layout = Layout(
        tuple(each.series() for one in grouped for each in one.passes),
        names,
        {one.id: case_mix.text_of(one.case_mix) for one in definition.measures if one.case_mix},
    )
    canonical = json.dumps([sql, [one.digest for one in relations], layout.document()])
    return Tabulation(
        registry_id=definition.id,
        version=definition.version,
        sql=sql,
        relations=relations,
        read=read,
        narrow={form: narrowed(definition, form, columns) for form, columns in read.items()},
        layout=layout,
        digest=hashlib.sha256(canonical.encode()).hexdigest(),
        spoken=spoken,
    )


def _stratifier_names(definition: Definition) -> dict[tuple[str, str], str]:
    """One name for one expression of a form: two measures may split by the same id differently."""
    seen: dict[tuple[str, str], list[str]] = {}
    names = {}
    for measure in definition.measures:
        for stratifier in measure.stratifiers:
            texts = seen.setdefault((measure.form, stratifier.id), [])
            if stratifier.expression not in texts:
                texts.append(stratifier.expression)
            place = texts.index(stratifier.expression)
            names[measure.id, stratifier.id] = stratifier.id + (f"#{place + 1}" if place else "")
    return names
