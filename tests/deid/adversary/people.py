"""Invented people, places and the texts that speak of them, in many scripts and spellings."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

FAMILIES = [
    "Johansson",
    "Whitaker",
    "Delacroix",
    "Okonkwo",
    "Ferreira",
    "Lindqvist",
    "Abernathy",
    "Castellano",
    "Hargreaves",
    "Kowalczyk",
    "Montgomery",
    "Pemberton",
    "Rosenthal",
    "Stavropoulos",
    "Thackeray",
    "Underhill",
    "Vasquez",
    "Winterbourne",
    "Yamaguchi",
    "Zimmermann",
    "Blackwood",
    "Carruthers",
    "Dombrowski",
    "Eastwood",
    "Fitzgerald",
    "Gallagher",
    "Henderson",
    "Isherwood",
    "Jefferson",
    "Kensington",
    "Lancaster",
    "McAllister",
    "Nakamura",
    "Ollivander",
    "Prendergast",
    "Quincy",
    "Robertson",
    "Silverman",
    "Tennyson",
    "Ullman",
    "Vandenberg",
    "Washington",
    "Xiaolong",
    "Youngblood",
    "O'Sullivan",
    "Martinez",
    "Rodriguez",
    "Thompson",
    "Anderson",
    "Williams",
    "Gutierrez",
    "D'Angelo",
    "Smith-Jones",
    "MacGregor",
]
GIVENS = [
    "Bartholomew",
    "Clementine",
    "Desmond",
    "Eleanora",
    "Florentina",
    "Guinevere",
    "Humphrey",
    "Isabella",
    "Josephine",
    "Katherine",
    "Leopold",
    "Marguerite",
    "Nathaniel",
    "Octavia",
    "Percival",
    "Quentin",
    "Rosalind",
    "Sebastian",
    "Theodora",
    "Ulysses",
    "Valentina",
    "Wilhelmina",
    "Xavier",
    "Yolanda",
    "Zachariah",
    "Margaret",
    "Jennifer",
    "Robert",
    "Michael",
    "Patricia",
]
STREETS = [
    "Evergreen",
    "Willowbrook",
    "Harrington",
    "Peachtree",
    "Sycamore",
    "Kensington",
    "Larkspur",
    "Magnolia",
]
TOWNS = [
    "Millbrook",
    "Ashford",
    "Pinewood",
    "Claremont",
    "Eastbourne",
    "Fairhaven",
    "Glenwood",
    "Hartsdale",
]
HOUSES = [
    "Saint Brendan Hospital",
    "Mercy Valley Medical Center",
    "Northgate University Hospital",
    "Klinikum Rosenheide",
    "Lakeshore Radiology Associates",
    "Mount Carmine Clinic",
]


@dataclass(frozen=True, slots=True)
class Script:
    """A Specific Character Set, the codec its bytes are in, and a name only it can write."""

    charset: tuple[str, ...]
    codec: str
    family: str
    given: str
    ideographic: bool = False


SCRIPTS = (
    Script(("ISO_IR 100",), "latin-1", "Grünkämpfer", "Jürgen"),
    Script(("ISO_IR 100",), "latin-1", "Peñaranda", "Begoña"),
    Script(("ISO_IR 101",), "iso8859_2", "Dvořáček", "Růžena"),
    Script(("ISO_IR 109",), "iso8859_3", "Ĉapeloĝi", "Ĝorĝo"),
    Script(("ISO_IR 110",), "iso8859_4", "Bērziņš", "Ģirts"),
    Script(("ISO_IR 144",), "iso8859_5", "Достоевская", "Людмила"),
    Script(("ISO_IR 127",), "iso8859_6", "المصري", "فاطمة"),
    Script(("ISO_IR 126",), "iso8859_7", "Παπαδόπουλος", "Διονύσιος"),
    Script(("ISO_IR 138",), "iso8859_8", "רוזנברג", "שלומית"),
    Script(("ISO_IR 148",), "iso8859_9", "Kılıçdaroğlu", "Şükriye"),
    Script(("ISO_IR 166",), "iso8859_11", "นามสกุล", "สมชาย"),
    Script(("ISO_IR 13",), "shift_jis", "ﾔﾏﾀﾞ", "ﾀﾛｳ"),
    Script(("", "ISO 2022 IR 87"), "iso2022_jp", "山田", "太郎", True),
    Script(("ISO 2022 IR 13", "ISO 2022 IR 87"), "iso2022_jp", "鈴木", "花子", True),
    Script(("", "ISO 2022 IR 149"), "euc_kr", "김희중", "길동", True),
    Script(("", "ISO 2022 IR 58"), "gb2312", "王小东", "张三丰", True),
    Script(("GB18030",), "gb18030", "欧阳锦绣", "诸葛明远"),
    Script(("GBK",), "gbk", "司马相如", "慕容紫英"),
    Script(("ISO_IR 192",), "utf-8", "Żółkiewniak", "Ōtsuka"),
    Script(("ISO_IR 192",), "utf-8", "Владимиров", "Ярослав"),
    Script(("ISO_IR 192",), "utf-8", "阮文雄", "金正淑"),
)


@dataclass(slots=True)
class Person:
    """A patient: one identity that several objects share."""

    number: int
    family: str
    given: str
    middle: str
    mrn: str
    born: date
    sex: str
    phone: str
    ssn: str
    street: str
    town: str
    postcode: str
    mail: str
    issuer: str
    script: Script | None = None
    empty_id: bool = False
    others: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """As PN."""
        return f"{self.family}^{self.given}^{self.middle}"


@dataclass(slots=True)
class Visit:
    """A study: what was done to a patient on a day, where and by whom."""

    patient: Person
    day: date
    accession: str
    study_id: str
    uid: str
    frame_of_reference: str
    institution: str
    department: str
    station: str
    referring: str
    performing: str
    operator: str
    reader: str
    series: int = 0


def person(random: Random, number: int) -> Person:
    """A patient out of a generator of chance."""
    family, given = random.choice(FAMILIES), random.choice(GIVENS)
    shape = random.choice(
        ("{:08d}", "MRN{:07d}", "H-{:07d}", "{:03d}-{:02d}-{:04d}", "P{:09d}", "A{:06d}Z")
    )
    digits = [
        random.randrange(10**7, 10**8),
        random.randrange(10, 99),
        random.randrange(1000, 9999),
    ]
    if shape.count("{") == 3:
        digits[0] = random.randrange(100, 665)
    elif "6" in shape:
        digits[0] = random.randrange(10**5, 10**6)
    return Person(
        number=number,
        family=family,
        given=given,
        middle=random.choice(GIVENS),
        mrn=shape.format(*digits),
        born=date(1925, 1, 1) + timedelta(days=random.randrange(30_000)),
        sex=random.choice("MFO"),
        phone=f"({random.randrange(201, 989)}) 555-{random.randrange(1000, 9999)}",
        ssn=f"{random.randrange(100, 665)}-{random.randrange(10, 99)}-{random.randrange(1000, 9999)}",
        street=f"{random.randrange(100, 9999)} {random.choice(STREETS)} {random.choice(('Street', 'Ave', 'Lane', 'Blvd'))}",
        town=random.choice(TOWNS),
        postcode=f"{random.randrange(10_000, 99_999)}",
        mail=f"{given}.{family}@{random.choice(TOWNS)}-mail.org".lower().replace("'", ""),
        issuer=random.choice(("NORTHGATE_ADT", "MERCYVALLEY", "KLINIKUM-KIS")),
    )


def visit(random: Random, patient: Person, number: int, root: str) -> Visit:
    """A study of a patient; its UIDs carry its day and the patient's number, as some do."""
    day = date(2009, 1, 1) + timedelta(days=random.randrange(5_800))
    digits = "".join(char for char in patient.mrn if char.isdigit()).lstrip("0")
    uid = random.choice(
        (
            f"{root}.{day:%Y%m%d}.{random.randrange(10**5, 10**6)}.{number}",
            f"{root}.{digits}.{random.randrange(10**5, 10**6)}.{number}",
            f"1.2.840.113619.2.{random.randrange(100, 900)}.{random.randrange(10**9, 10**10)}.{number}",
            f"1.3.12.2.1107.5.1.4.{random.randrange(10**4, 10**5)}.{number}.{day:%Y%m%d}",
        )
    )
    return Visit(
        patient=patient,
        day=day,
        accession=random.choice(("ACC{:07d}", "{:010d}", "R{:08d}-1")).format(
            random.randrange(10**6, 10**7)
        ),
        study_id=f"S{random.randrange(10**5, 10**6)}",
        uid=uid,
        frame_of_reference=f"{uid}.77",
        institution=random.choice(HOUSES),
        department=f"Radiology {random.choice(TOWNS)} Wing",
        station=f"{random.choice(TOWNS)[:5].upper()}CT{random.randrange(10, 99)}",
        referring=f"{random.choice(FAMILIES)}^{random.choice(GIVENS)}^^Dr",
        performing=f"{random.choice(FAMILIES)}^{random.choice(GIVENS)}^^^MD",
        operator=f"{random.choice(FAMILIES)}^{random.choice(GIVENS)}",
        reader=f"{random.choice(FAMILIES)}^{random.choice(GIVENS)}^R^Prof",
    )


def written(random: Random, day: date) -> str:
    """A date in one of the ways people write it in a text."""
    shapes = (
        "%m/%d/%Y",
        "%Y-%m-%d",
        "%Y/%m/%d",
        "%d.%m.%Y",
        "%d-%b-%Y",
        "%B %d, %Y",
        "%Y%m%d",
        "%d %B %Y",
        "%b %d %Y",
        "%m-%d-%Y",
        "%d%b%Y",
        "%m/%d/%y",
    )
    return day.strftime(random.choice(shapes))


DESCRIPTORS = [
    "CT CHEST W/O CONTRAST",
    "T2 FLAIR AX 3MM",
    "AX T1 POST GAD 5MM",
    "CHEST PA AND LATERAL",
    "US ABDOMEN COMPLETE",
    "LUNG 1.25MM",
    "MAMMO SCREENING BILATERAL",
    "SAG STIR LUMBAR SPINE",
    "PET CT SKULL BASE TO MID THIGH",
    "COR T1 FS PELVIS",
    "CT ABD PEL W CONTRAST",
    "BRAIN DWI B1000",
    "AXIAL BONE WINDOW 2.5MM",
    "LEFT BREAST MLO",
    "CTA HEAD AND NECK",
    "MRI KNEE RIGHT",
    "3D TOF MRA",
    "DOSE REPORT",
    "LOW DOSE LUNG SCREENING",
    "DELAYED PHASE LIVER 5.0 B30f",
]
REMARKS = [
    "no acute findings",
    "nodule in right upper lobe",
    "follow up in 6 months",
    "history of breast cancer",
    "left hip pain",
    "shortness of breath",
    "smoker",
    "motion artifact",
    "limited exam",
    "stable since prior",
]
