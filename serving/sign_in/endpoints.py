"""`/ui/sign-in`, its way through an identity provider, and `/ui/sign-out`. The gateway has checked the token of each form before (`serving.gateway.people`)."""

from __future__ import annotations

import asyncio
import secrets
import time
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from features.kit.clock import system_us, to_us
from serving.problems import Problem, store_away
from serving.sign_in import service
from serving.sign_in.cookies import FORM, OIDC, SESSION, cookie_of, drop_cookie, set_cookie
from serving.sign_in.forms import token_for
from serving.sign_in.next_path import HOME, SIGN_IN, SIGN_OUT, safe_next
from serving.sign_in.oidc import CALLBACK, FLOW_SECONDS, OidcRefused
from serving.sign_in.pages import go_to, page, with_cookies
from serving.sign_in.repository import MOST_SESSIONS
from serving.sign_in.service import KeyEnded, Person, SignIn
from serving.sign_in.visit import visit_of
from serving.state import change, state_of

router = APIRouter(include_in_schema=False)
OVER = (
    "Your session has ended: 60 minutes without use, 12 hours after signing in, when its key was revoked, or as the oldest of more "
    f"than {MOST_SESSIONS} of one person. Sign in again; "
    "you will come back to where you were"
)
OUT = "You are signed out"


@router.get(SIGN_IN)
async def sign_in_page(request: Request) -> Response:
    """The form; to somebody who is signed in, as whom, and the button to sign out."""
    asked = request.query_params
    note = OVER if "over" in asked else OUT if "out" in asked else ""
    return _form(request, safe_next(asked.get("next")), note=note)


@router.post(SIGN_IN)
async def sign_in_with_key(request: Request) -> Response:
    """Begins a session for a live key that has the scope ui:read."""
    state, visit = state_of(request), visit_of(request)
    sign_in = state.part(SignIn)
    wanted, address = safe_next(visit.form.get("next")), visit.transport.address
    if not visit.transport.secure:
        return await _refused(request, wanted, "not_secure", "The key was not looked at")
    wait = sign_in.attempts.wait(address, time.monotonic())
    if wait:
        return await _held_up(request, wanted, wait, "key")
    keys = state.watched.keys
    if keys is None:
        raise store_away()
    caller = keys.caller(visit.form.get("key", "").strip(), system_us())
    if caller is None:
        return await _refused(
            request,
            wanted,
            "no_valid_key",
            "This is no live API key. Paste it whole, or ask for a new one: python -m serving keys create",
        )
    if not caller.may("ui:read"):
        text = "The key is live and lacks the scope ui:read. Ask for one that has it: python -m serving keys create NAME --scope ui:read"
        return await _refused(request, wanted, "scope_missing", text)
    try:
        return await _begin(request, Person.of_key(caller), wanted, FORM)
    except KeyEnded:
        return await _refused(request, wanted, "no_valid_key", "The key has just been revoked. Ask for a new one")


@router.get(f"{SIGN_IN}/oidc")
async def start_oidc(request: Request) -> Response:
    """Sends the browser to the identity provider."""
    state, visit = state_of(request), visit_of(request)
    provider, wanted = state.part(SignIn).provider, safe_next(request.query_params.get("next"))
    if provider is None:
        raise _no_provider()
    if not visit.transport.secure:
        return await _refused(request, wanted, "not_secure", "Nothing was sent", how="oidc")
    try:
        url, flow = await asyncio.to_thread(provider.start, wanted)
    except OidcRefused as refused:
        return await _refused(request, wanted, refused.outcome, str(refused), 503, "oidc")
    return go_to(url, (set_cookie(OIDC, flow, FLOW_SECONDS),))


@router.get(CALLBACK)
async def finish_oidc(request: Request) -> Response:
    """Begins a session for the person whom the identity provider names."""
    state, visit = state_of(request), visit_of(request)
    sign_in = state.part(SignIn)
    if sign_in.provider is None:
        raise _no_provider()
    if not visit.transport.secure:
        return await _refused(request, HOME, "not_secure", "Nothing was looked at", how="oidc")
    wait = sign_in.attempts.wait(visit.transport.address, time.monotonic())
    if wait:
        return await _held_up(request, HOME, wait, "oidc")
    flow = cookie_of(request.scope, OIDC)
    try:
        found = await asyncio.to_thread(sign_in.provider.finish, flow, dict(request.query_params))
    except OidcRefused as refused:
        answer = await _refused(request, HOME, refused.outcome, str(refused), how="oidc")
        return with_cookies(answer, (drop_cookie(OIDC),))
    return await _begin(request, found.person, found.wanted, OIDC)


async def _begin(request: Request, person: Person, wanted: str, used: str) -> Response:
    state, earlier = state_of(request), cookie_of(request.scope, SESSION)
    sign_in, now_us = state.part(SignIn), to_us(state.clock())
    session_id = await change(state, service.begin, state.store, sign_in, person, earlier, now_us)
    state.metrics.sign_ins.labels(person.how, "signed_in").inc()
    return go_to(wanted, (set_cookie(SESSION, session_id), drop_cookie(used)))


def _no_provider() -> Problem:
    return Problem(
        404, "no_provider", "no identity provider is set up here: see ACCOUNTSCORE_OIDC_ISSUER, or paste a key"
    )


async def _held_up(request: Request, wanted: str, wait: int, how: str) -> Response:
    text = f"Too many sign-ins were refused: try again in {wait} seconds"
    answer = await _refused(request, wanted, "too_many", text, 429, how)
    answer.headers["retry-after"] = str(wait)
    return answer


@router.post(SIGN_OUT)
async def sign_out(request: Request) -> Response:
    """Ends the session at once, on every server."""
    state, visitor = state_of(request), visit_of(request).visitor
    if visitor is None or visitor.session is None:
        return go_to(SIGN_IN)
    await change(state, service.end, state.store, visitor.session)
    return go_to(f"{SIGN_IN}?out=yes", (drop_cookie(SESSION),))


def _form(request: Request, wanted: str, status: int = 200, problem: str = "", note: str = "") -> Response:
    state, visit = state_of(request), visit_of(request)
    settings = state.settings.sign_in
    if visit.stranger and not problem:
        problem = (
            f"The header {settings.header} came from {visit.transport.address}, which is not in ACCOUNTSCORE_PROXY_NETWORKS: it was "
            "ignored. List the address if it is your proxy's"
        )
    browser = cookie_of(request.scope, FORM) or secrets.token_urlsafe(32)
    return page(
        "sign_in.html",
        status,
        (set_cookie(FORM, browser),),
        visitor=visit.visitor,
        refused=visit.transport.why,
        problem=problem,
        note=note,
        next=wanted,
        next_query="" if wanted == HOME else quote(wanted, safe=""),
        token=token_for(state.part(SignIn).pepper, f"browser:{browser}"),
        oidc=settings.oidc is not None,
    )


async def _refused(
    request: Request, wanted: str, outcome: str, problem: str, status: int = 403, how: str = "key"
) -> Response:
    """The form again, with what was wrong. The key is not repeated."""
    state, visit, now = state_of(request), visit_of(request), time.monotonic()
    attempts = state.part(SignIn).attempts
    state.metrics.sign_ins.labels(how, outcome).inc()
    if outcome != "too_many":
        attempts.refused(visit.transport.address, now)
        if attempts.may_log(now):
            await change(state, service.note_refused, state.store, how, outcome, to_us(state.clock()))
    return _form(request, wanted, status, problem)
