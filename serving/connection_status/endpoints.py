"""`GET /v1/connections`."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from serving.connection_status import service
from serving.http import body_of, json_answer
from serving.problems import documented, guarded
from serving.state import state_of

router = APIRouter(tags=["status"])


@router.get(
    "/v1/connections",
    summary="How each CRM connection stands",
    responses={
        200: {"description": "by name", "content": body_of("ConnectionsAnswer")},
        **documented(503),
    },
)
async def list_connections(request: Request) -> Response:
    """Of each connection: whether webhooks and write-back are on, and why not; what waits in the inbox and in the outbox; when the
    last event came and the last score was written; what was given up, and why. No values, no secrets. The settings are those that this
    process read at its start."""
    state = state_of(request)
    with guarded():
        answer = await asyncio.to_thread(service.connections, state.store, state.part(service.Read))
    return json_answer(answer)
