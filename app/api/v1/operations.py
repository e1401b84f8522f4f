"""For whoever runs the service: is it alive, is it ready, how much does it do; what problems mean."""

import os
from collections.abc import Iterable
from html import escape
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from pydantic import BaseModel
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app import errors, telemetry
from app.access import Act
from app.api.dependencies import Asker, HouseInForce
from app.api.problems import kinds, problems
from app.database import EVERYTHING
from app.models.image import Instance
from app.models.submission import Submission
from app.models.vault import Term

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """How the service is."""

    status: Literal["live", "ready"]


class Waiting(Collector):
    """How many rows wait for a step, as counted at this moment."""

    def __init__(self, counts: Iterable[tuple[str, str, int]]) -> None:
        self.counts = counts

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """One gauge, by job and state."""
        gauge = GaugeMetricFamily(
            "hounsfield_waiting_rows",
            "Rows whose turn it is, by job and state; those that are held need a look.",
            labels=["job", "state"],
        )
        for job, state, count in self.counts:
            gauge.add_metric([job, state], count)
        yield gauge


@router.get("/health/live")
async def live() -> Health:
    """The process answers."""
    return Health(status="live")


@router.get("/health/ready")
async def ready(house: HouseInForce) -> Health:
    """The process answers and so does its database."""
    async with house.database.transaction() as session:
        await session.execute(text("SELECT 1"))
    return Health(status="ready")


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(403)},
)
async def metrics(asker: Asker, house: HouseInForce) -> Response:
    """Counts and times of all processes, for Prometheus. For operators."""
    asker.require(Act.READ_OPERATIONS)
    async with house.database.transaction(EVERYTHING) as session:
        counts = await waiting(session)
    queue = CollectorRegistry()
    queue.register(Waiting(counts))
    content = generate_latest(gathered()) + generate_latest(queue)
    return Response(content, media_type=CONTENT_TYPE_LATEST)


@router.get(
    "/problems/{code}",
    response_class=HTMLResponse,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
async def problem_page(
    code: Annotated[str, Path(pattern=r"^[a-z0-9-]{1,60}$", description="A problem's code.")],
) -> HTMLResponse:
    """What a kind of problem means: the page its `type` resolves to."""
    for known, title, status, meaning in kinds():
        if known == code:
            return HTMLResponse(
                "<!doctype html><html lang=en><meta charset=utf-8>"
                "<meta name=viewport content='width=device-width, initial-scale=1'>"
                "<link rel=stylesheet href=/static/hounsfield.css>"
                f"<title>{escape(title)}</title><main><h1>{escape(title)}</h1>"
                f"<p>{escape(meaning)}</p><p>Code <code>{escape(known)}</code>, status {status}. "
                "The <code>detail</code> of the problem says what to do next.</p>"
                "<p><a href=/problems>All problems</a></p></main></html>"
            )
    raise errors.NotFound("There is no such kind of problem.")


async def waiting(session: AsyncSession) -> list[tuple[str, str, int]]:
    """Rows by job and state, for those states in which somebody has to do something."""
    counted = []
    for job, state, states in (
        ("submission", Submission.state, ("received", "read", "checked", "held")),
        ("instance", Instance.state, ("received", "held")),
        ("term", Term.state, ("changed", "held")),
    ):
        found = await session.execute(
            select(state, func.count()).where(state.in_(states)).group_by(state)
        )
        counts: dict[str, int] = dict(found.all())
        counted += [(job, name, counts.get(name, 0)) for name in states]
    return counted


def gathered() -> CollectorRegistry:
    """What every process of this service has counted, where they share a folder; else this one."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return telemetry.REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
