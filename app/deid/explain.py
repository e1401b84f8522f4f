"""
What a profile will do to every attribute, and why: as data, for people to read.

`explained` is what `hounsfield deid --explain` prints and what the conformance page is made from.
It asks the profile itself, so that what it tells cannot differ from what is done.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.datadict import DicomDictionary

from app.deid import private
from app.deid.actions import Action, Decision
from app.deid.choices import CODES, EFFECTS, NOT_OFFERED
from app.deid.dates import SHIFTED
from app.deid.iods import OPTIONAL, Kind, kinds, sop_classes, types_anywhere
from app.deid.profile import METHOD, NOT_LISTED, REFERENCE, Profile
from app.deid.table import named_rows, table
from app.deid.vrs import vr_of


@dataclass(frozen=True, slots=True)
class ExplainedOption:
    """An option of PS3.15 Annex E: is it in force, its code (DCM, CID 7050), what it does here."""

    option: str
    code: str
    meaning: str
    in_force: bool
    effect: str


@dataclass(frozen=True, slots=True)
class ExplainedAttribute:
    """One attribute of PS3.6 (or a group of them: `(60xx,eeee)`).

    `action` is a word of `Action`, or several joined by " / " where it depends on the type the
    attribute has in the object's IOD (remove if Type 3, empty if Type 2, dummy if Type 1).
    `rule` names the source (a row and column of Table E.1-1, a list, an override), `why` says it
    in a sentence. `families` are the SOP class families in which the action applies; in others
    the attribute is removed; none means all. `deviation` says where and why this departs from
    Table E.1-1; empty where it does not.
    """

    tag: str
    keyword: str
    name: str
    vr: str
    action: str
    rule: str
    why: str
    families: tuple[str, ...] = ()
    deviation: str = ""


@dataclass(frozen=True, slots=True)
class ExplainedContentItem:
    """A content item of a structured report by its concept name and value type (Table E.3.4-1)."""

    scheme: str
    code: str
    meaning: str
    action: str
    rule: str
    value_type: str = ""
    deviation: str = ""


@dataclass(frozen=True, slots=True)
class ExplainedPrivate:
    """A private attribute that may stay while Retain Safe Private is in force."""

    creator: str
    tag: str
    vr: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ExplainedFamily:
    """A family of SOP classes and how many attributes it lists; `sop_classes` are UIDs."""

    family: str
    title: str
    sop_classes: tuple[str, ...]
    attributes: int


@dataclass(frozen=True, slots=True)
class ExplainedRest:
    """What is no attribute of the dataset: preamble, file meta information, padding, pixels."""

    place: str
    action: str
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything a profile does. `digest` is equal for equal policies."""

    method: str
    edition: str
    digest: str
    options: tuple[ExplainedOption, ...]
    attributes: tuple[ExplainedAttribute, ...]
    content_items: tuple[ExplainedContentItem, ...]
    private: tuple[ExplainedPrivate, ...]
    families: tuple[ExplainedFamily, ...]
    rest: tuple[ExplainedRest, ...]

    @property
    def deviations(self) -> tuple[ExplainedAttribute, ...]:
        """The attributes that are treated otherwise than Table E.1-1 says, each with its reason."""
        return tuple(one for one in self.attributes if one.deviation)


def explained(profile: Profile) -> Explanation:
    """Everything this profile does, in the order of tags; made anew at each call."""
    safe = tuple(
        ExplainedPrivate(creator, f"({group:04X},xx{offset:02X})", entry.vr, entry.meaning)
        for (creator, group, offset), entry in sorted(private.safe().items())
    )
    return Explanation(
        method=METHOD,
        edition=profile.choices.edition,
        digest=profile.digest,
        options=(*_options(profile), *_not_offered()),
        attributes=(
            *_groups(profile),
            *(_attribute(profile, tag) for tag in sorted({*DicomDictionary, *named_rows()})),
        ),
        content_items=tuple(_content_items(profile)),
        private=safe if "retain_safe_private" in profile.options else (),
        families=tuple(
            ExplainedFamily(kind.family, kind.title, sop_classes()[kind.family], len(kind.allowed))
            for kind in _one_of_each_family()
        ),
        rest=REST,
    )


REST = (
    ExplainedRest("preamble", "zeroed", "Anything may stand in its 128 bytes (PS3.10 7.1)."),
    ExplainedRest(
        "file meta information",
        "written anew",
        "Only what PS3.10 asks for, from the new dataset; AE titles and private information go.",
    ),
    ExplainedRest("group lengths", "removed", "Retired, and no longer true (PS3.5 7.2)."),
    ExplainedRest(
        "bytes after the last pixel", "removed", "Pixel data is as long as its attributes say."
    ),
    ExplainedRest(
        "what follows the pixels and is no element",
        "removed",
        "Nothing of it can be known; the pixels before it are whole.",
    ),
    ExplainedRest(
        "UIDs that are missing",
        "made",
        "From what the object says of patient, day, numbers and series; an instance from its bytes.",
    ),
    ExplainedRest(
        "private attributes",
        "removed",
        "Kept only while Retain Safe Private is in force, by creator, element, VR and content.",
    ),
    ExplainedRest(
        "elements of unknown VR (UN)",
        "read as what PS3.6 says they are, else removed",
        "What cannot be read cannot be cleaned.",
    ),
    ExplainedRest(
        "tables of colours and their UIDs",
        "removed where no pixel uses them, cut to the length they tell, a ramp where letters stand",
        "What nothing is drawn with could be anything (PS3.3 C.7.6.3, C.7.9).",
    ),
    ExplainedRest(
        "ICC profiles", "written anew", "Their numbers stay; their texts and unknown parts go."
    ),
    ExplainedRest("voices", "silenced", "Whoever dictates is heard (Basic Voice Audio)."),
    ExplainedRest(
        "elements PS3.6 does not know", "removed", "Nobody has said what may stand there."
    ),
    ExplainedRest(
        "items of sequences", "treated like the dataset, at any depth", "PS3.15 E.1.1, item 1."
    ),
    ExplainedRest(
        "content items of structured reports",
        "by their concept names (Table E.3.4-1), their values cleaned like any other",
        "PS3.15 E.3.4.",
    ),
)

MEANINGS = {
    Action.KEEP: "Kept when its value is what the VR allows, of code strings a term that is known, and none "
    "of the patient's own identifiers.",
    Action.SCRUB: "Kept without the object's own identifiers and what is shaped like one.",
    Action.TERM: "Kept without identifiers; only known words and what holds a digit (versions) stay.",
    Action.PRODUCT: "Kept without identifiers and people's names: nobody knows every maker.",
    Action.CLEAN: "Kept without identifiers, dates and names; only words of the vocabulary stay.",
    Action.CODE: "A code of a public scheme keeps its meaning; a local one is cleaned as a descriptor.",
    Action.SHIFT: "Moved by the patient's own number of whole days; times of day stay.",
    Action.AGE: "Kept; people over 89 are all 89 years old.",
    Action.UID: "Replaced by a keyed UID, the same one wherever the original stands.",
    Action.CLASS_UID: "Names a kind of thing, not a thing.",
    Action.ITEMS: "The sequence stays; each attribute of its items is treated by its own row.",
    Action.CONTENT: "Each content item is treated by its concept name, then attribute by attribute.",
    Action.DUMMY: "Replaced by a value that means nothing.",
    Action.DUMMY_CODE: "Each item becomes a code that says it was taken out.",
    Action.EMPTY: "Emptied.",
    Action.REMOVE: "Removed.",
    Action.PATIENT_ID: "Replaced by the patient's pseudonym, keyed by issuer and Patient ID.",
    Action.PATIENT_NAME: "Replaced by the patient's pseudonym.",
    Action.ACCESSION: "Replaced by a keyed token, the same one for the same number.",
}
_SAID_IN_WORDS = frozenset(("TEXT", "CODE", "PNAME"))
_BY_TYPE = "Removed where the IOD has it as Type 3, empty as Type 2, a dummy as Type 1."


def _attribute(profile: Profile, tag: int) -> ExplainedAttribute:
    """One attribute under every type it has somewhere."""
    types = sorted({OPTIONAL, *types_anywhere().get(tag, ())}, reverse=True)
    made = [profile.decide(tag, needed) for needed in types]
    told = list(dict.fromkeys(decision.action for decision in made))
    first = made[0]
    where: tuple[str, ...] = ()
    if not first.rule.startswith(("table", "override")) and first.action is not Action.REMOVE:
        where = tuple(kind.family for kind in _one_of_each_family() if tag in kind.allowed)
        if not where:
            told, first = [Action.REMOVE], profile.decide(tag, OPTIONAL, listed=False)
    why = " ".join(MEANINGS[action] for action in told) if len(told) == 1 else _BY_TYPE
    if first.rule == NOT_LISTED:
        why = "Removed: no information object definition that we know carries it."
    entry = DicomDictionary.get(tag)
    if entry is None:
        why = "Removed: it is newer than the dictionary, so that nobody can read what it holds."
    return ExplainedAttribute(
        tag=_tag(tag),
        keyword=entry[4] if entry else "",
        name=entry[2] if entry else named_rows()[tag]["name"],
        vr=vr_of(tag) if entry else "",
        action=" / ".join(told),
        rule=first.rule,
        why=why,
        families=where,
        deviation=_deviation(profile, tag, made),
    )


def _deviation(profile: Profile, tag: int, made: list[Decision]) -> str:
    """Where and why this is not what Table E.1-1 says; empty when it is."""
    row = named_rows().get(tag)
    if row is None:
        return ""
    action = made[0].action
    if made[0].rule.startswith("override"):
        return "The registry decides otherwise in its deid.yaml."
    chosen = {option: code for option, code in row["options"].items() if option in profile.options}
    if not chosen:
        asked = set(row["basic"].rstrip("*").split("/"))
        done = {_DOES[decision.action] for decision in made if decision.action in _DOES}
        if asked == {"X"} and done - {"X"}:
            return (
                "X in the table; stays as a dummy or empty where its IOD requires it (Type 1, 2)."
            )
        if asked == {"Z"} and "D" in done:
            return "Z in the table; a dummy where its IOD requires a value (Type 1)."
        if action is Action.REMOVE and "X" not in asked:
            return "Removed, which is more than the table asks: nothing of it can be known."
        if not asked & {"U", "K"} and Action.ITEMS in {decision.action for decision in made}:
            return (
                "X, Z or D in the table; where items are needed they stay, each of their attributes "
                "treated by its own row."
            )
        return ""
    if action is Action.REMOVE:
        return "Removed although an option would clean or keep it: nothing of it can be known."
    if action is Action.SHIFT and vr_of(tag) not in SHIFTED:
        return "C in the table; times of day stay, so that intervals are true: only days move."
    if "C" in chosen.values() and action is Action.KEEP:
        return "C in the table; a code string stays when it is a term that is known."
    if set(chosen.values()) == {"C", "K"}:
        return "One option keeps it and another cleans it: cleaning wins."
    if "C" not in chosen.values() and action in (Action.SCRUB, Action.TERM, Action.CLEAN):
        return "K in the table; yet the object's own identifiers are taken out of it."
    if "C" not in chosen.values() and action is Action.AGE:
        return "K in the table; yet ages over 89 are told as 89."
    return ""


_DOES = {
    Action.REMOVE: "X",
    Action.EMPTY: "Z",
    Action.DUMMY: "D",
    Action.DUMMY_CODE: "D",
    Action.PATIENT_ID: "D",
    Action.PATIENT_NAME: "Z",
    Action.ACCESSION: "Z",
}


def _groups(profile: Profile) -> Iterator[ExplainedAttribute]:
    """The rows of the table that name no single attribute."""
    for row in table()["rules"]:
        tag = row["tag"]
        if tag.lower().startswith(("50", "60")) and "x" in tag.lower():
            yield ExplainedAttribute(
                f"({tag[:4]},{tag[4:]})",
                "",
                row["name"],
                "",
                Action.REMOVE.value,
                "graphics: overlays and curves",
                "Removed: what is drawn over an image may be a name.",
                deviation=(
                    "C in the table with Clean Graphics: removed, and with it its whole group."
                    if "clean_graphics" in profile.options
                    else ""
                ),
            )


def _options(profile: Profile) -> Iterator[ExplainedOption]:
    for name, (code, meaning) in CODES.items():
        in_force = name == "basic" or name in profile.options
        yield ExplainedOption(name, code, meaning, in_force, EFFECTS[name])


def _not_offered() -> Iterator[ExplainedOption]:
    for name, why in NOT_OFFERED.items():
        meaning = name.replace("_", " ").title() + " Option"
        yield ExplainedOption(name, "113102", meaning, False, f"Not offered: {why}.")


def _content_items(profile: Profile) -> Iterator[ExplainedContentItem]:
    for item in table()["content_items"]:
        known = profile.content(item["scheme"], item["code"], item["value_type"])
        if known is None:
            continue
        deviation = ""
        if known.rule == REFERENCE:
            deviation = "X in the table; stays with its UIDs replaced, for evidence hangs on it."
        elif known.action is Action.ITEMS and item["value_type"] in _SAID_IN_WORDS:
            options = {one for one in profile.options if item["options"].get(one) == "K"}
            if options:
                deviation = "K in the table; yet its words are cleaned like those of any item."
        yield ExplainedContentItem(
            item["scheme"],
            item["code"],
            item["meaning"],
            known.action.value,
            known.rule,
            item["value_type"],
            deviation,
        )


def _one_of_each_family() -> list[Kind]:
    return list({kind.family: kind for kind in kinds()}.values())


def _tag(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
