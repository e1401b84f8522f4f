"""What can be seen in an output's pixels: the text that was drawn there, and all the rest."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames

from tests.deid.adversary.answers import Case, Category

MARGIN = 16
"""Pixels around a line of text that may be blanked with it."""


def pixels(case: Case, output: bytes) -> Iterator[tuple[Category, bool, str]]:
    """Is the drawn text hidden, and is everything else as it was?"""
    if "PixelData" not in case.dataset:
        return
    after = dcmread(BytesIO(output))
    lead = bytes(128) if case.source.startswith(b"DICM") else b""
    before = dcmread(BytesIO(lead + case.source), force=True)
    if "PixelData" not in after:
        yield Category.PIXELS_RETAINED, False, "no pixel data"
        return
    if case.spare:
        yield from _spare(before, after)
        return
    if not case.boxes and bytes(after.PixelData) == bytes(before.PixelData)[: len(after.PixelData)]:
        yield Category.PIXELS_RETAINED, True, "the same bytes"
        return
    one, two = decoded(before), decoded(after)
    if one is None or two is None:
        yield Category.PIXELS_RETAINED, False, "cannot be decoded"
        return
    if one.shape != two.shape:
        yield Category.PIXELS_RETAINED, False, f"{one.shape} became {two.shape}"
        return
    outside = np.ones(one.shape[1:3], bool)
    for box in case.boxes:
        height, width = box.strokes.shape
        outside[
            max(0, box.top - MARGIN) : box.top + height + MARGIN,
            max(0, box.left - MARGIN) : box.left + width + MARGIN,
        ] = False
        where = (box.frame, slice(box.top, box.top + height), slice(box.left, box.left + width))
        share = visible(two[where], one[where], box.strokes)
        yield (
            Category.PIXELS_HIDDEN,
            share < 0.15,
            f"frame {box.frame}: {share:.2f} of the text is visible",
        )
    if case.page:
        return
    changed = np.abs(one[:, outside] - two[:, outside]) > (12 if case.lossy else 0)
    share = float(changed.mean()) if changed.size else 0.0
    yield (
        Category.PIXELS_RETAINED,
        share < (0.15 if case.boxes else 1e-9),
        f"{share:.3f} of the image changed",
    )


def _spare(before: Dataset, after: Dataset) -> Iterator[tuple[Category, bool, str]]:
    """The bits above the pixels' are empty, the pixels as they were."""
    one, two = decoded(before), decoded(after)
    if one is None or two is None or one.shape != two.shape:
        yield Category.PIXELS_RETAINED, False, "cannot be decoded"
        return
    top = 1 << int(before.BitsStored)
    clean = not (np.asarray(two, np.int64) >= top).any()
    same = bool(((np.asarray(one, np.int64) % top) == (np.asarray(two, np.int64) % top)).all())
    yield Category.PIXELS_HIDDEN, clean, "spare bits are not empty"
    yield Category.PIXELS_RETAINED, same, "pixels under spare bits changed"


def visible(
    after: NDArray[np.float64], before: NDArray[np.float64], strokes: NDArray[np.bool_]
) -> float:
    """How much of the contrast between strokes and ground is left: 1 all, 0 none."""
    had, left = _contrast(before, strokes), _contrast(after, strokes)
    return float(left / had) if had > 0 else 0.0


def _contrast(area: NDArray[np.float64], strokes: NDArray[np.bool_]) -> float:
    if not strokes.any() or strokes.all():
        return 0.0
    return abs(float(area[strokes].mean() - area[~strokes].mean()))


def decoded(dataset: Dataset) -> NDArray[np.float64] | None:
    """(frames, rows, columns, samples); by pydicom, or by Pillow where pydicom lacks a decoder."""
    array: NDArray[np.float64] | None
    try:
        array = np.asarray(dataset.pixel_array, np.float64)
    except Exception:
        array = _by_pillow(dataset)
    if array is None:
        array = _by_dcmtk(dataset)
    if array is None:
        return None
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    return array.reshape(frames, dataset.Rows, dataset.Columns, int(dataset.SamplesPerPixel))


def _by_pillow(dataset: Dataset) -> NDArray[np.float64] | None:
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    try:
        pictures = [
            np.asarray(Image.open(BytesIO(stream)), np.float64)
            for stream in generate_frames(dataset.PixelData, number_of_frames=frames)
        ]
    except Exception:
        return None
    return np.stack(pictures)


def _by_dcmtk(dataset: Dataset) -> NDArray[np.float64] | None:
    """Where neither can: DCMTK's programs for lossless JPEG and JPEG-LS."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.dcm"), Path(folder, "after.dcm")
        dataset.save_as(before)
        for program in ("dcmdjpeg", "dcmdjls"):
            if shutil.which(program) is None:
                continue
            ran = subprocess.run([program, str(before), str(after)], capture_output=True)
            if ran.returncode == 0:
                return np.asarray(dcmread(after).pixel_array, np.float64)
    return None
