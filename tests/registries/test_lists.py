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
  - {id: floor, source_name: Floor, title: Floor, type: integer}
"""
VISIT = SMALL["elements_visit"] + (
    "  - {id: seen_in, source_name: Seen_In, title: Seen in, type: code, list: rooms, max_length: 10}\n"
    "  - {id: called, source_name: Called, title: Called, type: text, max_length: 30, identifying: true}\n"
    "  - {id: on_floor, source_name: On_Floor, title: Floor, type: integer, from_list: {list: rooms, by: called, element: floor}}\n"
    "  - {id: other, source_name: Other, title: Other, type: text, max_length: 30}\n"
    "  - {id: in_room, source_name: In_Room, title: Room, type: text, from_list: {list: rooms, by: called, element: room}}\n"
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
        ("rooms", "max_length: 30", "max_length: 30, identity: local_id", "elements/rooms.yaml:6: `room` is about a person, and the form is a facility's"),
        ("visit", "element: floor", "element: flor", "elements/visit.yaml:24: there is no element `flor`; did you mean `floor`?"),
        ("visit", "list: rooms, by", "list: roms, by", "elements/visit.yaml:24: there is no list of facilities `roms`; did you mean `rooms`?"),
        ("visit", "by: called", "by: floor", "elements/visit.yaml:24: `floor` is no text of this form"),
        ("visit", "type: integer, from_list", "type: decimal, from_list", "elements/visit.yaml:24: `floor` has values of another kind"),
        ("visit", "type: integer, from_list", "type: integer, required: true, from_list", "elements/visit.yaml:24: is looked up when an entry was checked: it cannot be required"),
        ("visit", "type: integer, from_list", "type: integer, identifying: true, from_list", "elements/visit.yaml:24: what is worked out, identifies or is a list's own key is not looked up"),
        ("visit", "list: rooms, by: called, element: room", "list: rooms, by: other, element: room", "elements/visit.yaml:26: one list is looked up by one element of a form"),
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
