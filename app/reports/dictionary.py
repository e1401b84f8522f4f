"""
A definition as a site of its own: what is asked, checked, decided and counted, for a committee to read.

The pages stand by themselves: they load nothing from elsewhere and are whole without a script, which
only adds the search. The same contents make a paper.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from app.registries.compare import compare
from app.registries.forms import MARKS, DictionaryRow, dictionary, dictionary_values
from app.registries.measure import Measure
from app.registries.saying import Sayings
from app.registries.schema import Definition, Form
from app.registries.window import begins
from app.reports.paper import typeset
from app.reports.render import TEMPLATES
from app.reports.render import pages as templates

PAPER = "dictionary.pdf"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table; the first cell names it."""

    anchor: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A table with a heading."""

    anchor: str
    title: str
    says: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the site."""

    file: str
    title: str
    says: str
    sections: tuple[Section, ...]


def contents(definition: Definition, before: Definition | None = None) -> list[Page]:
    """Every page: forms, rules, decision tables, measures, value sets, changes since a version before."""
    rows = dictionary(definition)
    pages = [_form(definition, form, rows) for form in definition.forms]
    if definition.rules:
        pages.append(_rules(definition))
    if definition.decisions:
        pages.append(_decisions(definition))
    if definition.measures:
        pages.append(_measures(definition))
    pages.append(_value_sets(definition))
    if before is not None:
        pages.append(_changes(before, definition))
    return pages


def site(definition: Definition, before: Definition | None = None) -> dict[str, bytes]:
    """File name -> content: the pages, what they look like, the search, and the paper."""
    pages = contents(definition, before)
    index = [
        {
            "page": page.file,
            "anchor": row.anchor,
            "name": row.cells[0],
            "says": " ".join(row.cells[1:3]),
        }
        for page in pages
        for section in page.sections
        for row in section.rows
    ]
    common = {
        "definition": definition,
        "pages": pages,
        "paper": PAPER,
    }
    template = templates.get_template("dictionary.html")
    files = {page.file: template.render(page=page, **common).encode("utf-8") for page in pages}
    files["index.html"] = template.render(page=None, **common).encode("utf-8")
    files["dictionary.css"] = (TEMPLATES / "dictionary.css").read_bytes()
    script = (TEMPLATES / "dictionary.js").read_text(encoding="utf-8")
    files["dictionary.js"] = f"const index = {json.dumps(index)};\n{script}".encode()
    files[PAPER] = paper(definition, before)
    return files


def paper(definition: Definition, before: Definition | None = None) -> bytes:
    """The same as a tagged PDF, dated with the day from which the version takes entries."""
    data = {
        "title": f"{definition.title}: data dictionary",
        "registry": definition.title,
        "says": definition.description,
        "steward": definition.steward,
        "version": f"Version {definition.version}, digest {definition.digest[:12]}",
        "pages": [_breakable(asdict(page)) for page in contents(definition, before)],
    }
    return typeset(TEMPLATES / "dictionary.typ", data, begins(definition.accept_from))


def _breakable(page: dict[str, Any]) -> dict[str, Any]:
    """Long names and SQL may be broken after an underscore, where a narrow column needs it."""
    for section in page["sections"]:
        for row in section["rows"]:
            row["cells"] = [cell.replace("_", "_\u200b") for cell in row["cells"]]
    return page


def _form(definition: Definition, form: Form, rows: list[DictionaryRow]) -> Page:
    tables: dict[str | None, list[Row]] = {}
    for row in (one for one in rows if one.form == form.id):
        seen = form if row.group is None else form.row_of(row.group)
        sayings = Sayings(definition, seen)
        needed: str = row.required
        if row.computed:
            needed = f"worked out: {sayings.said(row.computed)}"
        elif row.required_when:
            needed = f"when: {sayings.said(row.required_when)}"
        if row.relevant_when and row.relevant_when != row.required_when:
            needed += f"; asked when: {sayings.said(row.relevant_when)}"
        name = row.element if row.group is None else f"{row.group}.{row.element}"
        tables.setdefault(row.group, []).append(
            Row(
                f"{form.id}-{name}",
                (
                    row.element,
                    row.title + (" (identifying)" if row.identifying else ""),
                    row.type,
                    needed,
                    dictionary_values(definition, seen.by_id[row.element]).replace("`", ""),
                    MARKS[row.source],
                ),
            )
        )
    says = [f"Level: {form.level}."]
    if form.key:
        says.append(f"Told apart by {', '.join(form.key)}.")
    if form.parent:
        says.append(f"Follows up a case of the form “{definition.form(form.parent).title}”.")
    if form.includes:
        inside = ", ".join(f"“{definition.form(one).title}”" for one in form.includes)
        says.append(f"An entry carries the elements of {inside} as well.")
    if form.part:
        says.append("Only ever carried by another form.")
    head = ("Element", "Title", "Type", "Needed", "Values", "Mark")
    sections = []
    for path, lines in tables.items():
        title, many = "Elements", ""
        if path is not None:
            group = form.group_paths[path][-1]
            title = f"Rows: {group.title}"
            many = f"From {group.at_least} to {group.at_most} rows, sent as {path}."
        sections.append(Section(f"{form.id}-{path or ''}", title, many, head, tuple(lines)))
    file = f"form-{form.id.replace('_', '-')}.html"
    return Page(file, form.title, " ".join(says), tuple(sections))


def _rules(definition: Definition) -> Page:
    sections = []
    for form in definition.forms:
        rules = [one for one in definition.rules if one.form == form.id]
        if not rules:
            continue
        rows = tuple(
            Row(
                f"rule-{one.id}",
                (
                    one.id,
                    Sayings(definition, form.row_of(one.group) if one.group else form).said(
                        one.expression
                    ),
                    "rejects" if one.severity == "reject" else "warns",
                    one.remedy,
                    MARKS[one.source],
                ),
            )
            for one in rules
        )
        head = ("Rule", "What must hold", "Otherwise it", "Remedy", "Mark")
        sections.append(Section(f"rules-{form.id}", form.title, "", head, rows))
    says = "Checks across elements. What is not known passes."
    return Page("rules.html", "Rules", says, tuple(sections))


def _decisions(definition: Definition) -> Page:
    sections = []
    for table in definition.decisions:
        inputs = [one.title or one.id for one in table.inputs]
        outputs = [one.title or one.id for one in table.outputs]
        rows = []
        for number, row in enumerate(table.rows, start=1):
            cells = [row.when.get(one.id, "") for one in table.inputs]
            then = [row.then.get(one.id) for one in table.outputs]
            told = [one if isinstance(one, str) else ", ".join(one) for one in cells]
            rows.append(
                Row(f"{table.id}-{number}", (str(number), *told, *(one or "" for one in then)))
            )
        if table.otherwise is not None:
            rest = [table.otherwise.get(one.id) or "" for one in table.outputs]
            rows.append(Row(f"{table.id}-otherwise", ("otherwise", *("" for _ in inputs), *rest)))
        head = ("Row", *inputs, *(f"→ {one}" for one in outputs))
        sections.append(
            Section(f"decision-{table.id}", table.title, table.description, head, tuple(rows))
        )
    says = "What follows from a situation. An empty cell says nothing of its input."
    return Page("decisions.html", "Decision tables", says, tuple(sections))


def _measures(definition: Definition) -> Page:
    sections = []
    for measure in definition.measures:
        sayings = Sayings(definition, definition.form(measure.form))
        rows = tuple(
            Row(f"{measure.id}-{name.lower().replace(' ', '-')}", (name, says))
            for name, says in _populations(measure, sayings)
        )
        mark = f" ({MARKS[measure.source]})" if MARKS[measure.source] else ""
        says = f"{measure.description}{mark}"
        sections.append(Section(measure.id, measure.title, says, ("Part", "What it says"), rows))
    says = "What is counted. A population is looked for within the one above it."
    return Page("measures.html", "Measures", says, tuple(sections))


def _populations(measure: Measure, sayings: Sayings) -> Iterator[tuple[str, str]]:
    yield "Measure", f"{measure.id}, a {measure.scoring.replace('-', ' ')}"
    for name, text in (
        ("Initial population", measure.initial_population),
        ("Denominator", measure.denominator),
        ("Exclusions", measure.denominator_exclusion),
        ("Exceptions", measure.denominator_exception),
        ("Numerator", measure.numerator),
        ("Observation", measure.observation),
    ):
        if text is not None:
            yield name, sayings.said(text)
    for one in measure.stratifiers:
        yield f"By {one.title}", sayings.said(one.expression)
    better = {"increase": "more", "decrease": "less", "none": "neither more nor less"}
    yield "Better is", better[measure.improvement]
    yield "Shown from", f"{measure.minimum_cases} cases; with caution below {measure.caution_below}"
    if measure.matures_after:
        yield "Shown after", f"{measure.matures_after} months"


def _value_sets(definition: Definition) -> Page:
    sections = []
    for one in definition.value_sets.values():
        rows = tuple(
            Row(
                f"{one.id}-{code.code}",
                (
                    code.code,
                    code.meaning,
                    ", ".join(
                        mark
                        for mark in (
                            MARKS[code.source],
                            "retired" if code.retired else "",
                            "stands alone" if code.code in one.exclusive else "",
                        )
                        if mark
                    ),
                ),
            )
            for code in one.codes
        )
        sections.append(
            Section(f"codes-{one.id}", one.title, one.id, ("Code", "Meaning", "Mark"), rows)
        )
    return Page(
        "value-sets.html", "Value sets", "The codes that answers are chosen from.", tuple(sections)
    )


def _changes(before: Definition, definition: Definition) -> Page:
    rows = tuple(
        Row(f"change-{number}", (one.place, one.says, one.weight))
        for number, one in enumerate(compare(before, definition), start=1)
    )
    says = (
        f"Against version {before.version}. What is refused could not be published; what breaks "
        "asks senders to act."
    )
    head = ("Place", "What is different", "Weight")
    section = Section("changes", f"Since {before.version}", "", head, rows)
    return Page("changes.html", "Changes", says, (section,))
