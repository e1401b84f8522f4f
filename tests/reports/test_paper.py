"""The report on paper, read back by another library."""

import io

import pypdf
import pytest

from app.reports.charts import peers_chart
from app.reports.composition import Issue
from app.reports.over_time import run_chart
from app.reports.paper import document, pdf, pictures
from tests.reports.compositions import composition, figures, measure

HOSTILE = '#let x = 1 $ x $ *bold* _it_ @ref <label> // /* \\ " ` = Heading [x]'


@pytest.fixture(scope="module")
def paper() -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(pdf(composition())))


def text_of(reader: pypdf.PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


def test_paper_and_page_are_made_from_the_same_figures(paper: pypdf.PdfReader) -> None:
    text, told = text_of(paper), composition()
    for line in (*told.summary.lines, *told.quality.says, *told.methods.says):
        assert line in text
    for one in told.measures:
        assert one.title in text
        for figure in (one.result, *one.trend):
            assert figure.rate is None or figure.rate in text
    assert "What could not be shown, and why" in text
    assert told.not_shown[0].says in text


def test_every_chart_carries_its_words_for_those_who_hear_it(paper: pypdf.PdfReader) -> None:
    found: list[str] = []

    def walk(node: object) -> None:
        node = node.get_object() if hasattr(node, "get_object") else node
        if isinstance(node, list):
            for one in node:
                walk(one)
        elif isinstance(node, dict):
            if "/Alt" in node:
                found.append(str(node["/Alt"]))
            if "/K" in node:
                walk(node["/K"])

    walk(paper.trailer["/Root"]["/StructTreeRoot"])
    one = composition().measures[0]
    for drawing in (run_chart(one), peers_chart(one)):
        assert drawing is not None
        assert f"{drawing.title}. {drawing.said}" in found


def test_paper_is_tagged_titled_and_embeds_its_own_typeface(paper: pypdf.PdfReader) -> None:
    root = paper.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert str(root["/Lang"]) == "en"
    assert paper.metadata is not None
    assert paper.metadata.title == (
        "Riverside Imaging, Early Lung Cancer Detection Registry, July to September 2026"
    )
    assert "pdfuaid" in root["/Metadata"].get_data().decode()
    fonts = [
        font.get_object() for page in paper.pages for font in page["/Resources"]["/Font"].values()
    ]
    assert fonts
    assert all("SourceSansPro" in str(font["/BaseFont"]) for font in fonts)
    for font in fonts:
        descriptor = font["/DescendantFonts"][0].get_object()["/FontDescriptor"]
        assert {"/FontFile2", "/FontFile3"} & set(descriptor)


def test_the_same_composition_gives_the_same_bytes() -> None:
    assert pdf(composition()) == pdf(composition())
    assert pdf(composition(period="2026Q2")) != pdf(composition())


def test_no_name_or_text_is_read_as_the_template_language() -> None:
    told = composition(
        facility=composition().facility.model_copy(update={"name": HOSTILE}),
        sections=(
            composition()
            .sections[0]
            .model_copy(
                update={"title": HOSTILE, "measures": (measure(title=HOSTILE, says=HOSTILE),)}
            ),
        ),
    )
    text = text_of(pypdf.PdfReader(io.BytesIO(pdf(told))))
    assert text.count("*bold*") >= 4
    assert "#let x = 1" in text


def test_a_correction_says_what_it_corrects_and_why() -> None:
    told = composition(
        issue=Issue(number=2, supersedes=1, reason="Follow-ups of May were missing.")
    )
    text = text_of(pypdf.PdfReader(io.BytesIO(pdf(told))))
    assert "Issue 2. It supersedes issue 1: Follow-ups of May were missing." in text


def test_measures_without_a_chart_share_pages_and_others_have_one_each() -> None:
    section = composition().sections[0]
    hidden = [measure(f"m{number}", result=figures(rate=None)) for number in range(5)]
    told = composition(sections=(section.model_copy(update={"measures": (measure(), *hidden)}),))
    assert [page["breaks"] for page in document(told)["pages"]] == [True, True] + [False] * 4


def test_each_page_can_be_looked_at_as_a_picture() -> None:
    found = pictures(composition(), ppi=20)
    assert len(found) == len(pypdf.PdfReader(io.BytesIO(pdf(composition()))).pages)
    assert all(one.startswith(b"\x89PNG") for one in found)
