import io
import zipfile
from collections.abc import Callable
from datetime import date
from random import Random
from typing import Any

import pytest

from app.errors import UnreadableSubmission
from app.ingest.formats import xlsx
from tests.ingest.hostile import GOOD, NAMES, repacked, row, workbook
from tests.ingest.landing import Landing

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHEET = "xl/worksheets/sheet1.xml"
BOOK = workbook([row(1)])


def bomb() -> bytes:
    """A workbook of some kilobytes that unpacks to a thousand times as much."""
    return repacked(BOOK, "xl/sharedStrings.xml", b"<sst>" + b" " * 60_000_000 + b"</sst>")


def wide() -> bytes:
    """A workbook of a few cells that span seventeen thousand million."""
    cells = b'<row r="1"><c r="A1" t="n"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    return repacked(BOOK, SHEET, b"<worksheet><sheetData>" + cells + b"</sheetData></worksheet>")


def cell(attributes: str, value: str = "1") -> bytes:
    """A workbook whose first cell has these attributes."""
    return repacked(
        BOOK,
        SHEET,
        f'<worksheet><sheetData><row r="1"><c {attributes}><v>{value}</v></c></row></sheetData>'
        "</worksheet>".encode(),
    )


def far_day() -> bytes:
    """A workbook with a day that no calendar reaches, which makes the reader panic."""
    days = [row(1, exam_date=("write_datetime", date(2025, 3, 4), "day"))]
    with zipfile.ZipFile(io.BytesIO(workbook(days))) as archive:
        sheet = archive.read(SHEET)
    assert b"<v>45720</v>" in sheet
    return repacked(workbook(days), SHEET, sheet.replace(b"<v>45720</v>", b"<v>-1e300</v>"))


def shared(count: str) -> bytes:
    """A workbook that says how many texts it shares."""
    text = f'<sst count="1" uniqueCount="{count}"><si><t>a</t></si></sst>'
    return repacked(BOOK, "xl/sharedStrings.xml", text.encode())


def liar() -> bytes:
    """A workbook that declares a part to be smaller than it is."""
    body = bytearray(repacked(BOOK, SHEET, b"<worksheet/>" + Random(1).randbytes(100_000)))
    with zipfile.ZipFile(io.BytesIO(bytes(body))) as archive:
        size = archive.getinfo(SHEET).file_size
    return bytes(body).replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b"not a workbook", "unreadable", id="text"),
        pytest.param(BOOK[: len(BOOK) // 2], "unreadable", id="cut off"),
        pytest.param(BOOK[:-30], "unreadable", id="cut off at the end"),
        pytest.param(repacked(BOOK, SHEET, b"<worksheet><sheet"), "unreadable", id="broken XML"),
        pytest.param(workbook([]), "empty", id="headings alone"),
        pytest.param(workbook([row(1)], ["a", "b"]), "unreadable", id="no heading of ours"),
        pytest.param(bomb, "too-large", id="zip bomb"),
        pytest.param(wide, "too-large", id="a rectangle of cells"),
        pytest.param(liar, "unreadable", id="declared sizes that lie"),
        pytest.param(cell('r="A99999999999"'), "too-large", id="a row beyond numbers"),
        pytest.param(cell('r="AAAAAAAAAAAA1"'), "too-large", id="a column beyond numbers"),
        pytest.param(cell("r = 'aaaaaxfd2'"), "too-large", id="a column in small letters"),
        pytest.param(shared("4294967295"), "too-large", id="more shared texts than memory"),
        pytest.param(shared("&#57;&#57;&#57;99999999"), "too-large", id="a count that is hidden"),
        pytest.param(far_day, "unreadable", id="a day that makes the reader panic"),
    ],
)
async def test_a_workbook_that_cannot_be_read_is_one_finding_of_the_submission(
    landing: Landing, body: bytes | Callable[[], bytes], code: str
) -> None:
    landed = await landing.land(body() if callable(body) else body, XLSX)
    assert landed.state == "unreadable"
    assert landed.findings == [(0, "submission", code)]


def test_too_many_parts_are_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(xlsx.PARTS + 1):
            archive.writestr(f"{number}", b"")
    with pytest.raises(UnreadableSubmission):
        xlsx.measure(buffer.getvalue())


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        pytest.param({"dlp": ("write_formula", "=40+40", None, 80)}, "80.00", id="formula"),
        pytest.param({"dlp": 80}, "80.00", id="a number"),
        pytest.param({"dlp": 80.004999}, "80.00", id="a float"),
    ],
)
async def test_what_excel_worked_out_is_read(
    landing: Landing, changes: dict[str, Any], kept: str
) -> None:
    landed = await landing.land(workbook([{**GOOD, **changes}]), XLSX)
    assert landed.outcomes == ["accepted"], landed.findings
    assert await landing.rows(
        "SELECT elements ->> 'dlp' FROM versions WHERE facility_id = :f", f=landing.facilities[0]
    ) == [(kept,)]


async def test_days_numbers_and_codes_as_excel_holds_them(landing: Landing) -> None:
    cells = {
        "exam_date": ("write_datetime", date(2025, 3, 4), "day"),
        "patient_dob": ("write_datetime", date(1955, 4, 12), "day"),
        "smoking_status": 1,
        "patient_ssn": 219099123,
        "facility_npi": 1003000126,
        "lung_rads_version": 1.1,
    }
    landed = await landing.land(workbook([{**GOOD, **cells}], sheet="exam"), XLSX)
    assert landed.findings == []
    again = await landing.land([{"form": "exam", "elements": dict(GOOD)}])
    assert again.outcomes == ["unchanged"]


async def test_one_bad_row_is_one_finding_and_the_others_land(landing: Landing) -> None:
    rows = [
        row(0),
        row(1, exam_date=45720),
        row(2, patient_sex="=cmd|' /C calc'!A0"),
        row(3, ct_scanner_model="x" * 500),
        row(4, dlp=("write_boolean", True)),
        {},
        row(5),
    ]
    landed = await landing.land(workbook(rows), XLSX)
    assert landed.findings == [
        (2, "exam_date", "not-a-date"),
        (3, "patient_sex", "not-in-value-set"),
        (4, "ct_scanner_model", "too-long"),
        (5, "dlp", "not-a-number"),
    ]
    assert [landed.outcomes[0], landed.outcomes[-1]] == ["accepted"] * 2


async def test_unknown_and_repeated_headings_are_found_at_their_cells(landing: Landing) -> None:
    names = [*NAMES, "mood", "Exam Date"]
    landed = await landing.land(
        workbook([row(1), row(2) | {"mood": "x"}, row(3) | {"Exam Date": "2025-03-04"}], names),
        XLSX,
    )
    assert landed.findings == [
        (2, f"column {len(NAMES) + 1}", "unknown-element"),
        (3, "exam_date", "duplicate-element"),
    ]
    assert landed.outcomes == ["accepted", "rejected", "rejected"]
