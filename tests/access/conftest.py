"""An operator, two accounts with facilities, and the people of each."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest_asyncio
from fastapi import FastAPI

from app.access import Role
from app.postgres import Addresses
from tests.conftest import opened
from tests.make.accounts import REGISTRY, Desk, account, facility, key_for


@dataclass(frozen=True)
class People:
    """Who asks: ours have the facilities `ours` and `sibling`, theirs has `theirs`."""

    operator: Desk
    auditor: Desk
    steward: Desk
    corporate: Desk
    administrator: Desk
    registrar: Desk
    dashboard: Desk
    stranger: Desk
    stranger_corporate: Desk
    our_account: int
    their_account: int
    ours: int
    sibling: int
    theirs: int


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(application: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """One opening of the application for a module's tests, in one loop."""
    async with opened(application) as asked:
        yield asked


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(client: httpx.AsyncClient, database: Addresses) -> People:
    async def desk(role: Role, **bounds: object) -> Desk:
        return Desk(client, await key_for(database, role, **bounds))

    operator = await desk(Role.OPERATOR)
    our_account, their_account = await account(operator), await account(operator)
    ours = await facility(operator, our_account)
    sibling = await facility(operator, our_account)
    theirs = await facility(operator, their_account)
    return People(
        operator=operator,
        auditor=await desk(Role.AUDITOR),
        steward=await desk(Role.STEWARD, registries=[REGISTRY]),
        corporate=await desk(Role.CORPORATE_ADMINISTRATOR, corporate_account_id=our_account),
        administrator=await desk(
            Role.FACILITY_ADMINISTRATOR, registries=[REGISTRY], facilities=[ours]
        ),
        registrar=await desk(Role.REGISTRAR, registries=[REGISTRY], facilities=[ours]),
        dashboard=await desk(Role.DASHBOARD, facilities=[ours]),
        stranger=await desk(Role.FACILITY_ADMINISTRATOR, facilities=[theirs]),
        stranger_corporate=await desk(
            Role.CORPORATE_ADMINISTRATOR, corporate_account_id=their_account
        ),
        our_account=our_account,
        their_account=their_account,
        ours=ours,
        sibling=sibling,
        theirs=theirs,
    )
