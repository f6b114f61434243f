"""`GET /v1/models`, `/v1/models/{model}`, `/v1/models/{model}/versions/{version}` and the signals of a version."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from serving.cards import service
from serving.http import body_of, json_answer
from serving.path_params import ModelName
from serving.problems import documented
from serving.state import state_of

router = APIRouter(tags=["models"])
Number = Annotated[int, Path(ge=1, le=999_999_999, description="number in the registry", examples=[7])]
Limit = Annotated[int, Query(ge=1, le=100, description="versions of each model at most, the newest", examples=[20])]


@router.get(
    "/v1/models",
    summary="Every model with its versions",
    responses={200: {"description": "every model", "content": body_of("ModelsAnswer")}, **documented(422)},
)
async def list_models(request: Request, limit: Limit = 20) -> Response:
    """Of each model: what serves, its versions with what their gates said, what was refused and why, who put what live, and the newest
    look of the monitor. Read from the cards in the home; one that cannot be read is said, and the others are listed."""
    state = state_of(request)
    return json_answer(await asyncio.to_thread(service.models, state.settings.base.home, state.champions, limit))


@router.get(
    "/v1/models/{model}",
    summary="One model with the card of its champion",
    responses={
        200: {"description": "the model", "content": body_of("ModelPage")},
        **documented(404, 422),
    },
)
async def read_model(request: Request, model: ModelName, limit: Limit = 20) -> Response:
    """The card says how good the champion was on rows that it did not see: gates, calibration, lift, bands, segments, audit."""
    state = state_of(request)
    definition = state.champions.definition(model)
    home = state.settings.base.home
    return json_answer(await asyncio.to_thread(service.model, home, state.champions, definition, limit))


@router.get(
    "/v1/models/{model}/versions/{version}",
    summary="One version with its card",
    responses={
        200: {"description": "the version", "content": body_of("VersionPage")},
        **documented(404, 422),
    },
)
async def read_version(
    request: Request,
    model: ModelName,
    version: Number,
) -> Response:
    """Also of a version that was refused, with the reasons."""
    state = state_of(request)
    definition = state.champions.definition(model)
    return json_answer(await asyncio.to_thread(service.version, state.settings.base.home, definition, version))


@router.get(
    "/v1/models/{model}/versions/{version}/signals",
    summary="What each signal of a version does",
    responses={
        200: {"description": "every signal, the strongest first", "content": body_of("SignalCard")},
        **documented(404, 422),
    },
)
async def read_signals(request: Request, model: ModelName, version: Number) -> Response:
    """Of every bin of every signal: its rows, how often the outcome came, and what the version adds to the log-odds there."""
    state = state_of(request)
    definition = state.champions.definition(model)
    return json_answer(await asyncio.to_thread(service.signals, state.settings.base.home, definition, version))
