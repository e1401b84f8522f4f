"""Pages and entity tags: what the wire promises of long lists and of versions."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import Request, Response
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from sqlalchemy import select

from app import errors
from app.api.pages import Expected, Held, InvalidCursor, Page, etag, etag_of, tagged
from app.database import EVERYTHING, Database
from app.models.account import Key, Partner


def request(query: str = "") -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/v1/things",
            "query_string": query.encode(),
            "headers": [(b"host", b"evil.example")],
            "server": ("evil.example", 80),
            "scheme": "http",
        }
    )


def page(limit: int = 3, after: str | None = None, query: str = "") -> Page:
    return Page(limit, after, request(query), Response())


def next_of(turned: Page) -> str | None:
    """The cursor in a page's Link, which must hold nothing of the Host header."""
    link = turned.response.headers.get("link")
    if link is None:
        return None
    found = re.fullmatch(r'<(/v1/things\?[^>]*)>; rel="next"', link)
    assert found, link
    return parse_qs(urlsplit(found[1]).query)["after"][0]


@given(items=st.sets(st.text(min_size=1)), limit=st.integers(1, 10))
def test_the_pages_of_a_list_in_memory_are_the_list(items: set[str], limit: int) -> None:
    seen: list[str] = []
    after: str | None = None
    while True:
        turned = page(limit, after)
        shown = turned.of(list(items), key=lambda item: item.encode("utf-8", "replace").hex())
        assert len(shown) <= limit
        seen += shown
        after = next_of(turned)
        if after is None:
            break
    assert len(seen) == len(items)
    assert set(seen) == items


@pytest.mark.parametrize("descending", [False, True])
async def test_the_pages_of_a_table_are_the_table_in_order(web: Database, descending: bool) -> None:
    async with web.transaction(EVERYTHING) as session:
        names = [f"partner {descending} {number:02}" for number in range(10)]
        session.add_all(Partner(name=name, registries=[]) for name in names)
        await session.flush()
        seen: list[str] = []
        after: str | None = None
        statement = select(Partner).where(Partner.name.in_(names))
        while True:
            turned = page(4, after, "limit=4&x=%22%0d%0aSet-Cookie:%20a")
            rows = await turned.rows(session, statement, Partner.id, descending=descending)
            seen += [row.name for row in rows]
            after = next_of(turned)
            if after is None:
                break
        assert seen == sorted(names, reverse=descending)


async def test_rows_that_come_and_go_are_neither_shown_twice_nor_skipped(web: Database) -> None:
    async with web.transaction(EVERYTHING) as session:
        for number in range(6):
            session.add(Key(id=f"key{number}", digest=b"", role="registrar", label="paging"))
        await session.flush()
        statement = select(Key.id, Key.label).where(Key.label == "paging")
        first = page(3)
        shown = [row.id for row in await first.rows(session, statement, Key.id)]
        session.add(Key(id="key00", digest=b"", role="registrar", label="paging"))  # before
        session.add(Key(id="key35", digest=b"", role="registrar", label="paging"))  # ahead
        await session.flush()
        second = page(10, next_of(first))
        shown += [row.id for row in await second.rows(session, statement, Key.id)]
        assert shown == ["key0", "key1", "key2", "key3", "key35", "key4", "key5"]


@given(after=st.from_regex(r"[A-Za-z0-9_-]{1,60}", fullmatch=True))
def test_no_cursor_of_somebodys_own_is_understood_or_breaks_anything(after: str) -> None:
    with pytest.raises(InvalidCursor):
        page(3, after).of(["a"], key=str)


@pytest.mark.parametrize(
    "values",
    [
        [2**63],
        [-(2**63) - 1],
        [1.5],
        [True],
        [None],
        ["1"],
        [[1]],
        [1, 1],
        [],
        {"a": 1},
        "text",
        None,
    ],
)
async def test_a_cursor_of_the_wrong_kind_is_refused(web: Database, values: Any) -> None:
    import base64

    import orjson

    try:
        raw = orjson.dumps(values)
    except TypeError:  # beyond what orjson writes
        raw = str(values).encode()
    after = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    async with web.transaction(EVERYTHING) as session:
        with pytest.raises(InvalidCursor):
            await page(3, after).rows(session, select(Key), Key.__table__.c.created_at)
        with pytest.raises(InvalidCursor):
            await page(3, after).rows(session, select(Partner), Partner.id)


class Thing(BaseModel):
    name: str


@given(parts=st.lists(st.text()), others=st.lists(st.text()))
def test_tags_are_equal_only_for_equal_parts(parts: list[str], others: list[str]) -> None:
    assert (etag(*parts) == etag(*others)) == (parts == others)


def test_an_answer_carries_a_strong_tag_of_its_bytes() -> None:
    asked = Held(None, Response())
    assert asked.reply(Thing(name="a")) == Thing(name="a")
    tag = asked.response.headers["etag"]
    assert tag == etag_of(Thing(name="a")) != etag_of(Thing(name="b"))
    assert re.fullmatch(r'"[0-9a-f]{32}"', tag)
    response = Response()
    assert tagged(response, Thing(name="a")) == Thing(name="a")
    assert response.headers["etag"] == tag


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '"x",W/{} , "y"', "*"])
def test_what_is_held_already_is_not_sent_again(form: str) -> None:
    tag = etag_of(Thing(name="a"))
    answer = Held(form.format(tag), Response()).reply(Thing(name="a"))
    assert isinstance(answer, Response)
    assert (answer.status_code, answer.headers["etag"], answer.body) == (304, tag, b"")
    if form != "*":
        changed = Held(form.format(tag), Response()).reply(Thing(name="b"))
        assert changed == Thing(name="b")


@pytest.mark.parametrize("form", ["{}", '"x", {}', "*", " * "])
def test_a_change_of_what_was_seen_goes_through(form: str) -> None:
    tag = etag_of(Thing(name="a"))
    Expected(form.format(tag)).require(tag)
    Expected(None).require(tag)


@pytest.mark.parametrize("form", ["W/{}", '"x"', "", "{}x", "garbage", '"'])
def test_a_change_of_what_was_not_seen_is_refused(form: str) -> None:
    tag = etag_of(Thing(name="a"))
    given_ = form.format(tag.strip('"'))
    with pytest.raises(errors.PreconditionFailed):
        Expected(given_ if form != "W/{}" else f"W/{tag}").require(tag)
