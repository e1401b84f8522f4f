"""
Content items of structured reports and of acquisition contexts, by their concept names.

Table E.3.4-1 of PS3.15 says which may stay; what stays is treated attribute by attribute like
everything else. Ages are capped as numbers too.
"""

from app.deid.actions import Action, Decision
from app.deid.dates import OLDEST
from app.deid.profile import Profile
from app.deid.values import REMOVED, dummy_code
from app.deid.walk import Dataset, Element, text_of

CONCEPT_NAME = 0x0040A043
_CODE_VALUE, _SCHEME, _VALUE_TYPE = 0x00080100, 0x00080102, 0x0040A040
_TEXT_VALUE, _PERSON_NAME, _CONCEPT_CODE = 0x0040A160, 0x0040A123, 0x0040A168
_MEASURED, _UNITS, _NUMERIC = 0x0040A300, 0x004008EA, 0x0040A30A
_EXACTLY = (0x0040A161, 0x0040A162, 0x0040A163)  # as floating point, as a ratio
AGES = frozenset(
    (
        ("DCM", "121033"),  # Subject Age
        ("SCT", "397669002"),
        ("SCT", "424144002"),
        ("LN", "30525-0"),
        ("LN", "29553-5"),
        ("LN", "21612-7"),
    )
)
_A_YEAR = {"a": 1.0, "mo": 12.0, "wk": 52.18, "d": 365.25, "h": 8766.0, "min": 525960.0}


def decided(profile: Profile, item: Dataset) -> Decision | None:
    """What Table E.3.4-1 says of a content item; None when it names none of its concept."""
    concept = concept_of(item)
    if concept is None:
        return None
    known = profile.content(*concept, text_of(item.get(_VALUE_TYPE)))
    if known is None and concept in AGES:
        return profile.content("DCM", "121033")
    return known


def concept_of(item: Dataset) -> tuple[str, str] | None:
    """(scheme, code) of the concept name of an item that has one."""
    name = item.get(CONCEPT_NAME)
    if name is None or not isinstance(name.value, list) or not name.value:
        return None
    code = name.value[0]
    return text_of(code.get(_SCHEME)), text_of(code.get(_CODE_VALUE))


def finish(item: Dataset, concept: tuple[str, str] | None, known: Decision | None) -> None:
    """What a treated item still needs: a dummy where it must not say anything, an age capped."""
    if known is not None and known.action is Action.DUMMY:
        for tag in (_TEXT_VALUE, _PERSON_NAME):
            if tag in item:
                item[tag] = Element(item[tag].vr, REMOVED)
        if _CONCEPT_CODE in item:
            item[_CONCEPT_CODE] = Element("SQ", [dummy_code()])
    if concept in AGES:
        _cap(item)
        measured = item.get(_MEASURED)
        for value in measured.value if measured and isinstance(measured.value, list) else ():
            assert isinstance(value, dict)
            _cap(value)


def _cap(value: Dataset) -> None:
    """An age as a number with its unit: 89 years at most; gone where the unit is not one of time."""
    said = value.get(_NUMERIC)
    if said is None:
        return
    units = value.get(_UNITS)
    unit = ""
    if units is not None and isinstance(units.value, list) and units.value:
        unit = text_of(units.value[0].get(_CODE_VALUE))
    try:
        number = float(text_of(said))
    except ValueError:
        number = -1.0
    most = OLDEST * _A_YEAR.get(unit, 1.0)
    if 0 <= number <= most:
        return
    value[_NUMERIC] = Element("DS", f"{int(most)}".encode())
    for tag in _EXACTLY:
        value.pop(tag, None)
