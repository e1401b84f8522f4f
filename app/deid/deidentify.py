"""
Apply a profile to one instance: bytes in, bytes and report out.

Every attribute of every nesting level gets the action its profile decides; private attributes
only stay by the safe list; file meta information is written anew, the preamble is zero; overlays,
curves, icons and padding go; markers say what was done (PS3.15 E.1, E.3).
"""

from app.deid import naming, pixels
from app.deid.about import SOP_CLASS_UID
from app.deid.actions import Action
from app.deid.memory import Memories, Stretch, read
from app.deid.outcome import Deidentified, Original, Outcome, Report, Told, Withheld
from app.deid.pixels import Reason
from app.deid.profile import Profile
from app.deid.uids import Keys
from app.deid.walk import PIXEL_DATA, Instance, Malformed, text_of
from app.deid.work import Work

__all__ = ["Deidentified", "Original", "Outcome", "Report", "Told", "Withheld", "deidentify"]


def deidentify(source: bytes, profile: Profile, keys: Keys) -> Outcome:
    """De-identify one object."""
    try:
        instance, stretches = read(source, _MEMORIES)
    except Malformed as error:
        return Withheld(_REASONS.get(error.reason, Reason.UNREADABLE))
    except RecursionError:
        return Withheld(Reason.UNREADABLE)
    wrong = _unusable(instance)
    if wrong is not None:
        return Withheld(wrong)
    made = naming.named(instance, source)
    if made is None:
        return Withheld(Reason.MISSING_UID)
    if made:
        instance.dataset |= made
        stretches += [Stretch({tag: element}, b"") for tag, element in made.items()]
    wrong = pixels.doubt(instance, profile)
    if wrong is not None:
        return Withheld(wrong)
    work = Work(instance, stretches, profile, keys)
    dataset = work.whole()
    if PIXEL_DATA in dataset:
        clean = pixels.cleaned(instance, profile)
        if isinstance(clean, Reason):
            return Withheld(clean)
        dataset[PIXEL_DATA] = clean.element
        dataset |= clean.also
        if clean.boxes:
            work.told.append((f"{PIXEL_DATA:08X}", Action.CLEAN, "text in pixels, blanked"))
    return work.finished(dataset, frozenset(made))


_MEMORIES = Memories()
_REASONS = {
    "not-dicom": Reason.NOT_DICOM,
    "no-elements": Reason.NOT_DICOM,
    "truncated": Reason.TRUNCATED,
    "wrong-length": Reason.WRONG_LENGTH,
}


def _unusable(instance: Instance) -> Reason | None:
    dataset = instance.dataset
    if not instance.transfer_syntax.startswith("1.2.840.10008.1.2"):
        return Reason.UNSUPPORTED_SYNTAX
    sop_class = text_of(dataset.get(SOP_CLASS_UID))
    if 0x00041220 in dataset or sop_class == "1.2.840.10008.1.3.10":
        return Reason.NOT_AN_INSTANCE
    return None
