"""A set of objects from a seed: every kind, every hiding place, every way of writing, every script."""

import itertools
import re
import warnings
from collections.abc import Iterator
from random import Random

from tests.deid.adversary import encoding, endings, pictures
from tests.deid.adversary.answers import Case, Secret
from tests.deid.adversary.captures import CAPTURES
from tests.deid.adversary.documents import DOCUMENTS
from tests.deid.adversary.drawn import DRAWN
from tests.deid.adversary.encoding import Writing
from tests.deid.adversary.enhanced import ENHANCED
from tests.deid.adversary.people import SCRIPTS, Visit, person, visit
from tests.deid.adversary.pictures import PICTURES
from tests.deid.adversary.places import PLACES, scripted
from tests.deid.adversary.planting import Kind, Planting
from tests.deid.adversary.planting import at as at_path
from tests.deid.adversary.reports import REPORTS, basic_text

ROOT = "1.2.826.0.1.3680043.8.498"
PLAIN = (*encoding.PLAIN, *endings.PLAIN)
ENDINGS = (*endings.PLAIN, *endings.COMPRESSED)
KINDS: dict[str, Kind] = PICTURES | CAPTURES | DRAWN | ENHANCED | REPORTS | DOCUMENTS


def cases(seed: int, times: int = 3) -> list[Case]:
    """Objects of every kind, `times` each, and those for scripts and compressions: 160 or more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # much of it is not as the standard wants it
        return list(_Set(Random(seed)).cases(times))


class _Set:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.people = [person(random, number) for number in range(14)]
        for nobody in self.people[:2]:
            nobody.empty_id, nobody.mrn = True, ""
        # The same number given by two houses: two patients.
        self.people[3].mrn, self.people[3].issuer = self.people[2].mrn, "ANOTHER_HOUSE"
        self.visits = [
            visit(random, one, number, ROOT)
            for number, one in enumerate([*self.people, *self.people])
        ]
        self.number = 0
        self.places = itertools.cycle(random.sample(PLACES, len(PLACES)))
        self.plain = itertools.cycle(random.sample(PLAIN, len(PLAIN)))

    def cases(self, times: int) -> Iterator[Case]:
        turns = itertools.cycle(self.random.sample(self.visits, len(self.visits)))
        for _ in range(times):
            for kind in KINDS.values():
                yield self.case(kind, next(turns), 3, next(self.plain))
        for script in SCRIPTS:
            someone = person(self.random, 100 + self.number)
            someone.script = script
            where = visit(self.random, someone, self.number, ROOT)
            yield self.case(pictures.ct, where, 1, encoding.explicit, scripted)
            yield self.case(basic_text, where, 1, encoding.explicit, scripted)
        for writing in encoding.SETS:
            someone = person(self.random, 100 + self.number)
            where = visit(self.random, someone, self.number, ROOT)
            yield self.case(pictures.mr, where, 1, writing)
        compressed = (
            pictures.ct,
            pictures.sc,
            pictures.us_cine,
            pictures.xa,
            pictures.nm,
            pictures.cr,
        )
        for writing in (*encoding.COMPRESSED, *endings.COMPRESSED):
            for kind in self.random.sample(compressed, len(compressed)):
                case = self.case(kind, next(turns), 1, writing)
                if case.source:
                    yield case

    def case(self, kind: Kind, where: Visit, places: int, writing: Writing, *also: Kind) -> Case:
        """One object; without bytes when it cannot be written like that."""
        self.number += 1
        case = Case("", where.patient.number)
        at = Planting(self.random, where, case, self.number)
        kind(at)
        chosen = [*also, *(next(self.places) for _ in range(places))]
        for place in chosen:
            place(at)
        case.name = "-".join(
            (
                f"{self.number:03d}",
                kind.__name__,
                writing.__name__,
                *(one.__name__ for one in chosen),
            )
        )
        can = encoding.fits if writing not in ENDINGS else endings.ends
        if not can(writing, case):
            writing = encoding.explicit if writing in (*PLAIN, *encoding.SETS) else writing
            if writing is not encoding.explicit:
                return case
        case.source = writing(at)
        _settle(case)
        return case


def _settle(case: Case) -> None:
    """The last word on each place counts, and what must stay is no secret."""
    case.kept = list({path: (path, value) for path, value in case.kept}.values())
    case.words = [
        (path, words)
        for path, words in dict(case.words).items()
        if set(words)
        <= set(re.split(r"[\s;,.\\]+", str(at_path(case.dataset, path)).replace("\0", " ")))
    ]
    stay = " ".join(str(value) for _, value in case.kept).lower()
    said = " ".join(word for _, words in case.words for word in words).lower()
    case.secrets = [
        secret
        for secret in case.secrets
        if _searchable(secret) and secret.value.lower() not in stay + said
    ]


def _searchable(secret: Secret) -> bool:
    if "hex" in secret.codecs:
        needle = bytes.fromhex(secret.value)
        return len(set(needle)) > 2 and sum(byte != 0 for byte in needle) > 5
    if "word" in secret.codecs:
        return True
    return len(secret.value) > 3 or not secret.value.isascii()
