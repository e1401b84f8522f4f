"""
Long lists in pages (RFC 8288), and answers that say which version they are (RFC 9110, 8.8).

A list is read along a key that grows, never by offset: rows that come or go while somebody
turns the pages are neither shown twice nor skipped. The cursor is opaque to the reader, and made
of our own keys alone, so that no address ever holds what somebody submitted.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import orjson
from fastapi import Depends, Header, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import BigInteger, ColumnElement, Select, SmallInteger, literal, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from app import errors

LARGEST_PAGE = 500
USUAL_PAGE = 100
LONGEST_CURSOR = 512

_BITS: tuple[tuple[type[TypeEngine[int]], int], ...] = ((SmallInteger, 15), (BigInteger, 63))

Item = TypeVar("Item")
Body = TypeVar("Body", bound=BaseModel)


class InvalidCursor(errors.Unprocessable):
    """An `after` that no page of ours gave."""

    code = "invalid-cursor"
    title = "Not a cursor of this list"

    def __init__(self) -> None:
        super().__init__("Take `after` from a Link of this list, or leave it out to start again.")


def _encoded(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(values))).decode().rstrip("=")


def _value_of(raw: Any, key: ColumnElement[Any]) -> Any:
    """One value of a cursor in its column's own type; a cursor is input like any other."""
    kind = key.type.python_type
    if kind is int:
        bits = next((bits for sort, bits in _BITS if isinstance(key.type, sort)), 31)
        if type(raw) is not int or not -(2**bits) <= raw < 2**bits:
            raise InvalidCursor
        return raw
    if not isinstance(raw, str) or "\x00" in raw:
        raise InvalidCursor
    if kind is datetime:
        moment = datetime.fromisoformat(raw)
        if moment.tzinfo is None:
            raise InvalidCursor
        return moment
    if kind is date:
        return date.fromisoformat(raw)
    if kind is UUID:
        return UUID(raw)
    return raw


def _decoded(after: str, size: int) -> list[Any]:
    """The values in a cursor of ours; anything else is refused, never guessed at."""
    try:
        padded = after + "=" * (-len(after) % 4)
        values = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        raise InvalidCursor from None
    if not isinstance(values, list) or len(values) != size:
        raise InvalidCursor
    return values


@dataclass(frozen=True, slots=True)
class Page:
    """Which page somebody asked for, and the reply on which its `Link` is written."""

    limit: int
    after: str | None
    request: Request
    response: Response

    async def rows(
        self,
        session: AsyncSession,
        statement: Select[Any],
        *keys: Any,
        descending: bool = False,
    ) -> list[Any]:
        """This page of `statement` in the order of `keys`; writes the `Link` to the next one.

        The keys are columns, together unique, never null, and ours: they go into an address.
        A statement of one entity gives its objects, one of several columns its rows, to be read
        by name: the keys' values stand at their ends.
        """
        if self.after is not None:
            raw = _decoded(self.after, len(keys))
            try:
                values = [
                    literal(_value_of(value, key), key.type)
                    for value, key in zip(raw, keys, strict=True)
                ]
            except ValueError:
                raise InvalidCursor from None
            here = tuple_(*keys)
            beyond = here < tuple_(*values) if descending else here > tuple_(*values)
            statement = statement.where(beyond)
        order = [key.desc() if descending else key.asc() for key in keys]
        found = (
            await session.execute(
                statement.add_columns(*keys).order_by(None).order_by(*order).limit(self.limit + 1)
            )
        ).all()
        shown = found[: self.limit]
        if len(found) > self.limit:
            self._link_next(_encoded(shown[-1][-len(keys) :]))
        return [row[0] if len(row) == len(keys) + 1 else row for row in shown]

    def of(self, items: Sequence[Item], key: Callable[[Item], str]) -> list[Item]:
        """This page of a list held in memory, ordered by a unique `key` of ours."""
        ordered = sorted(items, key=key)
        if self.after is not None:
            (last,) = _decoded(self.after, 1)
            if not isinstance(last, str):
                raise InvalidCursor
            ordered = [item for item in ordered if key(item) > last]
        shown = ordered[: self.limit]
        if len(ordered) > self.limit:
            self._link_next(_encoded([key(shown[-1])]))
        return shown

    def begins_after(self, *keys: ColumnElement[Any]) -> list[Any] | None:
        """Where a list that is worked out begins: the values of these columns, None for its start."""
        if self.after is None:
            return None
        try:
            return [
                _value_of(raw, key)
                for raw, key in zip(_decoded(self.after, len(keys)), keys, strict=True)
            ]
        except ValueError:
            raise InvalidCursor from None

    def goes_on_after(self, *values: Any) -> None:
        """Write the `Link` to what comes after these values."""
        self._link_next(_encoded(values))

    def _link_next(self, cursor: str) -> None:
        """Write `Link: <…>; rel="next"` as a path: it must never repeat a Host header."""
        address = self.request.url.include_query_params(limit=self.limit, after=cursor)
        self.response.headers["Link"] = f'<{address.path}?{address.query}>; rel="next"'


async def page(
    request: Request,
    response: Response,
    limit: Annotated[
        int, Query(ge=1, le=LARGEST_PAGE, description="How many at most.")
    ] = USUAL_PAGE,
    after: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=LONGEST_CURSOR,
            pattern=r"^[A-Za-z0-9_-]+$",
            description="Where the page before ended, from its `Link`.",
        ),
    ] = None,
) -> Page:
    """The page a request asks for."""
    return Page(limit, after, request, response)


PageAsked = Annotated[Page, Depends(page)]

PAGED: dict[str, Any] = {
    "headers": {
        "Link": {
            "description": 'The next page, `rel="next"` (RFC 8288); absent on the last one.',
            "schema": {"type": "string"},
        }
    }
}
"""Documents a paged list: `responses={200: PAGED}`."""


def etag(*parts: object) -> str:
    """A strong entity tag of whatever decides the bytes of an answer."""
    digest = hashlib.sha256(
        orjson.dumps([str(part) for part in parts])  # framed: ("ab", "c") is not ("a", "bc")
    )
    return f'"{digest.hexdigest()[:32]}"'


COMPRESSED_TAG = "-gzip"
"""The end of a tag whose answer was compressed on its way out; it comes back with conditions."""

_ENTITY_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


def _tags(header: str, *, weak: bool) -> set[str]:
    """The opaque tags a header lists; weak ones only where a weak comparison is allowed."""
    return {
        f'"{tag.removesuffix(COMPRESSED_TAG)}"'
        for mark, tag in _ENTITY_TAG.findall(header)
        if weak or not mark
    }


def etag_of(body: BaseModel) -> str:
    """The strong tag of an answer that is this body."""
    return etag(body.model_dump_json())


def tagged(response: Response, body: Body) -> Body:
    """A body whose tag is put on its answer."""
    response.headers["ETag"] = etag_of(body)
    return body


@dataclass(frozen=True, slots=True)
class Held:
    """The version a reader holds already (`If-None-Match`)."""

    if_none_match: str | None
    response: Response

    def reply(self, body: Body, tag: str | None = None) -> Body | Response:
        """The body with its `ETag`, or 304 if the reader holds it."""
        tag = tag or etag_of(body)
        if self._holds(tag):
            return Response(status_code=304, headers={"ETag": tag})
        self.response.headers["ETag"] = tag
        return body

    def file(self, file: Response, tag: str) -> Response:
        """A ready response with its `ETag`, or 304 if the reader holds it."""
        if self._holds(tag):
            return Response(status_code=304, headers={"ETag": tag})
        file.headers["ETag"] = tag
        return file

    def _holds(self, tag: str) -> bool:
        asked = self.if_none_match
        return asked is not None and (asked.strip() == "*" or tag in _tags(asked, weak=True))


@dataclass(frozen=True, slots=True)
class Expected:
    """The version a writer saw last (`If-Match`)."""

    if_match: str | None

    def require(self, tag: str) -> None:
        """Refuse to change what is no longer what the writer saw; no `If-Match`, no condition."""
        if self.if_match is None or self.if_match.strip() == "*":
            return
        if tag not in _tags(self.if_match, weak=False):
            raise errors.PreconditionFailed("Read it again, then send the change with its ETag.")


async def held(
    response: Response,
    if_none_match: Annotated[
        str | None, Header(max_length=2000, description="Answer 304 if it still has this ETag.")
    ] = None,
) -> Held:
    """What a reader holds (RFC 9110, 13.1.2)."""
    return Held(if_none_match, response)


async def expected(
    if_match: Annotated[
        str | None, Header(max_length=2000, description="Change it only if it still has this ETag.")
    ] = None,
) -> Expected:
    """What a writer expects (RFC 9110, 13.1.1)."""
    return Expected(if_match)


Conditional = Annotated[Held, Depends(held)]
Unchanged = Annotated[Expected, Depends(expected)]

TAGGED: dict[str, Any] = {
    "headers": {
        "ETag": {
            "description": "A strong tag of this version (RFC 9110, 8.8.3).",
            "schema": {"type": "string"},
        }
    }
}
"""Documents an answer with an entity tag: `responses={200: TAGGED, 304: NOT_MODIFIED}`."""

NOT_MODIFIED: dict[str, Any] = {"description": "You hold this version already.", **TAGGED}
