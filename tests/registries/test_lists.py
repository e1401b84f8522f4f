"""A facility's own lists: what their forms must be, and what an element that takes from one is."""

from pathlib import Path

import pytest

from app.registries.dictionary.rows import dictionary
from app.registries.entries import FormCheck
from app.registries.load import load, read
from tests.make.definitions import SMALL, small

ROOMS = """\
id: rooms
title: Rooms
level: facility-list
key: [room]
elements:
  - {id: room, source_name: Room, title: Room, type: text, max_length: 30}
"""
VISIT = SMALL["elements_visit"] + (
    "  - {id: seen_in, source_name: Seen_In, title: Seen in, type: code, list: rooms, max_length: 10}\n"
)


def test_a_code_of_a_list_is_a_text_until_its_list_is_asked(tmp_path: Path) -> None:
    definition = load(small(tmp_path, elements_visit=VISIT, elements_rooms=ROOMS))
    check = FormCheck(definition, "visit")
    assert check.check({"seen_in": " Blue room "}, draft=True).values == {"seen_in": "Blue room"}
    (flaw, _) = check.check({"seen_in": "x" * 11}, draft=True).flaws
    assert (flaw.place, flaw.code.value) == ("seen_in", "too-long")
    (row,) = [one for one in dictionary(definition) if one.element == "seen_in"]
    assert row.type == "one of the facility's own `rooms`"


@pytest.mark.parametrize(
    ("file", "before", "after", "says"),
    [
        ("visit", "list: rooms", "list: roms", "elements/visit.yaml:22: there is no list of facilities `roms`; did you mean `rooms`?"),
        ("visit", "type: code, list", "type: text, list", "elements/visit.yaml:22: belongs to a `code` without a `value_set`"),
        ("visit", "list: rooms", "list: rooms, value_set: answer", "elements/visit.yaml:22: belongs to a `code` without a `value_set`"),
        ("visit", "list: rooms", "list: rooms, identifying: true", "elements/visit.yaml:22: what is on a list is sent, and identifies nobody"),
        ("rooms", "key: [room]", "key: []", "elements/rooms.yaml:1: a facility's list has a `key` of one text"),
        ("rooms", "type: text", "type: integer", "elements/rooms.yaml:1: a facility's list has a `key` of one text"),
        ("rooms", "max_length: 30", "max_length: 30, identifying: true", "elements/rooms.yaml:6: `room` is about a person, and the form is a facility's"),
    ],
)  # fmt: skip
def test_what_a_list_cannot_be(
    tmp_path: Path, file: str, before: str, after: str, says: str
) -> None:
    texts = {"elements_visit": VISIT, "elements_rooms": ROOMS}
    changed = texts[f"elements_{file}"].replace(before, after)
    assert changed != texts[f"elements_{file}"]
    _, complaints = read(small(tmp_path, **(texts | {f"elements_{file}": changed})))
    assert says in complaints
