"""Lets people into the page: all under /ui/ but the sign-in page needs somebody who signed in, and each form its token.

The page takes sessions and no API keys; the API takes keys and no sessions. So no cookie changes anything in the API, and
a program that lost its key gets 401 in problem+json and never a sign-in page.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope

from features.kit.clock import to_us
from serving.gateway.actor import set_actor
from serving.gateway.headers import SAFE, Headers, from_here
from serving.gateway.scopes import scope_of
from serving.gzip_body import once
from serving.problems import Problem, guarded
from serving.sign_in import service
from serving.sign_in.cookies import FORM, SESSION, cookie_of
from serving.sign_in.forms import read_form, require_own_site, require_token, token_for
from serving.sign_in.next_path import SIGN_IN, SIGN_OUT, sign_in_path, wanted
from serving.sign_in.pages import go_to
from serving.sign_in.service import SEEN_EVERY_US, SignIn, Visitor
from serving.sign_in.transport import Transport, transport_of
from serving.sign_in.visit import Visit
from serving.state import AppState


async def let_in(
    state: AppState, scope: Scope, headers: Headers, receive: Receive, named: bytes | None, *, open_here: bool
) -> Receive | Response:
    """Puts who asks into the scope (`serving.sign_in.visit`) and returns the `receive` to go on with; or the answer to
    give, which leads to the sign-in page. `named` is the header with which a proxy names the person.

    Raises `Problem` for what the person may not do and for a form without its token.
    """
    method = scope["method"]
    sign_in, transport = state.part(SignIn), transport_of(scope, state.settings.sign_in)
    if open_here:
        from_here(method, headers)
    visitor = await _visitor(state, sign_in, scope, transport, named, open_here=open_here)
    needed = scope_of(method, scope["path"])
    if visitor is not None:
        set_actor(scope, visitor.actor)
        if needed is not None and needed not in visitor.scopes:
            raise Problem(
                403, "scope_missing", f"{visitor.actor.name} lacks the scope {needed!r}: {_NEXT[visitor.how]}"
            )
    elif needed is not None or scope["path"] == SIGN_OUT:
        over = cookie_of(scope, SESSION) is not None
        return go_to(sign_in_path(wanted(scope, headers), over=over))
    fields: dict[str, str] = {}
    if method not in SAFE:
        require_own_site(transport, headers)
        body, fields = await read_form(scope, receive, headers)
        require_token(fields, _expected(sign_in, scope, None if scope["path"] == SIGN_IN else visitor))
        receive = once(body)
    Visit(visitor, transport, fields, stranger=named is not None and not transport.from_proxy).put(scope)
    return receive


_NEXT = {
    "key": "make a key that has it, and sign in with that one",
    "header": "see ACCOUNTSCORE_SIGN_IN_HEADER_SCOPES",
    "oidc": "see ACCOUNTSCORE_OIDC_GROUPS, and sign in again",
    "open": "make a key that has it",
}


async def _visitor(
    state: AppState, sign_in: SignIn, scope: Any, transport: Transport, named: bytes | None, *, open_here: bool
) -> Visitor | None:
    if open_here:
        return sign_in.open_visitor()
    if not transport.secure:  # a browser would not send the cookie
        return None
    now_us = to_us(state.clock())
    if named is not None and transport.from_proxy:
        name = _name(named)
        if name is not None:
            visitor = sign_in.header_visitor(name, state.settings.sign_in.header_scopes)
            if sign_in.is_new(visitor.actor.id, now_us):
                state.metrics.sign_ins.labels("header", "signed_in").inc()
                state.writer.submit(lambda connection: service.note_named(connection, visitor, now_us))
            return visitor
    session_id = cookie_of(scope, SESSION)
    if session_id is None:
        return None
    with guarded():
        session = await asyncio.to_thread(service.find, state.store, sign_in, session_id, now_us)
    if session is None:
        return None
    if now_us - session.seen_at >= SEEN_EVERY_US:
        id_hash = session.id_hash
        state.writer.submit(lambda connection: service.see(connection, id_hash, now_us))
    return sign_in.session_visitor(session)


def _name(given: bytes) -> str | None:
    """The person's name of a header: UTF-8, one line of 1 to 200 characters; None for anything else."""
    try:
        name = given.decode().strip()
    except UnicodeDecodeError:
        return None
    return name if 1 <= len(name) <= service.LONGEST_NAME and name.isprintable() else None


def _expected(sign_in: SignIn, scope: Any, visitor: Visitor | None) -> str:
    """The token that a form must have: the visitor's, and of the sign-in form that of the browser."""
    if visitor is not None:
        return visitor.token
    browser = cookie_of(scope, FORM)
    if browser is None:
        raise Problem(
            403, "no_form_token", "signing in needs cookies: allow them for this site, and open the page again"
        )
    return token_for(sign_in.pepper, f"browser:{browser}")
