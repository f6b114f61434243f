"""`GET /v1/{entity}/{id}/scores`: every score that an account or a lead was given."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from features.kit.clock import to_us
from serving.decisions import repository
from serving.decisions.schemas import ScoresAnswer, shown_record
from serving.http import body_of, json_answer
from serving.overrides.schemas import shown_override
from serving.path_params import EntityId, EntityName, WhatIf, check_entity
from serving.problems import documented, guarded
from serving.state import state_of

router = APIRouter(tags=["scores"])


@router.get(
    "/v1/{entity}/{entity_id:path}/scores",
    summary="Scores of one account or lead, newest first",
    responses={
        200: {
            "description": "what was scored, by which version, with which reasons; an empty list when there is none",
            "content": body_of("ScoresAnswer"),
        },
        **documented(404, 422, 503),
    },
)
async def read_scores(
    request: Request,
    entity: EntityName,
    entity_id: EntityId,
    model: Annotated[
        str | None, Query(max_length=60, description="scores of this model only", examples=["churn-risk"])
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="how many at most", examples=[20])] = 20,
    what_if: WhatIf = False,
) -> Response:
    """Every score given over HTTP, by a webhook or in a nightly run, the newest `as_of` first, with the overrides that
    hold now. Scores of what-ifs, whose request overrode stored signals, are included on demand."""
    state, entity = state_of(request), check_entity(entity)
    if model is not None:
        model = state.champions.definition(model).name
    now_us = to_us(state.clock())
    with guarded():
        rows = await asyncio.to_thread(repository.newest, state.store, entity, entity_id, model, limit, now_us, what_if)
    directives = state.watched.directives
    names = [d.name for d in state.champions.definitions() if d.entity == entity and model in (None, d.name)]
    held = {name: directives.override(name, entity_id, now_us) for name in names}
    overrides = {name: shown_override(override) for name, override in held.items() if override is not None}
    return json_answer(ScoresAnswer(entity, entity_id, [shown_record(row) for row in rows], overrides))
