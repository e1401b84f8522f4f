"""What may be read in a de-identified object: what its profile leaves as it was."""

from collections.abc import Iterable
from typing import Final

from pydicom.datadict import tag_for_keyword

from app.deid.actions import Action
from app.deid.profile import Profile

SR_DOCUMENT: Final = "1.2.840.10008.5.1.4.1.1.88.67"
"""X-Ray Radiation Dose SR Storage: asked where a source names no SOP class."""
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


def against(profile: Profile, sop_classes: Iterable[str], keywords: str, *, day: bool) -> str:
    """What speaks against reading an attribute; nothing where some of these objects keep it.

    `keywords` leads through sequences (`A/B`). A `day` is read as it was sent, and only where it says
    when something was done: a birth date identifies.
    """
    tags = []
    for keyword in keywords.split("/"):
        tag = tag_for_keyword(keyword)
        if tag is None:
            return f"{keyword}: no such attribute in PS3.6"
        tags.append(tag)
    if day:
        return "" if _says_when(keywords) else f"{keywords}: identifies"
    for sop_class in sop_classes or (SR_DOCUMENT,):
        policy = profile.policy(sop_class)
        inside, left = 0, True
        for tag in tags:
            left = left and policy.level(inside)[tag].action in _LEAVES
            inside = tag
        if left:
            return ""
    return f"{keywords}: de-identification takes it away (deid.yaml)"


def _says_when(keyword: str) -> bool:
    """Dates of the examination itself."""
    return keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
