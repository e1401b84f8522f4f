"""The reference pages of de-identification, made from what the default profile says of itself."""

from collections.abc import Iterable
from functools import cache

from app.deid.actions import Action
from app.deid.explain import MEANINGS, ExplainedAttribute, Explanation, explained
from app.deid.profile import Profile
from tests.docs.reference import MADE, cell, code, table


@cache
def default() -> Explanation:
    """What the default profile does."""
    return explained(Profile())


def page() -> str:
    """Options, places, actions, deviations, content items, private attributes, families."""
    told = default()
    removed = [one for one in told.attributes if _removed(one)]
    parts = [
        f"""# De-identification

*For privacy officers and integrators.* {MADE}

What the default profile does to an object ({told.method}, Table E.1-1 of edition {told.edition}). `hounsfield deid --explain` prints
the same for any profile. How to use it: [de-identify a folder](../how-to/de-identify.md); how to convince yourself:
[check de-identification](../how-to/check-de-identification.md).

The table decides {sum(1 for one in told.attributes if "E.1-1" in one.rule)} of {len(told.attributes)} attributes; the rest stay only where PS3.3
lists them for the kind of object, and go otherwise. [{len(told.attributes) - len(removed)} may stay in some form](de-identification-kept.md);
[{len(removed)} are removed from every object](de-identification-removed.md). What nobody listed is removed.
"""
    ]
    parts.append("## Options\n")
    parts.append(
        table(
            ["option", "code (DCM)", "default", "what it does here"],
            [
                [f"`{one.option}`", one.code, "yes" if one.in_force else "no", cell(one.effect)]
                for one in told.options
            ],
        )
        + "\n"
    )
    parts.append("## What is no attribute\n")
    rest = [[cell(one.place), cell(one.action), cell(one.why)] for one in told.rest]
    parts.append(table(["place", "what is done", "why"], rest) + "\n")
    parts.append("## Actions\n")
    actions = [[f"`{action}`", cell(said)] for action, said in MEANINGS.items()]
    parts.append(table(["action", "what it does"], actions) + "\n")
    parts.append(
        "Several actions joined by ` / ` depend on the type that the attribute has in its object (PS3.3): the first that "
        "leaves the object valid is taken.\n"
    )
    parts.append(_deviations(told))
    parts.append("## Content items of structured reports\n")
    items = [
        [
            code(f"{one.code}, {one.scheme}"),
            cell(one.meaning),
            one.value_type,
            _actions(one.action),
            cell(one.rule),
            cell(one.deviation),
        ]
        for one in told.content_items
    ]
    heads = ["concept name", "meaning", "type", "action", "rule", "departs from the table"]
    parts.append(table(heads, items) + "\n")
    parts.append("## Private attributes that may stay\n")
    safe = [[one.tag, code(one.creator), one.vr, cell(one.meaning)] for one in told.private]
    parts.append(table(["tag", "creator", "VR", "what it is"], safe) + "\n")
    parts.append("## Families of SOP classes\n")
    families = [
        [f"`{one.family}`", cell(one.title), str(one.attributes), " ".join(one.sop_classes)]
        for one in told.families
    ]
    parts.append(table(["family", "title", "attributes", "SOP classes"], families) + "\n")
    return "\n".join(parts)


def _deviations(told: Explanation) -> str:
    """Where the table is departed from, by reason."""
    by_reason: dict[str, list[str]] = {}
    for one in told.deviations:
        by_reason.setdefault(one.deviation, []).append(f"{one.keyword or one.name} {one.tag}")
    rows = [[cell(reason), cell(", ".join(names))] for reason, names in by_reason.items()]
    return "## Deviations from Table E.1-1\n\n" + table(["what and why", "attributes"], rows) + "\n"


def kept_page() -> str:
    """Every attribute that stays in some object in some form."""
    told = default()
    parts = [
        f"""# De-identification: attributes that may stay

*For privacy officers and integrators.* {MADE}

Every attribute that the default profile leaves in some object in some form: kept, cleaned, shifted, replaced or
emptied. The words are explained under [actions](de-identification.md#actions). An attribute with families stays only in objects of these
[families](de-identification.md#families-of-sop-classes); in all others it is removed.
"""
    ]
    for group, found in _by_group(one for one in told.attributes if not _removed(one)):
        rows = [
            [
                one.tag,
                cell(one.keyword or one.name),
                one.vr,
                _actions(one.action),
                cell(one.rule),
                _families(one, told),
            ]
            for one in found
        ]
        parts.append(f"## Group {group}\n")
        parts.append(table(["tag", "attribute", "VR", "action", "rule", "families"], rows) + "\n")
    return "\n".join(parts)


def removed_page() -> str:
    """Every attribute that stays in no object, by the reason."""
    told = default()
    parts = [
        f"""# De-identification: attributes that are removed

*For privacy officers and integrators.* {MADE}

Every attribute that the default profile leaves in no object at all, by the rule that takes it out. Attributes of which PS3.6 does
not know, and private ones that are not on the list, go too.
"""
    ]
    by_rule: dict[tuple[str, str], list[ExplainedAttribute]] = {}
    for one in told.attributes:
        if _removed(one):
            by_rule.setdefault((one.rule, one.why), []).append(one)
    for (rule, why), found in sorted(by_rule.items()):
        names = ", ".join(f"{cell(one.keyword or one.name)} {one.tag}" for one in found)
        parts.append(f"## {rule[:1].upper()}{rule[1:]}: {why}\n\n{names}\n")
    return "\n".join(parts)


def _removed(one: ExplainedAttribute) -> bool:
    return one.action == Action.REMOVE


def _by_group(
    attributes: Iterable[ExplainedAttribute],
) -> list[tuple[str, list[ExplainedAttribute]]]:
    groups: dict[str, list[ExplainedAttribute]] = {}
    for one in attributes:
        groups.setdefault(one.tag[1:5], []).append(one)
    return list(groups.items())


def _actions(said: str) -> str:
    return " / ".join(f"`{word}`" for word in said.split(" / "))


def _families(one: ExplainedAttribute, told: Explanation) -> str:
    known = [family.family for family in told.families]
    if not one.families:
        return "all"
    without = [family for family in known if family not in one.families]
    if len(without) <= 3:
        return "all" if not without else f"all but {', '.join(without)}"
    return ", ".join(one.families)
