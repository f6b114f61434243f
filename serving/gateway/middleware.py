"""ASGI middleware of every request: authentication, scopes, rate limit, request id, body limits, access log, metrics.

It never reads the store: keys and their scopes are cached in memory (`serving.store_cache`)."""

from __future__ import annotations

import itertools
import logging
import re
import secrets
import time
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.kit.clock import system_us
from serving.gateway import people
from serving.gateway.actor import OPEN, Actor, actor_of, set_actor
from serving.gateway.address import require_utf8
from serving.gateway.body_memory import Held, Memory
from serving.gateway.headers import from_here, of_answer, single
from serving.gateway.rate_limit import Buckets
from serving.gateway.scopes import is_repeatable, scope_of
from serving.gzip_body import inflated, once
from serving.http import ClientGone
from serving.idempotency.middleware import repeatable
from serving.keys.service import SCOPES, Caller, KeyRing
from serving.log import request_id
from serving.problems import MEDIA_TYPE, Problem, fault, store_away
from serving.sign_in.next_path import is_page
from serving.sign_in.pages import refusal
from serving.sign_in_settings import SignInSettings
from serving.state import AppState

log = logging.getLogger("serving.gateway")
ANYBODY = Caller("nobody", "loopback", frozenset(SCOPES))
"""The caller on loopback as long as no key was ever made."""
_OUR_ID = re.compile(rb"[0-9a-fA-F-]{16,64}")
_SCORE = "/v1/{model}/score"
_BODIES = ("POST", "PUT", "PATCH")


class Door:
    """Wraps an app. `open_on_loopback` needs no key until the first one is made; it is for a server that only this
    machine reaches.
    """

    def __init__(
        self, app: ASGIApp, state_holder: Any, *, open_on_loopback: bool = False, sign_in: SignInSettings | None = None
    ) -> None:
        self._app, self._holder = app, state_holder
        sign_in = sign_in or SignInSettings()
        self._open_on_loopback = open_on_loopback and not sign_in.by_others
        self._sign_in_header = sign_in.header.encode() if sign_in.header else None
        self._buckets = Buckets()
        self._actors: dict[str, Actor] = {}
        self._memory = Memory()
        self._series: dict[tuple[str, str, int], tuple[Any, Any]] = {}
        self._start, self._count = secrets.token_hex(6), itertools.count()
        self.in_flight = 0
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state: AppState = self._holder.state.serving
        method: str = scope["method"]
        if method == "HEAD":  # as GET, without the content
            scope = {**scope, "method": "GET"}
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-request-id")
        # A request id of the caller is kept when it is hexadecimal: a text could be somebody's name, and the id is logged.
        number = given if given and _OUR_ID.fullmatch(given) else b"%s%08x" % (self._start.encode(), next(self._count))
        request_id.set(number.decode())
        began, status, whole, caller = time.perf_counter(), 0, False, None

        async def answer(message: Message) -> None:
            nonlocal status, whole
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", number),
                    *of_answer(message["headers"]),
                ]
            else:
                whole = not message.get("more_body", False)
                if method == "HEAD":
                    message = {**message, "body": b""}
            await send(message)

        self.in_flight += 1
        held = self._memory.request()
        try:
            if len(headers) != len(scope["headers"]):
                single(scope["headers"], headers)
            require_utf8(scope)
            named = None
            if self._sign_in_header is not None and self._sign_in_header in headers:
                scope, named = self._without_name(scope, headers)
            if is_page(scope["path"]):
                await self._page(state, scope, headers, named, held.counting(receive), answer)
            else:
                caller = self._let_in(state, scope, headers)
                await self._pass(state, caller, headers, scope, held.counting(receive), answer, held)
        except Problem as problem:
            await _refuse(problem, scope, receive, answer)
        except ClientGone:
            status = 499
        except Exception as error:  # an unexpected error becomes problem+json 500, logged without contents
            if status and not whole:  # the answer has begun: it can only be cut off
                fault(error)
                raise
            if not status:  # Starlette answers 500 itself and raises all the same
                await _refuse(fault(error), scope, receive, answer)
        finally:
            self.in_flight -= 1
            held.release()
            self._note(state, scope, method, caller, status, time.perf_counter() - began)

    async def _page(
        self,
        state: AppState,
        scope: Scope,
        headers: dict[bytes, bytes],
        named: bytes | None,
        receive: Receive,
        send: Send,
    ) -> None:
        """A page for people: sessions instead of keys, pages instead of problem+json."""
        self._require_up()
        keys = state.watched.keys
        if keys is None or not state.watched.seen:
            raise store_away()
        found = await people.let_in(
            state, scope, headers, receive, named, open_here=self._open_on_loopback and not keys.needed
        )
        if isinstance(found, Response):
            await found(scope, receive, send)
            return
        actor = actor_of(scope)
        if actor.kind == "person":
            self._take(actor.id, state.settings.requests_per_minute, "a person")
        await self._app(scope, found, send)

    def _without_name(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[Scope, bytes]:
        """The scope without the header that names a person, so that nothing behind believes it, and its value. One that
        is there twice is worth nothing.
        """
        name = self._sign_in_header
        assert name is not None
        values = [value for key, value in scope["headers"] if key == name]
        del headers[name]
        kept = [pair for pair in scope["headers"] if pair[0] != name]
        return {**scope, "headers": kept}, values[0] if len(values) == 1 else b""

    def _require_up(self) -> None:
        if self.draining:
            raise Problem(503, "draining", "this process is shutting down: ask again, another one answers", {}, 1)

    def _take(self, who: str, limit: int, named: str) -> None:
        wait = self._buckets.take(who, limit, time.monotonic())
        if wait:
            raise Problem(429, "too_many_requests", f"{named} may ask {limit:,} times a minute", {}, wait)

    def _let_in(self, state: AppState, scope: Scope, headers: dict[bytes, bytes]) -> Caller | None:
        method, path = scope["method"], scope["path"]
        needed = scope_of(method, path)
        if path != "/healthz":
            self._require_up()
        if needed is None:
            return None
        keys = state.watched.keys
        # Until the store was reached once, no erasure or objection is known, and perhaps no key.
        if keys is None or not (state.watched.seen or needed in ("score", "metrics")):
            raise store_away()
        if self._open_on_loopback and not keys.needed:
            from_here(method, headers)
            if method in _BODIES:
                require_type(headers)
            caller = ANYBODY
            set_actor(scope, OPEN)
        else:
            caller = self._caller(keys, headers)
            if not caller.may(needed):
                raise Problem(403, "scope_missing", f"the key lacks the scope {needed!r}: make one that has it")
            self._take(caller.id, caller.requests_per_minute or state.settings.requests_per_minute, "the key")
            actor = self._actors.get(caller.id)
            if actor is None:
                actor = self._actors[caller.id] = Actor("key", caller.id, caller.name)
            set_actor(scope, actor)
        if method in _BODIES:
            _check_type(headers.get(b"content-type"))
        return caller

    def _caller(self, keys: KeyRing, headers: dict[bytes, bytes]) -> Caller:
        kind, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        found = None
        if kind.lower() == "bearer":
            found = keys.caller(token.strip(), system_us())
        if found is None:
            raise Problem(
                401,
                "no_valid_key",
                "send a live API key: Authorization: Bearer as_...; python -m serving keys create makes one",
                challenge="Bearer",
            )
        return found

    async def _pass(
        self,
        state: AppState,
        caller: Caller | None,
        headers: dict[bytes, bytes],
        scope: Scope,
        receive: Receive,
        send: Send,
        held: Held,
    ) -> None:
        if caller is not None and scope["method"] in _BODIES:
            encoding = headers.get(b"content-encoding")
            if encoding is not None:
                scope, body = await inflated(scope, receive, encoding, state.settings.max_body_bytes)
                held.more(len(body))
                receive = once(body)
            key = headers.get(b"idempotency-key")
            if key is not None and scope["method"] == "POST" and is_repeatable(scope["path"]):
                await repeatable(self._app, state, caller.id, key, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _note(
        self, state: AppState, scope: Scope, method: str, caller: Caller | None, status: int, seconds: float
    ) -> None:
        method = method if method in _METHODS else "other"
        path: str = scope["path"]
        route = getattr(scope.get("route"), "path", None)
        if route is None:
            route = _SCORE if method == "POST" and path.startswith("/v1/") and path.endswith("/score") else "none"
        series = self._series.get((method, route, status))
        if series is None:
            metrics = state.metrics
            series = metrics.requests.labels(method, route, status), metrics.request_seconds.labels(method, route)
            self._series[method, route, status] = series
        series[0].inc()
        series[1].observe(seconds)
        if state.settings.log_requests or status in (401, 403, 429) or status >= 500:
            # The route, never the path: the path holds ids.
            log.info(
                "request.%s method=%s route=%s status=%d ms=%.1f key=%s",
                "answered" if status < 400 else "refused",
                method,
                route,
                status,
                1000 * seconds,
                caller.id if caller else "none",
            )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


def require_type(headers: dict[bytes, bytes]) -> None:
    """Requires a JSON content type while no key is needed: a form of a foreign page could be sent without one."""
    if b"content-type" not in headers:
        raise _not_json()


def _check_type(given: bytes | None) -> None:
    if given is None or given == b"application/json":
        return
    kind, _, parameter = given.decode("latin-1").lower().partition(";")
    if kind.strip() != "application/json" or parameter.replace(" ", "") not in ("", "charset=utf-8", 'charset="utf-8"'):
        raise _not_json()


def _not_json() -> Problem:
    return Problem(415, "not_json", "send JSON in UTF-8, and say so: Content-Type: application/json")


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    if is_page(scope["path"]):
        await refusal(problem)(scope, receive, send)
        return
    body = problem.body()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body))]
    headers += [(k.encode(), v.encode()) for k, v in problem.headers().items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
