"""People who are called like words: only what stands around the word tells that they are meant."""

from tests.deid.adversary.planting import Kind, Planting

LIKE_WORDS = (("Sharp", "Ivy"), ("Long", "Autumn"), ("Temple", "Hazel"), ("Key", "Dawn"))
OF_PARTICLES = (("Le", "Van"), ("Do", "Van"), ("De", "La"))
STRANGERS = (("Sharp", "Joan"), ("Field", "Amy"), ("Page", "Diane"), ("Short", "Henry"))
COMMON = (("Hill", "Ruth"), ("Wood", "Ellen"), ("Cross", "Olive"), ("Winter", "Noah"))
CORES = ("CT CHEST", "LUNG 1.25MM", "COR T2", "AX DWI B1000")
KEYWORDS = ("StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments")


def _write(at: Planting, keyword: str, said: str, core: str) -> None:
    at.forget(keyword)
    at.secret(said, "called like a word")
    before = at.random.random() < 0.5
    between = at.random.choice((" - ", ", ", "; ", " | "))
    setattr(at.dataset, keyword, between.join((said, core) if before else (core, said)))
    at.case.words.append(((keyword,), tuple(core.split())))


def _renamed(at: Planting, family: str, given: str) -> None:
    at.dataset.OtherPatientNames = f"{family}^{given}"
    if not at.patient.empty_id:  # else the name is all that tells this patient apart
        at.dataset.PatientName = f"{family}^{given}"


def titles(at: Planting) -> None:
    """Strangers whom a title, a given name or an initial tells from a word."""
    family, given = at.random.choice(STRANGERS)
    common, other = at.random.choice(COMMON)
    initial = at.random.choice("BDEGJ")
    ways = [
        *(f"Dr {given} {family}", f"DR {family.upper()}", f"Dr. med. {given} {family}"),
        *(f"Mrs {initial}. {family}", f"{family}, {given}", f"Prof. {family}", f"{given} {family}"),
        *(f"Dr {initial}. {common}", f"DR {common.upper()}", f"{common}, {other} MD"),
    ]
    for keyword, said in zip(KEYWORDS, at.random.sample(ways, len(KEYWORDS)), strict=True):
        _write(at, keyword, said, at.random.choice(CORES))


def words(at: Planting) -> None:
    """A patient called like a word of radiology, and the initials of one."""
    family, given = at.random.choice(LIKE_WORDS)
    _renamed(at, family, given)
    initials = f"{given[0]}.{family[0]}."
    ways = [
        *(f"{given} {family}", f"{family}, {given[0]}.", f"{given[0]}. {family}", f"pt {initials}"),
        *(f"MRS {family.upper()}", f"{family.upper()}^{given.upper()}", f"Mme {family.upper()}"),
    ]
    for keyword, said in zip(KEYWORDS, at.random.sample(ways, len(KEYWORDS)), strict=True):
        _write(at, keyword, said, at.random.choice(CORES))


def particles(at: Planting) -> None:
    """A patient whose names are particles of other people's."""
    family, given = at.random.choice(OF_PARTICLES)
    _renamed(at, family, given)
    ways = [
        *(f"{given} {family}", f"{family}, {given}", f"{family.upper()}_{given.upper()}"),
        *(f"{family},{given}", f"{family}^{given}", f"{given}.{family}"),
    ]
    for keyword, said in zip(KEYWORDS, at.random.sample(ways, len(KEYWORDS)), strict=True):
        _write(at, keyword, said, at.random.choice(CORES))


CALLED: tuple[Kind, ...] = (titles, words, particles)
