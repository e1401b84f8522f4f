"""
The two networks that see text, as the wheel of `rapidocr` ships them: nothing is fetched at run time.

Only the model files are taken from that wheel. The runtime is imported at the first picture, since
most objects never need it, and works on one thread: what is spent here is one core's.
"""

from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.deid.arithmetic import folded

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Picture = NDArray[np.uint8]
"""Rows × columns of 0 to 255 when grey, rows × columns × 3 when red, green and blue."""
_INPUT = (np.arange(256) * (2 / 255) - 1).astype(np.float32)
"""How the networks take a lightness of 0 to 255: from -1 to 1."""


@cache
def _network(model: str) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    file = distribution("rapidocr").locate_file(f"rapidocr/models/{model}")
    content = folded(Path(str(file)).read_bytes())
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def answered(model: str, picture: Picture) -> NDArray[np.float32]:
    """What the network answers to one picture, which it takes with blue first."""
    network = _network(model)
    planes = np.empty((1, 3, *picture.shape[:2]), np.float32)
    if picture.ndim == 2:
        np.take(_INPUT, picture, out=planes[0, 0], mode="clip")
        planes[0, 1:] = planes[0, 0]
    else:
        for colour in range(3):
            np.take(_INPUT, picture[..., 2 - colour], out=planes[0, colour], mode="clip")
    answer = network.run(None, {network.get_inputs()[0].name: planes})[0]
    return np.asarray(answer, dtype=np.float32)
