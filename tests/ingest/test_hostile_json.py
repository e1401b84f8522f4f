import orjson
import pytest

from tests.ingest.hostile import deep, numbered, spoiled
from tests.ingest.landing import Landing

JSON, NDJSON = "application/json", "application/x-ndjson"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b" \n ", "empty", id="blanks"),
        pytest.param(b'{"entries": []}', "empty", id="no entry"),
        pytest.param(b'{"entries": [{"form"', "unreadable", id="cut off"),
        pytest.param(b'"text"', "unreadable", id="text"),
        pytest.param(b"null", "unreadable", id="null"),
        pytest.param(b"{}", "unreadable", id="another object"),
        pytest.param(b'{"entries": {}}', "unreadable", id="entries are no list"),
        pytest.param(b'{"entries": [{}], "more": 1}', "unreadable", id="another member"),
        pytest.param(b'{"entries": [{}], "entries": [{}]}', "unreadable", id="entries twice"),
        pytest.param('{"entries": []}'.encode("utf-16"), "unreadable", id="UTF-16"),
        pytest.param(b'{"entries": [{"elements": {"a": "\xe9"}}]}', "unreadable", id="Latin-1"),
        pytest.param(b'{"entries": [{"elements": {"dlp": NaN}}]}', "unreadable", id="NaN"),
        pytest.param(b'{"entries": [{"elements": {"dlp": 1e400}}]}', "unreadable", id="1e400"),
        pytest.param(deep(200_000), "unreadable", id="deep"),
        pytest.param(b'{"entries":' + deep(900) + b',"a:":":"}', "unreadable", id="deep, closely"),
        pytest.param(b"PK\x03\x04" + bytes(100), "unreadable", id="a zip"),
        pytest.param(bytes(1000), "unreadable", id="zeros"),
    ],
)
async def test_a_document_that_cannot_be_read_is_one_finding_of_the_submission(
    landing: Landing, body: bytes, code: str
) -> None:
    landed = await landing.land(body, JSON)
    assert landed.state == "unreadable"
    assert landed.findings == [(0, "submission", code)]
    kept = await landing.rows(
        "SELECT destroyed_at IS NULL FROM vault.quarantine WHERE id = :id",
        id=landed.submission.quarantine_id,
    )
    assert kept == [(True,)]


LINES = [
    pytest.param(b"{", "row", "not-an-entry", id="cut off"),
    pytest.param(b"[1, 2]", "row", "not-an-entry", id="a list"),
    pytest.param(b'{"elements": []}', "row", "not-an-entry", id="elements are a list"),
    pytest.param(b'{"form": "exam"}', "row", "not-an-entry", id="no elements"),
    pytest.param(spoiled(1, b'"80.00"', b"NaN"), "row", "not-an-entry", id="NaN"),
    pytest.param(spoiled(1, b'"80.00"', b"Infinity"), "row", "not-an-entry", id="Infinity"),
    pytest.param(spoiled(1, b'"80.00"', b"1e400"), "row", "not-an-entry", id="1e400"),
    pytest.param(spoiled(1, b'"80.00"', b"1e40"), "dlp", "not-a-number", id="1e40"),
    pytest.param(spoiled(1, b'"80.00"', b"[[[80]]]"), "dlp", "not-a-number", id="nested"),
    pytest.param(spoiled(1, b'"80.00"', b'{"a":{"b":1}}'), "dlp", "not-a-number", id="object"),
    pytest.param(spoiled(1, b'"80.00"', deep(600)), "dlp", "not-a-number", id="600 deep"),
    pytest.param(spoiled(1, b'"Long"', b'"\xe9"'), "row", "not-an-entry", id="Latin-1"),
    pytest.param(spoiled(1, b'"Long"', b'"\\ud800"'), "row", "not-an-entry", id="half a pair"),
    pytest.param(
        spoiled(1, b'"Long"', b'"\\u0000"'), "patient_last_name", "forbidden-character", id="NUL"
    ),
    pytest.param(
        spoiled(1, b'"Long"', b'"' + b"x" * 5_000 + b'"'),
        "patient_last_name",
        "too-long",
        id="long",
    ),
    pytest.param(
        spoiled(1, b'"Long"', b'"' + b"x" * 2_000_000 + b'"'), "row", "too-large", id="gigantic"
    ),
    pytest.param(
        spoiled(1, b'"2025-03-04"', b'"31/02/2025"'), "exam_date", "not-a-date", id="31/02"
    ),
    pytest.param(
        spoiled(1, b'"2025-03-04"', b"45720"), "exam_date", "not-a-date", id="a serial number"
    ),
    pytest.param(
        spoiled(1, b'"dlp":"80.00"', b'"dlp":"80.00","dlp":"81.00"'),
        "dlp",
        "duplicate-element",
        id="a member twice",
    ),
    pytest.param(
        spoiled(1, b'"form":"exam"', b'"form":"exam","form":"follow_up"'),
        "form",
        "duplicate-element",
        id="the form twice",
    ),
    pytest.param(
        spoiled(1, b'"form":"exam"', b'"form":"nothing"'), "_form", "unknown-form", id="form"
    ),
    pytest.param(spoiled(1, b'"form":"exam"', b'"form":["exam"]'), "_form", "unknown-form", id="f"),
    pytest.param(
        spoiled(1, b'"action":"submit"', b'"action":"drop"'), "_action", "unknown-action", id="act"
    ),
    pytest.param(
        spoiled(1, b'"form":"exam"', b'"form":"exam","x":1'), "member 2", "unknown-element", id="m"
    ),
]


@pytest.mark.parametrize(("line", "place", "code"), LINES)
async def test_one_bad_line_is_one_finding_and_the_others_land(
    landing: Landing, line: bytes, place: str, code: str
) -> None:
    body = b"\n".join([orjson.dumps(numbered(0)), line, orjson.dumps(numbered(2))])
    landed = await landing.land(body, NDJSON)
    assert landed.findings == [(2, place, code)]
    assert landed.outcomes == ["accepted", "rejected", "accepted"]


async def test_a_member_twice_is_found_in_a_document_too(landing: Landing) -> None:
    twice = spoiled(1, b'"dlp":"80.00"', b'"dlp":"80.00","dlp":"80.00"')
    body = b'{"entries": [' + b",".join([orjson.dumps(numbered(0)), twice]) + b"]}"
    landed = await landing.land(body, JSON)
    assert landed.findings == [(2, "dlp", "duplicate-element")]
    assert landed.outcomes == ["accepted", "rejected"]


async def test_ten_thousand_members_are_found_up_to_a_bound_and_the_others_land(
    landing: Landing,
) -> None:
    wide = numbered(1)
    wide["elements"] |= {f"member_{number}": number for number in range(10_000)}
    body = b"\n".join([orjson.dumps(wide), orjson.dumps(numbered(2))])
    landed = await landing.land(body, NDJSON)
    assert landed.outcomes == ["rejected", "accepted"]
    assert 1 <= len(landed.findings) <= 200
    assert {(row, code) for row, _, code in landed.findings} == {(1, "unknown-element")}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xef\xbb\xbf" + orjson.dumps(numbered(1)), id="BOM"),
        pytest.param(b"\r\n\n" + orjson.dumps(numbered(1)) + b"\r\n\r\n  \n", id="blank lines"),
        pytest.param(orjson.dumps(numbered(1)).replace(b":", b" :\t"), id="blanks"),
        pytest.param(
            orjson.dumps(numbered(1, patient_middle_name="O'Neil-B.")), id="apostrophe and hyphen"
        ),
    ],
)
async def test_what_is_only_unusual_lands(landing: Landing, body: bytes) -> None:
    landed = await landing.land(body, NDJSON)
    assert landed.findings == []
    assert landed.outcomes == ["accepted"]


@pytest.mark.parametrize("body", [b"", b"\n\n", b"\xef\xbb\xbf"])
async def test_lines_without_an_entry_are_empty(landing: Landing, body: bytes) -> None:
    landed = await landing.land(body, NDJSON)
    assert landed.findings == [(0, "submission", "empty")]


async def test_a_byte_order_mark_before_a_document_does_not_matter(landing: Landing) -> None:
    body = b"\xef\xbb\xbf" + orjson.dumps({"entries": [numbered(1)]})
    assert (await landing.land(body, JSON)).outcomes == ["accepted"]


async def test_a_single_entry_is_a_document(landing: Landing) -> None:
    assert (await landing.land(orjson.dumps(numbered(1)), JSON)).outcomes == ["accepted"]
