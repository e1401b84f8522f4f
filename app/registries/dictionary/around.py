"""What stands around forms and measures in a dictionary: worklists, peers, images, reports, earlier versions."""

from collections.abc import Iterator
from datetime import datetime

from app.registries.conversion import Conversion
from app.registries.dictionary.pages import Page, Row, Section, marks
from app.registries.reported import Filled, Reported
from app.registries.saying import Sayings
from app.registries.schema import Definition, PeerGroup
from app.registries.sources import readings
from app.registries.worklist import Day


def about(definition: Definition) -> Page:
    """Whose it is, when its entries are taken, by which doors, and how much of it is confirmed."""
    facts = [
        ("Registry", definition.id),
        ("Version", definition.version),
        ("Steward", definition.steward),
        ("Entries are taken from", _told(definition.accept_from)),
        ("Entries are taken until", _told(definition.accept_until)),
        ("Doors", ", ".join(definition.channels)),
        ("A flawed entry is rejected", "alone" if definition.policy == "per-entry" else "with its file"),
    ]  # fmt: skip
    facts += [
        (f"Module {one.title}", ", ".join(each for each in (one.id, marks(one.source)) if each))
        for one in definition.modules
    ]
    rows = tuple(Row(f"about-{number}", fact) for number, fact in enumerate(facts, start=1))
    section = Section("about", "This version", "", ("", ""), rows, ())
    says = "A mark in the last column of a table says what no public source confirms."
    return Page("about.html", "About", says, (section,))


def _told(bound: object) -> str:
    if bound is None:
        return "no end is set"
    return f"{bound:%Y-%m-%dT%H:%M:%SZ}" if isinstance(bound, datetime) else str(bound)


def around(definition: Definition) -> Iterator[Page]:
    """A page for each kind of part that the definition has."""
    if definition.worklists:
        says = "What a facility looks after: which cases, from when on, and what closes them."
        yield Page("worklists.html", "Worklists", says, tuple(_worklists(definition)))
    if definition.peers:
        says = "With whom a facility is compared."
        yield Page("peers.html", "Peer groups", says, tuple(map(_peers, definition.peers)))
    if definition.images:
        says = "Which objects speak of cases, and where elements are read in them."
        yield Page("images.html", "Cases from images", says, tuple(_images(definition)))
    if definition.reported:
        says = "Which answers of a reporting module fill which elements of a draft."
        sections = tuple(map(_reported, definition.reported))
        yield Page("reporting.html", "Drafts from reports", says, sections)
    if definition.conversions:
        says = "How entries of an earlier version are read as this one's."
        sections = tuple(map(_conversion, definition.conversions))
        yield Page("conversions.html", "Earlier versions", says, sections)
    if definition.improvement:
        rows = tuple(
            Row(f"improvement-{one.id}", (one.id, one.title, ", ".join(one.measures), marks(one.source)))
            for one in definition.improvement
        )  # fmt: skip
        head = ("Project", "Title", "Measures", "Mark")
        section = Section("improvement", "Offered", "", head, rows)
        yield Page("improvement.html", "Improvement projects", "", (section,))


def _worklists(definition: Definition) -> Iterator[Section]:
    for one in definition.worklists:
        form = definition.form(one.form)
        sayings = Sayings(definition, form)
        facts = [
            ("Worklist", one.id),
            ("Cases", sayings.said(one.cases)),
            ("Closed when", sayings.said(one.closed_when)),
            ("Due", _day(sayings, one.due)),
            ("Overdue", _day(sayings, one.overdue) if one.overdue else "never"),
            ("Shown of a case", ", ".join(one.columns)),
        ]
        rows = tuple(Row(f"{one.id}-{name.lower()}", (name, says)) for name, says in facts)
        says = " ".join(each for each in (one.description, _bracket(marks(one.source))) if each)
        yield Section(f"worklist-{one.id}", one.title, says, ("Part", "What it says"), rows, ())


def _day(sayings: Sayings, day: Day) -> str:
    after = [
        f"{sayings.said(text)} {unit}"
        for text, unit in ((day.months, "months"), (day.days, "days"))
        if text.strip() != "0"
    ]
    return " after ".join([*([" and ".join(after)] if after else []), sayings.said(day.day)])


def _bracket(text: str) -> str:
    return f"({text})" if text else ""


def _peers(one: PeerGroup) -> Section:
    rows = [Row(f"{one.id}-{name}", (name, title)) for name, title in one.groups.items()]
    rows += [
        Row(
            f"{one.id}-{band.id}",
            (
                band.id,
                f"{band.title}: from {band.at_least}" + (f" to below {band.below}" if band.below is not None else ""),
            ),
        )
        for band in one.bands
    ]  # fmt: skip
    says = {"all": "All facilities.", "combination": f"Crossed: {', '.join(one.of)}."}.get(
        one.by, f"By {one.by}."
    )
    if one.volume_of is not None:
        says += f" Cases of the measure {one.volume_of} in twelve months are counted."
    told = " ".join(each for each in (says, _bracket(marks(one.source))) if each)
    return Section(f"peers-{one.id}", one.title, told, ("Group", "Facilities"), tuple(rows))


def _images(definition: Definition) -> Iterator[Section]:
    rows = []
    for one in definition.images:
        does = "a case or a draft" if one.makes_cases else "a check of what is typed"
        does += f" for each {one.each}" if one.each else ""
        objects = ", ".join((*one.sop_classes, *one.modalities))
        cells = (one.title or one.id, one.form, objects, does, marks(one.source))
        rows.append(Row(f"images-{one.id}", cells))
    head = ("Objects", "Form", "SOP classes and modalities", "What comes of them", "Mark")
    yield Section("images", "Objects", "", head, tuple(rows), (1,))
    lines = tuple(
        Row(f"read-{form.id}-{element.id}-{number}", (f"{form.id}.{element.id}", one.place, one.take))
        for number, (form, element, one) in enumerate(readings(definition))
    )  # fmt: skip
    if lines:
        yield Section("readings", "Elements", "", ("Element", "Read in", "Taken"), lines)


def _reported(one: Reported) -> Section:
    def lines(path: str, some: tuple[Filled, ...]) -> Iterator[Row]:
        for each in some:
            by = each.answer or (each.end_point and "the end point") or each.value
            by = by or f"the {each.follow_up} follow-up, in months"
            codes = "; ".join(f"{said} is {code}" for said, code in each.codes.items())
            cells = (f"{path}{each.element}", str(by), codes, marks(each.source))
            yield Row(f"{one.module}-{path}{each.element}", cells)

    rows = [*lines("", one.elements)]
    for group in one.groups:
        rows += lines(f"{group.group}.", group.elements)
    title = one.module if one.version is None else f"{one.module} {one.version}"
    head = ("Element", "Filled by", "Called otherwise", "Mark")
    return Section(f"reported-{one.module}", title, f"Form: {one.form}.", head, tuple(rows))


def _conversion(one: Conversion) -> Section:
    rows = []
    for number, each in enumerate(one.elements):
        says = [
            f"was {each.was}" if each.was else "",
            f"is {' '.join(each.expression.split())}" if each.expression else "",
            "; ".join(f"{was} is {now or 'not known'}" for was, now in each.codes.items()),
            f"otherwise {each.default}" if each.default is not None else "",
            "was not asked" if each.absent else "",
        ]
        name = ".".join(part for part in (each.form, each.group, each.element) if part)
        rows.append(
            Row(f"{one.converts}-{number}", (name, ", ".join(part for part in says if part)))
        )
    for number, left in enumerate(one.left):
        name = ".".join(part for part in (left.form, left.group, left.element) if part)
        rows.append(Row(f"{one.converts}-left-{number}", (name, f"left behind: {left.because}")))
    head = ("Element", "How it is read")
    return Section(f"conversion-{one.converts}", f"Version {one.converts}", "", head, tuple(rows))
