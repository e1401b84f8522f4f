"""Pictures of screens and labels: text of every colour, size and ground, in one frame or in some."""

import numpy as np
from numpy.typing import NDArray
from pydicom import uid

from tests.deid.adversary import modules
from tests.deid.adversary.answers import Box
from tests.deid.adversary.burnt import burn, lines, strokes
from tests.deid.adversary.planting import Kind, Planting


def dose_page(at: Planting) -> None:
    """The dose page of a CT: white text on black, sent as a CT image."""
    ds = at.dataset
    modules.begin(at, uid.CTImageStorage, "CT")
    ds.ImageType = ["DERIVED", "SECONDARY", "OTHER", "DOSE_INFO"]
    modules.plane(at)
    at.kept(ds, (), RescaleIntercept="0", RescaleSlope="1")
    at.case.page = True
    page = np.zeros((320, 320), np.uint16)
    burn(at, page, 4000, 15, count=5)
    modules.pixels(at, page, stored=12)


def colour_screen(at: Planting) -> None:
    """A workstation's screen: yellow, green and cyan text, colour by plane."""
    ds, random = at.dataset, at.random
    modules.begin(at, uid.SecondaryCaptureImageStorage, random.choice(("PT", "MR", "CT", "NM")))
    ds.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    at.kept(ds, (), ConversionType="SYN")
    at.case.page = True
    page = np.full((400, 500, 3), 24, np.uint8)
    page[120:340, 150:480] = modules.anatomy(at, 220, 330, top=255).astype(np.uint8)[..., None]
    y = 8
    for line, colour in zip(
        lines(at), ((250, 240, 60), (60, 240, 90), (80, 230, 240), (255, 255, 255)), strict=False
    ):
        _write(at, page, line, y, 8, random.choice((11, 14, 20)), colour)
        y += 26
    modules.pixels(at, page, "RGB")
    ds.PixelData = page.transpose(2, 0, 1).tobytes()
    ds["PixelData"].VR = "OB"
    ds.PlanarConfiguration = 1


def white_pages(at: Planting) -> None:
    """Dark text on white pages, each frame with its own."""
    ds = at.dataset
    modules.begin(at, uid.MultiFrameTrueColorSecondaryCaptureImageStorage, "OT")
    ds.ImageType = ["DERIVED", "SECONDARY"]
    at.kept(ds, (), ConversionType="DI")
    at.case.page = True
    pages = np.full((3, 260, 360, 3), 245, np.uint8)
    for frame, line in enumerate(lines(at)[:3]):
        _write(at, pages[frame], line, 30 + 60 * frame, 20, 16, (20, 20, 30), frame)
    modules.pixels(at, pages, "RGB", frames=True)
    ds.FrameIncrementPointer = 0x00181063
    ds.FrameTime = "100"


def moving(at: Planting) -> None:
    """A loop in which bright tissue passes over where the text stands in other frames."""
    ds = at.dataset
    modules.begin(at, uid.UltrasoundMultiFrameImageStorage, "US")
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    at.kept(ds, (), FrameTime="40")
    ds.FrameIncrementPointer = 0x00181063
    frames = np.zeros((5, 260, 340), np.uint8)
    for number in range(5):
        bright = modules.anatomy(at, 120, 200, top=255).astype(np.uint8)
        frames[number, 10 + 30 * number : 130 + 30 * number, 60:260] = bright
    line = lines(at)[0]
    drawn = strokes(line, 16)[:, :300]
    for number in range(5):
        area = frames[number, 150 : 150 + drawn.shape[0], 20 : 20 + drawn.shape[1]]
        if number < 2:
            area[drawn] = 255
            at.case.boxes.append(Box(number, 150, 20, drawn))
    modules.pixels(at, frames, frames=True)


def palette(at: Planting) -> None:
    """Ultrasound in palette colours."""
    ds = at.dataset
    modules.begin(at, uid.UltrasoundImageStorage, "US")
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    picture = modules.anatomy(at, 240, 320, top=180).astype(np.uint8)
    picture[:60] = 0
    burn(at, picture, 255, 15, count=2)
    modules.pixels(at, picture)
    at.forget("PhotometricInterpretation")
    at.kept(ds, (), PhotometricInterpretation="PALETTE COLOR")
    ramp = (np.arange(256, dtype="<u2") * 257).tobytes()
    for colour in ("Red", "Green", "Blue"):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        at.kept(ds, (), **{f"{colour}PaletteColorLookupTableData": ramp})
        ds[f"{colour}PaletteColorLookupTableData"].VR = "OW"


def label(at: Planting) -> None:
    """The label of a slide, photographed: a number and a name on paper."""
    ds = at.dataset
    modules.begin(at, uid.VLWholeSlideMicroscopyImageStorage, "SM")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]
    ds.ContainerIdentifier = at.identifier("ContainerIdentifier")
    ds.LabelText = at.phrase("LabelText")
    at.kept(ds, (), TotalPixelMatrixColumns=300, TotalPixelMatrixRows=200)
    ds.SpecimenLabelInImage = "YES"
    at.case.page = True
    paper = np.full((1, 200, 300, 3), (235, 230, 220), np.uint8)
    for number, line in enumerate(lines(at)[:3]):
        _write(at, paper[0], line, 20 + 40 * number, 16, 17, (15, 15, 25))
    modules.pixels(at, paper, "RGB", frames=True)


def retina(at: Planting) -> None:
    """A fundus photograph with the patient's name in a corner, signed and marked as such."""
    ds = at.dataset
    modules.begin(at, uid.OphthalmicPhotography8BitImageStorage, "OP")
    ds.ImageType = ["DERIVED", "SECONDARY", "", "COLOR"]
    ds.BurnedInAnnotation = "YES"
    picture = np.zeros((1, 300, 300, 3), np.uint8)
    eye = modules.anatomy(at, 300, 300, top=255).astype(np.uint8)
    picture[0, ..., 0] = eye
    picture[0, ..., 1] = eye // 3
    _write(at, picture[0], lines(at)[0], 4, 4, 13, (255, 255, 255))
    _write(at, picture[0], lines(at)[1], 278, 4, 13, (255, 255, 255))
    modules.pixels(at, picture, "RGB", frames=True)


def film(at: Planting) -> None:
    """A digitised film: large light text on grey, sixteen bits, signed numbers."""
    ds = at.dataset
    modules.begin(at, uid.SecondaryCaptureImageStorage, "CR")
    ds.ImageType = ["DERIVED", "SECONDARY"]
    at.kept(ds, (), ConversionType="DF")
    picture = modules.anatomy(at, 400, 320)
    burn(at, picture, 3900, 24, count=2)
    modules.pixels(at, (picture.astype(np.int16) - 1024), stored=16)


def _write(
    at: Planting,
    page: NDArray[np.uint8],
    line: str,
    y: int,
    x: int,
    size: int,
    colour: tuple[int, int, int],
    frame: int = 0,
) -> None:
    drawn = strokes(line, size)[:, : page.shape[1] - x - 2]
    page[y : y + drawn.shape[0], x : x + drawn.shape[1]][drawn] = colour
    at.case.boxes.append(Box(frame, y, x, drawn))


CAPTURES: dict[str, Kind] = {
    kind.__name__.replace("_", "-"): kind
    for kind in (
        dose_page,
        colour_screen,
        white_pages,
        moving,
        palette,
        label,
        retina,
        film,
    )
}
