"""
The web process, put together.

`create_app` makes the application from settings; its lifespan opens the database, the catalogue, the
vault and the stores, and closes them again. Nothing is global, so that tests make as many as they like.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from app import postgres
from app.api import dicomweb, fhir, openapi, problems
from app.api.bodies import Bounded
from app.api.dependencies import House
from app.api.v1 import operations, routes
from app.api.wire import Answered, Compressed, Guarded, Traced
from app.archive import Archive
from app.catalogue import Catalogue
from app.database import Database, Role
from app.portal.mount import mount_pages
from app.settings import Settings
from app.vault.quarantine import Quarantine
from app.vault.room import Vault


def create_app(settings: Settings) -> FastAPI:
    """The application of these settings; nothing is opened before its lifespan begins."""
    app = FastAPI(
        title="Hounsfield",
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
        lifespan=_open,
        separate_input_output_schemas=False,
    )
    app.state.settings = settings
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    problems.install(app)
    app.include_router(routes.router)
    app.include_router(dicomweb.router)
    app.include_router(fhir.router)
    app.include_router(operations.router)
    mount_pages(app, secure=settings.address.startswith("https:"))
    app.add_middleware(Bounded, limit=settings.body_limit)
    app.add_middleware(Answered)
    app.add_middleware(Compressed)
    app.add_middleware(Guarded, encrypted=settings.address.startswith("https:"))
    app.add_middleware(Traced)
    return app


@asynccontextmanager
async def _open(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    async with open_house(settings) as house:
        app.state.house = house
        yield


@asynccontextmanager
async def open_house(settings: Settings) -> AsyncIterator[House]:
    """Everything a web process holds, for as long as it runs."""
    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(postgres.reached(settings))
        database = Database(found.web, Role.WEB, pool=settings.database_pool)
        stack.push_async_callback(database.close)
        vault, catalogue = Vault(settings), Catalogue(settings)
        await catalogue.keep_current(database)
        yield House(
            settings=settings,
            database=database,
            catalogue=catalogue,
            vault=vault,
            quarantine=Quarantine(settings, vault),
            archive=Archive(settings),
        )
