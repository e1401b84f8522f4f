"""
What a data dictionary tells, once: pages of sections of rows, in words, for every rendering to read.

`markdown.py` prints them, `app.reports.dictionary` makes a site and a paper of them.
"""

from collections.abc import Iterator

from app.registries.compare import compare
from app.registries.dictionary.around import about, around
from app.registries.dictionary.pages import Page, Row, Section, marks
from app.registries.dictionary.rows import DictionaryRow, dictionary, told_values
from app.registries.measure import Measure
from app.registries.saying import Sayings
from app.registries.schema import Definition, Form


def contents(definition: Definition, before: Definition | None = None) -> list[Page]:
    """Every page there is something to say on, and what has changed since a version before."""
    rows = dictionary(definition)
    pages = [about(definition), *(_form(definition, form, rows) for form in definition.forms)]
    if definition.rules:
        pages.append(_rules(definition))
    if definition.decisions:
        pages.append(_decisions(definition))
    if definition.measures:
        pages.append(_measures(definition))
    pages += around(definition)
    pages.append(_value_sets(definition))
    if before is not None:
        pages.append(_changes(before, definition))
    return pages


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
                    row.source_name,
                    row.title + (" (identifying)" if row.identifying else ""),
                    row.type,
                    needed,
                    told_values(row).replace("`", ""),
                    marks(row.source),
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
    head = ("Element", "Source name", "Title", "Type", "Needed", "Values", "Mark")
    sections = []
    for path, lines in tables.items():
        title, many = "Elements", ""
        if path is not None:
            group = form.group_paths[path][-1]
            title = f"Rows: {group.title}"
            inside = f"each of {path.rpartition('.')[0]}" if "." in path else "an entry"
            many = f"From {group.at_least} to {group.at_most} rows in {inside}, sent as {path}."
            if group.help or marks(group.source):
                many += f" {group.help or ''} {marks(group.source)}".rstrip()
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
                    one.group or "",
                    Sayings(definition, form.row_of(one.group) if one.group else form).said(
                        one.expression
                    ),
                    "rejects" if one.severity == "reject" else "warns",
                    one.remedy,
                    " ".join(one.expression.split()),
                    marks(one.source),
                ),
            )
            for one in rules
        )
        head = ("Rule", "Each of", "What must hold", "Otherwise it", "Remedy", "As SQL", "Mark")
        sections.append(Section(f"rules-{form.id}", form.title, "", head, rows, (0, 1, 5)))
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
            Section(f"decision-{table.id}", table.title, table.description, head, tuple(rows), ())
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
        mark = f" ({marks(measure.source)})" if marks(measure.source) else ""
        says = f"{measure.description}{mark}"
        head = ("Part", "What it says")
        sections.append(Section(measure.id, measure.title, says, head, rows, ()))
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
    for factor in measure.case_mix:
        levels = "; ".join(f"{level} {factor.label(level)}" for level in factor.every)
        mark = f" ({marks(factor.source)})" if marks(factor.source) else ""
        says = f"{levels}; compared with {factor.reference}{mark}"
        yield f"Case mix by {factor.title}", says
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
                    code.system or "",
                    marks(
                        code.source,
                        "retired" if code.retired else "",
                        "stands alone" if code.code in one.exclusive else "",
                    ),
                ),
            )
            for code in one.codes
        )
        sections.append(
            Section(
                f"codes-{one.id}",
                f"{one.title} ({one.id})",
                " ".join(part for part in (one.reference or "", marks(one.source)) if part),
                ("Code", "Meaning", "Of", "Mark"),
                rows,
            )
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
