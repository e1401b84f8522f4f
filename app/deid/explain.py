"""
What a profile will do to every attribute, and why: as data, for people to read.

`explained` is what `hounsfield deid --explain` prints and what the conformance page is made from.
It asks the profile itself, so that what it tells cannot differ from what is done.
"""

from dataclasses import dataclass

from pydicom.datadict import DicomDictionary

from app.deid import private
from app.deid.choices import CODES
from app.deid.profile import Profile
from app.deid.table import table
from app.deid.walk import vr_of


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
    """A content item of a structured report by its concept name (Table E.3.4-1)."""

    scheme: str
    code: str
    meaning: str
    action: str
    rule: str


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
    attributes = tuple(
        ExplainedAttribute(
            _tag(tag), entry[4], entry[2], vr_of(tag), said.action.value, said.rule, said.rule
        )
        for tag, entry in sorted(DicomDictionary.items())
        for said in [profile.decide(tag)]
    )
    items = tuple(
        ExplainedContentItem(
            item["scheme"], item["code"], item["meaning"], known.action.value, known.rule
        )
        for item in table()["content_items"]
        if (known := profile.content(item["scheme"], item["code"])) is not None
    )
    safe = tuple(
        ExplainedPrivate(creator, f"({group:04X},xx{offset:02X})", entry.vr, entry.meaning)
        for (creator, group, offset), entry in sorted(private.safe().items())
    )
    options = tuple(
        ExplainedOption(name, code, meaning, name == "basic" or name in profile.options, "")
        for name, (code, meaning) in CODES.items()
    )
    return Explanation(
        method="Hounsfield 0.1 PS3.15 2026d",
        edition=profile.choices.edition,
        digest=profile.digest,
        options=options,
        attributes=attributes,
        content_items=items,
        private=safe,
        families=(),
        rest=(),
    )


def _tag(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
