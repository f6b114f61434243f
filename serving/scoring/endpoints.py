"""`POST /v1/{model}/score` and `GET /v1/{model}`.

Score requests are dispatched in front of the FastAPI app: a mount inside it reached 0.8 of the requests per second of
a FastAPI hello world, the dispatch 1.2 (measured once for the design). The route below calls the same function; it is
there for OpenAPI and for tests.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.signals.signal import FIT_THEMES, topic_of
from serving.champion import Champion
from serving.decisions import repository as history
from serving.errors import Declined, StoreAway
from serving.http import ClientGone, body_of, json_answer, read_body
from serving.idempotency.answer import Keep, keep_of
from serving.path_params import ModelName
from serving.problems import MEDIA_TYPE, Problem, documented, fault, problem_of, store_away
from serving.scoring import repository, service
from serving.scoring.held import Scoring
from serving.scoring.request_parser import Parsed, parse
from serving.scoring.schemas import BandShown, ModelAnswer, ScoreAnswer, SignalShown
from serving.state import AppState, state_of

router = APIRouter(tags=["scores"])
INLINE_RECORDS = 8
"""Requests up to this size are scored on the event loop, together with others: handing 8 records to a thread takes as
long as scoring them.
"""
SMALL_BYTES = 256 * 1024
"""A body up to this size is read on the event loop; 100 records of 60 signals have 200 KB."""
_encode = msgspec.json.Encoder().encode


async def answer(state: AppState, model: str, body: bytes, keep: Keep | None = None) -> tuple[int, bytes]:
    """Returns status and body of a score request: 200, or 207 when some records have errors. Raises `Declined` or
    `Problem` for the request as a whole.

    With `keep` the answer is stored for repetitions, in the transaction of its decision records."""
    champion = state.champions.get(model)
    if len(body) <= SMALL_BYTES:
        return await _answer(state, champion, *parse(body), keep)
    # One after the other: a large body takes many times its size once parsed, and long enough to delay others.
    async with state.large:
        return await _answer(state, champion, *await asyncio.to_thread(parse, body), keep)


async def _answer(
    state: AppState, champion: Champion, records: Parsed, reasons: int, keep: Keep | None
) -> tuple[int, bytes]:
    ids = service.ids_of(records)
    if ids or len(records) > INLINE_RECORDS or keep is not None:
        scored = await asyncio.to_thread(_score, state, champion, records, reasons, ids)
        if keep is not None and scored.names_erased:
            keep.wanted = False
        if keep is not None and scored.decisions:
            await _record_and_keep(state, scored, keep)
        elif scored.decisions:
            done: asyncio.Future[service.ScoredRequest] = asyncio.get_running_loop().create_future()
            state.part(Scoring).recorder.record(scored, done)
            await done
    else:
        scored = await state.part(Scoring).together.score(champion, (records, reasons))
    given = scored.answer
    if scored.away:  # scoring goes on without the store; the answer says so
        state.metrics.not_recorded.inc(len(scored.decisions))
        for result in given.results:
            result.warnings = [*result.warnings, "the store is away: this score was not recorded"]
    elif scored.late:
        state.metrics.late_records.inc(len(scored.decisions))
        for result in given.results:
            result.warnings = [*result.warnings, "the store is locked or slow: this score may not be recorded"]
    for result in given.results:
        band = "none" if result.band is msgspec.UNSET else result.band
        state.metrics.scored(champion.name, champion.version, band)
    if given.errors:
        state.metrics.record_errors.labels(champion.name).inc(len(given.errors))
    return _status(given), _encode(given)


def _score(state: AppState, champion: Champion, records: Any, reasons: int, ids: list[str]) -> service.ScoredRequest:
    terms = state.part(Scoring).terms()
    try:
        stored = repository.fetch(state.store, champion.entity, ids, champion.name, terms.now_us) if ids else {}
    except StoreAway:
        raise store_away() from None
    return service.score(champion, records, reasons, stored, terms)


def _status(answer: ScoreAnswer) -> int:
    return 207 if answer.errors else 200


async def _record_and_keep(state: AppState, scored: service.ScoredRequest, keep: Keep) -> None:
    """Stores decision records and answer in one transaction: a repetition finds the answer exactly when the records
    exist.
    """
    content = _encode(scored.answer)

    def job(connection: Connection) -> None:
        if history.put(connection, scored.decisions, checked_at=scored.checked_at) and keep.wanted:
            keep(connection, _status(scored.answer), "application/json", content)
        else:
            keep.wanted = False

    try:
        await state.writer.written(job)
    except StoreAway:
        raise store_away() from None


class HotPath:
    """ASGI middleware that answers score requests itself and passes everything else on."""

    def __init__(self, app: ASGIApp, state_holder: Any) -> None:
        self._app, self._holder = app, state_holder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            path: str = scope["path"]
            if path.startswith("/v1/") and path.endswith("/score") and "/" not in path[4:-6]:
                await self._score(path[4:-6], scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _score(self, model: str, scope: Scope, receive: Receive, send: Send) -> None:
        state: AppState = self._holder.state.serving
        kind, more = b"application/json", []
        try:
            try:
                body = await read_body(scope, receive, state.settings.max_body_bytes)
                status, content = await answer(state, model, body, keep_of(scope))
            except (Problem, ClientGone):
                raise
            except Declined as error:
                raise problem_of(error) from None
            except Exception as error:  # Starlette's own handler is behind us; logged by type and place only
                raise fault(error) from None
        except Problem as problem:
            status, content, kind = problem.status, problem.body(), MEDIA_TYPE.encode()
            more = [(k.encode(), v.encode()) for k, v in problem.headers().items()]
        except ClientGone:
            return
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(content)), *more]
        start: Message = {"type": "http.response.start", "status": status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": content})


@router.post(
    "/v1/{model}/score",
    summary="Score 1 to 1,000 accounts or leads",
    responses={
        200: {
            "description": "every record has its result",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ScoreAnswer"}}},
        },
        207: {
            "description": "some or all records have errors; each is told by the index of its record",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ScoreAnswer"}}},
        },
        **documented(400, 404, 413, 422, 503),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ScoreRequest"}}},
        }
    },
)
async def score(model: ModelName, request: Request) -> Response:
    """Give an `entity_id` whose signals are in the store, or signals, or both: those in the request are laid on top.

    One bad record does not spoil the others: it is in `errors` with every fault that it has.
    """
    state = state_of(request)
    body = await read_body(request.scope, request.receive, state.settings.max_body_bytes)
    status, content = await answer(state, model, body, keep_of(request.scope))
    return Response(content, status, media_type="application/json")


@router.get(
    "/v1/{model}",
    summary="What a model is",
    responses={
        200: {"description": "the live version", "content": body_of("ModelAnswer")},
        **documented(404, 422, 503),
    },
)
async def describe(model: ModelName, request: Request) -> Response:
    """The live version: its signals, how good it was on data that it had not seen, and since when it is live."""
    champion = state_of(request).champions.get(model)
    spec = champion.scorer.spec
    themes = {signal.theme for signal in spec.signals}
    answer = ModelAnswer(
        champion.name,
        spec.title,
        champion.version,
        f"sha256:{champion.sha256}",
        champion.entity,
        champion.horizon_days,
        spec.outcome,
        str(champion.population),
        champion.pointer.promoted_at,
        spec.base_rate,
        spec.trained_from,
        spec.trained_to,
        spec.source,
        [theme for theme in FIT_THEMES if theme in themes],
        [BandShown(name, lowest) for name, lowest in spec.bands],
        [
            SignalShown(
                s.name,
                s.theme,
                s.unit,
                s.label,
                s.window,
                s.missing,
                s.by_clock,
                s.missing_share,
                s.vocabulary,
                s.low,
                s.high,
                s.topic or topic_of(s.name),
            )
            for s in spec.signals
        ],
        spec.metrics,
    )
    return json_answer(answer)
