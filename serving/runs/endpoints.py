"""`GET /v1/runs`."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from serving.http import body_of, json_answer
from serving.problems import documented
from serving.runs import service
from serving.state import state_of

router = APIRouter(tags=["status"])


@router.get(
    "/v1/runs",
    summary="Nightly runs, newest first",
    responses={
        200: {"description": "an empty list when there was none", "content": body_of("RunsAnswer")},
        **documented(422),
    },
)
async def list_runs(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=200, description="how many at most", examples=[20])] = 20,
    before: Annotated[
        str | None,
        Query(
            pattern=r"^\d{8}T\d{6}Z-[0-9a-f]{6}$",
            description="runs before this one: `next` of the page before",
            examples=["20261123T020000Z-3f2a9c"],
        ),
    ] = None,
) -> Response:
    """Every start of `python -m serving batch`, as its card in the home tells it: what was scored, how long it took, and why it
    failed or did not finish. A card that cannot be read is listed as that."""
    state = state_of(request)
    return json_answer(await asyncio.to_thread(service.runs, state.settings.base.home, limit, before))
