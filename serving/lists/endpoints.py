"""`GET /v1/{model}/scores`, `GET /v1/account/{id}` and `GET /v1/lead/{id}`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from features.kit.clock import to_us
from features.signals.signal import THEMES
from models.catalog import MODELS
from serving.audit_log.entry import Entry, Who
from serving.audit_log.exports import Export, why_of
from serving.audit_log.service import leave_in_spool
from serving.gateway.actor import actor_of
from serving.http import body_of, header, json_answer
from serving.lists import csv_rows, service
from serving.lists.cursor import Position, Signer
from serving.lists.filters import (
    LARGEST_LIMIT,
    LARGEST_VALUE,
    LONGEST_TEXT,
    MOST_DAYS,
    NO_SCORES,
    SORTS,
    USUAL_LIMIT,
    Asked,
)
from serving.lists.schemas import ListRow
from serving.lists.service import Around
from serving.path_params import EntityId, ModelName
from serving.problems import Problem, documented, guarded
from serving.state import AppState, state_of

log = logging.getLogger("serving.lists")
OTHERS = frozenset({"scores", "change", "override", "objection", "erasure", "outcome", "action"})
"""Last words of the paths about one entity that other rooms answer: what ends in one is never the id of a page."""


class EntityPage(APIRoute):
    """A route that leaves the paths of the other rooms alone, whatever their method."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path: str = scope["path"].rstrip("/")
        # An id may be such a word itself: it then stands right behind the entity.
        if path.count("/") > 3 and path.rpartition("/")[2] in OTHERS:
            return Match.NONE, {}
        return super().matches(scope)


router = APIRouter(tags=["lists"])
pages = APIRouter(tags=["lists"], route_class=EntityPage)


def _parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
    example = schema.pop("example")
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {**schema, "examples": [example]},
    }


BANDS = sorted({name for model in MODELS.values() for name, _ in model.bands})
PARAMETERS = [
    {
        **_parameter(
            "band",
            "any of these; may be given more than once",
            type="array",
            items={"type": "string", "enum": BANDS},
            example=["high"],
        ),
        "explode": True,
    },
    _parameter(
        "owner",
        "who looks after it",
        type="string",
        minLength=1,
        maxLength=LONGEST_TEXT,
        pattern=r"^[^\x00]+$",
        example="j.doe",
    ),
    _parameter("theme", "theme of the first reason", type="string", enum=list(THEMES), example="usage"),
    _parameter(
        "changed_by",
        "the score rose or fell by at least as many points since the nightly run before",
        type="integer",
        minimum=1,
        maximum=99,
        example=10,
    ),
    _parameter(
        "value_min",
        "value at least, currency units",
        type="number",
        minimum=-LARGEST_VALUE,
        maximum=LARGEST_VALUE,
        example=10000,
    ),
    _parameter(
        "renewal_within_days",
        "the contract is up for renewal by then",
        type="integer",
        minimum=0,
        maximum=MOST_DAYS,
        example=30,
    ),
    _parameter(
        "renewal_from",
        "the contract is up for renewal on this day or later",
        type="string",
        format="date",
        example="2026-03-01",
    ),
    _parameter(
        "renewal_before",
        "the contract is up for renewal before this day",
        type="string",
        format="date",
        example="2026-04-01",
    ),
    _parameter("renewal_known", "whether a renewal is known", type="string", enum=["yes", "no"], example="no"),
    _parameter(
        "q",
        "words: each begins a word of the name or the domain; or the beginning of the id",
        type="string",
        minLength=1,
        maxLength=LONGEST_TEXT,
        pattern=r"^[^\x00]+$",
        example="acme",
    ),
    _parameter("no_score", "code of why there is no score", type="string", enum=NO_SCORES, example="already_leaving"),
    _parameter(
        "acted", "whether somebody acted, as the source or a note says", type="string", enum=["yes", "no"], example="no"
    ),
    _parameter(
        "overridden",
        "whether a person's judgement stands beside the score",
        type="string",
        enum=["yes", "no"],
        example="yes",
    ),
    _parameter(
        "sort",
        "column; rows without a value in it come last. Usual: value_at_risk of accounts, probability of leads",
        type="string",
        enum=list(SORTS),
        example="score",
    ),
    _parameter("order", "usual: that of the column", type="string", enum=["asc", "desc"], example="desc"),
    _parameter(
        "limit", f"rows of a page, usual {USUAL_LIMIT}", type="integer", minimum=1, maximum=LARGEST_LIMIT, example=50
    ),
    _parameter(
        "cursor",
        "next_cursor of the page before: with the same filters and sort, or alone",
        type="string",
        example="mI7tq3lX...",
    ),
    _parameter(
        "format",
        "csv: all rows, streamed; also by Accept: text/csv",
        type="string",
        enum=["json", "csv"],
        example="json",
    ),
]


@router.get(
    "/v1/{model}/scores",
    summary="List the newest scores of a model",
    responses={
        200: {
            "description": "a page of the list, or all of it as CSV",
            "content": {**body_of("ListAnswer"), "text/csv": {"schema": {"type": "string"}}},
        },
        **documented(404, 422, 503),
    },
    openapi_extra={"parameters": PARAMETERS},
)
async def list_scores(model: ModelName, request: Request) -> Response:
    """The newest score of every account or lead that the model is for, filtered, sorted and in pages. Segment columns
    are filters too: `segment.industry=software`. A list keeps its order while scores change: a page begins after the
    last row of the page before.

    Erased entities and those that objected are on no list. An override is shown beside the score; filters and order are
    the model's.
    """
    state = state_of(request)
    definition = state.champions.definition(model)
    signer = state.part(Signer)
    params = request.query_params.multi_items()
    with guarded():
        asked, position = await asyncio.to_thread(service.asked_for, state.store, definition, params, signer)
        around = Around(state.watched.directives, to_us(state.clock()))
        if asked.csv or _wants_csv(request):
            return await csv_answer(state, asked, position, around, actor_of(request))
        answer = await asyncio.to_thread(service.page, state.store, asked, position, signer, around)
    return json_answer(answer)


def _wants_csv(request: Request) -> bool:
    accepted = header(request.scope, b"accept")
    kinds = [each.partition(";")[0].strip() for each in (accepted or b"").decode("latin-1").lower().split(",")]
    return kinds[:1] == ["text/csv"]


async def csv_answer(state: AppState, asked: Asked, position: Position | None, around: Around, by: Who) -> Response:
    """The first part is read before the answer begins, so that a store that is away is told as a problem. The export is
    a row of the audit log before anything is sent."""
    columns = await asyncio.to_thread(service.segment_columns, state.store, asked.query.entity)
    parts = service.all_rows(state.store, asked.query, position, around)

    def part() -> list[ListRow] | None:
        return next(parts, None)

    first = await asyncio.to_thread(part)
    home = state.settings.base.home
    export = Export(by, "list", asked.query.model, {"list": asked.query.canonical()})
    why = await asyncio.to_thread(leave_in_spool, home, export.begun())  # reads wait for no write
    if why is not None:
        log.error("audit_log.no_row action=export why=%s", why)
        raise Problem(503, "home_away", "the export cannot be logged, nothing was sent: try again when that is mended")

    async def text() -> AsyncIterator[bytes]:
        sent = 0
        try:
            yield csv_rows.header(columns).encode()
            rows = first
            while rows is not None:
                yield (await asyncio.to_thread(csv_rows.lines, rows, columns)).encode()
                sent += len(rows)
                rows = await asyncio.to_thread(part)
        except BaseException as error:
            row = export.failed(why_of(error), rows=sent)
            raise
        else:
            row = export.done(rows=sent)
        finally:
            # Nothing is waited for: whoever hung up ends this task at once.
            asyncio.get_running_loop().run_in_executor(None, _end, home, row)

    name = f"{asked.query.model}.csv"
    return StreamingResponse(
        text(), media_type=csv_rows.MEDIA_TYPE, headers={"content-disposition": f'attachment; filename="{name}"'}
    )


def _end(home: Path, row: Entry) -> None:
    why = leave_in_spool(home, row)
    if why is not None:
        log.error("audit_log.no_row action=export why=%s", why)


_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "what is known of it", "content": body_of("EntityAnswer")},
    **documented(404, 422, 503),
}


@pages.get("/v1/account/{entity_id:path}", summary="All about one account", responses=_PAGE)
async def read_account(request: Request, entity_id: EntityId) -> Response:
    """Profile, the newest score of each model with reasons and change, overrides, notes, parent and children. Who objected is
    shown with the scores of before; who was erased is not there."""
    return await _entity(request, "account", entity_id)


@pages.get("/v1/lead/{entity_id:path}", summary="All about one lead", responses=_PAGE)
async def read_lead(request: Request, entity_id: EntityId) -> Response:
    """Profile, the newest score of each model with reasons and change, overrides and notes."""
    return await _entity(request, "lead", entity_id)


async def _entity(request: Request, kind: str, entity_id: str) -> Response:
    state = state_of(request)
    around = Around(state.watched.directives, to_us(state.clock()))
    with guarded():
        answer = await asyncio.to_thread(
            service.entity, state.store, state.champions.definitions(), kind, entity_id, around
        )
    return json_answer(answer)
