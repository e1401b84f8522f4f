"""The networks' constants are folded before they are used: the same answers come out of it."""

from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from app.deid import detector, reader
from app.deid.arithmetic import folded
from app.deid.graphs import Graph
from app.deid.networks import answered
from app.deid.protobuf import BYTES, FLOAT, VARINT, fields, message


def shipped(model: str) -> bytes:
    return Path(str(distribution("rapidocr").locate_file(f"rapidocr/models/{model}"))).read_bytes()


@pytest.mark.parametrize(
    ("model", "rows", "columns"), [(detector.MODEL, 160, 224), (reader.MODEL, 48, 200)]
)
def test_a_folded_network_answers_as_the_one_that_is_shipped(
    model: str, rows: int, columns: int
) -> None:
    rng = np.random.default_rng(23)
    picture = rng.integers(0, 256, (rows, columns, 3)).astype(np.uint8)
    picture[40 : rows - 100, 30:90] = 240
    planes = picture[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) * 2 / 255 - 1
    session = onnxruntime.InferenceSession(shipped(model), providers=["CPUExecutionProvider"])
    expected = session.run(None, {session.get_inputs()[0].name: planes[np.newaxis]})[0]
    assert np.abs(answered(model, picture) - expected).max() < 1e-4


@pytest.mark.parametrize("model", [detector.MODEL, reader.MODEL])
def test_of_the_steps_that_pass_over_all_pixels_few_are_left(model: str) -> None:
    before, after = Graph(shipped(model)), Graph(folded(shipped(model)))

    def passes(graph: Graph) -> int:
        return sum(step.operation in ("Add", "Mul", "Div", "Clip") for step in graph.steps)

    assert passes(after) < passes(before) / 2


def test_a_network_without_these_steps_stays_what_it_is() -> None:
    once = folded(shipped(detector.MODEL))
    assert Graph(folded(once)).steps == Graph(once).steps


def test_a_grey_picture_is_answered_as_one_of_three_equal_colours() -> None:
    grey = np.random.default_rng(29).integers(0, 256, (64, 96)).astype(np.uint8)
    coloured = np.repeat(grey[..., np.newaxis], 3, axis=2)
    assert np.array_equal(answered(detector.MODEL, grey), answered(detector.MODEL, coloured))


def test_a_message_is_written_as_it_was_read() -> None:
    content = message(
        [
            (1, VARINT, 1 << 40),
            (2, BYTES, memoryview(b"words")),
            (31, FLOAT, memoryview(b"\0\0\x80?")),
        ]
    )
    assert message(fields(content)) == content


@pytest.mark.parametrize("content", [b"\x08", b"\x12\x05abc", b"\x0b\x01", b"\x08" + b"\xff" * 11])
def test_what_is_no_message_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"number|length|kind"):
        list(fields(content))
