"""
The cases of a nation as SQL, drawn rather than stored: a case's number says all that is in it.

What a definition derives is derived here by its own texts; what comes from follow-ups or rows of a
group is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.benchmarks.relation import KEYS, Relation, behind
from app.registries.expressions import compile
from app.registries.rows import SUBJECT_RECORD, sql_columns, windows
from app.registries.schema import Definition, Element

from .places import Place

QUARTERS = 12
FIRST_DAY = "2023-01-01"
DAYS = 1_096
"""From 2023 to 2025."""
DRAWS = 3
"""Numbers of 20 bits taken from one hash."""

# Ten exams of six subjects: three come once, two twice and one three times.
_SUBJECT = "[0, 1, 2, 3, 3, 4, 4, 5, 5, 5]"
_NUMBER = "[0, 0, 0, 0, 1, 0, 1, 0, 1, 2]"
_LAST = "[0, 0, 0, 1, 1, 1, 1, 2, 2, 2]"

GIVEN = {"code": 0.9, "codes": 0.5, "integer": 0.8, "decimal": 0.9, "boolean": 0.9, "npi": 1.0}
"""How often an element of a type is given; others seldom."""
SELDOM = 0.03
LIKELY = {
    # What a screening programme sees, in thousandths, for elements that measures turn on.
    "ct_exam_result_lung_rads": {
        "1": 350,
        "2": 490,
        "3": 80,
        "4A": 40,
        "4B": 20,
        "4X": 10,
        "0": 10,
    },
    "smoking_status": {"1": 520, "2": 440, "9": 20, "4": 10, "3": 10},
    "modality": {"1": 990, "2": 10},
    "indication_of_exam": {"1": 600, "2": 400},
    "signs_or_symptoms_of_lung_cancer": {"N": 970, "Y": 30},
}
BETWEEN = {"age_at_exam": (45, 85), "number_of_packs_year_smoking": (10, 80)}
LIKELY_WHEN = {"boolean": 0.03, "integer": 0.2, "date": 0.02}
"""How often something derived from follow-ups or rows holds, or is there."""
GATHERED = ("follow_up", "group")
"""What is derived over more than the case's own columns."""


@dataclass
class _Drawing:
    """Numbers from 0 to below 2^20, each of its own for each case."""

    taken: int = 0
    hashes: list[str] = field(default_factory=list)

    def next(self) -> str:
        word, place = divmod(self.taken, DRAWS)
        if not place:
            self.hashes.append(f"hash(i + {7_919 * (word + 1)}000000000) AS h{word}")
        self.taken += 1
        return f"CAST((h{word} >> {20 * place}) & 1048575 AS BIGINT)"


def statements(
    definition: Definition, made: Relation, wanted: frozenset[str], some: Sequence[Place]
) -> list[str]:
    """
    SQL that makes the relation `made` of the cases of some facilities, in the lake's order.

    It has the columns that are read, and no others: to make those would take as long again.
    """
    form = definition.form(made.form)
    read = behind(definition, made.form, wanted)
    drawing = _Drawing()
    values: dict[str, str] = {}
    given: dict[str, str] = {}
    for one in sql_columns(form):
        element = form.by_id[one.element]
        if one.name in KEYS or one.name not in read:
            continue
        if one.name == form.period or (element.type == "datetime" and one.name != one.element):
            values[one.name] = "case_date"
        elif one.name != one.element:  # a sentinel was sent
            values[one.name] = f"{drawing.next()} < {_of(0.01)}"
        else:
            often = (
                1.0 if element.required or element.id in LIKELY else GIVEN.get(element.type, SELDOM)
            )
            given[one.name] = drawing.next()
            value = _value(definition, element, drawing)
            missing = f"CASE WHEN {given[one.name]} < {_of(often)} THEN {value} END"
            values[one.name] = value if often == 1.0 else missing
    derived = {one.id: one for one in definition.derived if one.form == made.form}
    for name, kind in made.columns.items():
        if name in read and name.startswith(SUBJECT_RECORD):
            values[name] = f"CAST(NULL AS {kind})"  # nobody sent one
    for its in derived.values():
        if its.over in GATHERED and its.id in read:
            values[its.id] = {
                "boolean": f"{drawing.next()} < {_of(LIKELY_WHEN['boolean'])}",
                "integer": f"CAST({drawing.next()} < {_of(LIKELY_WHEN['integer'])} AS BIGINT)",
                "decimal": f"CASE WHEN {drawing.next()} < {_of(LIKELY_WHEN['integer'])}"
                f" THEN CAST(({drawing.next()} * 300) >> 20 AS DECIMAL(18, {its.scale})) END",
                "date": f"CASE WHEN {drawing.next()} < {_of(LIKELY_WHEN['date'])} THEN case_date"
                f" + CAST(({drawing.next()} * 365) >> 20 AS INTEGER) END",
            }[its.type]
    typed = ", ".join(
        f'CAST({values[name]} AS {kind}) AS "{name}"'
        for name, kind in made.columns.items()
        if name in values
    )
    of_places = ", ".join(f"({one.facility_id}, {one.first}, {one.cases})" for one in some)
    cases = (
        "SELECT i AS case_id, printf('%016x', hash(i)) AS case_token, facility_id, subject_id,"
        " case_date, CAST(date_trunc('month', case_date) AS DATE) AS month, i,"
        f" {', '.join(drawing.hashes)} FROM ({_exams(of_places)})"
    )
    steps = [
        f"CREATE TABLE drawn AS SELECT case_id, case_token, facility_id, subject_id, case_date,"
        f" month, {typed} FROM ({cases})"
    ]
    steps += _derived(definition, made, read, wanted)
    return steps


def _exams(of_places: str) -> str:
    """Number, facility, subject and date of each exam; a subject's are about a year apart."""
    return (
        "SELECT i, facility_id, subject_id, DATE '" + FIRST_DAY + "' + CAST("
        f"hash(subject_id, 'first') % CAST({DAYS} - gap * last AS UBIGINT) + gap * number AS INTEGER)"
        " AS case_date FROM (SELECT *, 300 + CAST(hash(subject_id, 'gap') % 66 AS BIGINT) AS gap FROM ("
        "SELECT i, facility_id, first + (i - first) // 10 * 6"
        f" + ({_SUBJECT})[1 + (i - first) % 10] AS subject_id, ({_NUMBER})[1 + (i - first) % 10] AS number,"
        f" ({_LAST})[1 + (i - first) % 10] AS last FROM (SELECT facility_id, first,"
        " unnest(range(first, first + cases)) AS i"
        f" FROM (VALUES {of_places}) AS places(facility_id, first, cases))))"
    )


def _derived(
    definition: Definition, made: Relation, read: frozenset[str], wanted: frozenset[str]
) -> list[str]:
    """What cases and their subjects give, as the definition says, row for row in the same order."""
    steps, last = list[str](), "drawn"
    for place, one in enumerate(definition.derived):
        if one.form != made.form or one.over in GATHERED or one.id not in read:
            continue
        rows = windows(definition.form(one.form)) if one.over == "subject" else None
        text = compile(one.expression, made.types, windows=rows)
        value = f'CAST({text.duckdb} AS {made.columns[one.id]}) AS "{one.id}"'
        select = (
            f'SELECT "{one.id}" FROM (SELECT case_id, {value} FROM {last}) ORDER BY case_id'
            if rows
            else f"SELECT {value} FROM {last}"
        )
        steps.append(f"CREATE TABLE derived_{place} AS {select}")
        last_name = f"with_{place}"
        steps.append(
            f"CREATE VIEW {last_name} AS SELECT * FROM {last} POSITIONAL JOIN derived_{place}"
        )
        last = last_name
    names = ", ".join(f'"{name}"' for name in made.columns if name in wanted or name in KEYS)
    steps.append(f"CREATE VIEW made AS SELECT {names} FROM {last}")
    return steps


def _of(often: float) -> int:
    return round(often * 1_048_576)


def _value(definition: Definition, element: Element, drawing: _Drawing) -> str:
    """SQL of a plausible value: low codes are commoner than others."""
    drawn = drawing.next()
    value_set = definition.value_set(element)
    if element.id in LIKELY:
        branches, passed = [], 0
        for code, thousandths in LIKELY[element.id].items():
            passed += thousandths
            branches.append(f"WHEN {drawn} < {_of(passed / 1000)} THEN '{code}'")
        return f"CASE {' '.join(branches)} END"
    if value_set is not None:
        allowed = value_set.allowed
        codes = ", ".join(f"'{code}'" for code in allowed)
        one = f"([{codes}])[1 + (({drawn} * {drawn} * {len(allowed)}) >> 40)]"
        return f"[{one}]" if element.type == "codes" else one
    limits = element.range.soft or element.range.hard if element.range else None
    low, high = BETWEEN.get(
        element.id,
        (float(limits.low or 0), float(limits.high or 100)) if limits else (0.0, 100.0),
    )
    match element.type:
        case "integer":
            return f"{int(low)} + (({drawn} * {int(high - low) + 1}) >> 20)"
        case "decimal":
            unit = 10**element.scale
            whole = f"({round(low * unit)} + (({drawn} * {round((high - low) * unit)}) >> 20))"
            return f"CAST({whole} AS DECIMAL(18, 0)) * CAST({1 / unit:.{element.scale}f} AS DECIMAL(9, {element.scale}))"
        case "date":
            return f"case_date + CAST(({drawn} * 400) >> 20 AS INTEGER)"
        case "datetime":
            return f"CAST(epoch(case_date) AS BIGINT) + (({drawn} * 172800) >> 20)"
        case "boolean":
            return f"{drawn} < {_of(0.2)}"
        case _:  # one of a facility's few
            return f"CAST(1000000000 + facility_id * 10 + (({drawn} * 8) >> 20) AS VARCHAR)"
