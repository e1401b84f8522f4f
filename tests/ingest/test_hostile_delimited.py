import tracemalloc

import pytest

from app.ingest.formats import delimited
from tests.ingest.hostile import GOOD, NAMES, row, text
from tests.ingest.landing import REGISTRY, Landing

CSV, PLAIN = "text/csv", "text/plain"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b"\r\n\r\n", "empty", id="blank lines"),
        pytest.param(b"\xef\xbb\xbf", "empty", id="a byte order mark"),
        pytest.param(",".join(NAMES).encode(), "empty", id="headings alone"),
        pytest.param((",".join(NAMES) + "\n,,,\n\n").encode(), "empty", id="blank rows"),
        pytest.param(b"a,b\n1,2\n", "unreadable", id="no heading of ours"),
        pytest.param(b'"exam_unique_id\n', "unreadable", id="a heading's quote left open"),
        pytest.param(bytes(1000), "empty", id="zeros"),
        pytest.param(b"\xff\xfe\x00", "unreadable", id="half of UTF-16"),
    ],
)
async def test_a_text_without_entries_is_one_finding_of_the_submission(
    landing: Landing, body: bytes, code: str
) -> None:
    landed = await landing.land(body, CSV)
    assert landed.state == "unreadable"
    assert landed.findings == [(0, "submission", code)]


def around(middle: str | bytes) -> bytes:
    """A bad row between two good ones."""
    lines = text([row(0), row(2)]).encode().splitlines(keepends=True)
    bad = middle if isinstance(middle, bytes) else middle.encode()
    return lines[0] + lines[1] + bad + b"\n" + lines[2]


def line(**changes: str) -> str:
    """A row's line."""
    return text([row(1, **changes)]).split("\n", 1)[1].removesuffix("\n")


@pytest.mark.parametrize(
    ("middle", "place", "code"),
    [
        pytest.param(line(dlp="NaN"), "dlp", "not-a-number", id="NaN"),
        pytest.param(line(dlp="Infinity"), "dlp", "not-a-number", id="Infinity"),
        pytest.param(line(dlp="1e400"), "dlp", "not-a-number", id="1e400"),
        pytest.param(line(exam_date="31/02/2025"), "exam_date", "not-a-date", id="31/02"),
        pytest.param(line(exam_date="45720"), "exam_date", "not-a-date", id="serial number"),
        pytest.param(line(patient_sex="=cmd|' /C calc'!A0"), "patient_sex", "not-in-value-set"),
        pytest.param(
            line().replace("Long", "Lo\0ng"), "patient_last_name", "forbidden-character", id="NUL"
        ),
        pytest.param(
            line().encode().replace(b"Long", b"L\xf6ng"),
            "patient_last_name",
            "forbidden-character",
            id="Latin-1",
        ),
        pytest.param(
            line(ct_scanner_model='"a\nb"'), "ct_scanner_model", "forbidden-character", id="line"
        ),
        pytest.param(line() + ",more", "row", "too-many-cells", id="a cell too many"),
        pytest.param(line(ct_scanner_model='"a"b'), "row", "not-an-entry", id="text after a quote"),
        pytest.param(line(ct_scanner_model='"open'), "row", "not-an-entry", id="a quote left open"),
        pytest.param(line(ct_scanner_model="x" * 500), "ct_scanner_model", "too-long", id="long"),
        pytest.param(line(ct_scanner_model="x" * 2_000_000), "row", "too-large", id="gigantic"),
    ],
)
async def test_one_bad_row_is_one_finding_and_the_others_land(
    landing: Landing, middle: str | bytes, place: str, code: str
) -> None:
    landed = await landing.land(around(middle), CSV)
    assert landed.findings == [(2, place, code)]
    assert landed.outcomes == ["accepted", "rejected", "accepted"]


async def test_a_row_that_ends_early_lacks_what_it_lacks(landing: Landing) -> None:
    landed = await landing.land(around(",".join(line().split(",")[:-1])), CSV)
    assert landed.findings == [(2, NAMES[-1], "missing")]
    assert landed.outcomes == ["accepted", "rejected", "accepted"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(text([row(1)], end="\r\n").encode(), id="CRLF"),
        pytest.param(text([row(1)], end="\r").encode(), id="CR"),
        pytest.param(text([row(1)], delimiter="|").encode(), id="vertical bar"),
        pytest.param(b"\xef\xbb\xbf" + text([row(1)]).encode(), id="BOM"),
        pytest.param(text([row(1)]).encode("utf-16"), id="UTF-16 that says so"),
        pytest.param(text([row(1)]).strip().encode(), id="no last line end"),
        pytest.param(text([row(1, ct_scanner_model='"A, ""B"""')]).encode(), id="quotes"),
        pytest.param(
            text([row(1)]).replace("exam_unique_id", "Exam Unique-ID ").encode(), id="heading"
        ),
        pytest.param(text([row(1)], [*NAMES, "mood", "_form"]).encode(), id="empty columns"),
        pytest.param((text([row(1)]) + "\n,,\n").encode(), id="blank rows at the end"),
    ],
)
async def test_what_is_only_unusual_lands(landing: Landing, body: bytes) -> None:
    landed = await landing.land(body, PLAIN)
    assert landed.findings == []
    assert landed.outcomes == ["accepted"]


async def test_a_declared_charset_is_believed(landing: Landing) -> None:
    body = text([row(1, ct_scanner_model="Größe")]).encode("latin-1")
    landed = await landing.land(body, "text/csv; charset=iso-8859-1")
    assert landed.findings == []
    kept = await landing.rows(
        "SELECT elements ->> 'ct_scanner_model' FROM versions WHERE facility_id = :f",
        f=landing.facilities[0],
    )
    assert kept == [("Größe",)]


async def test_an_unknown_column_is_found_where_it_holds_something(landing: Landing) -> None:
    names = ["mood", *NAMES]
    body = text([row(1), row(2) | {"mood": "fine"}], names).encode()
    landed = await landing.land(body, CSV)
    assert landed.findings == [(2, "column 1", "unknown-element")]
    assert landed.outcomes == ["accepted", "rejected"]


async def test_a_heading_twice_is_found_where_both_hold_something(landing: Landing) -> None:
    body = (text([row(1)], [*NAMES, "DLP"]) + line() + ",5.00\n").encode()
    landed = await landing.land(body, CSV)
    assert landed.findings == [(2, "dlp", "duplicate-element")]
    assert landed.outcomes == ["accepted", "rejected"]


async def test_ten_thousand_columns_are_found_up_to_a_bound(landing: Landing) -> None:
    extra = [f"column{number}" for number in range(10_000)]
    body = text([row(1), row(2) | dict.fromkeys(extra, "1")], [*NAMES, *extra]).encode()
    landed = await landing.land(body, CSV)
    assert landed.outcomes == ["accepted", "rejected"]
    assert 1 <= len(landed.findings) <= 200


async def test_form_and_action_are_columns_and_forms_may_be_mixed(landing: Landing) -> None:
    names = [
        "_form",
        "_action",
        *NAMES,
        "follow_up_unique_id",
        "follow_up_date",
        "follow_up_diagnostic",
    ]
    rows = [
        {**GOOD, "_form": "exam"},
        {
            "_form": "follow_up",
            "_action": "submit",
            "exam_unique_id": "A-1",
            "follow_up_unique_id": "F",
            "follow_up_date": "06/04/2025",
            "follow_up_diagnostic": "1",
        },
        {"_action": "withdraw", "exam_unique_id": "A-1"},
        {**GOOD, "_action": "erase"},
    ]
    landed = await landing.land(text(rows, names).encode(), CSV)
    assert landed.findings == [(4, "_action", "unknown-action")]
    assert landed.outcomes == ["accepted", "accepted", "withdrawn", "rejected"]


async def test_a_body_of_very_many_lines_is_not_held_line_by_line(landing: Landing) -> None:
    heading = str(NAMES[0])
    body = f"{heading}\n".encode() + b"a\n" * 20_000
    definition = landing.works.catalogue.in_force(REGISTRY)
    tracemalloc.start()
    try:
        assert sum(1 for _ in delimited.entries(body, definition, "utf-8-sig")) == 20_000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10 * len(body)
