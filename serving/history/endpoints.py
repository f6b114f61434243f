"""`GET /v1/{entity}/{id}/scores`: what was said of an account or a lead, newest first."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from features.tables import ENTITIES
from serving.clock import from_us, iso
from serving.errors import StoreAway
from serving.history import repository
from serving.problems import documented, no_such, store_away
from serving.scoring.no_score import detail
from serving.state import state_of

router = APIRouter(tags=["scores"])


@router.get(
    "/v1/{entity}/{entity_id:path}/scores",
    summary="Scores of one account or lead, newest first",
    responses={
        200: {
            "description": "records of what was scored, by which version, with which reasons; an empty list when there is none",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        **documented(404, 422, 503),
    },
)
async def read_scores(
    request: Request,
    entity: Annotated[str, Path(description="account or lead", examples=["account"])],
    entity_id: Annotated[str, Path(description="its id in the source", examples=["acme"])],
    model: Annotated[str | None, Query(description="scores of this model only", examples=["churn-risk"])] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="how many at most")] = 20,
) -> Response:
    """Every score given over HTTP, by a webhook or in a nightly run, the newest `as_of` first."""
    if entity not in ENTITIES:
        raise no_such("entity", list(ENTITIES))
    state = state_of(request)
    if model is not None:
        model = state.champions.definition(model).name
    try:
        rows = await asyncio.to_thread(repository.newest, state.store, entity, entity_id, model, limit)
    except StoreAway:
        raise store_away() from None
    answer = {"entity": entity, "entity_id": entity_id, "scores": [_shown(row) for row in rows]}
    return Response(msgspec.json.encode(answer), media_type="application/json")


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": row["id"],
        "model": row["model"],
        "version": row["version"],
        "scorer": f"sha256:{row['scorer']}",
        "as_of": iso(from_us(row["as_of"])),
        "recorded_at": iso(from_us(row["recorded_at"])),
        "cause": row["cause"],
    }
    if row["no_score"] is not None:
        return {**shown, "no_score": {"code": row["no_score"], "detail": detail(row["no_score"])}}
    return {
        **shown,
        "probability": row["probability"],
        "score": row["score"],
        "band": row["band"],
        "value": row["value"],
        "reasons": msgspec.json.decode(row["reasons"]),
    }
