"""`GET /v1/{entity}/{entity_id}/change`: why a score moved."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from features.kit.clock import parse_as_of, to_us
from features.kit.errors import UserMistake
from serving.http import body_of, json_answer
from serving.path_params import EntityId, EntityName, WhatIf, check_entity
from serving.problems import Problem, documented, guarded
from serving.score_change import service
from serving.state import state_of

router = APIRouter(tags=["scores"])
DATE_OR_TIME: dict[str, Any] = {
    "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]
}


@router.get(
    "/v1/{entity}/{entity_id:path}/change",
    summary="Why a score moved",
    responses={
        200: {"description": "the difference, split without a remainder", "content": body_of("ChangeAnswer")},
        **documented(404, 422, 503),
    },
)
async def read_change(
    request: Request,
    entity: EntityName,
    entity_id: EntityId,
    model: Annotated[
        str | None, Query(max_length=60, description="default: the model of such entities", examples=["churn-risk"])
    ] = None,
    start: Annotated[
        str | None,
        Query(
            alias="from",
            max_length=40,
            examples=["2026-10-01"],
            json_schema_extra=DATE_OR_TIME,
            description="UTC date or time: the newest score up to then; default: the score before the other",
        ),
    ] = None,
    end: Annotated[
        str | None,
        Query(
            alias="to",
            max_length=40,
            examples=["2026-11-23T06:00:00Z"],
            json_schema_extra=DATE_OR_TIME,
            description="UTC date or time: the newest score up to then; default: the newest",
        ),
    ] = None,
    what_if: WhatIf = False,
) -> Response:
    """Splits the difference of two recorded scores into data, time, model version and, in percentiles, the reference
    population. The parts sum to the whole. Time is what the rows known before the older score give at the moment of the
    newer one. Where that was not recorded (see `split`), data and time are one part."""
    state, entity = state_of(request), check_entity(entity)
    if model is None:
        definition = next(d for d in state.champions.definitions() if d.entity == entity)
    else:
        definition = state.champions.definition(model)
    bounds = _moment("from", start), _moment("to", end)
    with guarded():
        answer = await asyncio.to_thread(
            service.change,
            state.store,
            state.scorers,
            definition.name,
            entity,
            entity_id,
            *bounds,
            to_us(state.clock()),
            what_if,
        )
    return json_answer(answer)


def _moment(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return to_us(parse_as_of(text))
    except (UserMistake, OverflowError):
        rule = "a UTC date or time, ISO 8601, such as 2026-03-01 or 2026-03-01T06:00:00Z"
        fault = {"where": f"query {name}", "found": "something else", "rule": rule, "next_step": "mend it"}
        raise Problem(422, "bad_parameters", f"{name}: {rule}", {"faults": [fault]}) from None
