import pytest

from app.commands.policy import policy
from app.deid.actions import Action
from app.deid.choices import choices_of, tag_of
from app.deid.explain import explained
from app.deid.profile import Profile
from app.deid.table import table
from app.errors import Unprocessable


def complaints(document: dict[str, object]) -> list[str]:
    with pytest.raises(ValueError, match=":") as refused:
        choices_of(document)
    return str(refused.value).split("\n")


def test_every_complaint_comes_at_once():
    said = complaints(
        {
            "edition": "1999a",
            "options": [
                "retain-longitudinal-full-dates",
                "retain-longitudinal-modified-dates",
                "clean-everything",
                "clean-recognizable-visual-features",
            ],
            "overrides": {
                "PatientNam": "remove",
                "PatientName": "keep",
                "StudyInstanceUID": "remove",
                "PatientSize": "burn",
            },
            "dates": {"least": 10, "most": 20},
            "version": "a version of far too many letters",
            "surprise": 1,
        }
    )
    for expected in (
        "edition:",
        "exclude each other",
        "unknown option 'clean_everything'",
        "not offered",
        "clean_pixel_data cannot be left out",
        "'PatientNam': no such attribute",
        "PatientName: no option of PS3.15 lets it stay",
        "StudyInstanceUID: the object would not hold together",
        "PatientSize: Input should be",
        "100 days",
        "version:",
        "surprise:",
    ):
        assert any(expected in line for line in said), expected


@pytest.mark.parametrize("wrong", [7, ["PatientSize"], "PatientSize"])
def test_overrides_that_are_no_mapping_are_a_complaint_and_no_crash(wrong):
    assert any(line.startswith("overrides") for line in complaints({"overrides": wrong}))


def test_an_override_may_name_a_tag():
    assert tag_of("(0010,1020)") == tag_of("00101020") == tag_of("PatientSize") == 0x00101020
    assert tag_of("(0010,FFFF)") is None
    profile = Profile.of({"overrides": {"(0010,1020)": "remove"}})
    assert profile.decide(0x00101020).action is not Action.KEEP


def test_an_override_keeps_what_no_family_lists():
    profile = Profile.of({"overrides": {"PulseWidth": "keep"}})
    tag = tag_of("PulseWidth")
    assert tag is not None
    assert Profile().decide(tag, listed=False).action is Action.REMOVE
    assert profile.decide(tag, listed=False)[:2] == (Action.KEEP, "override of the registry")


def test_an_override_never_leaves_a_required_attribute_out():
    profile = Profile.of({"overrides": {"StudyDate": "remove", "StructureSetLabel": "empty"}})
    assert profile.decide(0x00080020, "2").action is Action.EMPTY
    assert profile.decide(0x00080020, "3").action is Action.REMOVE
    assert profile.decide(0x30060002, "1").action is Action.DUMMY


def test_equal_choices_have_equal_digests_and_any_other_choice_another():
    one, same = Profile(), Profile.of({"options": list(Profile().choices.options)})
    assert one.digest == same.digest
    others = [
        {"version": "2"},
        {"overrides": {"PatientSize": "remove"}},
        {"dates": {"least": 400}},
        {"options": ["clean_pixel_data"]},
        {"encapsulated_documents": "keep"},
    ]
    digests = {Profile.of(document).digest for document in others} | {one.digest}
    assert len(digests) == len(others) + 1
    assert explained(one).digest == one.digest


def test_the_explanation_tells_every_option_and_which_are_in_force():
    told = {one.option: one for one in explained(Profile()).options}
    assert len({one.code for one in told.values()}) == len(told) == 13
    assert told["basic"].in_force
    assert told["clean_descriptors"].in_force
    assert not told["retain_uids"].in_force
    assert not told["clean_recognizable_visual_features"].in_force
    assert all(one.effect for one in told.values())


def test_the_explanation_says_where_and_why_it_departs_from_the_table():
    told = {one.keyword: one for one in explained(Profile()).attributes}
    assert "89" in told["PatientAge"].deviation
    assert told["InstitutionName"].action == "remove / empty / dummy"
    assert told["InstitutionName"].deviation == ""
    assert told["KVP"].families
    assert "ultrasound" not in told["KVP"].families
    assert told["PulserNotes"].action == "remove"
    changed = Profile.of({"overrides": {"SeriesDescription": "remove"}})
    assert "deid.yaml" in next(
        one.deviation for one in explained(changed).attributes if one.keyword == "SeriesDescription"
    )
    assert all(one.deviation for one in explained(Profile()).deviations)


# What each action does to a value, in the codes of Table E.1-1; `items` cleans or keeps what is inside.
DONE = {
    **dict.fromkeys(("keep", "scrub", "term", "product", "age", "class-uid"), "K"),
    "clean": "C",
    "content": "C",
    "items": "CKU",
    "uid": "UD",
    "dummy": "D",
    "dummy-code": "D",
    "patient-id": "ZD",
    "patient-name": "ZD",
    "accession": "ZD",
    "empty": "Z",
    "remove": "X",
}


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["clean_descriptors", "clean_structured_content", "clean_graphics"],
        ["retain_longitudinal_modified_dates", "retain_device_identity"],
        ["retain_uids", "retain_institution_identity", "retain_longitudinal_full_dates"],
        ["retain_patient_characteristics", "retain_safe_private", "clean_descriptors"],
    ],
    ids=lambda options: "+".join(options) or "basic",
)
def test_every_departure_from_the_table_is_told(options):
    told = {
        one.tag: one
        for one in explained(Profile.of({"options": ["clean_pixel_data", *options]})).attributes
    }
    for row in table()["rules"]:
        tag = f"({row['tag'][:4]},{row['tag'][4:]})"
        if row["name"] == "Private Attributes":
            continue
        one = told[tag]
        said = [row["options"][option] for option in options if option in row["options"]]
        asked = "C" if "C" in said else "K" if said else row["basic"]
        moves = "K" if one.vr in ("TM", "SH") else "C"
        for action in one.action.split(" / "):
            done = moves if action == "shift" else DONE[action]
            if not set(done) & set(asked):
                assert one.deviation, (tag, row["name"], asked, action)


def test_every_content_item_that_stays_otherwise_says_so():
    told = explained(
        Profile.of({"options": ["clean_pixel_data", "retain_device_identity", "retain_uids"]})
    ).content_items
    by_code = {(one.code, one.value_type): one for one in told}
    assert "cleaned" in by_code["121013", "TEXT"].deviation  # Device Observer Name
    basic = explained(Profile()).content_items
    assert all(one.deviation for one in basic if "replaced" in one.rule)
    assert not any(one.deviation for one in basic if one.action != "items")


def test_the_explanation_is_of_what_is_done():
    profile = Profile()
    for one in explained(profile).attributes:
        if not one.keyword:
            continue
        tag = tag_of(one.tag)
        assert tag is not None
        if one.families or one.action in ("keep", "clean", "scrub", "shift"):
            assert profile.decide(tag, "3").action.value in one.action.split(" / "), one


@pytest.mark.parametrize(
    ("options", "action", "asked"),
    [
        ([], "keep", "retain_longitudinal_full_dates"),
        ([], "clean", "retain_longitudinal_modified_dates"),
        (["retain_longitudinal_modified_dates"], "keep", "retain_longitudinal_full_dates"),
        (["retain_longitudinal_full_dates"], "clean", "retain_longitudinal_modified_dates"),
    ],
)
def test_no_single_date_stays_or_moves_against_the_others(options, action, asked):
    document = {"options": ["clean_pixel_data", *options], "overrides": {"StudyDate": action}}
    assert any(asked in said for said in complaints(document))
    document["overrides"] = {"StudyDate": "empty", "StudyTime": "keep"}
    choices_of(document)


def test_a_name_that_nobody_knows_is_answered_with_those_that_are_known():
    said = complaints(
        {
            "option": [],
            "options": "clean_pixel_data",
            "dates": {"least_days": 3},
            "burned_in": {"x": 1},
        }
    )
    told = {one.split(":")[0]: one for one in said}
    assert "options, overrides" in told["option"]
    assert "list" in told["options"]
    assert told["dates.least_days"].endswith("known: least, most")
    assert "modalities" in told["burned_in.x"]


def test_a_profile_that_is_no_yaml_is_told_where(tmp_path):
    (tmp_path / "deid.yaml").write_text("edition: 2026d\noptions: [clean_pixel_data\ndates: {}\n")
    with pytest.raises(Unprocessable, match=r"line 3, column"):
        policy(str(tmp_path / "deid.yaml"))
