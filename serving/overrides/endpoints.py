"""`PUT`, `GET` and `DELETE /v1/{entity}/{entity_id}/override`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from serving.clock import to_us
from serving.entities import EntityId, EntityName, check_entity
from serving.http import body_of, json_answer, read_json
from serving.overrides import service
from serving.overrides.schemas import OverrideAnswer, OverrideRequest
from serving.problems import documented, guarded
from serving.scoring.service import shown_override
from serving.state import AppState, state_of

router = APIRouter(tags=["overrides"])
PATH = "/v1/{entity}/{entity_id:path}/override"
ModelQuery = Annotated[str, Query(max_length=60, description="the model whose score it stands beside", examples=["churn-risk"])]  # fmt: skip
SHOWN: dict[int | str, dict[str, Any]] = {
    200: {"description": "the override that holds", "content": body_of("OverrideAnswer")}
}


@router.put(
    PATH, summary="Put a person's judgement beside a score", responses={**SHOWN, **documented(400, 404, 413, 415, 422, 503)},
    openapi_extra={"requestBody": {"required": True, "content": body_of("OverrideRequest")}},
)  # fmt: skip
async def put_override(request: Request, entity: EntityName, entity_id: EntityId) -> Response:
    """It is shown in every answer until it ends. The machine's score stays beside it, and its reasons are the machine's."""
    state, entity = state_of(request), check_entity(entity)
    given = await read_json(request, OverrideRequest)
    with guarded():
        override = await asyncio.to_thread(
            service.put, state.store, state.champions, entity, entity_id, given, to_us(state.clock())
        )
        await asyncio.to_thread(state.watched.refresh)
    return json_answer(OverrideAnswer(override.model, entity, entity_id, shown_override(override)))


@router.get(PATH, summary="The override that holds", responses={**SHOWN, **documented(404, 422)})
async def read_override(request: Request, entity: EntityName, entity_id: EntityId, model: ModelQuery) -> Response:
    """Null when none holds."""
    state = state_of(request)
    return _answer(state, check_entity(entity), entity_id, state.champions.definition(model).name)


@router.delete(PATH, summary="Withdraw an override", responses={**SHOWN, **documented(404, 422, 503)})
async def withdraw_override(request: Request, entity: EntityName, entity_id: EntityId, model: ModelQuery) -> Response:
    """Repeating it changes nothing."""
    state = state_of(request)
    entity, name = check_entity(entity), state.champions.definition(model).name
    with guarded():
        await asyncio.to_thread(service.withdraw, state.store, name, entity, entity_id, to_us(state.clock()))
        await asyncio.to_thread(state.watched.refresh)
    return _answer(state, entity, entity_id, name)


def _answer(state: AppState, entity: str, entity_id: str, model: str) -> Response:
    found = state.watched.marks.override(model, entity_id, to_us(state.clock()))
    shown = shown_override(found) if found is not None and found.entity == entity else None
    return json_answer(OverrideAnswer(model, entity, entity_id, shown))
