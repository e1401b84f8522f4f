"""The contents of a data dictionary as Markdown."""

from collections.abc import Iterator

from app.registries.dictionary.contents import contents
from app.registries.dictionary.pages import Section
from app.registries.schema import Definition


def markdown(definition: Definition, *, opening: str | None = None) -> str:
    """The whole dictionary as one page; `opening` stands for its first lines."""
    return "\n".join(_lines(definition, opening)) + "\n"


def _lines(definition: Definition, opening: str | None) -> Iterator[str]:
    yield opening or f"# {definition.title}: data dictionary, version {definition.version}"
    for page in contents(definition):
        yield from ("", f"## {_plain(page.title)}")
        if page.says:
            yield from ("", _plain(page.says))
        for section in page.sections:
            yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield from ("", f"### {_plain(section.title)}")
    if section.says:
        yield from ("", _plain(section.says))
    if not section.rows:
        return
    yield from ("", _cells(section.head), "|" + "---|" * len(section.head))
    for row in section.rows:
        yield _cells(
            f"`{_flat(cell)}`" if cell and number in section.code else _plain(cell)
            for number, cell in enumerate(row.cells)
        )


def _cells(cells: Iterator[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """Words that Markdown reads as nothing else."""
    return _flat(text).replace("<", "&lt;")


def _flat(text: str) -> str:
    return " ".join(text.split())
