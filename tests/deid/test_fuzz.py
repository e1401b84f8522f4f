"""Broken objects: no crash, no hang, and no output that pydicom cannot read."""

import signal
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from random import Random

import pydicom
import pytest
from pydicom import dcmread

from app.deid.deidentify import Deidentified, deidentify
from app.deid.profile import Profile
from app.deid.verify import second_look
from tests.deid.adversary.door import KEYS
from tests.deid.adversary.mutations import mutated
from tests.deid.adversary.sets import cases

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
NAMES = (
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_expb.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "UN_sequence.dcm",
    "liver_expb_1frame.dcm",
    "nested_priv_SQ.dcm",
    "no_meta_group_length.dcm",
    "reportsi.dcm",
    "rtdose_1frame.dcm",
    "rtplan.dcm",
    "rtstruct.dcm",
    "test-SR.dcm",
    "SC_rgb_small_odd.dcm",
    "image_dfl.dcm",
)
SECONDS = 10
"""No object of some kilobytes may take longer."""


def sources() -> list[bytes]:
    """Real objects, and some of the adversary's."""
    ours = [case.source for case in cases(1, times=1) if len(case.source) < 60_000]
    return [(FOLDER / name).read_bytes() for name in NAMES] + ours[::4]


class Hangs(Exception):
    """An object took longer than any may."""


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Raise `Hangs` when the body takes longer."""

    def late(*_: object) -> None:
        raise Hangs

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def put_through(source: bytes, profile: Profile) -> str:
    """De-identify one object and read what came of it; what it was."""
    with within(SECONDS), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome = deidentify(source, profile, KEYS)
        if not isinstance(outcome, Deidentified):
            return str(outcome.reason)
        outcome.json()
        second_look(source, outcome.content)
        read = dcmread(BytesIO(outcome.content))
        for element in read.iterall():
            element.value  # noqa: B018 - decodes
        assert read.PatientIdentityRemoved == "YES"
        return "output"


def fuzzed(seed: int, seconds: float, most: int) -> Counter[str]:
    """Break objects and put them through until the time or the number is up."""
    random, real, profile = Random(seed), sources(), Profile()
    seen: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end and seen.total() < most:
        source = mutated(random, random.choice(real), random.choice(real))
        try:
            seen[put_through(source, profile)] += 1
        except Exception as error:
            kept = Path(tempfile.gettempdir(), f"fuzz-{seed}-{seen.total()}.dcm")
            kept.write_bytes(source)
            raise AssertionError(f"kept as {kept}") from error
    return seen


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("seed", "most"), [(1, 600), pytest.param(2, 1_500, marks=pytest.mark.soak)]
)
def test_broken_objects_neither_crash_nor_hang_nor_give_unreadable_outputs(seed, most):
    seen = fuzzed(seed, seconds=25, most=most)
    assert seen["output"] > 20
    assert len(seen) > 5, seen


@pytest.mark.soak
@pytest.mark.timeout(1_200)
def test_ten_minutes_of_broken_objects():
    seen = fuzzed(int(time.time()), seconds=600, most=10**9)
    assert seen["output"] > 1_000, seen
