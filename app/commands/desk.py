"""The operator's desk: a transaction over every row, for commands that keep the books."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app import errors
from app.database import EVERYTHING, Database, Role
from app.postgres import addresses
from app.settings import Settings

OPTIONS = {
    "id": "number",
    "facilities": "facility",
    "registries": "registry",
    "corporate_account_id": "corporate-account",
    "partner_id": "partner",
    "expires_at": "days",
}
"""How the command line calls a member of a body where the two differ."""

Result = TypeVar("Result")
Body = TypeVar("Body", bound=BaseModel)


def at_the_desk(work: Callable[[AsyncSession], Awaitable[Result]], role: Role = Role.WEB) -> Result:
    """Run some work as one transaction; it is kept if nothing was raised.

    In the web's role, or in the worker's for what touches the journey or the vault.
    """

    async def run(url: str) -> Result:
        database = Database(url, role, pool=1)
        try:
            async with database.transaction(EVERYTHING) as session:
                return await work(session)
        finally:
            await database.close()

    with addresses(Settings()) as found:
        return asyncio.run(run(found.worker if role is Role.WORKER else found.web))


def filled_in(form: type[Body], **fields: Any) -> Body:
    """A body from the options of a command; what is wrong with it is told in one line."""
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return form.model_validate(given)
    except ValidationError as error:
        flaws = [
            f"--{_option(str(flaw['loc'][0]))}: {flaw['msg']}" if flaw["loc"] else flaw["msg"]
            for flaw in error.errors(include_input=False, include_url=False)
        ]
        raise errors.Unprocessable("; ".join(flaws)) from None


def _option(member: str) -> str:
    return OPTIONS.get(member, member.replace("_", "-"))
