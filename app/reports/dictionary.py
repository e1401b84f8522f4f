"""
A data dictionary as a site of its own and as a paper, for a committee to read.

The pages stand by themselves: they load nothing from elsewhere and are whole without a script, which
only adds the search.
"""

import json
from dataclasses import asdict
from typing import Any

from app.registries.dictionary.contents import contents
from app.registries.schema import Definition
from app.registries.window import begins
from app.reports.paper import typeset
from app.reports.render import TEMPLATES
from app.reports.render import pages as templates

PAPER = "dictionary.pdf"


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
