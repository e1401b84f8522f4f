"""Drawn data: what is sound passes the registry's own checks, and what is planted is found, exactly."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import duckdb
import pytest

from app.commands.builder import STARTER
from app.ingest.formats.sent import Sent
from app.registries import expressions, load
from app.registries.findings import FindingCode
from app.registries.profile import Profile
from app.simulation.drawn.sound import Sound
from app.simulation.drawn.values import Moment
from app.simulation.meaning import Meaning
from app.simulation.places import settle
from app.simulation.plan import Plan
from app.simulation.write import entries_of
from tests.make.definitions import packaged
from tests.make.entries import found_in
from tests.simulation.test_answer_key import FOUND_LATER

WORKSHOP = Path(__file__).parents[1] / "make" / "workshop"
"""Several case forms, rows inside rows, and what a facility reports month by month."""
DEFINITIONS = [
    *packaged(),
    *(load.load(folder) for folder in (*load.folders(WORKSHOP), STARTER)),
]


@pytest.fixture(params=DEFINITIONS, ids=lambda one: one.id)
def definition(request):
    """Each definition, drawn from its text alone, whatever course was written for it."""
    return request.param.model_copy(update={"simulation": Profile()})


def told_by_the_checks(definition, entries):
    """What the service's own checks find in each entry, the case that it follows up unknown."""
    sent = [Sent(one.form, one.action, one.elements) for one in entries]
    found = found_in(definition, sent, datetime.now(UTC).date())
    return [Counter((f.place, f.code, f.severity) for f in flaws) for flaws in found]


def sent(definition, **plan):
    for people, _ in entries_of(Plan(**plan), definition):
        yield from (one for one in people if one.action != "withdraw")


def test_the_key_of_drawn_entries_says_what_the_registrys_own_checks_say(definition):
    entries = list(sent(definition, seed=11, cases=150, flawed=0.4, facilities=3))
    later = {
        (rule.place, FindingCode.RULE) for rule in definition.rules if "parent_" in rule.expression
    }
    planted = Counter()
    for entry, found in zip(entries, told_by_the_checks(definition, entries), strict=True):
        stopped = any(severity == "reject" for _, _, severity in found)
        wanted = Counter(
            (f.place, f.code, f.severity)
            for f in entry.findings
            if f.code not in FOUND_LATER and (stopped or (f.place, f.code) not in later)
        )
        assert found == wanted, (entry.form, entry.action, entry.elements)
        planted.update(code for _, code, _ in wanted)
    assert planted.keys() >= {FindingCode.MISSING, FindingCode.NOT_IN_VALUE_SET, FindingCode.RULE}


def test_drawn_entries_without_flaws_are_beyond_reproach(definition):
    for entry in sent(definition, seed=5, cases=80, flawed=0, facilities=2):
        assert entry.outcome != "rejected"
        assert {one.severity for one in entry.findings} <= {"information"}


def test_what_an_example_leaves_out_is_drawn_where_it_is_needed(definition):
    plan = Plan(seed=3, cases=1, facilities=1)
    (facility,) = settle(plan).facilities
    for form in definition.entry_forms:
        if form.level != "case":
            continue
        moment = Moment(facility, plan.until, {}, "1")
        silent = dict.fromkeys(form.by_id)
        sound = Sound(definition, form, plan.seed, plan.until)
        entry = sound.entry(Random(3), moment, {}, plan.until, liked=silent)
        assert entry.keys() >= {one.id for one in form.all_elements if one.required}


def test_what_comes_off_a_facilitys_list_is_on_it_before():
    listed, taken = set(), Counter()
    for entry in sent(load.load(WORKSHOP), seed=5, cases=60, flawed=0, facilities=2):
        if entry.form == "rooms":
            assert entry.wave == 0
            listed.add((entry.facility, entry.elements["room_name"]))
        elif "room" in entry.elements:
            assert entry.wave > 0
            assert (entry.facility, entry.elements["room"]) in listed
            taken[entry.elements["room"]] += 1
    assert len(taken) > 1


@pytest.mark.parametrize("text", ["minutes_between(a, b)", "seconds_between(a, b)", "a <= b"])
def test_what_lies_between_two_times_is_what_an_engine_says(text):
    compiled = expressions.compile(text, dict.fromkeys("ab", expressions.DATETIME))
    for apart in (-86_401, -3_600, -61, -60, -59, 0, 59, 60, 3_661, None):
        row = {"a": 1_772_391_900, "b": None if apart is None else 1_772_391_900 + apart}
        (said,) = duckdb.execute(
            f"SELECT {compiled.duckdb} FROM (SELECT $a::BIGINT AS a, $b::BIGINT AS b)", row
        ).fetchone()
        assert Meaning(compiled).of(row) == said
