"""Two facilities whose exams have readers, who bill under TINs; tabulated, with keys to it."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import Role
from app.benchmarks import generations
from app.benchmarks.engine import Engine
from app.benchmarks.generations import Workshop
from app.benchmarks.lake import Lake
from app.catalogue import Catalogue
from app.database import EVERYTHING, Database
from app.database import Role as DatabaseRole
from app.postgres import Addresses
from app.registries.schema import Definition
from app.reports.qpp.entities import Entity
from app.reports.qpp.export import Results, export
from app.settings import Settings
from tests.benchmarks.history import History, settle
from tests.make.accounts import bearer, key_for
from tests.reports.qpp.registry import READER, registry

HERE, THERE, APART = 200001, 200002, 200003
ADA, BEN, CAY, DEE, EVA = "1234567893", "1000000004", "1000000012", "1000000020", "1000000038"
GROUP, OTHER, FAR = "123456789", "987654321", "555555555"
LISTED: list[tuple[str, str | None, list[int]]] = [
    (ADA, GROUP, [HERE, THERE]),
    (BEN, GROUP, [HERE]),
    (CAY, OTHER, [HERE, APART]),
    (DEE, None, [HERE]),
    (EVA, FAR, [THERE]),
]
"""Who is on the lists: NPI, TIN, and where they work. APART takes no part in the registry."""


@dataclass
class World:
    """Two facilities whose exams have readers, and the keys of their administrators."""

    database: Addresses
    engine: Engine
    both: dict[str, str]
    here: dict[str, str]
    registrar: dict[str, str]

    async def results(
        self,
        definition: Definition,
        tin: str = GROUP,
        npi: str | None = None,
        year: int = 2025,
        **changes: Any,
    ) -> Results:
        """Results of whatever definition, for somebody who reaches every facility."""
        asked: dict[str, Any] = {"reach": None, "today": date(2026, 3, 1)} | changes
        return await self._work(
            self.database.worker,
            DatabaseRole.WORKER,
            lambda session: export(
                session, self.engine, definition, Entity(tin, npi), year, **asked
            ),
        )

    async def as_owner(self, work: Callable[[AsyncSession], Any]) -> Any:
        return await self._work(self.database.owner, DatabaseRole.OWNER, work)

    async def _work(self, url: str, role: DatabaseRole, work: Callable[[AsyncSession], Any]) -> Any:
        database = Database(url, role, pool=1)
        try:
            async with database.transaction(EVERYTHING) as session:
                return await work(session)
        finally:
            await database.close()


async def list_physician(
    session: AsyncSession, npi: str, tin: str | None, facilities: list[int]
) -> None:
    number = await session.scalar(
        text(
            "INSERT INTO physicians (corporate_account_id, npi, tin, first_name, last_name, created_at)"
            " VALUES (:account, :npi, :tin, 'A', 'B', now()) RETURNING id"
        ),
        {"account": facilities[0], "npi": npi, "tin": tin},
    )
    for facility in facilities:
        await session.execute(
            text("INSERT INTO physician_facilities (physician_id, facility_id) VALUES (:one, :at)"),
            {"one": number, "at": facility},
        )


def happened() -> History:
    """Exams of two years by five readers, some amended to another reader, some withdrawn."""
    chance, history = random.Random(7), History()
    for case in range(1, 281):
        exam = {
            "exam_date": f"{chance.choice((2024, 2025, 2025))}-{chance.randint(1, 12):02d}-15",
            "result": chance.choice("1234"),
            "packs": chance.choice((10, 30, 999)),
            "dose": chance.choice(("1.25", "2.50", "999.00")),
            "signs": chance.choice(([], [], ["X"], ["Y"])),
            READER: chance.choice((ADA, ADA, BEN, CAY, DEE, EVA)),
        }
        facility = chance.choice((HERE, THERE))
        history.put(case, "exam", facility, chance.randint(1, 24), exam)
        if chance.random() < 0.5:
            seen = {"seen_on": "2025-12-20", "cancer": chance.random() < 0.6}
            history.put(10_000 + case, "follow_up", facility, case, seen, parent=case)
    for case in (7, 8, 9):
        one = history.known[case]
        history.put(case, "exam", one.facility, one.subject, {**one.elements, READER: BEN})
    history.withdraw(3)
    history.withdraw(11)
    return history


HISTORY = happened()
"""What was written, for recounts."""


async def laid_out(database: Addresses, settings: Settings, engine: Engine) -> list[str]:
    """Write the history, the lists and the definition; the keys to them."""
    owner = Database(database.owner, DatabaseRole.OWNER, pool=1)
    async with owner.transaction(EVERYTHING) as session:
        for facility in (HERE, THERE, APART):
            await settle(session, facility)
        for facility in (HERE, THERE):
            taking_part = (
                "INSERT INTO participations (facility_id, registry_id, state, created_at)"
                f" VALUES ({facility}, 'toy', 'active', now())"
            )
            await session.execute(text(taking_part))
        for npi, tin, facilities in LISTED:
            await list_physician(session, npi, tin, facilities)
        await happened().write(session)
    await owner.close()
    worker = Database(database.worker, DatabaseRole.WORKER, pool=2)
    workshop = Workshop(worker, Catalogue(settings), engine, Lake(settings.data / "lake"))
    async with worker.transaction(EVERYTHING) as session:
        await workshop.catalogue.publish(session, registry())
        await workshop.catalogue.refresh(session)
    await generations.catch_up(workshop, workshop.catalogue.registry("toy"))
    await worker.close()
    return [
        await key_for(database, role, registries=["toy"], facilities=reach)
        for role, reach in (
            (Role.FACILITY_ADMINISTRATOR, [HERE, THERE]),
            (Role.FACILITY_ADMINISTRATOR, [HERE]),
            (Role.REGISTRAR, [HERE]),
        )
    ]


def make_world(
    database: Addresses, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """A fixture of a module: `world = pytest.fixture(scope="module")(make_world)`."""
    engine = Engine("1GB", "1GB", tmp_path_factory.mktemp("spill"))
    keys = asyncio.run(laid_out(database, settings, engine))
    return World(database, engine, *(bearer(one) for one in keys))
