"""
The graph of a network (ONNX), read, changed and written again.

Only what the folding of constants needs is understood: steps with their inputs, outputs and
settings, and constants of 32-bit floating point. Everything else passes through untouched.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.deid.protobuf import BYTES, FLOAT, VARINT, Field, fields, message, text

Weights = NDArray[np.float32]

# Numbers of fields, from onnx.proto.
_GRAPH = 7  # of a model
_NODE, _INITIALIZER = 1, 5  # of a graph
_INPUT, _OUTPUT, _OPERATION, _ATTRIBUTE = 1, 2, 4, 5  # of a node
_NAME, _F, _I, _INTS, _TENSOR, _TYPE = 1, 2, 3, 8, 5, 20  # of an attribute
_DIMS, _DATA_TYPE, _FLOATS, _TENSOR_NAME, _RAW = 1, 2, 4, 8, 9  # of a tensor
_IS_FLOAT, _IS_INT, _IS_INTS = 1, 2, 7  # types of an attribute
_FLOAT32 = 1  # type of a tensor


@dataclass(slots=True)
class Step:
    """One operation on named tensors; `settings` are its attributes as they were written."""

    operation: str
    inputs: list[str]
    outputs: list[str]
    settings: list[memoryview]

    @property
    def output(self) -> str:
        """The name of what it makes; every operation folded here makes one thing."""
        return self.outputs[0]

    def whole_numbers(self, name: str) -> tuple[int, ...]:
        """A setting that is a list of whole numbers; empty without it."""
        for setting in self.settings:
            found = [field for field in fields(setting) if field[0] in (_NAME, _INTS)]
            if any(
                number == _NAME and bytes(_of(value)) == name.encode() for number, _, value in found
            ):
                return tuple(value for _, _, value in found if isinstance(value, int))
        return ()


class Graph:
    """The steps of a network in order, and its constants by name."""

    def __init__(self, model: bytes) -> None:
        self.steps: list[Step] = []
        self.constants: dict[str, Weights] = {}
        self._model = [field for field in fields(model) if field[0] != _GRAPH]
        self._graph: list[Field] = []
        graph = next(_of(value) for number, _, value in fields(model) if number == _GRAPH)
        for field in fields(graph):
            if field[0] != _NODE:
                self._graph.append(field)
                continue
            step = _step(_of(field[2]))
            constant = _constant(step) if step.operation == "Constant" else None
            if constant is None:
                self.steps.append(step)
            else:
                self.constants[step.output] = constant

    def users(self) -> dict[str, list[Step]]:
        """The steps that take each tensor."""
        found: dict[str, list[Step]] = {}
        for step in self.steps:
            for name in step.inputs:
                found.setdefault(name, []).append(step)
        return found

    def written(self) -> bytes:
        """The model again, with the constants that are still used."""
        used = {name for step in self.steps for name in step.inputs}
        graph: list[Field] = [(_NODE, BYTES, memoryview(_node(step))) for step in self.steps]
        graph += self._graph
        graph += [
            (_INITIALIZER, BYTES, memoryview(_tensor(name, value)))
            for name, value in self.constants.items()
            if name in used
        ]
        return message([*self._model, (_GRAPH, BYTES, memoryview(message(graph)))])


def number(name: str, value: float) -> memoryview:
    """A setting that is one number."""
    content: list[Field] = [
        text(_NAME, name),
        (_F, FLOAT, memoryview(struct.pack("<f", value))),
        (_TYPE, VARINT, _IS_FLOAT),
    ]
    return memoryview(message(content))


def whole_number(name: str, value: int) -> memoryview:
    """A setting that is one whole number."""
    content: list[Field] = [text(_NAME, name), (_I, VARINT, value), (_TYPE, VARINT, _IS_INT)]
    return memoryview(message(content))


def whole_numbers(name: str, *values: int) -> memoryview:
    """A setting that is a list of whole numbers."""
    content: list[Field] = [text(_NAME, name), (_TYPE, VARINT, _IS_INTS)]
    content += [(_INTS, VARINT, value) for value in values]
    return memoryview(message(content))


def _of(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("field")
    return value


def _step(node: memoryview) -> Step:
    step = Step("", [], [], [])
    for number, _, value in fields(node):
        if number == _INPUT:
            step.inputs.append(bytes(_of(value)).decode())
        elif number == _OUTPUT:
            step.outputs.append(bytes(_of(value)).decode())
        elif number == _OPERATION:
            step.operation = bytes(_of(value)).decode()
        elif number == _ATTRIBUTE:
            step.settings.append(_of(value))
    return step


def _node(step: Step) -> bytes:
    content = [text(_INPUT, name) for name in step.inputs]
    content += [text(_OUTPUT, name) for name in step.outputs]
    content.append(text(_OPERATION, step.operation))
    content += [(_ATTRIBUTE, BYTES, setting) for setting in step.settings]
    return message(content)


def _constant(step: Step) -> Weights | None:
    """The numbers of a constant of 32-bit floating point; None for any other."""
    for number, _, value in fields(step.settings[0]):
        if number == _TENSOR:
            return _weights(_of(value))
    return None


def _weights(tensor: memoryview) -> Weights | None:
    dims: list[int] = []
    content: memoryview | None = None
    for number, kind, value in fields(tensor):
        if number == _DIMS and isinstance(value, int):
            dims.append(value)
        elif number == _DATA_TYPE and value != _FLOAT32:
            return None
        elif number in (_RAW, _FLOATS) and kind == BYTES:
            content = _of(value)
    if content is None:
        return None
    return np.frombuffer(content, "<f4").reshape(dims)


def _tensor(name: str, value: Weights) -> bytes:
    content: list[Field] = [(_DIMS, VARINT, size) for size in value.shape]
    content += [
        (_DATA_TYPE, VARINT, _FLOAT32),
        text(_TENSOR_NAME, name),
        (_RAW, BYTES, memoryview(np.ascontiguousarray(value, "<f4").tobytes())),
    ]
    return message(content)
