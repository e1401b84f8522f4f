"""
Take text out of pixels: look at the object once, and blank what can be read in every frame.

Pixels are written again only where something was found, under the transfer syntax they came in
when it can be written here, else without compression. Everything else leaves byte for byte. What
cannot be decoded, and what its sender says is there but nobody finds, is held back.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from app.deid import compression, regions, screening
from app.deid.boxes import Box
from app.deid.choices import BurnedIn
from app.deid.compression import Frame, Undecodable
from app.deid.detector import MEAN_OF_BOX
from app.deid.encapsulated import encapsulated, frames_of
from app.deid.legible import legible, searched
from app.deid.native import Native
from app.deid.picture import FEW, Seen, palette_of, seen
from app.deid.raster import PHOTOMETRIC, PLANAR, TRANSFORMED, YBR_422, Cleaned, Raster
from app.deid.strokes import grey
from app.deid.walk import EXPLICIT_LITTLE, Dataset, Element, Fragments, Instance, text_of

_LOSSY, _RATIO, _METHOD = 0x00282110, 0x00282112, 0x00282114
_MARGIN = 2
_BLOCK = 16
"""Pixels that a lossy JPEG codes together: letters leave a shadow in the whole block."""
_SEARCHED = 0.25
"""Mean probability that is enough when the sender says that there is text."""
_MOSTLY = 0.5
"""Part of a picture from which, when text covers it, the picture is a page of text."""
_PAPER = 0.9
"""Part of what is beside the text of a page that is of one colour."""
_BLACK = 12
_SOME = 0.02


class Unseen(Exception):
    """The pixels cannot be looked at, so nobody knows what they say."""


class NotFound(Exception):
    """BurnedInAnnotation says YES and nothing was found."""


def cleaned(instance: Instance, element: Element, rules: BurnedIn) -> Cleaned:
    """`element` is the pixel data, cut to its size. May set another transfer syntax on `instance`.

    Raises `Unseen` or `NotFound` when the object has to be held back.
    """
    dataset = instance.dataset
    raster = Raster.of(instance)
    if raster is None:
        raise Unseen
    try:
        pixels = pixels_of(instance, element, raster)
        boxes, view = _looked(pixels, dataset, raster, rules)
        if not boxes:
            if screening.says_yes(dataset) and rules.unseen == "hold":
                raise NotFound
            return Cleaned(element)
        return pixels.blanked(boxes, _fill(pixels, view, boxes))
    except (NotFound, ImportError, OSError):  # a broken installation is no broken object
        raise
    except Exception as error:  # whatever somebody's bytes do to a decoder: nobody has looked
        raise Unseen from error


def unpacked(instance: Instance, element: Element, raster: Raster) -> Element:
    """Compressed pixel data of one sample a pixel, as it is without compression, little endian.

    `instance` stays under its transfer syntax. Raises `Unseen` when it cannot be decoded.
    """
    try:
        pixels = pixels_of(instance, element, raster)
        content = b"".join(
            np.ascontiguousarray(frame).astype(f"<u{raster.allocated // 8}").tobytes()
            for frame in pixels
        )
    except (ImportError, OSError):
        raise
    except Exception as error:
        raise Unseen from error
    return Element("OB" if raster.allocated <= 8 else "OW", content)


def drawn(bits: Frame) -> bool:
    """Can something be read in these bits, frames × rows × columns, of which most are 0?"""
    flat = np.where((bits != 0).any(axis=0), 255, 0).astype(np.uint8)
    return bool(legible(flat))


def _looked(
    pixels: "_Native | _Compressed", dataset: Dataset, raster: Raster, rules: BurnedIn
) -> tuple[list[Box], Seen]:
    palette = pixels.palette
    view = seen(pixels, raster, pixels.colours, palette)
    whole = Box(0, 0, raster.rows, raster.columns)
    if screening.is_label(dataset):
        return [whole], view
    exact = (None,) * len(view.values) if pixels.lossy else view.values
    shown = list(zip(view.pictures, exact, strict=True))
    said_yes = screening.says_yes(dataset)
    mean = _SEARCHED if said_yes else MEAN_OF_BOX
    several = raster.frames > FEW  # the darkest of all frames, beside the brightest
    read = [
        box
        for number, (picture, values) in enumerate(shown)
        for box in legible(picture, values, mean, again=several and number > 0)
    ]
    if not read and said_yes:
        read = [box for picture in view.pictures for box in searched(picture, _SEARCHED)]
    boxes = [box.grown(_MARGIN) for box in read] + regions.known(dataset, raster)
    if pixels.lossy:
        boxes = [_snapped(box) for box in boxes]
    boxes = [box.within(raster.rows, raster.columns) for box in dict.fromkeys(boxes)]
    covered = np.zeros((raster.rows, raster.columns), np.bool_)
    for box in boxes:
        covered[box.top : box.bottom, box.left : box.right] = True
    if covered.mean() > _MOSTLY or (screening.is_page(dataset) and _plain(view, covered)):
        return [whole], view
    return boxes, view


def _plain(view: Seen, covered: NDArray[np.bool_]) -> bool:
    """Is nearly all beside the text of one colour, as on paper and screens, or is there a picture?"""
    shade = grey(view.pictures[0])[~covered]
    return float(np.bincount(shade).max()) > _PAPER * shade.size


def _snapped(box: Box) -> Box:
    return Box(
        box.top // _BLOCK * _BLOCK,
        box.left // _BLOCK * _BLOCK,
        -(-box.bottom // _BLOCK) * _BLOCK,
        -(-box.right // _BLOCK) * _BLOCK,
    )


def _fill(pixels: "_Native | _Compressed", view: Seen, boxes: Sequence[Box]) -> tuple[int, ...]:
    """Black as stored; white where the ink is black, so that no blank looks like what it hides."""
    raster, white = pixels.raster, _black_ink(view, boxes)
    if pixels.palette is not None:
        light = pixels.palette.astype(int).sum(axis=1)
        return (int(light.argmax() if white else light.argmin()),)
    most = (1 << raster.stored) - 1 if white else 0
    if pixels.colours == "YBR":
        middle = 1 << raster.stored - 1
        return (most, middle, middle)
    if pixels.colours == "RGB":
        return (most,) * raster.samples
    return (view.greatest if raster.dark_is_high is not white else view.least,)


def _black_ink(view: Seen, boxes: Sequence[Box]) -> bool:
    """Is black what stands in the boxes but not most of them, as dark letters on light paper?"""
    inside = np.zeros(view.pictures[0].shape[:2], np.bool_)
    for box in boxes:
        inside[box.top : box.bottom, box.left : box.right] = True
    shown = view.pictures[0]
    brightest = shown if shown.ndim == 2 else shown.max(axis=2)
    black = float((brightest[inside] <= _BLACK).mean())
    return _SOME < black < _MOSTLY


def pixels_of(instance: Instance, element: Element, raster: Raster) -> "_Native | _Compressed":
    """The frames of pixel data, native or compressed. Raises `Undecodable` or `ValueError`."""
    if isinstance(element.value, Fragments):
        return _Compressed(instance, element.value, raster)
    assert not isinstance(element.value, list)
    return _Native(instance, element, raster)


class _Pixels:
    """What native and compressed pixel data have in common."""

    lossy = False

    def __init__(self, instance: Instance, raster: Raster) -> None:
        self.instance, self.raster = instance, raster
        indexed = raster.photometric == "PALETTE COLOR" and raster.samples == 1
        self.palette = palette_of(instance.dataset, instance.little) if indexed else None
        if raster.samples == 1:
            self.colours = "GREY"
        elif raster.samples == 3:
            self.colours = "YBR" if raster.photometric.startswith("YBR_FULL") else "RGB"
        else:
            raise Undecodable


class _Native(_Pixels):
    def __init__(self, instance: Instance, element: Element, raster: Raster) -> None:
        super().__init__(instance, raster)
        assert isinstance(element.value, (bytes, memoryview))
        self.vr = element.vr
        # Implicit VR has no VR to tell, and pixel data is OW there (PS3.5 A.1).
        words = element.vr != "OB"
        self.native = Native(element.value, raster, words=words)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.native)

    def blanked(self, boxes: Sequence[Box], fill: Sequence[int]) -> Cleaned:
        """One sample is `(value & bits) << low`, as it lies in its word."""
        raster = self.raster
        low = raster.high + 1 - raster.stored
        if low:
            fill = [(value & ((1 << raster.stored) - 1)) << low for value in fill]
        content = self.native.blanked(boxes, fill)
        return Cleaned(Element(self.vr, content), boxes=tuple(boxes))


class _Compressed(_Pixels):
    def __init__(self, instance: Instance, fragments: Fragments, raster: Raster) -> None:
        super().__init__(instance, raster)
        groups = frames_of(fragments, raster.frames)
        if groups is None:
            raise Undecodable
        self.frames = groups
        self.syntax = instance.transfer_syntax
        self.lossy = self.syntax in compression.LOSSY
        first = b"".join(groups[0])
        if raster.samples == 3:
            if first[:2] == b"\xff\xd8" and self.syntax not in compression.JPEG_LS:
                space = compression.components(first, raster)
                self.colours = "YBR" if space == "YCBCR" else "RGB"
            elif raster.photometric in TRANSFORMED:
                self.colours = "RGB"

    def __iter__(self) -> Iterator[Frame]:
        for parts in self.frames:
            yield compression.decoded(b"".join(parts), self.syntax, self.raster)

    def blanked(self, boxes: Sequence[Box], fill: Sequence[int]) -> Cleaned:
        """Every frame coded again; without compression when this syntax cannot be written."""
        encode = compression.encoder(self.syntax, self.raster, self.colours)
        if encode is not None:
            coded: list[bytes] = []
            for frame in self._covered(boxes, fill):
                data = compression.coded(encode, frame)
                if data is None:
                    break
                again = compression.decoded(data, self.syntax, self.raster)
                if not self.lossy and not np.array_equal(again, frame):
                    break
                coded.append(data)
            else:
                return Cleaned(Element("OB", encapsulated(coded)), self._said(coded), tuple(boxes))
        return self._plain(boxes, fill)

    def _covered(self, boxes: Sequence[Box], fill: Sequence[int]) -> Iterator[Frame]:
        value = fill[0] if self.raster.samples == 1 else fill
        for frame in self:
            covered = np.array(frame)
            for box in boxes:
                covered[box.top : box.bottom, box.left : box.right] = value
            yield covered

    def _said(self, coded: list[bytes]) -> Dataset:
        """What changes in the attributes when the frames are coded again."""
        also: Dataset = {}
        if self.raster.photometric == "YBR_ICT":  # the reversible transform is another one
            also[PHOTOMETRIC] = Element("CS", b"YBR_RCT")
        if self.lossy:
            bits = self.raster.rows * self.raster.columns * self.raster.samples
            bits *= self.raster.frames * self.raster.allocated
            ratio = bits / 8 / max(1, sum(map(len, coded)))
            also |= _lossy_again(self.instance.dataset, f"{ratio:.2f}", "ISO_10918_1")
        return also

    def _plain(self, boxes: Sequence[Box], fill: Sequence[int]) -> Cleaned:
        """Native pixel data in explicit little endian: nothing is lost but the compression."""
        raster = self.raster
        dtype = np.dtype(f"{'<i' if raster.signed else '<u'}{raster.allocated // 8}")
        content = b"".join(
            np.ascontiguousarray(frame).astype(dtype).tobytes()
            for frame in self._covered(boxes, fill)
        )
        also: Dataset = {}
        if raster.samples > 1:
            also[PLANAR] = Element("US", b"\0\0")
            if self.colours == "RGB":
                also[PHOTOMETRIC] = Element("CS", b"RGB")
            elif raster.photometric == YBR_422:
                also[PHOTOMETRIC] = Element("CS", b"YBR_FULL")
        instance = self.instance
        instance.transfer_syntax = EXPLICIT_LITTLE
        instance.explicit = instance.little = True
        vr = "OB" if raster.allocated <= 8 else "OW"
        return Cleaned(Element(vr, content), also, tuple(boxes))


def _lossy_again(dataset: Dataset, ratio: str, method: str) -> Dataset:
    """Lossy compression once more: each step keeps its ratio and method (PS3.3 C.7.6.1.1.5)."""
    ratios = [one for one in text_of(dataset.get(_RATIO)).split("\\") if one]
    methods = [one for one in text_of(dataset.get(_METHOD)).split("\\") if one]
    return {
        _LOSSY: Element("CS", b"01"),
        _RATIO: Element("DS", "\\".join([*ratios, ratio]).encode()),
        _METHOD: Element("CS", "\\".join([*methods, method]).encode()),
    }
