import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> Iterator[str]:
    """The anchors that a heading gets on GitHub."""
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        yield re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        other = (page.parent / file).resolve() if file else page
        if not other.is_file() or (anchor and anchor not in set(anchors(other))):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in ("README.md", "template.md")], ids=named
)
def test_every_page_says_for_whom_it_is(page: Path) -> None:
    if re.match(r"\d{4}-\d\d-\d\d-", page.name):
        assert re.match(r"# .+\n\n", prose(page)), "a record begins with what was decided"
        assert "ruled out" in prose(page).lower()
    else:
        assert re.match(r"# .+\n\n\*For ", prose(page))


def test_every_page_of_the_documentation_can_be_reached_from_its_start() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        for target in LINK.findall(prose(page)):
            file = target.partition("#")[0]
            if file and "://" not in file:
                waiting.append((page.parent / file).resolve())
    assert {named(page) for page in PAGES if page.name != "template.md"} <= {
        named(page) for page in seen if page.is_relative_to(ROOT)
    }
