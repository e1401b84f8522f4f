"""
Hiding places in what staff write in passing: messages, relatives, numbers of all lands, days in words.

Beside what must go stands what must stay although people are called so: eponyms, sizes, doses. Each
note has one of each, in either order and joined in one of the ways people join them.
"""

from collections.abc import Sequence
from datetime import date

from tests.deid.adversary.answers import Secret
from tests.deid.adversary.planting import Kind, Planting, items, made

DIAGNOSES = (
    *("Ehlers-Danlos", "Guillain-Barre", "Budd-Chiari syndrome", "Charcot-Marie-Tooth"),
    *("Colles fracture", "Schmorl node", "Meckel diverticulum", "Hashimoto thyroiditis"),
    *("Bosniak IIF cyst", "Gleason 4+3", "Cobb angle 14 degrees", "Whipple procedure"),
)
MEASURES = (
    *("120 kVp 80 mAs", "TE 85 ms TR 3200 ms", "60 ml contrast at 2.5 ml/s", "nodule 14 x 11 mm"),
    *("AX DWI B1000", "T2* map", "0.6mm DETAIL", "3 VIEWS", "slice 2.5 mm", "delay 65 s"),
)
ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"),
    *("tenth", "eleventh", "twelfth"),
)
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
MONTHS = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
}
TITLED = ("Stone", "Hill", "Winter", "Hunter", "Fields", "Black", "Crane", "Bishop")
"""Doctors who are called like words."""
BETWEEN = (" - ", ", ", "; ", " / ", " | ", ". ", " ")
TEXTS = (
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "ImageComments",
    "PatientComments",
)


def _note(at: Planting, keyword: str, gone: str, stays: Sequence[str], *secrets: str) -> None:
    """One text: `gone` beside one of `stays`; every one of `secrets` (else all of `gone`) must go."""
    random, ds = at.random, at.dataset
    at.forget(keyword)
    core, between = random.choice(stays), random.choice(BETWEEN)
    said = between.join((gone, core) if random.random() < 0.5 else (core, gone))
    setattr(ds, keyword, said[:64] if keyword != "ImageComments" and len(said) > 64 else said)
    kept = str(getattr(ds, keyword))
    if core in kept and keyword != "PatientComments":
        at.case.words.append(((keyword,), tuple(core.split())))
    for one in secrets or (gone,):
        at.secret(one, f"note in {keyword}")


def messages(at: Planting) -> None:
    """Pieces of HL7, of addresses of files and pages, as forms paste them."""
    patient, visit, random = at.patient, at.visit, at.random
    number = patient.mrn or visit.accession
    family, given = patient.family.upper(), patient.given.upper()
    ways = (
        f"PID|1||{number}^^^ADT^MR||{family}^{given}^^||{patient.born:%Y%m%d}|{patient.sex}",
        f"NK1|1|{family}^RUTH|SPO|{patient.street}^^{patient.town}",
        f"OBR|1|{visit.accession}||71260^CT|||{visit.day:%Y%m%d}1010",
        f"D:\\transfer\\{patient.family}_{patient.given}_{patient.born:%Y%m%d}\\se001",
        f"\\\\nas02\\in\\{patient.family}.{patient.given}\\{number}.dcm",
        f"/data/incoming/{patient.family.lower()}_{number}/im0001",
        f"https://ris.{patient.town.lower()}.example/order?pid={number}&name={patient.family}",
        f'{{"name": "{patient.family}, {patient.given}", "mrn": "{number}"}}',
        f"<patient><id>{number}</id><name>{patient.family}</name></patient>",
    )
    ds = at.dataset
    at.forget("ImageComments")
    chosen = random.sample(ways, 3)
    ds.ImageComments = "\r\n".join(["lung window", *chosen])
    at.case.words.append((("ImageComments",), ("lung", "window")))
    at.name_secrets("message", patient.family, patient.given)
    for one in (number, f"{patient.born:%Y%m%d}", visit.accession):
        at.secret(one, "message")


def relatives(at: Planting) -> None:
    """Those around a patient, with their telephones; the patient's name is not among them."""
    random = at.random
    given, family = at.stranger()
    mobile = random.randrange(10**6, 10**7)
    phones = (
        f"+44 7700 9{mobile % 100000:05d}",
        f"+49 (0)170 {mobile}",
        f"06 {mobile % 100:02d} {mobile // 100 % 100:02d} {mobile // 7 % 100:02d} {mobile // 9 % 100:02d}",
        f"({random.randrange(210, 980)}) 555-{mobile % 10000:04d}",
        f"+1.{random.randrange(210, 980)}.555.{mobile % 10000:04d}",
        f"+81-3-{mobile % 10000:04d}-{mobile // 10 % 10000:04d}",
        f"0{random.randrange(11, 99)} {mobile % 10000:04d} {mobile // 10 % 10000:04d}",
    )
    phone = random.choice(phones)
    kin = random.choice(
        ("mother", "husband", "daughter", "next of kin", "carer", "guardian", "wife")
    )
    way = random.choice(
        (f"{kin} {given} {family} ({phone})", f"{kin}: {family}, {given} tel {phone}")
    )
    _note(at, "ImageComments", way, MEASURES, family, given, phone)
    other = random.choice(phones)
    _note(at, "StudyDescription", f"call {other}", ("CT CHEST", "MR KNEE", "US THYROID"), other)


def numbers_of_lands(at: Planting) -> None:
    """Numbers of persons as many countries write them, for nobody whom an attribute names."""
    random = at.random

    def digits(count: int) -> str:
        return "".join(random.choice("123456789") for _ in range(count))

    six = f"{at.patient.born:%y%m%d}"
    ways = (
        f"NHS No {digits(3)} {digits(3)} {digits(4)}",
        f"SSN {random.randrange(100, 665)}-{random.randrange(10, 99)}-{digits(4)}",
        f"SIN {digits(3)}-{digits(3)}-{digits(3)}",
        f"personnummer {six}-{digits(4)}",
        f"HETU {six}-{digits(3)}K",
        f"CPF {digits(3)}.{digits(3)}.{digits(3)}-{digits(2)}",
        f"AHV 756.{digits(4)}.{digits(4)}.{digits(2)}",
        f"NIR 2 {random.randrange(40, 99)} 05 75 {digits(3)} {digits(3)} {digits(2)}",
        f"RRN {six}-{digits(7)}",
        f"Aadhaar {digits(4)} {digits(4)} {digits(4)}",
        f"NINO QQ {digits(2)} {digits(2)} {digits(2)} C".replace("QQ", "JK"),
        f"IBAN DE{digits(2)} {digits(4)} {digits(4)} {digits(4)} {digits(4)} {digits(2)}",
        f"Medicare {digits(4)} {digits(5)} {digits(1)}",
        f"health card {digits(4)}-{digits(3)}-{digits(3)}-AB",
        f"PESEL {digits(11)}",
        f"passport K{digits(7)}",
        f"DNI {digits(8)}Z",
        f"IP {random.randrange(11, 190)}.{random.randrange(1, 250)}.{random.randrange(1, 250)}.7",
    )
    for keyword, way in zip(
        ("ImageComments", "StudyDescription"), random.sample(ways, 2), strict=True
    ):
        label, _, number = way.partition(" ")
        secret = number if label not in ("NHS", "health") else way.split(" ", 2)[2]
        _note(at, keyword, way, MEASURES, secret)


def spoken(random_day: date) -> tuple[str, ...]:
    """A day as it is said, abbreviated or numbered in many lands."""
    day = random_day
    number, month, year = day.day, f"{day:%B}", day.year
    ending = {1: "st", 2: "nd", 3: "rd"}.get(0 if 10 < number % 100 < 14 else number % 10, "th")
    said = ORDINALS[number - 1] if number <= 12 else f"{number}{ending}"
    local = {land: months.split()[day.month - 1] for land, months in MONTHS.items()}
    return (
        f"the {said} of {month} {year}",
        f"{month} the {number}{ending}, '{year % 100:02d}",
        f"{number}-{ROMAN[day.month - 1]}-{year}",
        f"{number}.{ROMAN[day.month - 1]}.{year}",
        f"day {day:%j} of {year}",
        f"{day:%A} {number} {month} {year}",
        f"{day:%a %d-%b-%y}",
        f"{day:%Y.%m.%d}",
        f"{day:%d.%m.%y}",
        f"{day:%d %m %Y}",
        f"{number}. {local['de']} {year}",
        f"le {number} {local['fr']} {year}",
        f"{number} de {local['es']} de {year}",
        f"{number} {local['it']} {year}",
        f"{day:%b}. {number} {year}",
        f"{year} {day:%b} {number:02d}",
        f"{day:%d%b%Y}".upper(),
        f"{day:%Y-%m-%d}T08:15:22+01:00",
        f"{year}年{day.month}月{number}日",
    )


def days(at: Planting) -> None:
    """Days in words and numbers beside what they must not take along."""
    random = at.random
    charset = str(at.dataset.get("SpecificCharacterSet", ""))
    for keyword, cues in (
        ("ImageComments", ("prior", "compare", "since", "biopsy")),
        ("StudyDescription", ("DOB", "born", "seen")),
    ):
        day = at.patient.born if "DOB" in cues else at.day(3000)
        ways = [way for way in spoken(day) if way.isascii() or "192" in charset]
        way = random.choice(ways)
        secret = way.split("T08")[0].removeprefix("the ").removeprefix("le ")
        _note(at, keyword, f"{random.choice(cues)} {way}", MEASURES, secret)


def diagnoses(at: Planting) -> None:
    """What is called after people stays; a patient, a doctor or a stranger beside it does not."""
    random, patient = at.random, at.patient
    family, given = patient.family, patient.given
    doctor = random.choice(TITLED)
    other_given, other = at.stranger()
    ways: list[tuple[str, tuple[str, ...]]] = [
        (f"{given} {family}", (family, given)),
        (f"{family.upper()}, {given[0]}.", (family,)),
        (f"{family};{given}", (family, given)),
        (f"{family} / {given}", (family, given)),
        (" ".join(family.upper()), (" ".join(family.upper()),)),
        (f"{given}'s", (given,)),
        (f"Frau {family}", (family,)),
        (f"Mme {family.upper()}", (family,)),
        (f"Sra. {family}", (family,)),
        (f"Dr. {other_given} {doctor}", (f"{other_given} {doctor}", other_given)),
        (f"per Dr {doctor}", (f"Dr {doctor}",)),
        (f"{doctor}, {other_given} MD", (f"{doctor}, {other_given}", other_given)),
        (f"Prof. Dr. {other}", (other,)),
        (f"Ltd. MTRA {other}", (other,)),
        (f"{other_given[0]}. {other}, RT(R)", (other,)),
        (f"attending {other}", (other,)),
        (f"{other.upper()}/{other_given[0]}", (other,)),
        (f"DR {doctor.upper()}", (f"DR {doctor.upper()}",)),
    ]
    chosen = random.sample(ways, 3)
    for keyword, (way, secrets) in zip(TEXTS[1:4], chosen, strict=True):
        _note(at, keyword, way, DIAGNOSES, *(one for one in secrets if len(one) > 4))


def initials(at: Planting) -> None:
    """Letters and days that stand for a patient; files and labels that are called after one."""
    patient, random = at.patient, at.random
    family, given = patient.family, patient.given
    code = f"{family[:2]}{given[:2]}{patient.born:%y%m%d}".upper().replace("'", "")
    ways = (
        (f"pt {given[0]}.{family[0]}.", f"{given[0]}.{family[0]}."),
        (code, code),
        (f"{family}_{given}_{patient.born:%Y%m%d}.zip", family),
        (f"Parotid_L_{given[0]}{family}", family),
        (f"ROI-{family}-2", family),
        (f"{family}01", family),
    )
    for keyword, (way, secret) in zip(TEXTS[:2], random.sample(ways, 2), strict=True):
        _note(at, keyword, way, ("CT CHEST", "AX T1", "LUNG 1.25MM"), secret)


def by_frame(at: Planting) -> None:
    """Remarks of frames, segments, specimens and steps: in items, where nobody looks for them."""
    random, ds = at.random, at.dataset
    given, family = at.stranger()
    at.name_secrets("item", given, family)
    day = random.choice(spoken(at.day(900))[:4])
    at.secret(day.removeprefix("the "), "item")
    step = made(
        ScheduledProcedureStepDescription=f"routine; tech {family}",
        ReasonForTheRequestedProcedure=f"cough since {day}",
        RequestedProcedureDescription=f"{random.choice(DIAGNOSES)}, ref. {given} {family}",
        CommentsOnTheScheduledProcedureStep=f"bring {family}, bed {random.randrange(10, 99)}",
    )
    ds.RequestAttributesSequence = items(step)
    at.forget("RequestAttributesSequence")
    kept = ("RequestAttributesSequence", 0, "ScheduledProcedureStepDescription")
    at.case.words.append((kept, ("routine",)))
    ds.AcquisitionProtocolDescription = f"Lung LD, {given[0]}. {family}"
    at.case.secrets.append(Secret(f"{given[0]}. {family}", "item"))


def technical(at: Planting) -> None:
    """Days and numbers behind what a machine says of itself, where unknown words may stay."""
    random, ds = at.random, at.dataset
    number = random.randrange(10**6, 10**7)
    numbers = (
        f"0{random.randrange(20, 99)} {number % 10000:04d} {number // 10 % 10000:04d}",
        f"0{number % 10} {number % 89 + 10} {number % 79 + 10} {number % 69 + 10} {number % 59 + 10}",
        f"+39 02 {number}",
        f"({random.randrange(210, 980)}) 555-{number % 10000:04d}",
        f"{random.randrange(100, 665)}-{number % 89 + 10}-{number % 10000:04d}",
    )
    told = [way for way in spoken(at.day(900)) if way.isascii()]
    for keyword, core in (("ManufacturerModelName", "Aquilion"), ("SoftwareVersions", "VE11C")):
        at.forget(keyword)
        cue, way = random.choice((("prior", random.choice(told)), ("ph:", random.choice(numbers))))
        setattr(ds, keyword, f"{core} / {cue} {way}")
        at.secret(
            way.split("T08")[0].removeprefix("the ").removeprefix("le "), f"{keyword}, technical"
        )
        at.case.words.append(((keyword,), (core,)))


NOTES: tuple[Kind, ...] = (
    messages,
    relatives,
    numbers_of_lands,
    days,
    diagnoses,
    initials,
    by_frame,
    technical,
)
