"""
Explanation: why a facility's own case is counted as it is in a measure.

Another facility's entries about the same person may decide what a window over the person's cases gives.
Such a value is never told, only what it makes of the facility's own case.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.cases import laid_out
from app.benchmarks.engine import Engine
from app.benchmarks.feed import in_force_of
from app.benchmarks.measures import tabulation
from app.benchmarks.placed import STRATIFIER, texts_of
from app.benchmarks.populations import Member, Placement
from app.benchmarks.relation import behind, narrowed
from app.database import driver_connection
from app.errors import NotFound
from app.registries.measure import Measure
from app.registries.schema import Definition, Derived

ELSEWHERE = "another-facility"
REASONS = {ELSEWHERE: "Entries of another facility about the same person decide this value."}


@dataclass(frozen=True, slots=True)
class Stated:
    """An expression of a measure and what it gives for a case."""

    part: str
    """What it is to the measure: `numerator`, or a stratifier's id."""
    text: str
    value: Any
    withheld: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """A column that the expressions rest on, and its value for a case."""

    name: str
    title: str
    text: str | None
    """How it is worked out; none for what was sent."""
    value: Any
    withheld: str | None


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a case is counted as it is."""

    placement: Placement
    expressions: tuple[Stated, ...]
    columns: tuple[Known, ...]


async def explain(
    session: AsyncSession,
    engine: Engine,
    definition: Definition,
    measure: Measure,
    facility_id: int,
    case_id: int,
) -> Explained:
    """Why a facility's case is counted as it is in a measure.

    The session must see every facility's versions. `NotFound` unless the case is the facility's, of
    the measure's form, and in force with a date.
    """
    driver = await driver_connection(session)
    subject = await driver.fetchval(
        "SELECT subject_id FROM cases WHERE id = $1 AND facility_id = $2 AND registry_id = $3"
        " AND form = $4 AND state = 'submitted' AND case_date IS NOT NULL",
        case_id,
        facility_id,
        definition.id,
        measure.form,
    )
    if subject is None:
        raise NotFound("No such case counts in this measure, or it is not within your key.")
    versions = await in_force_of(session, definition.id, [subject])
    return await asyncio.to_thread(
        explained, engine, definition, measure, versions, facility_id, case_id
    )


def explained(
    engine: Engine,
    definition: Definition,
    measure: Measure,
    versions: Sequence[Any],
    facility_id: int,
    case_id: int,
) -> Explained:
    """Why a case is counted, from everything in force about its subject."""
    texts = texts_of(definition, measure)
    parts = texts.parts
    rested = behind(definition, measure.form, texts.read)
    wide = narrowed(definition, measure.form, rested)
    cases = next(one for one in tabulation(definition).relations if one.form == measure.form)
    shown = [name for name in cases.columns if name in rested]
    selected = ", ".join(
        [
            "case_id",
            "case_date",
            texts.placed,
            *(f"({text})" for text in texts.compiled.values()),
            *(f'"{name}"' for name in shown),
        ]
    )
    own = [row for row in versions if row["facility_id"] == facility_id]
    rows = []
    for some in (versions, own):
        with laid_out(engine, wide, some) as connection:
            row = connection.execute(
                f"SELECT {selected} FROM behind WHERE case_id = $1", [case_id]
            ).fetchone()
        if row is None:
            raise NotFound("No such case counts in this measure, or it is not within your key.")
        rows.append(row)
    told, alone = rows
    # What the facility's own entries give as well is its own; anything else is another's to tell.
    elsewhere = [given != by_own for given, by_own in zip(told, alone, strict=True)]
    expressions = []
    for place, (part, text) in enumerate(parts.items(), start=3):
        hidden = elsewhere[place] and (part == "observation" or part.startswith(STRATIFIER))
        expressions.append(
            Stated(part, text, None if hidden else told[place], ELSEWHERE if hidden else None)
        )
    known = []
    derived = {one.id: one for one in definition.derived if one.form == measure.form}
    for place, name in enumerate(shown, start=3 + len(parts)):
        hidden = elsewhere[place]
        known.append(
            Known(
                name,
                _title(definition, measure, name, derived.get(name)),
                _text(derived.get(name)),
                None if hidden else told[place],
                ELSEWHERE if hidden else None,
            )
        )
    observed = "observation" in parts and told[3 + list(parts).index("observation")] is not None
    return Explained(Placement(Member(*told[:3]), observed), tuple(expressions), tuple(known))


def _title(definition: Definition, measure: Measure, name: str, derived: Derived | None) -> str:
    if derived is not None:
        return derived.title or name
    form = definition.form(measure.form)
    element = form.by_id.get(name) or form.by_id.get(name.removesuffix("_unknown"))
    return element.title if element is not None else name


def _text(derived: Derived | None) -> str | None:
    """How a derived column is worked out, its aggregate and filter with it."""
    if derived is None:
        return None
    text = derived.expression
    if derived.aggregate:
        text = f"{derived.aggregate}({text})"
    return f"{text} where {derived.filter}" if derived.filter else text
