"""Liveness, readiness and metrics."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from features.kit.clock import AHEAD_US, to_us
from serving.errors import StoreAway
from serving.health.backlog import measure
from serving.problems import Problem, documented
from serving.state import state_of

router = APIRouter(tags=["health"])
RETRY_AFTER_SECONDS = 5


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    """Liveness. It depends on nothing outside the process, so that a database outage restarts nobody."""
    return {"status": "alive"}


@router.get("/readyz", summary="Can it answer now?", responses=documented(503))
async def readyz(request: Request) -> dict[str, Any]:
    """Ready when at least one model is live and verified; says of each model how it stands, whether the store is reached (without it
    only what brings its signals is scored) and takes writes (locked, full or read-only it takes no webhook), whether it has lost the API's keys
    (nobody is let in then), and which connections are off for a fault in their settings."""
    state = state_of(request)
    models = state.champions.statuses()
    if not _serves(models):
        raise Problem(
            503,
            "not_ready",
            "no verified model: run python -m training promote MODEL",
            {"models": models},
            RETRY_AFTER_SECONDS,
        )
    degraded = sorted(name for name, model in models.items() if model["refused"] or model["registry_failed"])
    store = "away" if state.watched.away else "reached"
    ahead = False
    if store == "reached":
        if not await asyncio.to_thread(state.probe.writable):
            store = "unwritable"
        with contextlib.suppress(StoreAway):
            ahead = await asyncio.to_thread(state.probe.ahead, to_us(state.clock()) + AHEAD_US)
    lost = state.watched.keys_lost
    status = "degraded" if degraded or store != "reached" or ahead or lost or state.off else "ready"
    return {
        "status": status,
        "models": models,
        "store": store,
        "signals": "ahead of the clock" if ahead else "in time",
        "keys": "lost" if lost else "held",
        "connections_off": sorted(state.off),
    }


@router.get("/metrics", summary="Counters in Prometheus' text format", response_class=Response)
async def metrics(request: Request) -> Response:
    """Requests and scores of this process since it started; what waits and how old the signals are, as of now."""
    state = state_of(request)
    state.metrics.ready.set(_serves(state.champions.statuses()))
    await asyncio.to_thread(measure, state)
    return Response(generate_latest(state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _serves(models: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether some model answers."""
    return any(model["serves"] for model in models.values())
