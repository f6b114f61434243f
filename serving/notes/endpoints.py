"""`POST` and `DELETE /v1/{entity}/{entity_id}/outcome` and `/action`; `POST /v1/{entity}/outcomes` and `/actions`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from features.kit.clock import to_us
from serving.gateway.actor import actor_of
from serving.http import LARGEST_JSON, body_of, read_body
from serving.idempotency.answer import keep_of
from serving.notes import service
from serving.notes.repository import ACTION, OUTCOME, Note
from serving.notes.request import Asked, Read, read_many, read_one
from serving.notes.schemas import NotesAnswer
from serving.path_params import EntityId, EntityName, check_entity
from serving.problems import documented
from serving.state import AppState, change, state_of

router = APIRouter(tags=["notes"])
SMALL_BYTES = 256 * 1024
"""A body up to this size is read on the event loop."""
NoteId = Annotated[
    str,
    Query(
        alias="id",
        min_length=1,
        max_length=64,
        pattern=r"^[^\x00]*$",
        description="the id that was answered when it was told",
        examples=["0b2f6c1d9a8e4f7733c5a1e2d4b6f809"],
    ),
]
_STORED: dict[int | str, dict[str, Any]] = {
    200: {"description": "every note is in the store", "content": body_of("NotesAnswer")}
}
_SOME: dict[int | str, dict[str, Any]] = {
    207: {
        "description": "some or all notes have errors, each told by its index; the others are in the store",
        "content": body_of("NotesAnswer"),
    }
}


def _body(schema: str) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": body_of(schema)}}


@router.post(
    "/v1/{entity}/outcomes",
    summary="Tell what came true of many accounts or leads",
    responses={**_STORED, **_SOME, **documented(400, 404, 413, 422, 503)},
    openapi_extra=_body("OutcomesRequest"),
)
async def tell_outcomes(request: Request, entity: EntityName) -> Response:
    """1 to 1,000 notes. One with a fault is in `errors` with every fault that it has, and does not stop the others. Telling
    the same again changes nothing."""
    return await _tell_many(request, OUTCOME, entity)


@router.post(
    "/v1/{entity}/actions",
    summary="Tell what was done about many accounts or leads",
    responses={**_STORED, **_SOME, **documented(400, 404, 413, 422, 503)},
    openapi_extra=_body("ActionsRequest"),
)
async def tell_actions(request: Request, entity: EntityName) -> Response:
    """1 to 1,000 notes. One with a fault is in `errors` with every fault that it has, and does not stop the others. Telling
    the same again changes nothing."""
    return await _tell_many(request, ACTION, entity)


@router.post(
    "/v1/{entity}/{entity_id:path}/outcome",
    summary="Tell what came true: won, lost or churned",
    responses={**_STORED, **documented(400, 404, 413, 422, 503)},
    openapi_extra=_body("OutcomeRequest"),
)
async def tell_outcome(request: Request, entity: EntityName, entity_id: EntityId) -> Response:
    """It is added to what the source tells, and known from now on: training, monitor, star and batch see it. Telling the same
    again changes nothing."""
    return await _tell_one(request, OUTCOME, entity, entity_id)


@router.post(
    "/v1/{entity}/{entity_id:path}/action",
    summary="Tell what was done: a call, an offer, a visit",
    responses={**_STORED, **documented(400, 404, 413, 422, 503)},
    openapi_extra=_body("ActionRequest"),
)
async def tell_action(request: Request, entity: EntityName, entity_id: EntityId) -> Response:
    """Monitor and star then tell those acted upon apart from the others. No signal reads it. Telling the same again changes
    nothing."""
    return await _tell_one(request, ACTION, entity, entity_id)


@router.delete(
    "/v1/{entity}/{entity_id:path}/outcome",
    summary="Withdraw an outcome that was told",
    status_code=204,
    response_class=Response,
    responses=documented(404, 422, 503),
)
async def withdraw_outcome(request: Request, entity: EntityName, entity_id: EntityId, note: NoteId) -> Response:
    """As though it had never been told. Repeating it changes nothing."""
    return await _withdraw(request, OUTCOME, entity, entity_id, note)


@router.delete(
    "/v1/{entity}/{entity_id:path}/action",
    summary="Withdraw an action that was told",
    status_code=204,
    response_class=Response,
    responses=documented(404, 422, 503),
)
async def withdraw_action(request: Request, entity: EntityName, entity_id: EntityId, note: NoteId) -> Response:
    """As though it had never been told. Repeating it changes nothing."""
    return await _withdraw(request, ACTION, entity, entity_id, note)


async def _tell_many(request: Request, kind: str, entity: str) -> Response:
    state = state_of(request)
    asked = _asked(state, kind, entity)
    body = await read_body(request.scope, request.receive, state.settings.max_body_bytes)
    if len(body) <= SMALL_BYTES:
        return await _stored(request, state, service.tell, asked, read_many(asked, body))
    async with state.large:
        read = await asyncio.to_thread(read_many, asked, body)
    return await _stored(request, state, service.tell, asked, read)


async def _tell_one(request: Request, kind: str, entity: str, entity_id: str) -> Response:
    state = state_of(request)
    asked = _asked(state, kind, entity)
    note = read_one(asked, entity_id, await read_body(request.scope, request.receive, LARGEST_JSON))
    return await _stored(request, state, service.tell_one, asked, note)


async def _stored(
    request: Request, state: AppState, tell: Callable[..., NotesAnswer], asked: Asked, told: Read | Note
) -> Response:
    home, keep = state.settings.base.home, keep_of(request.scope)
    answer = await change(state, tell, state.store, home, actor_of(request), asked, told, keep)
    return Response(service.encoded(answer), service.status_of(answer), media_type="application/json")


async def _withdraw(request: Request, kind: str, entity: str, entity_id: str, note: str) -> Response:
    state = state_of(request)
    asked, home = _asked(state, kind, entity), state.settings.base.home
    await change(state, service.withdraw, state.store, home, actor_of(request), asked, entity_id, note)
    return Response(status_code=204)


def _asked(state: AppState, kind: str, entity: str) -> Asked:
    sources = tuple(sorted({connection.source for connection in state.mapped.values()}))
    return Asked(kind, check_entity(entity), to_us(state.clock()), sources)
