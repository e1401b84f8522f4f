"""
The two halves of a case: what was typed of it, and what was measured. Pure: no database.

What was typed stays as it was typed; measured values stand where nothing was typed. Where both are and
differ by more than the element's `cross_check` lets them, the sender is told at the element, whichever
came last. An entry that came of images is a case if it is complete together with what was typed, and
otherwise a draft that waits for somebody. Nothing here brings back a case that was withdrawn, and nothing
replaces a draft that somebody is working on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from app.ingest.checks import FormAtWork, Row, text_of
from app.ingest.findings import Found
from app.ingest.history import Event
from app.registries.findings import FindingCode, Severity, severity
from app.registries.schema import Element
from app.registries.values.given import Canonical, Flaw, flaw
from app.vault import Vault, identities

Values = dict[str, Canonical]

_DIFFERS = (
    "This is not what the images of the exam say: {place}. Correct it, or leave it out: then what was"
    " measured is taken."
)
_DIFFERED = (
    "What was typed for this exam is not what its images say: {place}. What was typed stays."
)
_LACKS = "The images do not say this, so that the exam is kept as a draft: enter it by hand."
_UNTOLD = "The images do not say this, so that the exam is kept as a draft: send images that do."
_NOBODY = (
    "The images do not say who this is, so that the exam is kept as a draft: enter it by hand."
)
_WITHDRAWN = "The case was withdrawn, and images do not bring it back. Submit it if it is to count."


@dataclass(slots=True)
class Halves:
    """A case while the batch goes on: its halves, and what there is of it."""

    typed: Values | None = None
    measured: Values | None = None
    drafted: bool = False
    """The draft in force came of images."""
    submitted: bool = False
    draft: bool = False
    withdrawn: bool = False
    who: dict[str, Any] = field(default_factory=dict)
    """The identifying elements of what was typed."""
    changed: bool = False


class Desk:
    """Where the entries of a batch are looked at one after the other."""

    def __init__(self, vault: Vault, registry: str, received: Mapping[int, date]) -> None:
        self.vault, self.registry, self.received = vault, registry, received
        self.found: list[Found] = []
        self.rewritten: list[tuple[Any, ...]] = []

    def withdraw(self, half: Halves) -> None:
        """Nobody's entry is in force any more; what was measured is still known."""
        if half.submitted or half.draft:
            half.typed, half.who, half.withdrawn = None, {}, True
            half.submitted = half.draft = half.drafted = False
            half.changed = True

    def typed(self, event: Event, half: Halves, values: Values, who: dict[str, Any]) -> None:
        """An entry that somebody sent: what it left out is taken from the images."""
        form = event.form
        typed = {name: one for name, one in values.items() if name not in form.computed}
        if half.measured is not None:
            self._compare(event, typed, half.measured, _DIFFERS)
        if event.action == "save":
            half.draft, half.drafted, half.changed = True, False, True
            return
        half.typed, half.who, half.changed = typed, who, True
        half.submitted, half.withdrawn = True, False
        half.draft = half.drafted = False
        if half.measured is None:
            return
        filled = {**half.measured, **typed}
        if filled == typed:
            return
        computed, flaws = self._check(event, filled, who)
        stops = [one for one in flaws if one.severity is Severity.REJECT]
        if stops and any(one not in self._check(event, typed, who)[1] for one in stops):
            return  # it holds as it was typed, and does not beside what was measured
        self._rewrite(event, filled | computed, who)

    def measured(self, event: Event, half: Halves, values: Values, who: dict[str, Any]) -> None:
        """An entry that came of images: it leaves what was typed as it is."""
        form = event.form
        measured = {name: one for name, one in values.items() if name not in form.computed}
        half.measured, half.changed = measured, True
        if half.withdrawn:
            self._say(event, self._key_place(form), FindingCode.SUPERSEDED, _WITHDRAWN)
            event.outcome = "unchanged"
            return
        typed = half.typed or {}
        self._compare(event, typed, measured, _DIFFERED)
        if not half.submitted and not form.arises:
            event.outcome = "unchanged"  # it is known now, and waits for its case
            return
        whole, whose = {**measured, **typed}, half.who if half.typed is not None else who
        computed, flaws = self._check(event, whole, whose)
        lacking = [one for one in flaws if one.severity is Severity.REJECT]
        if lacking:
            for one in lacking:
                remedy = _LACKS if form.form.typed else _UNTOLD
                if one.code is not FindingCode.MISSING:
                    remedy = one.remedy
                self._say(event, one.place, one.code, remedy)
            if half.submitted or (half.draft and not half.drafted):
                event.outcome = "unchanged"  # somebody's own stands, or is being worked on
                return
            half.draft = half.drafted = True
            self._rewrite(event, whole | computed, whose)
            return
        event.action = "submit"
        event.spares_draft = half.draft and not half.drafted
        half.submitted = True
        if not event.spares_draft:
            half.draft = half.drafted = False
        self._rewrite(event, whole | computed, whose)

    def _check(
        self, event: Event, values: Values, who: dict[str, Any]
    ) -> tuple[Values, list[Flaw]]:
        """What is computed of a whole entry, and every flaw it would have if it were submitted."""
        form, sent = event.form, {**values, **who}
        flaws = [one for one in form.check.check(sent).flaws if one.code is FindingCode.MISSING]
        people = [one for one in (form.local, form.national) if one is not None]
        if people and not any(one in sent for one in people):
            flaws.append(flaw(people[0], FindingCode.NO_IDENTITY, _NOBODY))
        row = Row(text_of(sent), self.received.get(event.at[0]))
        (answer,) = form.run([row])
        computed = {name: one for name, one in answer[0].items() if name not in form.identifying}
        return computed, [*flaws, *answer[1]]

    def _compare(
        self, event: Event, typed: Values, measured: Mapping[str, Canonical], remedy: str
    ) -> None:
        for element in event.form.measured:
            one, other = typed.get(element.id), measured.get(element.id)
            if element.cross_check is None or one is None or other is None:
                continue
            if str(one) in element.unknown or not differs(element, one, other):
                continue
            said = remedy.format(place=element.from_dicom[0].place)
            self._say(event, element.id, FindingCode.MEASURED_OTHERWISE, said)

    def _rewrite(self, event: Event, values: Values, who: dict[str, Any]) -> None:
        """The entry as it goes on, sealed and digested as every entry is."""
        written = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
        secret = orjson.dumps(who, option=orjson.OPT_SORT_KEYS)
        parts = (event.form.form.id.encode(), written, secret)
        event.digest = self.vault.digest(self.registry, b"\n".join(parts))
        identity = identities.seal(self.vault, self.registry, *event.at, secret)
        self.rewritten.append((*event.at, event.action, written.decode(), identity, event.digest))

    def _key_place(self, form: FormAtWork) -> str:
        return next(iter(form.form.key), "row")

    def _say(self, event: Event, place: str, code: FindingCode, remedy: str) -> None:
        weight = severity(code) if severity(code) is not Severity.REJECT else Severity.WARN
        self.found.append(
            Found(*event.at, event.facility, event.form.form.id, place, code, weight, remedy)
        )


def differs(element: Element, typed: Canonical, measured: Canonical) -> bool:
    """Whether what was typed is further from what was measured than the element lets it be."""
    assert element.cross_check is not None
    if element.type not in ("integer", "decimal"):
        return typed != measured
    one, other = Decimal(str(typed)), Decimal(str(measured))
    room = max(element.cross_check.absolute, element.cross_check.relative * abs(other))
    return abs(one - other) > room
