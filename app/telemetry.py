"""
Logs and metrics, opt in: only what is named here is ever written down.

A log argument whose key is not in `ALLOWED` is dropped, and so is every value that is not a plain
word, number or time of ours. An exception is told by its type and our own frames; its message only
when it is one of ours, which never repeat what was submitted. Requests are counted by the template
of their route, never by their path.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from datetime import date, datetime
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram

from app.errors import RegistryError

ALLOWED = frozenset(
    {
        "address",
        "attempt",
        "bytes",
        "channel",
        "code",
        "count",
        "error",
        "facility_id",
        "feed_seq",
        "generation",
        "job",
        "key_id",
        "kind",
        "level",
        "logger",
        "method",
        "number",
        "path",  # a folder or file of ours; a request has a route
        "pid",
        "port",
        "process",
        "registry_id",
        "role",
        "route",
        "rows",
        "seconds",
        "span_id",
        "state",
        "status",
        "step",
        "submission",
        "timestamp",
        "trace_id",
        "tries",
        "version",
    }
)
_OURS = Path(__file__).resolve().parent
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_LONGEST = 300
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "hounsfield_requests", "Requests answered.", ["method", "route", "status"], registry=REGISTRY
)
REQUEST_SECONDS = Histogram(
    "hounsfield_request_seconds",
    "Time from a request's head to the end of its reply.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
STEP_ROWS = Counter("hounsfield_step_rows", "Rows a step moved on.", ["step"], registry=REGISTRY)
STEP_SECONDS = Counter(
    "hounsfield_step_seconds", "Time spent in a step's transactions.", ["step"], registry=REGISTRY
)
STEP_FAILURES = Counter(
    "hounsfield_step_failures", "Transactions of a step that failed.", ["step"], registry=REGISTRY
)


def configure(level: str = "info", *, process: str, as_json: bool | None = None) -> None:
    """Send our log, and that of the libraries, to standard error: JSON unless it is a terminal."""
    if as_json is None:
        as_json = not sys.stderr.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _named,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        told_by_type,
        _process(process),
        opted_in,
    ]
    last: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS.get(level.lower(), 20)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_library, *shared],
            use_get_message=False,
            pass_foreign_args=True,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("app").setLevel(_LEVELS.get(level.lower(), 20))
    for name in ("uvicorn", "uvicorn.error", "alembic", "sqlalchemy", "asyncio", "pydicom"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [], True
        library.setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").disabled = True  # it writes raw paths


def logger(name: str) -> Any:
    """The log of a module of ours."""
    return structlog.get_logger(name)


def opted_in(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep what is allowed, in a plain form; drop the rest without a word about its value."""
    kept: dict[str, Any] = {"event": str(event.get("event", ""))[:_LONGEST]}
    kept.update(
        {key: _plain(value) for key, value in event.items() if key in ALLOWED and value is not None}
    )
    if "at" in event:
        kept["at"] = event["at"]
    kept.update({key: event[key] for key in ("_record", "_from_structlog") if key in event})
    return kept


def told_by_type(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace an exception by its type and where in our code it passed."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event.update(described(error))
    return event


def described(error: BaseException) -> dict[str, Any]:
    """An exception without anything that was submitted: its type, our frames, and our own messages."""
    frames = [
        f"{Path(frame.filename).resolve().relative_to(_OURS).as_posix()}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).resolve().is_relative_to(_OURS)
    ]
    said: dict[str, Any] = {"error": _type_of(error), "at": frames}
    if isinstance(error, RegistryError):
        said["code"] = error.code
        said["error"] = f"{_type_of(error)}: {error}"
    return said


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request; `route` is a template."""
    method = plain_method(method)
    REQUESTS.labels(method, route, str(status)).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)


def plain_method(method: str) -> str:
    """A method as HTTP defines it; an invented one is one of many."""
    return method if method in _METHODS else "OTHER"


def count_step(step: str, rows: int, seconds: float) -> None:
    """Count the rows one transaction of a step moved on."""
    STEP_ROWS.labels(step).inc(rows)
    STEP_SECONDS.labels(step).inc(seconds)


def _type_of(error: BaseException) -> str:
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _plain(value: object) -> object:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, UUID | date | datetime | Path):
        return str(value)
    if isinstance(value, str):
        return value[:_LONGEST]
    return type(value).__name__


def _process(name: str) -> Any:
    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = name
        return event

    return add


def _named(logger: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record = event.get("_record")
    event["logger"] = record.name if record is not None else getattr(logger, "name", "app")
    return event


def _library(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A library's own record: its template without its arguments, which may be anything.

    A message that was composed before it was logged cannot be told from its arguments.
    """
    if not event.pop("positional_args", None):
        event["event"] = "a library's message"
    return event


def version() -> str:
    """The version of this release."""
    return metadata.version("hounsfield")


# Until a process has configured its log, warnings are told as carefully, on standard error.
structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        told_by_type,
        opted_in,
        structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
    ],
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=False,
)
