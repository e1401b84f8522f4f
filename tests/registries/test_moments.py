"""Moments: what is one, what the zone decides, and that every engine compares them alike."""

import io
import json
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ingest.formats import xlsx
from app.ingest.formats.sent import opened
from app.registries import moments
from app.registries.entries import FormCheck
from app.registries.expressions import DATE, DATETIME, ExpressionRefused, compile
from app.registries.load import SHARED, load, read
from app.registries.rows import unpacked
from app.registries.schema import Definition
from tests.make.definitions import SMALL, small
from tests.make.entries import Desk, said

# As clocks on walls show them.
FIRST, LAST = datetime(1900, 1, 1), datetime(2199, 1, 1)  # noqa: DTZ001
SUMMER = datetime(2026, 7, 15, 14, 5)  # noqa: DTZ001
READ = (
    "  - {id: began, source_name: Began, title: Began, type: datetime}\n"
    "  - {id: ended, source_name: Ended, title: Ended, type: datetime, zone: place}\n"
    "  - {id: place, source_name: Place, title: Place, type: code, value_set: place}\n"
    '  - {id: lasted, source_name: Lasted, title: Lasted, type: integer, computed: "minutes_between(began, ended)", range: {hard: {low: 0, high: 100000}}}\n'
)
PLACES = (
    "- id: place\n  title: Place\n  codes:\n"
    "    - {code: America/New_York, label: East}\n    - {code: UTC, label: UTC}\n"
)
RULES = "- {id: ends-on-the-day, form: visit, requires: ended_day = visit_date, severity: warn, place: ended, remedy: On the day of the visit.}\n"
GOOD: dict[str, Any] = {"visit_id": "1", "visit_date": "2026-03-01", "smokes": "N"}


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Definition:
    folder = tmp_path_factory.mktemp("moments")
    small(
        folder,
        elements_visit=SMALL["elements_visit"] + READ,
        sets_all=SMALL["sets_all"] + PLACES,
        rules=SMALL["rules"] + RULES,
    )
    return load(folder)


@pytest.fixture(scope="module")
def desk(visits: Definition) -> Desk:
    return Desk(visits, "visit")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026-03-01T14:05:00-05:00", "2026-03-01T14:05:00-05:00"),
        ("2026-03-01T14:05:00Z", "2026-03-01T14:05:00+00:00"),
        ("2026-03-01 14:05 -0500", "2026-03-01T14:05:00-05:00"),
        ("3/1/2026 14:05:07+05:30", "2026-03-01T14:05:07+05:30"),
        ("2026-03-01T14:05:59.499999-00:00", "2026-03-01T14:05:59+00:00"),
        ("2026-03-01T14:04:59.999997-00:00", "2026-03-01T14:05:00+00:00"),
        ("9999-12-31T23:59:59.9Z", None),
        ("2024-02-29T00:00:00+14:00", "2024-02-29T00:00:00+14:00"),
        ("2026-03-01T14:05:00", None),
        ("2026-03-01", None),
        ("2026-02-29T14:05:00Z", None),
        ("2026-03-01T24:00:00Z", None),
        ("2026-03-01T23:59:60Z", None),
        ("2026-03-01T14:05:00+14:01", None),
        ("2026-03-01T14:05:00+05:60", None),
        ("2026-03-01T14:05:00 America/New_York", None),
        ("20260301T140500Z", None),
        ("٢٠٢٦-٠٣-٠١T14:05:00Z", None),
        ("2026-03-01T14:05:00Z" + " " * 60, None),
    ],
)
def test_a_moment_has_a_day_a_time_and_an_offset(sent: str, kept: str | None) -> None:
    assert moments.canonical(sent) == kept


@given(
    st.datetimes(FIRST, LAST),
    st.integers(-13 * 60, 13 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_what_is_written_is_read_back_and_compared_in_utc(local: datetime, zone: timezone) -> None:
    moment = local.replace(tzinfo=zone, microsecond=0)
    kept = moments.canonical(moment.isoformat())
    assert kept == moment.isoformat()
    assert moments.canonical(kept) == kept
    utc = moment.astimezone(UTC).isoformat()
    assert moments.seconds(kept) == moments.seconds(utc) == int(moment.timestamp())


@pytest.mark.parametrize(
    ("sent", "zone", "given_back"),
    [
        ("2026-01-15T14:05:00", "America/New_York", "2026-01-15T14:05:00-05:00"),
        ("2026-07-15 14:05", "America/New_York", "2026-07-15T14:05:00-04:00"),
        (SUMMER, "America/New_York", "2026-07-15T14:05:00-04:00"),
        ("2026-07-15T14:05:00Z", "America/New_York", "2026-07-15T14:05:00Z"),
        # the hour that never came, and the one that came twice
        ("2026-03-08T02:30:00", "America/New_York", "2026-03-08T02:30:00"),
        ("2026-11-01T01:30:00", "America/New_York", "2026-11-01T01:30:00"),
        ("2026-07-15T14:05:00", "Atlantis/Center", "2026-07-15T14:05:00"),
        ("2026-07-15T14:05:00", "../../etc/passwd", "2026-07-15T14:05:00"),
        ("2026-07-15T14:05:00", None, "2026-07-15T14:05:00"),
        ("soon", "UTC", "soon"),
        (14, "UTC", 14),
    ],
)
def test_a_zone_gives_its_offset_where_only_one_can_be_meant(
    sent: object, zone: object, given_back: object
) -> None:
    assert moments.in_zone(sent, zone) == given_back


@pytest.mark.parametrize(
    ("change", "kept", "found"),
    [
        ({"began": "2026-03-01T14:05:00-05:00"}, {}, []),
        ({"began": "2026-03-01T14:05:00"}, {"began": None}, [("began", "not-a-datetime")]),
        ({"began": "2026-03-01T14:05:00", "place": "UTC"}, {"began": None}, [("began", "not-a-datetime")]),
        ({"ended": "2026-03-01T14:05:00"}, {"ended": None}, [("ended", "not-a-datetime")]),
        ({"ended": "2026-03-01T14:05:00", "place": "America/New_York"}, {"ended": "2026-03-01T14:05:00-05:00"}, []),
        ({"ended": "2026-03-01T14:05:00", "Place": "America/New_York"}, {"ended": "2026-03-01T14:05:00-05:00"}, []),
        ({"ended": "2026-03-08T02:30:00", "place": "America/New_York"}, {"ended": None}, [("ended", "not-a-datetime")]),
        ({"ended": "1700-03-01T14:05:00Z"}, {"ended": None}, [("ended", "out-of-range")]),
        ({"ended": 1772373900}, {"ended": None}, [("ended", "not-a-datetime")]),
        # 23:30 in New York is the next day in UTC, and the day there counts
        ({"ended": "2026-03-01T23:30:00-05:00"}, {}, []),
        ({"ended": "2026-03-02T04:30:00+00:00"}, {}, [("ended", "rule")]),
        # across offsets, and in the hour that came twice
        ({"began": "2026-03-01T14:05:00-05:00", "ended": "2026-03-01T20:04:59+00:00"}, {"lasted": 59}, []),
        ({"began": "2026-03-01T14:05:00-05:00", "ended": "2026-03-01T14:04:00-05:00"}, {"lasted": -1}, [("lasted", "out-of-range")]),
        ({"began": "2026-03-01T14:05:00-05:00", "ended": "2026-03-01T14:04:01-05:00"}, {"lasted": 0}, []),
    ],
)  # fmt: skip
def test_entries_with_moments(
    desk: Desk, change: dict[str, Any], kept: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    (values, flaws), *_ = desk.judge([GOOD | change])
    assert said(flaws) == found
    for name, value in (change | kept).items():
        if name.islower():
            assert values.get(name) == value


def test_a_time_of_a_worksheet_takes_the_zone_of_its_row(visits: Definition, desk: Desk) -> None:
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True})
    sheet, shape = book.add_worksheet("visit"), book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    for column, heading in enumerate(("visit_id", "visit_date", "smokes", "ended", "place")):
        sheet.write_string(0, column, heading)
    for row, place in enumerate(("America/New_York", ""), start=1):
        sheet.write_row(row, 0, ["1", "2026-07-15", "N"])
        sheet.write_datetime(row, 3, SUMMER, shape)
        sheet.write_string(row, 4, place)
    book.close()
    rows = [opened(one.content).elements or {} for one in xlsx.entries(made.getvalue(), visits)]
    (there, _), (nowhere, flaws) = desk.judge(rows)
    assert there["ended"] == "2026-07-15T14:05:00-04:00"
    assert ("ended" in nowhere, said(flaws)) == (False, [("ended", "not-a-datetime")])


@given(sent=st.from_regex(moments.USUAL_TIME, fullmatch=True))
def test_the_quick_look_takes_only_what_the_careful_one_keeps(sent: str, desk: Desk) -> None:
    moment = "2026-03-01" + sent
    assert desk.check.check(GOOD | {"began": moment}) == FormCheck.check(
        desk.check, GOOD | {"began": f" {moment}"}
    )
    assert moments.canonical(moment) == moment


@settings(max_examples=5, deadline=None)
@given(
    st.lists(
        # Offsets before 1901 are no whole minutes; ISO 8601 does not write them.
        st.datetimes(
            FIRST.replace(year=1950),
            LAST,
            timezones=st.sampled_from([ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")]),
        ),
        min_size=20,
        max_size=20,
    )
)
def test_the_column_is_seconds_in_utc_and_the_day_is_the_local_one(
    desk: Desk, times: list[datetime]
) -> None:
    texts = [moments.canonical(one.isoformat()) or "" for one in times]
    pairs = list(zip(texts, texts[::-1], strict=True))
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (elements VARCHAR)")
        sent = [[json.dumps({"began": one, "ended": other})] for one, other in pairs]
        connection.executemany("INSERT INTO t VALUES (?)", sent)
        minutes = compile(
            "minutes_between(began, ended)", dict.fromkeys(("began", "ended"), DATETIME)
        )
        found = connection.execute(
            f"SELECT began, began_day, {minutes.duckdb} FROM ({unpacked(desk.form, 't')})"
        ).fetchall()
    assert found == [
        (
            moments.seconds(one),
            # Half a second before midnight is kept as the next day's first.
            datetime.fromisoformat(one).date(),
            int(Fraction(moments.seconds(other) - moments.seconds(one), 60)),
        )
        for one, other in pairs
    ]


@pytest.mark.parametrize("text", ["began = visit_date", "began - ended", "days_between(began, ended)", "began > '2026'", "age_in_years(began, began)", "minutes_between(visit_date, ended)"])  # fmt: skip
def test_a_moment_is_no_day_no_number_and_no_text(text: str) -> None:
    with pytest.raises(ExpressionRefused):
        compile(text, {"began": DATETIME, "ended": DATETIME, "visit_date": DATE})


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("zone: place", "zone: visit_id", "no coded element"),
        ("zone: place", "zone: nowhere", "no coded element"),
        ("{id: began,", "{id: began, zone: place, computed: ended,", "sent, not worked out"),
        ("{id: place, ", "{id: place, zone: place, ", "only a datetime has a zone"),
        ("{id: lasted, source_name: Lasted", "{id: began_day, source_name: Lasted", "is a column of our own"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_datetime_is_said(
    tmp_path: Any, old: str, new: str, complaint: str
) -> None:
    text = SMALL["elements_visit"] + READ
    assert text.count(old) == 1
    changed = text.replace(old, new)
    _, complaints = read(
        small(tmp_path, elements_visit=changed, sets_all=SMALL["sets_all"] + PLACES)
    )
    assert any(complaint in one for one in complaints), complaints


def test_every_shared_time_zone_is_one_of_iana() -> None:
    text = (SHARED / "value_sets" / "time-zones.yaml").read_text(encoding="utf-8")
    codes = [line.split("code: ")[1].split(",")[0] for line in text.splitlines() if "code:" in line]
    assert len(codes) > 10
    for code in codes:
        assert ZoneInfo(code).key == code
