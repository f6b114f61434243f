"""`/ui/sign-in` and `/ui/sign-out`. The gateway has checked the token of each form before (`serving.gateway.people`)."""

from __future__ import annotations

import secrets
import time
from functools import cache
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from features.kit.clock import system_us, to_us
from serving.problems import store_away
from serving.sign_in import service
from serving.sign_in.cookies import FORM, SESSION, cookie_of, drop_cookie, set_cookie
from serving.sign_in.forms import token_for
from serving.sign_in.next_path import HOME, SIGN_IN, SIGN_OUT, safe_next
from serving.sign_in.pages import FOLDER, go_to, page
from serving.sign_in.service import KeyEnded, Person, SignIn
from serving.sign_in.visit import visit_of
from serving.state import AppState, change, state_of

router = APIRouter(include_in_schema=False)
OVER = (
    "Your session has ended: 60 minutes without use, 12 hours after signing in, or when its key was revoked. Sign in again; "
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
        return _refused(request, wanted, "not_secure", "The key was not looked at")
    wait = sign_in.attempts.wait(address, time.monotonic())
    if wait:
        answer = _refused(request, wanted, "too_many", f"Too many keys were refused: try again in {wait} seconds", 429)
        answer.headers["retry-after"] = str(wait)
        return answer
    keys = state.watched.keys
    if keys is None:
        raise store_away()
    caller = keys.caller(visit.form.get("key", "").strip(), system_us())
    if caller is None:
        return _refused(
            request,
            wanted,
            "no_valid_key",
            "This is no live API key. Paste it whole, or ask for a new one: python -m serving keys create",
        )
    if not caller.may("ui:read"):
        text = "The key is live and lacks the scope ui:read. Ask for one that has it: python -m serving keys create NAME --scope ui:read"
        return _refused(request, wanted, "scope_missing", text)
    person = Person.of_key(caller)
    earlier = cookie_of(request.scope, SESSION)
    try:
        session_id = await change(state, service.begin, state.store, sign_in, person, earlier, to_us(state.clock()))
    except KeyEnded:
        return _refused(request, wanted, "no_valid_key", "The key has just been revoked. Ask for a new one")
    state.metrics.sign_ins.labels("key", "signed_in").inc()
    return go_to(wanted, (set_cookie(SESSION, session_id), drop_cookie(FORM)))


@router.post(SIGN_OUT)
async def sign_out(request: Request) -> Response:
    """Ends the session at once, on every server."""
    state, visitor = state_of(request), visit_of(request).visitor
    if visitor is None or visitor.session is None:
        return go_to(SIGN_IN)
    await change(state, service.end, state.store, visitor.session)
    return go_to(f"{SIGN_IN}?out=yes", (drop_cookie(SESSION),))


@router.get("/ui")
@router.get(HOME)
async def start(request: Request) -> Response:
    """Where a sign-in leads to when no page was asked for."""
    return go_to(SIGN_IN)


@router.get(f"{SIGN_IN}/page.css")
async def style() -> Response:
    return Response(_style(), media_type="text/css", headers={"cache-control": "max-age=3600"})


@cache
def _style() -> bytes:
    return (FOLDER / "page.css").read_bytes()


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


def _refused(request: Request, wanted: str, outcome: str, problem: str, status: int = 403) -> Response:
    """The form again, with what was wrong. The key is not repeated."""
    state, visit = state_of(request), visit_of(request)
    count_refused(state, "key", outcome)
    if outcome != "too_many":
        state.part(SignIn).attempts.refused(visit.transport.address, time.monotonic())
    return _form(request, wanted, status, problem)


def count_refused(state: AppState, how: str, outcome: str) -> None:
    state.metrics.sign_ins.labels(how, outcome).inc()
