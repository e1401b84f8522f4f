"""
Write the reference pages from the code they describe: `python -m tests.docs.reference`.

A test makes them again and compares, so that no page can say what the code does not.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import typer

from app.benchmarks import suppress
from app.registries.dictionary.markdown import markdown
from app.registries.findings import FindingCode, severity
from app.registries.load import PACKAGED, folders
from app.registries.schema import Definition
from app.settings import Settings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
MADE = "Made from the code by `make openapi`; a test compares. Do not edit."
REGISTRY = "early-lung-cancer-detection"


def cell(text: object) -> str:
    """Text that stays within one cell of a table."""
    return re.sub(r"\s+", " ", str(text)).replace("|", "\\|").strip()


def code(text: object) -> str:
    """Text in code style within a cell; blank stays blank."""
    return f"`{cell(text)}`" if str(text) else ""


def table(headings: list[str], rows: Iterator[list[str]] | list[list[str]]) -> str:
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def settings_page() -> str:
    """Every setting, from `app/settings.py`."""

    def rows() -> Iterator[list[str]]:
        for name, field in Settings.model_fields.items():
            default = "" if field.default is None or field.default_factory else field.default
            if name == "data":
                default = "see below"
            yield [
                f"`HOUNSFIELD_{name.upper()}`",
                code(default) if name != "data" else default,
                cell(field.description),
            ]

    return f"""# Settings

*For operators.* {MADE}

Each is an environment variable, read once when a process starts.

{table(["variable", "default", "what it is"], list(rows()))}

`HOUNSFIELD_DATA` is `/var/lib/hounsfield/data` for root; for anybody else `hounsfield` in `$XDG_DATA_HOME`, which is
`~/.local/share` unless set.
"""


def findings_page() -> str:
    """Every finding code, from `app/registries/findings.py`."""
    rows = [[f"`{one}`", str(severity(one)), cell(MEANINGS[one])] for one in FindingCode]
    return f"""# Finding codes

*For senders of entries and images.* {MADE}

A finding has `entry` (the row, from 1; 0 for the submission as a whole), `form`, `place`, `code`, `severity`, `remedy` and, where
that helps, `allowed`. It never holds the value that stood there. `reject` stops the entry, `warn` and `information` do
not. Findings with the code `rule` carry the severity that the registry's definition gives the rule.

{table(["code", "severity", "meaning"], rows)}
"""


def cli_page() -> str:
    """Every command, from its own help."""
    from app.cli import assembled

    parts = [
        f"""# Commands

*For operators and stewards.* {MADE}

A command ends with 0 when it did what it says, 1 with one line that says what went wrong, and 2 when it was
called wrongly.
"""
    ]
    for path, command in sorted(_commands("hounsfield", typer.main.get_command(assembled()))):
        parts.append(f"## {path}\n\n{_plain(command.help or '')}\n")
        rows = [
            [
                code(" ".join(parameter.opts))
                if parameter.param_type_name == "option"
                else code(str(parameter.name).upper()),
                cell(getattr(parameter, "help", "") or ""),
            ]
            for parameter in command.params
            if parameter.name != "help"
        ]
        if rows:
            parts.append(table(["option", "what it is"], rows) + "\n")
    return "\n".join(parts)


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        if not command.hidden:
            yield path, command
        return
    for name, child in children.items():
        yield from _commands(f"{path} {name}", child)


def _plain(text: str) -> str:
    return re.sub(r"[ \t]+\n", "\n", re.sub(r"\n[ \t]+", "\n", text)).replace("\f", "").strip()


def api_page() -> str:
    """Every operation, from the document that `hounsfield openapi` writes."""
    from app.main import create_app

    document = create_app(Settings()).openapi()
    parts = [
        f"""# API

*For developers.* {MADE}

This is an overview. [openapi.json](../../openapi/openapi.json) has every parameter and schema; a running service shows it at
`/reference`. Conventions: `Authorization: Bearer hk_…`; failures are problems (RFC 9457); lists come in pages
(`Link`, RFC 8288); what is not yours answers 404, what you may see but not do 403.
"""
    ]
    by_tag: dict[str, list[list[str]]] = {}
    for path, methods in sorted(document["paths"].items()):
        for method in ("get", "post", "put", "patch", "delete"):
            if method in methods:
                operation = methods[method]
                said = (operation.get("description") or operation.get("summary") or "").split(
                    "\n\n"
                )[0]
                tag = (operation.get("tags") or ["other"])[0]
                statuses = " ".join(s for s in sorted(operation["responses"]) if s < "400")
                by_tag.setdefault(tag, []).append(
                    [f"`{method.upper()} {path}`", statuses, cell(said)]
                )
    for tag, rows in sorted(by_tag.items()):
        parts.append(
            f"## {tag.capitalize()}\n\n{table(['operation', 'answers', 'what it does'], rows)}\n"
        )
    return "\n".join(parts)


def definitions() -> list[str]:
    """The packaged registries."""
    return sorted({folder.parts[-2] for folder in folders(PACKAGED)})


def definition(registry: str) -> Definition:
    """A packaged registry."""
    from app.catalogue import Catalogue

    return Catalogue(Settings()).in_force(registry)


def dictionary_page(registry: str = REGISTRY) -> str:
    """Everything that a packaged registry asks, checks, decides, counts and compares."""
    found = definition(registry)
    return markdown(
        found,
        opening=f"""# Data dictionary: {found.title}

*For registrars, partners and stewards.* {MADE}""",
    )


def measures_page(registry: str = REGISTRY) -> str:
    """Every measure of a packaged registry."""
    found = definition(registry)
    parts = [
        f"""# Measures: {found.title}

*For quality staff, stewards and statisticians.* {MADE}

Version {found.version}. How a number comes about, and when it is withheld: [benchmarks](../explanation/benchmarks.md).

Of the rules that protect peers, CMS's cell suppression policy gives one: no count below {suppress.SMALLEST_COUNT}, nor what gives it away. Our own
judgement gives the others: at least {suppress.FEWEST_FACILITIES} facilities, none with more than {suppress.MOST_PERCENT}% of the cases, and {suppress.FEWEST_FOR_TAILS} facilities before the 10th and
90th percentile are told.
"""
    ]
    for measure in found.measures:
        parts.append(
            f"## {measure.title}{_bracket(measure.source)}\n\n{_plain(measure.description)}\n"
        )
        better = {"increase": "higher", "decrease": "lower", "none": "neither"}[measure.improvement]
        rows = [
            ["id", f"`{measure.id}`"],
            [
                "scoring",
                f"{measure.scoring}, per {measure.per}"
                if measure.scoring == "proportion"
                else measure.scoring,
            ],
            ["better", better],
        ]
        for name in (
            "initial_population",
            "denominator",
            "denominator_exclusion",
            "denominator_exception",
            "numerator",
            "observation",
        ):
            text = getattr(measure, name)
            if text and text != "TRUE":
                rows.append([name.replace("_", " "), code(text)])
        shown = f"from {measure.minimum_cases} cases; with caution below {measure.caution_below}"
        if measure.matures_after:
            shown += f"; {measure.matures_after} months after the period's end"
        if measure.shown_when:
            shown += (
                f"; when `{measure.shown_when.measure}` is at least {measure.shown_when.at_least}"
            )
        rows.append(["shown", shown])
        if measure.stratifiers:
            rows.append(["strata", ", ".join(cell(one.title) for one in measure.stratifiers)])
        for one in measure.case_mix:
            levels = "; ".join(cell(one.label(level)) for level in one.every)
            of = f"{cell(one.title)}{_bracket(one.source)}: {levels}; {code(one.expression)}"
            rows.append(["case mix", of])
        if measure.reference:
            rows.append(["reference", cell(measure.reference)])
        parts.append(table(["", ""], rows) + "\n")
    return "\n".join(parts)


def improvement_page() -> str:
    """Every improvement project that the packaged registry offers."""
    found = definition(REGISTRY)
    titles = {one.id: one.title for one in found.measures}
    parts = [
        f"""# Improvement projects: {found.title}

*For quality staff, physicians and offices of continuing education.* {MADE}

Version {found.version}. How to run one: [run an improvement project](../how-to/improvement-project.md).
"""
    ]
    for one in found.improvement:
        evidence = one.evidence
        parts.append(f"## {one.title}{_bracket(one.source)}\n\n{_plain(one.purpose)}\n")
        rows = [
            ["id", f"`{one.id}`"],
            ["measures", ", ".join(f"{cell(titles[name])} (`{name}`)" for name in one.measures)],
            ["baseline", f"at least {one.baseline_months} months"],
            ["re-measurement", f"at least {one.remeasurement_months} months"],
            [
                "evidence",
                f"steps {', '.join(evidence.steps)}; changes carried out: {evidence.changes} or more; "
                f"each participant {evidence.participation_months} months{_bracket(evidence.source)}",
            ],
        ]
        if one.reference:
            rows.append(["reference", cell(one.reference)])
        parts.append(table(["", ""], rows) + "\n")
        reasons = [[cell(r.says), _mark(r.source), cell(r.reference or "")] for r in one.background]
        parts.append(table(["background", "source", "reference"], reasons) + "\n")
        changes = [
            [cell(c.title), cell(c.says), _mark(c.source), cell(c.reference or "")]
            for c in one.interventions
        ]
        parts.append(table(["change to try", "how", "source", "reference"], changes) + "\n")
        asked = [[s.step, cell(s.title), cell(" ".join(s.asks))] for s in one.worksheet]
        parts.append(table(["step", "worksheet", "asks"], asked) + "\n")
    return "\n".join(parts)


def decisions_page() -> str:
    """The list of decision records, from their own titles."""
    index = ROOT / "docs" / "decisions" / "README.md"
    opening = index.read_text(encoding="utf-8").split("\n\n")[:2]
    records = sorted(index.parent.glob("????-??-??-*.md"))
    lines = [
        f"- {path.name[:10]}: [{path.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}]({path.name})"
        for path in records
    ]
    return "\n\n".join([*opening, "\n".join(lines)]) + "\n"


def _mark(source: str) -> str:
    return "" if source == "confirmed" else source


def _bracket(source: str) -> str:
    return "" if source == "confirmed" else f" ({source})"


MEANINGS: dict[FindingCode, str] = {
    FindingCode.MISSING: "A required element was left out.",
    FindingCode.NOT_RELEVANT: "The element does not apply to this entry, given its other elements.",
    FindingCode.NOT_TEXT: "Text was expected.",
    FindingCode.NOT_AN_INTEGER: "A whole number was expected.",
    FindingCode.NOT_A_NUMBER: "A number was expected.",
    FindingCode.TOO_MANY_DECIMALS: "More decimals than are kept; rounded.",
    FindingCode.NOT_A_DATE: "A date that exists was expected.",
    FindingCode.NOT_A_DATETIME: "A day, a time and its offset from UTC were expected, or a time of a zone that is told.",
    FindingCode.NOT_A_BOOLEAN: "True or false was expected.",
    FindingCode.NOT_AN_NPI: "Not a National Provider Identifier: ten digits with a right check digit.",
    FindingCode.NOT_IN_VALUE_SET: "Not one of the allowed codes.",
    FindingCode.NOT_ON_LIST: "Not on the facility's own list; its severity is the definition's.",
    FindingCode.RETIRED_CODE: "A code that is understood in old data; use a current one.",
    FindingCode.EXCLUSIVE_CODE: "A code that cannot stand beside others.",
    FindingCode.REPEATED_CODE: "The same code twice.",
    FindingCode.TOO_LONG: "Longer than is allowed.",
    FindingCode.PATTERN: "Not in the form that is expected.",
    FindingCode.FORBIDDEN_CHARACTER: "A character that cannot be kept, such as NUL.",
    FindingCode.OUT_OF_RANGE: "Outside the limits of what is possible.",
    FindingCode.UNUSUAL: "Possible and rare: look again.",
    FindingCode.RULE: "A rule across elements does not hold.",
    FindingCode.UNKNOWN_ELEMENT: "The form has no such element; the place is the number of the column or member.",
    FindingCode.DUPLICATE_ELEMENT: "The same element twice.",
    FindingCode.NOT_ROWS: "A group is a list of objects, one a row.",
    FindingCode.TOO_MANY_ROWS: "More rows than the group may have.",
    FindingCode.UNKNOWN_FORM: "The registry has no such form.",
    FindingCode.UNKNOWN_ACTION: "Not save, submit or withdraw.",
    FindingCode.NOT_AN_ENTRY: "Not an object with `elements`.",
    FindingCode.TOO_MANY_CELLS: "The row has more cells than the header row.",
    FindingCode.UNKNOWN_FACILITY: "No facility is named, or none by that number.",
    FindingCode.OTHER_FACILITY: "The entry names a facility that this submission is not for.",
    FindingCode.NOT_PARTICIPATING: "The facility's participation in this registry is not active.",
    FindingCode.NO_IDENTITY: "Nothing tells whose case this is.",
    FindingCode.IDENTITY_CONFLICT: "The identifiers point to two subjects; they were not merged.",
    FindingCode.UNKNOWN_CASE: "There is no such case to withdraw.",
    FindingCode.WAITING_FOR_PARENT: "The follow-up waits for its case.",
    FindingCode.SUPERSEDED: "A later submission had already amended this case.",
    FindingCode.WHOLE_FILE: "Another entry was rejected, and this registry takes whole files only.",
    FindingCode.UNREADABLE: "The submission cannot be read as what it says it is.",
    FindingCode.EMPTY: "There is nothing in it.",
    FindingCode.TOO_LARGE: "It grows beyond a limit when it is opened.",
    FindingCode.HELD: "A step failed several times; an operator looks.",
    FindingCode.EXPIRED: "It was held, or waited for its case, until its end date; send it again.",
    FindingCode.NOT_DICOM: "Not a DICOM instance that can be read.",
    FindingCode.BURNED_IN_TEXT: "The pixels may hold text that identifies.",
    FindingCode.ENCAPSULATED_DOCUMENT: "A document inside the instance cannot be shown to be clean.",
    FindingCode.IDENTIFIER_REMAINS: "After de-identification an identifier was still found.",
    FindingCode.PATIENT_MISMATCH: "The image's patient is not the case's.",
    FindingCode.UNKNOWN_UNIT: "A measured number has no unit, or one that does not measure this.",
    FindingCode.MEASURED_OTHERWISE: "What was typed is not what the images of the exam say.",
    FindingCode.OVERLAPPING: "Reports of one exam share some irradiation events and not others.",
    FindingCode.ONLY_FROM_IMAGES: "A case of this form comes of its images alone; it was typed.",
    FindingCode.DUPLICATE_INSTANCE: "The same instance with other content was received before.",
}


def deidentification_pages() -> dict[str, Callable[[], str]]:
    """The pages of de-identification, in a module of their own."""
    from tests.docs import deidentification

    return {
        "docs/reference/de-identification.md": deidentification.page,
        "docs/reference/de-identification-kept.md": deidentification.kept_page,
        "docs/reference/de-identification-removed.md": deidentification.removed_page,
    }


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/settings.md": settings_page,
    "docs/reference/findings.md": findings_page,
    "docs/reference/cli.md": cli_page,
    "docs/reference/api.md": api_page,
    **{f"docs/reference/{one}.md": partial(dictionary_page, one) for one in definitions()},
    **{f"docs/reference/{one}-measures.md": partial(measures_page, one) for one in definitions()},
    f"docs/reference/{REGISTRY}-improvement.md": improvement_page,
    "docs/decisions/README.md": decisions_page,
}


def main() -> None:
    """Write every page."""
    for name, page in (PAGES | deidentification_pages()).items():
        (ROOT / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
