"""
One object under way: what becomes of its stretches, and the instance they make.

What became of an element whose bytes were met before is known already; `Work` asks for the rest,
and ends with what depends on several elements at once.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Concatenate, ParamSpec, TypeVar

from app.deid import bulk, content, dates, private, text
from app.deid.about import (
    ABOUT,
    SCHEME,
    SERIES_INSTANCE_UID,
    SOP_CLASS_UID,
    STUDY_INSTANCE_UID,
    anybodys,
    cleaner_of,
    ground_of,
    treatment_of,
)
from app.deid.actions import BINARY_SIZES, Action, Decision
from app.deid.became import Became, pieces, total
from app.deid.content import CONCEPT_NAME
from app.deid.elements import Treatment, is_measure
from app.deid.markers import mark, same_for_all
from app.deid.memory import Stretch
from app.deid.outcome import Deidentified, Original, Report, Told
from app.deid.own import CHARACTER_SET
from app.deid.profile import ACCESSION_NUMBER, Profile
from app.deid.uids import Keys
from app.deid.values import dummy_code
from app.deid.vrs import vr_of
from app.deid.walk import Dataset, Element, Instance, text_of
from app.deid.write import encoded, parts

IMPLEMENTATION_CLASS_UID = "2.25.171268439127561980310293726448154893361"
IMPLEMENTATION_VERSION_NAME = "HOUNSFIELD_0_1"

_META: Dataset = {
    0x00020001: Element("OB", b"\0\1"),
    0x00020012: Element("UI", IMPLEMENTATION_CLASS_UID.encode()),
    0x00020013: Element("SH", IMPLEMENTATION_VERSION_NAME.encode()),
}
SOP_INSTANCE_UID = 0x00080018
_STUDY_DATE, _MODALITY = 0x00080020, 0x00080060


P = ParamSpec("P")
T = TypeVar("T")


class Work:
    """One object under way: its identifiers, its keys, what was done so far."""

    def __init__(
        self, instance: Instance, stretches: list[Stretch], profile: Profile, keys: Keys
    ) -> None:
        self.instance, self.stretches = instance, stretches
        self.profile, self.keys = profile, keys
        self.told: list[Told] = []
        self.ready: dict[int, tuple[Element, bytes]] = {}
        about = ABOUT.of(instance.dataset, profile, keys)
        self.sop_class, self.policy, self.pseudonym = about.sop_class, about.policy, about.pseudonym
        self.charset, self.codecs, self.scheme = about.charset, about.codecs, about.scheme
        self.level = self.policy.level()
        self.original = Original(
            about.study_instance_uid,
            about.series_instance_uid,
            text_of(instance.dataset.get(SOP_INSTANCE_UID)),
            about.patient_id,
            about.issuer_of_patient_id,
            about.accession_number,
        )
        cleaner = cleaner_of(about.view.own(stretches))
        self.own = cleaner.own
        self.ground = ground_of(about.view, keys, self.own.foreign)
        self.treatment = treatment_of(
            self.ground, keys, self.pseudonym, about.days, profile.full_dates, cleaner
        )
        self.anybodys, self.nobody = anybodys(keys, profile.full_dates, self.own.foreign)
        self.personal = False
        self.asked: list[str] = []

    def whole(self) -> Dataset:
        """The top level. What became of an element whose bytes were met before is known already.

        That is so because it depends on nothing but its bytes and the treatment, which stands for
        everything else: profile, keys, patient, own identifiers, character set and SOP class. Of
        most elements the patient does not matter either. What depends on other elements too has its
        place in `finished`.
        """
        result: Dataset = {}
        creators: Dataset = {}
        others: list[Dataset] = []
        treatment, ready = self.treatment, self.ready
        for stretch in self.stretches:
            odd = stretch.odd
            if odd:
                others.append(odd)
                if stretch.creators:
                    creators.update(stretch.creators)
                if odd is stretch.elements:
                    continue
            became: Became | None = stretch.became
            if became is None or became.of is not treatment:
                became = self._became(stretch)
            self.told += became.told
            result.update(became.kept)
            ready.update(became.ready)
        if creators and private.any_known(creators):
            self._private({tag: one for odd in others for tag, one in odd.items()}, result)
        return result

    def _became(self, stretch: Stretch) -> Became:
        known: Became | None = stretch.became
        if known is not None and (known.of is self.treatment or self._is_true_of(known)):
            return known
        if stretch.parts:
            became = self._together((known and known.pieces) or stretch.parts)
        elif len(stretch.elements) == 1:
            ((tag, element),) = stretch.elements.items()
            became = self._alone(tag, element, stretch)
        else:  # an object in which an element stands twice
            became = self._together(
                tuple(Stretch({t: e}, b"") for t, e in stretch.elements.items())
            )
        if stretch.raw or stretch.parts:  # what is too large must not be held on to
            stretch.became = became
        return became

    def _is_true_of(self, known: Became) -> bool:
        """Is what came of it for another patient what comes of it for this one?"""
        if known.ground is not self.ground or not self.own.untouched(known.asked):
            return False
        known.of = self.treatment
        return True

    def _together(self, stretches: tuple[Stretch, ...]) -> Became:
        """What a longer stretch became, from what its elements became, but for private ones."""
        stretches = tuple(one for one in stretches if one.odd is not one.elements)
        each = [self._became(stretch) for stretch in stretches]
        made = total(each, self.ground, self.treatment)
        if made.ground is None and len(each) > 1:
            made.pieces = pieces(stretches, each, self.ground, self.treatment)
        return made

    def _alone(self, tag: int, element: Element, stretch: Stretch) -> Became:
        """What one element became."""
        made = Became(self.ground, self.treatment)
        before, self.told = self.told, []
        self.personal, self.asked = False, []
        kept = self._one(tag, element, (), self.charset, self.codecs, self.scheme, self.level[tag])
        made.told, self.told = self.told, before
        if self.personal:
            made.ground = None
        elif self.asked:
            made.asked = "\n".join(self.asked)
        if kept is not None:
            made.kept = {tag: kept}
            raw = stretch.raw
            if raw:
                if kept is not element or not stretch.plain or len(raw) & 1:
                    raw = encoded(tag, kept, self.instance.explicit, self.instance.little)
                made.ready = {tag: (kept, raw)}
        return made

    def _whoever(
        self, way: Callable[Concatenate[Treatment, P], T], *args: P.args, **named: P.kwargs
    ) -> T:
        """Treat something as anybody's if that is the same; else it is noted that it is not."""
        asked = self.nobody.asked
        asked.clear()
        try:
            made = way(self.anybodys, *args, **named)
        except text.Personal:
            pass
        else:
            if not asked:
                return made
            questions = "\n".join(asked)
            if self.own.untouched(questions):
                self.asked.append(questions)
                return made
        self.personal = True
        return way(self.treatment, *args, **named)

    def dataset(
        self, source: Dataset, path: tuple[str, ...], charset: str, inside: int = 0
    ) -> Dataset:
        """One item: every element by its decision; private ones by the safe list."""
        charset = text_of(source.get(CHARACTER_SET)) or charset
        codecs = text.encodings(charset)
        scheme = text_of(source.get(SCHEME))
        level = self.policy.level(inside)
        result: Dataset = {}
        private_ones = False
        for tag, element in source.items():
            if tag >> 16 & 1:
                private_ones = True
                continue
            kept = self._one(tag, element, path, charset, codecs, scheme, level[tag])
            if kept is not None:
                result[tag] = kept
        if private_ones:
            self._private(source, result)
        return result

    def _one(
        self,
        tag: int,
        element: Element,
        path: tuple[str, ...],
        charset: str,
        codecs: list[str] | None,
        scheme: str,
        decision: Decision,
    ) -> Element | None:
        """One element by its decision, at any level."""
        action = decision.action
        kept: Element | None
        if tag == CHARACTER_SET:
            action, kept = Action.KEEP, element if codecs is not None else None
        elif action is Action.KEEP and element.vr in _FAST:
            kept = self.treatment.kept_binary(tag, element, decision)
        elif action is Action.KEEP and is_measure(tag, element):
            kept = element
        elif isinstance(element.value, list):
            kept = self._sequence(tag, element.value, decision, path, charset)
        elif action in _ALIKE:
            kept = self.treatment.apply(tag, element, decision, codecs, scheme)
        elif action is Action.SHIFT:  # times of day and time zones stay
            self.personal |= bool(element.value) and vr_of(tag) in dates.SHIFTED
            kept = self.treatment.apply(tag, element, decision, codecs, scheme)
        elif action in _PERSONAL:
            self.personal = True
            kept = self.treatment.apply(tag, element, decision, codecs, scheme)
        else:
            kept = self._whoever(Treatment.apply, tag, element, decision, codecs, scheme)
        if path:
            self._tell(path, tag, action, decision.rule)
        else:
            self.told.append(_told(tag, action, decision.rule))
        return kept

    def _private(self, source: Dataset, result: Dataset) -> None:
        """Add the private elements that may stay."""
        if "retain_safe_private" in self.profile.options:
            for tag, element, known in private.kept(source):
                if known is None or self._whoever(Treatment.private_stays, element):
                    result[tag] = element
            _drop_lone_creators(result)

    def _tell(self, path: tuple[str, ...], tag: int, action: Action, rule: str) -> None:
        self.told.append(("/".join((*path, _place(tag))), action, rule))

    def _sequence(
        self,
        tag: int,
        items: list[Dataset],
        decision: Decision,
        path: tuple[str, ...],
        charset: str,
    ) -> Element | None:
        action = decision.action
        if vr_of(tag) != "SQ":
            return None
        if action is Action.EMPTY:
            return Element("SQ", [])
        if action is Action.DUMMY_CODE:
            return Element("SQ", [dummy_code() for _ in items])
        if action not in (Action.ITEMS, Action.CONTENT):
            return None
        kept: list[Dataset] = []
        for number, item in enumerate(items):
            here = (*path, f"{tag:08X}[{number}]")
            known = content.decided(self.profile, item)
            if known is not None and known.action is Action.REMOVE:
                self._tell(here, CONCEPT_NAME, Action.REMOVE, known.rule)
                continue
            cleaned = self.dataset(item, here, charset, tag)
            bulk.settle_item(cleaned, tag, self.sop_class, self.instance.little)
            if known is not None:
                content.finish(cleaned, content.concept_of(item), known)
                if known.action is Action.DUMMY:
                    self._tell(here, CONCEPT_NAME, Action.DUMMY, known.rule)
            kept.append(cleaned)  # also when nothing is left: items are counted on (frames, beams)
        if not kept and items:
            return Element("SQ", []) if decision.emptied is Action.EMPTY else None
        return Element("SQ", kept)

    def finished(self, dataset: Dataset, made: frozenset[int]) -> Deidentified:
        """Markers, age, file meta information, and the bytes."""
        bulk.settle(dataset, self.policy.kind, self.instance.little)
        mark(dataset, self.instance.dataset, self.policy.kind, self.profile, self.pseudonym)
        instance, original = self.instance, self.original
        sop_class = text_of(dataset.get(SOP_CLASS_UID))
        new_uid = text_of(dataset.get(SOP_INSTANCE_UID))
        meta = {**_META, 0x00020002: Element("UI", sop_class.encode())}
        meta[0x00020003] = Element("UI", new_uid.encode())
        meta[0x00020010] = Element("UI", instance.transfer_syntax.encode())
        ready = Instance(
            meta, dataset, instance.transfer_syntax, instance.explicit, instance.little
        )
        self.ready.update(_marks(self.profile, instance.explicit, instance.little))
        return Deidentified(
            parts=tuple(parts(ready, self.ready)),
            report=Report(tuple(self.told)),
            original=original,
            study_instance_uid=text_of(dataset.get(STUDY_INSTANCE_UID)),
            series_instance_uid=text_of(dataset.get(SERIES_INSTANCE_UID)),
            sop_instance_uid=new_uid,
            sop_class_uid=sop_class,
            transfer_syntax_uid=instance.transfer_syntax,
            patient_pseudonym=self.pseudonym,
            accession_token=text_of(dataset.get(ACCESSION_NUMBER)) or None,
            study_date=text_of(dataset.get(_STUDY_DATE)) or None,
            modality=text_of(dataset.get(_MODALITY)) or None,
            dataset=dataset,
            little=instance.little,
            made=made,
        )


_FAST = frozenset(BINARY_SIZES)
_ALIKE = frozenset(
    (Action.REMOVE, Action.EMPTY, Action.DUMMY, Action.UID, Action.CLASS_UID, Action.AGE)
)
"""What is done alike whoever it is about, and asks for no identifier."""
_PERSONAL = frozenset((Action.PATIENT_ID, Action.PATIENT_NAME))


@lru_cache(maxsize=4096)
def _place(tag: int) -> str:
    """An attribute, as a report names it."""
    return f"{tag:08X}"


@lru_cache(maxsize=4096)
def _told(tag: int, action: Action, rule: str) -> Told:
    """What a report says of an attribute of the top level."""
    return _place(tag), action, rule


@lru_cache(maxsize=64)
def _marks(profile: Profile, explicit: bool, little: bool) -> dict[int, tuple[Element, bytes]]:
    """The marks that every object gets, encoded."""
    return {
        tag: (element, encoded(tag, element, explicit, little))
        for tag, element in same_for_all(profile).items()
    }


def _drop_lone_creators(dataset: Dataset) -> None:
    blocks: Iterable[int] = {
        tag >> 16 << 16 | (tag & 0xFFFF) >> 8 for tag in dataset if tag >> 16 & 1 and tag & 0xFF00
    }
    for tag in [tag for tag in dataset if tag >> 16 & 1 and not tag & 0xFF00]:
        if tag not in blocks:
            del dataset[tag]
