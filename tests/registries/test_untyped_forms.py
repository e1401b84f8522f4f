"""Forms that nobody types: whatever they ask, images must say."""

from pathlib import Path

import pytest

from app.registries.load import read
from tests.make.definitions import SMALL, write_definition

FORM = """\
id: scan
title: Scan
level: case
typed: false
key: [study]
period: day
elements:
  - {id: study, source_name: Study, title: Study, type: text, identifying: true, from_dicom: [{attribute: StudyInstanceUID}]}
  - {id: place, source_name: Place, title: Place, type: text, identity: facility}
  - {id: day, source_name: Day, title: Day, type: date, required: true, from_dicom: [{attribute: StudyDate}]}
  - {id: leap, source_name: Leap, title: Leap, type: boolean, computed: "day = DATE '2024-02-29'"}
"""
NOTE = "  - {id: note, source_name: Note, title: Note, type: date}\n"
ROWS = "groups:\n  - {id: rows, title: Rows, elements: [{id: one, source_name: One, title: One, type: date}]}\n"
IMAGES = "- {id: slices, form: scan, modalities: [CT]}\n"


@pytest.mark.parametrize(
    ("form", "images", "says"),
    [
        (FORM, IMAGES, []),
        (FORM + NOTE, IMAGES, ["elements/scan.yaml:4: `note` is read in no image, and nobody could type it"]),
        (FORM + ROWS, IMAGES, ["elements/scan.yaml:4: no image says rows of `rows`"]),
        (
            FORM,
            IMAGES.replace("modalities", "makes_cases: false, modalities"),
            ["elements/scan.yaml:4: no images make cases of `scan`: see `images.yaml`"],
        ),
    ],
)  # fmt: skip
def test_what_nobody_types_is_read_in_images(
    tmp_path: Path, form: str, images: str, says: list[str]
) -> None:
    folder = write_definition(
        tmp_path, registry=SMALL["registry"], elements_scan=form, images=images
    )
    assert read(folder)[1] == says
