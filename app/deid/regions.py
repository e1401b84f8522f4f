"""
Where machines of known makers write in their pictures, as data (`regions.yaml`).
"""

from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, field_validator

from app.deid.boxes import Box
from app.deid.raster import Raster
from app.deid.walk import Dataset, text_of

_TEXTS = {
    "modality": 0x00080060,
    "manufacturer": 0x00080070,
    "model": 0x00081090,
    "image_type": 0x00080008,
}


class Signature(BaseModel):
    """How a machine is known: every part that is named must fit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modality: tuple[str, ...] = ()
    manufacturer: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    image_type: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()

    @field_validator("*", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        return value if isinstance(value, list) else [value]

    def fits(self, dataset: Dataset, raster: Raster) -> bool:
        """Is this object of such a machine?"""
        if self.rows and raster.rows not in self.rows:
            return False
        if self.columns and raster.columns not in self.columns:
            return False
        return all(
            any(word.upper() in text_of(dataset.get(tag)).upper() for word in words)
            for name, tag in _TEXTS.items()
            if (words := getattr(self, name))
        )


class Rule(BaseModel):
    """Rectangles of one kind of machine, each left, top, width and height in pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: Signature
    blank: tuple[tuple[int, int, int, int], ...]


@cache
def rules() -> tuple[Rule, ...]:
    """The rules that are shipped."""
    text = files("app.deid").joinpath("regions.yaml").read_text(encoding="utf-8")
    return tuple(Rule.model_validate(rule) for rule in yaml.safe_load(text))


def known(dataset: Dataset, raster: Raster) -> list[Box]:
    """The rectangles in which this object's machine writes, cut to the picture."""
    boxes = [
        Box(top, left, top + height, left + width).within(raster.rows, raster.columns)
        for rule in rules()
        if rule.when.fits(dataset, raster)
        for left, top, width, height in rule.blank
    ]
    return [box for box in boxes if box.area]
