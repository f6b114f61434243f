"""`PUT`, `GET` and `DELETE /v1/{entity}/{entity_id}/override`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from features.kit.clock import to_us
from serving.gateway.actor import actor_of
from serving.http import body_of, json_answer, read_json
from serving.overrides import service
from serving.overrides.schemas import OverrideAnswer, OverrideRequest, shown_override
from serving.path_params import EntityId, EntityName, check_entity
from serving.problems import Problem, documented
from serving.state import change, state_of

router = APIRouter(tags=["overrides"])
PATH = "/v1/{entity}/{entity_id:path}/override"
ModelQuery = Annotated[
    str, Query(max_length=60, description="the model whose score it stands beside", examples=["churn-risk"])
]
SHOWN: dict[int | str, dict[str, Any]] = {
    200: {"description": "the override that holds", "content": body_of("OverrideAnswer")}
}


@router.put(
    PATH,
    summary="Put a person's judgement beside a score",
    responses={**SHOWN, **documented(400, 404, 409, 413, 415, 422, 503)},
    openapi_extra={"requestBody": {"required": True, "content": body_of("OverrideRequest")}},
)
async def put_override(request: Request, entity: EntityName, entity_id: EntityId) -> Response:
    """It is shown in every answer until it ends. The model's score and its reasons stay beside it.

    The author is who signed in: the person, or the holder of the key.
    """
    state, entity = state_of(request), check_entity(entity)
    given = await read_json(request, OverrideRequest)
    now_us, who = to_us(state.clock()), actor_of(request)
    override, warnings = await change(
        state, service.put, state.store, state.champions, entity, entity_id, given, now_us, who
    )
    return json_answer(OverrideAnswer(override.model, entity, entity_id, shown_override(override), warnings))


@router.get(PATH, summary="The override that holds", responses={**SHOWN, **documented(404, 422)})
async def read_override(request: Request, entity: EntityName, entity_id: EntityId, model: ModelQuery) -> Response:
    """404 when none holds."""
    state, entity = state_of(request), check_entity(entity)
    name = state.champions.definition(model).name
    found = state.watched.directives.override(name, entity_id, to_us(state.clock()))
    if found is None or found.entity != entity:
        raise Problem(404, "no_such_override", "no override of this model holds for it")
    return json_answer(OverrideAnswer(name, entity, entity_id, shown_override(found)))


@router.delete(
    PATH, summary="Withdraw an override", status_code=204, response_class=Response, responses=documented(404, 422, 503)
)
async def withdraw_override(request: Request, entity: EntityName, entity_id: EntityId, model: ModelQuery) -> Response:
    """Repeating it changes nothing."""
    state, entity = state_of(request), check_entity(entity)
    name = state.champions.definition(model).name
    await change(state, service.withdraw, state.store, name, entity, entity_id, to_us(state.clock()), actor_of(request))
    return Response(status_code=204)
