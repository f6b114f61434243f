"""`PUT`, `GET` and `DELETE /v1/{entity}/{entity_id}/objection`, and `POST /v1/{kind}/{entity_id}/erasure`."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from features.kit.clock import from_us, iso, to_us
from serving.audit_log.entry import Who
from serving.errors import no_such
from serving.gateway.actor import actor_of
from serving.http import body_of, json_answer
from serving.path_params import EntityId, EntityName, check_entity
from serving.privacy import repository, service
from serving.privacy.schemas import ErasureAnswer, ObjectionAnswer
from serving.problems import Problem, documented
from serving.state import AppState, change, state_of

log = logging.getLogger("serving.privacy")
router = APIRouter(tags=["privacy"])
OBJECTION = "/v1/{entity}/{entity_id:path}/objection"
SHOWN: dict[int | str, dict[str, Any]] = {
    200: {"description": "whether it objects", "content": body_of("ObjectionAnswer")}
}


@router.put(OBJECTION, summary="Stop scoring an account or a lead", responses={**SHOWN, **documented(404, 422, 503)})
async def put_objection(request: Request, entity: EntityName, entity_id: EntityId) -> Response:
    """From now on it gets no score, over HTTP, by webhooks or in the nightly batch. Repeating it changes nothing."""
    state, entity = state_of(request), check_entity(entity)
    await change(state, _set, state, entity, entity_id, True, actor_of(request))
    return _shown(state, entity, entity_id)


@router.delete(
    OBJECTION,
    summary="Take an objection back",
    status_code=204,
    response_class=Response,
    responses=documented(404, 422, 503),
)
async def withdraw_objection(request: Request, entity: EntityName, entity_id: EntityId) -> Response:
    """Repeating it changes nothing."""
    state, entity = state_of(request), check_entity(entity)
    await change(state, _set, state, entity, entity_id, False, actor_of(request))
    return Response(status_code=204)


@router.get(OBJECTION, summary="Does it object to scoring?", responses={**SHOWN, **documented(404, 422)})
async def read_objection(request: Request, entity: EntityName, entity_id: EntityId) -> Response:
    """404 when there is no objection by `PUT` or by command. An objection in the source itself is part of its signals."""
    return _shown(state_of(request), check_entity(entity), entity_id)


def _shown(state: AppState, entity: str, entity_id: str) -> Response:
    since = state.watched.directives.objecting_since(entity, entity_id)
    if since is None:
        raise Problem(404, "no_such_objection", "there is no objection of it")
    return json_answer(ObjectionAnswer(entity, entity_id, iso(from_us(since))))


@router.post(
    "/v1/{kind}/{entity_id:path}/erasure",
    summary="Erase an account, a lead or a contact",
    responses={
        200: {"description": "what was deleted", "content": body_of("ErasureAnswer")},
        **documented(404, 415, 422, 503),
    },
)
async def erase(
    request: Request,
    kind: Annotated[str, Path(description="account, lead or contact", examples=["contact"])],
    entity_id: EntityId,
) -> Response:
    """Deletes its signals, scores, changes, overrides and the content of its events, in one transaction. No late event
    and no batch brings it back, and training leaves it out. Published runs and reports in the service's home are
    rewritten without it."""
    if kind not in repository.KINDS:
        raise no_such("kind", list(repository.KINDS))
    state = state_of(request)
    done = await change(
        state,
        service.erase,
        state.store,
        state.mapped.values(),
        kind,
        entity_id,
        to_us(state.clock()),
        state.settings.base.home,
        actor_of(request),
    )
    return json_answer(ErasureAnswer(kind, done.found, done.deleted, done.left))


def _set(state: AppState, entity: str, entity_id: str, objects: bool, by: Who) -> None:
    set_or_end = service.object_to if objects else service.allow
    _, left = set_or_end(state.store, entity, entity_id, to_us(state.clock()), state.settings.base.home, by)
    for each in left:
        log.warning("objection.left %s", each)
