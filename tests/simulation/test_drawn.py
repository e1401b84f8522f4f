"""Drawn data: what is sound passes the registry's own checks, and what is planted is found, exactly."""

from collections import Counter

import pytest

from app.registries import load
from app.registries.entries import FormCheck
from app.registries.findings import FindingCode
from app.registries.profile import Profile
from app.simulation.plan import Plan
from app.simulation.write import entries_of
from tests.simulation.test_answer_key import FOUND_LATER, rule_flaws

PACKAGED = [load.load(folder) for folder in load.folders(load.PACKAGED)]


@pytest.fixture(params=PACKAGED, ids=lambda one: one.id)
def definition(request):
    """Each packaged definition, drawn from its text alone, whatever course was written for it."""
    return request.param.model_copy(update={"simulation": Profile()})


def told_by_the_checks(definition, form, entries):
    """What the registry's own checks find in each entry, the case that it follows up unknown."""
    check = FormCheck(definition, form)
    checked = [check.check(one.elements, draft=one.action == "save") for one in entries]
    rows = [
        (one.values, entry.action == "save", one.flawed)
        for one, entry in zip(checked, entries, strict=True)
    ]
    broken = rule_flaws(definition, form, rows)
    return [
        Counter((f.place, f.code, f.severity) for f in one.flaws + broken[place])
        for place, one in enumerate(checked)
    ]


def sent(definition, **plan):
    for people, _ in entries_of(Plan(**plan), definition):
        yield from (one for one in people if one.action != "withdraw")


def test_the_key_of_drawn_entries_says_what_the_registrys_own_checks_say(definition):
    entries = list(sent(definition, seed=11, cases=150, flawed=0.4, facilities=3))
    later = {
        (rule.place, FindingCode.RULE) for rule in definition.rules if "parent_" in rule.requires
    }
    planted = Counter()
    for form in definition.entry_forms:
        some = [one for one in entries if one.form == form.id]
        for entry, found in zip(some, told_by_the_checks(definition, form.id, some), strict=True):
            stopped = any(severity == "reject" for _, _, severity in found)
            wanted = Counter(
                (f.place, f.code, f.severity)
                for f in entry.findings
                if f.code not in FOUND_LATER
                and f.code != FindingCode.NO_IDENTITY
                and (stopped or (f.place, f.code) not in later)
            )
            assert found == wanted, (form.id, entry.action, entry.elements)
            planted.update(code for _, code, _ in wanted)
    assert planted.keys() >= {FindingCode.MISSING, FindingCode.NOT_IN_VALUE_SET, FindingCode.RULE}


def test_drawn_entries_without_flaws_are_beyond_reproach(definition):
    for entry in sent(definition, seed=5, cases=80, flawed=0, facilities=2):
        assert entry.outcome != "rejected"
        assert {one.severity for one in entry.findings} <= {"information"}
