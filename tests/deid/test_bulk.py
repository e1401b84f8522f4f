import struct
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from app.deid import icc
from app.deid.bulk import VOICE
from app.deid.deidentify import Deidentified, deidentify
from app.deid.profile import Profile
from app.deid.uids import Keys
from tests.make.instances import ct, item, items, packed

KEYS = Keys.of(b"k" * 32)
SECRET = b"Thackeray born 1961"
RAMP = bytes(range(256)) * 2


def done(made: Dataset) -> Dataset:
    outcome = deidentify(packed(made), Profile(), KEYS)
    assert isinstance(outcome, Deidentified)
    assert SECRET not in outcome.content
    return dcmread(BytesIO(outcome.content))


def palette(made: Dataset, tail: bytes = b"") -> Dataset:
    for colour in ("Red", "Green", "Blue"):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(made, f"{colour}PaletteColorLookupTableData", RAMP + tail)
    return made


def test_a_palette_that_no_pixel_uses_goes():
    read = done(palette(ct(), SECRET.ljust(20)))
    assert not any("Palette" in one.keyword for one in read)


def test_a_palette_in_use_stays_without_what_follows_it():
    made = palette(ct(PhotometricInterpretation="PALETTE COLOR"), SECRET.ljust(20))
    made.BurnedInAnnotation = "NO"
    outcome = deidentify(packed(made), Profile(), KEYS)
    assert isinstance(outcome, Deidentified), outcome
    read = dcmread(BytesIO(outcome.content))
    assert read.RedPaletteColorLookupTableData == RAMP
    assert SECRET not in outcome.content


def test_a_palette_in_use_that_reads_like_text_becomes_a_ramp_and_a_true_one_stays():
    made = palette(ct(PhotometricInterpretation="PALETTE COLOR", BurnedInAnnotation="NO"))
    made.RedPaletteColorLookupTableDescriptor = [16, 0, 16]
    made.RedPaletteColorLookupTableData = SECRET.ljust(32)
    made.BluePaletteColorLookupTableData = bytes(min(255, 40 + place // 2) for place in range(512))
    blue = made.BluePaletteColorLookupTableData
    read = done(made)
    ramp = struct.unpack("<16H", read.RedPaletteColorLookupTableData)
    assert (ramp[0], ramp[-1]) == (0, 65535)
    assert list(ramp) == sorted(ramp)
    assert read.GreenPaletteColorLookupTableData == RAMP
    assert read.BluePaletteColorLookupTableData == blue


def test_a_lookup_table_is_cut_to_its_entries():
    table = item(LUTDescriptor=[256, 0, 16], LUTData=RAMP + SECRET.ljust(20))
    read = done(ct(VOILUTSequence=items(table)))
    assert len(read.VOILUTSequence[0]["LUTData"].value) == len(RAMP)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_lookup_table_of_an_item_that_reads_like_text_becomes_a_ramp_of_its_bits(bits: int):
    table = item(LUTDescriptor=[16, 0, bits], LUTData=SECRET.ljust(32))
    true = item(LUTDescriptor=[256, 0, 16], LUTData=RAMP)
    read = done(ct(VOILUTSequence=items(table, true)))
    ramp = struct.unpack("<16H", read.VOILUTSequence[0]["LUTData"].value)
    assert (ramp[0], ramp[-1]) == (0, (1 << bits) - 1)
    assert list(ramp) == sorted(ramp)
    assert read.VOILUTSequence[1]["LUTData"].value == RAMP


def waveform(sop_class: str) -> Dataset:
    group = item(
        WaveformOriginality="ORIGINAL",
        NumberOfWaveformChannels=1,
        NumberOfWaveformSamples=512,
        SamplingFrequency="8000",
        WaveformBitsAllocated=8,
        WaveformSampleInterpretation="UB",
        WaveformData=RAMP + SECRET.ljust(20),
    )
    return ct(SOPClassUID=sop_class, Modality="AU", PixelData=None, WaveformSequence=items(group))


def test_a_waveform_is_as_long_as_its_samples():
    read = done(waveform("1.2.840.10008.5.1.4.1.1.9.1.2"))
    assert read.WaveformSequence[0].WaveformData == RAMP


def test_a_voice_is_silenced():
    assert done(waveform(VOICE)).WaveformSequence[0].WaveformData == b"\x80" * len(RAMP)


def profile_with(text: bytes) -> bytes:
    """A colour profile whose copyright and gaps say something."""
    start = bytearray(icc.plain())
    (count,) = struct.unpack_from(">L", start, 128)
    for place in range(count):
        at = 132 + 12 * place
        if start[at : at + 4] == b"cprt":
            part = b"text" + bytes(4) + text + b"\0"
            struct.pack_into(">LL", start, at + 4, len(start), len(part))
            start += part
    start[48:56] = b"THACKERA"
    return bytes(start) + text


def test_a_colour_profile_keeps_its_colours_and_loses_its_words():
    source = profile_with(SECRET)
    made = icc.rebuilt(source)
    assert made is not None
    assert SECRET not in made
    assert b"THACKERA" not in made
    assert icc.rebuilt(made) == made == icc.rebuilt(icc.plain())
    read = done(ct(ICCProfile=source))
    assert read.ICCProfile == made


@pytest.mark.parametrize("broken", [b"", b"x" * 200, icc.plain()[:140], b"\0" * 36 + b"acsp" * 40])
def test_what_is_no_colour_profile_goes(broken):
    assert icc.rebuilt(broken) is None


def test_a_rebuilt_profile_opens_in_a_colour_engine():
    engine = pytest.importorskip("PIL.ImageCms")
    for content in (icc.plain(), icc.rebuilt(profile_with(SECRET))):
        opened = engine.ImageCmsProfile(BytesIO(content))
        assert engine.getProfileDescription(opened).strip() == "Colour profile"
