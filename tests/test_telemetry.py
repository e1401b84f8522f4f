"""What is logged is what was named; what was submitted is not."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any
from uuid import UUID

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from app import telemetry
from app.errors import Conflict

SECRET = "Zanzibar-1961-05-17"


@contextmanager
def logged(level: str = "debug") -> Iterator[io.StringIO]:
    """What a process with a configured log writes; the configuration is put back afterwards."""
    root = logging.getLogger()
    handlers, before_level, before = root.handlers, root.level, structlog.get_config()
    stream = io.StringIO()
    with redirect_stderr(stream):
        telemetry.configure(level, process="test", as_json=True)
    try:
        yield stream
    finally:
        root.handlers, root.level = handlers, before_level
        structlog.configure(**before)


@pytest.fixture
def written() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The lines logged so far, as JSON."""
    with logged() as stream:
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(text: str) -> None:
    raise LookupError(text)


def test_only_named_arguments_are_written(written: Any) -> None:
    structlog.get_logger("app.test").info(
        "moved", rows=3, step="check", name=SECRET, elements={"ssn": SECRET}, id=SECRET
    )
    (line,) = written()
    assert line.items() >= {"event": "moved", "rows": 3, "step": "check", "process": "test"}.items()
    assert SECRET not in json.dumps(line)
    assert set(line) <= telemetry.ALLOWED | {"event", "at"}


def test_an_allowed_argument_that_is_not_plain_is_told_by_its_type(written: Any) -> None:
    structlog.get_logger("app.test").info(
        "moved", rows=[SECRET], submission=UUID(int=7), code=Conflict(SECRET)
    )
    (line,) = written()
    assert (line["rows"], line["submission"]) == ("list", str(UUID(int=7)))
    assert SECRET not in json.dumps(line)


def test_an_exception_is_its_type_and_our_own_frames(written: Any) -> None:
    try:
        telemetry.described(LookupError())
        json.loads("{" + SECRET)
    except ValueError:
        structlog.get_logger("app.test").exception("failed")
    (line,) = written()
    assert line["error"] == "json.decoder.JSONDecodeError"
    assert line["at"] == [], "none of those frames is ours"
    assert SECRET not in json.dumps(line)


def test_a_frame_of_ours_is_named_by_file_line_and_function() -> None:
    try:
        telemetry.count_step(None, "x", 1.0)  # type: ignore[arg-type]
    except Exception as error:
        (frame,) = telemetry.described(error)["at"]
    assert frame.startswith("telemetry.py:")
    assert frame.endswith(" count_step")


def test_the_words_of_our_own_errors_are_kept_because_they_repeat_nothing(written: Any) -> None:
    try:
        raise Conflict("Facility 123456 takes part already.")
    except Conflict as error:
        structlog.get_logger("app.test").warning("refused", exc_info=error)
    (line,) = written()
    assert line["error"] == "app.errors.Conflict: Facility 123456 takes part already."
    assert line["code"] == "conflict"


def test_a_librarys_line_shows_its_template_and_not_its_arguments(written: Any) -> None:
    logging.getLogger("elsewhere").warning("refused %s at %s", SECRET, SECRET)
    logging.getLogger("elsewhere").warning(f"refused {SECRET}")
    logging.getLogger("elsewhere").info("chatter")
    try:
        fail(SECRET)
    except LookupError:
        logging.getLogger("uvicorn.error").exception("failed %s", SECRET)
    first, second, third = written()
    assert first["event"] == "refused %s at %s"
    assert second["event"] == "a library's message"
    assert third["error"] == "LookupError"
    assert SECRET not in json.dumps([first, second, third])


def test_the_access_log_of_the_server_is_silent(written: Any) -> None:
    logging.getLogger("uvicorn.access").error("GET /v1/cases?name=%s", SECRET)
    assert written() == []


@given(
    st.dictionaries(
        st.text(max_size=12),
        st.one_of(st.text(max_size=20), st.integers(), st.lists(st.text(max_size=5)), st.none()),
        max_size=8,
    )
)
def test_whatever_comes_out_was_allowed_in(arguments: dict[str, Any]) -> None:
    out = telemetry.opted_in(None, "info", {**arguments, "event": "x"})
    assert set(out) <= telemetry.ALLOWED | {"event", "at", "_record", "_from_structlog"}
    for key in set(out) - {"event", "at", "_record", "_from_structlog"}:
        assert isinstance(out[key], str | int | float | bool)


def test_a_method_nobody_defined_does_not_become_a_label() -> None:
    telemetry.count_request(SECRET, "/v1/x", 400, 0.1)
    samples = [sample for metric in telemetry.REGISTRY.collect() for sample in metric.samples]
    assert SECRET not in repr(samples)
    assert any(sample.labels.get("method") == "OTHER" for sample in samples)


def test_a_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    handlers, level, before = root.handlers, root.level, structlog.get_config()
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        telemetry.configure("info", process="test", as_json=False)
        structlog.get_logger("app.test").info("moved", rows=3, name=SECRET)
    finally:
        root.handlers, root.level = handlers, level
        structlog.configure(**before)
    assert "moved" in stream.getvalue()
    assert "rows" in stream.getvalue()
    assert SECRET not in stream.getvalue()
