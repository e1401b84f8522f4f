"""Folders and archives through `hounsfield deid`, as somebody at a site would run it."""

import json
import shutil
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from typer.testing import CliRunner

from app.cli import assembled
from app.errors import RegistryError
from tests.deid.files.folders import SECRETS, archive, command, key, outputs, read, study
from tests.make.instances import ROOT, ct, packed

RESULTS = ("out", "map.json", "map.reasons.json", "report.json", "said", "secret.key")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with studies, an archive with more, an object without preamble, and other things."""
    folder = tmp_path_factory.mktemp("Quizzleberry")
    study(folder, 1, 4)
    study(folder, 2, 3)
    bare = packed(ct(9, study=3))[132:]
    (folder / "no_preamble_Ottoline.bin").write_bytes(bare)
    (folder / "report of Ottoline Quizzleberry.txt").write_text("Dear Mrs Quizzleberry")
    (folder / "empty").touch()
    inner = archive(folder / "inner.zip", {"deep/Ottoline.dcm": packed(ct(21, study=4))})
    archive(
        folder / "export.zip",
        {
            "Quizzleberry/1": packed(ct(11, study=4)),
            "../../../etc/Quizzleberry": packed(ct(12, study=4)),
            "/root/Quizzleberry": packed(ct(13, study=4)),
            "more.zip": inner.read_bytes(),
            "readme": b"Quizzleberry",
        },
    )
    inner.unlink()
    document = ct(1, study=5)
    document.SOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    del document.PixelData
    document.EncapsulatedDocument = b"%PDF-1.4 Quizzleberry"
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    (folder / "letter.dcm").write_bytes(packed(document))
    (folder / "hanging").write_bytes(packed(hanging_protocol()))
    shutil.copy(get_testdata_file("DICOMDIR"), folder / "DICOMDIR")
    (folder / "elsewhere").symlink_to("/etc")
    (folder / "again").symlink_to(folder / "empty")
    return folder


def hanging_protocol() -> Dataset:
    """Of no patient and no study, and made by somebody for a house."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.38.1", f"{ROOT}.38.1"
    made.HangingProtocolName, made.HangingProtocolLevel = "Quizzleberry", "USER"
    made.HangingProtocolDescription = "made at Riverside for Dr. Thistlewood"
    made.HangingProtocolCreator, made.HangingProtocolUserGroupName = "Thistlewood^A", "Quillmark"
    made.HangingProtocolCreationDateTime = "20200102"
    made.NumberOfPriorsReferenced = 1
    return made


@pytest.fixture(scope="module")
def done(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("home")
    before = {path: path.read_bytes() for path in mixed.rglob("*") if path.is_file()}
    ended = command(
        *(mixed, home / "out", "--key-file", key(home), "--jobs", 2),
        *("--map", home / "map.json", "--report", home / "report.json"),
    )
    assert ended.returncode == 3, ended.stderr
    (home / "said").write_text(ended.stdout + ended.stderr)
    assert {path: path.read_bytes() for path in mixed.rglob("*") if path.is_file()} == before
    return {name: home / name for name in RESULTS}


def test_every_input_is_in_the_map_with_its_output_or_the_reason_for_none(
    mixed: Path, done: dict[str, Path]
) -> None:
    mapped, reasons = read(done["map.json"]), read(done["map.reasons.json"])
    in_archive = {
        "Quizzleberry/1",
        "etc/Quizzleberry",
        "root/Quizzleberry",
        "more.zip/deep/Ottoline.dcm",
        "readme",
    }
    expected = {str(path.relative_to(mixed)) for path in mixed.rglob("*") if not path.is_dir()}
    expected |= {"elsewhere"} | {f"export.zip/{name}" for name in in_archive}
    assert set(mapped) == expected - {"export.zip"}
    assert {name for name, output in mapped.items() if output is None} == set(reasons)
    assert reasons == {
        "DICOMDIR": "not-an-instance",
        "again": "symbolic-link",
        "elsewhere": "symbolic-link",
        "empty": "not-dicom",
        "export.zip/readme": "not-dicom",
        "letter.dcm": "encapsulated-document",
        "report of Ottoline Quizzleberry.txt": "not-dicom",
    }
    written = [output for output in mapped.values() if output is not None]
    assert sorted(written) == sorted(outputs(done["out"])), "all of them, and nothing else"


def test_an_output_is_named_by_its_own_new_identifiers(done: dict[str, Path]) -> None:
    found = outputs(done["out"])
    assert len(found) == 13
    (alone,) = (name for name in found if name.startswith("of-no-study/"))
    protocol = dcmread(BytesIO(found.pop(alone)))
    assert alone == f"of-no-study/{protocol.SOPInstanceUID}.dcm"
    assert "StudyInstanceUID" not in protocol
    assert "PatientID" not in protocol
    for name, content in found.items():
        made = dcmread(BytesIO(content))
        uids = (made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID)
        assert name == "/".join((made.PatientID, *uids)) + ".dcm"
        assert made.PatientIdentityRemoved == "YES"


def test_nothing_of_anybody_is_in_the_outputs_their_names_the_report_or_what_is_said(
    done: dict[str, Path],
) -> None:
    told = done["report.json"].read_text() + done["said"].read_text()
    told += (done["out"] / ".hounsfield-deid" / "journal.ndjson").read_text()
    for secret in SECRETS:
        assert secret.lower() not in told.lower()
        for name, content in outputs(done["out"]).items():
            assert secret not in name
            assert secret.encode() not in content
    values = json.dumps(list(read(done["map.json"]).values()))
    assert "Thistlewood" not in values
    for name in "map.json", "map.reasons.json":
        assert oct(done[name].stat().st_mode)[-3:] == "600", "it names the inputs"


def test_the_report_says_what_was_done_to_each_attribute_by_which_rule_and_its_totals_add_up(
    done: dict[str, Path],
) -> None:
    told, mapped = read(done["report.json"]), read(done["map.json"])
    reasons = read(done["map.reasons.json"])
    assert [one["output"] for one in told["objects"]] == list(mapped.values()), "in one order"
    assert [one["input"] for one in told["objects"]] == list(range(1, len(mapped) + 1))
    assert [one["reason"] for one in told["objects"] if one["output"] is None] == list(
        reasons.values()
    )
    totals = told["totals"]
    assert totals["inputs"] == len(mapped) == 20
    assert (totals["written"], totals["held"], totals["refused"]) == (13, 1, 0)
    assert (totals["passed-by"], totals["outputs"]) == (6, 13)
    assert (totals["patients"], totals["studies"]) == (3, 4)
    actions: dict[str, int] = {}
    for one in told["objects"]:
        for action, times in one.get("actions", {}).items():
            actions[action] = actions.get(action, 0) + times
    assert totals["actions"] == dict(sorted(actions.items()))
    for one in told["objects"]:
        if one["output"] is None or one["output"].startswith("of-no-study/"):
            continue
        rows = told["treatments"][one["treatment"]]
        by_keyword = {row["keyword"]: row for row in rows}
        assert by_keyword["PatientName"]["action"] == "patient-name"
        assert by_keyword["InstitutionName"]["action"] == "remove"
        assert by_keyword["StudyDate"]["action"] == "shift"
        assert all(row["rule"] and row["times"] >= 1 for row in rows)


def test_one_patient_keeps_one_pseudonym_and_one_distance_of_dates_and_intervals_stay(
    tmp_path: Path,
) -> None:
    study(tmp_path / "in", 1, 2)
    later = ct(1, study=7, PatientID="MRN-7730015-1", StudyDate="20240411", SeriesDate="20240411")
    archive(tmp_path / "later.zip", {"x": packed(later)})
    other = tmp_path / "other"
    study(other, 2, 1)
    ended = command(
        *(tmp_path / "in", tmp_path / "later.zip", other, tmp_path / "out"),
        *("--key-file", key(tmp_path), "--map", tmp_path / "map.json"),
    )
    assert ended.returncode == 0, ended.stderr
    mapped = read(tmp_path / "map.json")
    first = dcmread(tmp_path / "out" / mapped["in/Quizzleberry_Ottoline_1/CT 1/Ottoline000"])
    second = dcmread(tmp_path / "out" / mapped["later.zip/x"])
    third = dcmread(tmp_path / "out" / mapped["other/Quizzleberry_Ottoline_2/CT 1/Ottoline000"])
    assert first.PatientID == second.PatientID != third.PatientID
    days = [date.fromisoformat(one.StudyDate) for one in (first, second)]
    assert (days[1] - days[0]).days == 31
    assert first.StudyTime == "101112.5"


def test_another_run_other_processes_and_other_inputs_around_it_give_the_same_bytes(
    mixed: Path, done: dict[str, Path], tmp_path: Path
) -> None:
    runs = {"one": 1, "three": 3}
    for name, jobs in runs.items():
        ended = command(
            *(mixed, tmp_path / name, "--key-file", done["secret.key"], "--jobs", jobs),
            *("--map", tmp_path / f"{name}.map", "--report", tmp_path / f"{name}.report"),
        )
        assert ended.returncode == 3, ended.stderr
        assert outputs(tmp_path / name) == outputs(done["out"])
        assert (tmp_path / f"{name}.map").read_bytes() == done["map.json"].read_bytes()
        assert (tmp_path / f"{name}.report").read_bytes() == done["report.json"].read_bytes()


def test_another_scope_or_another_key_shares_no_name_with_the_first(
    mixed: Path, done: dict[str, Path], tmp_path: Path
) -> None:
    told = set(outputs(done["out"]))
    scoped = command(
        mixed, tmp_path / "scoped", "--key-file", done["secret.key"], "--scope", "trial 7"
    )
    fresh = command(mixed, tmp_path / "fresh")
    assert (scoped.returncode, fresh.returncode) == (3, 3)
    assert "fresh secret" in fresh.stderr
    assert "fresh secret" not in scoped.stderr
    parts = [
        {part for name in names for part in name.split("/")} - {"of-no-study"}
        for names in (told, outputs(tmp_path / "scoped"), outputs(tmp_path / "fresh"))
    ]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]


BUNDLED = (
    "693_J2KI.dcm",
    "CT_small.dcm",
    "ExplVR_BigEnd.dcm",
    "JPEG-lossy.dcm",
    "MR_small_RLE.dcm",
    "rtdose_rle.dcm",
    "image_dfl.dcm",
    "liver_1frame.dcm",
    "no_meta.dcm",
    "reportsi.dcm",
    "rtplan.dcm",
    "rtstruct.dcm",
    "test-SR.dcm",
    "waveform_ecg.dcm",
)
"""Files that pydicom brings along: every family, most transfer syntaxes, one without preamble."""


def test_objects_in_a_folder_and_in_an_archive_become_the_same_outputs(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in BUNDLED:
        shutil.copy(get_testdata_file(name, download=False), folder)
    archive(tmp_path / "in.zip", {name: (folder / name).read_bytes() for name in BUNDLED})
    secret = key(tmp_path)
    for given, out in ((folder, "folder"), (tmp_path / "in.zip", "zip")):
        ended = command(
            *(given, tmp_path / out, "--key-file", secret, "--map", tmp_path / f"{out}.json")
        )
        assert ended.returncode in (0, 3), ended.stderr
    mapped = read(tmp_path / "folder.json")
    assert mapped == read(tmp_path / "zip.json")
    reasons = read(tmp_path / "folder.reasons.json")
    assert sorted(mapped) == sorted(BUNDLED)
    assert {name for name, output in mapped.items() if output is None} == set(reasons)
    assert len(reasons) <= 3, reasons
    assert outputs(tmp_path / "folder") == outputs(tmp_path / "zip")
    for name in outputs(tmp_path / "folder"):
        assert dcmread(tmp_path / "folder" / name).PatientIdentityRemoved == "YES"


def test_an_object_that_comes_twice_has_one_output_and_one_identifier_used_twice_has_two(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a").write_bytes(packed(ct(1)))
    (folder / "b").write_bytes(packed(ct(1)))
    (folder / "c").write_bytes(packed(ct(1, KVP="80")))
    ended = command(
        *(folder, tmp_path / "out", "--key-file", key(tmp_path)),
        *("--map", tmp_path / "map.json", "--report", tmp_path / "report.json"),
    )
    assert ended.returncode == 0, ended.stderr
    mapped = read(tmp_path / "map.json")
    assert mapped["a"] == mapped["b"]
    assert mapped["c"] == mapped["a"].removesuffix(".dcm") + "-2.dcm"
    assert dcmread(tmp_path / "out" / mapped["a"]).KVP == 120
    assert dcmread(tmp_path / "out" / mapped["c"]).KVP == 80
    told = read(tmp_path / "report.json")
    assert [one.get("repeats", False) for one in told["objects"]] == [False, True, False]
    assert told["totals"]["outputs"] == 2


def test_the_command_says_what_is_wrong_with_how_it_was_called_without_repeating_names(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "Quizzleberry"
    folder.mkdir()
    (folder / "a").write_bytes(packed(ct(1)))
    secret, out = key(tmp_path), tmp_path / "out"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    wrong: list[tuple[list[object], int]] = [
        ([folder], 2),
        ([folder, tmp_path / "out", "--make-key"], 2),
        ([folder, tmp_path / "out", "--jobs", 0], 2),
        ([tmp_path / "none", tmp_path / "out"], 1),
        ([folder, folder / "out"], 1),
        ([folder, tmp_path], 1),
        ([folder, folder], 1),
        ([folder, tmp_path / "full"], 1),
        ([folder, tmp_path / "out", "--profile", "no-such-registry"], 1),
        ([folder, tmp_path / "out", "--key-file", tmp_path / "no.key"], 1),
        ([folder, tmp_path / "out", "--key-file", secret, "--map", folder / "map.json"], 1),
        ([folder, tmp_path / "out", "--map", tmp_path / "x", "--report", tmp_path / "x"], 1),
        ([folder, out, "--map", tmp_path / "m.json", "--report", tmp_path / "m.reasons.json"], 1),
    ]
    for words, code in wrong:
        ended = CliRunner().invoke(assembled("deid"), ["deid", *map(str, words)])
        assert ended.exit_code == code, (words, ended.output)
        assert (code == 1) == isinstance(ended.exception, RegistryError)
        assert "Quizzleberry" not in ended.output + str(ended.exception)
    last = command(*wrong[-1][0])
    assert last.returncode == 1
    assert last.stderr == (
        "hounsfield: The map, its reasons and the report must be files of their own.\n"
    )
    assert not (tmp_path / "out").exists()
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_a_map_in_the_folder_of_the_outputs_is_written_and_warned_of(tmp_path: Path) -> None:
    study(tmp_path / "in", 1, 1)
    out = tmp_path / "out"
    made = CliRunner().invoke(
        assembled("deid"),
        ["deid", str(tmp_path / "in"), str(out), "--jobs", "1", "--map", str(out / "map.json")],
    )
    assert made.exit_code == 0, made.output
    assert "chmod 600" not in made.output
    assert "move it before OUT is shared" in made.output
    (output,) = read(out / "map.json").values()
    assert (out / output).is_file()


def test_a_key_that_others_may_read_is_taken_and_warned_of(tmp_path: Path) -> None:
    study(tmp_path / "in", 1, 1)
    secret = key(tmp_path)
    secret.chmod(0o644)
    words = ["deid", str(tmp_path / "in"), str(tmp_path / "out"), "--key-file", str(secret)]
    made = CliRunner().invoke(assembled("deid"), words)
    assert made.exit_code == 0, made.output
    assert "chmod 600" in made.output


def test_explain_needs_no_input_and_names_every_option_and_attribute() -> None:
    ended = command("--explain")
    assert ended.returncode == 0, ended.stderr
    for word in ("PatientName", "StudyDate", "PixelData", "clean_descriptors", "retain_uids"):
        assert word in ended.stdout
    other = command("--explain", "--profile", "early-lung-cancer-detection")
    assert other.returncode == 0
    assert len(other.stdout.splitlines()) > 5000
