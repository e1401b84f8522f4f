import io

import openpyxl
import pytest

from app.reports.workbook import workbook
from tests.reports.compositions import composition, measure, standing


def rows(content: bytes, sheet: str) -> list[tuple[object, ...]]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return list(book[sheet].iter_rows(values_only=True))


def test_figures_are_numbers_and_stand_beside_their_names() -> None:
    head, first, *_ = rows(workbook(composition()), "Results")
    told = dict(zip(head, first, strict=True))
    assert told["Measure"] == "Abnormal interpretation rate"
    assert (told["Result"], told["Low"], told["High"]) == (12.5, 9.1, 16.9)
    assert (told["Numerator"], told["Denominator"]) == (35, 280)


def test_a_withheld_result_is_empty_with_its_reason() -> None:
    head, _, second = rows(workbook(composition()), "Results")
    told = dict(zip(head, second, strict=True))
    assert told["Result"] is None
    assert "fewer than 10 cases" in str(told["Withheld because"])


def test_every_part_of_the_report_has_its_sheet() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(composition())))
    assert book.sheetnames == [
        *(
            "Summary",
            "Results",
            "Peers",
            "Over time",
            "Among all",
            "Case mix",
            "Control charts",
            "Strata",
            "Reference levels",
            "Completeness",
            "Not shown",
            "Methods",
        )
    ]
    assert all(sheet.max_row >= 1 for sheet in book)


@pytest.mark.parametrize("hostile", ["=1+1", "+cmd|' /C calc'!A0", "@SUM(1)", "http://x.test"])
def test_no_name_becomes_a_formula_or_a_link(hostile: str) -> None:
    told = composition(
        facility=composition().facility.model_copy(update={"name": hostile}),
        sections=(
            composition()
            .sections[0]
            .model_copy(
                update={"measures": (measure(title=hostile, standings=(standing(title=hostile),)),)}
            ),
        ),
    )
    book = openpyxl.load_workbook(io.BytesIO(workbook(told)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert any(cell.value == hostile for cell in cells)
    assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]


def test_the_same_composition_gives_the_same_bytes() -> None:
    assert workbook(composition()) == workbook(composition())
