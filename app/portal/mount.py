"""Hang the pages on the web process."""

from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from app.portal import improvement, own_results, use_cases
from app.portal.pages import router
from app.portal.session import KeyCookie

STATIC = Path(__file__).parent / "static"


def mount_pages(app: FastAPI, *, secure: bool) -> None:
    """Add the pages, what they load, and the cookie that signs a browser in."""
    for pages in (router, improvement.router, own_results.router, use_cases.router):
        app.include_router(pages)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(KeyCookie, secure=secure)
