"""`hounsfield qpp check`: a submission in a file, and what CMS would say of it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.commands.qpp import app
from app.errors import Unprocessable
from tests.reports.qpp.test_check import submission

RUN = CliRunner()


def test_a_sound_submission_passes(tmp_path: Path) -> None:
    file = tmp_path / "sent.json"
    file.write_text(json.dumps(submission("ACRAD34", "364")))
    told = RUN.invoke(app, ["check", str(file)])
    assert (told.exit_code, told.stdout) == (0, "CMS's rules are kept.\n")


def test_missing_strata_and_wrong_denominators_are_named_line_by_line(tmp_path: Path) -> None:
    sent = submission("ACRAD34", "364")
    dose, nodules = (one["value"] for one in sent["measurementSets"][0]["measurements"])
    del dose["strata"][0]
    nodules["eligiblePopulation"] = 1
    file = tmp_path / "sent.json"
    file.write_text(json.dumps(sent))
    told = RUN.invoke(app, ["check", str(file)])
    assert told.exit_code == 1
    first, second = told.stderr.splitlines()
    assert first.startswith("ACRAD34: The stratum `abdomen` is missing.")
    assert first.endswith("allowed: each of abdomen, chest, head once")
    assert second.startswith("364: performanceMet is more than eligiblePopulation.")


def test_a_file_that_is_not_json_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "sent.json"
    file.write_text("{" * 100_000)
    told = RUN.invoke(app, ["check", str(file)])
    assert isinstance(told.exception, Unprocessable)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--tin", "12-345678"], "9 digits"),
        (["--tin", "123456789", "--npi", "1234567890"], "10 digits"),
    ],
)
def test_numbers_that_are_none_are_refused_before_anything_is_opened(
    options: list[str], says: str
) -> None:
    told = RUN.invoke(app, ["results", "--registry", "toy", "--year", "2025", *options])
    assert isinstance(told.exception, Unprocessable)
    assert says in str(told.exception)
