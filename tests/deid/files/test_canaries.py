"""Identities in every hiding place and in names of files: none in what a run leaves or says."""

import json
from pathlib import Path

import pytest

from app.deid.files.account import reasons_beside
from app.deid.files.journal import FOLDER
from app.deid.files.run import Order, run
from app.deid.files.treat import where
from app.deid.profile import Profile
from tests.deid.files.folders import outputs, read
from tests.deid.hiding import Hidden, hide, remaining

SEEDS = range(16)


def test_no_hidden_identity_is_in_outputs_their_names_the_map_the_report_the_journal_or_what_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hidden: dict[str, Hidden] = {}
    folder = tmp_path / "in"
    folder.mkdir()
    for seed in SEEDS:
        hidden[f"{seed:02d}"] = made = hide(seed)
        (folder / f"{seed:02d}").write_bytes(made.source)
    report, mapped = tmp_path / "report.json", tmp_path / "map.json"
    run(Order([folder], tmp_path / "out", Profile(), b"k" * 32, "scope", 2, mapped, report))
    said = capfd.readouterr()
    told = [
        report.read_text(),
        mapped.read_text(),
        reasons_beside(mapped).read_text(),
        (tmp_path / "out" / FOLDER / "journal.ndjson").read_text(),
        said.out + said.err,
        "\n".join(outputs(tmp_path / "out")),
    ]
    # JSON may write what is not ASCII in two ways: look at it as it is read.
    told += [json.dumps(json.loads(text), ensure_ascii=False) for text in told[:3]]
    names, reasons = read(mapped), read(reasons_beside(mapped))
    written = 0
    for name, made in hidden.items():
        for secret in made.secrets:
            assert all(secret not in text for text in told if len(secret) >= 5)
        output = names[name]
        if output is None:
            assert reasons[name]
            continue
        written += 1
        assert remaining((tmp_path / "out" / output).read_bytes(), made) == set()
    assert written >= len(SEEDS) // 2, "and most of them are there"


def test_what_failed_is_told_by_its_kind_and_line_and_not_by_its_words() -> None:
    try:
        raise ValueError("Quizzleberry^Ottoline")
    except ValueError as error:
        said = where(error)
    assert said.startswith("ValueError at test_canaries.py:")
    assert "Quizzleberry" not in said
