"""Hang the pages on the web process."""

from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from app.portal.pages import router
from app.portal.session import KeyCookie

STATIC = Path(__file__).parent / "static"


def mount_pages(app: FastAPI, *, secure: bool) -> None:
    """Add the pages, what they load, and the cookie that signs a browser in."""
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(KeyCookie, secure=secure)
