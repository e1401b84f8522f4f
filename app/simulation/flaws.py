"""
Known flaws: each turns a good entry into one with findings that are known beforehand.

Which elements can carry a flaw is read from the definition: one that no rule or condition speaks
of gets exactly one finding when it is wrong, so that the answer key is exact.
"""

import re
from collections.abc import Callable
from random import Random

from app.registries.findings import FindingCode, Severity
from app.registries.schema import Definition, Element, Form
from app.simulation.entries import Elements, Entry, Expected
from app.simulation.places import Places

_WORD = re.compile(r"[a-z_][a-z0-9_]*")
_LISTED = frozenset({"json", "ndjson", "single"})
_WRONG_CODE = "QQ"
_ALONE = frozenset({FindingCode.RULE, FindingCode.UNKNOWN_ELEMENT})

Spoil = Callable[[Random, Entry], Expected | None]
"""Changes an entry and says which finding that makes, or leaves it alone and says None."""


class Flaws:
    """Flaws for the exam and the follow-up form of a definition."""

    def __init__(self, definition: Definition, places: Places) -> None:
        self._definition = definition
        self._doors = [facility.door for facility in places.facilities]
        exam = definition.first_case_form
        self._exam = self._for(exam)
        follow_ups = definition.follow_up_forms(exam.id)
        self._follow_up = self._for(follow_ups[0]) if follow_ups else []

    def flaw_exam(self, rng: Random, entry: Entry) -> None:
        """Spoil an exam entry; a tenth get a second flaw at another place."""
        self._flaw(rng, entry, self._exam)

    def flaw_follow_up(self, rng: Random, entry: Entry) -> None:
        """Spoil a follow-up entry."""
        self._flaw(rng, entry, self._follow_up)

    def _flaw(self, rng: Random, entry: Entry, spoils: list[Spoil]) -> None:
        entry.elements = dict(entry.elements)
        wanted = 2 if rng.random() < 0.1 else 1
        found: list[Expected] = []
        for _ in range(60):
            before = dict(entry.elements)
            expected = rng.choice(spoils)(rng, entry)
            # A rule is silent about what is flawed already; a place by number moves with others.
            alone = expected is not None and expected.code in _ALONE
            if (
                expected is None
                or (alone and found)
                or expected.place in {one.place for one in found}
            ):
                entry.elements = before
                continue
            found.append(expected)
            if alone or len(found) == wanted:
                break
        entry.findings = tuple(found)

    def _for(self, form: Form) -> list[Spoil]:
        """The flaws this form can carry; each kind once, however many elements it fits."""
        spoken = self._spoken_of(form)
        sent = [one for one in form.all_elements if one.computed is None]
        safe = [
            one
            for one in sent
            if one.id not in spoken and one.identity is None and one.id not in form.key
        ]
        spoils: list[Spoil] = []

        def add(elements: list[Element], kind: Callable[[Element], Spoil]) -> None:
            if elements:
                each = [kind(one) for one in elements]
                spoils.append(lambda rng, entry: rng.choice(each)(rng, entry))

        add([one for one in safe if one.required], _leave_out)
        add([one for one in safe if one.required_when and not one.required], _leave_out)
        add([one for one in safe if one.type == "code" and one.value_set], _unknown_code)
        add([one for one in safe if one.type == "codes"], _unknown_code)
        add([one for one in safe if one.type == "codes"], _repeated_code)
        add([one for one in safe if self._exclusive(one)], self._beside_exclusive)
        add([one for one in safe if one.type == "integer"], _word(FindingCode.NOT_AN_INTEGER))
        add([one for one in safe if one.type == "decimal"], _word(FindingCode.NOT_A_NUMBER))
        add(
            [
                one
                for one in safe
                if one.range and one.range.hard and one.range.hard.high is not None
            ],
            _too_much,
        )
        add([one for one in safe if _can_be_unusual(one)], _unusual)
        add([one for one in safe if one.type == "npi"], _wrong_check_digit)
        add([one for one in safe if one.type == "text" and one.pattern is None], _too_long)
        add([one for one in safe if one.pattern and one.required], _against_pattern)
        add([one for one in sent if one.id == form.period], _no_day)
        for one in safe:
            values = self._definition.value_set(one)
            if one.type == "code" and one.relevant_when and values is not None:
                spoils.append(_out_of_place(one, values.allowed))
        spoils += [
            spoil
            for rule in self._definition.rules
            if rule.form == form.id and (spoil := _against_rule(rule.id)) is not None
        ]
        spoils.append(self._stranger)
        return spoils

    def _spoken_of(self, form: Form) -> set[str]:
        """Elements that a rule, a condition or a computed element reads."""
        texts = [rule.requires for rule in self._definition.rules if rule.form == form.id]
        for one in form.all_elements:
            texts += [text for text in (one.required_when, one.relevant_when, one.computed) if text]
        return {word for text in texts for word in _WORD.findall(text)}

    def _exclusive(self, element: Element) -> bool:
        values = self._definition.value_set(element)
        return element.type == "codes" and values is not None and bool(values.exclusive)

    def _beside_exclusive(self, element: Element) -> Spoil:
        values = self._definition.value_set(element)
        assert values is not None
        alone = [one for one in values.exclusive if one in values.allowed]
        others = [one for one in values.allowed if one not in values.exclusive]

        def spoil(rng: Random, entry: Entry) -> Expected | None:
            if element.id not in entry.elements or not alone or not others:
                return None
            entry.elements[element.id] = [rng.choice(others), rng.choice(alone)]
            return _reject(element.id, FindingCode.EXCLUSIVE_CODE)

        return spoil

    def _stranger(self, _: Random, entry: Entry) -> Expected | None:
        """A member no form knows; only where members travel by name, entry by entry."""
        if self._doors[entry.facility] not in _LISTED:
            return None
        entry.elements["favourite_colour"] = "blue"
        return _reject(f"member {len(entry.elements)}", FindingCode.UNKNOWN_ELEMENT)


def _reject(place: str, code: FindingCode) -> Expected:
    return Expected(place, code.value, Severity.REJECT.value)


_CONDITIONS = (
    (re.compile(r"(\w+) IN \(([^)]*)\)"), lambda value, told: value in _quoted(told)),
    (re.compile(r"(\w+) = '([^']*)'"), lambda value, told: value == told),
    (re.compile(r"(\w+) IS NOT (NULL)"), lambda value, told: value is not None),
    (re.compile(r"list_contains\((\w+), '([^']*)'\)"), lambda value, told: told in (value or ())),
)


def _quoted(told: str) -> list[str]:
    return re.findall(r"'([^']*)'", told)


def holds(condition: str, elements: Elements) -> bool | None:
    """Whether a simple condition holds for an entry; None for one that is not simple."""
    for shape, test in _CONDITIONS:
        found = shape.fullmatch(condition)
        if found is not None:
            return bool(test(elements.get(found[1]), found[2]))
    return None


def _leave_out(element: Element) -> Spoil:
    def spoil(_: Random, entry: Entry) -> Expected | None:
        if element.required_when and not holds(element.required_when, entry.elements):
            return None
        if entry.elements.pop(element.id, None) is None:
            return None
        return _reject(element.id, FindingCode.MISSING)

    return spoil


def _put(element: Element, wrong: object, code: FindingCode) -> Spoil:
    """Puts a wrong value where the entry has one."""

    def spoil(_: Random, entry: Entry) -> Expected | None:
        if element.id not in entry.elements:
            return None
        entry.elements[element.id] = wrong
        return _reject(element.id, code)

    return spoil


def _unknown_code(element: Element) -> Spoil:
    wrong = [_WRONG_CODE] if element.type == "codes" else _WRONG_CODE
    return _put(element, wrong, FindingCode.NOT_IN_VALUE_SET)


def _out_of_place(element: Element, choices: tuple[str, ...]) -> Spoil:
    """An answer to a question that was not asked: taken, with a warning."""

    def spoil(rng: Random, entry: Entry) -> Expected | None:
        assert element.relevant_when
        if (
            element.id in entry.elements
            or holds(element.relevant_when, entry.elements) is not False
        ):
            return None
        entry.elements[element.id] = rng.choice(choices)
        return Expected(element.id, FindingCode.NOT_RELEVANT.value, Severity.WARN.value)

    return spoil


_DEATH = {"how_cause_was_determined": "3", "cause_of_death": "1", "death_within_30_days": "N"}
"""What must be told with a date of death."""


def _against_rule(rule: str) -> Spoil | None:
    """Breaks a rule of the lung registry, known by its name and worked out by hand."""

    def quit_as_a_child(_: Random, entry: Entry) -> Expected | None:
        born, day = entry.elements["patient_dob"], entry.elements["exam_date"]
        if "number_of_years_since_quit" not in entry.elements:
            return None
        entry.elements["number_of_years_since_quit"] = int(day[:4]) - int(born[:4]) - 8
        return _reject("number_of_years_since_quit", FindingCode.RULE)

    def not_yet_done(_: Random, entry: Entry) -> Expected | None:
        if entry.elements["patient_dob"] < "1944" or len(entry.elements["exam_date"]) != 10:
            return None
        entry.elements["exam_date"] = "2040-02-03"
        return _reject("exam_date", FindingCode.RULE)

    def a_child(_: Random, entry: Entry) -> Expected | None:
        if "number_of_years_since_quit" in entry.elements:
            return None
        entry.elements["patient_dob"] = f"{int(entry.elements['exam_date'][:4]) - 12}-01-02"
        return _reject("patient_dob", FindingCode.RULE)

    def nobody(_: Random, entry: Entry) -> Expected | None:
        for name in ("patient_ssn", "other_id"):
            entry.elements.pop(name, None)
        return _reject("other_id", FindingCode.RULE)

    def dead(day: str) -> Spoil:
        def spoil(_: Random, entry: Entry) -> Expected | None:
            # A day that is no day is not compared with another.
            if len(entry.elements["exam_date"]) != 10 or "date_of_death" in entry.elements:
                return None
            entry.elements |= _DEATH | {"date_of_death": day}
            return _reject("date_of_death", FindingCode.RULE)

        return spoil

    return {
        "exam-names-a-person": nobody,
        "exam-while-alive": dead("2001-02-03"),
        "exam-death-not-in-the-future": dead("2040-02-03"),
        "quit-after-the-age-of-ten": quit_as_a_child,
        "exam-not-in-the-future": not_yet_done,
        "age-18-to-100": a_child,
    }.get(rule)


def _repeated_code(element: Element) -> Spoil:
    def spoil(_: Random, entry: Entry) -> Expected | None:
        codes = entry.elements.get(element.id)
        if not isinstance(codes, list) or len(codes) != 1:
            return None
        entry.elements[element.id] = [codes[0], codes[0]]
        return _reject(element.id, FindingCode.REPEATED_CODE)

    return spoil


def _word(code: FindingCode) -> Callable[[Element], Spoil]:
    return lambda element: _put(element, "plenty", code)


def _too_much(element: Element) -> Spoil:
    assert element.range
    assert element.range.hard
    assert element.range.hard.high is not None
    wrong = str(element.range.hard.high + 1_000)
    return _put(element, wrong, FindingCode.OUT_OF_RANGE)


def _can_be_unusual(element: Element) -> bool:
    soft = element.range.soft if element.range else None
    hard = element.range.hard if element.range else None
    return (
        soft is not None
        and soft.high is not None
        and (hard is None or hard.high is None or hard.high > soft.high + 1)
    )


def _unusual(element: Element) -> Spoil:
    """Still possible, but worth a second look: accepted with a warning."""
    assert element.range
    assert element.range.soft
    assert element.range.soft.high is not None
    odd = element.range.soft.high + 1
    value = f"{odd:.{element.scale}f}" if element.type == "decimal" else int(odd)

    def spoil(_: Random, entry: Entry) -> Expected | None:
        if element.id not in entry.elements:
            return None
        entry.elements[element.id] = value
        return Expected(element.id, FindingCode.UNUSUAL.value, Severity.WARN.value)

    return spoil


def _wrong_check_digit(element: Element) -> Spoil:
    def spoil(_: Random, entry: Entry) -> Expected | None:
        number = entry.elements.get(element.id)
        if not isinstance(number, str):
            return None
        entry.elements[element.id] = number[:-1] + str((int(number[-1]) + 3) % 10)
        return _reject(element.id, FindingCode.NOT_AN_NPI)

    return spoil


def _too_long(element: Element) -> Spoil:
    return _put(element, "x" * (element.max_length + 1), FindingCode.TOO_LONG)


def _against_pattern(element: Element) -> Spoil:
    wrong = "0" if element.pattern and not re.fullmatch(element.pattern, "0") else "?"
    return _put(element, wrong, FindingCode.PATTERN)


def _no_day(element: Element) -> Spoil:
    def spoil(rng: Random, entry: Entry) -> Expected | None:
        day = entry.elements.get(element.id)
        if not isinstance(day, str):
            return None
        entry.elements[element.id] = f"{day[:4]}-02-{rng.choice(('30', '31'))}"
        return _reject(element.id, FindingCode.NOT_A_DATE)

    return spoil
