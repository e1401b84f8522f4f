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

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Picture = NDArray[np.uint8]
"""Rows × columns × 3 of 0 to 255: red, green, blue."""


@cache
def _network(model: str) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    file = distribution("rapidocr").locate_file(f"rapidocr/models/{model}")
    content = Path(str(file)).read_bytes()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def answered(model: str, picture: Picture) -> NDArray[np.float32]:
    """What the network answers to one picture, as it is: blue first, from -1 to 1."""
    network = _network(model)
    planes = picture[:, :, ::-1].transpose(2, 0, 1).astype(np.float32)
    planes *= np.float32(2 / 255)
    planes -= np.float32(1)
    answer = network.run(None, {network.get_inputs()[0].name: planes[np.newaxis]})[0]
    return np.asarray(answer, dtype=np.float32)
