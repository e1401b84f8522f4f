"""What may be read in a de-identified object: what its profile leaves as it was."""

from collections.abc import Iterable
from typing import Final

from pydicom.datadict import tag_for_keyword

from app.deid.actions import Action
from app.deid.profile import Profile

SR_DOCUMENT: Final = "1.2.840.10008.5.1.4.1.1.88.67"
"""X-Ray Radiation Dose SR Storage: asked where a source names no SOP class."""
_SAY_WHEN: Final = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
"""Dates of the examination itself."""
_LEAVES: Final = frozenset(
    (
        Action.KEEP,
        Action.SCRUB,
        Action.TERM,
        Action.PRODUCT,
        Action.CLEAN,
        Action.CODE,
        Action.AGE,
        Action.UID,
        Action.CLASS_UID,
        Action.ITEMS,
        Action.CONTENT,
    )
)


def strangers(keywords: str) -> list[str]:
    """The keywords of a path through sequences (`A/B`) that the standard does not know."""
    return [
        f"{one}: no such attribute in PS3.6"
        for one in keywords.split("/")
        if tag_for_keyword(one) is None
    ]


def against(profile: Profile, sop_classes: Iterable[str], keywords: str, *, day: bool) -> list[str]:
    """What speaks against reading an attribute; nothing where some of these objects keep it.

    `keywords` are known ones. A `day` is read as it was sent, and only where it says when something was
    done: a birth date identifies.
    """
    if day:
        return [] if keywords in _SAY_WHEN else [f"{keywords}: identifies"]
    tags = [tag for one in keywords.split("/") if (tag := tag_for_keyword(one)) is not None]
    for sop_class in list(sop_classes) or [SR_DOCUMENT]:
        policy = profile.policy(sop_class)
        above = (0, *tags)
        if all(
            policy.level(inside)[tag].action in _LEAVES
            for inside, tag in zip(above, tags, strict=False)
        ):
            return []
    kept = "name the `sop_classes` in images.yaml whose objects have it, or keep it in deid.yaml"
    return [f"{keywords}: de-identification takes it away; {kept}"]
