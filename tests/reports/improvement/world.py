"""
Two facilities of the toy registry over two years, with readers, projects to run and keys to it.

HERE has seven readers and lower doses from 2025 on; THERE has two readers and the same people.
"""

import asyncio
import random
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.access import Role
from app.benchmarks import generations
from app.benchmarks.engine import Engine
from app.benchmarks.generations import Workshop
from app.benchmarks.lake import Lake
from app.catalogue import Catalogue
from app.database import EVERYTHING, Database
from app.database import Role as DatabaseRole
from app.postgres import Addresses
from app.registries.improvement import ImprovementTemplate
from app.registries.schema import Definition
from app.registries.values.texts import is_npi
from app.settings import Settings
from tests.benchmarks.history import History, Known, settle
from tests.benchmarks.toy import FOLLOW_UP, PERSON, definition
from tests.make.accounts import Desk, key_for
from tests.reports.qpp.registry import READER, WITH_READER

HERE, THERE = 200001, 200002
NPIS = [npi for npi in map(str, range(1_000_000_000, 1_000_000_200)) if is_npi(npi)][:9]
AT_HERE, AT_THERE = NPIS[:7], NPIS[7:]
PROJECTS = f"/v1/facilities/{HERE}/improvement-projects"

TEMPLATE = ImprovementTemplate.model_validate(
    {
        "id": "lower-dose",
        "title": "Lower dose",
        "purpose": "No more dose than it needs.",
        "background": [{"says": "Less is enough.", "source": "project"}],
        "measures": ["dose", "found"],
        "interventions": [{"id": "protocol", "title": "Protocol", "says": "One for all."}],
        "baseline_months": 3,
        "remeasurement_months": 3,
        "worksheet": [
            {"id": step, "title": step.title(), "step": step, "asks": ["What?"]}
            for step in ("plan", "do", "study", "act")
        ],
        "evidence": {"participation_months": 3},
    }
)


def registry() -> Definition:
    """The toy registry whose exams are their readers' own, with a project to run."""
    forms = (WITH_READER.model_copy(update={"physician": READER}), FOLLOW_UP, PERSON)
    return definition(forms=forms, improvement=(TEMPLATE,), digest="toy-improving")


def happened() -> History:
    """Fourteen exams a month at HERE, four at THERE, of the same people."""
    chance, history, case = random.Random(5), History(), 0
    for year in (2024, 2025):
        for month in range(1, 13):
            for facility, readers, many in ((HERE, AT_HERE, 14), (THERE, AT_THERE, 4)):
                for number in range(many):
                    case += 1
                    low = year == 2025 and facility == HERE
                    exam = {
                        "exam_date": f"{year}-{month:02d}-{chance.randint(1, 28):02d}",
                        "result": chance.choice("1234"),
                        "packs": chance.choice((10, 30)),
                        "dose": chance.choice(
                            ("1.20", "1.60", "2.10") if low else ("2.50", "3.10")
                        ),
                        "signs": [],
                        READER: readers[number % len(readers)],
                    }
                    history.put(case, "exam", facility, chance.randint(1, 60), exam)
                    if chance.random() < 0.5:
                        seen = {
                            "seen_on": f"{year}-12-20",
                            "cancer": chance.random() < (0.8 if low else 0.3),
                        }
                        history.put(100_000 + case, "follow_up", facility, case, seen, parent=case)
    return history


HISTORY = happened()


def exams(facility: int, first: date, last: date, reader: str | None = None) -> list[Known]:
    """The exams of a facility in some days, of one reader or of all."""
    return [
        one
        for one in HISTORY.known.values()
        if one.form == "exam"
        and one.facility == facility
        and first <= date.fromisoformat(one.elements["exam_date"]) <= last
        and reader in (None, one.elements[READER])
    ]


def found(exam: Known) -> bool:
    """Whether an exam led to a cancer within a year."""
    return any(
        one.parent == exam.case
        and one.elements["cancer"]
        and 0 <= (date.fromisoformat(one.elements["seen_on"]) - date.fromisoformat(exam.elements["exam_date"])).days <= 365
        for one in HISTORY.known.values()
    )  # fmt: skip


@dataclass
class World:
    """The keys of the two facilities' people; `at` puts one at the API."""

    database: Addresses
    settings: Settings
    keys: dict[str, str]
    physicians: dict[str, int]

    def at(self, client: httpx.AsyncClient, who: str) -> Desk:
        return Desk(client, self.keys[who])

    async def more(self, history: History) -> None:
        """Write what came since, and count it."""
        await _count(self.database, self.settings, history)


async def _count(database: Addresses, settings: Settings, history: History) -> None:
    owner = Database(database.owner, DatabaseRole.OWNER, pool=1)
    async with owner.transaction(EVERYTHING) as session:
        await history.write(session)
    await owner.close()
    worker = Database(database.worker, DatabaseRole.WORKER, pool=2)
    engine = Engine("1GB", "1GB", settings.data / "spill")
    workshop = Workshop(worker, Catalogue(settings), engine, Lake(settings.data / "lake"))
    async with worker.transaction(EVERYTHING) as session:
        await workshop.catalogue.publish(session, registry())
        await workshop.catalogue.refresh(session)
    await generations.catch_up(workshop, workshop.catalogue.registry("toy"))
    await worker.close()


async def _laid_out(database: Addresses, settings: Settings) -> World:
    owner = Database(database.owner, DatabaseRole.OWNER, pool=1)
    people: dict[str, int] = {}
    async with owner.transaction(EVERYTHING) as session:
        for facility, npis in ((HERE, AT_HERE), (THERE, AT_THERE)):
            await settle(session, facility)
            for npi in npis:
                number: Any = await session.scalar(
                    text(
                        "INSERT INTO physicians (corporate_account_id, npi, tin, first_name, last_name,"
                        " created_at) VALUES (:account, :npi, NULL, 'Ada', 'Reader', now()) RETURNING id"
                    ),
                    {"account": facility, "npi": npi},
                )
                await session.execute(
                    text(
                        "INSERT INTO physician_facilities (physician_id, facility_id) VALUES (:who, :at)"
                    ),
                    {"who": number, "at": facility},
                )
                people[npi] = number
    await owner.close()
    await _count(database, settings, happened())  # writing one empties its list of changes
    wanted: list[tuple[str, Role, dict[str, Any]]] = [
        ("administrator", Role.FACILITY_ADMINISTRATOR, {"facilities": [HERE]}),
        ("registrar", Role.REGISTRAR, {"facilities": [HERE]}),
        ("dashboard", Role.DASHBOARD, {"facilities": [HERE]}),
        ("service", Role.SERVICE, {"facilities": [HERE]}),
        ("neighbour", Role.FACILITY_ADMINISTRATOR, {"facilities": [THERE]}),
        ("operator", Role.OPERATOR, {}),
        ("steward", Role.STEWARD, {"registries": ["toy"]}),
    ]
    keys = {name: await key_for(database, role, **bounds) for name, role, bounds in wanted}
    return World(database, settings, keys, people)


def make_world(database: Addresses, settings: Settings) -> World:
    """A fixture of a module: `world = pytest.fixture(scope="module")(make_world)`."""
    return asyncio.run(_laid_out(database, settings))


@pytest.fixture(scope="module")
def world(database: Addresses, settings: Settings) -> World:
    return make_world(database, settings)
