"""The API. Importing this does nothing; the lifespan builds what a running process needs and takes it down again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from features.kit.clock import Clock, make_clock, to_us
from serving.api_docs.endpoints import router as api_docs
from serving.cards.endpoints import router as cards
from serving.champion import Champions
from serving.connection_status.endpoints import router as connection_status
from serving.connection_status.service import Read
from serving.connections.config import read_connections, tell
from serving.decisions.endpoints import router as scores_of_entity
from serving.errors import Declined
from serving.gateway.middleware import Door
from serving.health.endpoints import router as health
from serving.http import ClientGone
from serving.inbox.endpoints import router as webhooks
from serving.inbox.sealed import Seal
from serving.keys.service import read_pepper
from serving.lists.choices import Choices
from serving.lists.cursor import Signer
from serving.lists.endpoints import pages as entity_pages
from serving.lists.endpoints import router as lists
from serving.lists.summaries import Summaries
from serving.metrics import Metrics
from serving.notes.endpoints import router as notes
from serving.openapi import openapi_of
from serving.overrides.endpoints import router as overrides
from serving.page.pages import ROUTERS as pages_for_people
from serving.page.static import router as page_files
from serving.privacy.endpoints import router as privacy
from serving.problems import Problem, fault, problem_of, render
from serving.runs.endpoints import router as runs
from serving.score_change.endpoints import router as change
from serving.scorer_cache import KeptScorers
from serving.scoring.endpoints import HotPath
from serving.scoring.endpoints import router as scoring
from serving.scoring.held import Scoring
from serving.scoring.micro_batch import Together
from serving.scoring.recorder import Recorder
from serving.scoring.service import Terms, score_together
from serving.settings import ServingSettings
from serving.sign_in.endpoints import router as sign_in
from serving.sign_in.next_path import is_page
from serving.sign_in.oidc import provider_of
from serving.sign_in.pages import refusal
from serving.sign_in.service import SignIn
from serving.state import AppState
from serving.store.connect import open_store
from serving.store.group_commit import GroupWriter
from serving.store.probe import Probe
from serving.store.write_ahead_log import ANSWER_TIMEOUT_MS
from serving.store_cache import StoreCache

log = logging.getLogger("serving")
ROUTERS = (
    health,
    api_docs,
    cards,
    runs,
    connection_status,
    scores_of_entity,
    change,
    overrides,
    notes,
    privacy,
    entity_pages,
    lists,
    scoring,
    webhooks,
    page_files,
    sign_in,
    *pages_for_people,
)
"""In the order in which paths are looked up: one about a single entity before that of its page, and that before a model's.
/v1/models and others stand before /v1/{model}: such words are no names of models (`models.definition.RESERVED`)."""
CHANGES_AT_ONCE = 3
"""How many overrides, objections and erasures are written at the same time. Each takes a thread of the pool that also
reads the store and parses large bodies.
"""
LARGE_AT_ONCE = 2
"""How many requests with a large body are worked on at the same time; each takes up to 200 MB."""


def create_app(
    settings: ServingSettings, clock: Clock | None = None, *, open_on_loopback: bool = False
) -> tuple[Door, FastAPI]:
    """Returns the app to serve (gateway and score dispatch in front) and the FastAPI app behind it, which holds the
    lifespan.

    `open_on_loopback` needs no API key until the first one is made; it is for a server that only this machine
    reaches.

    Starting raises `UserMistake` when the store is not at this version's revision. A connection whose settings have a
    fault is off; nothing else is. Postgres may be away at the start: until it is back, only records that bring their
    own signals are scored, and webhooks get 503.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        connections = read_connections(settings.base.connections)
        off = connections.off(connections.unsigned)
        tell(off)
        store = open_store(settings.base.store_url, busy_ms=ANSWER_TIMEOUT_MS)
        metrics = Metrics()
        champions = Champions(settings.base.home, metrics)
        champions.refresh()
        writer, probe = GroupWriter(store), Probe(settings.base.store_url)
        recorder = Recorder(writer)
        ticking, pepper = clock or make_clock(), read_pepper(settings.base.home)
        watched = StoreCache(store, pepper, ticking, settings.base.home)
        watched.start()

        def terms() -> Terms:
            return Terms(
                to_us(ticking()),
                settings.currency,
                settings.stale_after_us,
                watched.directives,
                settings.record_decisions,
            )

        together = Together(lambda champion, asked: score_together(champion, asked, {}, terms()), recorder)
        app.state.serving = AppState(
            settings,
            store,
            writer,
            champions,
            connections.receiving,
            metrics,
            ticking,
            watched,
            KeptScorers(settings.base.home),
            connections.mapped,
            probe,
            frozenset(off),
            asyncio.Semaphore(LARGE_AT_ONCE),
            asyncio.Semaphore(CHANGES_AT_ONCE),
            {
                Scoring: Scoring(recorder, terms, together),
                Seal: Seal(pepper),
                Signer: Signer.of(pepper),
                Choices: Choices(store),
                Summaries: Summaries(store),
                SignIn: SignIn(pepper, provider_of(settings.sign_in, pepper)),
                Read: Read(connections, settings.base.connections),
            },
        )
        watching = [asyncio.create_task(each.watch()) for each in (champions, watched)]
        for name in {*connections.mapped, *off}:
            metrics.connection_on.labels(name).set(name not in off)
        log.info("api.started connections=%d off=%d", len(connections.receiving), len(off))
        try:
            yield
        finally:
            for task in watching:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await asyncio.to_thread(writer.close)
            probe.close()
            store.close()
            log.info("api.stopped")

    app = FastAPI(
        title="accountscore",
        description="Lead-fit and churn-risk scores with reasons in words.",
        version="1",
        lifespan=lifespan,
        docs_url=None,  # they would come from a content-delivery network: ours are in serving/api_docs
        redoc_url=None,
        redirect_slashes=False,  # a redirect would lose a body or a key with some clients, and repeat the Host that was sent
    )
    app.add_exception_handler(Problem, _handle_problem)
    app.add_exception_handler(Declined, _handle_declined)
    app.add_exception_handler(HTTPException, _handle_http)
    app.add_exception_handler(RequestValidationError, _handle_invalid)
    app.add_exception_handler(ClientGone, _handle_gone)
    app.add_exception_handler(Exception, _handle_fault)
    for router in ROUTERS:
        app.include_router(router)
    app.openapi = openapi_of(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return Door(HotPath(app, app), app, open_on_loopback=open_on_loopback, sign_in=settings.sign_in), app


def _told(request: Request, problem: Problem) -> Response:
    """For people a page, for programs problem+json."""
    return refusal(problem) if is_page(request.scope["path"]) else render(problem)


async def _handle_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _told(request, error)


async def _handle_declined(request: Request, error: Exception) -> Response:
    assert isinstance(error, Declined)
    return _told(request, problem_of(error))


async def _handle_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = {
        404: ("no_such_path", "no such path: /docs and /openapi.json show those that there are"),
        405: ("no_such_method", "the path does not take this method: see allow, and /docs"),
    }
    code, detail = known.get(error.status_code, ("http", "the request cannot be answered"))
    response = _told(request, Problem(error.status_code, code, detail))
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    if error.status_code == 405:  # Starlette names the methods of the first route of a path alone
        found = [
            route for router in ROUTERS for route in router.routes if route.matches(request.scope)[0] != Match.NONE
        ]
        # What takes every id is meant by a path that no other route has.
        found = [route for route in found if not getattr(route, "path", "").endswith(":path}")] or found
        allowed = {method for route in found for method in getattr(route, "methods", None) or ()}
        response.headers["allow"] = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
    return response


async def _handle_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [
        {"where": ".".join(map(str, item["loc"])), "found": "not allowed", "rule": item["msg"], "next_step": "mend it"}
        for item in error.errors()
    ]
    detail = "; ".join(f"{fault['where']}: {fault['rule']}" for fault in faults)
    return _told(request, Problem(422, "bad_parameters", detail, {"faults": faults}))


async def _handle_gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _handle_fault(request: Request, error: Exception) -> Response:
    return _told(request, fault(error))
