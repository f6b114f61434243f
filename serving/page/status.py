"""`/ui/status`: whether everything runs. `/ui/status/audit`: who did what. The answers are those of the rooms; a part whose
store does not answer says so, and the others are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from features.kit.clock import from_us, iso, parse_as_of, system_us
from features.kit.errors import AccountscoreError
from serving import registry_heartbeat
from serving.audit_log import view
from serving.audit_log.entry import ACTIONS
from serving.cards import service as cards
from serving.connection_status import service as connection_status
from serving.connections.config import Connections, one_of
from serving.dead_letters import service as dead_letters
from serving.errors import Invalid, NotFound, StoreAway
from serving.gateway.actor import actor_of
from serving.keys import repository as keys
from serving.keys.repository import StoredKey
from serving.page.look import render
from serving.page.status_view import KeyShown, StoreShown, given_up, needs
from serving.problems import STATUS, Problem, guarded
from serving.runs.run_card import NAME
from serving.runs.service import runs
from serving.sign_in.pages import go_to
from serving.sign_in.visit import visit_of, visitor_of
from serving.state import AppState, change, state_of
from serving.store.tables import REVISION

T = TypeVar("T")
router = APIRouter(include_in_schema=False)
RUNS = 10
LOG_ROWS = 50
LOG_ROWS_IN_SHORT = 5
MOST_KEYS = 100
LONGEST_WHO = 200
NEEDED = "admin"
"""The scope of who puts dead letters back."""
KINDS = {"sqlite": "SQLite", "postgresql": "Postgres"}


@router.get("/ui/status")
async def status(request: Request) -> Response:
    """Store, models, nightly runs, connections, keys, and the newest rows of the audit log."""
    state = state_of(request)
    before = request.query_params.get("before") or None
    faults = []
    if before is not None and not NAME.fullmatch(before):
        faults.append(_fault("before", "no run has such an id", "the id of a run", "follow a link of the page"))
        before = None
    found = await asyncio.to_thread(_found, state, before)
    return render(
        request,
        "status.html",
        STATUS[Invalid] if faults else 200,
        **found,
        faults=faults,
        before=before,
        may_replay=NEEDED in visitor_of(request).scopes,
        needed=NEEDED,
        given_up=given_up,
        most_keys=MOST_KEYS,
        seconds_since=lambda moment: _seconds_since(state, moment),
        told=view.told,
        actions=ACTIONS,
    )


@router.post("/ui/status/replay")
async def replay(request: Request) -> Response:
    """Put the dead letters of a connection back into its queues; a row of the audit log."""
    state, visitor = state_of(request), visitor_of(request)
    if NEEDED not in visitor.scopes:
        raise Problem(403, "scope_missing", f"{visitor.actor.name} lacks the scope {NEEDED!r}: ask who has it")
    name = visit_of(request).form.get("connection", "")
    source = _source(state.part(connection_status.Read).found, name)
    await change(state, dead_letters.replay, state.store, actor_of(request), name, source, system_us())
    return go_to("/ui/status?done=replayed#connections")


def _source(found: Connections, name: str) -> str:
    try:
        return one_of(found, name).source
    except AccountscoreError:
        raise NotFound("no_such_connection", "no connection has this name, or its file has a fault") from None


@router.get("/ui/status/audit")
async def audit(request: Request) -> Response:
    """Rows of the audit log by who and what; with `verify=now` also whether the chain holds."""
    state, params = state_of(request), request.query_params
    who, action, before = (params.get(name, "").strip() for name in ("who", "what", "before"))
    faults = []
    if action and action not in ACTIONS:
        faults.append(_fault("what", "no such action", f"one of {', '.join(ACTIONS)}", "choose one of them"))
    if len(who) > LONGEST_WHO:
        faults.append(_fault("who", f"{len(who)} characters", f"{LONGEST_WHO} at most", "write a part of the name"))
    if before and not (before.isascii() and before.isdigit() and len(before) < 19):
        faults.append(_fault("before", "no number of a row", "the number of a row", "follow a link of the page"))
    verified = None
    with guarded():
        found = view.LogPage([], None, 0)
        if not faults:
            asked = (int(before) if before else None, action or None, who or None, LOG_ROWS)
            found = await asyncio.to_thread(view.page, state.store, *asked)
        if params.get("verify") == "now":
            verified = await asyncio.to_thread(view.verify_within, state.store, state.settings.base.home)
    given = [(name, value) for name, value in (("who", who), ("what", action)) if value]
    return render(
        request,
        "audit.html",
        STATUS[Invalid] if faults else 200,
        faults=faults,
        found=found,
        who=who,
        what=action,
        before=before,
        actions=ACTIONS,
        told=view.told,
        verified=verified,
        verify_link=f"/ui/status/audit?{urlencode([*given, ('verify', 'now')])}",
        next_link=None if found.next is None else f"/ui/status/audit?{urlencode([*given, ('before', found.next)])}",
    )


def _found(state: AppState, before: str | None) -> dict[str, Any]:
    """What the page shows, read on a thread. None: the store does not answer."""
    home, now = state.settings.base.home, state.clock()
    models = [
        (shown, registry_heartbeat.read(home, shown.model)) for shown in cards.models(home, state.champions, 1).models
    ]
    answer = _or_away(lambda: connection_status.connections(state.store, state.part(connection_status.Read)))
    shown_runs = runs(home, RUNS, before)
    store = _store(state)
    newest = shown_runs.runs if before is None else runs(home, RUNS, None).runs
    connections = None if answer is None else answer.connections
    return {
        "models_shown": [model for model, _ in models],
        "confirmed": {model.model: found for model, found in models},
        "connections": connections,
        "runs": shown_runs,
        "store": store,
        "keys": _or_away(lambda: _keys(state)),
        "log": _or_away(lambda: view.page(state.store, None, None, None, LOG_ROWS_IN_SHORT)),
        "needs": needs(store, models, newest, connections or (), now),
    }


def _or_away(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except StoreAway:
        return None


def _store(state: AppState) -> StoreShown:
    revision = None
    reached = True
    try:
        revision = state.store.revision()
    except StoreAway:
        reached = False
    kind = KINDS.get(state.store.dialect, state.store.dialect)
    writable = state.probe.writable() if reached else None
    return StoreShown(kind, reached, revision, REVISION, writable, state.watched.keys_lost)


def _keys(state: AppState) -> list[KeyShown]:
    """Live keys first, the newest first among them."""
    now_us = system_us()
    with state.store.read() as connection:
        found = keys.all_of(connection)
    found.sort(key=lambda key: (key.is_live(now_us), key.created_at), reverse=True)
    return [_key(each, now_us) for each in found]


def _key(key: StoredKey, now_us: int) -> KeyShown:
    state = "revoked" if key.revoked_at is not None else "live" if key.is_live(now_us) else "expired"
    ends = None if key.expires_at is None else iso(from_us(key.expires_at))
    return KeyShown(key.id, key.name, key.scopes.split(), iso(from_us(key.created_at)), ends, state)


def _seconds_since(state: AppState, moment: str | None) -> float | None:
    return None if moment is None else max(0.0, (state.clock() - parse_as_of(moment)).total_seconds())


def _fault(where: str, found: str, rule: str, next_step: str) -> dict[str, str]:
    return {"where": where, "found": found, "rule": rule, "next_step": next_step}
