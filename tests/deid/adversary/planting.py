"""Put identities, and what must stay beside them, into a dataset, and write both into the key."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from random import Random

from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.sequence import Sequence as Items

from tests.deid.adversary.answers import Case, Path, Secret
from tests.deid.adversary.people import (
    DESCRIPTORS,
    FAMILIES,
    GIVENS,
    HOUSES,
    REMARKS,
    STREETS,
    TOWNS,
    Visit,
    written,
)

LIMITS = {"SH": 16, "LO": 64, "ST": 1024, "LT": 10240, "UT": 1 << 20, "UC": 1 << 20, "CS": 16}
PLAIN_HOUSES = {word for house in HOUSES for word in house.split()} - {
    "Hospital",
    "Medical",
    "Center",
    "University",
    "Radiology",
    "Associates",
    "Clinic",
    "Mount",
    "Valley",
    "Saint",
}


def made(**attributes: object) -> Dataset:
    """A sequence item."""
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def items(*some: Dataset) -> Items:
    """A sequence."""
    return Items(some)


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """A coded entry."""
    return made(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def path(*steps: str | int) -> Path:
    """A path that may be made longer."""
    return steps


class Planting:
    """One object in the making: chance, whose it is, its dataset and its answer key."""

    def __init__(self, random: Random, visit: Visit, case: Case, number: int) -> None:
        self.random, self.visit, self.case, self.number = random, visit, case, number
        self.patient = visit.patient
        self.dataset = case.dataset
        self.uids = 0

    # --- what the key says -------------------------------------------------------------------

    def secret(self, value: str, place: str, *codecs: str) -> str:
        """This must not be found anywhere in the output."""
        found = Secret(value, place, codecs)
        if found not in self.case.secrets:
            self.case.secrets.append(found)
        return value

    def keep(self, path: Path, value: object = None) -> None:
        """What stands at this path now must stand there afterwards."""
        self.case.kept.append((path, at(self.dataset, path) if value is None else value))

    def kept(self, item: Dataset, path: Path, **attributes: object) -> None:
        """Set attributes of an item that must stay as they are."""
        for keyword, value in attributes.items():
            setattr(item, keyword, value)
            self.case.kept.append(((*path, keyword), item[keyword].value))

    # --- things that identify ----------------------------------------------------------------

    def uid(self) -> str:
        """A UID of its own for something in this object; its bytes must not survive."""
        self.uids += 1
        new = f"{self.visit.uid}.{self.number}.{self.uids}.{self.random.randrange(10**6)}"
        return self.secret(new, "uid")

    def stranger(self) -> tuple[str, str]:
        """Somebody whom no attribute names; given and family name."""
        given, family = self.random.choice(GIVENS), self.random.choice(FAMILIES)
        return given, family

    def name_secrets(self, place: str, *parts: str) -> None:
        """Every part of a name long enough to be looked for."""
        for part in parts:
            if len(part) > 4:
                self.secret(part, place)

    def pn(self, place: str) -> str:
        """A person's name for a PN: of somebody else."""
        given, family = self.stranger()
        self.name_secrets(place, given, family)
        return f"{family}^{given}"

    def identifier(self, place: str, length: int = 16) -> str:
        """A number of somebody or something."""
        new = f"{self.random.choice('KQXZ')}{self.random.randrange(10**7, 10**8)}"[:length]
        return self.secret(new, place)

    def day(self, within: int = 400) -> date:
        """A day near the study."""
        return self.visit.day + timedelta(days=self.random.randrange(-within, within))

    def phrase(self, place: str) -> str:
        """A piece of text with one identity in it, in one of the ways people write it."""
        random, patient = self.random, self.patient
        family, given = patient.family, patient.given
        kind = random.randrange(24)
        if kind < 9:
            self.name_secrets(place, family, given)
            initial = given[0]
            spoken = (
                f"{given} {family}",
                f"{family}, {given}",
                f"{family.upper()} {given.upper()}",
                f"{family}^{given}",
                f"{family.lower()}_{given.lower()}",
                f"{given}{family}",
                f"{initial}. {family}",
                f"pt {family}",
                f"Name: {family.upper()},{given.upper()}",
            )
            return spoken[kind]
        if kind < 12:
            number = patient.mrn or self.visit.accession
            self.secret(number, place)
            return random.choice(
                ("MRN {}", "MRN: {}", "#{}", "ID={}", "({})", "PatID {}", "{}")
            ).format(number)
        if kind < 15:
            day = written(random, self.day())
            self.secret(day, place)
            return random.choice(("on {}", "{}", "dated {}", "prior {}")).format(day)
        if kind == 15:
            day = written(random, patient.born)
            self.secret(day, place)
            return random.choice(("DOB {}", "DOB: {}", "born {}", "*{}")).format(day)
        if kind == 16:
            self.secret(patient.phone, place)
            self.secret(patient.phone[-8:], place)
            return random.choice(("call {}", "Tel {}", "ph: {}")).format(patient.phone)
        if kind == 17:
            self.secret(patient.ssn, place)
            return random.choice(("SSN {}", "ssn: {}", "{}")).format(patient.ssn)
        if kind == 18:
            self.secret(patient.mail, place)
            self.secret(patient.mail.split("@")[0], place)
            return random.choice(("mail {}", "{}", "e-mail: {}")).format(patient.mail)
        if kind == 19:
            street = random.choice(STREETS)
            self.secret(street, place)
            return f"{random.randrange(10, 9999)} {street} {random.choice(('Street', 'Ave', 'Road', 'St.'))}"
        if kind == 20:
            given, family = self.stranger()
            self.name_secrets(place, family)
            return random.choice(
                (
                    "Dr. {0}",
                    "Dr {0}",
                    "per Dr. {0}",
                    "{0} MD",
                    "ref by {1} {0}",
                    "Prof. {0}",
                    "RT {1} {0}",
                )
            ).format(family, given)
        if kind == 21:
            given, family = self.stranger()
            self.name_secrets(place, family, given)
            return random.choice(("{1} {0}", "{0}, {1}", "seen with {1} {0}", "{1}_{0}")).format(
                family, given
            )
        if kind == 22:
            house = random.choice(HOUSES)
            for word in PLAIN_HOUSES & set(house.split()):
                self.secret(word, place)
            return random.choice(("at {}", "{}", "from {}")).format(house)
        town = random.choice(TOWNS)
        self.secret(town, place)
        return random.choice(("{} clinic", "{}, OH 43210", "transfer from {}")).format(town)

    def text(self, place: str, limit: int = 64) -> tuple[str, tuple[str, ...]]:
        """A descriptor with identities between its words, and the words that must stay."""
        random = self.random
        stay = random.choice(DESCRIPTORS)
        if limit <= 16:
            stay = random.choice([one for one in DESCRIPTORS if len(one) <= 16])
            return stay, tuple(stay.split())
        words = list(stay.split())
        gone = self.phrase(place)
        shape = random.randrange(6)
        if shape == 0:
            text = f"{stay} {gone}"
        elif shape == 1:
            text = f"{gone} {stay}"
        elif shape == 2:
            text = f"{stay} - {gone}"
        elif shape == 3:
            text = f"{stay}; {gone}"
        elif shape == 4:
            middle = len(words) // 2
            text = " ".join([*words[:middle], gone, *words[middle:]])
        else:
            text = f"{stay} / {gone}"
        if limit >= 256:
            remark = random.choice(REMARKS)
            text = f"{text}. {remark}; {self.phrase(place)}"
            words += remark.split()
            if random.random() < 0.3:
                text += "\r\n" + self.phrase(place)
        if len(text) > limit:
            return stay, tuple(stay.split())
        return text, tuple(words)

    # --- putting them in ---------------------------------------------------------------------

    def describe(self, item: Dataset, path: Path, *keywords: str) -> None:
        """Texts that must stay but for the identities in them."""
        for keyword in keywords:
            limit = LIMITS.get(dictionary_VR(keyword), 64)
            text, words = self.text("/".join(map(str, (*path, keyword))), limit)
            setattr(item, keyword, text)
            self.case.words.append(((*path, keyword), words))

    def numbers(self, item: Dataset, path: Path, *keywords: str) -> None:
        """Numbers that must go."""
        for keyword in keywords:
            place = "/".join(map(str, (*path, keyword)))
            setattr(item, keyword, self.identifier(place))

    def people(self, item: Dataset, path: Path, *keywords: str) -> None:
        """Names that must go."""
        for keyword in keywords:
            setattr(item, keyword, self.pn("/".join(map(str, (*path, keyword)))))

    def dates(self, item: Dataset, path: Path, *keywords: str) -> None:
        """Dates, and dates with times, that must be moved like all others."""
        for keyword in keywords:
            day = self.day(20)
            moment = "093015.250" if self.random.random() < 0.5 else "1644"
            zone = self.random.choice(("", "+0100", "-0500"))
            text = f"{day:%Y%m%d}"
            if dictionary_VR(keyword) == "DT":
                text += moment + zone
            setattr(item, keyword, text)
            self.case.dated.append((*path, keyword))

    def refer(self, item: Dataset, path: Path, sop_class: str, uid: str | None = None) -> None:
        """A reference to another object, which must stay one."""
        self.kept(item, path, ReferencedSOPClassUID=sop_class)
        item.ReferencedSOPInstanceUID = uid or self.uid()
        self.case.uids.append((*path, "ReferencedSOPInstanceUID"))

    def may_refer(self, item: Dataset, sop_class: str) -> None:
        """A reference that the profile takes out (X/Z); where it stays, it must not be the old one."""
        item.ReferencedSOPClassUID = sop_class
        item.ReferencedSOPInstanceUID = self.uid()

    def forget(self, *keywords: str) -> None:
        """The key says nothing more of these: something else stands there now, or nothing may."""
        case = self.case
        gone = set(keywords)
        case.kept = [entry for entry in case.kept if entry[0][0] not in gone]
        case.words = [entry for entry in case.words if entry[0][0] not in gone]
        case.dated = [path for path in case.dated if path[0] not in gone]
        case.uids = [path for path in case.uids if path[0] not in gone]

    def identify(self, item: Dataset, path: Path, **uids: str) -> None:
        """UIDs that must be replaced and still be there."""
        for keyword, uid in uids.items():
            setattr(item, keyword, uid)
            self.case.uids.append((*path, keyword))


def named(item: Dataset) -> str:
    """The code of a content item's concept name; items before it may have been taken out."""
    name = item.get("ConceptNameCodeSequence")
    return str(name[0].get("CodeValue", "")) if name else ""


def at(dataset: Dataset, path: Sequence[str | int]) -> object:
    """The value at a path; None where the path leads nowhere."""
    here: object = dataset
    for step in path:
        if isinstance(here, Dataset):
            if step not in here:
                return None
            here = here[step].value
        elif isinstance(here, (str, bytes)):
            return here if step == 0 else None
        elif isinstance(here, Sequence) and isinstance(step, int):
            if step >= len(here):
                return None
            here = here[step]
        elif isinstance(here, Sequence):
            concept, _, number = str(step).rpartition(":")
            alike = [item for item in here if named(item) == concept]
            if int(number) >= len(alike):
                return None
            here = alike[int(number)]
        else:
            return None
    return here


Kind = Callable[[Planting], None]
"""What makes an object of one SOP class."""
