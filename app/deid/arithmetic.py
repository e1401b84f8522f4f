"""
Arithmetic of a network that is done once, when it is loaded, instead of at every pixel.

The networks come as they were trained: after each convolution a scale, a shift, an activation in
four steps, another scale and another shift. Passing over all pixels for each of them costs as much
as the convolutions. Here what is constant goes into the weights, so that the same numbers come out
of fewer steps. A pattern that is not there is not changed: a network that knows none of them stays
as it is.
"""

import numpy as np
from numpy.typing import NDArray

from app.deid.graphs import Graph, Step, number, whole_number, whole_numbers

_HALF, _SIXTH = 0.5, 1 / 6
_EPSILON = 1e-5
"""What the networks' batch normalization adds to its variance."""


def folded(model: bytes) -> bytes:
    """The same network with fewer steps."""
    graph = Graph(model)
    _activations(graph)
    _gates(graph)
    _after_convolutions(graph)
    _before_convolutions(graph)
    _after_enlargements(graph)
    return graph.written()


class _Rewriting:
    """A graph whose steps are replaced while they are walked over."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.users = graph, graph.users()
        self.gone: set[int] = set()
        self.instead: dict[int, list[Step]] = {}

    def only(self, name: str, operation: str) -> Step | None:
        """The one step that takes this tensor, if there is one and it is of this kind."""
        users = self.users.get(name, [])
        return users[0] if len(users) == 1 and users[0].operation == operation else None

    def scalar(self, step: Step | None) -> float | None:
        """The one number that a step takes beside a tensor."""
        for name in step.inputs if step else ():
            constant = self.graph.constants.get(name)
            if constant is not None and constant.size == 1 and constant.ndim < 2:
                return float(constant.reshape(-1)[0])
        return None

    def constant(self, name: str, value: NDArray[np.floating]) -> str:
        """A new constant, under a name of its own."""
        self.graph.constants[name] = np.ascontiguousarray(value, np.float32)
        return name

    def drop(self, *steps: Step) -> None:
        """Leave these out."""
        self.gone.update(map(id, steps))

    def done(self) -> None:
        """Put the graph together again."""
        self.graph.steps = [
            new
            for step in self.graph.steps
            for new in self.instead.get(id(step), [] if id(step) in self.gone else [step])
        ]


def _activations(graph: Graph) -> None:
    """x · clip(x + 3, 0, 6) / 6 as x · hardsigmoid(x), which the runtime joins to a convolution."""
    rewriting = _Rewriting(graph)
    for plus in graph.steps:
        if plus.operation != "Add" or rewriting.scalar(plus) != 3:
            continue
        clip = rewriting.only(plus.output, "Clip")
        if clip is None or [graph.constants[name].tolist() for name in clip.inputs[1:]] != [0, 6]:
            continue
        times = rewriting.only(clip.output, "Mul")
        divided = rewriting.only(times.output, "Div") if times else None
        if times is None or divided is None or rewriting.scalar(divided) != 6:
            continue
        whole = next(name for name in plus.inputs if name not in graph.constants)
        if whole not in times.inputs:
            continue
        settings = [number("alpha", _SIXTH), number("beta", _HALF)]
        gate = Step("HardSigmoid", [whole], [clip.output], settings)
        rewriting.drop(plus, clip, times)
        rewriting.instead[id(divided)] = [
            gate,
            Step("Mul", [whole, clip.output], [divided.output], []),
        ]
    rewriting.done()


def _gates(graph: Graph) -> None:
    """x + x · g, with one g a channel, as x · (g + 1): the sum is of a few numbers, not of pixels."""
    rewriting = _Rewriting(graph)
    one = rewriting.constant("one", np.ones(1, np.float32))
    for gate in graph.steps:
        times = rewriting.only(gate.output, "Mul") if gate.operation == "HardSigmoid" else None
        plus = rewriting.only(times.output, "Add") if times else None
        if times is None or plus is None:
            continue
        whole = next(name for name in times.inputs if name != gate.output)
        if whole not in plus.inputs:
            continue
        rewriting.drop(times)
        rewriting.instead[id(plus)] = [
            Step("Add", [gate.output, one], [times.output], []),
            Step("Mul", [whole, times.output], [plus.output], []),
        ]
    rewriting.done()


def _after_convolutions(graph: Graph) -> None:
    """A scale and a shift behind a convolution, into its weights."""
    rewriting = _Rewriting(graph)
    for step in graph.steps:
        times = rewriting.only(step.output, "Mul") if step.operation == "Conv" else None
        scale, shift, plus = _affine(rewriting, times)
        if times is None or plus is None:
            continue
        weights, bias = _convolution(graph, step)
        step.inputs[1:] = [
            rewriting.constant(f"{step.output} weights", weights * scale),
            rewriting.constant(f"{step.output} bias", bias * scale + shift),
        ]
        step.outputs = plus.outputs
        rewriting.drop(times, plus)
    rewriting.done()


def _before_convolutions(graph: Graph) -> None:
    """
    A scale and a shift in front of convolutions, into their weights.

    Where a convolution sets zeros around the picture, the shift would be missing there; it then
    becomes, with the scale, a convolution of its own, of single pixels, which stays in the layout
    of the others.
    """
    rewriting = _Rewriting(graph)
    for times in graph.steps:
        scale, shift, plus = _affine(rewriting, times)
        if plus is None:
            continue
        whole = next(name for name in times.inputs if name not in graph.constants)
        users = rewriting.users[plus.output]
        if all(user.operation == "Conv" and not any(user.whole_numbers("pads")) for user in users):
            for user in users:
                weights, bias = _convolution(graph, user)
                user.inputs = [
                    whole,
                    rewriting.constant(f"{user.output} in", weights * scale),
                    rewriting.constant(
                        f"{user.output} in bias", bias + shift * weights.sum(axis=(1, 2, 3))
                    ),
                ]
            rewriting.drop(times, plus)
            continue
        channels = _channels(graph, whole)
        if channels is None:
            continue
        name = plus.output
        settings = [whole_numbers("kernel_shape", 1, 1), whole_number("group", channels)]
        every = (channels, 1, 1, 1)
        inputs = [
            whole,
            rewriting.constant(f"{name} scale", np.full(every, scale, np.float32)),
            rewriting.constant(f"{name} shift", np.full(channels, shift, np.float32)),
        ]
        rewriting.drop(times)
        rewriting.instead[id(plus)] = [Step("Conv", inputs, [name], settings)]
    rewriting.done()


def _after_enlargements(graph: Graph) -> None:
    """What follows a transposed convolution, a shift and a normalization, into its weights."""
    rewriting = _Rewriting(graph)
    for step in graph.steps:
        plus = rewriting.only(step.output, "Add") if step.operation == "ConvTranspose" else None
        if plus is None or len(step.inputs) != 2 or step.inputs[1] not in graph.constants:
            continue
        weights = graph.constants[step.inputs[1]].astype(np.float64)
        shift = next((name for name in plus.inputs if name in graph.constants), None)
        if shift is None or graph.constants[shift].size != weights.shape[1]:
            continue
        bias = graph.constants[shift].reshape(-1).astype(np.float64)
        rewriting.drop(plus)
        last = plus
        normal = rewriting.only(plus.output, "BatchNormalization")
        if normal is not None:
            gain, base, mean, variance = (
                graph.constants[name].astype(np.float64) for name in normal.inputs[1:]
            )
            scale = gain / np.sqrt(variance + _EPSILON)
            weights, bias = weights * scale[:, None, None], (bias - mean) * scale + base
            rewriting.drop(normal)
            last = normal
        step.inputs[1:] = [
            rewriting.constant(f"{step.output} weights", weights),
            rewriting.constant(f"{step.output} bias", bias),
        ]
        step.outputs = last.outputs
    rewriting.done()


def _affine(rewriting: _Rewriting, times: Step | None) -> tuple[float, float, Step | None]:
    """The numbers of a scale that a shift follows, and the shift; None when it is something else."""
    if times is None or times.operation != "Mul":
        return 1.0, 0.0, None
    plus = rewriting.only(times.output, "Add")
    scale, shift = rewriting.scalar(times), rewriting.scalar(plus)
    if plus is None or scale is None or shift is None:
        return 1.0, 0.0, None
    return scale, shift, plus


def _convolution(graph: Graph, step: Step) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights, outputs × inputs × rows × columns, and bias, one an output."""
    weights = graph.constants[step.inputs[1]].astype(np.float64)
    if len(step.inputs) < 3:
        return weights, np.zeros(len(weights))
    return weights, graph.constants[step.inputs[2]].astype(np.float64)


def _channels(graph: Graph, name: str) -> int | None:
    """Planes of a tensor that convolutions made; None when that cannot be seen."""
    makers = {step.output: step for step in graph.steps}
    while (maker := makers.get(name)) is not None:
        if maker.operation == "Conv":
            return len(graph.constants[maker.inputs[1]])
        name = maker.inputs[0]
    return None
