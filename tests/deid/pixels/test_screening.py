"""Which objects are looked at, and that nothing is spent on those that cannot have text."""

import subprocess
import sys
from typing import Any

import pytest

from app.deid.beginning import read
from app.deid.choices import BurnedIn
from app.deid.raster import Raster
from app.deid.regions import known, rules
from app.deid.screening import is_page, may_have_text
from tests.make.instances import ct, packed


def looked_at(**change: Any) -> bool:
    return may_have_text(read(packed(ct(**change))).dataset, BurnedIn())


@pytest.mark.parametrize(
    "change",
    [
        {"Modality": "US"},
        {"Modality": "US", "BurnedInAnnotation": "NO"},
        {"Modality": "CR"},
        {"Modality": "DX"},
        {"Modality": "MG"},
        {"Modality": "XA"},
        {"Modality": "RF"},
        {"Modality": "ES"},
        {"Modality": "OT"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.4"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1"},
        {"BurnedInAnnotation": "YES"},
        {"ConversionType": "DI"},
        {"Manufacturer": "VIDAR Systems"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
        {"ImageType": ["DERIVED", "PRIMARY", "MPR"]},
        {"ImageType": ["ORIGINAL", "SECONDARY"]},
        {"ImageType": None},
        {"PhotometricInterpretation": "RGB"},
        {"PhotometricInterpretation": "PALETTE COLOR"},
        {"Modality": "NM", "ImageType": ["DERIVED", "SECONDARY"]},
        {"Modality": "PT", "SeriesDescription": "Dose Report"},
    ],
)
def test_what_a_screen_a_film_or_a_person_has_been_at_is_looked_at(
    change: dict[str, Any],
) -> None:
    assert looked_at(**change)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"},
        {"Modality": "PT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.128"},
        {"Modality": "NM", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.20"},
        {"Modality": "SEG", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4"},
        {"Modality": "RTDOSE", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2"},
        {"BurnedInAnnotation": "NO"},
        {
            "Modality": "SM",
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.6",
            "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        },
    ],
)
def test_what_only_a_scanner_has_been_at_is_not(change: dict[str, Any]) -> None:
    assert not looked_at(**change)


def test_the_networks_are_not_even_loaded_for_slices() -> None:
    program = (
        "import sys; from app.deid.deidentify import deidentify;"
        "from app.deid.profile import Profile; from app.deid.uids import Keys;"
        "from tests.make.instances import sent;"
        "deidentify(sent(), Profile(), Keys.of(b'k' * 32));"
        "print([name for name in ('onnxruntime', 'imagecodecs') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_page_is_one_frame_that_is_called_one() -> None:
    page = ct(SeriesDescription="Dose Report")
    assert is_page(read(packed(page)).dataset)
    page.NumberOfFrames = 20
    assert not is_page(read(packed(page)).dataset)
    assert not is_page(read(packed(ct(SeriesDescription="CT low dose"))).dataset)


def test_the_rules_of_machines_are_sound_and_fit_only_their_machine() -> None:
    assert len(rules()) > 40
    for rule in rules():
        assert rule.blank
        assert rule.when.manufacturer, "a rule without a maker would fit everybody"
        assert all(width > 0 and height > 0 for _, _, width, height in rule.blank)
    machine = ct(Modality="US", Manufacturer="Philips", ManufacturerModelName="iU22")
    machine.Rows, machine.Columns = 600, 800
    machine.PixelData = bytes(600 * 800 * 2)
    instance = read(packed(machine))
    raster = Raster.of(instance)
    assert raster is not None
    assert [
        (box.left, box.top, box.right, box.bottom) for box in known(instance.dataset, raster)
    ] == [(0, 0, 800, 59)]
    machine.ManufacturerModelName = "HD11"
    assert known(read(packed(machine)).dataset, raster) == []
