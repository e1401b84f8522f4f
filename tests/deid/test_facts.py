from typing import Any

import pytest

from app.deid import about, pixels
from app.deid.beginning import read
from app.deid.facts import Facts
from app.deid.profile import Profile
from app.deid.uids import Keys
from app.deid.walk import Dataset, Element
from tests.make.instances import ct, packed

KEYS = Keys.of(b"k" * 32)
PROFILES = (Profile(), Profile.of({"burned_in": {"modalities": ["CT"]}}))
SAYING: tuple[dict[str, Any], ...] = (
    {},
    {"PatientID": None, "PatientName": "Roe^Jane", "PatientBirthDate": "19700101"},
    {"PatientID": "", "PatientName": "", "IssuerOfPatientID": "HOUSE"},
    {"Modality": "US", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.3.1", "NumberOfFrames": "2"},
    {"ImageType": ["DERIVED", "SECONDARY"], "BurnedInAnnotation": "YES"},
    {"SeriesDescription": "Dose Report", "ImageType": ["ORIGINAL", "PRIMARY", "DOSE_INFO"]},
    {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.6", "ImageType": ["ORIGINAL", "VOLUME"]},
    {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 1, "ConversionType": "WSD"},
    {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "山田^太郎", "Manufacturer": "Vital"},
    {"Rows": None, "PhotometricInterpretation": "YBR_FULL_422", "PlanarConfiguration": 1},
)


class Noting(dict[int, Element]):
    """A dataset that notes which attributes it was asked for."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset)
        self.asked: set[int] = set()

    def get(self, tag: int, default: Any = None) -> Any:
        self.asked.add(tag)
        return super().get(tag, default)

    def __getitem__(self, tag: int) -> Element:
        self.asked.add(tag)
        return super().__getitem__(tag)

    def __contains__(self, tag: object) -> bool:
        assert isinstance(tag, int)
        self.asked.add(tag)
        return super().__contains__(tag)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("saying", SAYING)
def test_what_is_worked_out_depends_on_the_attributes_it_is_remembered_by(
    saying: dict[str, Any], profile: Profile
) -> None:
    top = read(packed(ct(**saying))).dataset
    for facts, besides in (
        (pixels._STATED, (True, profile)),
        (pixels._STATED, (False, profile)),
        (about.ABOUT, (profile, KEYS)),
    ):
        noting = Noting(top)
        alone = facts._follow(noting, *besides)
        assert noting.asked <= set(facts._tags)
        for _ in range(2):  # worked out, and remembered
            assert facts.of(top, *besides) == alone


def test_objects_that_say_the_same_share_what_follows_and_others_do_not() -> None:
    told: list[Dataset] = []
    facts = Facts((1, 2), lambda said, sign: [told.append(said), sign, dict(said)][1:])
    one, two = Element("LO", b"one"), Element("LO", b"two")
    first = facts.of({1: one, 3: two}, "+")
    assert facts.of({3: one, 1: Element("LO", b"one")}, "+") is first
    assert told == [{1: one}]
    assert facts.of({1: one}, "-") == ["-", {1: one}]
    assert facts.of({1: two}, "+") == ["+", {1: two}]
    assert facts.of({2: one}, "+") == ["+", {2: one}]
    assert facts.of({1: Element("SH", b"one")}, "+") == ["+", {1: Element("SH", b"one")}]


def test_what_is_remembered_is_small_and_keeps_no_object_alive() -> None:
    facts: Facts[int] = Facts((1,), lambda said: len(said[1].value))
    for number in range(2000):
        assert facts.of({1: Element("LO", b"x" * (number % 1000) + b"%d" % number)}) > 0
    assert 0 < len(facts._known) <= 512
    facts._known.clear()
    source = bytes(100_000)
    for value in (source, memoryview(source)[:10], memoryview(bytearray(9)), [{1: source}]):
        assert facts.of({1: Element("OB", value)}) == len(value)  # type: ignore[arg-type]
    assert not facts._known
