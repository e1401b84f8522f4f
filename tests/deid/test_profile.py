import pytest
from pydicom.datadict import DicomDictionary, dictionary_VR, private_dictionary_VR, tag_for_keyword

from app.deid import actions, private
from app.deid.actions import Action
from app.deid.explain import explained
from app.deid.profile import Profile
from app.deid.table import table

DEFAULT = Profile()


def action(keyword: str, profile: Profile = DEFAULT) -> Action:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return profile.decide(tag).action


def test_the_table_is_the_whole_of_edition_2026d():
    assert len(table()["rules"]) == 657
    assert len(table()["content_items"]) == 214
    assert "NEMA" in table()["source"]["attribution"]


def test_every_row_of_the_table_decides_its_attribute():
    for row in table()["rules"]:
        if not set(row["tag"]) <= set("0123456789ABCDEF"):
            continue
        tag = int(row["tag"], 16)
        decision = DEFAULT.decide(tag)
        if tag in DicomDictionary and tag >> 16 != 2 and tag >> 16 not in (0x0000, 0x0004):
            assert decision.rule.startswith("table E.1-1"), row
        else:
            assert decision.action is Action.REMOVE, row


def test_no_row_that_only_the_basic_profile_speaks_of_keeps_its_value():
    for row in table()["rules"]:
        if row["options"] or not set(row["tag"]) <= set("0123456789ABCDEF"):
            continue
        tag = int(row["tag"], 16)
        decided = DEFAULT.decide(tag).action
        assert decided not in (Action.KEEP, Action.SCRUB, Action.CLEAN, Action.SHIFT), row
        if "U" not in row["basic"] and tag in DicomDictionary and dictionary_VR(tag) != "SQ":
            assert decided in (
                Action.REMOVE,
                Action.EMPTY,
                Action.DUMMY,
                Action.PATIENT_ID,
                Action.PATIENT_NAME,
                Action.ACCESSION,
                Action.UID,
            ), row


def test_unknown_attributes_are_removed():
    for tag in (0x00080099, 0x0018EEEE, 0x00400001 + 0xEEE0, 0x60003000, 0x50001234, 0x00000002):
        assert DEFAULT.decide(tag).action is Action.REMOVE


def test_no_text_outside_the_table_is_kept_unread():
    for tag in DicomDictionary:
        decision = DEFAULT.decide(tag)
        vr = dictionary_VR(tag)
        if vr in ("LO", "SH", "ST", "LT", "UT", "UC", "PN", "AE", "UR", "UN"):
            assert decision.action is not Action.KEEP
        if vr in ("PN", "AE") and decision.action is not Action.PATIENT_NAME:
            assert decision.action in (Action.REMOVE, Action.EMPTY, Action.DUMMY), hex(tag)


def test_options_change_what_is_done():
    basic = Profile.of({"options": ["clean_pixel_data"]})
    assert action("StudyDate", basic) is Action.EMPTY
    assert action("PatientAge", basic) is Action.REMOVE
    assert action("SeriesDescription", basic) is Action.REMOVE
    assert action("StudyDate") is Action.SHIFT
    assert action("SeriesDescription") is Action.CLEAN
    full = Profile.of({"options": ["clean-pixel-data", "retain-longitudinal-full-dates"]})
    assert action("StudyDate", full) is Action.KEEP
    device = Profile.of({"options": ["clean_pixel_data", "retain_device_identity"]})
    assert action("DeviceSerialNumber", device) is Action.SCRUB
    kept = Profile.of({"options": ["clean_pixel_data", "retain_uids"]})
    assert action("StudyInstanceUID", kept) is Action.KEEP


def test_no_date_is_true_unless_an_option_says_so():
    basic, full = (
        Profile.of({"options": ["clean_pixel_data", *more]})
        for more in ((), ("retain_longitudinal_full_dates",))
    )
    gone = (Action.REMOVE, Action.EMPTY, Action.DUMMY)
    for tag, entry in DicomDictionary.items():
        if entry[0] in ("DA", "DT"):
            assert basic.decide(tag).action in gone, entry[4]
            assert full.decide(tag).action is not Action.SHIFT, entry[4]
    assert action("ItemInventoryDateTime", full) is Action.KEEP


def test_cleaning_wins_over_keeping():
    both = Profile.of(
        {
            "options": [
                "clean_pixel_data",
                "retain_device_identity",
                "retain_longitudinal_modified_dates",
            ]
        }
    )
    assert action("CalibrationDate", both) is Action.SHIFT


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"options": ["clean_everything"]}, "unknown option"),
        ({"options": ["clean_descriptors"]}, "clean_pixel_data cannot be left out"),
        (
            {
                "options": [
                    "clean_pixel_data",
                    "retain_longitudinal_full_dates",
                    "retain_longitudinal_modified_dates",
                ]
            },
            "exclude each other",
        ),
        ({"options": ["clean_pixel_data", "clean-pixel-data"]}, "named twice"),
        ({"overrides": {"PatientNam": "remove"}}, "no such attribute"),
        ({"overrides": {"PatientName": "keep"}}, "lets it stay"),
        ({"overrides": {"StudyInstanceUID": "remove"}}, "would not hold together"),
        ({"overrides": {"PatientSize": "burn"}}, "Input should be"),
        ({"dates": {"least": 10, "most": 20}}, "100 days"),
        ({"surprise": 1}, "nothing of that name"),
        ({"edition": "1999a"}, "2026d"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_complaint(document, complaint):
    with pytest.raises(ValueError, match=complaint):
        Profile.of(document)


def test_an_override_takes_precedence():
    profile = Profile.of({"overrides": {"PatientSize": "remove", "ManufacturerModelName": "empty"}})
    assert action("PatientSize", profile) is Action.REMOVE
    assert action("ManufacturerModelName", profile) is Action.EMPTY


def test_every_attribute_is_explained():
    told = explained(DEFAULT).attributes
    tags = {one.tag for one in told}
    assert len(tags) == len(told)
    assert {f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in DicomDictionary} <= tags
    assert all(set(one.action.split(" / ")) <= set(Action) and one.why for one in told)


def test_the_safe_private_list_agrees_with_the_dictionary_of_pydicom():
    listed = private.safe()
    assert len(listed) >= 25
    checked = 0
    for (creator, group, offset), safe in listed.items():
        listed = safe.vr.split()
        assert not set(listed) & {"OB", "OW", "UN", "SQ", "UI", "PN", "LT", "ST", "UT"}
        try:
            vr = private_dictionary_VR((group, 0x1000 | offset), creator)
        except KeyError:
            continue
        checked += 1
        assert vr in (listed[0], "UN"), (creator, hex(group), hex(offset), vr)
    assert checked >= 15


@pytest.mark.parametrize(
    ("codes", "vr", "name", "expected"),
    [
        ("X/Z/D", "LO", "", Action.DUMMY),
        ("X/Z", "LO", "", Action.EMPTY),
        ("X/D", "DA", "", Action.DUMMY),
        ("Z", "SQ", "", Action.EMPTY),
        ("D", "SQ", "Person Identification Code Sequence", Action.DUMMY_CODE),
        ("X/Z/U*", "SQ", "", Action.ITEMS),
        ("U", "UI", "", Action.UID),
        ("D", "UI", "", Action.UID),
    ],
)
def test_a_basic_action_that_depends_on_the_type_is_never_invalid(codes, vr, name, expected):
    assert actions.basic(codes, vr, name) is expected
